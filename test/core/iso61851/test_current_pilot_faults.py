"""current_pilot.py: faults, opening under load, and the end of the process."""

import math

import pytest
from charge_point import PilotDesk

from charger_control.core.heard import Heard
from charger_control.core.iso61851 import PilotReading
from charger_control.core.iso61851.faults import NOT_STOPPING, OVER_CURRENT, WELDED
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading

NAN, INF = math.nan, math.inf


@pytest.fixture
def desk():
    return PilotDesk('C').offering()


def offer(desk):
    return desk.tick().offer


# -- opening under load, and faults ----------------------------------------------------------------

def stubborn(desk):
    """A vehicle that goes on drawing."""
    desk.set(contactor_closed=True)
    desk.amperage = (16.0, 16.0, 16.0)
    desk.tick()
    desk.available = AvailableAmperage(0.0, 0.0, False)
    desk.tick()
    return desk


def test_the_contactor_opens_6_s_after_no_offer(desk):
    stubborn(desk)
    desk.tick()  # the board has acknowledged
    assert not desk.run(6.0).open_contactor
    assert desk.tick().open_contactor
    assert desk.fault == NOT_STOPPING
    desk.set(contactor_closed=False)
    assert not desk.tick().open_contactor


@pytest.mark.parametrize('fields', [
    {'letter': 'B', 'contactor_closed': False}, {'contactor_closed': False}])
def test_a_vehicle_that_has_stopped_is_not_opened_under_load(desk, fields):
    stubborn(desk)
    desk.run(5.9375)
    desk.set(**fields)
    desk.amperage = (0.0, 0.0, 0.0)
    assert not any(desk.tick().open_contactor for _ in range(40))
    assert desk.fault == ''


@pytest.mark.parametrize(('letter', 'fault'), [
    ('R', 'CpDiodeShortCircuit'), ('E', 'CpShortCircuit'), ('D', 'VentilationNotAvailable')])
def test_a_fault_of_the_pilot_opens_at_once(desk, letter, fault):
    desk.set(contactor_closed=True)
    desk.tick()
    desk.set(letter=letter)
    assert desk.tick().open_contactor
    assert (desk.result.offer, desk.fault) == (None, fault)
    desk.set(contactor_closed=False)
    assert not desk.tick().open_contactor


def test_over_current_opens_at_once_and_clears_after_30_s(desk):
    desk.set(contactor_closed=True)
    desk.amperage = (18.2, 0.0, 0.0)
    desk.tick()
    assert desk.run(7.0).offer == 16.0
    result = desk.tick()
    assert (result.offer, result.open_contactor, desk.fault) == (None, True, OVER_CURRENT)
    desk.set(contactor_closed=False, letter='B')
    desk.amperage = (0.0, 0.0, 0.0)
    assert desk.run(29.9).offer is None
    assert desk.run(0.2).offer == 16.0
    assert desk.result.pilot.recent_error_cause == OVER_CURRENT


def test_a_latched_fault_never_offers_and_goes_by_reset():
    desk = PilotDesk('A', latched=WELDED)
    desk.run(1.0)
    desk.set(letter='B')
    result = desk.run(100.0)
    assert (result.offer, result.latch, desk.fault) == (None, WELDED, WELDED)
    desk.control.faults.reset()
    assert desk.tick().latch == ''
    assert desk.result.offer == 16.0


def test_a_welded_contactor_is_to_be_latched(desk):
    desk.set(contactor_closed=True)
    desk.tick()
    desk.set(letter='B')
    desk.run(1.5)
    assert desk.result.latch == WELDED


@pytest.mark.parametrize('reading', [
    MeterReading(amperage=(1e9, 0.0, 0.0)), MeterReading(amperage=(INF, 0.0, 0.0)),
    MeterReading(amperage=(20.0, 0.0, 0.0), error='no answer'), MeterReading(),
    MeterReading(amperage=(20.0, 0.0, 0.0), age=3.5),
    MeterReading(amperage=(20.0, 0.0, 0.0), age=NAN)])
def test_a_measurement_that_cannot_be_or_is_old_is_no_fault(desk, reading):
    desk.set(letter='B', contactor_closed=False)
    for _ in range(200):
        desk.control.hear_meter(Heard(reading, desk.now))
        assert desk.tick().latch == ''
    assert desk.fault == ''


def test_a_suspend_is_no_fault(desk):
    desk.set(contactor_closed=True)
    desk.amperage = (16.0, 16.0, 16.0)
    desk.run(2.0)
    desk.now += 3600.0
    desk.board_alive, desk.amperage, desk.available = False, None, None
    assert offer(desk) is None
    desk.board_alive = True
    desk.set(letter='B', contactor_closed=False, signaled_amperage=0.0)
    assert desk.run(5.0).latch == ''
    assert desk.fault == ''


# -- the end ---------------------------------------------------------------------------------------

def stopped(desk):
    return desk.control.stopped(desk.now, Heard(desk.board, desk.now))


def test_sigterm_ends_when_the_vehicle_has_stopped(desk):
    desk.set(contactor_closed=True)
    desk.tick()
    desk.control.stop()
    assert not stopped(desk)
    assert offer(desk) is None
    desk.run(2.0)
    assert not stopped(desk)
    desk.set(letter='B', contactor_closed=False)
    desk.tick()
    assert stopped(desk)


def test_sigterm_opens_after_6_s_and_ends(desk):
    desk.set(contactor_closed=True)
    desk.control.stop()
    desk.run(6.0)
    assert not stopped(desk)
    assert desk.run(0.25).open_contactor
    desk.set(contactor_closed=False)
    desk.tick()
    assert stopped(desk)


def test_sigterm_does_not_wait_for_a_silent_board(desk):
    assert desk.control.stopped(desk.now + 2.0, Heard(desk.board, desk.now))
    assert desk.control.stopped(desk.now, None)


def test_a_board_that_says_nonsense_has_not_stopped(desk):
    assert not desk.control.stopped(desk.now, Heard(PilotReading('C', NAN), desk.now))


# -- a board that does not obey --------------------------------------------------------------------

def test_a_board_that_never_takes_no_offer_is_opened_a_second_later(desk):
    desk.set(contactor_closed=True)
    desk.tick()
    desk.obeys = False
    desk.available = AvailableAmperage(0.0, 0.0, False)
    assert offer(desk) is None
    assert not desk.run(7.0).open_contactor
    assert desk.tick().open_contactor
    assert desk.fault == NOT_STOPPING


def test_the_fault_is_said_even_if_the_board_opens_in_the_same_moment(desk):
    """It polls; with the answer in which the 6 s are over the contactor is open already."""
    stubborn(desk)
    while not desk.tick().open_contactor:
        pass
    desk.set(contactor_closed=False)
    desk.amperage = (0.0, 0.0, 0.0)
    assert desk.run(29.0).offer is None and desk.fault == NOT_STOPPING


def test_a_board_that_takes_it_late_has_its_6_s_from_then_but_no_more_than_7_in_all(desk):
    desk.set(contactor_closed=True)
    desk.tick()
    desk.obeys = False
    desk.available = AvailableAmperage(0.0, 0.0, False)
    desk.run(0.5)
    desk.obeys = True
    desk.tick()
    assert not desk.run(6.0).open_contactor
    assert desk.tick().open_contactor


def test_sigterm_does_not_wait_for_ever_for_a_board_that_never_takes_it(desk):
    desk.set(contactor_closed=True)
    desk.obeys = False
    desk.control.stop()
    desk.run(7.5)
    assert not stopped(desk)
    assert desk.run(0.125).open_contactor
    assert stopped(desk)


# -- a vehicle that waits in C ---------------------------------------------------------------------

class WaitingInC(PilotDesk):
    """A vehicle that stays in C; its board closes as soon as it has taken an offer, and the meter
    may see the current before the board is asked again.

    Attributes:
        period: s between two answers of the board.
    """

    def __init__(self, period, **config):
        super().__init__('C', **config)
        self.period, self.obeys = period, False
        self._asked_at = self.now
        self.openings, self.faults = 0, set()

    def step(self):
        offer = self.result.offer if self.result else None
        closed = offer is not None
        self.amperage = (16.0, 0.0, 0.0) if closed else (0.0, 0.0, 0.0)
        self.board_alive = self.now - self._asked_at >= self.period
        if self.board_alive:
            self._asked_at = self.now
            self.set(signaled_amperage=offer or 0.0, contactor_closed=closed)
        result = super().step()
        self.openings += result.open_contactor
        self.faults |= {result.pilot.fault} - {''} if result.pilot else set()
        return result


@pytest.mark.parametrize('period', [0.0625, 0.25, 0.5])
@pytest.mark.parametrize('pause', [7.0, 60.0, 3600.0])
def test_an_offer_after_a_pause_with_the_vehicle_waiting_in_c_is_no_fault(period, pause):
    desk = WaitingInC(period)
    desk.run(12.0)
    assert desk.result.offer == 16.0
    desk.available = AvailableAmperage(0.0, 0.0, False)
    desk.run(pause)
    assert desk.result.offer is None
    desk.available = AvailableAmperage(16.0, 16.0, True)
    desk.run(30.0)
    assert (desk.faults, desk.openings) == (set(), 0)
    assert desk.result.offer == 16.0


def test_a_start_with_a_vehicle_waiting_in_c_is_no_fault():
    desk = WaitingInC(0.25)
    desk.run(60.0)
    assert (desk.faults, desk.openings, desk.result.offer) == (set(), 0, 16.0)


def test_a_board_that_does_not_tell_its_contactor_is_asked_to_open_once_a_pause_unless_it_draws():
    desk = PilotDesk('C').offering()
    desk.amperage = (0.0, 0.0, 0.0)
    desk.available = AvailableAmperage(0.0, 0.0, False)
    desk.run(5.0)
    asked = sum(desk.tick().open_contactor for _ in range(16 * 60)) / 16
    assert 1.9 <= asked <= 2.1
    desk.amperage = (16.0, 0.0, 0.0)
    desk.tick()
    assert desk.tick().open_contactor
