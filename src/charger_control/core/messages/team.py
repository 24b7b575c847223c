"""What members and leader of a team say to each other: team/request, team/allocation."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from charger_control.core.units import MIN_AMPERAGE, NAN, UNKNOWN_PHASES, Phases

FALL_TIME = 6.0
"""s that a vehicle may take to obey, where its member has not said."""
ALL_PHASES = (1, 2, 3)
"""Supply phases."""
_NUMBERS = ('requested_amperage', 'minimum_amperage', 'allocated_amperage', 'drawable_amperage',
            'fall_time', 'waiting', 'failsafe_amperage', 'amperage_age')


@lru_cache(maxsize=256)
def _is_wiring(phase_map: tuple[int, ...]) -> bool:
    return set(phase_map) <= set(ALL_PHASES) and len(set(phase_map)) == len(phase_map)


@dataclass(frozen=True, slots=True)
class TeamRequest:
    """What a member asks of its team; fields as in TeamRequest.msg, durations in s.

    ``allocated_amperage`` is what was in force at the member when it sent this, without trim.
    """

    team: str = ''
    member: str = ''
    sequence: int = 0
    accepted_leader: str = ''
    accepted_term: int = 0
    accepted_sequence: int = 0
    requested_amperage: float = 0.0
    minimum_amperage: float = MIN_AMPERAGE
    allocated_amperage: float = 0.0
    drawable_amperage: float = 0.0
    fall_time: float = FALL_TIME
    phase_map: tuple[int, ...] = ()
    phases_in_use: int = 7
    phases_possible: int = 0
    phases_untried: int = 0
    priority: int = 0
    weight: float = 1.0
    vehicle_status: str = 'A'
    amperage: Phases = UNKNOWN_PHASES
    energy: float = 0.0
    waiting: float = 0.0
    failsafe_amperage: float = 0.0
    amperage_age: float = 0.0

    def refusal(self) -> str:
        """Why this request cannot be taken, in words; '' for a good one."""
        numbers = (self.requested_amperage, self.minimum_amperage, self.allocated_amperage,
                   self.drawable_amperage, self.fall_time, self.waiting, self.failsafe_amperage,
                   self.amperage_age)
        if not (min(numbers) >= 0.0 and sum(numbers) < math.inf):  # NaN fails one of the two
            for name, value in zip(_NUMBERS, numbers, strict=True):
                if not 0.0 <= value < math.inf:
                    return f'{name} {value} (allowed: a number, 0 or more)'
        if not 0.0 < self.weight < math.inf:
            return f'weight {self.weight} (allowed: a number above 0)'
        if not _is_wiring(self.phase_map):
            return f'phase_map {list(self.phase_map)} (allowed: each of 1, 2, 3 at most once)'
        return ''

    @property
    def phases(self) -> tuple[int, ...]:
        """Supply phases that this member loads; () where its wiring is unknown: all count."""
        return supply_phases(self.phase_map, self.phases_in_use)

    @property
    def tried_phases(self) -> tuple[int, ...]:
        """The least of them that it may turn out to load: without those that are untried."""
        return supply_phases(self.phase_map, (self.phases_in_use or 7) & ~self.phases_untried)

    @property
    def possible_phases(self) -> tuple[int, ...]:
        """Supply phases that it may come to load at any moment; () for all."""
        return supply_phases(self.phase_map, self.phases_possible | self.phases_in_use
                             if self.phases_possible else 0)

    def own_phases(self, phases: Collection[int]) -> int:
        """Bit mask of its own phases that are among the supply ``phases``; () is all."""
        if not self.phase_map or not phases:
            return 7
        return sum(1 << k for k, p in enumerate(self.phase_map) if p in phases)


@lru_cache(maxsize=256)
def supply_phases(phase_map: tuple[int, ...], phases_in_use: int) -> tuple[int, ...]:
    """Which supply phases a member loads, sorted; () for unknown.

    Args:
        phase_map: supply phase (1..3) of the member's L1, L2, L3; () unknown.
        phases_in_use: bit mask of its own phases, 1 L1, 2 L2, 4 L3; 0 unknown: all that are wired.
    """
    used = [p for k, p in enumerate(phase_map) if phases_in_use & 1 << k]
    return tuple(sorted(used or phase_map))


@dataclass(frozen=True, slots=True)
class MemberAllocation:
    """One member's line in a list; fields as in MemberAllocation.msg (A per phase)."""

    member: str
    request_sequence: int
    allocated_amperage: float
    trim_amperage: float = 0.0
    reason: str = ''
    phases: int = 0
    return_amperage: float = 0.0
    turn_left: float = NAN


@dataclass(frozen=True, slots=True)
class TeamAllocation:
    """A leader's list; fields as in TeamAllocation.msg, ``valid_for`` in s."""

    team: str
    leader: str
    term: int
    sequence: int
    valid_for: float
    members: tuple[MemberAllocation, ...] = ()

    def line(self, member: str) -> MemberAllocation | None:
        """What the list says to ``member``; None where it does not name it."""
        for line in self.members:
            if line.member == member:
                return line
        return None
