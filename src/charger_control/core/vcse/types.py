"""What the VCSE gives, and what it is told from outside."""

from __future__ import annotations

from typing import NamedTuple

from charger_control.core.units import NAN


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
