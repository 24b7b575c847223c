"""The engine where neither the cases nor the oracle look: nothing installed, broken profiles."""

from __future__ import annotations

from typing import Any

import pytest

from charger_control.core.power import Conversion
from charger_control.core.smart_charging import (
    NO_LIMIT,
    CompositeDefaults,
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

MIDNIGHT = 1_767_225_600  # 2026-01-01T00:00:00Z
DAY = 86_400
HARDWARE = CompositeDefaults.of_hardware(20.0, phases=3)


def profile(*periods: tuple[float, ...], **fields: Any) -> Profile:
    return Profile(**{
        'profile_id': 1, 'evse': 0, 'purpose': Purpose.STATION_MAX, 'kind': Kind.ABSOLUTE,
        'stack_level': 0, 'unit': RateUnit.A, 'start_schedule': MIDNIGHT,
        'periods': tuple(Period(int(p[0]), p[1]) for p in periods), **fields})


def steps(engine: ProfileEngine, begin: int, end: int, **options: Any) -> list[tuple[int, float]]:
    schedule = composite_schedule(engine, 1, begin, end, RateUnit.A, HARDWARE, **options)
    return [(p.start, p.limit) for p in schedule.periods]


def test_nothing_installed_is_no_opinion_and_the_composite_is_the_hardware_limit() -> None:
    engine = ProfileEngine()
    assert engine.limit_at(1, MIDNIGHT) == NO_LIMIT
    assert not engine.limit_at(1, MIDNIGHT).is_given
    assert engine.next_change(1, MIDNIGHT) is None
    assert engine.lowest_amperage(1, MIDNIGHT, MIDNIGHT + DAY, Conversion()) == (None, NO_LIMIT)
    assert not engine.concerns(1)
    for unit, limit in ((RateUnit.A, 20.0), (RateUnit.W, 13_800.0)):
        for evse in (0, 1):
            schedule = composite_schedule(engine, evse, MIDNIGHT, MIDNIGHT + DAY, unit, HARDWARE)
            assert [(p.start, p.limit, p.phases, p.owner) for p in schedule.periods] == [
                (0, limit, None, None)]


@pytest.mark.parametrize('purpose', [Purpose.TX, Purpose.TX_DEFAULT])
def test_without_start_schedule_it_counts_from_the_start_of_the_transaction(purpose: Purpose
                                                                            ) -> None:
    """OCPP 1.6 edition 2, 7.13; SteVe's certification cases send it so."""
    begun = MIDNIGHT + 1000
    engine = ProfileEngine(
        [profile((0, 16.0), (600, 8.0), purpose=purpose, evse=1, start_schedule=None,
                 duration=1200)], {1: Transaction(1, begun, '7')})
    limits = [engine.limit_at(1, begun + at).amperage for at in (0, 599, 600, 1199, 1200)]
    assert limits == [16.0, 16.0, 8.0, 8.0, None]
    assert steps(engine, begun, begun + 1800) == [(0, 16.0), (600, 8.0), (1200, 20.0)]


def test_an_end_before_the_start_is_both() -> None:
    engine = ProfileEngine([profile((0, 10.0))])
    schedule = composite_schedule(engine, 1, MIDNIGHT + 60, MIDNIGHT, RateUnit.A, HARDWARE)
    assert (schedule.start, schedule.duration) == (MIDNIGHT, 0)
    assert [(p.start, p.limit) for p in schedule.periods] == [(0, 10.0)]


def test_profiles_that_no_validation_let_in_do_no_harm() -> None:
    """A store may hold what an older version took; what is silent lets lower levels through."""
    under = profile((0, 8.0), profile_id=2)
    late = profile((10, 6.0), (20, 7.0), stack_level=1)
    assert steps(ProfileEngine([under, late]), MIDNIGHT, MIDNIGHT + 60) == [(0, 8.0), (20, 7.0)]
    back = profile((0, 6.0), (30, 7.0), (20, 9.0), (25, 9.0), (40, 5.0), stack_level=1)
    assert steps(ProfileEngine([under, back]), MIDNIGHT, MIDNIGHT + 60) == [
        (0, 6.0), (30, 7.0), (40, 5.0)]
    for broken in (
            profile(), profile((5, 6.0)), profile((0, 6.0), start_schedule=None),
            profile((0, 6.0), kind=Kind.RECURRING),
            profile((0, 6.0), kind=Kind.RECURRING, recurrency=Recurrency.DAILY,
                    start_schedule=None),
            profile((0, 6.0), duration=-5), profile((0, 6.0), valid_from=5, valid_to=4)):
        assert steps(ProfileEngine([under, broken]), MIDNIGHT, MIDNIGHT + 60) == [(0, 8.0)]


def test_of_equal_stack_levels_the_last_installed_counts() -> None:
    of_station = profile((0, 16.0), purpose=Purpose.TX_DEFAULT)
    of_evse = profile((0, 10.0), purpose=Purpose.TX_DEFAULT, evse=1, profile_id=2, duration=60)
    for order, expected in (((of_station, of_evse), 10.0), ((of_evse, of_station), 16.0)):
        engine = ProfileEngine(order, {1: Transaction(1, MIDNIGHT)})
        assert engine.limit_at(1, MIDNIGHT).amperage == expected
        assert engine.limit_at(1, MIDNIGHT + 60).amperage == 16.0


def test_the_answer_is_the_same_in_any_order_of_asking() -> None:
    """The index of a day is kept; neither midnight nor many days between may show."""
    daily = profile((0, 6.0), (3600, 16.0), kind=Kind.RECURRING, recurrency=Recurrency.DAILY,
                    start_schedule=MIDNIGHT - 1800)
    engine = ProfileEngine([daily])
    instants = [MIDNIGHT + day * DAY + second for day in range(40)
                for second in (0, 1799, 1800, DAY - 1801, DAY - 1800)]
    forward = [engine.limit_at(1, at).amperage for at in instants]
    assert forward == [6.0, 6.0, 16.0, 16.0, 6.0] * 40
    assert [engine.limit_at(1, at).amperage for at in reversed(instants)] == forward[::-1]


@pytest.mark.parametrize('ahead', [59, 60, 3 * DAY, 7 * DAY - 1, 7 * DAY])
def test_the_next_change_is_found_up_to_the_horizon(ahead: int) -> None:
    engine = ProfileEngine([profile((0, 10.0), (60, 10.0), (61 + ahead, 11.0))])
    change = engine.next_change(1, MIDNIGHT + 61)
    assert change == (MIDNIGHT + 61 + ahead if ahead < 7 * DAY else None)


def test_a_change_of_owner_alone_is_no_change_of_the_limit() -> None:
    same = profile((0, 10.0), profile_id=2, stack_level=3, start_schedule=MIDNIGHT + 60)
    engine = ProfileEngine([profile((0, 10.0)), same])
    assert engine.next_change(1, MIDNIGHT) is None
    owner = engine.limit_at(1, MIDNIGHT + 60).amperage_owner
    assert owner is not None
    assert owner.profile_id == 2
