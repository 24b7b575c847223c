"""current_pilot.py: what a board is told and when, and what is published."""

import math
from dataclasses import replace

import pytest
from charge_point import PilotDesk

from charger_control.core.iso61851.raw.types import EventKind
from charger_control.core.iso61851.wake import WakeUpConfig
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage

NAN, INF = math.nan, math.inf


@pytest.fixture
def desk():
    return PilotDesk('C').offering()


def offer(desk):
    return desk.tick().offer


# -- a start ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('letter', ['B', 'C'])
def test_a_start_with_a_vehicle_present_offers_nothing_for_10_s(letter):
    desk = PilotDesk(letter)
    desk.step()
    assert desk.run(9.9375).offer is None
    assert offer(desk) == 16.0


def test_a_start_without_a_vehicle_needs_no_hold():
    desk = PilotDesk('A')
    desk.step()
    desk.set(letter='B')
    assert offer(desk) == 16.0


@pytest.mark.parametrize('first', ['S', 'E', 'F', 'R'])
def test_the_hold_begins_when_it_is_known_that_a_vehicle_is_there(first):
    desk = PilotDesk(first)
    desk.run(20.0)
    desk.set(letter='B')
    desk.tick()
    assert desk.run(9.9375).offer is None


def test_nothing_is_offered_before_hw_limit_and_available_were_heard():
    for name in ('hw', 'available'):
        desk = PilotDesk('A')
        setattr(desk, name, None)
        assert desk.run(20.0).offer is None


# -- available, 1 s --------------------------------------------------------------------------------

def test_available_silent_for_1_s_no_offer(desk):
    desk.available = None
    assert desk.run(1.0).offer == 16.0
    assert offer(desk) is None


@pytest.mark.parametrize('available', [
    AvailableAmperage(NAN, 20.0, True), AvailableAmperage(20.0, NAN, True),
    AvailableAmperage(20.0, -1.0, True), AvailableAmperage(-1.0, 20.0, True),
    AvailableAmperage(INF, INF, True), AvailableAmperage(20.0, 20.0, True, valid_for=NAN),
    AvailableAmperage(20.0, 20.0, True, valid_for=-1.0)])
def test_an_available_that_cannot_be_is_silence(desk, available):
    desk.available = available
    assert desk.run(1.0).offer == 16.0
    assert offer(desk) is None


@pytest.mark.parametrize('available', [
    AvailableAmperage(0.0, 0.0, False), AvailableAmperage(16.0, 16.0, False),
    AvailableAmperage(0.0, 0.0, True), AvailableAmperage(5.0, 5.0, True)])
def test_no_offer_at_once(desk, available):
    desk.available = available
    assert offer(desk) is None


def test_a_decrease_in_the_same_tick_and_an_increase_after_5_s(desk):
    desk.available = AvailableAmperage(10.0, 10.0, True)
    assert offer(desk) == 10.0
    desk.available = AvailableAmperage(16.0, 16.0, True)
    assert desk.run(4.9375).offer == 10.0
    assert offer(desk) == 16.0


# -- rule 4 ----------------------------------------------------------------------------------------

def test_a_lower_hw_limit_in_the_same_tick(desk):
    desk.hw = AmperageLimit(13.0)
    assert offer(desk) == 13.0
    desk.hw = AmperageLimit(5.99)
    assert offer(desk) is None


@pytest.mark.parametrize('said', [AmperageLimit(32.0), AmperageLimit(32.0, lost_amperage=32.0)])
def test_a_silent_hw_limit_is_0_after_5_s_whatever_it_said(desk, said):
    desk.hw = said
    desk.tick()
    desk.hw = None
    assert desk.run(5.0).offer == 16.0
    assert offer(desk) is None


@pytest.mark.parametrize('said', [
    AmperageLimit(NAN), AmperageLimit(INF), AmperageLimit(-1.0),
    AmperageLimit(32.0, valid_for=NAN)])
def test_a_hw_limit_that_cannot_be_is_silence(desk, said):
    desk.hw = said
    assert desk.run(5.0).offer == 16.0
    assert offer(desk) is None


@pytest.mark.parametrize(('cable', 'offered'), [
    (20.0, 16.0), (13.0, 13.0), (5.0, None), (NAN, None), (0.0, None), (-INF, None), (INF, 16.0)])
def test_a_socket_takes_the_cable_into_account(cable, offered):
    desk = PilotDesk('A', socket=True)
    desk.run(1.0)
    desk.set(letter='B', cable_amperage=cable)
    assert offer(desk) == offered


def test_the_cable_of_a_tethered_charge_point_is_neither_used_nor_published(desk):
    desk.set(cable_amperage=5.0)
    assert offer(desk) == 16.0
    assert math.isnan(desk.result.pilot.cable_amperage)


# -- the board -------------------------------------------------------------------------------------

def test_a_board_that_does_not_answer_for_1_s_no_offer_said_once(desk):
    desk.board_alive, desk.error = False, 'no answer on /dev/ttyUSB0'
    result = desk.run(1.0)
    assert (result.offer, result.pilot.error) == (16.0, ''), 'one lost poll is no error yet'
    assert result.pilot.age == 1.0
    result = desk.tick()
    assert (result.offer, result.pilot.vehicle_status) == (None, 'S')
    assert result.pilot.error == 'no answer on /dev/ttyUSB0'
    assert desk.tick().pilot is None
    desk.board_alive = True
    assert desk.tick().pilot.error == ''


def test_before_the_first_answer_it_says_so_once():
    desk = PilotDesk()
    desk.board_alive = False
    assert desk.tick().pilot.error == 'no answer'
    assert desk.tick() == replace(desk.result, offer=None, open_contactor=False, pilot=None)


@pytest.mark.parametrize('fields', [
    {'signaled_amperage': NAN}, {'signaled_amperage': -1.0}, {'signaled_amperage': INF},
    {'signaled_amperage': 1e4}, {'letter': ''}, {'letter': 'EF'}, {'letter': 'X'}])
def test_an_answer_that_cannot_be_is_refused_counted_and_silence(desk, fields):
    desk.obeys = False
    desk.set(**fields)
    assert desk.run(1.0).offer == 16.0
    result = desk.tick()
    assert result.offer is None
    assert 'the board says' in result.pilot.error
    assert desk.control.refused == 17


@pytest.mark.parametrize('letter', ['D', 'E', 'F', 'S', 'R'])
def test_no_offer_in_these_states(desk, letter):
    desk.set(letter=letter)
    assert offer(desk) is None


def test_a_board_that_is_not_as_configured_gets_no_offer(desk):
    desk.set(unsafe=True)
    assert offer(desk) is None
    assert desk.result.pilot.fault == 'board not as configured'


def test_a_board_reset_gets_no_more_than_before(desk):
    desk.obeys = False
    desk.set(letter='B', signaled_amperage=32.0)
    assert offer(desk) == 16.0


# -- what is published -----------------------------------------------------------------------------

@pytest.mark.parametrize(('letter', 'status'), [('A', 'A1'), ('B', 'B2'), ('C', 'C2')])
def test_states_while_the_board_offers(desk, letter, status):
    desk.set(letter=letter)
    pilot = desk.tick().pilot
    assert (pilot.vehicle_status, pilot.charge_controller_status) == (letter, status)
    assert pilot.signaled_amperage == 16.0
    assert pilot.duty_cycle == pytest.approx(0.26667, abs=1e-5)
    assert pilot.contactor_commanded is (letter == 'C')


def test_states_while_it_does_not(desk):
    desk.available = AvailableAmperage(0.0, 0.0, False)
    desk.run(1.0)
    pilot = desk.result.pilot
    assert (pilot.charge_controller_status, pilot.duty_cycle) == ('C1', 1.0)


def test_a_vehicle_that_does_not_react_to_its_offer_is_remarked_as_this_board_cannot_wake_it():
    desk = PilotDesk('B').offering()
    assert desk.run(58.0) and desk.control.note == ''
    desk.run(3.0)
    assert 'no means to wake' in desk.control.note
    desk.set(letter='C').tick()
    assert desk.control.note == ''
    desk.set(letter='B').run(3600.0)
    assert desk.control.note == '', 'it has charged with this offer: it is full'


def woken(desk, seconds, letter='B'):
    """s of state F that the board is told meanwhile; it obeys."""
    asked, end = [], desk.now + seconds
    dark_until, desk.obeys = 0.0, False
    while desk.now < end:
        dark = desk.now < dark_until
        desk.set(letter=letter, signaled_amperage=0.0 if dark or not desk.result.offer else 16.0)
        if wake := desk.tick().wake:
            asked.append(wake)
            dark_until = desk.now + wake
    return asked


def test_a_vehicle_that_does_not_react_is_woken_and_then_that_is_said():
    """Never before, with boards that own their pilot."""
    desk = PilotDesk('A', wake_up=WakeUpConfig())
    desk.step()
    assert woken(desk, 10.0, 'A') == [], 'an offer without a vehicle is none'
    assert woken(desk, 200.0) == [4.0, 30.0]
    assert desk.control.note.endswith('was not woken by state F')
    desk.available = AvailableAmperage(0.0, 0.0, False)
    assert woken(desk, 905.0) == []
    desk.available = AvailableAmperage(16.0, 16.0, True)
    assert woken(desk, 200.0) == [4.0, 30.0]


def test_waking_is_told_to_people_once_and_only_if_the_board_can():
    for wake_up, times in ((WakeUpConfig(), 1), (None, 0)):
        desk = PilotDesk('A', wake_up=wake_up)
        desk.step()
        desk.set(letter='B')
        events = []
        while desk.now < 1040.0:
            events += desk.tick().events
        assert [event.kind for event in events] == times * [EventKind.WAKE_UP]


@pytest.mark.parametrize('ends', ['available', 'fault', 'silence'])
def test_nobody_is_woken_without_an_offer(ends):
    desk = PilotDesk('A', wake_up=WakeUpConfig())
    desk.step()
    assert woken(desk, 29.0) == []
    if ends == 'available':
        desk.available = AvailableAmperage(0.0, 0.0, False)
    elif ends == 'fault':
        desk.set(error_cause='BoardFault')
    else:
        desk.board_alive = False
    assert woken(desk, 60.0) == []
