"""PWM, ADC and GPIO of a single-board computer, each against files that keep the kernel's rules."""

import errno
import os
import struct
import sys
import threading

import numpy as np
import pytest
from linux_tree import CONTACTOR, FEEDBACK, GAIN, OFFSET, PHASES, SCALE, Computer, curve, raw_of

from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.pilots.linux import gpio
from charger_control.drivers.pilots.linux.adc import (
    BufferedAdc,
    Channel,
    Input,
    PeakHoldAdc,
    ScanType,
    find_device,
)
from charger_control.drivers.pilots.linux.gpio import Line, Lines
from charger_control.drivers.pilots.linux.pwm import PERIOD, PwmChannel

PIN = Channel(0, GAIN, OFFSET)


@pytest.fixture
def computer(tmp_path, monkeypatch):
    computer = Computer(tmp_path)
    computer.keep_rules(monkeypatch)
    return computer


# -- PWM -------------------------------------------------------------------------------------------

def channel(computer, polarity='normal', **config):
    return PwmChannel(computer.root, config.pop('chip', 'pwmchip0'), 0, polarity, **config)


def test_it_begins_and_ends_with_constant_12_v(computer):
    pwm = channel(computer)
    pwm.open()
    assert computer.duty == 1.0 and computer.read('period') == str(PERIOD) == '1000000'
    pwm.put_out(16 / 60)
    assert computer.read('duty_cycle') == '266667'
    pwm.put_out(0.0)
    assert computer.duty == 0.0 and computer.read('enable') == '1'
    pwm.close()
    assert computer.duty == 1.0 and computer.read('enable') == '1', 'it stays on: constant +12 V'
    pwm.close()


def test_unchanged_is_not_written_again(computer):
    pwm = channel(computer)
    pwm.open()
    computer.writes.clear()
    for _ in range(10):
        pwm.put_out(0.5)
    assert len(computer.writes) == 1


def test_it_exports_what_is_not_there_and_waits_for_its_files(computer, monkeypatch):
    files = {path.name: path.read_text() for path in computer.pwm.iterdir()}
    for path in computer.pwm.iterdir():
        path.unlink()
    computer.pwm.rmdir()
    monkeypatch.setattr(computer, 'export', computer.pwm.mkdir)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 3:     # udev is done
            computer.files(computer.pwm, **{name: text.strip() for name, text in files.items()})

    channel(computer, sleep=sleep).open()
    assert computer.writes[0] == ('sys/class/pwm/pwmchip0/export', '0')
    assert len(waits) == 3 and computer.duty == 1.0


def test_files_that_never_come_are_named(computer):
    (computer.pwm / 'enable').unlink()
    waits = []
    with pytest.raises(DeviceError, match=r'pwm0/enable is not there'):
        channel(computer, sleep=waits.append).open()
    assert 0.9 <= sum(waits) <= 1.1


def test_after_a_dead_process_the_offer_goes_without_a_gap(computer):
    computer.export(period='1000000', duty_cycle='266667', enable='1')
    channel(computer).open()
    assert computer.writes == [('sys/class/pwm/pwmchip0/pwm0/duty_cycle', '1000000')]


def test_a_fresh_channel_is_set_up(computer):
    channel(computer).open()
    assert [(path.split('/')[-1], text) for path, text in computer.writes] == [
        ('period', '1000000'), ('duty_cycle', '1000000'), ('enable', '1')]


def test_another_period_and_polarity_are_set_in_the_order_that_the_kernel_takes(computer):
    computer.export(period='20000000', duty_cycle='15000000', enable='1')
    channel(computer, 'inversed').open()
    assert [(path.split('/')[-1], text) for path, text in computer.writes] == [
        ('enable', '0'), ('duty_cycle', '0'), ('period', '1000000'), ('polarity', 'inversed'),
        ('duty_cycle', '1000000'), ('enable', '1')]


def test_a_chip_that_cannot_invert_says_so(computer, monkeypatch):
    def obey(path, text, plain=computer.obey):
        plain(path, text)
        if path.name == 'polarity':
            raise OSError(errno.EINVAL, 'no')
    monkeypatch.setattr(computer, 'obey', obey)
    with pytest.raises(DeviceError, match='pwmchip0/pwm0 cannot be inversed'):
        channel(computer, 'inversed').open()


def test_a_missing_chip_is_named_with_those_there_are(computer):
    with pytest.raises(DeviceError, match=r'pwmchip4 is not there \(PWM chips here: pwmchip0\)'):
        channel(computer, chip='pwmchip4').open()


def test_what_is_not_permitted_says_what_to_do(computer, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, 'no')
    monkeypatch.setattr('charger_control.drivers.pilots.linux.sysfs.os.open', refuse)
    with pytest.raises(DeviceError, match=r'permission denied; give the user access with a udev'):
        channel(computer, sleep=lambda _: None).open()


def test_a_write_that_fails_is_tried_again_with_the_same_value(computer, monkeypatch):
    pwm = channel(computer)
    pwm.open()
    monkeypatch.setattr(computer, 'obey', lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, '')))
    with pytest.raises(DeviceError, match='duty_cycle'):
        pwm.put_out(0.5)
    monkeypatch.setattr(computer, 'obey', lambda *_: None)
    pwm.put_out(0.5)
    assert computer.duty == 0.5


# -- ADC, channel by channel -----------------------------------------------------------------------

def test_a_device_is_found_by_number_or_name(computer):
    assert find_device(computer.root, 'iio:device0') == find_device(computer.root, 'ads1015')


def test_a_device_that_is_not_there_or_twice_is_named(computer):
    with pytest.raises(DeviceError, match=r"ADC 'x' is not there \(IIO devices here: iio:device0 "
                                          r'\(ads1015\)\)'):
        find_device(computer.root, 'x')
    computer.files(computer.adc.with_name('iio:device1'), name='ads1015')
    with pytest.raises(DeviceError, match="'ads1015' is there more than once"):
        find_device(computer.root, 'ads1015')


@pytest.mark.parametrize(('files', 'gain', 'offset', 'volts'), [
    ({'in_voltage0_raw': '2000', 'in_voltage_scale': '0.5'}, 1.0, 0.0, 1.0),
    ({'in_voltage0_raw': '2000', 'in_voltage_scale': '9', 'in_voltage0_scale': '0.5'}, 2.0, -1.0,
     1.0),
    ({'in_voltage0_raw': '-20', 'in_voltage_scale': '0.5', 'in_voltage_offset': '120'}, 10.0, 0.0,
     0.5),
    ({'in_voltage0_raw': '  400', 'in_voltage_scale': '2.5'}, -3.0, 15.0, 12.0)])
def test_raw_to_volts(computer, files, gain, offset, volts):
    (computer.adc / 'in_voltage_scale').unlink()
    computer.files(computer.adc, **files)
    assert Input(computer.adc, Channel(0, gain, offset)).volts() == pytest.approx(volts)


def test_an_adc_without_a_scale_is_refused(computer):
    (computer.adc / 'in_voltage_scale').unlink()
    with pytest.raises(DeviceError, match='no scale for in_voltage0'):
        Input(computer.adc, PIN)


def test_two_peak_hold_channels_can_have_their_own_gains(computer):
    adc = PeakHoldAdc(computer.root, 'ads1015', PIN, Channel(1, GAIN, OFFSET))
    adc.open()
    for high, low in ((12.0, 12.0), (9.0, -12.0), (6.0, -12.0), (2.7, -9.0), (-12.0, -12.0)):
        computer.set_levels(high, low)
        assert adc.sample() == pytest.approx((high, low), abs=GAIN * SCALE / 1000)
    computer.write(computer.adc / 'in_voltage1_raw', 'nonsense')
    with pytest.raises(DeviceError, match=r"in_voltage1_raw: 'nonsense' is no number"):
        adc.sample()
    adc.close()
    adc.close()


# -- ADC, through its buffer -----------------------------------------------------------------------

@pytest.mark.parametrize(('kind', 'data', 'values'), [
    ('le:u12/16>>0', struct.pack('<4H', 0, 1, 2048, 4095), [0, 1, 2048, 4095]),
    ('le:s12/16>>4', struct.pack('<3h', 100 << 4, -100 << 4, -2048 << 4), [100, -100, -2048]),
    ('be:s16/16>>0', struct.pack('>2h', -32768, 32767), [-32768, 32767]),
    ('be:u24/32>>8', struct.pack('>2I', 0xABCDEF12, 1 << 8), [0xABCDEF, 1]),
    ('le:u8/8>>0', bytes([0, 255]), [0, 255]),
    ('le:s24/32>>0', struct.pack('<2I', 0xFFFFFF, 0x7FFFFF), [-1, 8388607]),
    ('le:u12/16>>0', struct.pack('<H', 0xF123), [0x123]),       # what is above is not ours
    ('le:u16/16X1>>0', struct.pack('<H', 65535), [65535])])
def test_scan_types(kind, data, values):
    assert ScanType.of(kind).values(data).tolist() == values


@pytest.mark.parametrize('kind', ['', 'le:f32/32>>0', 'le:u12/12>>0', 'me:u12/16>>0'])
def test_a_scan_type_that_is_none_is_refused(kind):
    with pytest.raises(DeviceError, match='scan type'):
        ScanType.of(kind)


class Stream:
    """A device with a buffer: a pipe for what the kernel would give."""

    def __init__(self, computer, rate=200.0, frequency=40_000.0):
        self.computer, folder = computer, computer.adc
        computer.files(folder / 'buffer', enable='1', length='0', watermark='0')
        computer.files(folder / 'scan_elements', in_voltage0_en='0', in_voltage1_en='1',
                       in_timestamp_en='1', in_voltage0_type='le:u12/16>>0')
        computer.files(folder, sampling_frequency=str(frequency))
        path = computer.root / 'dev/iio:device0'
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR)
        self.adc = BufferedAdc(computer.root, 'ads1015', PIN, frequency, rate)

    def give(self, volts):
        os.write(self.fd, np.array([raw_of(v) for v in volts], '<u2').tobytes())


@pytest.fixture
def stream(computer):
    stream = Stream(computer)
    yield stream
    os.close(stream.fd)


def test_the_buffer_is_set_up_for_one_channel_and_blocks(stream):
    stream.adc.open()
    assert [write for path, write in stream.computer.writes if path.endswith('buffer/enable')] == [
        '0', '1']
    value = {path.split('/')[-1]: text for path, text in stream.computer.writes}
    assert (value['in_voltage0_en'], value['in_voltage1_en'], value['in_timestamp_en']) == (
        '1', '0', '0')
    assert (value['sampling_frequency'], value['watermark'], value['length']) == (
        '40000', '200', '3200')
    stream.adc.close()
    assert stream.computer.writes[-1][1] == '0'


@pytest.mark.parametrize(('high', 'low', 'duty'), [
    (9.0, -12.0, 16 / 60), (6.0, -12.0, 0.1), (6.0, -6.0, 0.5), (12.0, 12.0, 1.0),
    (-12.0, -12.0, 0.0), (6.0, -12.0, 0.96)])
def test_plateaus_of_the_curve(stream, high, low, duty):
    stream.adc.open()
    stream.give(curve(high, low, duty, 0.005, noise=0.05))
    assert stream.adc.sample() == pytest.approx((high, low), abs=0.1)


def test_of_several_blocks_the_newest_counts_and_half_samples_wait(stream):
    stream.adc.open()
    stream.give(curve(9.0, -12.0, 0.3, 0.01))
    stream.give(curve(6.0, -12.0, 0.3, 0.005))
    os.write(stream.fd, b'\x07')        # the first half of the next sample
    assert stream.adc.sample()[0] == pytest.approx(6.0, abs=0.1)
    rest = np.array([raw_of(v) for v in curve(3.0, -12.0, 0.3, 0.005)], '<u2').tobytes()
    os.write(stream.fd, rest[1:] + b'\x07')
    assert stream.adc.sample() != pytest.approx((6.0, -12.0), abs=0.1)


def test_a_device_that_gives_nothing_is_an_error_after_25_ms(stream):
    stream.adc.open()
    stream.give(curve(9.0, -12.0, 0.3, 0.004))
    with pytest.raises(DeviceError, match='no samples for 25 ms'):
        stream.adc.sample()


def test_a_device_that_samples_too_slowly_is_refused(computer):
    stream = Stream(computer)
    (computer.adc / 'sampling_frequency').unlink()
    with pytest.raises(DeviceError, match='no sampling_frequency'):
        stream.adc.open()
    computer.files(computer.adc, sampling_frequency='3300')
    computer.obey = lambda path, _: path.name == 'sampling_frequency' and path.write_text('3300\n')
    slow = BufferedAdc(computer.root, 'ads1015', PIN, 3300.0, 200.0)
    with pytest.raises(DeviceError, match=r'samples at 3300 Hz.*38000 or more'):
        slow.open()
    os.close(stream.fd)


def test_a_device_without_a_buffer_says_what_to_do(computer):
    with pytest.raises(DeviceError, match=r'no buffer.*sampling: peak_hold'):
        BufferedAdc(computer.root, 'ads1015', PIN, 40_000.0, 200.0).open()


# -- GPIO ------------------------------------------------------------------------------------------

def lines_of(computer, *, phases=-1, feedback=-1, active_low=False):
    return Lines(computer.root / 'dev/gpiochip0', Line(CONTACTOR, active_low), Line(phases),
                 Line(feedback), computer.gpio)


def test_lines_begin_and_end_open(computer):
    lines = lines_of(computer, phases=PHASES, feedback=FEEDBACK, active_low=True)
    lines.open()
    settings, value = computer.gpio.settings, computer.gpio.line
    assert computer.gpio.level == {CONTACTOR: False, PHASES: False, FEEDBACK: False}
    assert settings[CONTACTOR].direction is value.Direction.OUTPUT
    assert settings[CONTACTOR].active_low and not settings[PHASES].active_low
    assert settings[FEEDBACK].direction is value.Direction.INPUT
    lines.close_contactor(True)
    lines.switch_phases(3)
    assert computer.gpio.level[CONTACTOR] and computer.gpio.level[PHASES]
    lines.switch_phases(1)
    assert not computer.gpio.level[PHASES]
    computer.gpio.inputs[FEEDBACK] = True
    assert lines.feedback() is True
    lines.close()
    assert computer.gpio.history[-4][1:] == (CONTACTOR, False), 'opened before it is released'
    assert computer.gpio.level == {}
    lines.close()


def test_without_a_line_there_is_no_feedback_and_no_phase(computer):
    lines = lines_of(computer)
    lines.open()
    lines.switch_phases(1)
    assert lines.feedback() is None and set(computer.gpio.level) == {CONTACTOR}


def test_lines_have_one_owner(computer):
    lines_of(computer).open()
    with pytest.raises(DeviceError, match=r'one of lines 17 is in use.*gpioinfo'):
        lines_of(computer).open()


def test_a_line_given_twice_is_refused(computer):
    with pytest.raises(DeviceError, match='line 17 is given twice'):
        lines_of(computer, phases=CONTACTOR).open()


@pytest.mark.parametrize(('code', 'words'), [
    (errno.ENODEV, 'is not there'), (errno.EACCES, 'permission denied; give the user access'),
    (errno.EIO, 'Input/output error')])
def test_errors_of_the_chip_in_words(computer, code, words):
    computer.gpio.error = OSError(code, 'x')
    with pytest.raises(DeviceError, match=f'gpiochip0.*{words}'):
        lines_of(computer).open()


def test_a_missing_package_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gpiod', None)
    with pytest.raises(DeviceError, match=r'package gpiod is not installed: pip install "gpiod'):
        gpio.load_gpiod()


def test_the_old_bindings_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gpiod', threading)    # any module without request_lines
    with pytest.raises(DeviceError, match='of libgpiod 1'):
        gpio.load_gpiod()


def test_the_real_package_says_that_there_is_no_chip(computer):
    """The bindings themselves, as far as a machine without the chip can run them."""
    missing = Lines(computer.root / 'dev/gpiochip0', Line(1), Line(-1), Line(-1))
    with pytest.raises(DeviceError, match='gpiochip0 is not there'):
        missing.open()
