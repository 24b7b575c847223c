"""A brute-force oracle for charging profiles, written from the rules of OCPP (domain.md 3).

It knows nothing of the engine: it looks at one instant at a time, tries every profile, and walks
calendar days one by one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from typing import NamedTuple

from charger_control.core.smart_charging import (
    CompositeDefaults,
    Kind,
    Profile,
    Purpose,
    RateUnit,
    Recurrency,
    Transaction,
)

DAY = 86_400
EVSES = 2
DEFAULTS = CompositeDefaults(amperage=32.0, power=20_000.0, voltage=230.0, phases=3)
Zone = tzinfo


class Spoken(NamedTuple):
    """What one profile says at an instant."""

    limit: float
    unit: RateUnit
    phases: int | None
    stack: int


class Said(NamedTuple):
    """What all of them say: A and W with the stack level of who sets them, and phases."""

    amperage: float | None
    power: float | None
    phases: int | None
    amperage_stack: int = 0
    power_stack: int = 0


def offset_at(t: int, zone: Zone) -> int:
    offset = datetime.fromtimestamp(t, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def utc_of(wall: datetime, zone: Zone, second: bool = False) -> int:
    """The first (or second) instant that the wall clock shows ``wall``.

    If there is none, the instant as far behind the leap as ``wall`` is behind its begin.
    """
    naive = int(wall.replace(tzinfo=UTC).timestamp())
    offsets = sorted({offset_at(naive + d, zone) for d in (-DAY, 0, DAY)}, reverse=True)
    shown = [naive - offset for offset in offsets
             if datetime.fromtimestamp(naive - offset, zone).replace(tzinfo=None, fold=0) == wall]
    if shown:
        return shown[-1] if second else shown[0]
    return naive - offset_at(naive - DAY, zone)


@cache
def calendar_starts(start_schedule: int, recurrency: Recurrency, today: date,
                    zone: Zone) -> list[int]:
    anchor = datetime.fromtimestamp(start_schedule, zone).replace(tzinfo=None, fold=0)
    is_second = utc_of(anchor, zone) != start_schedule
    days = [today + timedelta(days=n) for n in range(-8, 9)]
    return [utc_of(datetime.combine(day, anchor.time()), zone, is_second) for day in days
            if recurrency is Recurrency.DAILY or day.weekday() == anchor.weekday()]


def starts_around(profile: Profile, t: int, zone: Zone) -> list[int]:
    """The occurrences of a recurring profile from 8 days before ``t`` to 8 days after it."""
    assert profile.start_schedule is not None
    assert profile.recurrency is not None
    return calendar_starts(profile.start_schedule, profile.recurrency,
                           datetime.fromtimestamp(t, zone).date(), zone)


def spoken(profile: Profile, t: int, transaction_start: int, zone: Zone) -> Spoken | None:
    """What a profile says at ``t``; None: it is silent."""
    if profile.valid_from is not None and t < profile.valid_from:
        return None
    if profile.valid_to is not None and t >= profile.valid_to:
        return None
    duration = float('inf') if profile.duration is None else profile.duration
    if profile.kind is Kind.RECURRING:
        starts = starts_around(profile, t, zone)
        start = max(s for s in starts if s <= t)
        longest = DAY if profile.recurrency is Recurrency.DAILY else 7 * DAY
        if duration >= longest:
            duration = min(s for s in starts if s > t) - start
    elif profile.kind is Kind.ABSOLUTE:
        assert profile.start_schedule is not None
        start = profile.start_schedule
    else:
        start = transaction_start
    elapsed = t - start
    if elapsed < 0 or elapsed >= duration:
        return None
    in_force = [p for p in profile.periods if p.start <= elapsed][-1]
    return Spoken(in_force.limit, profile.unit, in_force.phases, profile.stack_level)


def of_purpose(profiles: list[Profile], t: int, transaction_start: int,
               zone: Zone) -> Spoken | None:
    """The highest stack level that speaks, of equal ones the last installed."""
    best: Spoken | None = None
    for profile in profiles:
        said = spoken(profile, t, transaction_start, zone)
        if said is not None and (best is None or said.stack >= best.stack):
            best = said
    return best


def least(all_said: list[Said]) -> Said:
    """Lowest A, lowest W, fewest phases; of equal limits the first one's stack level."""
    amperes = [(s.amperage, i) for i, s in enumerate(all_said) if s.amperage is not None]
    watts = [(s.power, i) for i, s in enumerate(all_said) if s.power is not None]
    phases = [s.phases for s in all_said if s.phases is not None]
    ampere, watt = min(amperes, default=None), min(watts, default=None)
    return Said(None if ampere is None else ampere[0], None if watt is None else watt[0],
                min(phases, default=None),
                0 if ampere is None else all_said[ampere[1]].amperage_stack,
                0 if watt is None else all_said[watt[1]].power_stack)


def said_by(one: Spoken | None) -> Said:
    if one is None:
        return Said(None, None, None)
    if one.unit is RateUnit.A:
        return Said(one.limit, None, one.phases, amperage_stack=one.stack)
    return Said(None, one.limit, one.phases, power_stack=one.stack)


class Oracle:
    def __init__(self, profiles: list[Profile], transactions: dict[int, Transaction],
                 zone: Zone, window_start: int, assume: bool) -> None:
        self.profiles, self.transactions, self.zone = profiles, transactions, zone
        self.window_start, self.assume = window_start, assume

    def group(self, purpose: Purpose, evses: tuple[int, ...], evse: int, t: int) -> Spoken | None:
        transaction = self.transactions.get(evse)
        chosen = [p for p in self.profiles if p.purpose is purpose and p.evse in evses]
        if purpose is Purpose.TX:
            running = '' if transaction is None else transaction.transaction_id
            chosen = [p for p in chosen if p.transaction_id in ('', running)]
        start = self.window_start if transaction is None else transaction.start
        return of_purpose(chosen, t, start, self.zone)

    def demand(self, evse: int, t: int) -> Said:
        parts = [said_by(self.group(Purpose.EXTERNAL_CONSTRAINTS, (evse,), evse, t))]
        if self.assume or evse in self.transactions:
            tx = self.group(Purpose.TX, (0, evse), evse, t)
            default = self.group(Purpose.TX_DEFAULT, (0, evse), evse, t)
            parts.append(said_by(default if tx is None else tx))
        return least(parts)

    def limit(self, evse: int, t: int) -> Said:
        middle = self.demand(evse, t) if evse else self.summed(t)
        return least([said_by(self.group(Purpose.EXTERNAL_CONSTRAINTS, (0,), evse, t)), middle,
                      said_by(self.group(Purpose.STATION_MAX, (0,), evse, t))])

    def summed(self, t: int) -> Said:
        demands = [self.demand(evse, t) for evse in range(1, EVSES + 1)]
        return Said(
            sum(DEFAULTS.amperage if d.amperage is None else d.amperage for d in demands),
            sum(DEFAULTS.power if d.power is None else d.power for d in demands),
            max((d.phases for d in demands if d.phases is not None), default=None))

    def composite(self, said: Said, unit: RateUnit) -> tuple[float, int | None, int]:
        """What a composite schedule tells of ``said``: limit, phases, stack level."""
        factor = DEFAULTS.voltage * (DEFAULTS.phases if said.phases is None else said.phases)
        if unit is RateUnit.A:
            own = (said.amperage, said.amperage_stack)
            other = (None if said.power is None else said.power / factor, said.power_stack)
            default = DEFAULTS.amperage
        else:
            own = (said.power, said.power_stack)
            other = (None if said.amperage is None else said.amperage * factor,
                     said.amperage_stack)
            default = DEFAULTS.power
        if own[0] is None and other[0] is None:
            return default, said.phases, 0
        if own[0] is None or (other[0] is not None and other[0] < own[0]):
            own = other
        assert own[0] is not None
        return own[0], said.phases, own[1]

    def instants(self, begin: int, end: int) -> set[int]:
        """Every instant of [begin, end) at which anything could change, and its neighbours."""
        found = {begin, end - 1}
        transaction_starts = [self.window_start, *(t.start for t in self.transactions.values())]
        for profile in self.profiles:
            starts = transaction_starts
            if profile.kind is Kind.ABSOLUTE:
                starts = [profile.start_schedule or 0]
            elif profile.kind is Kind.RECURRING:
                starts = [s for t in range(begin, end + 8 * DAY, 8 * DAY)
                          for s in starts_around(profile, t, self.zone)]
            offsets = {p.start for p in profile.periods} | {profile.duration or 0}
            found |= {s + o for s in starts for o in offsets}
            found |= {t for t in (profile.valid_from, profile.valid_to) if t is not None}
        if end - begin <= 120:
            return set(range(begin, end))
        return {t + d for t in found for d in (-1, 0, 1) if begin <= t + d < end}
