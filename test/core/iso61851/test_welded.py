"""faults.py: the contactor that did not open, and all that must not be taken for it."""

import math

import pytest
from charge_point import FaultsDesk as Desk

from charger_control.core.iso61851.faults import WELDED

NAN = math.nan
TICK = Desk.TICK


@pytest.mark.parametrize('letter', ['A', 'B'])
def test_feedback_closed_1_s_after_opening_is_latched(letter):
    desk = Desk()
    desk.run(10.0)
    desk.tick(letter=letter, signaled=0.0)
    assert desk.run(1.0) == ''
    assert desk.tick() == desk.it.latched == WELDED
    desk.closed = False
    assert desk.run(3600.0) == WELDED, 'never by itself'
    assert desk.run(1.0, letter='A') == WELDED, 'and not by unplugging'


def test_current_after_opening_is_latched_when_the_meter_cannot_mean_the_past():
    desk = Desk(closed=None, drawn=16.0)
    desk.run(10.0)
    desk.tick(letter='B')
    # 1 s to open, 1 s of the meter's own past, and 3 s in which samples agree
    assert desk.run(5.0) == ''
    assert desk.tick() == WELDED


def test_a_single_sample_is_no_welded_contactor():
    desk = Desk('B', 0.0, closed=None)
    desk.run(10.0)
    desk.tick(drawn=16.0)
    assert desk.run(60.0, drawn=0.0) == ''
    desk.tick(drawn=16.0)
    at, desk.drawn = desk.now, None     # the meter falls silent after it
    assert desk.run(60.0) == ''
    desk.drawn, desk.meter_lag = 16.0, desk.now + TICK - at     # and gives the same one once more
    assert desk.tick() == ''


def test_samples_that_do_not_agree_are_no_welded_contactor():
    desk = Desk('B', 0.0, closed=None)
    desk.run(10.0)
    for _ in range(20):
        desk.run(0.875, drawn=16.0)
        assert desk.tick(drawn=0.5) == ''


@pytest.mark.parametrize('period', [0.25, 1.0, 5.0])
def test_two_samples_that_agree_are_enough_however_seldom_they_come(period):
    desk = Desk('B', 0.0, closed=None)
    desk.run(10.0)
    assert desk.tick(drawn=16.0) == ''
    for _ in range(round(max(period, 3.0) / period)):
        assert desk.run(period - TICK, drawn=None) == ''
        last = desk.tick(drawn=16.0)
    assert last == WELDED


def test_a_moment_in_c_between_two_answers_is_no_welded_contactor():
    desk = Desk('B', 16.0, closed=False)
    desk.run(10.0)
    assert desk.tick(closed=True) == ''     # it was in C, and opens now
    assert desk.run(60.0, closed=False) == ''
    assert desk.run(1.0, closed=True) == ''
    assert desk.run(0.25) == WELDED


@pytest.mark.parametrize('drawn', [1.0, 0.99, 0.0, NAN, None])
def test_up_to_1_a_is_no_welded_contactor(drawn):
    assert Desk('B', 0.0, closed=False, drawn=drawn).run(60.0) == ''


def test_a_meter_that_lags_is_no_welded_contactor():
    desk = Desk(drawn=16.0)
    desk.run(10.0)
    desk.tick(letter='B', signaled=0.0, closed=False)
    for i in range(24):  # its last sample ages up to 3 s, from 1.9 s after the opening
        desk.tick(meter_lag=max(0.0, (i + 2) * TICK - 1.9))
    desk.tick(drawn=None)
    assert desk.run(10.0) == ''


def test_a_sample_newer_than_the_boards_word_is_no_welded_contactor():
    desk = Desk('B', 16.0, closed=False)
    desk.run(10.0)
    for i in range(12):  # the vehicle closes S2 and draws; the board is heard 1.5 s later
        assert desk.tick(drawn=16.0, board_lag=(i + 1) * TICK) == ''
    assert desk.run(10.0, letter='C', closed=True, board_lag=0.0) == ''


def test_but_a_board_that_then_still_says_b_is():
    desk = Desk('B', 16.0, closed=False)
    desk.run(10.0)
    for i in range(32):
        desk.tick(drawn=16.0, board_lag=(i + 1) * TICK)
    assert desk.tick(board_lag=0.0) == WELDED


def test_one_answer_of_the_board_that_grows_old_is_no_welded_contactor():
    desk = Desk()
    desk.run(10.0)
    desk.tick(letter='B', signaled=0.0)  # read in the 100 ms in which the contactor opens
    for i in range(16):
        assert desk.tick(board_lag=(i + 1) * TICK) == ''
    assert desk.run(10.0, board_lag=0.0, closed=False) == ''


def test_a_link_that_was_lost_in_between_starts_the_second_anew():
    desk = Desk('B', 0.0, closed=False)
    desk.run(10.0)
    desk.it.board_lost()
    desk.now += 60.0
    assert desk.tick(closed=True) == '', 'it may have charged meanwhile and be opening now'
    assert desk.tick(closed=False) == ''


@pytest.mark.parametrize('letter', ['E', 'F', 'R'])
def test_the_board_has_3_s_to_open_after_a_fault_of_the_pilot(letter):
    desk = Desk()
    desk.run(10.0)
    desk.tick(letter=letter)
    assert desk.run(3.0) != WELDED
    desk.tick(closed=False)
    assert desk.run(60.0, letter='B', signaled=0.0) != WELDED
    desk = Desk()
    desk.tick(letter=letter)
    assert desk.run(4.25) == WELDED


def test_an_unknown_state_says_nothing_about_the_contactor():
    assert Desk('S').run(60.0) == ''


def test_the_latch_survives_a_restart_and_goes_by_reset():
    desk = Desk('A', 0.0, closed=False, latched=WELDED)
    assert desk.run(100.0) == WELDED
    assert desk.it.recent == WELDED
    assert desk.it.reset()
    assert desk.tick() == ''
    assert not desk.it.reset()


def test_a_reset_while_it_is_still_welded_comes_back_after_a_second():
    desk = Desk('B', 0.0, closed=True)
    assert desk.run(2.0) == WELDED
    desk.it.reset()
    assert desk.run(1.0) == ''
    assert desk.run(0.25) == WELDED


@pytest.mark.parametrize('time_constant', [2.0, 3.0, 8.0])
def test_the_average_of_a_slow_meter_is_no_welded_contactor(time_constant):
    """A meter that averages over 2 to 3 s still shows current 5 s after the contactor opened."""
    desk = Desk(closed=None, drawn=16.0)
    desk.run(10.0)
    opened = desk.now
    for _ in range(round(60.0 / TICK)):
        shown = 16.0 * math.exp(-(desk.now - opened) / time_constant)
        assert desk.tick(letter='B', drawn=shown) == ''


def test_what_is_left_and_stays_is_one_and_says_what_else_it_may_be():
    desk = Desk(closed=None, drawn=16.0)
    desk.run(10.0)
    opened = desk.now
    for _ in range(round(20.0 / TICK)):
        shown = max(3.0, 16.0 * math.exp(-(desk.now - opened) / 2.0))
        desk.tick(letter='B', drawn=shown)
    assert desk.fault == WELDED
    assert '3.0 A through the open contactor' in desk.it.detail
    assert 'iso61851.meter_lag' in desk.it.detail
    desk.it.reset()
    assert desk.it.detail == ''
