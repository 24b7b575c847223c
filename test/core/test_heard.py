"""heard.py: ages of values, and the largest value of a window."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from charger_control.core.heard import Heard, RecentMaximum

WINDOW = 6.0


def test_silence_counts_from_receipt():
    assert Heard('x', 10.0).silence(10.0) == 0.0
    assert Heard('x', 10.0).silence(13.5) == 3.5


def test_silence_is_never_negative():
    assert Heard('x', 10.0).silence(9.0) == 0.0


def test_silence_since_for_ever():
    assert Heard('x', -math.inf).silence(0.0) == math.inf


def test_recent_maximum_keeps_a_value_for_the_window_after_it_was_last_told():
    recent = RecentMaximum(WINDOW)
    recent.update(0.0, 32.0)
    recent.update(1.0, 32.0)
    assert recent.update(2.0, 6.0) == 32.0
    assert recent.update(7.0, 6.0) == 32.0
    assert recent.update(7.01, 6.0) == 6.0


def test_recent_maximum_takes_a_higher_value_at_once():
    recent = RecentMaximum(WINDOW)
    recent.update(0.0, 6.0)
    assert recent.update(0.1, 16.0) == 16.0


def test_recent_maximum_outlives_a_jump_of_the_clock():
    recent = RecentMaximum(WINDOW)
    recent.update(0.0, 32.0)
    assert recent.update(1e6, 0.0) == 0.0


def test_recent_maximum_on_a_clock_that_stands_still():
    recent = RecentMaximum(WINDOW)
    assert [recent.update(5.0, v) for v in (1.0, 3.0, 2.0)] == [1.0, 3.0, 3.0]


def test_cleared():
    recent = RecentMaximum(WINDOW)
    recent.update(0.0, 32.0)
    recent.clear()
    assert recent.update(0.1, 6.0) == 6.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0, 5.75, 6.0, 7.0]),
                          st.sampled_from([0.0, -0.0, 6.0, 6.01, 16.0, 80.0])), max_size=60))
def test_recent_maximum_is_the_maximum(steps):
    recent, now, told = RecentMaximum(WINDOW), 0.0, []
    for dt, value in steps:
        now += dt
        told.append((now, value))
        assert recent.update(now, value) == max(v for at, v in told if at + WINDOW >= now)
