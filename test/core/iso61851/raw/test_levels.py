"""raw/levels.py and proximity.py: from volts to states, and the vote that opens the contactor."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.iso61851.proximity import cable_amperage
from charger_control.core.iso61851.raw.levels import (
    LOST_TIME,
    DiodeCheck,
    LetterDecoder,
    is_within,
    letter_of_level,
    must_open,
    plateaus,
)
from charger_control.core.iso61851.raw.types import Levels
from charger_control.sim.plant.pilot_line import letter_of_level as witness

NAN = math.nan
PERIOD = 0.005


def series(*highs, low=-12.0, period=PERIOD, start=100.0):
    return [Levels(start + period * i, high, low) for i, high in enumerate(highs)]


# -- one level -------------------------------------------------------------------------------------

@given(st.floats(-15.0, 15.0))
def test_without_a_past_the_midpoints_decide(volts):
    assert letter_of_level(volts) == witness(volts)


@pytest.mark.parametrize('volts', [NAN, math.inf, -math.inf, 15.1, -15.1])
def test_what_no_pilot_can_be_is_unknown(volts):
    assert letter_of_level(volts) == letter_of_level(volts, 'C') == 'S'
    assert not is_within(volts, 'C')


@pytest.mark.parametrize(('before', 'edge', 'above', 'below'), [
    ('A', 10.5, 'A', 'B'), ('B', 10.5, 'A', 'B'), ('B', 7.5, 'B', 'C'), ('C', 7.5, 'B', 'C'),
    ('C', 4.5, 'C', 'D'), ('D', 4.5, 'C', 'D'), ('D', 1.5, 'D', 'E'), ('E', 1.5, 'D', 'E'),
    ('E', -1.5, 'E', 'F'), ('F', -1.5, 'E', 'F')])
def test_a_state_is_left_only_beyond_its_edge(before, edge, above, below):
    assert letter_of_level(edge + 0.19, before) == before
    assert letter_of_level(edge - 0.19, before) == before
    assert letter_of_level(edge + 0.21, before) == above
    assert letter_of_level(edge - 0.21, before) == below


# -- must_open -------------------------------------------------------------------------------------

def judged(samples, closed_in='C', late=0.0):
    return must_open(samples, samples[-1].at + late, closed_in)


@pytest.mark.parametrize(('highs', 'opens'), [
    ((6, 6, 6), False), ((6, 6, 9), False), ((6, 9, 6), False), ((9, 6, 6), False),
    ((6, 9, 9), True), ((9, 6, 9), True), ((9, 9, 6), True), ((6, 12, 9), True),
    ((6, NAN, NAN), True), ((6, 6, NAN), False), ((6, 3, 3), True), ((6, 0, 0), True),
    ((6, -12, -12), True), ((6, 7.6, 7.6), False), ((6, 7.8, 7.8), True), ((6, 4.2, 4.2), True)])
def test_two_of_three_open(highs, opens):
    assert judged(series(*highs)) is opens


def test_it_takes_25_ms_at_the_most_from_the_first_sample_of_another_level():
    for rate in (200.0, 250.0, 500.0, 1000.0):
        past = series(*[6.0] * 10, period=1 / rate)
        first = past[-1].at + 1 / rate
        for count in range(1, 10):
            past.append(Levels(first + (count - 1) / rate, 9.0, -12.0))
            if judged(past):
                break
        assert past[-1].at - first <= 0.025


def test_after_a_pause_of_the_thread_the_first_sample_decides():
    """What is older than 25 ms says nothing of now: the 100 ms are running since long."""
    before = series(6.0, 6.0, 6.0)
    late = Levels(before[-1].at + 0.08, 9.0, -12.0)
    assert judged([*before, late])
    assert not judged([*before, Levels(late.at, 6.0, -12.0)])


def test_d_counts_only_where_it_is_allowed():
    assert judged(series(3, 3, 3))
    assert not judged(series(3, 3, 3), 'CD')
    assert not judged(series(6, 3, 6), 'CD')
    assert judged(series(3, 9, 9), 'CD') and judged(series(3, 0, 0), 'CD')


def test_no_samples_are_no_reason_to_hold_on():
    assert must_open((), 5.0)
    assert not judged(series(6, 6, 6), late=LOST_TIME - 0.001)
    assert judged(series(6, 6, 6), late=LOST_TIME + 0.001)
    assert must_open(series(6, 6, 6), NAN)


# -- the debounced state ---------------------------------------------------------------------------

def play(decoder, *parts, start=100.0, period=PERIOD):
    """Plays (V, s) parts; the states with the s at which each was entered."""
    at, entered, letter = start, [], decoder.letter
    for volts, seconds in parts:
        for _ in range(round(seconds / period)):
            at += period
            if decoder.step(Levels(at, volts, -12.0), readable=True) != letter:
                letter = decoder.letter
                entered.append((letter, round(at - start, 3)))
    return entered


def decoder_in(letter, volts):
    decoder = LetterDecoder()
    play(decoder, (volts, 1.0))
    assert decoder.letter == letter
    return decoder


def test_the_first_state_takes_its_time():
    entered = play(LetterDecoder(), (9.0, 1.0))
    assert [letter for letter, _ in entered] == ['B'] and 0.25 <= entered[0][1] <= 0.27


@pytest.mark.parametrize(('before', 'volts', 'after', 'least', 'most'), [
    (12.0, 9.0, 'B', 0.25, 0.27), (9.0, 12.0, 'A', 0.025, 0.05), (9.0, 6.0, 'C', 0.5, 0.52),
    (9.0, 3.0, 'D', 0.5, 0.52), (9.0, 0.0, 'E', 0.1, 0.12), (9.0, -12.0, 'F', 0.1, 0.12),
    (6.0, 9.0, 'B', 0.0, 0.011), (6.0, 12.0, 'A', 0.025, 0.05), (6.0, 3.0, 'D', 0.0, 0.011),
    (6.0, 0.0, 'E', 0.0, 0.011), (12.0, 6.0, 'C', 0.5, 0.52)])
def test_each_change_has_its_debounce(before, volts, after, least, most):
    decoder = LetterDecoder()
    play(decoder, (before, 2.0))
    (letter, at), = play(decoder, (volts, 2.0), start=200.0)
    assert letter == after and least <= at <= most


def test_one_bad_sample_changes_nothing():
    for volts in (0.0, 6.0, 12.0, -12.0, NAN, 40.0):
        decoder = decoder_in('B', 9.0)
        assert play(decoder, (volts, PERIOD), (9.0, 2.0), start=200.0) == []


def test_a_slow_edge_does_not_stop_on_its_way():
    """A peak-hold circuit falls from A to C through B in 60 ms: B is never entered."""
    decoder = decoder_in('A', 12.0)
    falling = [(12.0 - 0.5 * i, PERIOD) for i in range(12)]
    assert [letter for letter, _ in play(decoder, *falling, (6.0, 1.0), start=200.0)] == ['C']


def test_noise_does_not_make_a_state_flap():
    decoder = decoder_in('B', 9.0)
    noise = np.random.default_rng(3).normal(0.0, 0.3, 4000)
    assert play(decoder, *((9.0 + each, PERIOD) for each in noise), start=200.0) == []


def test_while_the_pilot_is_constantly_low_nothing_is_learned():
    decoder = decoder_in('B', 9.0)
    for i in range(1000):
        assert decoder.step(Levels(200 + i * PERIOD, -12.0, -12.0), readable=False) == 'B'
    assert play(decoder, (12.0, 1.0), start=300.0)[0][0] == 'A'


# -- the diode -------------------------------------------------------------------------------------

def check(diode, low, seconds, start, pwm=True, letter='B'):
    for i in range(1, round(seconds / PERIOD) + 1):
        diode.step(Levels(start + i * PERIOD, 9.0, low), pwm=pwm, letter=letter)
    return diode.seen


def test_the_diode_is_seen_after_100_ms_of_a_low_plateau():
    diode = DiodeCheck()
    assert check(diode, -12.0, 0.1, 0.0) is None
    assert check(diode, -12.0, 0.01, 0.1) is True
    assert check(diode, -9.0, 0.09, 1.0) is True, 'a dip is none'
    assert check(diode, -9.0, 0.2, 1.09) is False
    assert check(diode, NAN, 1.0, 2.0) is False


@pytest.mark.parametrize('change', [{'pwm': False}, *({'letter': x} for x in 'AEFS')])
def test_it_is_seen_anew_with_each_pwm_and_vehicle(change):
    diode = DiodeCheck()
    assert check(diode, -12.0, 1.0, 0.0) is True
    assert check(diode, -12.0, PERIOD, 1.0, **change) is None


def test_a_plateau_that_flickers_is_none():
    diode = DiodeCheck()
    for i in range(1000):
        check(diode, -12.0 if i % 8 else -8.0, PERIOD, i * PERIOD)
    assert diode.seen is None


# -- the pilot's own curve -------------------------------------------------------------------------

def curve(high, low, duty, *, frequency=40_000.0, noise=0.0, phase=0.0, spikes=0, periods=5):
    times = np.arange(int(frequency / 1000 * periods)) / frequency
    random = np.random.default_rng(5)
    volts = np.where((times * 1000.0 + phase) % 1.0 < duty, high, low)
    volts = volts + random.normal(0.0, noise, volts.size)
    volts[random.choice(volts.size, spikes, replace=False)] = 14.5
    return volts


@pytest.mark.parametrize('frequency', [38_000.0, 40_000.0, 100_000.0])
@pytest.mark.parametrize('duty', [0.08, 0.1, 0.267, 0.533, 0.85, 0.96])
@pytest.mark.parametrize('high', [12.0, 9.0, 6.0, 3.0])
def test_plateaus_of_a_pwm(high, duty, frequency):
    for phase in (0.0, 0.3, 0.77):
        found = plateaus(curve(high, -12.0, duty, frequency=frequency, noise=0.05, phase=phase))
        assert found == pytest.approx((high, -12.0), abs=0.15)


@pytest.mark.parametrize('level', [12.0, 9.0, 6.0, 0.0, -12.0])
def test_plateaus_of_a_constant_level(level):
    assert plateaus(curve(level, level, 0.5, noise=0.05)) == pytest.approx((level,) * 2, abs=0.15)


def test_spikes_are_no_plateau():
    assert plateaus(curve(6.0, -12.0, 0.08, spikes=2)) == pytest.approx((6.0, -12.0), abs=0.1)
    assert plateaus(curve(6.0, 6.0, 0.5, spikes=2)) == pytest.approx((6.0, 6.0), abs=0.1)


def test_no_curve_has_no_plateaus():
    assert all(math.isnan(v) for v in plateaus(np.array([])))
    assert all(math.isnan(v) for v in plateaus(np.array([6.0, NAN, 6.0])))


# -- the cable -------------------------------------------------------------------------------------

@pytest.mark.parametrize(('ohm', 'amperage'), [
    (1500.0, 13.0), (1000.0, 13.0), (680.0, 20.0), (330.0, 20.0), (220.0, 32.0), (150.0, 32.0),
    (100.0, 63.0), (75.0, 63.0)])
def test_ratings(ohm, amperage):
    assert cable_amperage(ohm) == amperage


@pytest.mark.parametrize('ohm', [0.0, 74.0, -5.0, 2500.0, math.inf, NAN])
def test_an_unknown_cable_is_never_a_good_one(ohm):
    assert math.isnan(cable_amperage(ohm))


@pytest.mark.parametrize('samples', [2, 3, 5])
def test_a_moment_of_12_v_in_c_opens_but_is_no_unplugging(samples):
    """2 samples at 250 Hz are 8 ms."""
    decoder = decoder_in('C', 6.0)
    levels = [Levels(200.0 + 0.004 * i, 12.0, -12.0) for i in range(samples)]
    for level in levels:
        assert decoder.step(level, readable=True) == 'C'
    assert must_open(levels, levels[-1].at)
    assert play(decoder, (6.0, 1.0), start=levels[-1].at) == []
