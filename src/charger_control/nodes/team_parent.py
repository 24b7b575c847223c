"""A team as a member of the team above it, for the vcse node: requests up, lists down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from charger_control.core.heard import Heard
from charger_control.core.messages.team import TeamAllocation, TeamRequest
from charger_control.core.team import Member, MemberConfig, lease_times
from charger_control.core.vcse import ParentAllocation, Vcse
from charger_control.ros.parameters import Param

ROOM = 'vcse'
"""Where the store keeps how often this member has started."""
PERIOD = 1.0
"""s between two requests: the cycle of the team above."""
LEADERLESS = 10.0
"""s without a total of the own team until nothing is asked for: all its leases have ended."""

PARAMS = (
    Param('parent', '', 'name of the team above, which this team is a member of; empty: none'),
    Param('parent_size', 2, 'number of configured members of the team above', low=1, high=10_000),
    Param('parent_failsafe_amperage', 0.0, 'taken per phase when the team above is silent; more '
          'than 0 only where its guaranteed budget carries it for all', 'A', low=0.0,
          high=10_000.0),
    Param('fall_time', 18.0, 'time that the team may take to obey a lower budget: 18 s for a team '
          'of chargers, 12 s more for each level below', 's', low=1.0, high=120.0),
)


class ParentTeam:
    """Owns the lease from above: what it lends, and when to ask again."""

    def __init__(self, values: Mapping[str, Any], now: float, sequence: int,
                 publish: Callable[[TeamRequest], None]) -> None:
        """``sequence``: see ``membership.first_sequence``."""
        self._member = Member(
            MemberConfig(values['parent'], values['team'], values['parent_failsafe_amperage'],
                         lease_times(values['parent_size'])), now, sequence)
        self._publish = publish
        self._asked_at = now - PERIOD
        self._hurry = False

    def hear(self, heard: Heard[TeamAllocation]) -> bool:
        """Takes a list; True if what is lent changed."""
        before = self._member.in_force(heard.at).amperage
        if self._member.hear(heard.at, heard.value):
            self._hurry = True  # confirm it at once
        return self._member.in_force(heard.at).amperage != before

    def lends(self, now: float) -> ParentAllocation:
        """What is lent now."""
        lease = self._member.in_force(now)
        return ParentAllocation(lease.amperage, lease.ends_in, lease.reason, lease.phases_in_use,
                                lease.turn_left)

    def ask(self, now: float, vcse: Vcse, total: Heard[TeamRequest] | None) -> None:
        """Sends a request when one is due; ``total``: what the team's leader said last."""
        if total is None or not (self._hurry or now - self._asked_at >= PERIOD - 0.05):
            return
        self._hurry, self._asked_at = False, now
        wish = vcse.wish(now, total.value)
        if total.silence(now) > LEADERLESS:
            wish = replace(wish, requested_amperage=min(wish.requested_amperage,
                                                        wish.failsafe_amperage))
        self._publish(self._member.request(now, wish))
