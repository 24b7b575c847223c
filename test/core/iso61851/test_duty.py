"""duty.py: every edge of the duty table of domain.md 1.1 and 1.2."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger_control.core.iso61851.duty import NO_OFFER, amperage_of_duty, duty_of_amperage

ANCHORS = [(6.0, 10.0), (10.0, 16.67), (13.0, 21.67), (16.0, 26.67), (20.0, 33.33), (32.0, 53.33),
           (48.0, 80.0), (51.0, 85.0), (63.0, 89.2), (80.0, 96.0)]


@pytest.mark.parametrize(('amperage', 'percent'), ANCHORS)
def test_anchors_both_ways(amperage, percent):
    assert duty_of_amperage(amperage) * 100.0 == pytest.approx(percent, abs=0.005)
    assert amperage_of_duty(duty_of_amperage(amperage)) == pytest.approx(amperage, abs=1e-9)


@pytest.mark.parametrize(('amperage', 'percent'), [
    (0.0, 100.0), (-0.0, 100.0), (-6.0, 100.0), (5.0, 100.0), (5.9, 100.0), (5.95, 100.0),
    (5.999, 100.0), (math.nan, 100.0), (-math.inf, 100.0), (6.0 - 1e-12, 10.0), (6.01, 10.01667),
    (51.0, 85.0), (51.001, 85.0), (52.0, 85.0), (52.499, 85.0), (52.5, 85.0), (52.6, 85.04),
    (79.9, 95.96), (80.0, 96.0), (80.1, 96.0), (1000.0, 96.0), (math.inf, 96.0)])
def test_what_is_sent(amperage, percent):
    assert duty_of_amperage(amperage) * 100.0 == pytest.approx(percent, abs=1e-4)


def test_no_offer_is_the_steady_high_level():
    assert NO_OFFER == 1.0


@pytest.mark.parametrize(('percent', 'amperage'), [
    (-1.0, 0.0), (0.0, 0.0), (2.99, 0.0),               # E, F
    (3.0, 0.0), (4.5, 0.0), (5.0, 0.0), (5.5, 0.0), (7.0, 0.0),     # ISO 15118 only
    (7.01, 0.0), (7.5, 0.0), (7.99, 0.0),               # forbidden gap
    (8.0, 6.0), (9.0, 6.0), (9.99, 6.0),                # flat, not proportional
    (10.0, 6.0), (10.1, 6.06), (16.666667, 10.0), (50.0, 30.0), (84.9, 50.94), (85.0, 51.0),
    (85.01, 52.525), (86.0, 55.0), (90.0, 65.0), (95.9, 79.75), (96.0, 80.0),
    (96.01, 80.0), (96.5, 80.0), (97.0, 80.0),
    (97.01, 0.0), (98.0, 0.0), (99.99, 0.0), (100.0, 0.0), (110.0, 0.0),
    (math.nan, 0.0), (math.inf, 0.0), (-math.inf, 0.0)])
def test_what_a_vehicle_may_draw(percent, amperage):
    assert amperage_of_duty(percent / 100.0) == pytest.approx(amperage, abs=1e-5)


@settings(deadline=None)
@given(st.floats(6.0, 80.0))
def test_a_vehicle_never_reads_more_than_was_meant(amperage):
    read = amperage_of_duty(duty_of_amperage(amperage))
    assert read <= amperage + 1e-9
    assert read >= amperage - (1.5 if 51.0 < amperage <= 52.5 else 1e-9)


@settings(deadline=None)
@given(st.floats())
def test_every_duty_is_one_that_a_vehicle_understands_or_no_offer(amperage):
    duty = duty_of_amperage(amperage)
    assert duty == NO_OFFER or 0.1 - 1e-9 <= duty <= 0.96
    assert (amperage_of_duty(duty) == 0.0) == (duty == NO_OFFER)


@settings(deadline=None)
@given(st.floats())
def test_what_a_vehicle_may_draw_is_0_or_6_to_80(duty):
    amperage = amperage_of_duty(duty)
    assert amperage == 0.0 or 6.0 - 1e-9 <= amperage <= 80.0
