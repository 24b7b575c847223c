"""The engine against a brute-force oracle, on profile sets that hypothesis makes.

Both are compared at every second of short windows, and of longer ones at every instant, and the
second before and after it, at which any profile of the set could change anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from core.smart_charging_oracle import DAY, DEFAULTS, EVSES, Oracle, Zone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

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

# Few values, so that equal limits, stack levels and times meet often.
OFFSETS = st.sampled_from([0, 1, 30, 60, 3600, 7200, 43_200, DAY - 1, DAY, DAY + 1, 2 * DAY])
DURATIONS = st.sampled_from(
    [None, 0, 1, 60, 3600, 40_000, DAY - 1, DAY, DAY + 5000, 3 * DAY, 7 * DAY, 8 * DAY])
NEAR = st.one_of(st.integers(-3 * DAY, 3 * DAY),
                 st.sampled_from([0, 60, 3600, 3661, 7200, 9000, DAY, -DAY, -7 * DAY, -40 * DAY]))
LIMITS = {RateUnit.A: [0.0, 6.0, 10.0, 16.0, 31.5], RateUnit.W: [0.0, 2300.0, 6900.0, 11_040.0]}
KINDS = [(Kind.ABSOLUTE, None), (Kind.RELATIVE, None), (Kind.RECURRING, Recurrency.DAILY),
         (Kind.RECURRING, Recurrency.WEEKLY)]


@st.composite
def profiles(draw: st.DrawFn, base: int) -> Profile:
    purpose = draw(st.sampled_from(Purpose))
    kind, recurrency = draw(st.sampled_from(KINDS))
    unit = draw(st.sampled_from(RateUnit))
    starts = sorted(draw(st.sets(OFFSETS, max_size=4)) | {0})
    evse = 0 if purpose is Purpose.STATION_MAX else draw(st.integers(0, EVSES))
    return Profile(
        profile_id=draw(st.integers(1, 9)), evse=evse, purpose=purpose, kind=kind,
        recurrency=recurrency, stack_level=draw(st.integers(0, 2)), unit=unit,
        periods=tuple(Period(s, draw(st.sampled_from(LIMITS[unit])),
                             draw(st.sampled_from([None, 1, 2, 3]))) for s in starts),
        start_schedule=None if kind is Kind.RELATIVE else base + draw(NEAR),
        duration=draw(DURATIONS),
        valid_from=draw(st.none() | NEAR.map(lambda d: base + d)),
        valid_to=draw(st.none() | NEAR.map(lambda d: base + d)),
        transaction_id=draw(st.sampled_from(['', 'a', 'b'])) if purpose is Purpose.TX else '')


class Scene(NamedTuple):
    zone: Zone
    profiles: list[Profile]
    transactions: dict[int, Transaction]
    begin: int
    end: int
    evse: int
    unit: RateUnit
    assume: bool


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    zone, day = draw(st.sampled_from(BASES))
    base = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    begin = base + draw(NEAR)
    length = draw(st.sampled_from([0, 1, 60, 120, 3600, DAY, 2 * DAY, 9 * DAY]))
    transactions = {
        evse: Transaction(evse, begin + draw(st.sampled_from([0, -1, -100, -4000, -2 * DAY, 50])),
                          draw(st.sampled_from(['', 'a', 'b'])))
        for evse in draw(st.sets(st.integers(1, EVSES)))}
    return Scene(zone, draw(st.lists(profiles(base), max_size=7)), transactions, begin,
                 begin + length, draw(st.integers(0, EVSES)), draw(st.sampled_from(RateUnit)),
                 draw(st.booleans()))


NIGHT = int(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp())


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
        expected = oracle.composite(scene.evse, t, scene.unit)
        assert (period.limit, period.phases, period.stack_level) == expected, t - scene.begin
        if scene.evse:
            limit = engine.limit_at(scene.evse, t + 0.5, start=scene.begin,
                                    assume_transaction=scene.assume)
            assert limit[:3] == oracle.limit(scene.evse, t)[:3], t - scene.begin


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
    lowest, limit = engine.lowest_amperage(evse, scene.begin, horizon, 230.0, in_use,
                                           assume_transaction=scene.assume)
    assert lowest == min(amperes, default=None)
    assert limit.phases == min((p for _, _, p in values.values() if p is not None), default=None)
