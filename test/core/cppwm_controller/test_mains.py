"""mains.py: an outage is seen, and what comes after it is spread over a while."""

from __future__ import annotations

import itertools
import math

import pytest
from charge_point import ControllerDesk

from charger_control.core.cppwm_controller.mains import AfterOutage, Mains
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import UNKNOWN_PHASES, Phases

GOOD, DARK = (230.0,) * 3, (0.0,) * 3


def supplied(*course: tuple[float, Phases | None, bool, bool | None]) -> list[bool | None]:
    """What is said of the supply after each (for so many s, voltage, pilot, closed)."""
    mains, now, said = Mains(), 0.0, []
    for seconds, voltage, pilot, closed in course:
        said.append(None)
        for _ in range(round(seconds * 10)):
            now += 0.1
            said[-1] = mains.step(now, voltage, pilot=pilot, closed=closed)
    return said


def test_a_meter_says_whether_the_supply_is_there() -> None:
    assert supplied((1.0, GOOD, True, False), (0.8, DARK, True, False), (1.0, DARK, True, False),
                    (0.1, GOOD, True, False)) == [True, None, False, True]
    lost_phase = (0.0, 230.0, 230.0)
    assert supplied((1.0, GOOD, True, False), (9.0, lost_phase, True, False)) == [True, True]


def test_a_meter_behind_the_contactor_says_nothing() -> None:
    assert supplied((9.0, DARK, True, False), (9.0, GOOD, True, True), (9.0, DARK, True, False)
                    ) == [None, True, None]


def test_without_voltages_the_board_does() -> None:
    assert supplied((1.0, UNKNOWN_PHASES, True, None), (1.0, None, True, None),
                    (1.0, None, False, None)) == [True, True, None]


def test_silence_of_all_devices_for_15_s_is_an_outage_and_a_moved_cable_is_not() -> None:
    heard, silent = (1.0, GOOD, True, False), (14.0, None, False, None)
    assert supplied(heard, silent, heard) == [True, None, True]
    assert supplied(heard, silent, (1.5, None, False, None), heard) == [True, None, False, True]
    assert supplied((60.0, None, False, None), heard) == [None, True], 'never heard is none'
    assert supplied((60.0, None, True, None), (60.0, None, False, None)) == [True, None]


def wait(seed: int, **after: bool) -> float:
    """s from the return of the supply until something may be offered again."""
    hold = AfterOutage(600.0, seed, after_outage=after.get('after_outage', False))
    inputs = {'connected': True, 'own_enable': False, 'start_hold': 5.0}
    if 'after_outage' not in after:
        assert hold.step(0.0, True, **inputs) == ''
        assert hold.step(1.0, False, **inputs) == 'the supply is gone'
    now = 100.0
    while hold.step(now, True, **inputs):
        now += 0.5
    return now - 100.0


def test_a_street_starts_within_ten_minutes_and_not_at_once() -> None:
    for after in ({}, {'after_outage': True}):
        street = sorted(wait(seed, **after) for seed in range(200))
        assert street[0] < 20.0 and 580.0 < street[-1] <= 600.5
        assert max(b - a for a, b in itertools.pairwise(street)) < 40.0
        assert max(sum(a <= b < a + 10.0 for b in street) for a in street) < 15, 'in any 10 s'


def test_each_outage_waits_another_time() -> None:
    hold = AfterOutage(600.0, 1, after_outage=True)
    inputs = {'connected': True, 'own_enable': False, 'start_hold': 5.0}
    first = hold.step(0.0, True, **inputs)
    hold.step(1000.0, False, **inputs)
    assert hold.step(2000.0, True, **inputs) != first


@pytest.mark.parametrize(('unplugged', 'ends'), [(1.0, False), (5.0, True)])
def test_who_plugs_in_need_not_wait_and_a_board_that_starts_is_nobody(
        unplugged: float, ends: bool) -> None:
    hold = AfterOutage(600.0, 4, after_outage=True)
    inputs = {'own_enable': False, 'start_hold': 5.0}
    assert 'not all may start at once' in hold.step(0.0, True, connected=True, **inputs)
    hold.step(10.0, True, connected=False, **inputs)
    assert (hold.step(10.0 + unplugged, True, connected=True, **inputs) == '') is ends


def test_an_own_enable_leaves_the_usual_wait() -> None:
    hold = AfterOutage(600.0, 4, after_outage=True)
    inputs = {'connected': True, 'start_hold': 5.0}
    assert hold.step(0.0, True, own_enable=False, **inputs)
    assert hold.step(10.0, True, own_enable=True, **inputs).startswith('waiting 5 s')
    assert hold.step(15.0, True, own_enable=False, **inputs) == ''


def test_no_delay_where_none_is_configured() -> None:
    hold = AfterOutage(0.0, 4, after_outage=True)
    assert hold.step(0.0, True, connected=True, own_enable=False, start_hold=5.0) == ''


# -- in the controller -----------------------------------------------------------------------------

def test_nothing_is_commanded_in_an_outage_and_for_a_while_after_it() -> None:
    desk = ControllerDesk('A', random_delay=600.0)
    desk.board = {'contactor_feedback': False}
    desk.meter = MeterReading(GOOD, DARK)
    desk.run(2.0)
    desk.charging()
    desk.board = {}
    desk.meter = MeterReading(DARK, DARK)
    decision = desk.run(2.0)
    assert (decision.commanded_amperage, decision.reason) == (0.0, 'the supply is gone')
    desk.meter = MeterReading(GOOD, DARK)
    decision = desk.tick()
    assert 'the supply came back' in decision.reason
    waited = desk.until(16.0, limit=700.0)
    assert 10.0 < waited <= 610.0
    assert not math.isnan(waited)
