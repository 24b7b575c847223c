"""fiscal_meter.py: believed and refused samples, ages, and a register that only rises."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger_control.core.fiscal_meter import FiscalMeter, FiscalMeterConfig
from charger_control.core.heard import Heard
from charger_control.core.messages.meter_reading import MeterReading

NAN, INF = math.nan, math.inf


def sample(at, energy=100.0, serial='S1', **fields):
    return Heard(MeterReading(**{'amperage': (16.0, 16.0, 16.0), **fields},
                              energy_imported=energy, serial_number=serial), at)


def meter(**config):
    return FiscalMeter(FiscalMeterConfig(**config))


# -- silence ---------------------------------------------------------------------------------------

def test_a_reading_is_published_while_under_the_timeout_then_once_with_an_error_then_nothing():
    it = meter(timeout=1.0)
    assert it.step(10.0, sample(10.0), '').age == 0.0
    late = it.step(11.0, sample(10.0), 'timeout')
    assert (late.age, late.error, late.amperage) == (1.0, '', (16.0, 16.0, 16.0))
    lost = it.step(11.1, sample(10.0), 'no answer on /dev/ttyUSB0')
    assert lost.error == 'no answer on /dev/ttyUSB0'
    assert all(math.isnan(a) for a in lost.amperage), 'nothing stale is republished as new'
    assert it.step(11.2, sample(10.0), 'no answer') is None
    assert it.step(99.0, sample(10.0), 'no answer') is None


def test_it_heals_and_says_its_error_again_the_next_time():
    it = meter()
    it.step(0.0, sample(0.0), '')
    assert it.step(2.0, sample(0.0), 'x').error
    assert it.step(3.0, sample(3.0), '').error == ''
    assert it.step(5.0, sample(3.0), 'y').error == 'y'
    assert it.step(5.1, sample(3.0), 'y') is None


def test_before_the_first_answer_it_says_so_once():
    it = meter()
    assert it.step(0.0, None, '').error == 'no answer from the meter'
    assert it.step(0.1, None, '') is None


def test_an_old_answer_told_again_renews_nothing():
    it = meter()
    it.step(-0.1, sample(-0.1), '')
    it.step(0.0, sample(0.0), '')
    assert it.step(0.5, sample(-3.0, energy=500.0), '').energy_imported == 100.0
    assert it.step(1.5, sample(0.0), '').error


# -- absurd samples --------------------------------------------------------------------------------

@pytest.mark.parametrize(('fields', 'named'), [
    ({'amperage': (NAN, 1.0, 1.0)}, 'amperage of L1'),
    ({'amperage': (1.0, INF, 1.0)}, 'amperage inf'),
    ({'amperage': (1.0, 1.0, -201.0)}, 'amperage -201'),
    ({'voltage': (230.0, 1e9, 230.0)}, 'voltage 1e+09'),
    ({'active_power': -INF}, 'active_power -inf'), ({'active_power': 2e5}, 'active_power 200000'),
    ({'frequency': INF}, 'frequency inf')])
def test_an_absurd_sample_is_refused_counted_and_counts_as_silence(fields, named):
    it = meter()
    it.step(0.0, sample(0.0), '')
    assert it.step(0.5, sample(0.5, **fields), '').age == 0.5
    assert it.refused == 1
    assert it.refusal.startswith(named)
    assert it.step(1.5, sample(1.5, **fields), '').error.startswith(named)
    assert it.step(2.0, sample(2.0), '').error == '', 'the next good one clears it'


def test_what_a_meter_does_not_measure_is_no_reason_to_refuse():
    it = meter()
    good = it.step(0.0, sample(0.0, energy=NAN, amperage=(5.0, NAN, NAN)), '')
    assert (good.error, it.refused) == ('', 0)
    assert good.amperage[0] == 5.0


def test_a_meter_that_is_to_tell_the_power_of_each_phase_must():
    block = meter(phase_currents=False, phase_power=True)
    assert 'phase_power' in block.step(
        0.0, Heard(MeterReading(phase_power=(1.0, 2.0, NAN)), 0.0), '').error
    assert block.step(1.0, Heard(MeterReading(phase_power=(1.0, 2.0, 3.0)), 1.0), '').error == ''
    assert block.step(9.0, Heard(MeterReading(phase_power=(1e9, 2.0, 3.0)), 9.0), '').error


def test_a_meter_without_phase_currents_may_be_configured():
    assert meter(phase_currents=False).step(
        0.0, sample(0.0, amperage=(NAN, NAN, NAN)), '').error == ''


# -- the register ----------------------------------------------------------------------------------

def register(it, at, energy, serial='S1'):
    return it.step(at, sample(at, energy, serial), '').energy_imported


def agreed(it, at, energy, serial='S1'):
    """Two samples that agree, the second at ``at``."""
    register(it, at - 0.1, energy, serial)
    return register(it, at, energy, serial)


def test_the_first_value_counts_when_a_second_agrees():
    it = meter()
    assert math.isnan(register(it, 0.0, 9999.0))
    assert math.isnan(register(it, 0.2, 100.0))
    assert register(it, 0.4, 100.0) == 100.0


def test_a_new_course_is_told_with_where_it_began():
    it = meter(timeout=1e9)
    agreed(it, 0.0, 532.0)
    for i in range(1, 62):
        told = it.step(float(i), sample(float(i), 264.9), '')
        assert (told.energy_course, told.energy_imported, told.energy_estimated) == (
            (0, 532.0, True) if i < 61 else (1, 264.9, False))
    assert told.energy_offset == pytest.approx(264.9 - 532.0)


def test_a_refused_sample_is_forgotten_with_the_next_good_one():
    it = meter()
    agreed(it, 0.0, 100.0)
    register(it, 0.2, 5.0)
    assert 'ran backwards' in it.refusal
    register(it, 0.4, 100.0)
    assert (it.refusal, it.refused) == ('', 1)


def test_a_register_running_backwards_is_refused_until_it_is_plausible_again():
    it = meter()
    assert agreed(it, 0.0, 100.0) == 100.0
    assert register(it, 1.0, 99.9) == 100.0
    assert it.refused == 1
    assert 'ran backwards' in it.refusal
    assert register(it, 2.0, 100.01) == 100.01


def test_the_rest_of_a_sample_with_a_bad_register_is_believed():
    it = meter()
    agreed(it, 0.0, 100.0)
    good = it.step(1.0, sample(1.0, 5.0, amperage=(7.0, 7.0, 7.0)), '')
    assert (good.amperage, good.energy_imported) == ((7.0, 7.0, 7.0), 100.0)


def test_a_register_faster_than_the_charge_point_can_carry_is_refused():
    it = meter(max_power=36_000.0, register_slack=0.1)  # 0.01 kWh a second
    agreed(it, 0.0, 100.0)
    assert register(it, 1.0, 100.2) == 100.0
    assert 'too fast' in it.refusal
    assert register(it, 1.0 + 3600.0, 136.0) == 136.0, 'silence gives the register time'


def test_the_slack_is_not_granted_with_every_sample():
    it = meter(max_power=36_000.0, register_slack=0.1, timeout=1e9)
    agreed(it, 0.0, 100.0)
    told = [register(it, 0.2 * i, 100.0 + 0.09 * i) for i in range(1, 500)]
    assert told[-1] <= 100.0 + 0.1 + 0.01 * 100.0


def test_a_coarse_register_at_full_power_is_believed():
    it = meter(max_power=36_000.0, register_slack=0.1)
    agreed(it, -0.1, 100.0)
    for i in range(2000):  # 0.1 kWh steps, 36 kW, every 0.2 s
        exact = 0.01 * 0.2 * i
        told = register(it, 0.2 * i, 100.0 + math.floor(exact * 10 + 1e-9) / 10)
        assert told >= 100.0 + exact - 0.11
    assert it.refused == 0


@pytest.mark.parametrize('energy', [NAN, INF, -1.0])
def test_no_register_where_the_first_one_cannot_be(energy):
    it = meter()
    assert math.isnan(register(it, 0.0, energy))
    assert agreed(it, 1.0, 3.0) == 3.0


def test_each_serial_number_has_its_own_register():
    it = meter()
    assert agreed(it, 0.0, 100.0, 'S1') == 100.0
    assert agreed(it, 1.0, 5.0, 'S2') == 5.0
    assert register(it, 2.0, 50.0, 'S1') == 100.0


def test_a_serial_number_that_is_not_known_yet_is_the_same_meter():
    it = meter()
    agreed(it, 0.0, 100.0, '')
    assert register(it, 1.0, 100.0, 'S1') == 100.0
    assert register(it, 2.0, 100.0, '') == 100.0


def test_garbled_serial_numbers_fill_no_memory():
    it = meter()
    for i in range(100):
        register(it, float(i), 100.0, f'S{i}')
    assert len(it._registers) <= 4


values = st.sampled_from([NAN, INF, -INF, -1.0, 0.0, -0.0, 1.0, 99.9, 100.0, 100.001, 101.0, 1e308])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 5.0, 3600.0]), values,
                          st.sampled_from(['', 'S1', 'S2']),
                          st.sampled_from([1.0, NAN, INF, -1e9])), max_size=40))
def test_energy_imported_never_runs_backwards_per_serial_number(steps):
    it, now, last = meter(), 0.0, {}
    for dt, energy, serial, amperage in steps:
        now += dt
        told = it.step(now, sample(now, energy, serial, amperage=(amperage, 1.0, 1.0)), '')
        if told is None or told.error or math.isnan(told.energy_imported):
            continue
        assert 0.0 <= told.energy_imported < INF
        course = (told.serial_number, told.energy_course)
        assert told.energy_imported >= last.get(course, 0.0)
        last[course] = told.energy_imported


def test_a_refused_sample_is_said_for_a_minute_and_not_for_ever():
    it = meter(timeout=1.0)
    it.step(0.0, sample(0.0), '')
    assert it.recent_refusal(0.0) == ''
    it.step(0.2, sample(0.2, amperage=(9000.0, 0.0, 0.0)), '')
    for second in range(1, 60):
        it.step(float(second), sample(float(second)), '')
        assert '9000' in it.recent_refusal(float(second))
    assert it.recent_refusal(60.3) == ''
