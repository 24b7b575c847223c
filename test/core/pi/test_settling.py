"""pi/settling.py: when a vehicle has settled, seen from its own answer."""

import math
import random

import pytest

from charger_control.core.pi.settling import Settling

REST, WINDOW = 12.0, 1.5


class Course:
    """A Settling that is fed a course of the current, ``period`` s between two samples."""

    def __init__(self, period=0.2, noise=0.0, lag=0.0, steady=0.3):
        self.settling = Settling(REST, WINDOW, steady, 1.0)
        self.period, self.lag = period, lag
        self.now, self.noise = 100.0, random.Random(1)
        self.sigma = noise
        self.changed_at = self.now

    def change(self, expected):
        self.changed_at = self.now
        self.settling.changed(self.now, expected)
        return self

    def until_settled(self, current, limit=60.0):
        """s from the last change until it is taken as settled, and at what; None: never."""
        while self.now - self.changed_at < limit:
            self.now += self.period
            drawn = current(self.now - self.changed_at - self.lag)
            mean = self.settling.take(self.now, drawn + self.noise.gauss(0.0, self.sigma))
            if mean is not None:
                return self.now - self.changed_at, mean
        return None

    def settled_at(self, amperage):
        """Brings it to a settled state."""
        self.until_settled(lambda t: amperage)
        return self


def step(before, after, delay, ramp=math.inf):
    """The current of a vehicle that waits and then ramps."""
    def current(t):
        way = after - before
        gone = max(0.0, t - delay) * ramp if math.isfinite(ramp) else (math.inf if t > delay else 0)
        return before + math.copysign(min(abs(way), gone), way)
    return current


@pytest.mark.parametrize('period', [0.1, 0.2, 1.0])
@pytest.mark.parametrize(('delay', 'ramp'), [(0.5, math.inf), (3.0, 4.0), (6.0, 1.0), (6.0, 0.5)])
def test_a_vehicle_that_moves_and_stands_still_has_settled_soon_after(period, delay, ramp):
    course = Course(period).settled_at(10.0).change(16.0)
    took, mean = course.until_settled(step(10.0, 15.2, delay, ramp))
    arrived = delay + (0.0 if math.isinf(ramp) else 5.2 / ramp)
    assert arrived <= took <= arrived + WINDOW + 2.5 * period
    assert mean == pytest.approx(15.2, abs=0.1)


def test_a_slow_meter_needs_two_samples_that_agree():
    course = Course(5.0).settled_at(10.0).change(16.0)
    took, mean = course.until_settled(step(10.0, 15.2, 2.0, 4.0))
    assert took == pytest.approx(10.0)
    assert mean == pytest.approx(15.2)


def test_a_vehicle_that_has_not_moved_yet_has_not_settled_there():
    course = Course().settled_at(10.0).change(16.0)
    took, mean = course.until_settled(lambda t: 10.0)
    assert took == pytest.approx(REST, abs=0.25), 'it does not follow: that takes all of rest'
    assert mean == pytest.approx(10.0)


def test_a_slow_ramp_is_no_standing_still():
    course = Course().settled_at(10.0).change(20.0)
    took, mean = course.until_settled(step(10.0, 19.0, 1.0, 0.3))
    assert took > 30.0
    assert mean == pytest.approx(19.0, abs=0.1)


def test_a_pause_on_the_way_is_not_the_end_of_it():
    course = Course().settled_at(10.0).change(20.0)
    took, mean = course.until_settled(lambda t: 10.0 if t < 1 else 14.0 if t < 5 else 19.5)
    assert took > 5.0, '14 A are not most of the way'
    assert mean == pytest.approx(19.5, abs=0.1)


def test_what_cannot_be_seen_takes_as_long_as_what_was_seen():
    course = Course().settled_at(10.0).change(16.0)
    course.until_settled(step(10.0, 16.0, 4.0))
    seen = course.change(16.05).until_settled(lambda t: 16.0)[0]
    assert 4.0 < seen < 8.0
    unknown = Course().settled_at(10.0).change(10.05).until_settled(lambda t: 10.0)[0]
    assert unknown == pytest.approx(REST, abs=0.25)


def test_two_changes_at_once_show_no_answer():
    course = Course().settled_at(10.0).change(16.0)
    for _ in range(10):
        course.now += course.period
        assert course.settling.take(course.now, 10.0) is None
    course.change(17.0)
    took, _ = course.until_settled(step(10.0, 16.0, 1.0))
    assert took == pytest.approx(REST, abs=0.25)


def test_the_start_of_charging_teaches_nothing_about_the_delay():
    course = Course().change(16.0)
    took, mean = course.until_settled(step(0.0, 15.2, 8.0, 3.0))
    assert mean == pytest.approx(15.2, abs=0.1)
    assert took < 8.0 + 5.1 + WINDOW + 0.5
    later = course.change(16.05).until_settled(lambda t: 15.2)[0]
    assert later == pytest.approx(REST, abs=0.25)


def test_while_a_change_is_on_its_way_nothing_counts():
    course = Course().settled_at(10.0)
    course.settling.hold(course.now + 5.0)
    course.changed_at = course.now
    took, _ = course.until_settled(lambda t: 10.0)
    assert took > 5.0


@pytest.mark.parametrize(('noise', 'settles'), [(0.0, True), (0.03, True), (0.3, False)])
def test_noise(noise, settles):
    course = Course(noise=noise).change(16.0)
    assert (course.until_settled(lambda t: 15.2) is not None) is settles


def test_samples_from_before_the_change_are_none():
    course = Course().settled_at(10.0)
    course.change(16.0)
    for _ in range(200):
        assert course.settling.take(course.now - 1.0, 16.0) is None
