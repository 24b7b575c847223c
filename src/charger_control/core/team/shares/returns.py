"""What may come back: vehicles that do not draw on all phases they are wired to, and may again.

On each phase the heaviest ``phases_back_at_once`` of them may come back at any moment. What they
bring must fit, with all that is counted there, into ``short_time_factor`` x budget; each comes down
by itself within seconds (docs/team.md, Phases).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from charger_control.core.team.shares.fairness import Bools, Columns, Floats
from charger_control.core.team.types import EPSILON

BISECTIONS = 40
"""Halvings of a level: far below EPSILON of any amperage."""


@dataclass(frozen=True, slots=True)
class ShortTime:
    """What phases carry for seconds.

    Attributes:
        room: A on each supply phase, less what is kept for those that are not shared among.
        at_once: how many may come back within the time that the team takes to answer (20 s).
    """

    room: Sequence[float]
    at_once: int = 1


@dataclass(slots=True)
class Returning:
    """What may come back on one phase, A each, from the least to the most."""

    at_once: int
    amperages: list[float] = field(default_factory=list)

    def add(self, amperage: float) -> None:
        """One more may bring ``amperage``."""
        insort(self.amperages, amperage)

    def remove(self, amperage: float) -> None:
        """One that might bring ``amperage`` does not any more."""
        del self.amperages[bisect_left(self.amperages, amperage)]

    def move(self, before: float, after: float) -> None:
        """One of them brings ``after`` instead of ``before``."""
        self.remove(before)
        self.add(after)

    @property
    def most(self) -> float:
        """What the heaviest of them bring together."""
        return sum(self.amperages[-self.at_once:])

    def beside(self, own: float) -> tuple[float, float]:
        """The most of the others of one that brings ``own``, and what one must exceed to count.

        That is 0 while there are fewer than may come back at once.
        """
        others = self.amperages[-self.at_once - 1:]
        if own in others:
            others.remove(own)
        else:
            del others[0]
        least = others[0] if len(others) == self.at_once else 0.0
        return sum(others), least


def heaviest(amperages: Floats, at_once: int) -> float:
    """The sum of the ``at_once`` largest."""
    if at_once == 1:
        return float(amperages.max(initial=0.0))
    return float(np.sort(amperages)[-at_once:].sum())


def load(amperage: Floats, p: int, uses: Bools, returning: Bools, at_once: int) -> float:
    """What phase ``p`` carries once the heaviest have come back, A."""
    return (float(amperage[uses[p]].sum())
            + heaviest(amperage[returning[p]], at_once))


def fits(amperage: Floats, uses: Bools, returning: Bools, short: ShortTime) -> bool:
    """Whether all phases carry what may come back."""
    return not any(_overloaded(amperage, uses, returning, short))


def _overloaded(amperage: Floats, uses: Bools, returning: Bools, short: ShortTime
                ) -> Iterable[bool]:
    return (bool(returning[p].any()) and load(amperage, p, uses, returning, short.at_once)
            > short.room[p] + EPSILON for p in range(3))


def lowered(amperage: Floats, columns: Columns, returning: Bools, short: ShortTime
            ) -> tuple[Floats, list[int]]:
    """Levels of those that make a phase too heavy, so that none is; nobody is raised.

    On such a phase all come down together, amperage / weight alike, not below their floor.

    Args:
        amperage: A per phase of each.
        columns: of the same members.
        returning: one row per supply phase: who may come back there.
        short: what the phases carry.

    Returns:
        The new amperages, and the phase indices that were too heavy.
    """
    amperage = amperage.copy()
    full = []
    for p, heavy in enumerate(_overloaded(amperage, columns.uses, returning, short)):
        if not heavy:
            continue
        full.append(p)
        concerned = columns.uses[p] | returning[p]
        low, high = 0.0, float((amperage / columns.weight)[concerned].max())
        for _ in range(BISECTIONS):
            level = (low + high) / 2.0
            at_level = _at(level, amperage, columns, concerned)
            if load(at_level, p, columns.uses, returning, short.at_once) > short.room[p]:
                high = level
            else:
                low = level
        amperage = _at(low, amperage, columns, concerned)
    return amperage, full


def _at(level: float, amperage: Floats, columns: Columns, concerned: Bools) -> Floats:
    lower = np.minimum(amperage, np.maximum(columns.floor, level * columns.weight))
    return np.where(concerned, lower, amperage)
