"""The smart-charging block: what is published, until when, and what it does without the time."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger_control.core.heard import Heard
from charger_control.core.limits import in_force
from charger_control.core.power import Conversion
from charger_control.core.smart_charging import (
    Kind,
    Period,
    Profile,
    Purpose,
    RateUnit,
    Recurrency,
    SmartCharging,
    SmartChargingConfig,
    SmartChargingDecision,
    Transaction,
)
from charger_control.core.units import FOREVER, NAN

DAY = 86_400
NOON = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp())
RUNNING = Transaction(1, NOON - 600, 't1')
NOMINAL = Conversion((230.0, 460.0, 690.0))


def profile(*periods: tuple[float, ...], **fields: Any) -> Profile:
    """An absolute TxDefaultProfile from noon on, in A, with these periods."""
    return Profile(**{
        'profile_id': 7, 'evse': 0, 'purpose': Purpose.TX_DEFAULT, 'kind': Kind.ABSOLUTE,
        'stack_level': 2, 'unit': RateUnit.A, 'start_schedule': NOON,
        'periods': tuple(Period(int(p[0]), *p[1:]) for p in periods), **fields})  # type: ignore


def block(*profiles: Profile, latest_wall: float = 0.0, **config: Any) -> SmartCharging:
    made = SmartCharging(SmartChargingConfig(**config), latest_wall)
    made.set_profiles(profiles)
    return made


def step(smart: SmartCharging, wall: float, *, now: float | None = None, trusted: bool = True,
         conversion: Conversion = NOMINAL,
         transaction: Transaction | None = RUNNING) -> SmartChargingDecision:
    return smart.step(wall - NOON if now is None else now, wall, trusted, conversion=conversion,
                      transaction=transaction)


def test_nothing_installed_is_no_opinion_for_good() -> None:
    decision = step(block(), NOON)
    assert math.isnan(decision.limit.amperage)
    assert math.isnan(decision.limit.lost_amperage)
    assert decision.limit.valid_for == FOREVER
    assert decision.warning == ''
    # not even a clock in doubt makes a limit of no profile
    assert math.isnan(step(block(), NOON, trusted=False).limit.amperage)


def test_a_limit_says_whose_it_is_and_until_when() -> None:
    decision = step(block(profile((0, 16.0, 1), (3600, 10.0))), NOON + 600)
    limit = decision.limit
    assert (limit.amperage, limit.phases, limit.valid_for) == (16.0, 1, 3000.0)
    assert limit.lost_amperage == 6.0
    assert limit.reason == ('TxDefaultProfile 7 (stack level 2): 16 A per phase on 1 phase until '
                            '2026-06-01T13:00:00Z')
    assert limit.refusal() == ''
    assert decision.owner is not None
    assert decision.owner.profile_id == 7


def test_a_lower_limit_comes_just_before_its_second_and_a_higher_one_on_it() -> None:
    smart = block(profile((0, 16.0), (60, 10.0), (120, 20.0)), lead=0.2)
    assert step(smart, NOON + 59.7).limit.amperage == 16.0
    assert step(smart, NOON + 59.7).change_in == pytest.approx(0.1)
    # 0.2 s before the second, with all of the next period as its validity
    early = step(smart, NOON + 59.8)
    assert early.limit.amperage == 10.0
    assert early.limit.valid_for == pytest.approx(60.4)
    assert step(smart, NOON + 60).limit.amperage == 10.0
    late = step(smart, NOON + 119.9)
    assert (late.limit.amperage, late.limit.valid_for) == (10.0, pytest.approx(0.3))
    assert step(smart, NOON + 120).limit.amperage == 20.0


def test_no_silence_between_two_periods_at_the_receiver() -> None:
    """A controller at 10 Hz that hears the steps a little late never sees a third value."""
    smart = block(profile((0, 16.0), (60, 10.0), (120, 20.0), (180, 0.0), (240, 32.0)))
    heard = None
    due = NOON + 30.0
    seen = []
    for tick in range(10 * 270):
        wall = NOON + 30.0 + tick / 10
        if wall >= due:
            decision = step(smart, wall)
            heard = Heard(decision.limit, wall - NOON + 0.02)
            due = wall + min(1.0, max(0.1, decision.change_in))
        assert heard is not None
        value = in_force(heard, wall - NOON + 0.05)
        if not seen or seen[-1] != value:
            seen.append(value)
    assert seen == [16.0, 10.0, 20.0, 0.0, 32.0]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0.0, 6.0, 10.0, 16.0, 32.0])),
                min_size=1, max_size=8), st.integers(0, 300))
def test_a_held_limit_never_exceeds_the_schedule(
        rows: list[tuple[int, float]], tenths: int) -> None:
    starts = [0]
    for gap, _ in rows[:-1]:
        starts.append(starts[-1] + gap)
    smart = block(profile(*zip(starts, [limit for _, limit in rows], strict=True),
                          duration=starts[-1] + 5))
    sent = NOON + tenths / 10
    limit = step(smart, sent).limit
    for held in range(int(limit.valid_for * 10) if limit.valid_for < 100 else 100):
        allowed = smart.engine.limit_at(1, sent + held / 10).amperage
        if allowed is not None:
            assert limit.amperage <= allowed


def test_between_profiles_there_is_no_opinion_until_the_next_one_starts() -> None:
    smart = block(profile((0, 10.0), duration=600))
    decision = step(smart, NOON - 60)
    assert math.isnan(decision.limit.amperage)
    assert decision.limit.valid_for == 60.0
    # whoever then hears nothing more has a profile in force that it does not know
    assert decision.limit.lost_amperage == 6.0
    after = step(smart, NOON + 600)
    assert math.isnan(after.limit.amperage)
    assert after.limit.valid_for == 7 * DAY


def test_what_counts_after_the_period_is_never_more_than_the_next_period() -> None:
    decision = step(block(profile((0, 16.0), (60, 0.0))), NOON)
    assert decision.limit.lost_amperage == 0.0


def test_below_6_a_is_passed_on_as_it_is() -> None:
    assert step(block(profile((0, 3.5))), NOON).limit.amperage == 3.5


@pytest.mark.parametrize(('conversion', 'given_phases', 'expected'), [
    (Conversion(), None, 6900 / 759),                     # unknown: 253 V
    (Conversion((240.0, 480.0, 720.0), 3), None, 6900 / 720),
    (Conversion((250.0, 485.0, 715.0), 3), None, 6900 / 715),
    (NOMINAL, None, 10.0),
    (replace(NOMINAL, phases=1), None, 30.0),
    (NOMINAL, 1, 10.0),                                   # still on three phases: not 30 A
    (replace(NOMINAL, phases=1), 3, 10.0),                # as the composite schedule says
])
def test_a_power_is_spread_over_the_phases(
        conversion: Conversion, given_phases: int | None, expected: float) -> None:
    smart = block(profile((0, 6900.0, given_phases), unit=RateUnit.W))
    decision = step(smart, NOON, conversion=conversion)
    assert decision.limit.amperage == pytest.approx(expected)
    assert '6900 W' in decision.limit.reason


def test_the_lower_of_a_and_w_counts_and_the_fewest_phases_reach_the_controller() -> None:
    station = profile((0, 6900.0, 3), unit=RateUnit.W, purpose=Purpose.STATION_MAX, profile_id=8)
    decision = step(block(profile((0, 16.0, 1)), station), NOON)
    assert (decision.limit.amperage, decision.limit.phases) == (10.0, 1)
    assert decision.owner is not None
    assert decision.owner.profile_id == 8
    # a contactor cannot switch to two phases
    assert step(block(profile((0, 16.0, 2))), NOON).limit.phases == 0


def test_phases_that_cannot_be_switched_are_not_claimed() -> None:
    fixed = block(profile((0, 16.0, 1)), switches_phases=False)
    decision = step(fixed, NOON)
    assert (decision.limit.amperage, decision.limit.phases) == (16.0, 0)
    assert 'on 1 phase (which this charge point cannot switch)' in decision.limit.reason


# -- a street does not start as one ----------------------------------------------------------------
TARIFF = profile((0, 0.0), (600, 16.0), (7200, 0.0), kind=Kind.RECURRING,
                 recurrency=Recurrency.DAILY)
"""Cheap from ten minutes past noon for an hour and 50 minutes."""


def waits(seed: int, *profiles: Profile, delay: float = 600.0) -> float:
    """s from ten minutes past noon until 6 A or more are allowed."""
    smart = SmartCharging(SmartChargingConfig(random_delay=delay), seed=seed)
    smart.set_profiles(profiles)
    wall = float(NOON + 600)
    assert not step(smart, wall - 1.0).limit.amperage >= 6.0
    while not (decision := step(smart, wall)).limit.amperage >= 6.0:
        assert 'not all of a street may start at once' in decision.limit.reason
        assert decision.limit.lost_amperage == 0.0
        assert decision.limit.valid_for >= decision.change_in > 0.0
        wall += decision.change_in
        assert wall <= NOON + 1200.1
    return wall - (NOON + 600)


def test_a_street_with_one_tariff_starts_within_ten_minutes_and_not_at_once() -> None:
    street = sorted(waits(seed, TARIFF) for seed in range(200))
    assert street[0] < 20.0 and street[-1] > 580.0
    assert max(b - a for a, b in itertools.pairwise(street)) < 40.0
    assert max(sum(a <= b < a + 10.0 for b in street) for a in street) < 15, 'in any 10 s'
    assert waits(3, TARIFF) == waits(3, TARIFF)


def test_no_wait_where_it_is_none_and_for_a_profile_that_is_for_this_charger() -> None:
    assert waits(1, TARIFF, delay=0.0) == 0.0
    assert waits(1, profile((0, 0.0), (600, 16.0), (7200, 0.0))) == 0.0


def test_a_stop_and_a_rise_of_what_charges_do_not_wait() -> None:
    tariff = profile((0, 16.0), (600, 6.0), (1200, 16.0), (1800, 0.0), kind=Kind.RECURRING,
                     recurrency=Recurrency.DAILY)
    smart = block(tariff, random_delay=600.0)
    for at, amperage in ((599, 16.0), (600, 6.0), (1200, 16.0), (1800, 0.0)):
        assert step(smart, NOON + at).limit.amperage == amperage


def test_a_stop_within_the_wait_ends_it() -> None:
    tariff = profile((0, 0.0), (600, 16.0), (601, 0.0), (1000, 0.0), kind=Kind.RECURRING,
                     recurrency=Recurrency.DAILY)
    smart = block(tariff, random_delay=600.0)
    assert all(step(smart, NOON + at).limit.amperage == 0.0 for at in range(600, 1300, 7))


def test_a_tx_profile_counts_for_its_transaction_only() -> None:
    own = profile((0, 10.0), purpose=Purpose.TX, evse=1, transaction_id='t1', profile_id=9)
    smart = block(profile((0, 16.0)), own)
    assert step(smart, NOON).limit.amperage == 10.0
    assert step(smart, NOON, transaction=Transaction(1, NOON, 't2')).limit.amperage == 16.0
    assert step(smart, NOON, transaction=None).limit.amperage == 16.0


def test_without_a_transaction_the_default_profile_waits_for_the_vehicle() -> None:
    relative = profile((0, 8.0), (60, 16.0), kind=Kind.RELATIVE, start_schedule=None)
    for wall in (NOON, NOON + 100, NOON + DAY):
        decision = step(block(relative), wall, transaction=None)
        assert (decision.limit.amperage, decision.limit.valid_for) == (8.0, 60.2)
    # from the start of the transaction it counts
    decision = step(block(relative), NOON, transaction=Transaction(1, NOON - 30, ''))
    assert (decision.limit.amperage, decision.limit.valid_for) == (8.0, 30.2)
    assert step(block(relative), NOON).limit.amperage == 16.0
    silent = step(block(relative, assume_transaction=False), NOON, transaction=None)
    assert math.isnan(silent.limit.amperage)


def test_new_profiles_and_a_new_transaction_count_at_once() -> None:
    smart = block(profile((0, 16.0)))
    assert step(smart, NOON).limit.amperage == 16.0
    smart.set_profiles([profile((0, 9.0))])
    assert step(smart, NOON).limit.amperage == 9.0
    smart.set_profiles([])
    assert math.isnan(step(smart, NOON).limit.amperage)


def test_a_suspend_or_a_step_forward_is_caught_up_with() -> None:
    smart = block(profile((0, 16.0), (3600, 0.0), (7200, 20.0)))
    assert step(smart, NOON, now=0.0).limit.amperage == 16.0
    assert step(smart, NOON + 5000, now=1.0).limit.amperage == 0.0
    assert step(smart, NOON + 7200, now=7200.0).limit.amperage == 20.0


# --- the clock ------------------------------------------------------------------------------

NIGHT = profile((0, 20.0, 3), (6 * 3600, 8.0, 1), (12 * 3600, 25.0), kind=Kind.RECURRING,
                recurrency=Recurrency.DAILY)


def test_a_clock_never_synchronised_gives_the_lowest_limit_of_the_next_24_h() -> None:
    decision = step(block(NIGHT), NOON, trusted=False)
    assert (decision.limit.amperage, decision.limit.phases) == (8.0, 1)
    assert decision.limit.lost_amperage == 6.0
    assert 'not synchronised' in decision.warning
    assert 'lowest of the next 24 h' in decision.limit.reason


def test_a_clock_that_stepped_back_gives_the_lowest_limit_until_it_has_caught_up() -> None:
    smart = block(NIGHT)
    assert step(smart, NOON, now=0.0).warning == ''
    back = step(smart, NOON - 3600, now=1.0)
    assert back.limit.amperage == 8.0
    assert '2026-06-01T12:00:00Z has passed already' in back.warning
    assert step(smart, NOON - 10, now=3500.0).limit.amperage == 8.0
    again = step(smart, NOON, now=3510.0)
    assert (again.limit.amperage, again.warning) == (20.0, '')


def test_the_last_time_of_the_run_before_counts() -> None:
    smart = block(NIGHT, latest_wall=NOON)
    assert step(smart, NOON - 60).limit.amperage == 8.0
    assert smart.latest_wall == NOON
    assert step(smart, NOON + 60).limit.amperage == 20.0
    assert smart.latest_wall == NOON + 60


def test_the_24_h_begin_at_the_latest_that_it_can_be() -> None:
    """A clock that starts in 1970 must not look there for limits."""
    only_today = profile((0, 16.0), (3600, 7.0), duration=7200)
    smart = block(only_today, latest_wall=NOON)
    assert step(smart, 12.0, now=0.0, trusted=False).limit.amperage == 7.0
    # two hours passed on the forward-only clock: no limit is known for then, and none is no licence
    smart = block(only_today)
    step(smart, NOON, now=0.0)
    late = step(smart, 12.0, now=7200.0, trusted=False)
    assert late.limit.amperage == 6.0
    assert math.isnan(step(block(), 12.0, trusted=False).limit.amperage)


def test_a_small_step_back_is_a_correction() -> None:
    smart = block(NIGHT)
    step(smart, NOON, now=0.0)
    assert step(smart, NOON - 1.5, now=1.0).warning == ''


def test_a_synchronised_clock_that_stays_back_is_believed_in_the_end() -> None:
    smart = block(NIGHT, latest_wall=NOON + 365 * DAY, clock_settle=3600.0)
    assert step(smart, NOON, now=0.0).warning
    assert step(smart, NOON + 3599, now=3599.0).warning
    decision = step(smart, NOON + 3600, now=3600.0)
    assert (decision.limit.amperage, decision.warning) == (20.0, '')
    assert smart.latest_wall == NOON + 3600


@pytest.mark.parametrize('wall', [math.nan, math.inf, -math.inf])
def test_a_clock_that_shows_nonsense_is_not_believed(wall: float) -> None:
    smart = block(NIGHT, latest_wall=NOON)
    decision = step(smart, wall, now=0.0)
    assert decision.limit.amperage == 8.0
    assert decision.warning
    assert smart.latest_wall == NOON


@pytest.mark.parametrize(('field', 'value'), [
    ('evse', 0), ('lost_amperage', -1.0), ('lost_amperage', NAN), ('lost_amperage', math.inf),
    ('lead', 1.0), ('lead', -0.1), ('clock_settle', NAN)])
def test_a_bad_configuration_is_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf'{field} .*allowed'):
        SmartChargingConfig(**{field: value})  # type: ignore[arg-type]
