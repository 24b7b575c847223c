"""What the VCSE gives, and what it is told from outside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from charger_control.core.units import NAN, Phases


@dataclass(frozen=True, slots=True)
class TeamBudget:
    """What a team may draw together; fields as in TeamBudget.msg, times in s."""

    team: str
    amperage: Phases
    valid_for: float
    reason: str = ''
    turn_left: float = NAN


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


class ParentAllocation(NamedTuple):
    """What the parent team's lease allows now (Member.in_force).

    Attributes:
        amperage: A per phase.
        ends_in: s until the lease ends; 0 where ``amperage`` is the failsafe.
        reason: for a person.
        phases_in_use: bit mask of the team's supply phases (1 L1, 2 L2, 4 L3) that the parent
            counts it on; nothing may be drawn on the others.
        turn_left: s until the parent may give this to another member; NaN: not known, or never.
    """

    amperage: float
    ends_in: float
    reason: str
    phases_in_use: int = 7
    turn_left: float = NAN
