"""Limits over a window of time: which profile counts when, and how several limits combine."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from charger_control.core.smart_charging.schedule.occurrences import NO_PHASES, PreparedProfile
from charger_control.core.smart_charging.schedule.profiles import RateUnit

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
NOBODY = -1
"""Owner of a limit that no single profile sets."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """What is allowed from each of ``times`` on: arrays of one length, a column per value.

    Attributes:
        times: unix s, increasing; the first is the begin of the window.
        amperage: A per phase, inf where none is given.
        power: W, inf where none is given.
        phases: NO_PHASES where none is given.
        amperage_owner: ``PreparedProfile.number`` of who sets ``amperage``, or NOBODY.
        power_owner: who sets ``power``.
    """

    times: Integers
    amperage: Floats
    power: Floats
    phases: Integers
    amperage_owner: Integers
    power_owner: Integers

    @cached_property
    def _instants(self) -> list[int]:
        instants: list[int] = self.times.tolist()
        return instants

    def index(self, at: int) -> int:
        """Where an instant of the window is, unix s."""
        return bisect_right(self._instants, at) - 1

    def in_unit(self, unit: RateUnit, watts_per_ampere: Floats) -> tuple[Floats, Integers]:
        """Limits and owners in one unit; inf where none is given.

        The lower one of both counts, of equals the one that was given in ``unit``.
        """
        if unit is RateUnit.A:
            given, owner, other_owner = self.amperage, self.amperage_owner, self.power_owner
            other = self.power / watts_per_ampere
        else:
            given, owner, other_owner = self.power, self.power_owner, self.amperage_owner
            other = self.amperage * watts_per_ampere
        is_other = other < given
        return np.where(is_other, other, given), np.where(is_other, other_owner, owner)


Combination = Callable[[Sequence[Timeline]], Timeline]
"""What timelines of one window and of the same times amount to together."""


def winners(prepared: Iterable[PreparedProfile], begin: int, end: int,
            transaction_start: int) -> Timeline:
    """The limit of the first of ``prepared`` that is active, instant by instant in [begin, end).

    Each profile is only looked at where all before it are silent, so the cost follows what is
    seen of the profiles, not all that they hold.
    """
    gap_begins, gap_ends = [begin], [end]
    seen: list[tuple[int, int, int, PreparedProfile]] = []
    for candidate in prepared:
        for first, last, start in candidate.occurrences(begin, end, transaction_start):
            low, high = bisect_right(gap_ends, first), bisect_left(gap_begins, last)
            left_begins: list[int] = []
            left_ends: list[int] = []
            for gap in range(low, high):
                seen_from, seen_to = max(first, gap_begins[gap]), min(last, gap_ends[gap])
                seen.append((seen_from, seen_to, start, candidate))
                if gap_begins[gap] < seen_from:
                    left_begins.append(gap_begins[gap])
                    left_ends.append(seen_from)
                if seen_to < gap_ends[gap]:
                    left_begins.append(seen_to)
                    left_ends.append(gap_ends[gap])
            gap_begins[low:high] = left_begins
            gap_ends[low:high] = left_ends
        if not gap_begins:
            break
    return _expanded(seen, gap_begins)


def _expanded(seen: Sequence[tuple[int, int, int, PreparedProfile]],
              silences: Sequence[int]) -> Timeline:
    """The periods of the profiles where they are seen, and nothing from each of ``silences``."""
    times = [np.array(silences, np.int64)]
    values = [np.full(len(silences), np.inf)]
    phases = [np.full(len(silences), NO_PHASES, np.int8)]
    counts, in_amperes, owners = [len(silences)], [True], [NOBODY]
    for seen_from, seen_to, start, candidate in seen:
        steps = candidate.steps
        first, last = steps.between(seen_from - start, seen_to - start)
        begins = steps.offsets[first:last] + start
        begins[0] = seen_from
        times.append(begins)
        values.append(steps.values[first:last])
        phases.append(steps.phases[first:last])
        counts.append(last - first)
        in_amperes.append(candidate.profile.unit is RateUnit.A)
        owners.append(candidate.number)
    all_times = np.concatenate(times)
    order = np.argsort(all_times, kind='stable')
    value = np.concatenate(values)[order]
    is_ampere = np.repeat(in_amperes, counts)[order]
    owner = np.repeat(owners, counts)[order]
    return Timeline(
        all_times[order], np.where(is_ampere, value, np.inf), np.where(is_ampere, np.inf, value),
        np.concatenate(phases)[order].astype(np.int64), np.where(is_ampere, owner, NOBODY),
        np.where(is_ampere, NOBODY, owner))


def merged(timelines: Sequence[Timeline], combine: Combination) -> Timeline:
    """The combination of several timelines of one window, equal neighbours made one."""
    times = np.unique(np.concatenate([timeline.times for timeline in timelines]))
    return _compact(combine([_taken(timeline, timeline.times.searchsorted(times, 'right') - 1,
                                    times) for timeline in timelines]))


def _taken(timeline: Timeline, indices: Integers, times: Integers) -> Timeline:
    return Timeline(times, timeline.amperage[indices], timeline.power[indices],
                    timeline.phases[indices], timeline.amperage_owner[indices],
                    timeline.power_owner[indices])


def _compact(timeline: Timeline) -> Timeline:
    columns = (timeline.amperage, timeline.power, timeline.phases, timeline.amperage_owner,
               timeline.power_owner)
    kept = first_of_equals(*columns)
    return _taken(timeline, kept, timeline.times[kept])


def first_of_equals(*columns: npt.NDArray[np.generic]) -> Integers:
    """Indices of the rows that differ from the row before."""
    differs = np.zeros(len(columns[0]), np.bool_)
    differs[:1] = True
    for column in columns:
        differs[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(differs)


def lowest(timelines: Sequence[Timeline]) -> Timeline:
    """All of them kept: the lowest A, the lowest W and the fewest phases; the first of equals."""
    amperage, amperage_owner = _least([t.amperage for t in timelines],
                                      [t.amperage_owner for t in timelines])
    power, power_owner = _least([t.power for t in timelines], [t.power_owner for t in timelines])
    phases = np.minimum.reduce([t.phases for t in timelines])
    return Timeline(timelines[0].times, amperage, power, phases, amperage_owner, power_owner)


def _least(values: Sequence[Floats], owners: Sequence[Integers]) -> tuple[Floats, Integers]:
    value, owner = values[0], owners[0]
    for other, other_owner in zip(values[1:], owners[1:], strict=True):
        is_lower = other < value
        value, owner = np.where(is_lower, other, value), np.where(is_lower, other_owner, owner)
    return value, owner


def total(default_amperage: float, default_power: float) -> Combination:
    """A combination for the station: the sum over EVSEs, the default for a limit not given.

    Its phases are the most given; nobody owns a sum.
    """
    def combine(timelines: Sequence[Timeline]) -> Timeline:
        times = timelines[0].times
        amperage, power = np.zeros(len(times)), np.zeros(len(times))
        phases = np.zeros(len(times), np.int64)
        for timeline in timelines:
            amperage += np.where(np.isinf(timeline.amperage), default_amperage, timeline.amperage)
            power += np.where(np.isinf(timeline.power), default_power, timeline.power)
            phases = np.maximum(phases, np.where(timeline.phases == NO_PHASES, 0, timeline.phases))
        nobody = np.full(len(times), NOBODY, np.int64)
        return Timeline(times, amperage, power, np.where(phases == 0, NO_PHASES, phases), nobody,
                        nobody)
    return combine

