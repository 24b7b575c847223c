"""A vehicle that waits, and of which nobody knows its phases, is tried: does it draw on one only?

Counted on all it may not fit, counted on one it does. One at a time is let in at its minimum,
counted on what is certain; if it draws on more, its own controller stops it at once (docs/team.md,
Phases).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from charger_control.core.power import PHASE_ACTIVE_AMPERAGE
from charger_control.core.team.shares.admission import rank
from charger_control.core.team.types import MemberState, left_out

CHARGES = 75.0
"""s that a trial lasts once current flows: 60 s in which the member learns, and some to say so."""
BEGINS = 90.0
"""s until current must flow: holds of the controller, a vehicle that wakes slowly."""
PERIOD = 10.0
"""s between two looks for one to try."""


class Trial:
    """Who is tried now, and who not again for a while."""

    def __init__(self, pause: float) -> None:
        """``pause``: s until one that failed is tried again."""
        self._pause = pause
        self.member = ''
        self._until = 0.0
        self._charges = False
        self._next_look = 0.0
        self._again_at: dict[str, float] = {}

    def end(self) -> None:
        """Nobody is tried any more."""
        self.member = ''

    def watch(self, now: float, members: Sequence[MemberState], wanting: Collection[int]) -> str:
        """Ends a trial that has shown what it can; returns whose it was and failed, or ''."""
        for member in members:
            if member.vehicle_status == 'A':
                self._again_at.pop(member.member, None)
        if not self.member:
            return ''
        tried = self.member
        for i, member in enumerate(members):
            if member.member != tried:
                continue
            if member.phases == member.tried_phases and member.returning:
                self.member = ''  # it has charged without the others: known from here on
                return ''
            if i not in wanting or not member.is_untried:
                break
            if not self._charges and any(a >= PHASE_ACTIVE_AMPERAGE for a in member.amperage):
                self._charges, self._until = True, now + CHARGES
            if now < self._until:
                return ''
        self.member = ''
        self._again_at[tried] = now + self._pause
        return tried

    def candidate(self, now: float, members: Sequence[MemberState], waiting: Collection[int]
                  ) -> int | None:
        """Who of those that wait is to be tried next, by index; None: nobody now."""
        if self.member or now < self._next_look:
            return None
        able = [i for i in waiting if members[i].is_untried
                and now >= self._again_at.get(members[i].member, now)]
        if not able:
            return None
        self._next_look = now + PERIOD
        return min(able, key=lambda i: rank(members[i]))

    def begin(self, now: float, member: str) -> None:
        """``member`` is tried from now on."""
        self.member, self._until, self._charges = member, now + BEGINS, False


def tried(member: MemberState) -> MemberState:
    """A member as it counts while it is tried."""
    return replace(member, phases=member.tried_phases,
                   returning=left_out(member.phases, member.tried_phases) + member.returning,
                   requested_amperage=min(member.requested_amperage, member.minimum_amperage))
