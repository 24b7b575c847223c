"""signal.py: rules 4 and 5 of "What is commanded": bounds, the board's step, and the pace."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger_control.core.iso61851.signal import Signal, SignalConfig

NAN, INF = math.nan, math.inf
PACE = 5.0


def at(signal, now, commanded, available=None, bound=80.0):
    return signal.step(now, commanded, commanded if available is None else available, bound)


def offering(amperage=16.0, available=None, **config):
    """A signal that has stood for long."""
    signal = Signal(SignalConfig(**config))
    at(signal, 0.0, amperage, available)
    return signal


# -- bounds (rule 4) -------------------------------------------------------------------------------

@pytest.mark.parametrize(('available', 'bound', 'signaled'), [
    (16.0, 32.0, 16.0), (32.0, 16.0, 16.0), (16.0, 16.0, 16.0), (100.0, 90.0, 80.0), (80.0, 80.0,
                                                                                       80.0),
    (6.0, 6.0, 6.0), (5.99, 32.0, 0.0), (32.0, 5.99, 0.0), (16.0, 0.0, 0.0), (16.0, -0.0, 0.0),
    (16.0, -5.0, 0.0), (16.0, NAN, 0.0), (NAN, 32.0, 0.0), (INF, 32.0, 32.0), (INF, INF, 80.0),
    (-INF, 32.0, 0.0), (0.0, 32.0, 0.0)])
def test_0_or_6_to_80_and_never_above_the_bound(available, bound, signaled):
    assert at(Signal(SignalConfig()), 0.0, 16.0, available, bound) == signaled


@pytest.mark.parametrize(('step', 'available', 'signaled'), [
    (0.01, 16.009, 16.0), (0.01, 15.999, 15.99), (0.01, 6.004, 6.0), (1.0, 15.99, 15.0),
    (1.0, 6.9, 6.0), (1.0, 16.0, 16.0), (0.06, 16.0, 15.96), (0.06, 6.0, 6.0),
    (0.1, 16.3, 16.3), (0.01, 16.29, 16.29)])
def test_down_to_a_whole_step_of_the_board(step, available, signaled):
    assert at(Signal(SignalConfig(step=step)), 0.0, available) == pytest.approx(signaled)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.05, 1.0, 5.0]), st.floats(), st.floats(),
                          st.floats(), st.booleans()), max_size=30),
       st.sampled_from([0.01, 0.06, 0.25, 1.0]))
def test_whatever_comes_the_signal_stays_in_bounds(steps, step):
    signal, now = Signal(SignalConfig(step=step)), 0.0
    for dt, commanded, available, bound, withdraw in steps:
        now += dt
        if withdraw:
            signal.withdraw(now)
            assert signal.amperage == 0.0
            continue
        signaled = signal.step(now, commanded, available, bound)
        assert signaled == 0.0 or 6.0 <= signaled <= min(80.0, bound) + 1e-6
        assert signaled == signal.amperage


# -- what acts at once (rule 5) --------------------------------------------------------------------

def test_a_start_and_a_stop():
    signal = offering(0.0)
    assert at(signal, 0.1, 16.0) == 16.0
    assert at(signal, 0.2, 0.0) == 0.0
    assert at(signal, 0.3, 16.0) == 16.0


def test_any_drop_of_commanded():
    signal = offering(16.0)
    for i, commanded in enumerate((15.99, 12.0, 11.0, 6.0)):
        assert at(signal, 0.1 * i, commanded) == commanded


def test_a_drop_of_commanded_with_a_trim():
    signal = offering(16.0, 17.5)
    assert at(signal, 0.1, 15.0, 16.4) == 16.4


def test_a_drop_of_hw_limit_or_cable():
    signal = offering(16.0)
    assert at(signal, 0.1, 16.0, bound=13.0) == 13.0
    assert at(signal, 0.2, 16.0, bound=12.99) == 12.99
    assert at(signal, 0.3, 16.0, bound=5.0) == 0.0


def test_trim_to_0_on_over_draw():
    signal = offering(16.0, 17.5)
    assert at(signal, 0.1, 16.0, 16.0) == 16.0
    signal = offering(16.0, 17.5)
    assert at(signal, 0.1, 16.0, 15.0) == 15.0


def test_a_drop_of_commanded_that_had_just_risen():
    signal = offering(10.0)
    assert at(signal, 1.0, 11.0, 11.0) == 10.0, 'an increase waits'
    assert at(signal, PACE, 11.0, 11.0) == 11.0
    assert at(signal, PACE + 1, 16.0, 13.0) == 11.0, 'an increase waits'
    assert at(signal, PACE + 2, 12.0, 10.0) == 10.0, 'commanded fell, and less is available'


def test_a_withdrawn_signal_starts_again_at_once():
    signal = offering(16.0)
    signal.withdraw(1.0)
    assert signal.amperage == 0.0
    assert at(signal, 1.05, 16.0) == 16.0


# -- what waits (rule 5) ---------------------------------------------------------------------------

def test_increases_are_5_s_apart():
    signal = offering(10.0)
    for i in range(20):
        assert at(signal, 0.25 * i, 16.0) == 10.0
    assert at(signal, PACE, 16.0) == 16.0


def test_an_increase_after_a_decrease_waits_5_s():
    signal = offering(16.0)
    at(signal, 10.0, 10.0)
    assert at(signal, 14.9, 16.0) == 10.0
    assert at(signal, 15.0, 16.0) == 16.0


def test_trim_steps_are_5_s_apart_up_and_down():
    signal = offering(16.0, 16.5)
    assert at(signal, 1.0, 16.0, 17.0) == 16.5
    assert at(signal, 2.0, 16.0, 16.2) == 16.5
    assert at(signal, PACE, 16.0, 16.2) == 16.2
    assert at(signal, PACE + 1, 16.0, 15.9) == 15.9, 'a trim below 0 is an over-draw'
    assert at(signal, PACE + 2, 16.0, 15.5) == 15.9


@pytest.mark.parametrize('step', [0.01, 1.0])
def test_changes_below_the_boards_step_change_nothing(step):
    signal = offering(16.0, step=step)
    for i in range(200):
        assert at(signal, float(i), 16.0, 16.0 + 0.9 * step * (i % 2)) == 16.0


def test_an_offer_that_swings_rises_at_most_every_5_s():
    signal, raises, before = offering(10.0), 0, 10.0
    for i in range(600):
        now = at(signal, 0.1 * i, 16.0 if i % 2 else 10.0)
        raises += now > before
        before = now
    assert raises <= 12
