"""Recurring profiles by local wall time: daylight-saving nights, leap days, month ends.

Every expected time is worked out by hand from the dates of the change: Berlin 2026-03-29 and
2026-10-25 at 01:00 UTC, New York 2026-03-08 at 07:00 and 2026-11-01 at 06:00 UTC.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from charger_control.core.smart_charging import (
    CompositeDefaults,
    Kind,
    Period,
    Profile,
    ProfileEngine,
    Purpose,
    RateUnit,
    Recurrency,
    composite_schedule,
    occurrence_starts,
)

BERLIN, NEW_YORK = ZoneInfo('Europe/Berlin'), ZoneInfo('America/New_York')
DEFAULTS = CompositeDefaults.of_hardware(32.0)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def profile(anchor: str, duration: int | None = 86_400,
            recurrency: Recurrency = Recurrency.DAILY) -> Profile:
    """6 A from the start, 16 A after 8 h."""
    return Profile(
        profile_id=1, evse=0, purpose=Purpose.STATION_MAX, kind=Kind.RECURRING,
        recurrency=recurrency, stack_level=0, unit=RateUnit.A, start_schedule=at(anchor),
        duration=duration, periods=(Period(0, 6.0), Period(28_800, 16.0)))


def steps(one: Profile, begin: str, end: str, zone: tzinfo) -> list[tuple[int, float]]:
    engine = ProfileEngine([one], time_zone=zone)
    schedule = composite_schedule(engine, 1, at(begin), at(end), RateUnit.A, DEFAULTS)
    return [(p.start, p.limit) for p in schedule.periods]


@pytest.mark.parametrize(('zone', 'anchor', 'begin', 'end', 'day'), [
    # every day at 22:00 in Berlin: 21:00 UTC in winter, 20:00 UTC in summer
    pytest.param(BERLIN, '2026-01-01T21:00', '2026-03-28T21:00', '2026-03-29T21:00', 82_800,
                 id='Berlin-spring'),
    pytest.param(BERLIN, '2026-01-01T21:00', '2026-10-24T20:00', '2026-10-25T22:00', 90_000,
                 id='Berlin-autumn'),
    # every day at 20:00 in New York: 01:00 UTC in winter, 00:00 UTC in summer
    pytest.param(NEW_YORK, '2026-01-02T01:00', '2026-03-08T01:00', '2026-03-09T01:00', 82_800,
                 id='NewYork-spring'),
    pytest.param(NEW_YORK, '2026-01-02T01:00', '2026-11-01T00:00', '2026-11-02T02:00', 90_000,
                 id='NewYork-autumn'),
    pytest.param(UTC, '2026-01-01T21:00', '2026-03-28T21:00', '2026-03-29T22:00', 86_400,
                 id='UTC-knows-no-change'),
])
@pytest.mark.parametrize('duration', [86_400, 100_000, None])
def test_a_daily_profile_lasts_to_the_next_start(
        zone: tzinfo, anchor: str, begin: str, end: str, day: int, duration: int | None) -> None:
    assert steps(profile(anchor, duration), begin, end, zone) == [
        (0, 6.0), (28_800, 16.0), (day, 6.0)]


def test_a_shorter_duration_is_counted_in_seconds_that_pass() -> None:
    anchor, begin, end = '2026-01-01T21:00', '2026-10-24T20:00', '2026-10-25T22:00'
    assert steps(profile(anchor, 86_399), begin, end, BERLIN) == [
        (0, 6.0), (28_800, 16.0), (86_399, 32.0), (90_000, 6.0)]
    # on the short day the next start cuts it
    assert steps(profile(anchor, 86_399), '2026-03-28T21:00', '2026-03-29T21:00', BERLIN) == [
        (0, 6.0), (28_800, 16.0), (82_800, 6.0)]


@pytest.mark.parametrize(('zone', 'anchor', 'begin', 'end', 'week'), [
    pytest.param(BERLIN, '2026-01-02T21:00', '2026-03-27T21:00', '2026-04-03T21:00', 601_200,
                 id='Berlin-spring'),
    pytest.param(BERLIN, '2026-01-02T21:00', '2026-10-23T20:00', '2026-10-30T22:00', 608_400,
                 id='Berlin-autumn'),
    pytest.param(NEW_YORK, '2026-01-03T01:00', '2026-03-07T01:00', '2026-03-14T01:00', 601_200,
                 id='NewYork-spring'),
    pytest.param(NEW_YORK, '2026-01-03T01:00', '2026-10-31T00:00', '2026-11-07T02:00', 608_400,
                 id='NewYork-autumn'),
])
def test_a_weekly_profile_lasts_to_the_next_start(
        zone: tzinfo, anchor: str, begin: str, end: str, week: int) -> None:
    assert steps(profile(anchor, 604_800, Recurrency.WEEKLY), begin, end, zone) == [
        (0, 6.0), (28_800, 16.0), (week, 6.0)]


def starts(anchor: str, begin: str, end: str, zone: tzinfo,
           recurrency: Recurrency = Recurrency.DAILY) -> list[str]:
    return [datetime.fromtimestamp(s, UTC).strftime('%m-%dT%H:%M') for s in occurrence_starts(
        Kind.RECURRING, recurrency, at(anchor), at(begin), at(end), None, zone)]


def test_a_local_time_that_a_day_skips_comes_as_much_later() -> None:
    # 02:30 in Berlin is 03:30 summer time on that day
    assert starts('2026-01-10T01:30', '2026-03-28T01:30', '2026-03-30T12:00', BERLIN) == [
        '03-28T01:30', '03-29T01:30', '03-30T00:30']
    assert starts('2026-01-10T07:30', '2026-03-07T07:30', '2026-03-09T12:00', NEW_YORK) == [
        '03-07T07:30', '03-08T07:30', '03-09T06:30']


def test_a_local_time_that_a_day_has_twice_is_the_first_one() -> None:
    assert starts('2026-01-10T01:30', '2026-10-24T00:30', '2026-10-26T12:00', BERLIN) == [
        '10-24T00:30', '10-25T00:30', '10-26T01:30']
    assert starts('2026-01-10T06:30', '2026-10-31T05:30', '2026-11-02T12:00', NEW_YORK) == [
        '10-31T05:30', '11-01T05:30', '11-02T06:30']


def test_a_start_at_the_second_of_two_equal_local_times_stays_there() -> None:
    # 02:30 winter time of the long day; on the day that skips 02:30 it is 03:30 as well
    assert starts('2026-10-25T01:30', '2026-10-24T00:30', '2026-10-26T12:00', BERLIN) == [
        '10-24T00:30', '10-25T01:30', '10-26T01:30']
    assert starts('2026-10-25T01:30', '2027-03-27T12:00', '2027-03-29T12:00', BERLIN) == [
        '03-27T01:30', '03-28T01:30', '03-29T00:30']


def test_leap_days_month_ends_and_dates_before_the_start() -> None:
    assert starts('2028-02-28T17:00', '2028-02-28T18:00', '2028-03-01T18:00', BERLIN) == [
        '02-28T17:00', '02-29T17:00', '03-01T17:00']
    assert starts('2026-02-28T17:00', '2027-02-28T18:00', '2027-03-01T18:00', BERLIN) == [
        '02-28T17:00', '03-01T17:00']
    assert starts('2026-01-31T17:00', '2026-01-31T17:00', '2026-02-01T17:00', BERLIN) == [
        '01-31T17:00', '02-01T17:00']
    # a Thursday on the leap day; three weeks before and one after
    assert starts('2024-02-29T17:00', '2024-02-10T17:00', '2024-03-08T17:00', BERLIN,
                  Recurrency.WEEKLY) == [
        '02-08T17:00', '02-15T17:00', '02-22T17:00', '02-29T17:00', '03-07T17:00']


@pytest.mark.parametrize('zone', [BERLIN, NEW_YORK, UTC, ZoneInfo('Australia/Lord_Howe')])
def test_times_at_the_ends_of_the_calendar_are_answered(zone: tzinfo) -> None:
    engine = ProfileEngine([profile('2026-01-01T21:00')], time_zone=zone)
    for instant in (-1e18, 0.0, 2e9, 2.5e11, 1e18):
        assert not math.isnan(engine.limit_at(1, instant).amperage or math.nan)
        engine.next_change(1, instant)
