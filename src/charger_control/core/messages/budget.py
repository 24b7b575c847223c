"""What a team may draw together, and who dims it: vcse/budget."""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.units import NAN, Phases


@dataclass(frozen=True, slots=True)
class TeamBudget:
    """What a team may draw together; fields as in TeamBudget.msg, times in s."""

    team: str
    amperage: Phases
    valid_for: float
    reason: str = ''
    turn_left: float = NAN

    def fell(self, before: Phases, by: float = 0.0) -> bool:
        """Whether a phase has fallen below ``before`` by more than ``by`` A."""
        return any(a < b - by for a, b in zip(self.amperage, before, strict=True))


@dataclass(frozen=True, slots=True)
class Dimming:
    """A heartbeat of whoever may limit the team's power (grid operator, energy manager).

    Attributes:
        power: W that the team may draw together, >= 0; NaN: no limit now.
    """

    power: float

    def refusal(self) -> str:
        """Why this cannot be taken, in words; '' for a good one."""
        if math.isinf(self.power) or self.power < 0.0:
            return f'power {self.power} (allowed: 0 or more W, or NaN for no limit now)'
        return ''
