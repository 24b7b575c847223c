"""pi.py: the law of the trim; the closed loop with a vehicle is in test_closed_loop.py."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger_control.core.heard import Heard
from charger_control.core.pi import Pi, PiConfig

TICK = 0.125
NAN = math.nan
NO_BOUND = 100.0


class Desk:
    """A Pi at 8 Hz with a board that follows at once and a vehicle that draws ``gain`` x signal."""

    def __init__(self, commanded=16.0, gain=0.95, **config):
        self.pi = Pi(PiConfig(**config))
        self.now, self.commanded, self.gain = 1000.0, commanded, gain
        self.signaled, self.cap, self.step_size = commanded, NO_BOUND, 0.01
        self.trim_limit, self.headroom, self.frozen, self.silent = 2.0, NO_BOUND, False, False
        self.sample, self.board_most = None, NO_BOUND
        self.trim = 0.0

    @property
    def drawn(self):
        return min(self.gain * self.signaled, self.cap)

    def tick(self, **changes):
        for name, value in changes.items():
            setattr(self, name, value)
        self.now += TICK
        if not self.silent:
            self.sample = Heard((self.drawn, 0.0, NAN), self.now)
        self.trim = self.pi.step(
            self.now, self.commanded, signaled=self.signaled, board_step=self.step_size,
            trim_limit=self.trim_limit, headroom=self.headroom, frozen=self.frozen,
            amperage=self.sample)
        self.signaled = min(self.commanded + self.trim, self.board_most) if self.commanded else 0.0
        return self.trim

    def run(self, seconds, **changes):
        for name, value in changes.items():
            setattr(self, name, value)
        for _ in range(round(seconds / TICK)):
            self.tick()
        return self.trim


def test_no_trim_before_the_vehicle_has_settled():
    desk = Desk()
    assert desk.run(6.0) == 0.0, 'rest, from the first signal'


@pytest.mark.parametrize('gain', [0.92, 0.95, 1.0, 1.05, 1.08])
def test_what_is_drawn_goes_to_commanded(gain):
    desk = Desk(gain=gain)
    desk.run(60.0)
    assert desk.drawn == pytest.approx(16.0, abs=0.1)


@pytest.mark.parametrize(('trim_limit', 'headroom', 'trim'), [
    (2.0, 100.0, 2.0), (1.0, 100.0, 1.0), (2.0, 0.5, 0.5), (0.0, 100.0, 0.0), (2.0, 0.0, 0.0)])
def test_never_above_the_grant_and_the_headroom(trim_limit, headroom, trim):
    desk = Desk(gain=0.8)
    desk.trim_limit, desk.headroom = trim_limit, headroom
    assert desk.run(60.0) == pytest.approx(trim)


def test_never_below_6_a():
    desk = Desk(commanded=7.0, gain=2.0)
    assert desk.run(60.0) == pytest.approx(-1.0)
    assert desk.run(60.0, commanded=5.97) == pytest.approx(0.03), '6 A for what is not below 5.95'


def test_over_draw_takes_a_trim_above_0_to_0_with_the_sample_that_shows_it():
    desk = Desk()
    assert desk.run(30.0) > 0.5
    desk.gain = 16.49 / desk.signaled
    assert desk.tick() > 0.5
    desk.gain = 16.51 / desk.signaled
    assert desk.tick() == 0.0


def test_the_highest_phase_counts():
    desk = Desk()
    desk.run(30.0)
    sample = Heard((10.0, NAN, 16.6), desk.now + 1)
    assert desk.pi.step(desk.now + 1, 16.0, signaled=16.8, board_step=0.01, trim_limit=2.0,
                        headroom=9.0, frozen=False, amperage=sample) == 0.0


def test_a_frozen_trim_rests_and_is_not_above_0():
    desk = Desk()
    assert desk.run(30.0) > 0.5
    assert desk.tick(frozen=True) == 0.0
    assert desk.run(60.0) == 0.0
    desk = Desk(gain=1.08)
    trim = desk.run(30.0)
    assert trim < -0.5
    assert desk.run(60.0, frozen=True) == trim


def test_without_a_measurement_there_is_no_trim():
    desk = Desk()
    desk.silent = True
    assert desk.run(60.0) == 0.0


@pytest.mark.parametrize('pause', [{'frozen': True}, {'trim_limit': 0.0}, {'headroom': 0.0}])
def test_a_trim_that_was_taken_away_is_found_again(pause):
    desk = Desk()
    desk.run(18.0)
    assert desk.trim > 0.5, 'the first step up; what it did is not known yet'
    desk.run(5.0, **pause)
    assert desk.trim == 0.0
    desk.run(60.0, frozen=False, trim_limit=2.0, headroom=NO_BOUND)
    assert desk.drawn == pytest.approx(16.0, abs=0.2)


def test_a_grant_that_goes_right_after_a_raise_is_no_vehicle_that_does_not_answer():
    desk = Desk()
    while desk.trim <= 0.0:
        desk.tick()
    desk.trim_limit = 0.0
    for _ in range(8 * 60):
        assert desk.tick() == 0.0
    desk.run(30.0, trim_limit=2.0)
    assert desk.drawn == pytest.approx(16.0, abs=0.1)


def test_one_sample_told_again_is_one_sample():
    desk = Desk()
    desk.tick()
    desk.silent, old = True, desk.sample
    for i in range(800):  # each time with another small delay
        desk.sample = Heard(old.value, old.at + 0.01 * (i % 3))
        assert desk.tick() == 0.0


def test_a_sample_from_before_the_vehicle_settled_says_nothing():
    desk = Desk()
    desk.run(4.0)
    desk.silent, early = True, desk.now
    for i in range(80):  # all arrive late, and say 10 A of a time when it still ramped up
        desk.sample = Heard((10.0, NAN, NAN), early + 0.01 * i)
        assert desk.tick() == 0.0


def test_an_unsteady_measurement_says_nothing():
    desk = Desk()
    for i in range(800):
        assert desk.tick(gain=0.9 if i % 16 < 8 else 0.95) == 0.0


def test_a_vehicle_that_does_not_charge_gets_no_trim():
    assert Desk(gain=0.05).run(120.0) == 0.0


# -- commanded changes -----------------------------------------------------------------------------

def test_what_is_available_falls_with_commanded_and_more_while_the_vehicle_still_draws_more():
    desk = Desk()
    before = 16.0 + desk.run(30.0)
    assert 15.6 < 15.6 + desk.tick(commanded=15.6, silent=True) < before
    assert desk.tick(silent=False, gain=1.2) == 0.0


def test_a_drop_of_commanded_never_raises_what_is_available():
    desk = Desk(gain=1.08)
    desk.run(30.0)
    available = desk.commanded + desk.trim
    for commanded in (15.9, 12.0, 7.0, 6.0):
        assert commanded + desk.tick(commanded=commanded) <= available
        available = commanded + desk.trim


def test_no_trim_while_nothing_is_commanded_and_none_for_another_vehicle():
    desk = Desk()
    assert desk.run(30.0) > 0.5
    assert desk.tick(commanded=0.0) == 0.0
    desk.pi.reset()
    assert desk.tick(commanded=16.0) == 0.0


def test_a_board_that_signals_less_than_it_is_told_is_no_reason_to_tell_it_less():
    desk = Desk(gain=0.95)
    desk.board_most = 10.0
    for _ in range(8 * 600):
        assert desk.tick() >= 0.0
    assert desk.signaled == 10.0


def test_a_command_that_jitters_by_less_than_the_dead_band_is_one_command():
    """A power limit divided by a measured voltage is never the same twice."""
    desk = Desk()
    for i in range(800):
        desk.tick(commanded=16.0 + 0.02 * (i % 3 - 1))
    assert desk.drawn == pytest.approx(16.0, abs=0.2)


# -- a vehicle at its own limit --------------------------------------------------------------------

def test_a_vehicle_at_its_own_limit_is_not_offered_more():
    desk = Desk(gain=1.0)
    desk.cap = 10.0
    changes, before = 0, 0.0
    for _ in range(8 * 600):
        changes += desk.tick() != before
        before = desk.trim
    assert before == 0.0
    assert changes <= 8, 'one try every five minutes, taken back'


def test_a_vehicle_whose_own_limit_goes_is_regulated_again():
    desk = Desk()
    desk.cap = 10.0
    assert desk.run(60.0) == 0.0
    desk.run(120.0, cap=NO_BOUND)
    assert desk.drawn == pytest.approx(16.0, abs=0.2)


def test_what_had_to_be_taken_back_is_given_again_when_the_vehicle_draws_less():
    desk = Desk(gain=1.08)
    desk.run(60.0)
    assert desk.trim < -1.0
    desk.run(480.0, gain=0.95)
    assert desk.drawn == pytest.approx(16.0, abs=0.2)


def test_a_draw_that_drifts_does_not_wear_the_trim_down():
    desk = Desk()
    for i in range(8 * 1800):
        desk.tick(gain=0.95 + 0.02 * math.sin(i / 480))
    assert desk.run(180.0, gain=0.95) == pytest.approx(16.0 / 0.95 - 16.0, abs=0.5)


numbers = st.sampled_from([NAN, -math.inf, math.inf, -1.0, 0.0, 0.05, 1.0, 6.0, 10.0, 16.4, 16.6,
                           80.0])


@given(st.lists(st.tuples(
    st.sampled_from([0.0, 0.1, 1.0, 7.0, 3600.0]), st.sampled_from([0.0, 5.95, 6.0, 7.0, 16.0]),
    st.sampled_from([0.0, 6.0, 16.0, 17.0]), st.sampled_from([0.0, 1.0, 2.0]),
    st.sampled_from([0.0, 0.5, 9.0]), st.booleans(),
    st.none() | st.tuples(st.sampled_from([-1.0, 0.5, 6.0, 10.0, 16.0, 17.0]), numbers, numbers)),
    max_size=60), st.sampled_from([0.01, 0.06, 1.0, NAN]))
@settings(deadline=None)
def test_whatever_comes_the_trim_stays_in_its_range(steps, board_step):
    pi, now = Pi(PiConfig()), 0.0
    for dt, commanded, signaled, limit, headroom, frozen, measured in steps:
        now += dt
        trim = pi.step(now, commanded, signaled=signaled, board_step=board_step,
                       trim_limit=limit, headroom=headroom, frozen=frozen,
                       amperage=measured and Heard(measured, now))
        if commanded == 0.0:
            assert trim == 0.0
            continue
        low = 6.0 - commanded
        assert low - 1e-9 <= trim <= max(low, min(limit, headroom)) + 1e-9
        if frozen or measured is None:
            assert trim <= max(low, 0.0)
