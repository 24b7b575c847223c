"""What happens to every board, as its own log tells it: the same cases for all of them.

Each takes a started board on its fake clock and returns figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from board_on_clock import BoardOnClock

from charger_control.sim.boards.pilot_board import OFF

TOLD = 10.0
"""A that the controller makes available."""
Facts = dict[str, object]


def _charge(b: BoardOnClock) -> float:
    """A vehicle is there and charges with TOLD; s, when the case begins."""
    b.do('plug_in', vehicle='ideal', cable=32)
    b.amperage = TOLD
    b.run(10.0)
    assert b.offered == TOLD and b.point.board.relay, (b.sample, b.point.board.truth())
    return b.clock.now


def above(b: BoardOnClock, amperage: float, since: float) -> float:
    """s for which more than ``amperage`` A was offered since ``since``."""
    offers = [(event['t'], event['amperage']) for event in b.events('offer')]
    ends = [*(at for at, _ in offers[1:]), b.clock.now]
    return round(sum(end - max(at, since) for (at, offered), end in zip(offers, ends, strict=True)
                     if offered > amperage and end > since), 3)


def _closings(b: BoardOnClock, since: float) -> int:
    return sum(event['closed'] for event in b.events('relay') if event['t'] > since)


def plugged_in_while_asleep(b: BoardOnClock) -> Facts:
    """Nothing is offered, a vehicle comes, later there is an offer."""
    since = b.clock.now
    b.do('plug_in', vehicle='ideal', cable=32).run(5.0)
    seen, asleep = b.letters[-1], b.highest(since)
    b.amperage = TOLD
    b.run(5.0)
    return {'seen': seen, 'offered asleep': asleep, 'then': b.offered,
            'charges': b.point.board.relay}


def unplugged_while_asleep(b: BoardOnClock) -> Facts:
    """A vehicle that charged is paused and leaves; another one comes and has to wait."""
    _charge(b)
    b.amperage = None
    b.run(10.0)
    since = b.clock.now
    b.do('unplug').run(3.0)
    left = b.letters[-1]
    b.do('plug_in', vehicle='ideal', cable=32).run(5.0)
    return {'seen': left, 'next': b.letters[-1], 'offered': b.highest(since)}


def fault_while_charging(b: BoardOnClock) -> Facts:
    """The pilot is shorted for a minute, then not any more."""
    since = _charge(b)
    b.do('short_pilot').run(2.0)
    named, opened = b.faults[-1], not b.point.plant.contactor.closed
    b.run(60.0)
    closings = _closings(b, since)
    b.do('short_pilot', active=False).run(40.0)
    return {'fault': named, 'opened': opened, 'closings into it': closings, 'then': b.offered}


def reset(b: BoardOnClock) -> Facts:
    """The board's power fails for a moment."""
    since = _charge(b)
    b.do('reset_board').run(20.0)
    return {'s above told': above(b, TOLD, since), 'highest': b.highest(since),
            'then': b.offered}


def silent(b: BoardOnClock) -> Facts:
    """Its line is cut for half a minute; it cannot be told anything meanwhile."""
    since = _charge(b)
    b.line.dead = True
    b.run(30.0)
    meanwhile, error = b.offered, b.block.step(b.clock.now, None, '').offer
    b.line.dead = False
    heard = b.clock.now
    b.run(20.0)
    told = [at['t'] - heard for before, at in pairwise(b.events('offer'))
            if at['t'] > heard and at['amperage'] < before['amperage']]
    return {'offered meanwhile': meanwhile, 'ours': error, 'withdrawn after': round(
        min(told, default=99.0), 3), 's above told': above(b, TOLD, since), 'then': b.offered}


def sleeps(b: BoardOnClock) -> Facts:
    """A vehicle that wakes by state F alone waits with an offer for 65 s."""
    since = b.clock.now
    b.do('plug_in', vehicle='sleeping', cable=32)
    b.amperage = TOLD
    b.run(65.0)
    dark = [event for event in b.events('offer')
            if event['t'] > since and event['evse_state'] == OFF]
    return {'woken': len(dark), 'charges': b.point.board.relay, 'said': bool(b.block.note)}


CASES: Mapping[str, Callable[[BoardOnClock], Facts]] = {
    'plugged in while asleep': plugged_in_while_asleep,
    'unplugged while asleep': unplugged_while_asleep,
    'fault while charging': fault_while_charging,
    'reset': reset,
    'silent': silent,
    'a vehicle that sleeps': sleeps,
}


def facts(case: str, board: BoardOnClock) -> Facts:
    """The case on a board that has been met."""
    return CASES[case](board.start().run(4.0))
