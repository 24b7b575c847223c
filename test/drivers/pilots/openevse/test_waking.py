"""A vehicle that sleeps, and an OpenEVSE that wakes it by state F."""

from pathlib import Path

import pytest
from board_bench import board
from board_cases import TOLD
from openevse_on_clock import asked, charging, leaks, pulses, sound, waiting

from charger_control.sim.boards.openevse_rules import State


@pytest.mark.parametrize(('vehicle', 'shown'), [('sleeping', [4.0]), ('hard_to_wake', [4.0, 30.0])])
def test_a_vehicle_that_sleeps_is_woken_by_state_f(vehicle, shown):
    """48 min in B with the offer standing, and no state F, before."""
    b = waiting(vehicle)
    b.run(120.0)
    assert [round(time) for time in pulses(b)] == shown
    assert b.offered == TOLD and b.point.board.relay and b.letters[-3:] == ['A', 'B', 'C']
    assert not [entry for entry in b.events('contactor') if not entry['closed']], 'none under load'
    assert b.sample.counters['vehicle_woken'] == len(shown)
    assert b.sample.counters['contactor_opened'] == 0 and b.faults == ['']


def test_a_full_vehicle_is_woken_twice_and_then_it_is_said_that_it_does_not_react():
    b = waiting('full')
    b.run(200.0)
    assert len(pulses(b)) == 2 and 'not woken by state F' in b.block.note


def test_one_that_leaves_while_it_is_woken_is_seen_to_leave():
    b = waiting('hard_to_wake').run(75.0)
    assert b.point.board.evse == State.DISABLED and b.letters[-1] == 'B'
    b.do('unplug').run(32.0)
    assert b.letters[-1] == 'A' and b.offered == 0.0


def test_waking_opens_no_contactor_under_load():
    """Asked for just as the vehicle closes S2, and while it charges."""
    b = waiting('sleeping').run(20.0)
    b.do('set_vehicle', vehicle={'asleep': False})
    while b.point.board.letter == 'B':
        b.run(0.05)
    b.pilot.wake(4.0)
    b.run(20.0)
    assert b.offered == TOLD and b.point.board.relay
    since = b.clock.now
    b.pilot.wake(4.0)
    b.run(10.0)
    assert asked(b, since, 'FD') == [] and b.point.board.relay
    assert all(event['closed'] or event['amperage'] < 1.0 for event in b.events('contactor'))


@pytest.mark.parametrize('when', ['before', 'during'])
def test_waking_ends_with_the_offer(when):
    b = waiting('sleeping').run(27.0 if when == 'before' else 30.0)
    dark = b.point.board.evse == State.DISABLED
    b.amperage = None
    since = b.clock.now
    if when == 'before':
        b.pilot.wake(4.0)
    b.run(60.0)
    assert dark == (when == 'during') and asked(b, since, 'FD', 'FE') == []
    assert b.point.board.evse == State.SLEEPING and b.letters[-1] == 'B'


def test_waking_ends_with_the_block():
    """Nobody asks any more while the board shows state F."""
    b = waiting('sleeping').run(30.0)
    assert b.point.board.evse == State.DISABLED
    b.bus.run(1.2)
    assert b.point.board.evse == State.SLEEPING and b.sample.counters['dead_man'] == 1


def test_a_fault_is_not_cleared_by_waking():
    b = charging()
    leaks(b.point.board)
    b.run(2.0)
    since = b.clock.now
    b.pilot.wake(4.0)
    b.run(10.0)
    assert asked(b, since, 'FD', 'FE', 'FS') == [] and b.point.board.evse == State.GFCI_FAULT
    sound(b.point.board)
    assert b.pilot.reset_fault() is True
    b.run(320.0)
    assert pulses(b, since) == [], 'what was asked for then is forgotten'


@pytest.mark.parametrize('lost', [1, 2, 3])
def test_a_lost_order_leaves_no_board_in_state_f(lost):
    b = waiting('sleeping').run(28.0)
    original = b.line.ask

    def ask(command, answer_time):
        if command in ('FD', 'FE') and lost_ones:
            b.line.lost = lost_ones.pop()
        return original(command, answer_time)

    lost_ones = [1] * lost
    b.line.ask = ask
    b.run(60.0)
    assert lost_ones == [] and b.offered == TOLD and b.point.board.evse != State.DISABLED


def test_it_is_so_over_a_real_line_too(tmp_path: Path) -> None:
    with board('openevse', tmp_path / 'board') as b:
        b.ready()
        b.simulator.do('plug_in', vehicle={'asleep': True, 'wake_time': 0.2}, cable=32)
        b.amperage = TOLD
        b.until(lambda: b.offered == TOLD and b.sample.value.signaled_amperage == TOLD)
        b.pilot.wake(0.6)
        b.until(lambda: b.point.board.evse == State.DISABLED)
        b.until(lambda: b.sample.value.signaled_amperage == 0.0)
        assert b.sample.value.letter == 'B'
        b.until(lambda: b.point.board.relay and b.sample.value.letter == 'C')
        assert b.count('vehicle_woken') == 1 and b.count('contactor_opened') == 0
