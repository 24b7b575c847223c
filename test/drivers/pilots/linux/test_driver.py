"""The single-board computer's pilot against files: series of levels, failures, its thread."""

import math
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import gpiod
import numpy as np
import pytest
from linux_tree import (
    CONFIG,
    CONTACTOR,
    FEEDBACK,
    PHASES,
    Computer,
    PeakHold,
    curve,
    raw_of,
)

from charger_control.core.iso61851.raw.types import RawOrder
from charger_control.drivers import registry
from charger_control.drivers.interfaces import CurrentPilot, DeviceError, RawPilot
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.options import checked
from charger_control.drivers.pilots.linux import factory as linux_factory
from charger_control.drivers.pilots.linux import gpio
from charger_control.drivers.pilots.linux.driver import Proximity

PWM, PERIOD = 16 / 60, 0.004
OFFER = {'duty': PWM, 'close_in': 'C', 'phases': 3}
RECORD = Path(__file__).parents[1] / 'data' / 'pilot_levels.txt'


class Rig:
    """A computer with its pilot, turned by hand on a fake clock."""

    def __init__(self, root, **config):
        self.now = 1000.0
        self.computer = Computer(root, lambda: self.now)
        self.values = checked(CONFIG | config, linux_factory.options(), 'linux_pilot')
        self.pilot = linux_factory.open_pilot(self.values, Buses(), root)
        self.pilot._lines._gpiod = self.computer.gpio
        self.pilot._now = lambda: self.now
        self.wanted = {}

    def open(self):
        self.pilot.open()
        return self

    def turn(self, seconds=PERIOD, high=None, low=-12.0):
        for _ in range(max(1, round(seconds / PERIOD))):
            self.now += PERIOD
            if high is not None:
                self.computer.set_levels(high, low)
            if self.wanted is not None:
                known = {'trips': self.reading.trips} if self.reading else {}
                self.pilot.order(RawOrder(**(known | self.wanted)))
            self.pilot.turn()
        return self

    def charging(self):
        self.wanted = dict(OFFER)
        self.turn(1.0, high=9.0).turn(1.0, high=6.0)
        assert self.closed and self.computer.duty == pytest.approx(PWM, abs=1e-6)
        return self

    @property
    def reading(self):
        return self.pilot.latest().value

    @property
    def closed(self):
        return self.computer.gpio.level.get(CONTACTOR, False)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path).open()


def test_it_is_a_raw_pilot_and_no_current_pilot(rig):
    assert isinstance(rig.pilot, RawPilot) and not isinstance(rig.pilot, CurrentPilot)
    assert rig.pilot.step == 0.01 and not rig.pilot.switches_phases
    assert isinstance(registry.open_pilot(CONFIG, Buses()), RawPilot)
    evse = registry.open_pilot({'driver': 'evse_din', 'port': '/dev/x'}, Buses())
    assert isinstance(evse, CurrentPilot) and not isinstance(evse, RawPilot)


def test_what_it_measures_is_what_it_says(rig):
    rig.turn(1.0, high=9.0, low=9.0)
    sample = rig.pilot.latest()
    assert (sample.value.letter, sample.error, sample.at) == ('B', '', rig.now)
    assert (sample.value.high, sample.value.low) == pytest.approx((9.0, 9.0), abs=0.01)
    assert sample.counters['samples'] == 250 and sample.identity['pwm'] == 'pwmchip0/pwm0'
    assert not rig.closed and rig.computer.duty == 1.0


# -- the contactor ---------------------------------------------------------------------------------

@pytest.mark.parametrize('volts', [9.0, 12.0, 3.0, 0.0, -12.0])
def test_from_c_to_anything_else_it_opens_in_two_samples(rig, volts):
    rig.charging()
    start = rig.now
    rig.turn(0.1, high=volts)
    opened = next(at for at, line, active in reversed(rig.computer.gpio.history)
                  if line == CONTACTOR and not active)
    assert opened - start <= 2 * PERIOD + 1e-9


def test_a_glitch_opens_nothing_and_two_do(rig):
    rig.charging()
    for _ in range(50):
        rig.turn(PERIOD, high=12.0).turn(3 * PERIOD, high=6.0)
        assert rig.closed
    rig.turn(2 * PERIOD, high=9.0)
    assert not rig.closed


def test_a_noisy_c_stays_closed_and_a_noisy_b_opens(rig):
    rig.charging()
    noise = np.random.default_rng(11).normal(0.0, 0.35, 5000)
    for each in noise:
        rig.turn(high=6.0 + each, low=-12.0 + each)
        assert rig.closed
    start = rig.now
    for each in noise:
        rig.turn(high=9.0 + each, low=-12.0 + each)
        if not rig.closed:
            break
    assert rig.now - start <= 0.025


@pytest.mark.parametrize('rise_time', [0.01, 0.05, 0.2])
def test_a_slow_edge_opens_as_it_passes_the_middle(rig, rise_time):
    rig.charging()
    start, middle = rig.now, None
    while rig.closed:
        share = min(1.0, (rig.now - start) / rise_time)
        volts = 6.0 + 3.0 * share
        middle = rig.now if middle is None and volts > 7.7 else middle
        rig.turn(high=volts)
        assert rig.now - start < 1.0
    assert middle is not None and rig.now - middle <= 0.025


def test_a_peak_hold_that_falls_slowly_passes_b_on_its_way_to_c_only_late(rig):
    """Falling is slow, rising is not: closing waits for C, opening is not delayed."""
    rig.wanted = dict(OFFER)
    rig.turn(1.0, high=9.0)
    hold, start = PeakHold(0.3, 9.0), rig.now
    while not rig.closed:
        rig.turn(high=hold.step(6.0, PERIOD))
        assert rig.now - start < 3.0, 'the vehicle waits 3 s for its mains'
    hold_at = rig.now
    rig.turn(high=hold.step(9.0, PERIOD)).turn(high=hold.step(9.0, PERIOD))
    assert not rig.closed and rig.now - hold_at <= 0.025


def test_a_recorded_session(rig):
    """Columns of the file: raw upper and lower plateau, duty cycle put out, true load."""
    lines = [line.split() for line in RECORD.read_text().splitlines() if line[0] != '#']
    truth, since, letters, closings, wrong = '', 0.0, [], 0, 0.0
    for high, low, percent, loaded in lines:
        for number, raw in enumerate((high, low)):
            rig.computer.write(rig.computer.adc / f'in_voltage{number}_raw', raw)
        duty = float(percent) / 100.0
        rig.wanted = {'duty': duty, 'close_in': 'C' if 0.0 < duty < 1.0 else '', 'phases': 3}
        was_closed = rig.closed
        rig.turn()
        closings += rig.closed and not was_closed
        if loaded != truth:
            truth, since = loaded, rig.now
        if rig.closed and truth != 'C':
            wrong = max(wrong, rig.now - since)
        if not letters or letters[-1] != rig.reading.letter:
            letters.append(rig.reading.letter)
    assert letters == ['S', 'A', 'B', 'C', 'B', 'C', 'A']
    assert closings == 2 and wrong <= 0.1


# -- failures --------------------------------------------------------------------------------------

def test_an_adc_that_fails_opens_and_is_opened_anew_after_1_s(rig):
    rig.charging()
    (rig.computer.adc / 'in_voltage0_raw').write_text('?\n')
    start, error = rig.now, None
    while rig.closed:
        rig.turn()
    assert rig.now - start <= 0.06
    assert 'no number' in rig.pilot.latest().error and rig.pilot.latest().at <= start
    while error is None:
        try:
            rig.turn()
        except DeviceError as caught:
            error = caught
    assert rig.now - start == pytest.approx(1.0, abs=0.05)
    rig.pilot.release()
    assert CONTACTOR not in rig.computer.gpio.level and rig.computer.duty == 1.0
    rig.computer.set_levels(9.0, 9.0)
    rig.wanted = {}
    rig.open().turn(1.0, high=9.0, low=9.0)
    assert rig.reading.letter == 'B' and rig.pilot.latest().counters['opened'] == 2


def test_a_pwm_that_cannot_be_written_ends_in_an_open_contactor(rig, monkeypatch):
    rig.charging()
    computer = rig.computer
    computer.keep_rules(monkeypatch)
    monkeypatch.setattr(computer, 'obey', lambda *_: (_ for _ in ()).throw(OSError(5, 'x')))
    rig.wanted = {'duty': 10 / 60, 'close_in': 'C', 'phases': 3}
    with pytest.raises(DeviceError, match='duty_cycle: Input/output error'):
        rig.turn()
    rig.pilot.release()
    assert CONTACTOR not in computer.gpio.level


def test_without_orders_the_offer_goes_and_the_contactor_follows(rig):
    rig.charging()
    rig.wanted = None
    rig.turn(0.99)
    assert rig.computer.duty == pytest.approx(PWM, abs=1e-6)
    rig.turn(0.02)
    assert rig.computer.duty == 1.0 and rig.closed
    rig.turn(5.9)
    assert rig.closed
    rig.turn(0.2)
    assert not rig.closed


# -- what hardware may have ------------------------------------------------------------------------

def test_pulses_keep_a_charge_pump_up_and_stop_when_it_opens(tmp_path):
    rig = Rig(tmp_path, contactor_drive='pulses').open()
    rig.wanted = dict(OFFER)
    rig.turn(1.0, high=9.0).turn(1.0, high=6.0)
    del rig.computer.gpio.history[:]
    rig.turn(0.4)
    levels = [active for _, line, active in rig.computer.gpio.history if line == CONTACTOR]
    assert len(levels) == 100 and all(a != b for a, b in pairwise(levels))
    rig.turn(0.02, high=9.0)
    del rig.computer.gpio.history[:]
    rig.turn(1.0)
    assert rig.computer.gpio.history == [] and not rig.closed


def test_a_phase_relay_rests_at_one_phase_and_moves_when_open(tmp_path):
    rig = Rig(tmp_path, phase_line=PHASES).open()
    assert rig.pilot.switches_phases
    rig.turn(0.5, high=12.0, low=12.0)
    assert rig.reading.phases == 1 and not rig.computer.gpio.level[PHASES]
    rig.wanted = {'phases': 3}
    rig.turn(0.02)
    assert rig.reading.phases == 3 and rig.computer.gpio.level[PHASES]
    rig.charging()
    rig.wanted = OFFER | {'phases': 1}
    rig.turn(1.0)
    assert rig.computer.gpio.level[PHASES] and rig.closed


def test_the_feedback_is_read(tmp_path):
    rig = Rig(tmp_path, feedback_line=FEEDBACK).open()
    rig.turn(0.1)
    assert rig.reading.feedback is False
    rig.computer.gpio.inputs[FEEDBACK] = True
    assert rig.turn().reading.feedback is True


def test_the_cable_is_read_from_the_proximity_contact(tmp_path):
    rig = Rig(tmp_path, proximity_adc='iio:device1', proximity_gain=2.0)
    rig.computer.files(rig.computer.adc.with_name('iio:device1'), name='pp', in_voltage0_raw='0',
                       in_voltage0_scale='1')
    rig.open()
    for ohm, amperage in ((680.0, 20.0), (220.0, 32.0), (1e6, math.nan), (1500.0, 13.0)):
        volts = 5.0 * ohm / (ohm + 1000.0)
        rig.computer.write(rig.computer.adc.with_name('iio:device1') / 'in_voltage0_raw',
                           f'{volts / 2.0 * 1000.0:.0f}')
        rig.turn(0.6)
        assert rig.reading.cable_amperage == pytest.approx(amperage, nan_ok=True)


def test_a_contact_at_an_impossible_voltage_is_no_cable():
    resistance = Proximity(lambda: None, supply=5.0, pull_up=1000.0).resistance
    assert resistance(2.5) == pytest.approx(1000.0)
    assert resistance(5.0) > 1e5
    assert math.isnan(resistance(-0.1)) and math.isnan(resistance(6.0))


def test_the_curve_itself_through_the_buffer(tmp_path):
    rig = Rig(tmp_path, sampling='buffer', rate=200.0)
    folder = rig.computer.adc
    rig.computer.files(folder / 'buffer', enable='0', length='0', watermark='0')
    rig.computer.files(folder / 'scan_elements', in_voltage0_en='0',
                       in_voltage0_type='le:u12/16>>0')
    rig.computer.files(folder, sampling_frequency='0')
    os.mkfifo(tmp_path / 'dev/iio:device0')
    pipe = os.open(tmp_path / 'dev/iio:device0', os.O_RDWR)
    rig.open()
    rig.wanted = dict(OFFER)

    def play(high, seconds):
        for i in range(round(seconds / 0.005)):
            duty = rig.computer.duty
            volts = curve(high, high if duty == 1.0 else -12.0, duty, 0.005, noise=0.05, seed=i)
            os.write(pipe, np.array([raw_of(v) for v in volts], '<u2').tobytes())
            rig.now += 0.001
            rig.turn()

    play(9.0, 1.0)
    assert rig.reading.letter == 'B'
    play(6.0, 1.0)
    assert rig.closed
    start = rig.now
    play(9.0, 0.02)
    opened = next(at for at, line, active in reversed(rig.computer.gpio.history)
                  if line == CONTACTOR and not active)
    assert not rig.closed and opened - start <= 0.025
    os.close(pipe)


# -- the thread ------------------------------------------------------------------------------------

@pytest.fixture
def live(tmp_path):
    """A pilot on its own thread and the real clock."""
    computer = Computer(tmp_path)
    values = checked(CONFIG, linux_factory.options(), 'linux_pilot')
    pilot = linux_factory.open_pilot(values, Buses(), tmp_path)
    pilot._lines._gpiod = computer.gpio
    yield computer, pilot
    pilot.close()


def feed(pilot, condition, timeout=5.0, **order):
    """Orders at 20 Hz until the condition; False after the time-out."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = pilot.latest().value
        pilot.order(RawOrder(**({'trips': value.trips if value else 0} | order)))
        if condition():
            return True
        time.sleep(0.02)
    return False


def rate_of(pilot):
    samples, start = pilot.latest().counters['samples'], time.monotonic()
    feed(pilot, lambda: False, timeout=0.15, **OFFER)
    return (pilot.latest().counters['samples'] - samples) / (time.monotonic() - start)


def test_the_thread_samples_opens_and_says_good_bye(live):
    computer, pilot = live
    computer.set_levels(9.0, -12.0)
    pilot.start()
    assert feed(pilot, lambda: pilot.latest().value and pilot.latest().value.letter == 'B', **OFFER)
    computer.set_levels(6.0, -12.0)
    assert feed(pilot, lambda: computer.gpio.level.get(CONTACTOR), **OFFER)
    assert max(rate_of(pilot) for _ in range(8)) >= 200.0, 'Hz, the best of some, on a busy machine'
    changed = time.monotonic()
    computer.set_levels(9.0, -12.0)
    assert feed(pilot, lambda: not computer.gpio.level.get(CONTACTOR), **OFFER)
    opened = [at for at, line, active in computer.gpio.history
              if line == CONTACTOR and not active][-1]
    assert opened - changed <= 0.1, 'on a busy machine too: two samples are enough'
    pilot.close()
    assert computer.duty == 1.0 and CONTACTOR not in computer.gpio.level
    pilot.close()


def test_hardware_that_is_not_there_is_said_and_tried_again(live):
    computer, pilot = live
    moved = computer.chip.rename(computer.chip.with_name('elsewhere'))
    pilot.start()
    assert feed(pilot, lambda: 'pwmchip0 is not there' in pilot.latest().error)
    assert pilot.latest().value is None
    assert CONTACTOR not in computer.gpio.level, 'the lines are free again'
    moved.rename(computer.chip)
    assert feed(pilot, lambda: pilot.latest().value is not None)


CHILD = '''
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from linux_tree import CONFIG, FakeGpiod
from charger_control.core.iso61851.raw.types import RawOrder
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.options import checked
from charger_control.drivers.pilots.linux import factory as linux_factory
values = checked(CONFIG, linux_factory.options(), 'linux_pilot')
pilot = linux_factory.open_pilot(values, Buses(), Path(sys.argv[1]))
pilot._lines._gpiod = FakeGpiod(time.monotonic)
pilot.start()
while True:
    reading = pilot.latest().value
    pilot.order(RawOrder(duty=16 / 60, close_in='C', trips=reading.trips if reading else 0))
    time.sleep(0.02)
'''


def test_the_offer_of_a_killed_process_is_withdrawn_from_outside(tmp_path, monkeypatch):
    """The kernel keeps a PWM running; the lines it takes back, so they can be requested."""
    computer = Computer(tmp_path)
    computer.set_levels(9.0, -12.0)
    child = subprocess.Popen([sys.executable, '-c', CHILD, str(tmp_path),
                              str(Path(__file__).parents[2])])
    try:
        end = time.monotonic() + 20.0
        while not 0.0 < computer.duty < 1.0:
            assert time.monotonic() < end and child.poll() is None
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert 0.0 < computer.duty < 1.0, 'an offer without anybody behind it'
    monkeypatch.setattr(gpio, 'load_gpiod', lambda: computer.gpio)
    values = checked(CONFIG, linux_factory.options(), 'linux_pilot')
    start = time.monotonic()
    assert linux_factory.withdraw(values, 1.0, tmp_path) == ''
    assert time.monotonic() - start < 0.5
    assert computer.duty == 1.0
    assert [(line, active) for _, line, active in computer.gpio.history] == [
        (CONTACTOR, False), (CONTACTOR, False), (CONTACTOR, None)]


def test_a_withdrawal_ends_the_offer_even_if_the_lines_are_held(tmp_path, monkeypatch):
    computer = Computer(tmp_path)
    computer.export(period='1000000', duty_cycle='266667', enable='1')
    monkeypatch.setattr(gpio, 'load_gpiod', lambda: computer.gpio)
    computer.gpio.request_lines('', 'somebody', {CONTACTOR: gpiod.LineSettings()})
    values = checked(CONFIG, linux_factory.options(), 'linux_pilot')
    assert 'is in use' in linux_factory.withdraw(values, 0.1, tmp_path)
    assert computer.duty == 1.0


def test_a_withdrawal_without_hardware_says_what_is_missing():
    missing = {'pwm_chip': 'pwmchip77', 'gpio_chip': '/dev/gpiochip77'}
    words = registry.withdraw(CONFIG | missing, 0.1)
    assert 'pwmchip77 is not there' in words and 'gpiochip77 is not there' in words


@pytest.mark.parametrize(('change', 'words'), [
    ({'rate': 100.0}, r'rate: 100.0 \(allowed: float 200..1000 Hz\)'),
    ({'contactor_line': -1}, r'contactor_line: -1 \(allowed: int 0..1023\)'),
    ({'sampling': 'both'}, r"sampling: 'both' \(allowed: peak_hold or buffer\)"),
    ({'pwm_polarity': 'inverted'}, 'normal or inversed')])
def test_options_that_cannot_be_are_refused(change, words):
    with pytest.raises(registry.OptionError, match=words):
        registry.check_pilot(CONFIG | change)


@pytest.mark.parametrize('name', ['adc', 'high_gain', 'high_offset', 'contactor_line'])
def test_what_depends_on_the_board_has_no_default(name):
    config = {key: value for key, value in CONFIG.items() if key != name}
    with pytest.raises(registry.OptionError, match=f'{name} must be set'):
        registry.check_pilot(config)
