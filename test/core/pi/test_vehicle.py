"""pi/vehicle.py: what is learned of a vehicle, and what is concluded from it."""

import math

import pytest

from charger_control.core.pi.vehicle import Vehicle

PAUSE = 300.0


def known(*points):
    vehicle = Vehicle(PAUSE)
    for signaled, drawn in points:
        vehicle.note(signaled, drawn)
    return vehicle


def of(gain, offset=0.0, *signals):
    return known(*((u, gain * u + offset) for u in signals))


def test_nothing_is_known_at_first():
    vehicle = Vehicle(PAUSE)
    assert vehicle.signal_for(16.0) is None
    assert vehicle.drawn_at(16.0) == 16.0
    assert vehicle.slope() == 1.0
    assert not vehicle.may_be_whole()


@pytest.mark.parametrize(('gain', 'offset'), [(0.95, 0.0), (1.0, -2.3), (0.97, -0.4), (1.07, 0.0)])
def test_two_points_tell_gain_and_offset(gain, offset):
    vehicle = of(gain, offset, 9.3, 20.1)
    for drawn in (7.0, 12.3, 25.0):
        signal = vehicle.signal_for(drawn)
        assert gain * signal + offset == pytest.approx(drawn)
        assert vehicle.drawn_at(signal) == pytest.approx(drawn, abs=0.02)
    assert vehicle.slope() == pytest.approx(gain)


@pytest.mark.parametrize(('gain', 'offset'), [(0.94, 0.0), (1.0, -1.3), (1.07, 0.0), (1.0, 0.9)])
@pytest.mark.parametrize('drawn', [7.0, 13.0, 29.0])
def test_one_point_leaves_open_what_it_is_and_so_less_is_offered(gain, offset, drawn):
    signal = of(gain, offset, 16.0).signal_for(drawn)
    assert gain * signal + offset <= drawn + 1e-9
    assert gain * signal + offset >= drawn - 1.5


def test_the_newer_of_two_points_that_are_near_counts():
    vehicle = known((16.0, 15.2), (16.2, 15.9))
    assert vehicle.signal_for(15.9) == pytest.approx(16.2)


def test_points_that_no_vehicle_can_have_both_of_are_not_kept():
    vehicle = known((10.0, 9.5), (20.0, 10.6))
    assert vehicle.signal_for(10.6) == pytest.approx(20.0)
    vehicle.note(11.0, 13.0)
    assert vehicle.signal_for(13.0) == pytest.approx(11.0)
    assert vehicle.slope() == 1.0


# -- whole amperes ---------------------------------------------------------------------------------

def whole(gain, offset, *signals):
    return known(*((u, float(math.floor(gain * u + offset))) for u in signals))


def test_whole_amperes_are_believed_when_nobody_aimed_at_them_twice():
    assert not whole(0.95, 0.0, 15.5).is_whole()
    assert whole(0.95, 0.0, 15.5).may_be_whole()
    assert whole(0.95, 0.0, 15.5, 11.7, 20.3).is_whole()
    vehicle = whole(0.95, 0.0, 15.5, 11.7, 20.3)
    for drawn in (9.7, 13.3, 18.9):
        signal = vehicle.signal_for(drawn)
        assert math.floor(0.95 * signal) <= drawn


def test_whole_amperes_that_were_aimed_at_are_no_sign():
    assert not of(1.0, 0.0, 10.0, 16.0, 13.0, 20.0).is_whole()
    vehicle = known((15.96, 15.0), (10.7, 10.0))    # by chance, and then as predicted
    for drawn in (20.0, 13.0, 25.0, 7.0):
        vehicle.note(vehicle.signal_for(drawn), drawn)
    assert not vehicle.is_whole()


def test_one_that_draws_in_between_is_never_taken_for_whole():
    vehicle = whole(0.95, 0.0, 15.5, 11.7, 20.3)
    vehicle.note(16.0, 15.3)
    assert not vehicle.may_be_whole()
    assert not vehicle.is_whole()
    vehicle.did_not_answer()
    vehicle.did_not_answer()
    assert not vehicle.is_whole()


# -- its own limit ---------------------------------------------------------------------------------

def test_a_limit_holds_for_its_pause_and_ends_with_a_sample_above():
    vehicle = of(1.0, 0.0, 10.0)
    vehicle.set_limit(0.0, 20.0, 16.0)
    assert vehicle.is_limited(PAUSE - 1.0, 20.0, 16.0)
    assert not vehicle.is_limited(PAUSE, 20.0, 16.0)
    assert vehicle.within_limit(20.0) == 16.0
    vehicle.saw(16.2)
    assert vehicle.within_limit(20.0) == 16.0, 'noise'
    vehicle.saw(17.0)
    assert vehicle.within_limit(20.0) == 20.0


def test_asked_in_vain_again_the_pause_doubles_but_always_ends():
    vehicle = of(1.0, 0.0, 10.0)
    now, pauses = 0.0, []
    for _ in range(4):
        vehicle.set_limit(now, 20.0, 16.0)
        began = now
        while vehicle.is_limited(now, 20.0, 16.0):
            now += 10.0
        pauses.append(now - began)
    assert pauses == [300.0, 600.0, 1200.0, 2400.0]


def test_less_at_a_lower_signal_is_not_the_limit_but_less_at_the_same_is():
    vehicle = of(0.95, 0.0, 10.0)
    vehicle.set_limit(0.0, 20.0, 16.0)
    assert not vehicle.is_limited(1.0, 12.0, 11.4)
    assert vehicle.within_limit(20.0) == 16.0
    assert vehicle.is_limited(1.0, 20.0, 14.0), 'it tapers'
    assert vehicle.within_limit(20.0) == 14.0


def test_what_it_draws_at_its_limit_is_no_answer_to_the_signal():
    vehicle = of(0.95, 0.0, 8.0, 14.0)
    before = vehicle.signal_for(12.0)
    vehicle.set_limit(0.0, 24.0, 16.0)
    vehicle.note(24.0, 16.0)
    assert vehicle.signal_for(12.0) == pytest.approx(before)


def test_beyond_its_limit_it_is_offered_what_was_commanded():
    vehicle = of(0.95, 0.0, 8.0, 14.0)
    vehicle.set_limit(0.0, 24.0, 16.0)
    assert vehicle.signal_for(24.0) == 24.0
    assert vehicle.signal_for(16.2) == pytest.approx(16.0 / 0.95)
    over = of(1.05, 0.0, 8.0, 14.0)
    over.set_limit(0.0, 24.0, 16.0)
    assert over.signal_for(24.0) == pytest.approx(24.0 / 1.05)


@pytest.mark.parametrize(('signaled', 'drawn', 'short'), [
    (16.0, 15.2, False), (16.0, 14.0, True), (12.0, 11.0, False), (20.0, 15.9, True),
    (16.8, 14.8, True)])
def test_less_than_it_drew_before_or_than_any_vehicle_would(signaled, drawn, short):
    assert known((16.0, 15.2)).fell_short(signaled, drawn) is short


# -- its least current -----------------------------------------------------------------------------

def test_one_that_stopped_is_offered_more_but_never_more_than_commanded():
    vehicle = of(1.08, 0.0, 10.0)
    assert vehicle.signal_for(8.5) < 8.0
    vehicle.stopped(7.8)
    assert vehicle.signal_for(8.5) == pytest.approx(8.1)
    assert vehicle.signal_for(7.9) == 7.9
    assert vehicle.signal_for(10.0) == pytest.approx(10.0 / 1.08, abs=0.1)


def test_one_that_stopped_at_much_has_another_reason():
    vehicle = of(1.08, 0.0, 16.0)
    vehicle.stopped(14.8)
    assert vehicle.signal_for(16.0) == pytest.approx(16.0 / 1.08, abs=0.1)


def test_one_that_stopped_twice_is_offered_what_it_is_known_to_draw_at():
    vehicle = Vehicle(300.0)
    vehicle.note(8.0, 8.64)
    vehicle.stopped(7.4)
    assert vehicle.lowest_signal() == pytest.approx(7.7)
    vehicle.stopped(7.7)
    assert vehicle.lowest_signal() == 8.0
    vehicle.stopped(8.0)
    assert vehicle.lowest_signal() == pytest.approx(8.3), 'it is known no more'
    vehicle.note(7.5, 8.1)
    assert vehicle.lowest_signal() == -math.inf, 'it draws at less: those were pauses'
