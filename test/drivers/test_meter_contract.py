"""What every meter driver must do, over a real pty; the frames are those of data/golden_*.yaml."""

import math
import time
from pathlib import Path

import pytest
import yaml
from fake_rtu import (
    Line,
    Unit,
    crc,
    exception,
    fewer_registers,
    garbage,
    half,
    noise_before,
    sealed,
    silence,
    wrong_crc,
    wrong_function,
    wrong_unit,
)

from charger_control.drivers import registry
from charger_control.drivers.meters.modbus import highest_rate
from charger_control.drivers.port import SerialSettings, open_port
from charger_control.drivers.register_table import load

DATA = Path(__file__).parent / 'data'
FAULTS = {'timeouts': silence, 'garbage': garbage, 'crc_errors': wrong_crc,
          'wrong_ids': wrong_unit, 'wrong_answers': wrong_function, 'exceptions': exception(4)}


class Golden:
    """A golden file: exchanges of whole frames, and what they mean."""

    def __init__(self, driver):
        content = yaml.safe_load((DATA / f'golden_{driver}.yaml').read_text())
        self.unit = content['unit']
        self.reading = content['reading']
        self.serial_number = content['serial_number']
        self.exchanges = [tuple(bytes.fromhex(e[key]) for key in ('request', 'answer'))
                          for e in content['exchanges']]

    def device(self):
        unit = Unit(self.unit)
        for request, answer in self.exchanges:
            data = answer[3:-2]
            unit.put(request[1], int.from_bytes(request[2:4], 'big'),
                     *(int.from_bytes(data[i:i + 2], 'big') for i in range(0, len(data), 2)))
        return unit


class Setting:
    def __init__(self, driver, link, line):
        self.driver, self.golden, self.line, self.link = driver, Golden(driver), line, link
        self.buses = registry.Buses(reconnect_delay=(0.05, 0.1))
        self.meter = registry.open_meter({'driver': driver, 'port': str(link), 'rate': 20.0,
                                          'unit': self.golden.unit}, self.buses)
        self.meter.answer_time = 0.25  # this line answers at once

    def until(self, condition, timeout=8.0):
        """The first sample that fits; the driver's thread runs meanwhile."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            sample = self.meter.latest()
            if condition(sample):
                return sample
            time.sleep(0.005)
        pytest.fail(f'not within {timeout} s: {self.meter.latest()}')

    def good(self, after=0.0):
        return self.until(lambda s: s.value is not None and not s.error and s.at > after)

    def wrong(self, reading):
        """The names of what is not golden in a reading."""
        return [name for name, wanted in self.golden.reading.items()
                if getattr(reading, name) != pytest.approx(wanted, rel=1e-12, nan_ok=True)]

    def check(self, reading):
        """That a reading is the golden one; what is read seldom may be missing after faults."""
        for name in self.wrong(reading):
            assert name != 'amperage', reading
            values = getattr(reading, name)
            assert all(map(math.isnan, values if isinstance(values, tuple) else [values])), name
        assert reading.serial_number in (self.golden.serial_number, '')

    def whole(self):
        """Waits for a reading with nothing missing; fails at once if anything is wrong in one."""
        def is_whole(sample):
            if sample.value is None or sample.error:
                return False
            self.check(sample.value)
            return not self.wrong(sample.value) and bool(sample.value.serial_number)

        return self.until(is_whole)


@pytest.fixture(params=list(registry.METERS))
def s(request, link):
    golden = Golden(request.param)
    with Line(link, {golden.unit: golden.device()}) as line:
        setting = Setting(request.param, link, line)
        setting.meter.start()
        yield setting
        setting.meter.close()


def test_every_meter_has_a_golden_file_and_none_is_left_over():
    assert sorted(path.stem for path in DATA.glob('golden_*.yaml')) == sorted(
        f'golden_{driver}' for driver in registry.METERS)


@pytest.mark.parametrize('driver', registry.METERS)
def test_golden_frames_are_whole(driver):
    for request, answer in Golden(driver).exchanges:
        assert crc(request[:-2]) == request[-2:] and crc(answer[:-2]) == answer[-2:]
        assert answer[:2] == request[:2] and answer[2] == len(answer) - 5 == 2 * request[5]


@pytest.mark.parametrize('driver', registry.METERS)
def test_the_line_allows_what_is_asked_for_by_default(driver):
    options = {option.name: option.default for option in registry.options('meter', driver)}
    settings = SerialSettings(options['baudrate'], options['parity'], options['stopbits'])
    table = load(driver)
    slow = options['baudrate'] < 9600
    assert highest_rate(table, settings) >= (3.0 if slow else 0.8 * options['rate'])
    assert options['timeout'] > 2.0 / options['rate']
    half_speed = SerialSettings(settings.baudrate // 2, settings.parity, settings.stopbits)
    assert highest_rate(table, half_speed) < highest_rate(table, settings)


def test_values_units_and_identity_from_golden_frames(s):
    first = s.good()
    assert s.wrong(first.value) == []
    assert first.value.serial_number == s.golden.serial_number
    assert first.identity['serial_number'] == s.golden.serial_number
    assert first.identity['model'] == load(s.driver).model
    asked = {r.frame for r in s.line.log}
    assert asked == {request for request, _ in s.golden.exchanges}


def test_silence_keeps_the_last_reading_with_its_time_and_says_so(s):
    before = s.good()
    s.line.always[s.golden.unit] = silence
    failed = s.until(lambda x: 'does not answer' in x.error)
    assert failed.at >= before.at and failed.counters['timeouts'] >= 1
    s.check(failed.value)
    del s.line.always[s.golden.unit]
    assert s.whole().at > failed.at


def test_bad_answers_are_counted_and_never_taken_for_values(s):
    s.good()
    for kind, fault in FAULTS.items():
        count = s.meter.latest().counters.get(kind, 0)

        def counted(sample, kind=kind, fault=fault, count=count):
            if not s.line.faults.get(s.golden.unit):  # again: a late one counts as a time-out
                s.line.fault(s.golden.unit, fault)
            return sample.counters.get(kind, 0) > count

        sample = s.until(counted)
        s.line.faults[s.golden.unit].clear()
        s.check(sample.value)
        s.check(s.good(after=sample.at).value)
    for fault in (half, fewer_registers, noise_before):
        answered = s.meter.latest().counters['answers']
        s.line.fault(s.golden.unit, fault)
        s.check(s.until(lambda x, n=answered: x.counters['answers'] > n + 2 and not x.error).value)
        assert not s.line.faults[s.golden.unit]
    s.whole()


def test_an_answer_to_another_block_is_not_taken(s):
    """A late answer of the same unit and function, of another length."""
    s.good()
    other = sealed(bytes((s.golden.unit, s.golden.exchanges[0][0][1], 2, 0x7F, 0x7F)))
    s.line.fault(s.golden.unit, lambda frame: [(0.0, other + frame)], lambda frame: [(0.0, other)])
    sample = s.until(lambda x: x.counters.get('wrong_answers', 0) or
                     x.counters.get('late_answers', 0) >= 2)
    s.check(sample.value)


def test_reconnects_when_the_adapter_comes_back(s):
    before = s.good()
    s.line.unplug()
    gone = s.until(lambda x: bool(x.error))
    s.check(gone.value)
    s.line.plug()
    back = s.whole()
    assert back.at > gone.at >= before.at and back.counters['reconnects'] >= 1


def test_close_frees_the_port_and_may_be_repeated(s):
    s.good()
    s.meter.close()
    open_port(str(s.link), SerialSettings()).close()
    s.meter.close()
