"""The engine against a brute-force oracle, on profile sets that hypothesis makes.

Both are compared at every second of short windows, and of longer ones at every instant, and the
second before and after it, at which any profile of the set could change anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from core.smart_charging_oracle import DAY, DEFAULTS, EVSES, Oracle, Zone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from charger_control.core.power import Conversion
from charger_control.core.smart_charging import (
    Kind,
    Period,
    Profile,
    ProfileEngine,
    Purpose,
    RateUnit,
    Recurrency,
    Transaction,
    composite_schedule,
)

BERLIN, NEW_YORK = ZoneInfo('Europe/Berlin'), ZoneInfo('America/New_York')
# A plain day, a leap day, and the days of both daylight-saving changes of both zones.
BASES = [(UTC, '2026-01-14'), (UTC, '2028-02-29'), (BERLIN, '2026-03-29'),
         (BERLIN, '2026-10-25'), (NEW_YORK, '2026-03-08'), (NEW_YORK, '2026-11-01')]

# Few values, so that equal limits, stack levels and times meet often. All strategies are made
# once: making them anew for every draw takes longer than what is tested. Times are s from a base.
LIMITS = {RateUnit.A: [0.0, 6.0, 10.0, 16.0, 31.5], RateUnit.W: [0.0, 2300.0, 6900.0, 11_040.0]}
KINDS = st.sampled_from([(Kind.ABSOLUTE, None), (Kind.RELATIVE, None),
                         (Kind.RECURRING, Recurrency.DAILY), (Kind.RECURRING, Recurrency.WEEKLY)])
NEAR = st.one_of(st.integers(-3 * DAY, 3 * DAY),
                 st.sampled_from([0, 60, 3600, 3661, 7200, 9000, DAY, -DAY, -7 * DAY, -40 * DAY]))
BEFORE = NEAR.map(lambda offset: -abs(offset)) | NEAR
AFTER = NEAR.map(abs) | NEAR
PERIODS = {unit: st.dictionaries(
    st.sampled_from([1, 30, 60, 3600, 7200, 43_200, DAY - 1, DAY, DAY + 1, 2 * DAY]),
    st.tuples(st.sampled_from(limits), st.sampled_from([None, 1, 2, 3])), max_size=4)
    for unit, limits in LIMITS.items()}
FIRST_PERIOD = {unit: st.tuples(st.sampled_from(limits), st.sampled_from([None, 1, 2, 3]))
                for unit, limits in LIMITS.items()}
DURATION = st.sampled_from(
    [None, 0, 1, 60, 3600, 40_000, DAY - 1, DAY, DAY + 5000, 3 * DAY, 7 * DAY, 8 * DAY])
PURPOSE, UNIT, EVSE = st.sampled_from(Purpose), st.sampled_from(RateUnit), st.integers(0, EVSES)
STACK_LEVEL, TRANSACTION_ID = st.integers(0, 2), st.sampled_from(['', 'a', 'b'])
VALID_FROM, VALID_TO = st.none() | BEFORE, st.none() | AFTER


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    purpose = draw(PURPOSE)
    kind, recurrency = draw(KINDS)
    unit = draw(UNIT)
    periods = {0: draw(FIRST_PERIOD[unit]), **draw(PERIODS[unit])}
    return Profile(
        profile_id=1, evse=0 if purpose is Purpose.STATION_MAX else draw(EVSE), purpose=purpose,
        kind=kind, recurrency=recurrency, stack_level=draw(STACK_LEVEL), unit=unit,
        periods=tuple(Period(start, *periods[start]) for start in sorted(periods)),
        start_schedule=None if kind is Kind.RELATIVE else draw(BEFORE), duration=draw(DURATION),
        valid_from=draw(VALID_FROM), valid_to=draw(VALID_TO),
        transaction_id=draw(TRANSACTION_ID) if purpose is Purpose.TX else '')


class Scene(NamedTuple):
    zone: Zone
    profiles: list[Profile]
    transactions: dict[int, Transaction]
    begin: int
    end: int
    evse: int
    unit: RateUnit
    assume: bool


def moved(profile: Profile, by: int) -> Profile:
    def later(at: int | None) -> int | None:
        return None if at is None else at + by
    return replace(profile, start_schedule=later(profile.start_schedule),
                   valid_from=later(profile.valid_from), valid_to=later(profile.valid_to))


BASE = st.sampled_from(BASES)
PROFILES = st.lists(profiles(), min_size=2, max_size=7)
BEGIN = st.integers(-DAY, DAY) | st.sampled_from([0, 3600, 7200])
LENGTH = st.sampled_from([0, 60, 120, 3600, DAY, DAY, 2 * DAY, 8 * DAY])
TRANSACTIONS = st.dictionaries(
    st.integers(1, EVSES),
    st.tuples(st.sampled_from([0, -1, -100, -4000, -2 * DAY, 50]), TRANSACTION_ID))
ASSUME = st.sampled_from([True, True, False])


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    zone, day = draw(BASE)
    base = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    begin = base + draw(BEGIN)
    transactions = {evse: Transaction(evse, begin + start, transaction_id)
                    for evse, (start, transaction_id) in draw(TRANSACTIONS).items()}
    return Scene(zone, [moved(profile, base) for profile in draw(PROFILES)], transactions, begin,
                 begin + draw(LENGTH), draw(EVSE), draw(UNIT), draw(ASSUME))


NIGHT = int(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp())


@pytest.mark.timeout(300)  # about 20 s of work, on a machine that may be busy
@settings(max_examples=2200, derandomize=True, deadline=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@example(Scene(BERLIN, [Profile(
    profile_id=1, evse=0, purpose=Purpose.STATION_MAX, kind=Kind.RECURRING, stack_level=0,
    recurrency=Recurrency.DAILY, unit=RateUnit.A, start_schedule=NIGHT - 30 * DAY, duration=DAY,
    periods=(Period(0, 6.0), Period(DAY - 60, 16.0)))], {}, NIGHT, NIGHT + 2 * DAY, 1, RateUnit.A,
    False))
@given(scenes())
def test_engine_agrees_with_the_oracle(scene: Scene) -> None:
    engine = ProfileEngine(scene.profiles, scene.transactions, scene.zone)
    oracle = Oracle(scene.profiles, scene.transactions, scene.zone, scene.begin, scene.assume)
    schedule = composite_schedule(engine, scene.evse, scene.begin, scene.end, scene.unit, DEFAULTS,
                                  evses=EVSES, assume_transaction=scene.assume)
    assert schedule.duration == scene.end - scene.begin
    last = max(scene.end, scene.begin + 1)
    starts = [scene.begin + p.start for p in schedule.periods]
    instants = oracle.instants(scene.begin, last)
    instants |= {t + d for t in starts for d in (-1, 0, 1) if scene.begin <= t + d < last}
    index = 0
    for t in sorted(instants):
        while index + 1 < len(starts) and starts[index + 1] <= t:
            index += 1
        period = schedule.periods[index]
        said = oracle.limit(scene.evse, t)
        expected = oracle.composite(said, scene.unit)
        assert (period.limit, period.phases, period.stack_level) == expected, t - scene.begin
        if scene.evse:
            limit = engine.limit_at(scene.evse, t + 0.5, start=scene.begin,
                                    assume_transaction=scene.assume)
            assert limit[:3] == said[:3], t - scene.begin


@settings(max_examples=300, derandomize=True, deadline=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(scenes())
def test_next_change_and_lowest_agree_with_the_oracle(scene: Scene) -> None:
    evse = scene.evse or 1
    engine = ProfileEngine(scene.profiles, scene.transactions, scene.zone)
    oracle = Oracle(scene.profiles, scene.transactions, scene.zone, scene.begin, scene.assume)
    horizon = scene.begin + 2 * DAY
    values = {t: oracle.limit(evse, t)[:3]
              for t in sorted(oracle.instants(scene.begin, horizon))}
    changes = [t for t, said in values.items() if said != values[scene.begin]]
    assert engine.next_change(evse, scene.begin, assume_transaction=scene.assume,
                              horizon=2 * DAY) == (changes[0] if changes else None)

    in_use = 2
    amperes = []
    for amperage, power, phases in values.values():
        if amperage is not None:
            amperes.append(amperage)
        if power is not None:
            amperes.append(power / (230.0 * max(in_use, phases or 0)))
    lowest, limit = engine.lowest_amperage(
        evse, scene.begin, horizon, Conversion((230.0, 460.0, 690.0), in_use),
        assume_transaction=scene.assume)
    assert lowest == min(amperes, default=None)
    assert limit.phases == min((p for _, _, p in values.values() if p is not None), default=None)
