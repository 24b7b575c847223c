"""The charge point's side of the team, for the cppwm_controller node: requests out, lists in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any

from charger_control.core.cppwm_controller import (
    EVERYWHERE,
    Allocation,
    Result,
    WishConfig,
    Wishes,
)
from charger_control.core.heard import Heard
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.team import TeamAllocation, TeamRequest
from charger_control.core.team import Member, MemberConfig, lease_times
from charger_control.ros.parameters import Param
from charger_control.store.errors import StoreError
from charger_control.store.store import Store

ROOM, EPOCH = 'cppwm_controller', 'epoch'
"""Where the store keeps how often this member has started."""
SEQUENCES = 1 << 32
"""Requests between two starts; each start counts from a multiple of this."""
REQUEST_PERIOD = 1.0
"""s between two requests: the team's cycle."""

PARAMS = (
    Param('team.managed', True, 'a team shares the supply; false: this charger has a supply of '
          'its own ("Unmanaged")'),
    Param('team.name', 'team', 'name of the team'),
    Param('team.member', '', 'own name in the team; empty: that of the namespace'),
    Param('team.size', 1, 'number of configured members', low=1, high=10_000),
    Param('team.failsafe_amperage', 0.0, 'taken per phase when the team is silent; more than 0 '
          'only where the guaranteed budget carries it for all', 'A', low=0.0, high=80.0),
    Param('team.minimum_amperage', 6.0, 'the least that is of use to the vehicles here', 'A',
          low=6.0, high=32.0),
    Param('team.phase_map', [1, 2, 3], 'supply phase (1..3) that feeds L1, L2, L3; empty: unknown, '
          'counted on all'),
    Param('team.priority', 0, 'higher is served first', low=-1000, high=1000),
    Param('team.waiting_ends', 210.0, 'charging for as long ends the waiting of a vehicle: as '
          'team.minimum_on_time', 's', low=0.0, high=3600.0),
    Param('team.weight', 1.0, 'share of what is left over', low=0.01, high=100.0),
)


def check(values: Mapping[str, Any]) -> None:
    """Refuses what cannot be: ValueError in words."""
    phases = list(values['team.phase_map'])
    if phases and (len(set(phases)) != len(phases) or not set(phases) <= {1, 2, 3}):
        raise ValueError(f'cppwm_controller.team.phase_map = {phases}: allowed are different '
                         'supply phases of 1, 2, 3, or an empty list')


def first_sequence(store: Store, wall: float, room: str = ROOM) -> int:
    """A number above every sequence that this member has ever used, also before a restart.

    Each start takes the next epoch and has it on disk before it is used. Where the disk refuses,
    the time in seconds, which no count of starts reaches, takes its place.

    Args:
        store: of this member.
        wall: Unix s.
        room: of the store, the member's own.
    """
    epoch = max(int(store.recall(room, EPOCH).get('number', 0)) + 1, int(wall))
    with suppress(StoreError, FutureTimeoutError):  # then the wall clock has moved on since
        store.put(room, EPOCH, {'number': epoch}).result(timeout=2.0)
    return epoch * SEQUENCES


class Membership:
    """Owns the lease: what is in force, and when to ask again."""

    def __init__(self, values: Mapping[str, Any], name: str, now: float, sequence: int,
                 publish: Callable[[TeamRequest], None]) -> None:
        """``name``: own name in the team; ``sequence``: see ``first_sequence``."""
        self._values = values
        self._member = Member(
            MemberConfig(values['team.name'], name, values['team.failsafe_amperage'],
                         lease_times(values['team.size'])), now, sequence)
        self._publish = publish
        self._asked_at = now - REQUEST_PERIOD
        self._reached = EVERYWHERE
        self._wishes = Wishes(WishConfig(
            values['team.minimum_amperage'], tuple(values['team.phase_map']),
            values['team.priority'], values['team.weight'], values['team.waiting_ends']))
        self.hurry = False

    def hear(self, heard: Heard[TeamAllocation]) -> bool:
        """Takes a list; True if what is in force fell."""
        before = self._member.in_force(heard.at).amperage
        if self._member.hear(heard.at, heard.value):
            self.hurry = True  # confirm it at once
        return self._member.in_force(heard.at).amperage < before

    def allocation(self, now: float) -> Allocation:
        """What is in force now."""
        lease = self._member.in_force(now)
        return Allocation(lease.amperage, lease.trim_amperage, lease.reason, lease.silent,
                          lease.phases_in_use, lease.tries, lease.return_amperage)

    def ask(self, now: float, result: Result, pilot: ControlPilot | None) -> None:
        """Sends a request when one is due: once a cycle, and at once after a change."""
        if result.reached != self._reached:  # others must know at once where this one can draw
            self._reached, self.hurry = result.reached, True
        if not self.hurry and now - self._asked_at < REQUEST_PERIOD - 0.05:
            return
        self.hurry = False
        self._asked_at = now
        self._publish(self._member.request(now, self._wishes.of(now, result, pilot)))
