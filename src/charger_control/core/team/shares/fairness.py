"""Weighted max-min fairness on three phases, with a floor and a cap for each consumer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from charger_control.core.team.types import EPSILON, MemberState, phase_indices

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SLACK = -1
"""Bottleneck of one that got all it asked for."""


@lru_cache(maxsize=256)
def _mask(phases: tuple[int, ...]) -> int:
    return sum(1 << p for p in phase_indices(phases))


@dataclass(frozen=True, slots=True)
class Columns:
    """Members as columns.

    Attributes:
        floor: A per phase, what each gets in any case.
        cap: A per phase, the most that each is given.
        weight: > 0.
        uses: one row per supply phase: who loads it.
    """

    floor: Floats
    cap: Floats
    weight: Floats
    uses: Bools

    def of_rows(self, rows: Bools) -> Columns:
        """Some of the members."""
        return Columns(self.floor[rows], self.cap[rows], self.weight[rows], self.uses[:, rows])


def uses_of(members: Sequence[MemberState]) -> Bools:
    """One row per supply phase: which members load it."""
    masks = np.array([_mask(m.phases) for m in members], dtype=np.uint8)
    return (masks & np.array([[1], [2], [4]], dtype=np.uint8)).astype(np.bool_)


def fair_shares(columns: Columns, budget: Sequence[float]) -> tuple[Floats, NDArray[np.int64]]:
    """Weighted max-min fair amperages: nobody can get more except from one that has less.

    All rise together, amperage ÷ weight alike, from their floor to their cap; where a phase is
    full, those on it stay. At most three phases fill up, each found exactly on the sorted
    breakpoints: n log n.

    Args:
        columns: who shares; cap >= floor.
        budget: A on each supply phase, at least the sum of the floors on it.

    Returns:
        A per phase for each, and the phase index that holds each back (SLACK: none).
    """
    floor, cap, weight, uses = columns.floor, columns.cap, columns.weight, columns.uses
    bottleneck = np.full(len(floor), SLACK, dtype=np.int64)
    if all(float(cap[uses[p]].sum()) <= budget[p] for p in range(3)):
        return cap.copy(), bottleneck
    amperage = floor.copy()
    rising = cap > floor
    points = np.concatenate((floor / weight, cap / weight))
    order = points.argsort(kind='stable')
    points = points[order]
    steps = points[1:] - points[:-1]
    owner = order % len(floor)
    bend = np.concatenate((weight, -weight))[order]
    for _ in range(3):
        full = [_full_at(p, amperage, cap, rising, uses, budget, owner, bend, points, steps)
                for p in range(3)]
        level = min(full)
        if level == np.inf:
            amperage[rising] = cap[rising]
            break
        at_level = np.minimum(np.maximum(level * weight, floor), cap)
        for p in range(3):
            if full[p] <= level:
                stays = rising & uses[p]
                amperage[stays] = at_level[stays]
                bottleneck[stays & (at_level < cap)] = p
                rising &= ~stays
    return amperage, bottleneck


def _full_at(p: int, amperage: Floats, cap: Floats, rising: Bools, uses: Bools,
             budget: Sequence[float], owner: NDArray[np.int64], bend: Floats, points: Floats,
             steps: Floats) -> float:
    """The level (A ÷ weight) at which phase ``p`` is full; infinite where it never is."""
    mine = rising & uses[p]
    if not mine.any():
        return float(np.inf)
    room = budget[p] - float(amperage[uses[p] & ~rising].sum())
    if float(cap[mine].sum()) <= room:
        return float(np.inf)
    slope = (bend * mine[owner]).cumsum()
    load = np.empty(len(points))
    load[0] = amperage[mine].sum()
    (slope[:-1] * steps).cumsum(out=load[1:])
    load[1:] += load[0]
    k = max(0, int(load.searchsorted(room, side='right')) - 1)
    over = room - float(load[k])
    return float(points[k] + (over / slope[k] if over > 0.0 and slope[k] > EPSILON else 0.0))
