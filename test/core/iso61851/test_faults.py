"""faults.py: every row of the table Faults that control pilot and contactor own."""

import math

import pytest
from charge_point import FaultsDesk as Desk

from charger_control.core.heard import Heard
from charger_control.core.iso61851.faults import (
    BOARD,
    CP_SHORT,
    DIODE,
    NOT_STOPPING,
    OVER_CURRENT,
    VENTILATION,
    WELDED,
    Since,
)

NAN = math.nan


def test_since():
    since = Since()
    assert [since(0.0, False), since(1.0, True), since(3.0, True)] == [-1.0, 0.0, 2.0]
    assert [since(4.0, False), since(5.0, True)] == [-1.0, 0.0]


# -- EV does not stop ------------------------------------------------------------------------------

@pytest.mark.parametrize('fields', [{'closed': True, 'drawn': 0.0}, {'closed': None, 'drawn': 10.0},
                                    {'closed': True, 'drawn': None}])
@pytest.mark.parametrize('letter', ['C', 'D'])
def test_a_vehicle_that_does_not_stop_6_s_after_no_offer(fields, letter):
    desk = Desk(letter, ventilation=True, **fields)
    desk.run(10.0)
    desk.tick(signaled=0.0)
    assert desk.run(6.0) == ''
    assert desk.tick() == NOT_STOPPING


def test_a_vehicle_that_leaves_c_at_exactly_6_s_has_stopped():
    desk = Desk(drawn=16.0)
    desk.run(10.0)
    desk.tick(signaled=0.0)
    assert desk.run(5.875) == ''
    assert desk.tick(letter='B', closed=False, drawn=0.0) == ''
    assert desk.run(60.0) == ''


def test_a_vehicle_that_stays_in_c_behind_an_open_contactor_has_stopped():
    desk = Desk(closed=True, drawn=16.0)
    desk.run(10.0)
    desk.tick(signaled=0.0)
    desk.run(3.0, closed=False, drawn=0.0)
    assert desk.run(60.0) == ''


def test_not_stopping_comes_first_and_welded_when_the_opening_did_not_help():
    desk = Desk(drawn=16.0)
    desk.run(10.0)
    desk.tick(signaled=0.0)
    faults = []
    for _ in range(80):
        if desk.tick() not in faults:
            faults.append(desk.fault)
    assert faults == ['', NOT_STOPPING, WELDED]


def test_an_opening_that_takes_a_second_is_only_not_stopping():
    desk = Desk(drawn=16.0)
    desk.run(10.0)
    desk.tick(signaled=0.0)
    desk.run(7.0)
    assert desk.tick(closed=False, drawn=0.0) == NOT_STOPPING
    assert desk.run(20.0) == NOT_STOPPING
    assert desk.it.latched == ''


# -- over-current ----------------------------------------------------------------------------------

@pytest.mark.parametrize(('signaled', 'drawn', 'fault'), [
    (16.0, 18.15, ''), (16.0, 18.16, OVER_CURRENT), (6.0, 7.15, ''), (6.0, 7.16, OVER_CURRENT),
    (32.0, 35.75, ''), (32.0, 36.0, OVER_CURRENT)])
def test_more_than_1_1_x_signal_plus_0_5_a_for_7_s(signaled, drawn, fault):
    desk = Desk(signaled=signaled, drawn=drawn)
    desk.tick()
    assert desk.run(7.0) == ''
    assert desk.tick() == fault


def test_any_phase_counts():
    desk = Desk()
    faults = [desk.it.step(t / 8, t / 8, letter='C', signaled=16.0, contactor_closed=True, cause='',
                           amperage=Heard((0.0, NAN, 20.0), t / 8)) for t in range(60)]
    assert faults[-1] == OVER_CURRENT


def test_a_break_starts_the_7_s_anew():
    desk = Desk(drawn=20.0)
    for _ in range(20):
        assert desk.run(6.875, drawn=20.0) == ''
        desk.tick(drawn=16.0)


def test_no_over_current_right_after_a_big_decrease():
    desk = Desk(signaled=32.0, drawn=32.0)
    desk.run(10.0)
    desk.signaled = 6.0
    assert desk.run(6.0) == '', 'the vehicle has 6 s to follow'
    assert desk.run(3.0) == '', 'and a meter may be 3 s late'
    assert desk.run(60.0, drawn=6.0) == ''


def test_over_current_when_the_vehicle_does_not_follow_a_decrease():
    desk = Desk(signaled=32.0, drawn=32.0)
    desk.run(10.0)
    desk.signaled = 6.0
    assert desk.run(13.0) == ''
    assert desk.run(0.5) == OVER_CURRENT


def test_current_after_the_offer_went_is_not_stopping_not_over_current():
    desk = Desk(drawn=16.0)
    desk.run(10.0)
    desk.tick(signaled=0.0)
    assert desk.run(6.125) == NOT_STOPPING


# -- what the pilot says ---------------------------------------------------------------------------

@pytest.mark.parametrize(('letter', 'fault'), [
    ('A', ''), ('B', ''), ('C', ''), ('D', VENTILATION), ('E', CP_SHORT), ('F', BOARD),
    ('R', DIODE), ('S', '')])
def test_states_that_are_a_fault_by_themselves(letter, fault):
    assert Desk(letter, 0.0, closed=False).tick() == fault


def test_d_with_ventilation_may_charge():
    assert Desk('D', ventilation=True).run(10.0) == ''


@pytest.mark.parametrize('letter', ['D', 'E', 'F'])
def test_cleared_by_the_state_going_away(letter):
    desk = Desk(letter, 0.0, closed=False)
    desk.run(10.0)
    assert desk.tick(letter='B') == ''
    assert desk.it.recent, 'kept for people'
    desk.tick(letter='A')
    assert desk.it.recent == ''


def test_what_the_board_reports_itself_comes_through():
    desk = Desk('B', 0.0, closed=False)
    assert desk.tick(cause=BOARD) == BOARD
    assert desk.tick(cause='') == ''
    assert desk.tick(cause=DIODE) == DIODE
    assert desk.tick(cause='') == DIODE, 'a diode fault stays for 30 s'


# -- clearing --------------------------------------------------------------------------------------

def diode_fault(desk):
    desk.tick(letter='R')
    desk.tick(letter='B')


def test_cleared_by_itself_after_30_s_three_times_a_session_then_by_unplugging():
    desk = Desk('B', 0.0, closed=False)
    for _ in range(3):
        diode_fault(desk)
        assert desk.run(29.75) == DIODE
        assert desk.tick() == ''
    diode_fault(desk)
    assert desk.run(3600.0) == DIODE
    assert desk.tick(letter='A') == ''
    desk.letter = 'B'
    diode_fault(desk)
    assert desk.run(30.0) == '', 'a new session has its own three'


def test_a_fault_without_a_vehicle_lasts_no_longer_than_its_cause():
    desk = Desk('A', 0.0, closed=False)
    assert desk.tick(cause=DIODE) == DIODE
    assert desk.tick(cause='') == ''


def test_the_30_s_count_from_the_end_of_the_condition():
    desk = Desk('R', 0.0, closed=False)
    assert desk.run(100.0) == DIODE
    desk.tick(letter='B')
    assert desk.run(29.5) == DIODE
    assert desk.run(0.5) == ''


def test_a_jump_of_the_clock_clears_once():
    desk = Desk('B', 0.0, closed=False)
    diode_fault(desk)
    desk.now += 3600.0
    assert desk.tick() == ''
