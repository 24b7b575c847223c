"""OCPP payloads read and written: both versions, and every field that can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger_control.core.smart_charging import (
    ClearCriteria,
    CompositeDefaults,
    Kind,
    OcppVersion,
    Period,
    Profile,
    ProfileEngine,
    ProfileRejected,
    ProfileSet,
    Purpose,
    RateUnit,
    Reason,
    Recurrency,
    Station,
    composite_schedule,
    read_clear_charging_profile,
    read_get_composite_schedule,
    read_set_charging_profile,
    write_composite_schedule,
    write_set_charging_profile,
)

V16, V201 = OcppVersion.V16, OcppVersion.V201


def request_v16() -> dict[str, Any]:
    return {
        'connectorId': 1,
        'csChargingProfiles': {
            'chargingProfileId': 7, 'transactionId': 42, 'stackLevel': 3,
            'chargingProfilePurpose': 'TxProfile', 'chargingProfileKind': 'Recurring',
            'recurrencyKind': 'Weekly', 'validFrom': '2026-01-01T00:00:00.900Z',
            'validTo': '2027-01-01T01:00:00+01:00',
            'chargingSchedule': {
                'duration': 3600, 'startSchedule': '2026-01-04T18:00:00Z',
                'chargingRateUnit': 'W', 'minChargingRate': 1380.5,
                'chargingSchedulePeriod': [{'startPeriod': 0, 'limit': 11_000.0},
                                           {'startPeriod': 60, 'limit': 6, 'numberPhases': 1}]}}}


def request_v201() -> dict[str, Any]:
    return {
        'evseId': 1,
        'chargingProfile': {
            'id': 7, 'transactionId': 'tx-1', 'stackLevel': 3,
            'chargingProfilePurpose': 'TxProfile', 'chargingProfileKind': 'Absolute',
            'chargingSchedule': [{
                'id': 11, 'startSchedule': '2026-01-04T18:00:00Z', 'chargingRateUnit': 'A',
                'chargingSchedulePeriod': [{'startPeriod': 0, 'limit': 16.0, 'numberPhases': 1,
                                            'phaseToUse': 2}]}],
            'customData': {'vendorId': 'x'}}}


def test_a_1_6_profile() -> None:
    assert read_set_charging_profile(request_v16(), V16) == Profile(
        profile_id=7, evse=1, purpose=Purpose.TX, kind=Kind.RECURRING, stack_level=3,
        unit=RateUnit.W, periods=(Period(0, 11_000.0), Period(60, 6.0, 1)),
        recurrency=Recurrency.WEEKLY, start_schedule=1_767_549_600, duration=3600,
        valid_from=1_767_225_600, valid_to=1_798_761_600, transaction_id='42',
        min_charging_rate=1380.5)


def test_a_2_0_1_profile() -> None:
    assert read_set_charging_profile(request_v201(), V201) == Profile(
        profile_id=7, evse=1, purpose=Purpose.TX, kind=Kind.ABSOLUTE, stack_level=3,
        unit=RateUnit.A, periods=(Period(0, 16.0, 1, 2),), start_schedule=1_767_549_600,
        transaction_id='tx-1', ocpp_version=V201, schedule_id=11)


def changed(request: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    *parents, last = path.split('.')
    target: Any = request
    for name in parents:
        target = target[int(name) if name.isdecimal() else name]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return request


SCHEDULE = 'csChargingProfiles.chargingSchedule'
PERIOD = f'{SCHEDULE}.chargingSchedulePeriod.0'


@pytest.mark.parametrize(('path', 'value', 'reason', 'words'), [
    ('connectorId', ..., Reason.MISSING_FIELD, 'connectorId is missing'),
    ('connectorId', '1', Reason.WRONG_TYPE, "connectorId '1'"),
    ('connectorId', True, Reason.WRONG_TYPE, 'connectorId True'),
    ('connectorId', 2**31, Reason.WRONG_TYPE, 'whole number'),
    ('csChargingProfiles', [], Reason.WRONG_TYPE, r'csChargingProfiles \[\] .allowed: an object'),
    ('csChargingProfiles.chargingProfileId', 1.5, Reason.WRONG_TYPE, 'chargingProfileId 1.5'),
    ('csChargingProfiles.stackLevel', None, Reason.MISSING_FIELD, 'stackLevel is missing'),
    ('csChargingProfiles.transactionId', 1.5, Reason.WRONG_TYPE, 'transactionId 1.5'),
    ('csChargingProfiles.chargingProfilePurpose', 'PriorityCharging', Reason.UNSUPPORTED_PURPOSE,
     'allowed: ChargePointMaxProfile, TxDefaultProfile, TxProfile'),
    ('csChargingProfiles.chargingProfilePurpose', {}, Reason.UNSUPPORTED_PURPOSE, 'allowed'),
    ('csChargingProfiles.chargingProfileKind', 'Dynamic', Reason.UNSUPPORTED_KIND,
     'allowed: Absolute, Recurring, Relative'),
    ('csChargingProfiles.recurrencyKind', 'Monthly', Reason.UNKNOWN_VALUE, 'Daily, Weekly'),
    ('csChargingProfiles.validTo', 'tomorrow', Reason.WRONG_TYPE, "validTo 'tomorrow'"),
    ('csChargingProfiles.validTo', 5, Reason.WRONG_TYPE, 'validTo 5'),
    (f'{SCHEDULE}.startSchedule', '1890-01-01T00:00:00Z', Reason.UNKNOWN_VALUE, '1970 to 9998'),
    (f'{SCHEDULE}.chargingRateUnit', 'kW', Reason.UNKNOWN_VALUE, "chargingRateUnit 'kW'"),
    (f'{SCHEDULE}.chargingSchedulePeriod', {}, Reason.WRONG_TYPE, 'allowed: a list'),
    (f'{SCHEDULE}.chargingSchedulePeriod', [3], Reason.WRONG_TYPE, r'Period\[0\] 3'),
    (f'{PERIOD}.limit', '16', Reason.WRONG_TYPE, r"Period\[0\]: limit '16' .allowed: a number"),
    (f'{PERIOD}.limit', ..., Reason.MISSING_FIELD, 'limit is missing'),
    (f'{PERIOD}.startPeriod', 0.5, Reason.WRONG_TYPE, 'startPeriod 0.5'),
])
def test_what_cannot_be_read_is_named(path: str, value: object, reason: Reason,
                                      words: str) -> None:
    with pytest.raises(ProfileRejected, match=words) as rejected:
        read_set_charging_profile(changed(request_v16(), path, value), V16)
    assert rejected.value.reason is reason


@pytest.mark.parametrize(('path', 'value', 'reason'), [
    ('chargingProfile.chargingSchedule', [], Reason.EMPTY_SCHEDULES),
    ('chargingProfile.chargingSchedule', [7], Reason.WRONG_TYPE),
    ('chargingProfile.chargingProfilePurpose', 'ChargePointMaxProfile',
     Reason.UNSUPPORTED_PURPOSE),
    ('chargingProfile.chargingSchedule.0.id', ..., Reason.MISSING_FIELD),
    ('evseId', ..., Reason.MISSING_FIELD),
])
def test_what_2_0_1_wants(path: str, value: object, reason: Reason) -> None:
    with pytest.raises(ProfileRejected) as rejected:
        read_set_charging_profile(changed(request_v201(), path, value), V201)
    assert rejected.value.reason is reason


@pytest.mark.parametrize('payload', [None, [], 'x', 5])
def test_a_request_that_is_no_object(payload: Any) -> None:
    for read in (read_set_charging_profile, read_clear_charging_profile):
        with pytest.raises(ProfileRejected, match='the request'):
            read(payload, V16)
    with pytest.raises(ProfileRejected, match='the request'):
        read_get_composite_schedule(payload, V16, Station())


@pytest.mark.parametrize('text', ['NaN', 'Infinity', '1' + '0' * 400, '-1'])
def test_a_number_that_is_no_limit_is_read_and_then_refused(text: str) -> None:
    body = json.dumps(changed(request_v16(), f'{PERIOD}.limit', 'HERE')).replace('"HERE"', text)
    profile = read_set_charging_profile(json.loads(body), V16)
    with pytest.raises(ProfileRejected) as rejected:
        ProfileSet().install(profile, Station(), {}, 0)
    assert rejected.value.reason in (Reason.PERIOD_NON_FINITE, Reason.NEGATIVE_LIMIT)


def test_times_without_offset_and_at_the_ends_of_the_calendar() -> None:
    def valid_to(text: str) -> int | None:
        return read_set_charging_profile(
            changed(request_v16(), 'csChargingProfiles.validTo', text), V16).valid_to
    assert valid_to('2026-01-01T00:00:00') == 1_767_225_600
    assert valid_to('9999-12-31T23:59:59Z') == 253_402_300_799
    assert valid_to('9999-12-31T23:59:59-12:00') == 253_402_300_799
    assert valid_to('1969-12-31T23:59:59.5Z') == -1
    late = changed(request_v16(), 'csChargingProfiles.validTo', '9999-12-31T23:59:59-12:00')
    assert write_set_charging_profile(read_set_charging_profile(late, V16))[
        'csChargingProfiles']['validTo'] == '9999-12-31T23:59:59Z'


WHOLE = st.integers(0, 2**31 - 1)
TIMES = st.integers(0, 253_000_000_000)


@st.composite
def any_profile(draw: st.DrawFn) -> Profile:
    version = draw(st.sampled_from(OcppVersion))
    purposes = list(Purpose) if version is V201 else [
        p for p in Purpose if p is not Purpose.EXTERNAL_CONSTRAINTS]
    return Profile(
        profile_id=draw(WHOLE), evse=draw(WHOLE), purpose=draw(st.sampled_from(purposes)),
        kind=draw(st.sampled_from(Kind)), stack_level=draw(WHOLE),
        unit=draw(st.sampled_from(RateUnit)),
        periods=tuple(draw(st.lists(st.builds(
            Period, WHOLE, st.floats(0, 1e6), st.none() | st.integers(1, 3),
            st.none() | st.integers(1, 3)), max_size=4))),
        recurrency=draw(st.none() | st.sampled_from(Recurrency)),
        start_schedule=draw(st.none() | TIMES), duration=draw(st.none() | WHOLE),
        valid_from=draw(st.none() | TIMES), valid_to=draw(st.none() | TIMES),
        transaction_id=draw(st.sampled_from(['', '0', '42', '007', '-5', 'tx-1'])),
        min_charging_rate=draw(st.none() | st.floats(0, 1e6)),
        max_offline_duration=draw(st.none() | WHOLE), invalid_after_offline=draw(st.booleans()),
        ocpp_version=version, schedule_id=draw(WHOLE) if version is V201 else 1)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(any_profile())
def test_what_is_written_reads_as_the_same_profile(profile: Profile) -> None:
    text = json.dumps(write_set_charging_profile(profile), allow_nan=False)
    assert read_set_charging_profile(json.loads(text), profile.ocpp_version) == profile


def test_clear_requests() -> None:
    assert read_clear_charging_profile({}, V16) == ClearCriteria()
    assert read_clear_charging_profile(
        {'id': 3, 'connectorId': 0, 'chargingProfilePurpose': 'ChargePointMaxProfile',
         'stackLevel': 1}, V16) == ClearCriteria(
        profile_id=3, evse=0, purpose=Purpose.STATION_MAX, stack_level=1)
    assert read_clear_charging_profile(
        {'chargingProfileId': 3, 'chargingProfileCriteria': {
            'evseId': 1, 'chargingProfilePurpose': 'TxProfile', 'stackLevel': 0}}, V201) == (
        ClearCriteria(profile_id=3, evse=1, purpose=Purpose.TX, stack_level=0))
    with pytest.raises(ProfileRejected, match='stackLevel'):
        read_clear_charging_profile({'stackLevel': 'high'}, V16)
    with pytest.raises(ProfileRejected, match='chargingProfileCriteria'):
        read_clear_charging_profile({'chargingProfileCriteria': 5}, V201)


def test_composite_requests() -> None:
    station = Station(evses=2, rate_units=frozenset({RateUnit.A}))
    request = read_get_composite_schedule({'connectorId': 2, 'duration': 60}, V16, station)
    assert (request.evse, request.duration, request.unit) == (2, 60, RateUnit.A)
    request = read_get_composite_schedule(
        {'evseId': 0, 'duration': 0, 'chargingRateUnit': 'A'}, V201, station)
    assert (request.evse, request.duration, request.unit) == (0, 0, RateUnit.A)
    for payload, reason in (
            ({'connectorId': 3, 'duration': 60}, Reason.EVSE_DOES_NOT_EXIST),
            ({'connectorId': -1, 'duration': 60}, Reason.EVSE_DOES_NOT_EXIST),
            ({'connectorId': 1}, Reason.MISSING_FIELD),
            ({'connectorId': 1, 'duration': -1}, Reason.INVALID_DURATION),
            ({'connectorId': 1, 'duration': 2**30}, Reason.INVALID_DURATION),
            ({'connectorId': 1, 'duration': 6, 'chargingRateUnit': 'W'},
             Reason.RATE_UNIT_UNSUPPORTED),
            ({'connectorId': 1, 'duration': 6, 'chargingRateUnit': 'X'}, Reason.UNKNOWN_VALUE)):
        with pytest.raises(ProfileRejected) as rejected:
            read_get_composite_schedule(payload, V16, station)
        assert rejected.value.reason is reason


def test_composite_responses() -> None:
    start = 1_767_225_600
    profile = Profile(
        profile_id=1, evse=0, purpose=Purpose.STATION_MAX, kind=Kind.ABSOLUTE, stack_level=0,
        unit=RateUnit.W, start_schedule=start, duration=60, periods=(Period(0, 11_000.0, 3),))
    schedule = composite_schedule(ProfileEngine([profile]), 1, start, start + 90, RateUnit.A,
                                  CompositeDefaults.of_hardware(32.0))
    # 11 kW on three phases are 15.942 A: cut, not rounded
    periods = [{'startPeriod': 0, 'limit': 15.9, 'numberPhases': 3},
               {'startPeriod': 60, 'limit': 32.0}]
    assert write_composite_schedule(schedule, V16) == {
        'status': 'Accepted', 'connectorId': 1, 'scheduleStart': '2026-01-01T00:00:00Z',
        'chargingSchedule': {'startSchedule': '2026-01-01T00:00:00Z', 'duration': 90,
                             'chargingRateUnit': 'A', 'chargingSchedulePeriod': periods}}
    assert write_composite_schedule(schedule, V201) == {
        'status': 'Accepted',
        'schedule': {'evseId': 1, 'scheduleStart': '2026-01-01T00:00:00Z', 'duration': 90,
                     'chargingRateUnit': 'A', 'chargingSchedulePeriod': periods}}
