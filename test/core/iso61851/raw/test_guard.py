"""raw/guard.py: what the sampling thread allows, refuses and does by itself."""

import math

import pytest

from charger_control.core.heard import Heard
from charger_control.core.iso61851.raw.guard import (
    DARK,
    DEAD,
    DIODE,
    LEFT,
    LOST,
    STOP,
    GuardConfig,
    PilotGuard,
)
from charger_control.core.iso61851.raw.types import STEADY_HIGH, STEADY_LOW, Levels, RawOrder

PERIOD, PWM = 0.005, 16 / 60


class Bench:
    """A guard whose orders are fed, with levels as set."""

    def __init__(self, **config):
        self.it = PilotGuard(GuardConfig(**config))
        self.now, self.high, self.low, self.sampled = 100.0, 9.0, -12.0, True
        self.wanted, self.fed_at, self.feeds, self.feedback = RawOrder(), 100.0, True, False
        self.out = None

    def turn(self, seconds=PERIOD, **changes):
        """Turns for so many s."""
        for name, value in changes.items():
            setattr(self, name, value)
        for _ in range(max(1, round(seconds / PERIOD))):
            self.now += PERIOD
            if self.feeds:
                self.fed_at = self.now
            sample = Levels(self.now, self.high, self.low) if self.sampled else None
            self.out = self.it.step(self.now, sample, Heard(self.wanted, self.fed_at),
                                    self.feedback)
        return self.out

    def order(self, **changes):
        values = {'duty': PWM, 'close_in': 'C', 'phases': 3, 'trips': self.reading.trips} | changes
        self.wanted = RawOrder(**values)

    @property
    def reading(self):
        return self.it.reading(self.feedback)

    def closed(self, **order):
        """In C, with PWM, closed."""
        self.turn(1.0)
        self.order(**order)
        self.turn(1.0)
        self.turn(1.0, high=6.0)
        assert self.out.contactor and self.reading.letter == 'C'
        self.feedback = True
        return self


@pytest.fixture
def bench():
    return Bench()


def test_it_begins_with_no_offer_and_an_open_contactor(bench):
    out = bench.turn()
    assert (out.duty, out.contactor) == (STEADY_HIGH, False)
    assert bench.reading.letter == 'S' and bench.reading.diode is None


# -- closing ---------------------------------------------------------------------------------------

def test_it_closes_in_c_with_pwm_and_diode(bench):
    bench.turn(1.0)
    bench.order()
    assert not bench.turn(5.0).contactor, 'never in B'
    bench.turn(0.5, high=6.0)
    assert not bench.out.contactor, 'C takes 0.5 s'
    assert bench.turn(0.02).contactor


@pytest.mark.parametrize('why_not', [
    {'duty': STEADY_HIGH}, {'duty': STEADY_LOW}, {'duty': math.nan}, {'close_in': ''},
    {'trips': 7}, {'phases': 1}])
def test_it_refuses_an_order_without_an_offer_or_of_the_past(bench, why_not):
    bench.turn(1.0)
    bench.order(**why_not)
    bench.turn(0.1)
    assert not bench.turn(0.02, high=6.0).contactor
    for _ in range(800):
        out = bench.turn()
        # phases: the relay moves first, then it may close
        assert not out.contactor or (why_not == {'phases': 1} and out.phases == 1)


@pytest.mark.parametrize('why_not', [
    {'low': -9.0}, {'low': -9.9}, {'low': math.nan}, {'high': 3.0}, {'high': 0.0}, {'high': 9.0},
    {'high': 12.0}, {'high': -12.0}, {'high': math.nan}, {'feedback': True}, {'sampled': False}])
def test_it_refuses_to_close_on_a_pilot_that_is_not_c(bench, why_not):
    bench.turn(1.0)
    bench.order()
    bench.turn(0.02)
    for _ in range(400):
        assert not bench.turn(**({'high': 6.0} | why_not)).contactor


def test_the_diode_is_checked_before_each_closing(bench):
    bench.closed()
    bench.order(duty=STEADY_HIGH)
    bench.turn(1.0)
    assert bench.turn(0.05, high=9.0).contactor is False
    bench.order()
    for _ in range(200):
        assert not bench.turn(high=6.0, low=-9.0, feedback=False).contactor


def test_d_closes_only_when_ordered_so(bench):
    bench.turn(1.0)
    bench.order(close_in='CD')
    bench.turn(0.2)
    assert bench.turn(1.0, high=3.0).contactor
    bench.order(close_in='C')
    assert not bench.turn(0.02).contactor


# -- opening ---------------------------------------------------------------------------------------

@pytest.mark.parametrize(('change', 'most', 'why'), [
    ({'high': 9.0}, 0.01, LEFT), ({'high': 12.0}, 0.01, LEFT), ({'high': 3.0}, 0.01, LEFT),
    ({'high': 0.0}, 0.01, LEFT), ({'high': math.nan}, 0.01, LEFT), ({'sampled': False}, 0.06, LOST),
    ({'low': -8.0}, 0.12, DIODE)])
def test_it_opens_by_itself(bench, change, most, why):
    bench.closed()
    start, trips = bench.now, bench.reading.trips
    while bench.turn(**change).contactor:
        assert bench.now - start < 1.0
    assert bench.now - start <= most
    assert (bench.reading.trip, bench.reading.trips) == (why, trips + 1)
    assert bench.reading.opened_at == bench.now


def test_one_bad_sample_does_not_open_it(bench):
    bench.closed()
    for volts in (9.0, 12.0, 0.0, math.nan):
        bench.turn(PERIOD, high=volts)
        assert bench.turn(0.5, high=6.0).contactor
    bench.turn(PERIOD, sampled=False)
    assert bench.turn(0.5, sampled=True).contactor


def test_what_it_opened_stays_open_until_the_block_has_heard_of_it(bench):
    bench.closed()
    bench.turn(0.02, high=9.0)
    assert not bench.turn(60.0, high=6.0, feedback=False).contactor, 'the order is of the past'
    bench.order()
    assert bench.turn(0.02).contactor


def test_an_order_to_open_is_no_trip(bench):
    bench.closed()
    trips = bench.reading.trips
    bench.order(close_in='')
    assert not bench.turn().contactor
    assert bench.reading.trips == trips


def test_state_f_opens(bench):
    bench.closed()
    bench.order(duty=STEADY_LOW)
    assert not bench.turn().contactor and bench.out.duty == STEADY_LOW
    assert bench.reading.trip == DARK


def test_a_block_that_holds_it_without_an_offer_is_not_believed_for_ever(bench):
    bench.closed()
    bench.order(duty=STEADY_HIGH, stop_time=4.0)
    assert bench.turn(4.4).contactor
    assert not bench.turn(0.2).contactor
    assert bench.reading.trip == STOP


# -- the dead-man ----------------------------------------------------------------------------------

def test_without_orders_the_offer_goes_after_1_s_and_the_contactor_6_s_later(bench):
    bench.closed()
    assert bench.turn(1.0, feeds=False).duty == PWM
    assert bench.turn(0.01).duty == STEADY_HIGH
    assert bench.reading.trip == DEAD
    assert bench.turn(5.9).contactor
    assert not bench.turn(0.15).contactor


def test_it_opens_at_once_when_the_vehicle_stops(bench):
    bench.closed()
    bench.turn(2.0, feeds=False)
    assert not bench.turn(0.02, high=9.0).contactor


def test_orders_of_before_offer_nothing_after_it(bench):
    bench.closed()
    bench.turn(1.1, feeds=False)
    assert bench.turn(1.0, feeds=True).duty == STEADY_HIGH
    bench.order()
    assert bench.turn().duty == PWM


def test_a_vehicle_is_not_offered_anything_by_a_block_that_never_spoke(bench):
    bench.fed_at, bench.feeds = -math.inf, False
    bench.order()
    assert bench.turn(5.0).duty == STEADY_HIGH
    assert bench.reading.trips == 1


# -- phases ----------------------------------------------------------------------------------------

def test_phases_move_only_behind_an_open_contactor(bench):
    bench.closed()
    bench.order(phases=1)
    assert bench.turn(3.0).phases == 3 and bench.out.contactor
    bench.order(phases=1, close_in='')
    opened = bench.now
    bench.turn(0.1)
    assert not bench.out.contactor and bench.out.phases == 3, 'the feedback still says closed'
    bench.turn(0.1)
    assert bench.out.phases == 3
    while bench.turn(feedback=False).phases == 3:
        assert bench.now - opened < 1.0
    bench.order(phases=1)
    moved = bench.now
    while not bench.turn().contactor:
        assert bench.now - moved < 1.0
    assert bench.now - moved >= 0.1 - PERIOD, 'the relay settles first'


def test_100_ms_after_opening_even_without_a_feedback(bench):
    bench.closed()
    bench.order(phases=1, close_in='')
    bench.turn(0.095, feedback=None)
    assert bench.out.phases == 3
    assert bench.turn(0.015).phases == 1


# -- hardware that fails ---------------------------------------------------------------------------

def test_lost_hardware_opens_and_begins_anew(bench):
    bench.closed()
    bench.it.lost(bench.now)
    assert bench.reading.trip == LOST and not bench.reading.contactor
    assert bench.reading.letter == 'S' and bench.reading.diode is None
    assert not bench.turn(0.2, feedback=False).contactor
