"""OCPP requests as JSON: the schemas of the standard, and the code of what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from charger_control.core.smart_charging import OcppVersion, Purpose, RateUnit, Station
from charger_control.nodes.smart_charging.requests import (
    LARGEST_REQUEST,
    RequestError,
    clear_request,
    composite_request,
    set_request,
    version_of,
)

V16, V201 = OcppVersion.V16, OcppVersion.V201
STATION = Station()
START = '2026-01-01T00:00:00Z'


def v16(period: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {'connectorId': 1, 'csChargingProfiles': {
        'chargingProfileId': 1, 'stackLevel': 0, 'chargingProfilePurpose': 'TxDefaultProfile',
        'chargingProfileKind': 'Absolute', 'chargingSchedule': {
            'startSchedule': START, 'chargingRateUnit': 'A',
            'chargingSchedulePeriod': [period or {'startPeriod': 0, 'limit': 16.1}]}, **fields}}


def v201(**fields: Any) -> dict[str, Any]:
    return {'evseId': 1, 'chargingProfile': {
        'id': 1, 'stackLevel': 0, 'chargingProfilePurpose': 'TxDefaultProfile',
        'chargingProfileKind': 'Absolute', 'chargingSchedule': [{
            'id': 1, 'startSchedule': START, 'chargingRateUnit': 'W',
            'chargingSchedulePeriod': [{'startPeriod': 0, 'limit': 11000.0}]}], **fields}}


def refused(text: str, version: OcppVersion | None = V16) -> RequestError:
    with pytest.raises(RequestError) as error:
        set_request(text, version, STATION)
    return error.value


def test_both_versions_are_read_and_told_by_their_names() -> None:
    one = set_request(json.dumps(v16()), V16, STATION)
    # 16.1 is no multiple of 0.1 in binary, which the schema of 1.6 asks for
    assert (one.ocpp_version, one.unit, one.periods[0].limit) == (V16, RateUnit.A, 16.1)
    two = set_request(json.dumps(v201()), V201, STATION)
    assert (two.ocpp_version, two.unit, two.evse) == (V201, RateUnit.W, 1)
    assert set_request(json.dumps(v16()), None, STATION) == one
    assert set_request(json.dumps(v201()), None, STATION) == two


@pytest.mark.parametrize(('text', 'words'), [
    ('', 'not JSON'), ('{"connectorId": 1,', 'not JSON'), ('[1]', 'not a JSON object'),
    ('null', 'not a JSON object'), ('"x"', 'not a JSON object'), ('[' * 60_000, 'not JSON'),
    ('{"connectorId": ' + '9' * 5000 + '}', 'not JSON'),
])
def test_what_is_no_json_object(text: str, words: str) -> None:
    error = refused(text)
    assert error.code == 'FormatViolation'
    assert words in error.sentence


@pytest.mark.parametrize(('payload', 'code', 'words'), [
    ({}, 'MissingField', 'connectorId'),
    (v16() | {'extra': 1}, 'FormatViolation', 'extra'),
    (v16(extra=1), 'FormatViolation', 'csChargingProfiles'),
    (v16({'startPeriod': 0, 'limit': 16, 'phaseToUse': 1}), 'FormatViolation',
     'csChargingProfiles.chargingSchedule.chargingSchedulePeriod.0'),
    (v16({'startPeriod': 0, 'limit': '16'}), 'WrongType', "limit '16'"),
    (v16({'startPeriod': 0.5, 'limit': 16}), 'WrongType', 'startPeriod 0.5'),
    (v16({'startPeriod': 0}), 'MissingField', 'limit'),
    (v16(chargingProfilePurpose='Fun'), 'ChargingProfileUnsupportedPurpose', "'Fun'"),
    (v16(chargingProfilePurpose='ChargingStationMaxProfile'),
     'ChargingProfileUnsupportedPurpose', 'ChargePointMaxProfile'),
    (v16(chargingProfileKind='Sometimes'), 'ChargingProfileUnsupportedKind', 'Sometimes'),
    (v16(stackLevel='high'), 'WrongType', 'stackLevel'),
    (v16(transactionId='abc'), 'FormatViolation', 'transactionId'),
    (v16(validFrom='tomorrow'), 'WrongType', 'validFrom'),
    (v201(), 'MissingField', 'connectorId'),
])
def test_what_the_schema_or_the_reader_refuses_is_named(payload: dict[str, Any], code: str,
                                                        words: str) -> None:
    error = refused(json.dumps(payload))
    assert (error.code, words in error.sentence) == (code, True), error


def test_the_schema_of_2_0_1() -> None:
    assert refused(json.dumps(v201(transactionId='x' * 37)), V201).code == 'FormatViolation'
    four = v201()
    four['chargingProfile']['chargingSchedule'] *= 4
    error = refused(json.dumps(four), V201)
    assert (error.code, 'chargingSchedule' in error.sentence) == ('FormatViolation', True)
    assert refused(json.dumps(v16()), V201).code == 'MissingField'


def test_nan_comes_through_to_where_it_has_a_code_of_its_own() -> None:
    profile = set_request(json.dumps(v16({'startPeriod': 0, 'limit': float('nan')})), V16, STATION)
    assert profile.periods[0].limit != profile.periods[0].limit


def test_size_is_bounded_and_too_many_periods_are_left_to_the_rule_for_them() -> None:
    assert refused(' ' * (LARGEST_REQUEST + 1)).code == 'TooLarge'
    many = v16()
    many['csChargingProfiles']['chargingSchedule']['chargingSchedulePeriod'] = [
        {'startPeriod': i, 'limit': 6.0} for i in range(10_000)]
    assert len(set_request(json.dumps(many), V16, STATION).periods) == 10_000


def test_clear() -> None:
    assert clear_request('{}', V16).match(set_request(json.dumps(v16()), V16, STATION))
    criteria = clear_request('{"chargingProfilePurpose": "ChargePointMaxProfile"}', V16)
    assert criteria.purpose is Purpose.STATION_MAX
    nested = clear_request('{"chargingProfileCriteria": {"evseId": 1, "stackLevel": 2}}', V201)
    assert (nested.evse, nested.stack_level) == (1, 2)
    for text, version in (('{"evseId": 1}', V16), ('{"id": 1}', V201), ('{"x": 1}', V16)):
        with pytest.raises(RequestError, match='FormatViolation'):
            clear_request(text, version)


def test_composite() -> None:
    wanted = composite_request('{"connectorId": 0, "duration": 60, "chargingRateUnit": "W"}', V16,
                               STATION)
    assert (wanted.evse, wanted.duration, wanted.unit) == (0, 60, RateUnit.W)
    for text, code in (('{"connectorId": 2, "duration": 60}', 'EvseDoesNotExist'),
                       ('{"connectorId": 1}', 'MissingField'),
                       ('{"connectorId": 1, "duration": -1}', 'ChargingScheduleInvalidDuration'),
                       ('{"connectorId": 1, "duration": 6, "chargingRateUnit": "V"}',
                        'UnknownValue'),
                       ('{"connectorId": 1, "duration": 6, "x": 1}', 'FormatViolation')):
        with pytest.raises(RequestError) as error:
            composite_request(text, V16, STATION)
        assert error.value.code == code


def test_versions() -> None:
    assert (version_of('1.6'), version_of('2.0.1')) == (V16, V201)
    with pytest.raises(RequestError, match=r"'2\.1' \(allowed: '1\.6', '2\.0\.1'\)"):
        version_of('2.1')
