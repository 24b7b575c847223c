"""What is refused, with which code, and that nothing is stored then; what replaces and goes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from charger_control.core.smart_charging import (
    ClearCriteria,
    Kind,
    OcppVersion,
    Period,
    Profile,
    ProfileRejected,
    ProfileSet,
    Purpose,
    RateUnit,
    Reason,
    Recurrency,
    Station,
    Transaction,
)

NOW = 1_780_000_000
V16, V201 = OcppVersion.V16, OcppVersion.V201
STATION = Station(evses=2)
RUNNING = {1: Transaction(1, NOW - 60, '77')}


def profile(version: OcppVersion = V16, **fields: Any) -> Profile:
    return Profile(**{
        'profile_id': 1, 'evse': 1, 'purpose': Purpose.TX_DEFAULT, 'kind': Kind.ABSOLUTE,
        'stack_level': 1, 'unit': RateUnit.A, 'start_schedule': NOW,
        'periods': (Period(0, 16.0), Period(600, 10.0)), 'ocpp_version': version, **fields})


def tx_profile(version: OcppVersion = V16, **fields: Any) -> Profile:
    return profile(version, **{'purpose': Purpose.TX, 'transaction_id': '77', **fields})


def install(into: ProfileSet, *profiles: Profile, **options: Any) -> ProfileSet:
    for one in profiles:
        into = into.install(one, STATION, RUNNING, NOW, **options)
    return into


BOTH = (
    ('evse', {'evse': 3}, Reason.EVSE_DOES_NOT_EXIST),
    ('evse below 0', {'evse': -1}, Reason.EVSE_DOES_NOT_EXIST),
    ('stack below 0', {'stack_level': -1}, Reason.STACK_LEVEL_BELOW_ZERO),
    ('stack too high', {'stack_level': 100}, Reason.STACK_LEVEL_ABOVE_MAXIMUM),
    ('NaN', {'periods': (Period(0, math.nan),)}, Reason.PERIOD_NON_FINITE),
    ('infinite', {'periods': (Period(0, 6.0), Period(9, math.inf))}, Reason.PERIOD_NON_FINITE),
    ('negative', {'periods': (Period(0, -0.1),)}, Reason.NEGATIVE_LIMIT),
    ('first not at 0', {'periods': (Period(1, 6.0),)}, Reason.FIRST_PERIOD_NOT_ZERO),
    ('out of order', {'periods': (Period(0, 6.0), Period(9, 6.0), Period(8, 7.0))},
     Reason.PERIODS_OUT_OF_ORDER),
    ('twice', {'periods': (Period(0, 6.0), Period(9, 6.0), Period(9, 7.0))},
     Reason.PERIODS_OUT_OF_ORDER),
    ('10,000 periods', {'periods': tuple(Period(i, 6.0) for i in range(10_000))},
     Reason.TOO_MANY_PERIODS),
    ('0 phases', {'periods': (Period(0, 6.0, 0),)}, Reason.PHASES_UNSUPPORTED),
    ('4 phases', {'periods': (Period(0, 6.0, 4),)}, Reason.PHASES_UNSUPPORTED),
    ('phase of three', {'periods': (Period(0, 6.0, 3, 1),)}, Reason.PHASE_TO_USE_INVALID),
    ('phase of unknown', {'periods': (Period(0, 6.0, None, 1),)}, Reason.PHASE_TO_USE_INVALID),
    ('phase not to choose', {'periods': (Period(0, 6.0, 1, 1),)}, Reason.PHASE_TO_USE_UNSUPPORTED),
    ('no start, recurring', {'start_schedule': None, 'kind': Kind.RECURRING,
                             'recurrency': Recurrency.DAILY}, Reason.MISSING_START_SCHEDULE),
    ('no recurrency', {'kind': Kind.RECURRING}, Reason.MISSING_RECURRENCY),
    ('negative duration', {'duration': -1}, Reason.INVALID_DURATION),
    ('never valid', {'valid_from': NOW, 'valid_to': NOW}, Reason.INVALID_VALIDITY),
    ('rate not finite', {'min_charging_rate': math.inf}, Reason.SCHEDULE_NON_FINITE),
    ('rate negative', {'min_charging_rate': -1.0}, Reason.NEGATIVE_MIN_RATE),
    ('station max on 1', {'purpose': Purpose.STATION_MAX}, Reason.STATION_MAX_EVSE),
    ('station max relative', {'purpose': Purpose.STATION_MAX, 'evse': 0, 'kind': Kind.RELATIVE,
                              'start_schedule': None}, Reason.STATION_MAX_RELATIVE),
    ('external', {'purpose': Purpose.EXTERNAL_CONSTRAINTS, 'evse': 0}, Reason.EXTERNAL_IN_SET),
    ('tx on 0', {'purpose': Purpose.TX, 'evse': 0, 'transaction_id': '77'},
     Reason.TX_EVSE_NOT_GREATER_THAN_ZERO),
    ('transaction gone', {'purpose': Purpose.TX, 'evse': 2, 'transaction_id': '77'},
     Reason.TX_NO_ACTIVE_TRANSACTION),
    ('another transaction', {'purpose': Purpose.TX, 'transaction_id': '78'},
     Reason.TX_NOT_ON_EVSE),
)
ONLY_V201 = (
    ('no start', {'start_schedule': None}, Reason.MISSING_START_SCHEDULE),
    ('no periods', {'periods': ()}, Reason.NO_PERIODS),
    ('relative with a start', {'kind': Kind.RELATIVE}, Reason.EXTRANEOUS_START_SCHEDULE),
    ('tx without id', {'purpose': Purpose.TX}, Reason.TX_MISSING_TRANSACTION_ID),
)


@pytest.mark.parametrize(
    ('version', 'fields', 'reason'),
    [pytest.param(version, fields, reason, id=f'{version.value}-{name}')
     for version, rows in ((V16, BOTH), (V201, (*BOTH, *ONLY_V201)))
     for name, fields, reason in rows])
def test_a_refused_profile_changes_nothing_and_says_why(
        version: OcppVersion, fields: dict[str, Any], reason: Reason) -> None:
    before = install(ProfileSet(), profile(V16, profile_id=9, stack_level=5))
    kept = before.profiles
    with pytest.raises(ProfileRejected) as rejected:
        install(before, profile(version, **fields))
    assert rejected.value.reason is reason
    assert before.profiles == kept
    assert len(rejected.value.message) > 10
    assert len(reason.reason_code) <= 20


@pytest.mark.parametrize('version', [V16, V201])
def test_good_profiles_of_every_purpose_are_installed(version: OcppVersion) -> None:
    station = profile(version, profile_id=2, purpose=Purpose.STATION_MAX, evse=0)
    after = install(ProfileSet(), profile(version), station, tx_profile(version, profile_id=3))
    assert [p.profile_id for p in after] == [1, 2, 3]


def test_a_station_without_room_or_with_other_limits() -> None:
    one = ProfileSet().install(profile(), Station(max_profiles=1), {}, NOW)
    with pytest.raises(ProfileRejected, match='TooManyProfilesInstalled: 1 profiles'):
        one.install(profile(profile_id=2, stack_level=2), Station(max_profiles=1), {}, NOW)
    # what it replaces makes room
    assert len(one.install(profile(profile_id=2), Station(max_profiles=1), {}, NOW)) == 1
    only_watts = Station(rate_units=frozenset({RateUnit.W}))
    with pytest.raises(ProfileRejected, match=r'chargingRateUnit A .allowed: W'):
        ProfileSet().install(profile(), only_watts, {}, NOW)
    single_phase = Station(supply_phases=1)
    three = profile(V201, periods=(Period(0, 6.0, 3),))
    with pytest.raises(ProfileRejected, match=r'numberPhases 3 .allowed: 1 to 1'):
        ProfileSet().install(three, single_phase, {}, NOW)
    direct = Station(direct_current=True)
    with pytest.raises(ProfileRejected, match='ExtraneousPhaseValues'):
        ProfileSet().install(three, direct, {}, NOW)
    choosing = Station(phase_switching=True)
    with pytest.raises(ProfileRejected, match='phaseToUse 4'):
        ProfileSet().install(profile(V201, periods=(Period(0, 6.0, 1, 4),)), choosing, {}, NOW)


def test_what_the_standard_fills_in() -> None:
    bare = (Period(0, 6.0), Period(60, 7.0, 1))
    filled = ProfileSet().install(profile(V201, periods=bare), STATION, {}, NOW).profiles[0]
    assert [p.phases for p in filled.periods] == [3, 1]
    single = ProfileSet().install(profile(V201, periods=bare), Station(supply_phases=1), {}, NOW)
    assert [p.phases for p in single.profiles[0].periods] == [1, 1]
    as_it_is = ProfileSet().install(profile(V16, periods=bare), STATION, {}, NOW).profiles[0]
    assert [p.phases for p in as_it_is.periods] == [None, 1]
    begun = ProfileSet().install(profile(V16, purpose=Purpose.STATION_MAX, evse=0,
                                         start_schedule=None), STATION, {}, NOW).profiles[0]
    assert begun.start_schedule == NOW, 'a ChargePointMaxProfile counts from its acceptance'
    later = ProfileSet().install(profile(V16, start_schedule=None), STATION, {}, NOW).profiles[0]
    assert (later.start_schedule, later.counts_from_transaction) == (None, True)


# --- what replaces, and what conflicts -------------------------------------------------------

def ids(profiles: ProfileSet) -> list[int]:
    return [p.profile_id for p in profiles]


def test_1_6_replaces_the_same_id_and_the_same_evse_purpose_and_stack_level() -> None:
    base = install(ProfileSet(), profile(profile_id=1), profile(profile_id=2, stack_level=2))
    assert ids(install(base, profile(profile_id=3))) == [2, 3]
    assert ids(install(base, profile(profile_id=3, evse=0))) == [1, 2, 3]
    assert ids(install(base, tx_profile(profile_id=3))) == [1, 2, 3]
    same_id = install(base, profile(profile_id=1, stack_level=2, evse=2))
    assert ids(same_id) == [2, 1]
    assert same_id.profiles[1].evse == 2


def test_2_0_1_refuses_what_1_6_replaces() -> None:
    base = install(ProfileSet(), profile(V201, profile_id=1))
    with pytest.raises(ProfileRejected, match='DuplicateProfileValidityPeriod'):
        install(base, profile(V201, profile_id=2))
    with pytest.raises(ProfileRejected, match='DuplicateTxDefaultProfileFound'):
        install(base, profile(V201, profile_id=2, evse=0))
    assert ids(install(base, profile(V201, profile_id=1))) == [1]
    assert ids(install(base, profile(V201, profile_id=2, evse=2))) == [1, 2]
    assert ids(install(base, profile(V201, profile_id=2, stack_level=2))) == [1, 2]
    until = install(ProfileSet(), profile(V201, profile_id=1, valid_to=NOW))
    assert ids(install(until, profile(V201, profile_id=2, valid_from=NOW))) == [1, 2]
    with pytest.raises(ProfileRejected, match='DuplicateProfileValidityPeriod'):
        install(until, profile(V201, profile_id=2, valid_from=NOW - 1))


def test_2_0_1_refuses_a_second_tx_profile_of_the_same_stack_level() -> None:
    base = install(ProfileSet(), tx_profile(V201, profile_id=1))
    with pytest.raises(ProfileRejected, match='TxProfileConflictingStackLevel'):
        install(base, tx_profile(V201, profile_id=2))
    assert ids(install(base, tx_profile(V201, profile_id=2, stack_level=2))) == [1, 2]


@pytest.mark.parametrize('version', [V16, V201])
def test_a_csms_neither_replaces_nor_clears_an_external_constraint(version: OcppVersion) -> None:
    external = profile(V201, purpose=Purpose.EXTERNAL_CONSTRAINTS, evse=0, profile_id=5)
    base = install(ProfileSet(), external, from_csms=False)
    with pytest.raises(ProfileRejected, match='ExistingChargingStationExternalConstraints'):
        install(base, profile(version, profile_id=5))
    assert ids(base.clear(ClearCriteria())) == [5]
    assert ids(base.clear(ClearCriteria(profile_id=5))) == [5]
    with pytest.raises(ProfileRejected, match='ExternalConstraintsInClear'):
        base.clear(ClearCriteria(purpose=Purpose.EXTERNAL_CONSTRAINTS))
    again = dataclasses.replace(external, stack_level=4)
    assert install(base, again, from_csms=False).profiles[0].stack_level == 4
    assert ids(base.remove_external(5)) == []


# --- what goes -------------------------------------------------------------------------------

FOUR = install(ProfileSet(), profile(profile_id=1), profile(profile_id=2, evse=0, stack_level=2),
               profile(profile_id=3, evse=0, purpose=Purpose.STATION_MAX),
               tx_profile(profile_id=4, stack_level=2))


@pytest.mark.parametrize(('criteria', 'left'), [
    (ClearCriteria(), []),
    (ClearCriteria(profile_id=2), [1, 3, 4]),
    (ClearCriteria(profile_id=2, evse=1, stack_level=9), [1, 3, 4]),  # an id is enough
    (ClearCriteria(profile_id=9), [1, 2, 3, 4]),
    (ClearCriteria(evse=0), [1, 4]),
    (ClearCriteria(evse=1), [2, 3]),
    (ClearCriteria(purpose=Purpose.TX_DEFAULT), [3, 4]),
    (ClearCriteria(stack_level=2), [1, 3]),
    (ClearCriteria(purpose=Purpose.TX_DEFAULT, stack_level=2, evse=0), [1, 3, 4]),
    (ClearCriteria(purpose=Purpose.TX, evse=0), [1, 2, 3, 4]),
])
def test_clear(criteria: ClearCriteria, left: list[int]) -> None:
    after = FOUR.clear(criteria)
    assert ids(after) == left
    assert [p.profile_id for p in FOUR.missing_from(after)] == [i for i in range(1, 5)
                                                                if i not in left]
    assert len(FOUR) == 4


def test_expired_profiles_are_purged_and_no_others() -> None:
    profiles = ProfileSet((
        profile(profile_id=1, valid_to=NOW),
        profile(profile_id=2, valid_to=NOW + 1),
        profile(profile_id=3, start_schedule=NOW - 60, duration=60),
        profile(profile_id=4, start_schedule=NOW - 60, duration=61),
        profile(profile_id=5, start_schedule=NOW - 60),
        profile(profile_id=6, start_schedule=NOW - 60, duration=60, kind=Kind.RECURRING,
                recurrency=Recurrency.DAILY),
        profile(profile_id=7, start_schedule=None, duration=60, kind=Kind.RELATIVE)))
    assert ids(profiles.purge(NOW)) == [2, 4, 5, 6, 7]
    assert profiles.purge(NOW - 1000) is profiles


def test_tx_profiles_go_with_their_transaction() -> None:
    without_id = install(ProfileSet(), profile(), tx_profile(profile_id=2, transaction_id=''))
    assert without_id.bind_transaction(Transaction(1, NOW)) is without_id
    bound = without_id.bind_transaction(Transaction(1, NOW, '77'))
    assert [p.transaction_id for p in bound] == ['', '77']
    other_evse = without_id.bind_transaction(Transaction(2, NOW, '78'))
    assert [p.transaction_id for p in other_evse] == ['', '']
    assert ids(bound.end_transaction(2)) == [1, 2]
    assert ids(bound.end_transaction(1)) == [1]


def test_an_id_that_was_not_told_yet_is_named_as_the_cause() -> None:
    with pytest.raises(ProfileRejected, match='EVSE 1 runs one whose id was not told yet'):
        ProfileSet().install(tx_profile(), STATION, {1: Transaction(1, NOW)}, NOW)


def test_profiles_that_end_when_the_csms_is_away() -> None:
    profiles = ProfileSet((profile(profile_id=1),
                           profile(profile_id=2, max_offline_duration=600),
                           profile(profile_id=3, max_offline_duration=600,
                                   invalid_after_offline=True)))
    assert ids(profiles.online(600)) == [1, 2, 3]
    assert ids(profiles.online(601)) == [1]
    assert ids(profiles.purge_offline(600)) == [1, 2, 3]
    assert ids(profiles.purge_offline(601)) == [1, 2]
