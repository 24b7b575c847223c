"""limits.py: what a limit may say, and when it is in force."""

import math

import pytest

from charger_control.core.heard import Heard
from charger_control.core.limits import SILENCE, in_force, watched
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.units import FOREVER

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
