"""Who is let in: minimum current for as many as there is room for, in the order of their rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from charger_control.core.team.shares.returns import Returning, ShortTime
from charger_control.core.team.types import EPSILON, MemberState, phase_indices

Rank = tuple[float, float, float, str]


def rank(member: MemberState) -> Rank:
    """Sorts by priority, then need (least energy this session), then waiting time, then name."""
    return -member.priority, member.energy, member.waiting_since, member.member


@dataclass(frozen=True, slots=True)
class Applicant:
    """One that asks to be let in.

    Attributes:
        index: of its caller.
        minimum: A per phase that it needs.
        admission: A per phase that it and all before it must get if it is let in after others.
        held: A per phase that are kept for it whatever is decided.
        phases: as in MemberState.
        returning: as in MemberState.
        running: it is in already, its minimum is enough to stay.
    """

    index: int
    minimum: float
    admission: float
    held: float
    phases: tuple[int, ...]
    running: bool = False
    returning: tuple[int, ...] = ()


def admit(applicants: Iterable[Applicant], free: Sequence[float],
          short: ShortTime | None = None) -> set[int]:
    """Lets in, in the order given, everyone for whom there is room.

    One that does not fit is passed over, so that no current lies idle that a later one can use.

    Args:
        applicants: in the order of their rank.
        free: A on each supply phase, less what is held for anyone.
        short: the same for seconds, where somebody may come back on a phase.

    Returns:
        Indices of those let in.
    """
    left = list(free)              # with everyone let in at its minimum
    left_ample = list(free)        # with everyone let in at admission_amperage
    users = [0, 0, 0]
    seconds = None if short is None else _Seconds(short)
    admitted: set[int] = set()
    for one in applicants:
        phases = phase_indices(one.phases)
        least = max(0.0, one.minimum - one.held)
        ample = max(0.0, one.admission - one.held)
        if any(left[p] + EPSILON < least for p in phases):
            continue
        first = not any(users[p] for p in phases)
        if not (one.running or first) and any(left_ample[p] + EPSILON < ample for p in phases):
            continue
        if seconds is not None and not seconds.take(one, least):
            continue
        admitted.add(one.index)
        for p in phases:
            left[p] -= least
            left_ample[p] -= ample
            users[p] += 1
    return admitted


class _Seconds:
    """What is left for seconds, with everyone let in at its minimum."""

    def __init__(self, short: ShortTime) -> None:
        self._left = list(short.room)
        self._back = [Returning(short.at_once) for _ in range(3)]

    def take(self, one: Applicant, least: float) -> bool:
        """Lets one in that takes ``least`` A more than is held for it; False: no room."""
        phases = phase_indices(one.phases)
        brings = max(one.minimum, one.held)
        if any(self._left[p] + EPSILON < least + self._back[p].most for p in phases):
            return False
        returning = [p - 1 for p in one.returning]
        for p in returning:
            self._back[p].add(brings)
        if any(self._left[p] + EPSILON < self._back[p].most for p in returning):
            for p in returning:
                self._back[p].remove(brings)
            return False
        for p in phases:
            self._left[p] -= least
        return True
