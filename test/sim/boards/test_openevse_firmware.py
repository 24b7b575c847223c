"""The simulated OpenEVSE does what its firmware's source says (functions named in the tests)."""

from __future__ import annotations

import pytest
from board_world import World

from charger_control.sim.boards.openevse import OpenEvse, sealed
from charger_control.sim.boards.openevse_rules import Flag, State


@pytest.fixture
def w() -> World:
    """A vehicle charges with 10 A."""
    world = World(OpenEvse)
    say(world, 'SC 10 V')
    world.live(2.0)
    assert world.board.evse == State.C and world.plant.contactor.closed
    return world


def say(world: World, command: str) -> str:
    return world.say(sealed(f'${command}').decode())[-1].partition('^')[0]


def gs(world: World) -> tuple[str, str, int]:
    _, evse, _, pilot, flags = say(world, 'GS').split()
    return evse, pilot, int(flags, 16)


def test_asleep_the_pilots_state_stands_still_and_the_flag_tells(w: World) -> None:
    say(w, 'FS')
    w.live(4.0)
    w.plant.unplug(w.now)
    w.live(1.0)
    evse, pilot, flags = gs(w)
    assert (evse, pilot) == ('fe', '03') and not flags & Flag.EV_CONNECTED


def test_disabled_the_flag_stands_still_too(w: World) -> None:
    say(w, 'FD')
    w.plant.unplug(w.now)
    w.live(1.0)
    assert gs(w)[2] & Flag.EV_CONNECTED and not w.plant.contactor.closed


def test_sleep_waits_3_s_for_a_vehicle_that_goes_on(w: World) -> None:
    assert w.plant.vehicle
    w.plant.vehicle.change({'ignores_pwm_off': True})
    w.live(3.0)
    say(w, 'FS')
    w.live(2.8)
    assert w.plant.contactor.closed
    w.live(0.4)
    assert not w.plant.contactor.closed


def test_sleep_takes_the_place_of_a_fault_and_each_return_is_one_more_trip(w: World) -> None:
    w.live(3.0)
    w.board.leaks = True
    w.live(0.2)
    assert gs(w)[0] == '06' and w.board.memory.gfi_trips == 1
    for trips in (2, 3):
        say(w, 'FS')
        assert gs(w)[0] == 'fe'
        say(w, 'FE')
        w.live(0.2)
        assert gs(w)[0] == '06' and w.board.memory.gfi_trips == trips


def test_the_board_tries_again_after_5_min_and_6_tries_are_the_last(w: World) -> None:
    w.live(3.0)
    w.board.leaks = True
    w.live(0.5)
    w.live(299.0)
    assert gs(w)[0] == '06'
    w.live(10 * 310.0)
    assert w.board.memory.gfi_trips >= 2        # each try ends in a new entry


def test_a_hard_fault_goes_on_beneath_sleep_and_wakes_when_the_vehicle_leaves(w: World) -> None:
    w.plant.pilot_shorted = True
    w.live(0.5)
    assert gs(w)[0] == '05' and gs(w)[2] & Flag.HARD_FAULT
    say(w, 'FS')
    assert gs(w)[0] == 'fe' and gs(w)[2] & Flag.HARD_FAULT
    w.plant.pilot_shorted = False
    w.plant.unplug(w.now)
    w.live(0.5)
    assert gs(w)[0] == '01' and not gs(w)[2] & Flag.HARD_FAULT


def test_state_d_is_a_hard_fault_without_a_duty_cycle(w: World) -> None:
    assert w.plant.vehicle
    w.plant.vehicle.change({'ventilation': True})
    w.live(1.0)
    assert gs(w)[0] == '04' and w.plant.duty == 1.0 and not w.plant.contactor.closed


def test_supervision_outlives_a_restart_and_is_not_looked_at_while_asleep(w: World) -> None:
    assert say(w, 'SY 5 6') == '$OK 5 6 0'
    writes = w.board.memory.writes
    say(w, 'SY 5 6')
    assert w.board.memory.writes == writes == 2
    say(w, 'FS')
    w.live(20.0)
    assert say(w, 'GY') == '$OK 5 6 0'
    w.board.reset(w.now, 'power')
    w.live(3.0)
    assert w.board.offered == 32.0
    w.live(6.0)
    assert w.board.offered == 6.0


def test_told_anew_the_supervision_clears_the_trigger_and_raises_nothing(w: World) -> None:
    say(w, 'SY 5 6')
    w.live(5.5)
    assert say(w, 'SY') == '$NK 5 6 2' and w.board.offered == 6.0
    assert say(w, 'SY 5 6') == '$OK 5 6 0' and w.board.offered == 6.0


def test_a_limits_sleep_ends_when_the_vehicle_leaves(w: World) -> None:
    w.board.reach_limit(w.now)
    w.live(4.0)
    assert gs(w)[0] == 'fe' and gs(w)[2] & Flag.LIMIT_SLEEP
    w.plant.unplug(w.now)
    w.live(1.0)
    assert gs(w)[0] == '01'


def test_the_button_puts_to_sleep_and_wakes(w: World) -> None:
    w.board.press_button(w.now)
    assert gs(w)[0] == 'fe'
    w.board.press_button(w.now)
    w.live(1.0)
    assert w.board.offered == 10.0


def test_heat_halves_and_then_stops_and_the_board_is_deaf_for_5_s(w: World) -> None:
    w.board.temperature = 66.0
    w.live(0.1)
    assert w.board.offered == 16.0 and say(w, 'SC 20 V') == '$NK 16'
    w.board.temperature = 72.0
    w.live(0.1)
    assert w.board.offered == 0.0 and w.say(sealed('$GS').decode()) == []
    w.live(6.0)
    assert gs(w)[0] == '0a' and not w.plant.contactor.closed


def test_a_long_line_is_forgotten_without_an_answer(w: World) -> None:
    assert w.say('$' + 'G' * 40 + '\r') == []


def test_a_set_current_is_bound_by_the_eeproms(w: World) -> None:
    assert say(w, 'SC 40 V') == '$NK 32'
    assert say(w, 'SC 40') == '$OK 40' and w.board.memory.amperage == 40
