"""When a profile begins, and the times of its periods made ready for look-up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import numpy.typing as npt

from charger_control.core.smart_charging.schedule.profiles import (
    DAY,
    Kind,
    Period,
    Profile,
    Recurrency,
)

FOREVER = 2**62
"""Unix s, later than any."""
NO_PHASES = 127
"""Number of phases in an array where none is given: greater than any."""


class RecurringStarts:
    """The starts of a schedule that recurs by the wall clock of a time zone.

    A local time that a day has twice is the one that the schedule's own start was (the first,
    unless that was a second one); one that a day skips is as much later as the clock leaps.
    """

    def __init__(self, start_schedule: int, recurrency: Recurrency, time_zone: tzinfo) -> None:
        """``start_schedule``: unix s of one of them."""
        self._origin = start_schedule
        self._days = recurrency.days
        self._fixed = time_zone.utcoffset(None) is not None
        if not self._fixed:
            self._local = datetime.fromtimestamp(start_schedule, time_zone)

    def start(self, number: int) -> int:
        """Unix s of the occurrence ``number`` steps after the schedule's own start."""
        if self._fixed:
            return self._origin + number * self._days * DAY
        # Adding to an aware datetime moves its wall clock: the offset of that day applies.
        local = self._local + timedelta(days=number * self._days)
        if not self._local.fold:
            return int(local.timestamp())
        return int(max(local.timestamp(), local.replace(fold=1).timestamp()))

    def number_at(self, at: int) -> int:
        """Number of the occurrence that ``at``, unix s, lies in."""
        number = (at - self._origin) // (self._days * DAY)
        if not self._fixed:
            while self.start(number) > at:
                number -= 1
            while self.start(number + 1) <= at:
                number += 1
        return number


def occurrence_starts(kind: Kind, recurrency: Recurrency | None, start_schedule: int | None,
                      begin: int, end: int, transaction_start: int | None,
                      time_zone: tzinfo = UTC) -> list[int]:
    """When a schedule begins: for a recurring one at or before ``begin``, and on to ``end``.

    Args:
        kind: what the schedule counts from.
        recurrency: of a recurring one.
        start_schedule: unix s; a schedule that needs one and has none never begins.
        begin: unix s.
        end: unix s, inclusive.
        transaction_start: unix s; None: a relative schedule begins at ``begin``.
        time_zone: whose wall clock it recurs by.
    """
    if kind is Kind.RELATIVE:
        return [begin if transaction_start is None else transaction_start]
    if start_schedule is None:
        return []
    if kind is Kind.ABSOLUTE:
        return [start_schedule]
    if recurrency is None:
        return []
    recurring = RecurringStarts(start_schedule, recurrency, time_zone)
    number = recurring.number_at(begin)
    starts = [recurring.start(number)]
    while (following := recurring.start(number + 1)) <= end:
        starts.append(following)
        number += 1
    return starts


class PreparedProfile:
    """A profile with the times of its periods ready for look-up.

    Periods that a valid profile cannot have, a first one that is not at 0 and one that does not
    come after the one before, are passed over (domain.md 3).
    """

    def __init__(self, profile: Profile, number: int, time_zone: tzinfo) -> None:
        """``number``: what the profile is known by where it owns a limit."""
        self.profile = profile
        self.number = number
        self._steps: Steps | None = None
        self._recurring: RecurringStarts | None = None
        if (profile.kind is Kind.RECURRING and profile.start_schedule is not None
                and profile.recurrency is not None):
            self._recurring = RecurringStarts(profile.start_schedule, profile.recurrency, time_zone)

    def occurrences(self, begin: int, end: int,
                    transaction_start: int) -> Iterator[tuple[int, int, int]]:
        """Where the profile is active in [begin, end): (from, to, start of the occurrence)."""
        profile = self.profile
        begin = begin if profile.valid_from is None else max(begin, profile.valid_from)
        end = end if profile.valid_to is None else min(end, profile.valid_to)
        if begin >= end or not profile.periods:
            return
        first_offset = 0
        if profile.periods[0].start != 0:
            offsets = self.steps.offsets
            if not offsets.size:
                return
            first_offset = int(offsets[0])
        for start, stop in self._spans(begin, end, transaction_start):
            first, last = max(start + first_offset, begin), min(stop, end)
            if first < last:
                yield first, last, start

    def _spans(self, begin: int, end: int, transaction_start: int) -> Iterator[tuple[int, int]]:
        """Every occurrence that reaches into [begin, end)."""
        profile = self.profile
        if self._recurring is None:
            kind = Kind.RELATIVE if profile.counts_from_transaction else profile.kind
            for start in occurrence_starts(kind, profile.recurrency, profile.start_schedule,
                                           begin, end, transaction_start):
                yield start, (FOREVER if profile.duration is None else start + profile.duration)
            return
        # A duration of a day (a week) or more is the whole of one, however long that is.
        duration = profile.duration
        if (profile.recurrency is not None and duration is not None
                and duration >= profile.recurrency.days * DAY):
            duration = None
        number = self._recurring.number_at(begin)
        start = self._recurring.start(number)
        while start < end:
            number += 1
            following = self._recurring.start(number)
            yield start, (following if duration is None else min(following, start + duration))
            start = following

    @property
    def steps(self) -> Steps:
        """The periods that count, made when first asked for."""
        if self._steps is None:
            self._steps = Steps(_in_order(self.profile.periods))
        return self._steps


class Steps:
    """Periods as arrays of one length.

    Attributes:
        offsets: s after the start of the occurrence, increasing.
        values: A or W.
        phases: NO_PHASES where not given.
    """

    __slots__ = ('offsets', 'phases', 'values')

    def __init__(self, periods: Sequence[Period]) -> None:
        self.offsets: npt.NDArray[np.int64] = np.array([p.start for p in periods], np.int64)
        self.values: npt.NDArray[np.float64] = np.array([p.limit for p in periods], np.float64)
        self.phases: npt.NDArray[np.int8] = np.array(
            [NO_PHASES if p.phases is None else p.phases for p in periods], np.int8)

    def between(self, begin: int, end: int) -> tuple[int, int]:
        """Indices, from and to, of those that count in [begin, end), s after the start.

        ``begin`` is not before the first of them.
        """
        first, last = self.offsets.searchsorted((begin + 1, end))
        return int(first) - 1, int(last)


def _in_order(periods: Sequence[Period]) -> list[Period]:
    kept: list[Period] = []
    previous: int | None = None
    for period in periods:
        in_order = period.start == 0 if previous is None else period.start > previous
        previous = period.start
        if in_order and not (kept and period.start <= kept[-1].start):
            kept.append(period)
    return kept
