"""limits.py: what a limit may say, when it is in force, watts to amperes."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.heard import Heard
from charger_control.core.limits import (
    FOREVER,
    SILENCE,
    TRUSTED_VOLTAGE,
    VOLTAGE_STEP,
    VOLTAGE_WINDOW,
    AmperageLimit,
    PhasesInUse,
    SteadyVoltage,
    amperage_of_power,
    in_force,
    usable_voltage,
    watched,
)

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize('limit', [
    AmperageLimit(0.0), AmperageLimit(-0.0), AmperageLimit(16.0), AmperageLimit(NAN),
    AmperageLimit(16.0, 1), AmperageLimit(16.0, 3), AmperageLimit(1e308),
    AmperageLimit(16.0, valid_for=0.0), AmperageLimit(16.0, valid_for=INF),
    AmperageLimit(16.0, lost_amperage=6.0), AmperageLimit(16.0, lost_amperage=0.0)])
def test_good_limits_are_taken(limit):
    assert limit.refusal() == ''


@pytest.mark.parametrize(('limit', 'named'), [
    (AmperageLimit(-0.01), 'amperage -0.01'), (AmperageLimit(INF), 'amperage inf'),
    (AmperageLimit(-INF), 'amperage -inf'), (AmperageLimit(16.0, 2), 'phases 2'),
    (AmperageLimit(16.0, -1), 'phases -1'), (AmperageLimit(16.0, valid_for=-1.0), 'valid_for -1'),
    (AmperageLimit(16.0, valid_for=NAN), 'valid_for nan'),
    (AmperageLimit(16.0, lost_amperage=INF), 'lost_amperage inf'),
    (AmperageLimit(16.0, lost_amperage=-6.0), 'lost_amperage -6')])
def test_bad_limits_are_refused_by_name_and_value(limit, named):
    assert limit.refusal().startswith(named)
    assert 'allowed' in limit.refusal()


def test_a_limit_is_in_force_for_valid_for_then_lost_amperage_counts():
    heard = Heard(AmperageLimit(16.0, valid_for=10.0, lost_amperage=6.0), 100.0)
    assert in_force(heard, 100.0) == 16.0
    assert in_force(heard, 110.0) == 16.0
    assert in_force(heard, 110.001) == 6.0


def test_a_lapsed_limit_without_lost_amperage_has_no_opinion():
    assert math.isnan(in_force(Heard(AmperageLimit(16.0, valid_for=1.0), 0.0), 1.5))


def test_a_limit_for_ever_outlives_years():
    assert in_force(Heard(AmperageLimit(16.0), 0.0), 60.0 * 365.25 * 86400.0) == 16.0
    assert FOREVER > 60.0 * 365.25 * 86400.0


@pytest.mark.parametrize('said', [
    AmperageLimit(16.0), AmperageLimit(16.0, lost_amperage=16.0),
    AmperageLimit(16.0, valid_for=INF, lost_amperage=NAN)])
def test_a_watched_limit_is_0_after_5_s_whatever_it_says(said):
    heard = Heard(watched(said), 0.0)
    assert SILENCE == 5.0
    assert in_force(heard, 5.0) == 16.0
    assert in_force(heard, 5.001) == 0.0


def test_a_watched_limit_may_lapse_earlier():
    assert in_force(Heard(watched(AmperageLimit(16.0, valid_for=1.0)), 0.0), 1.5) == 0.0


# -- phases in use (rule 6) ------------------------------------------------------------------------

@pytest.mark.parametrize(('connected', 'switched_on', 'count'), [
    (3, 3, 3), (3, 1, 1), (1, 3, 1), (2, 3, 2), (2, 1, 1)])
def test_connected_and_switched_on_phases_count_until_measured(connected, switched_on, count):
    assert PhasesInUse(connected).count(switched_on) == count


def test_unused_phases_count_for_10_s():
    phases = PhasesInUse(3)
    for now in range(11):
        phases.update(float(now), (16.0, 0.0, 0.99))
        assert phases.count() == (3 if now < 10 else 1)


def test_a_phase_counts_again_at_once():
    phases = PhasesInUse(3)
    for now in range(11):
        phases.update(float(now), (16.0, 0.0, 0.0))
    phases.update(10.2, (16.0, 1.0, 0.0))
    assert phases.count() == 2
    for now in range(11, 21):
        phases.update(float(now), (16.0, 0.0, 0.0))
    assert phases.count() == 2
    phases.update(20.2, (16.0, 0.0, 0.0))
    assert phases.count() == 1


def test_no_current_at_all_says_nothing_about_phases():
    phases = PhasesInUse(3)
    for now in range(100):
        phases.update(float(now), (0.0, 0.5, 0.0))
    assert phases.count() == 3


def test_an_unmeasured_phase_counts_as_used():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (16.0, NAN, 0.0))
    assert phases.count() == 2


def test_a_vehicle_on_l2_only_counts_as_one_phase():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (0.0, 16.0, 0.0))
    assert phases.count() == 1
    assert phases.count(switched_on=1) == 1, 'never 0: it divides'


def test_a_vehicle_that_pauses_keeps_its_phases_and_another_does_not():
    phases = PhasesInUse(3)
    for now in range(11):
        phases.update(float(now), (16.0, 0.0, 0.0), is_same_vehicle=True)
    for now in range(11, 1000):
        phases.update(float(now), (0.0, 0.0, 0.0), is_same_vehicle=True)
        assert phases.count() == 1
    phases.update(1000.0, (0.0, 0.0, 0.0), is_same_vehicle=False)
    assert phases.count() == 3


def test_a_pause_before_anything_is_known_leaves_all_phases():
    phases = PhasesInUse(3)
    for now, drawn in ((0.0, 16.0), (5.0, 16.0), (100.0, 0.0)):
        phases.update(now, (drawn, 0.0, 0.0), is_same_vehicle=True)
        assert phases.count() == 3


def test_a_paused_vehicle_that_comes_back_on_three_counts_as_three_at_once():
    phases = PhasesInUse(3)
    for now in range(20):
        phases.update(float(now), (16.0, 0.0, 0.0), is_same_vehicle=True)
    phases.update(50.0, (0.0, 0.0, 0.0), is_same_vehicle=True)
    phases.update(60.0, (6.0, 6.0, 6.0), is_same_vehicle=True)
    assert phases.count() == 3


def test_after_a_pause_three_phases_count_while_only_the_first_carries_again():
    phases = PhasesInUse(3)
    for now in range(20):
        phases.update(float(now), (16.0, 16.0, 16.0), is_same_vehicle=True)
    for now in range(20, 100):
        phases.update(float(now), (0.0, 0.0, 0.0), is_same_vehicle=True)
    for now in range(100, 109):
        phases.update(float(now), (6.0, 0.0, 0.0), is_same_vehicle=True)
        assert phases.count() == 3
    phases.update(110.0, (6.0, 0.0, 0.0), is_same_vehicle=True)
    assert phases.count() == 1


def test_reset_forgets_the_vehicle():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (16.0, 0.0, 0.0))
    phases.reset()
    assert phases.count() == 3


# -- watts to amperes ------------------------------------------------------------------------------

@pytest.mark.parametrize(('voltage', 'used'), [
    ((230.0, 230.0, 230.0), 230.0), ((207.0, 253.0, 230.0), 230.0), ((206.9, 253.1, 240.0), 240.0),
    ((NAN, NAN, NAN), 230.0), ((0.0, 0.0, 0.0), 230.0), ((NAN, 220.0, 0.0), 220.0), ((), 230.0),
    ((INF, -230.0, 1e9), 230.0)])
def test_only_trusted_voltages_are_used(voltage, used):
    assert usable_voltage(voltage) == pytest.approx(used)


def test_noise_of_the_voltage_moves_no_power_limit():
    steady, rng = SteadyVoltage(), random.Random(1)
    noisy = [tuple(rng.gauss(230.0, 0.15) for _ in range(3)) for _ in range(3000)]
    used = [steady.update(k * 0.2, voltage) for k, voltage in enumerate(noisy)]
    late = used[300:]
    assert sum(a != b for a, b in itertools.pairwise(late)) <= 10   # 9 minutes, three phases
    assert all(230.0 <= v <= 231.0 for voltage in late for v in voltage)


@given(st.lists(st.tuples(st.floats(0.1, 30.0), st.floats(200.0, 260.0)), max_size=60))
def test_never_less_than_what_is_measured_and_nothing_older_than_the_window(course):
    steady, now, past = SteadyVoltage(), 0.0, []
    for step, value in course:
        now += step
        past = [(at, v) for at, v in past if now - at <= VOLTAGE_WINDOW]
        used = steady.update(now, (value, 230.0, NAN))
        assert used[1] == 230.0
        assert math.isnan(used[2])
        if not TRUSTED_VOLTAGE[0] <= value <= TRUSTED_VOLTAGE[1]:
            past.clear()
            assert math.isnan(used[0])
            continue
        past.append((now, value))
        assert value <= used[0] <= min(TRUSTED_VOLTAGE[1], max(v for _, v in past) + VOLTAGE_STEP)


@pytest.mark.parametrize(('power', 'phases', 'amperage'), [
    (11040.0, 3, 16.0), (3680.0, 1, 16.0), (1380.0, 1, 6.0), (4140.0, 3, 6.0), (0.0, 3, 0.0)])
def test_power_to_amperage(power, phases, amperage):
    assert amperage_of_power(power, (230.0, 230.0, 230.0), phases) == pytest.approx(amperage)


def test_no_power_limit_is_no_amperage_limit():
    assert math.isnan(amperage_of_power(NAN, (230.0,), 3))
