"""The table-driven meter, on a fake clock; frames over a pty are in ../test_shared_line.py."""

import copy
import math
from itertools import pairwise

import pytest
from fake_devices import FakeClock, MemoryBus, MemoryLine, Sdm630, float32

from charger_control.drivers.codecs import register_table
from charger_control.drivers.meters.registers import ModbusMeter

UNIT = 2


class Setting:
    def __init__(self, table=None):
        self.clock = FakeClock()
        self.device = Sdm630(UNIT)
        self.line = MemoryLine(self.clock, self.device)
        self.bus = MemoryBus(self.line)
        self.meter = ModbusMeter(self.bus, table or register_table.load('sdm630'), UNIT)
        self.meter.start()

    def reads(self, address):
        return [r.at for r in self.line.log if r.address == address]


@pytest.fixture
def s():
    return Setting()


def test_the_first_reading_is_a_whole_one(s):
    while s.meter.latest().value is None:
        assert s.bus.step(s.clock.now + 1)
    reading = s.meter.latest().value
    assert reading.voltage == (230.0, 230.0, 230.0)
    assert reading.amperage == (16.0, 16.0, 16.0)
    assert (reading.active_power, reading.frequency, reading.energy_imported) == (
        11040.0, 50.0, 1234.5)
    assert reading.phase_power == (3680.0, 3680.0, 3680.0)
    assert reading.serial_number == '21030042'
    assert s.meter.latest().identity == {'model': 'Eastron SDM630', 'serial_number': '21030042'}
    assert s.meter.latest().error == ''
    assert s.meter.latest().at == s.clock.now


def test_a_frequency_that_came_tenfold_is_put_right(s):
    s.device.put(4, 0x46, *float32(499.9))
    s.bus.run(1.0)
    assert s.meter.latest().value.frequency == pytest.approx(49.99, abs=1e-3)


def test_currents_are_read_five_times_a_second_and_the_rest_every_tenth(s):
    s.bus.run(20.0)
    assert 99 <= len(s.reads(0x00)) <= 101
    assert 10 <= len(s.reads(0x46)) <= 11
    assert len(s.reads(0xFC00)) == 1


def test_the_sample_is_as_old_as_its_currents(s):
    s.bus.run(2.02)
    assert s.meter.latest().at == pytest.approx(s.reads(0x00)[-1] + s.line.duration)


def test_a_slow_value_that_is_not_answered_any_more_becomes_unknown(s):
    s.bus.run(2.0)
    for address in range(0x46, 0x4A):
        del s.device.registers[4, address]    # exception 2 from now on
    s.bus.run(2.5)
    assert s.meter.latest().value.energy_imported == 1234.5   # younger than 1 s + 2 intervals
    s.bus.run(2.5)
    reading = s.meter.latest().value
    assert math.isnan(reading.energy_imported) and math.isnan(reading.frequency)
    assert reading.amperage == (16.0, 16.0, 16.0)
    assert s.clock.now - s.meter.latest().at < 0.5            # currents go on


def test_one_lost_slow_answer_does_not_make_the_energy_unknown(s):
    while not s.reads(0x46)[1:]:
        turn_of_slow = s.meter._queue and s.meter._queue[0].name == 'slow'
        if turn_of_slow and s.meter.latest().value is not None:
            s.line.failures.append('garbage')
        s.bus.step(s.clock.now + 1)
    assert s.line.failures == type(s.line.failures)() and s.meter.latest().error == 'garbage'
    end = s.clock.now + 3.0
    while s.clock.now < end:
        s.bus.step(end)
        assert s.meter.latest().value.energy_imported == 1234.5


def test_a_silent_meter_keeps_its_last_reading_with_its_time_and_says_so(s):
    s.bus.run(2.0)
    before = s.meter.latest()
    s.line.dead = True
    s.bus.run(5.0)
    after = s.meter.latest()
    assert (after.value, after.at) == (before.value, before.at)
    assert after.error == 'does not answer'


def test_a_silent_meter_is_asked_ever_less_and_found_again(s):
    s.line.dead = True
    s.bus.run(60.0)
    gaps = [b.at - a.at for a, b in pairwise(s.line.log)]
    assert max(gaps[:3]) < 1.2 and 10.0 < gaps[-1] < 11.0
    s.line.dead = False
    s.bus.run(11.0)
    assert s.meter.latest().error == ''
    assert s.clock.now - s.meter.latest().at < 0.3


def test_one_lost_answer_is_asked_for_again_at_once(s):
    s.bus.run(2.0)
    s.line.failures.append('crc_errors')
    start = s.clock.now
    s.bus.run(0.5)
    assert s.meter.latest().at > start + 0.2 and s.meter.latest().error == ''


def test_another_meter_after_a_silence_has_its_own_serial_number(s):
    s.bus.run(2.0)
    s.line.dead = True
    s.bus.run(3.0)
    s.device.put(3, 0xFC00, *divmod(99, 0x10000))
    s.line.dead = False
    s.bus.run(4.0)
    assert s.meter.latest().value.serial_number == '99'


def test_another_meter_after_reconnecting_has_its_own_serial_number(s):
    s.bus.run(2.0)
    s.meter.line_down('unplugged')
    assert s.meter.latest().error == 'unplugged'
    s.device.put(3, 0xFC00, *divmod(99, 0x10000))
    s.meter.line_up()
    s.bus.run(1.0)
    assert s.meter.latest().value.serial_number == '99'
    assert s.meter.latest().counters['reconnects'] == 1


def test_a_meter_that_does_not_tell_its_serial_number_is_read_all_the_same(s):
    for address in (0xFC00, 0xFC01):
        del s.device.registers[3, address]
    s.bus.run(5.0)
    assert s.meter.latest().value.serial_number == ''
    assert s.meter.latest().value.amperage == (16.0, 16.0, 16.0)
    assert len(s.reads(0xFC00)) == 3


def test_energy_is_fresh_in_the_first_reading_after_a_long_silence(s):
    s.bus.run(2.0)
    s.line.dead = True
    s.bus.run(5.0)
    s.device.put(4, 0x48, *float32(1300.0))
    s.line.dead = False
    at = s.meter.latest().at
    while s.meter.latest().at == at:
        assert s.bus.step(s.clock.now + 20)
    assert s.meter.latest().value.energy_imported == 1300.0


def test_a_single_phase_meter_with_integers_needs_only_a_table():
    content = copy.deepcopy(register_table.document('sdm630'))
    content['word_order'] = 'little'
    content['blocks'] = [{'name': 'all', 'function': 3, 'address': 100, 'count': 6, 'every': 1}]
    content['values'] = {
        'voltage': {'function': 3, 'address': 100, 'type': 'uint16', 'unit': 'V', 'scale': 0.1},
        'amperage': {'function': 3, 'address': [102], 'type': 'int32', 'unit': 'A',
                     'scale': 0.001},
        'frequency': {'function': 3, 'address': 104, 'type': 'uint16', 'unit': 'Hz',
                      'not_available': 0xFFFF}}
    s = Setting(register_table.parse(content, 'test'))
    s.device.put(3, 100, 2305, 0, 0x3E80, 0x0000, 0xFFFF, 0)
    s.bus.run(1.0)
    reading = s.meter.latest().value
    assert reading.voltage == pytest.approx((230.5, math.nan, math.nan), nan_ok=True)
    assert reading.amperage == pytest.approx((16.0, math.nan, math.nan), nan_ok=True)
    assert math.isnan(reading.frequency) and math.isnan(reading.energy_imported)


def test_the_reading_in_which_the_current_ends_has_the_last_register(s):
    s.bus.run(3.3)
    assert s.meter.latest().value.energy_imported == 1234.5
    s.device.put(4, 0x48, *float32(1234.75))
    for address in (0x06, 0x08, 0x0A):
        s.device.put(4, address, *float32(0.0))
    end = s.clock.now + 1.0
    while s.meter.latest().value.amperage != (0.0, 0.0, 0.0):
        assert s.bus.step(end)
    assert s.meter.latest().value.energy_imported == 1234.75
    assert s.meter.latest().at == pytest.approx(s.reads(0x00)[-1] + s.line.duration)


def test_a_register_that_is_not_answered_holds_no_current_back(s):
    s.bus.run(3.3)
    for address in range(0x46, 0x4A):
        del s.device.registers[4, address]
    for address in (0x06, 0x08, 0x0A):
        s.device.put(4, address, *float32(0.0))
    s.bus.run(1.0)
    assert s.meter.latest().value.amperage == (0.0, 0.0, 0.0)
