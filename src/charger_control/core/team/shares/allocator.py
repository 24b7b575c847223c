"""Shares a budget among the members of a team: admission, then weighted max-min fairness."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charger_control.core.messages.team import ALL_PHASES, TeamRequest
from charger_control.core.team.shares.admission import Applicant, admit, rank
from charger_control.core.team.shares.fairness import (
    SLACK,
    Bools,
    Columns,
    Floats,
    fair_shares,
    uses_of,
)
from charger_control.core.team.shares.returns import ShortTime, fits, lowered
from charger_control.core.team.types import EPSILON, LEASE_TIMES, MemberState
from charger_control.core.units import Phases

PHASE_NAMES = ('L1', 'L2', 'L3')


class Share(NamedTuple):
    """What one member is given.

    Attributes:
        allocated_amperage: A per phase.
        reason: why not more, for a person.
    """

    allocated_amperage: float
    reason: str


@dataclass(frozen=True, slots=True)
class SharingOptions:
    """How a budget is shared; times in s, amperages in A per phase.

    Attributes:
        admission_amperage: what all admitted must still get before a further one is let in;
            the member's minimum where that is more, its request where that is less.
        unbalance_limit: A that the one-phase members of one supply phase may together take above
            those of another; infinite: no limit. Members of unknown wiring do not count.
        minimum_on_time: one that was let in is not passed over for another within this time.
        rotation_time: then it makes room for one of its priority that waits.
        restart_time: one that was stopped because the budget fell waits as long.
        starving_time: those that have waited longer come first, in the order of their waiting.
        yield_amperage: one that draws as much below its allocation ...
        yield_time: ... for as long, gives the rest away down to drawn + yield_amperage.
        reclaim_amperage: one that yielded and draws as near to its allocation asks it back.
        short_time_factor: x budget is what a phase carries for seconds, when vehicles come back
            on phases on which they did not draw.
        phases_back_at_once: how many come back within 20 s at most.
    """

    admission_amperage: float = 0.0
    unbalance_limit: float = math.inf
    minimum_on_time: float = 210.0
    rotation_time: float = 900.0
    restart_time: float = 210.0
    starving_time: float = 3600.0
    yield_amperage: float = 3.0
    yield_time: float = 60.0
    reclaim_amperage: float = 1.0
    short_time_factor: float = 1.13
    phases_back_at_once: int = 1


DEFAULT_OPTIONS = SharingOptions()


def wants(member: MemberState | TeamRequest) -> bool:
    """Whether the member asks for an amperage that is of use to it."""
    return member.requested_amperage > 0.0 and (
        member.requested_amperage >= member.minimum_amperage - EPSILON)


def applicant(index: int, member: MemberState, held: float, options: SharingOptions,
              running: bool = False) -> Applicant:
    """A member as one that asks to be let in."""
    admission = max(member.minimum_amperage,
                    min(options.admission_amperage, member.requested_amperage))
    return Applicant(index, member.minimum_amperage, admission, held, member.phases, running,
                     member.returning)


def share(members: Sequence[MemberState], budget: Sequence[float], held: Sequence[float],
          options: SharingOptions = DEFAULT_OPTIONS, barred: Collection[int] = (),
          order: Callable[[], Sequence[Applicant]] | None = None,
          short: ShortTime | None = None) -> tuple[list[Share], set[int]]:
    """Shares a budget: who is let in, then how much each gets.

    Args:
        members: all that are heard.
        budget: A on each supply phase.
        held: A per phase for each member that stay reserved for it even with no allocation.
        options: see there.
        barred: indices of those that may not be let in now.
        order: makes the applicants in their order, where not all fit; None: by their rank.
        short: what the phases carry for seconds; None: ``short_time_factor`` x budget.

    Returns:
        A share for each member, in their order, and the indices of those let in.
    """
    if not members:
        return [], set()
    uses = uses_of(members)
    cap = np.array([m.requested_amperage for m in members], dtype=np.float64)
    minimum = np.array([m.minimum_amperage for m in members], dtype=np.float64)
    weight = np.array([m.weight for m in members], dtype=np.float64)
    kept = np.array(held, dtype=np.float64)
    inside = (cap > 0.0) & (cap >= minimum - EPSILON)
    if barred:
        inside[list(barred)] = False
    free = [max(0.0, budget[p] - float(kept[uses[p]].sum())) for p in range(3)]
    ample = np.maximum(minimum, np.minimum(options.admission_amperage, cap))
    needs = np.where(inside, np.maximum(0.0, ample - kept), 0.0)
    returning = None
    if any(m.returning for m in members):
        returning = np.array([[p in m.returning for m in members] for p in ALL_PHASES])
        if short is None:
            short = ShortTime([options.short_time_factor * b for b in budget],
                              options.phases_back_at_once)
    if not all(float(needs[uses[p]].sum()) <= free[p] for p in range(3)) or (
            returning is not None and short is not None
            and not fits(np.where(inside, np.maximum(ample, kept), kept), uses, returning, short)):
        applicants = order() if order is not None else [
            applicant(i, members[i], held[i], options)
            for i in sorted(np.flatnonzero(inside).tolist(), key=lambda i: rank(members[i]))]
        inside[:] = False
        left = None
        if returning is not None and short is not None:
            left = ShortTime([short.room[p] - float(kept[uses[p]].sum()) for p in range(3)],
                             short.at_once)
        inside[list(admit(applicants, free, left))] = True
    cap = np.maximum(cap, minimum)
    columns = Columns(np.maximum(minimum, np.minimum(kept, cap)), cap, weight, uses)
    room = [max(0.0, budget[p] - float(kept[uses[p] & ~inside].sum())) for p in range(3)]
    amperage = np.zeros(len(members))
    bottleneck = np.full(len(members), SLACK, dtype=np.int64)
    amperage[inside], bottleneck[inside] = fair_shares(columns.of_rows(inside), room)
    if returning is not None and short is not None:
        left = ShortTime([short.room[p] - float(kept[uses[p] & ~inside].sum()) for p in range(3)],
                         short.at_once)
        _carry_returns(amperage, bottleneck, columns, inside, room, returning, left)
    if options.unbalance_limit < math.inf:
        limit_unbalance(members, amperage, columns, options.unbalance_limit)
    shares = list(map(Share._make, zip(amperage.tolist(), _reasons(
        members, amperage, columns, inside, bottleneck), strict=True)))
    return shares, set(np.flatnonzero(inside).tolist())


def _carry_returns(amperage: Floats, bottleneck: NDArray[np.int64], columns: Columns,
                   inside: Bools, room: Sequence[float], returning: Bools, short: ShortTime
                   ) -> None:
    """Lowers those that would be too much together once vehicles come back; in place.

    What that frees goes to others, as long as it is not too much in its turn.
    """
    whole = replace(columns, floor=np.where(inside, columns.floor, 0.0))
    for round_ in range(len(PHASE_NAMES) + 1):
        less, full = lowered(amperage, whole, returning, short)
        changed = less < amperage - EPSILON
        amperage[:] = less
        if not full or round_ == len(PHASE_NAMES):
            return
        bottleneck[changed] = len(PHASE_NAMES) + full[0]
        columns = replace(columns, cap=np.where(
            changed, np.maximum(less, columns.floor), columns.cap))
        amperage[inside], at = fair_shares(columns.of_rows(inside), room)
        bottleneck[inside] = np.where(changed[inside], bottleneck[inside], at)


def limit_unbalance(members: Sequence[MemberState], amperage: Floats, columns: Columns,
                    limit: float) -> None:
    """Lowers the one-phase members of a phase that carries too much more than another.

    In place. Those that no longer get their minimum get nothing, the last of the rank first.
    What is freed is not given to others: that could shift the unbalance, not end it.
    """
    single = np.array([len(m.phases) == 1 for m in members]) & (amperage > 0.0)
    load = [float(amperage[columns.uses[p] & single].sum()) for p in range(3)]
    most = min(load) + limit
    for p in range(3):
        if load[p] <= most:
            continue
        rows = np.flatnonzero(columns.uses[p] & single)
        ranked = sorted(rows.tolist(), key=lambda i: rank(members[i]))
        kept = admit([applicant(i, members[i], 0.0, DEFAULT_OPTIONS) for i in ranked],
                     [most, most, most])
        amperage[[i for i in ranked if i not in kept]] = 0.0
        keep = np.zeros(len(members), dtype=np.bool_)
        keep[list(kept)] = True
        part = Columns(columns.floor[keep], np.maximum(columns.floor, amperage)[keep],
                       columns.weight[keep], columns.uses[:, keep])
        amperage[keep] = fair_shares(part, [most, most, most])[0]


ALL = 'all it asked for'
NOTHING = 'asks for nothing'
FAIR = tuple(f'fair share: {name} is fully used' for name in PHASE_NAMES)
RETURNS = tuple(f'fair share: {name} must carry what may come back there' for name in PHASE_NAMES)
MINIMUM = tuple(f'its minimum: {name} is fully used' for name in PHASE_NAMES)
MINIMUM_RETURNS = tuple(f'its minimum: {name} must carry what may come back there'
                        for name in PHASE_NAMES)
WORDS = (ALL, *FAIR, *RETURNS, *MINIMUM, *MINIMUM_RETURNS, 'limited by the phase unbalance')


def _reasons(members: Sequence[MemberState], amperage: Floats, columns: Columns, inside: Bools,
             bottleneck: NDArray[np.int64]) -> list[str]:
    """Why each is given what it is given, for a person."""
    at_minimum = amperage <= columns.floor + EPSILON
    words = np.where(bottleneck == SLACK, len(WORDS) - 1,
                     1 + bottleneck + np.where(at_minimum, len(FAIR) + len(RETURNS), 0))
    words = np.where(amperage >= columns.cap - EPSILON, 0, words)
    reasons = [WORDS[k] for k in words.tolist()]
    for i in np.flatnonzero(~inside | (amperage <= 0.0)).tolist():
        member = members[i]
        if wants(member):
            reasons[i] = f'waits: no room for its minimum of {member.minimum_amperage:g} A'
        elif member.requested_amperage <= 0.0:
            reasons[i] = NOTHING
        else:
            reasons[i] = (f'asks for {member.requested_amperage:g} A, less than its minimum of '
                          f'{member.minimum_amperage:g} A')
    return reasons


def allocate(now: float, members: Sequence[MemberState], budget: Phases,
             options: SharingOptions = DEFAULT_OPTIONS) -> Mapping[str, Share]:
    """One team with no history: a planner's what-if.

    Work-conserving, weighted max-min fair per phase above the minimum floors, and independent of
    the order of the members. A member last heard more than valid_for (10 s) ago is given nothing;
    up to valid_for + fall_time + margin (18 s) max(allocated, drawable) stays reserved for it,
    then its failsafe_amperage.

    Args:
        now: s, on the clock of ``last_heard`` and ``waiting_since``.
        members: names must be unique.
        budget: A on each supply phase.
        options: admission_amperage and unbalance_limit count here.

    Returns:
        A share for each member by name, in the order given.
    """
    lease, reserved = LEASE_TIMES.valid_for, LEASE_TIMES.reservation(LEASE_TIMES.fall_time)
    shares: dict[str, Share] = {}
    left = list(budget)
    heard = [m for m in members if now - m.last_heard <= lease]
    for member in members if len(heard) < len(members) else ():
        silence = now - member.last_heard
        if silence <= lease:
            continue
        kept = (max(member.allocated_amperage, member.drawable_amperage) if silence <= reserved
                else member.failsafe_amperage)
        for p in range(3):
            if not member.phases or p + 1 in member.phases:
                left[p] -= kept
        shares[member.member] = Share(
            0.0, f'silent for {silence:.1f} s: {kept:g} A stays reserved for it')
    values, _ = share(heard, left, [0.0] * len(heard), options)
    shares.update(zip([m.member for m in heard], values, strict=True))
    if len(heard) == len(members):
        return shares
    return {m.member: shares[m.member] for m in members}
