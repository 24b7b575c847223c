"""What members and leader of a team say to each other, and the times of their lease."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from charger_control.core.messages.team import ALL_PHASES, FALL_TIME, TeamRequest
from charger_control.core.units import MIN_AMPERAGE, UNKNOWN_PHASES, Phases

Term = tuple[int, str]
"""A term is unique to a leader: its number, then the leader's name."""
FRESH = 3.0
"""s after the request that it answers for which the leader's word on what may be kept counts,
however late the answer is: with the vehicle's 6 s, it is back under the fuse within 10 s."""
EPSILON = 1e-9
"""A, differences that are rounding."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """The times of the lease, s (architecture.md, The team's lease).

    Attributes:
        valid_for: how long an allocation holds after the member sent the request it answers.
        support: how long after the sending of a list a member's support counts for its leader.
        silence: how long a member stays with a silent leader; not less than ``support``.
        start_wait: how long member and candidate only listen after their own start.
        takeover: how long a candidate hears nothing of a leader before it becomes one.
        fall_time: how long a vehicle may take to obey, where the member has not said.
        margin: for what is slower than it should be.
        hold: whether a leader that has got its majority at first raises nobody (rule 5).
    """

    valid_for: float = 10.0
    support: float = 5.0
    silence: float = 5.0
    start_wait: float = 5.0
    takeover: float = 5.0
    fall_time: float = FALL_TIME
    margin: float = 2.0
    hold: bool = True

    def reservation(self, fall_time: float) -> float:
        """How long after it was sent a named value stays reserved, s."""
        return self.valid_for + fall_time + self.margin


MOST_TERMS_AHEAD = 1 << 24
"""By which a term that is heard may be above the highest known: a takeover every 5 s for more than
two years. What is above it is no term of this team, and would be the end of all numbers if it were
kept: each leader counts on from the highest it has heard of."""
MOST_TERM = 1 << 48
"""The highest that is believed of what was stored: of the numbers above none can be counted to."""


def is_term(number: int, known: int) -> bool:
    """Whether a term that was heard can be one, where ``known`` is the highest known."""
    return 0 <= number <= known + MOST_TERMS_AHEAD


LEASE_TIMES = LeaseTimes()
ALONE = LeaseTimes(silence=0.0, start_wait=0.0, hold=False)
"""A team of one: there is nobody whose share could be given away twice, so nobody waits."""


def lease_times(members: int) -> LeaseTimes:
    """The times for a team of ``members`` configured members."""
    return ALONE if members == 1 else LEASE_TIMES


@lru_cache(maxsize=256)
def left_out(phases: tuple[int, ...], used: tuple[int, ...]) -> tuple[int, ...]:
    """Which of ``phases`` are not among ``used``; for either () is all."""
    return tuple(p for p in phases or ALL_PHASES if p not in (used or ALL_PHASES))


@lru_cache(maxsize=256)
def phase_indices(phases: Collection[int]) -> tuple[int, ...]:
    """Indices 0..2 of the phases that count for a member: all three where they are unknown."""
    return tuple(sorted(p - 1 for p in phases)) or (0, 1, 2)


@dataclass(frozen=True, slots=True)
class MemberState:
    """A member as the allocator sees it, on the allocator's clock.

    Attributes:
        member: name, unique in the team.
        requested_amperage: A per phase, the most it can use.
        minimum_amperage: A per phase, the least that is of use.
        phases: supply phases 1..3 that it loads; () unknown: counted on all.
        returning: supply phases 1..3 on which it does not draw, but may come to at any moment.
        tried_phases: of ``phases``, those that are left if it turns out to be a vehicle of fewer
            phases, as a trial would show; as ``phases`` where that is known.
        priority: higher is served first.
        weight: share of what there is, > 0.
        vehicle_status: A B C D E F S R.
        amperage: A measured per phase; NaN unknown.
        energy: kWh into the vehicle this session.
        waiting_since: s, since when the vehicle has been waiting for current.
        last_heard: s, when the member was last heard.
        failsafe_amperage: A per phase that it takes when it hears nobody.
        allocated_amperage: A per phase in force at the member.
        drawable_amperage: A per phase, the most its vehicle may be drawing.
    """

    member: str
    requested_amperage: float
    minimum_amperage: float = MIN_AMPERAGE
    phases: tuple[int, ...] = ()
    priority: int = 0
    weight: float = 1.0
    vehicle_status: str = 'C'
    amperage: Phases = UNKNOWN_PHASES
    energy: float = 0.0
    waiting_since: float = 0.0
    last_heard: float = 0.0
    failsafe_amperage: float = 0.0
    allocated_amperage: float = 0.0
    drawable_amperage: float = 0.0
    returning: tuple[int, ...] = ()
    tried_phases: tuple[int, ...] = ()

    @property
    def is_untried(self) -> bool:
        """Whether a trial could show that it loads fewer phases."""
        return len(self.tried_phases) < len(self.phases)

    @classmethod
    def of(cls, request: TeamRequest, heard_at: float, keeps: bool = False) -> MemberState:
        """The state that a request, heard at ``heard_at`` s, describes.

        ``keeps``: it is to have no more than what it reports in force.
        """
        requested = request.requested_amperage
        if keeps:
            requested = min(requested, request.allocated_amperage)
        return cls(request.member, requested, request.minimum_amperage,
                   request.phases, request.priority, request.weight, request.vehicle_status,
                   request.amperage, 0.0 if math.isnan(request.energy) else request.energy,
                   heard_at - request.waiting, heard_at, request.failsafe_amperage,
                   request.allocated_amperage, request.drawable_amperage,
                   left_out(request.possible_phases, request.phases), request.tried_phases)
