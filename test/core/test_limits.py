"""limits.py: what a limit may say, when it is in force, watts to amperes."""

import math

import pytest

from charger_control.core.heard import Heard
from charger_control.core.limits import (
    FOREVER,
    SILENCE,
    AmperageLimit,
    PhasesInUse,
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
    assert PhasesInUse(connected).count(0.0, switched_on) == count


def test_unused_phases_count_for_10_s():
    phases = PhasesInUse(3)
    for now in range(11):
        phases.update(float(now), (16.0, 0.0, 0.99))
        assert phases.count(float(now)) == (3 if now < 10 else 1)


def test_a_phase_counts_again_at_once():
    phases = PhasesInUse(3)
    for now in range(11):
        phases.update(float(now), (16.0, 0.0, 0.0))
    phases.update(10.2, (16.0, 1.0, 0.0))
    assert phases.count(10.2) == 2
    for now in range(11, 21):
        phases.update(float(now), (16.0, 0.0, 0.0))
    assert phases.count(20.0) == 2
    assert phases.count(20.2) == 1


def test_no_current_at_all_says_nothing_about_phases():
    phases = PhasesInUse(3)
    for now in range(100):
        phases.update(float(now), (0.0, 0.5, 0.0))
    assert phases.count(100.0) == 3


def test_an_unmeasured_phase_counts_as_used():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (16.0, NAN, 0.0))
    assert phases.count(29.0) == 2


def test_a_vehicle_on_l2_only_counts_as_one_phase():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (0.0, 16.0, 0.0))
    assert phases.count(29.0) == 1
    assert phases.count(29.0, switched_on=1) == 1, 'never 0: it divides'


def test_reset_forgets_the_vehicle():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (16.0, 0.0, 0.0))
    phases.reset()
    assert phases.count(29.0) == 3


# -- watts to amperes ------------------------------------------------------------------------------

@pytest.mark.parametrize(('voltage', 'used'), [
    ((230.0, 230.0, 230.0), 230.0), ((207.0, 253.0, 230.0), 230.0), ((206.9, 253.1, 240.0), 240.0),
    ((NAN, NAN, NAN), 230.0), ((0.0, 0.0, 0.0), 230.0), ((NAN, 220.0, 0.0), 220.0), ((), 230.0),
    ((INF, -230.0, 1e9), 230.0)])
def test_only_trusted_voltages_are_used(voltage, used):
    assert usable_voltage(voltage) == pytest.approx(used)


@pytest.mark.parametrize(('power', 'phases', 'amperage'), [
    (11040.0, 3, 16.0), (3680.0, 1, 16.0), (1380.0, 1, 6.0), (4140.0, 3, 6.0), (0.0, 3, 0.0)])
def test_power_to_amperage(power, phases, amperage):
    assert amperage_of_power(power, (230.0, 230.0, 230.0), phases) == pytest.approx(amperage)


def test_no_power_limit_is_no_amperage_limit():
    assert math.isnan(amperage_of_power(NAN, (230.0,), 3))
