"""The limit at an instant, its next change and the lowest ahead, for given profiles."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, tzinfo

import numpy as np

from charger_control.core.power import Conversion
from charger_control.core.smart_charging.schedule.occurrences import NO_PHASES, PreparedProfile
from charger_control.core.smart_charging.schedule.profiles import (
    DAY,
    NO_LIMIT,
    Limit,
    Profile,
    Purpose,
    RateUnit,
    Transaction,
)
from charger_control.core.smart_charging.schedule.timeline import (
    NOBODY,
    Combination,
    Timeline,
    lowest,
    merged,
    winners,
)

LATEST = 253_370_764_800
"""Unix s, 9999-01-01: later instants are taken for this one, as calendars end there."""
HORIZON = 7 * DAY
"""s, how far ahead a change is looked for unless told otherwise."""
_KEPT_DAYS = 16


class ProfileEngine:
    """Answers for one set of profiles and transactions; a new one is made when either changes.

    An instant is answered from an index of its UTC day, made when the day is first asked for;
    one engine is not for several threads.

    Among profiles of one purpose and stack level that are active at once (OCPP 1.6: one of the
    station and one of the EVSE), the one installed last counts.
    """

    def __init__(self, profiles: Iterable[Profile] = (),
                 transactions: Mapping[int, Transaction] | None = None,
                 time_zone: tzinfo = UTC) -> None:
        """Takes what is installed and what runs.

        Args:
            profiles: in the order of their installation.
            transactions: those running, by EVSE.
            time_zone: whose wall clock recurring profiles follow.
        """
        self.profiles = tuple(profiles)
        prepared = [PreparedProfile(p, number, time_zone)
                    for number, p in enumerate(self.profiles)]
        first_wins = sorted(prepared, key=lambda p: (-p.profile.stack_level, -p.number))
        self._by_purpose = {purpose: [p for p in first_wins if p.profile.purpose is purpose]
                            for purpose in Purpose}
        self._transactions = dict(transactions or {})
        self._is_relative = any(p.counts_from_transaction for p in self.profiles)
        self._days: OrderedDict[tuple[int, int, bool, int], Timeline] = OrderedDict()

    def concerns(self, evse: int) -> bool:
        """Whether any profile can limit this EVSE."""
        return any(p.concerns(evse) for p in self.profiles)

    def limit_at(self, evse: int, at: float, *, assume_transaction: bool = False,
                 start: float | None = None) -> Limit:
        """What the profiles allow an EVSE at an instant: ``NO_LIMIT`` is "no opinion".

        Args:
            evse: 1 or more.
            at: unix s.
            assume_transaction: without a transaction, as if one ran.
            start: unix s, where relative schedules begin without a transaction; None: at ``at``.
        """
        second = _second(at)
        day = self._day(evse, second // DAY, second if start is None else _second(start),
                        assume_transaction)
        return self._limit(day, day.index(second))

    def next_change(self, evse: int, at: float, *, assume_transaction: bool = False,
                    start: float | None = None, horizon: int = HORIZON) -> int | None:
        """When the limit in force at ``at`` becomes another one, unix s.

        None: not within ``horizon`` s. Arguments as for ``limit_at``.
        """
        first = _second(at)
        begun = first if start is None else _second(start)
        now: tuple[float, float, int] | None = None
        for day, begin, end in self._parts(evse, first, first + horizon, begun,
                                           assume_transaction):
            columns = (day.amperage, day.power, day.phases)
            if now is None:
                now = (day.amperage[begin], day.power[begin], day.phases[begin])
            differs = np.zeros(end - begin, np.bool_)
            for column, value in zip(columns, now, strict=True):
                differs |= column[begin:end] != value
            if differs.any():
                return int(day.times[begin + int(differs.argmax())])
        return None

    def lowest_amperage(self, evse: int, begin: float, end: float, conversion: Conversion, *,
                        assume_transaction: bool = False) -> tuple[float | None, Limit]:
        """The lowest limit of [begin, end), for when the time is not known for sure.

        Args:
            evse: 1 or more.
            begin: unix s.
            end: unix s.
            conversion: of W; a profile that gives more phases is counted with those.
            assume_transaction: without a transaction, as if one began at ``begin``.

        Returns:
            A per phase, None: no profile limits then; and the limit that it comes from, with the
            fewest phases of the window.
        """
        least = math.inf
        found = NO_LIMIT
        fewest = NO_PHASES
        volts = np.array(conversion.volts)
        for day, first, last in self._parts(evse, _second(begin), _second(end), _second(begin),
                                            assume_transaction):
            given = np.where(day.phases == NO_PHASES, 0, day.phases)
            amperage, _ = day.in_unit(RateUnit.A, volts[np.maximum(given, conversion.phases) - 1])
            index = first + int(amperage[first:last].argmin())
            fewest = min(fewest, int(day.phases[first:last].min()))
            if amperage[index] < least:
                least, found = float(amperage[index]), self._limit(day, index)
        return (None if math.isinf(least) else least,
                found._replace(phases=None if fewest == NO_PHASES else fewest))

    def _parts(self, evse: int, begin: int, end: int, start: int,
               assume_transaction: bool) -> Iterator[tuple[Timeline, int, int]]:
        """The index of each day that [begin, end) touches, and the rows of it that do."""
        last = max(end, begin + 1) - 1
        for number in range(begin // DAY, last // DAY + 1):
            day = self._day(evse, number, start, assume_transaction)
            yield day, max(day.index(begin), 0), day.index(last) + 1

    def _limit(self, timeline: Timeline, index: int) -> Limit:
        amperage, power = float(timeline.amperage[index]), float(timeline.power[index])
        phases = int(timeline.phases[index])
        amperage_owner = int(timeline.amperage_owner[index])
        power_owner = int(timeline.power_owner[index])
        return Limit(None if amperage == math.inf else amperage,
                     None if power == math.inf else power,
                     None if phases == NO_PHASES else phases,
                     None if amperage_owner == NOBODY else self.profiles[amperage_owner],
                     None if power_owner == NOBODY else self.profiles[power_owner])

    def window(self, evse: int, begin: int, end: int, *, start: int,
               assume_transaction: bool = False) -> Timeline:
        """The limits of an EVSE in [begin, end), unix s, end after begin.

        ``start``: unix s, where relative schedules begin without a transaction, and the assumed
        transaction if there is to be one.
        """
        return merged([self._lane((Purpose.EXTERNAL_CONSTRAINTS,), (0,), evse, begin, end, start),
                       *self._demand(evse, begin, end, start, assume_transaction),
                       self._lane((Purpose.STATION_MAX,), (0,), evse, begin, end, start)], lowest)

    def station_window(self, begin: int, end: int, combine: Combination, evses: int, *,
                       assume_transaction: bool = False) -> Timeline:
        """The limits of the station in [begin, end): ``combine`` of its EVSEs, then its own.

        Assumed transactions begin at ``begin``.
        """
        demands = [merged(self._demand(evse, begin, end, begin, assume_transaction), lowest)
                   for evse in range(1, evses + 1)]
        return merged([self._lane((Purpose.EXTERNAL_CONSTRAINTS,), (0,), 0, begin, end, begin),
                       merged(demands, combine),
                       self._lane((Purpose.STATION_MAX,), (0,), 0, begin, end, begin)], lowest)

    def _demand(self, evse: int, begin: int, end: int, start: int,
                assume_transaction: bool) -> list[Timeline]:
        """What limits this EVSE alone: external constraints on it, and its transaction."""
        lanes = [self._lane((Purpose.EXTERNAL_CONSTRAINTS,), (evse,), evse, begin, end, start)]
        if assume_transaction or evse in self._transactions:
            lanes.append(self._lane((Purpose.TX, Purpose.TX_DEFAULT), (0, evse), evse, begin, end,
                                    start))
        return lanes

    def _lane(self, purposes: tuple[Purpose, ...], installed_on: tuple[int, ...], evse: int,
              begin: int, end: int, start: int) -> Timeline:
        """One limit at a time: the first of ``purposes`` that speaks, its highest stack level."""
        transaction = self._transactions.get(evse)
        candidates = [
            prepared for purpose in purposes for prepared in self._by_purpose[purpose]
            if prepared.profile.evse in installed_on and (
                purpose is not Purpose.TX or _is_for(prepared.profile, transaction))]
        return winners(candidates, begin, end, start if transaction is None else transaction.start)

    def _day(self, evse: int, day: int, start: int, assume_transaction: bool) -> Timeline:
        """The index of a UTC day."""
        # Only relative schedules without a transaction make the answer depend on who asks when.
        if not self._is_relative or evse in self._transactions:
            start = 0
        key = (evse, day, assume_transaction, start)
        timeline = self._days.get(key)
        if timeline is None:
            timeline = self._days[key] = self.window(
                evse, day * DAY, (day + 1) * DAY, start=start,
                assume_transaction=assume_transaction)
            if len(self._days) > _KEPT_DAYS:
                self._days.popitem(last=False)
        return timeline


def _is_for(profile: Profile, transaction: Transaction | None) -> bool:
    """Whether a TxProfile counts; one without an id does for any transaction."""
    return profile.transaction_id == '' if transaction is None else transaction.owns(profile)


def _second(at: float) -> int:
    """The whole second that an instant lies in, within what calendars know."""
    return min(max(math.floor(at), 0), LATEST)
