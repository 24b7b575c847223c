"""On which phases a team may be drawing, as its VCSE tells the team above."""

from __future__ import annotations

import math

from charger_control.core.units import Phases

PHASES = 3
ALL_PHASES = 7
"""Bit mask of L1, L2, L3."""


class PhasesUsed:
    """On which phases a team may be drawing: memory for the phases as for the amperage.

    A phase that the team's leader does not ask for is given for ``memory`` s more (a leader that
    has just taken over has not heard all members), and counts as used ``memory`` s after it was.
    """

    def __init__(self, memory: float) -> None:
        """``memory``: s that the team may take to obey."""
        self._memory = memory
        self._asked_at = [-math.inf] * PHASES
        self._given_at = [-math.inf] * PHASES

    def ask(self, now: float, phases: int) -> None:
        """The team asks for ``phases``, a bit mask."""
        for p in range(PHASES):
            if phases & 1 << p:
                self._asked_at[p] = now

    def give(self, now: float, amperage: Phases) -> None:
        """The team was given ``amperage``."""
        for p in range(PHASES):
            if amperage[p] > 0.0:
                self._given_at[p] = now

    def askable(self, now: float) -> int:
        """Bit mask of the phases on which it may be given something: all until it has asked."""
        if max(self._asked_at) == -math.inf:
            return ALL_PHASES
        return sum(1 << p for p in range(PHASES) if now - self._asked_at[p] <= self._memory)

    def given(self, now: float) -> int:
        """Bit mask of the phases on which it may be drawing."""
        return sum(1 << p for p in range(PHASES) if now - self._given_at[p] <= self._memory)
