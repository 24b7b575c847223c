"""Requests of a CSMS as they come in: JSON, held against the schemas of OCPP 1.6 and 2.0.1.

The schemas are those that the ``ocpp`` package ships.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from charger_control.core.smart_charging import (
    ClearCriteria,
    CompositeRequest,
    OcppVersion,
    Profile,
    ProfileRejected,
    Station,
    read_clear_charging_profile,
    read_get_composite_schedule,
    read_set_charging_profile,
    version_of_request,
)

T = TypeVar('T')
LARGEST_REQUEST = 1 << 20
"""Characters of JSON that are looked at."""
SCHEMAS = {OcppVersion.V16: ('ocpp.v16', ''), OcppVersion.V201: ('ocpp.v201', 'Request')}


class RequestError(Exception):
    """A request that cannot be taken: a code and a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f'{code}: {sentence}')
        self.code = code
        self.sentence = sentence


def rejection(error: ProfileRejected) -> RequestError:
    """The core's refusal with its code, its sentence, and the reasonCode of the standard."""
    return RequestError(error.reason.value, f'{error.message} ({error.reason.reason_code})')


def version_of(text: str) -> OcppVersion:
    """'1.6' or '2.0.1' as the core's enumeration. Raises RequestError."""
    try:
        return OcppVersion(text)
    except ValueError:
        known = ', '.join(repr(v.value) for v in OcppVersion)
        raise RequestError('UnknownVersion', f'ocpp_version {text!r} (allowed: {known})') from None


def set_request(text: str, version: OcppVersion | None, station: Station) -> Profile:
    """The profile of a SetChargingProfile request; ``version`` None: as its field names tell.

    Raises:
        RequestError: it is not one, and where.
    """
    payload = _object(text)
    version = version_of_request(payload) if version is None else version
    profile = _read(lambda: read_set_charging_profile(payload, version))
    # more are refused with a code of their own: the schema need not look at each of them
    if len(profile.periods) <= station.max_periods:
        _check(payload, 'SetChargingProfile', version)
    return profile


def clear_request(text: str, version: OcppVersion) -> ClearCriteria:
    """What a ClearChargingProfile request asks for. Raises RequestError."""
    payload = _object(text)
    criteria = _read(lambda: read_clear_charging_profile(payload, version))
    _check(payload, 'ClearChargingProfile', version)
    return criteria


def composite_request(text: str, version: OcppVersion, station: Station) -> CompositeRequest:
    """What a GetCompositeSchedule request asks for. Raises RequestError."""
    payload = _object(text)
    wanted = _read(lambda: read_get_composite_schedule(payload, version, station))
    _check(payload, 'GetCompositeSchedule', version)
    return wanted


def _object(text: str) -> dict[str, Any]:
    if len(text) > LARGEST_REQUEST:
        raise RequestError('TooLarge', f'the request has {len(text)} characters (allowed: '
                           f'{LARGEST_REQUEST})')
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError('FormatViolation', f'the request is not JSON: {error}') from None
    if not isinstance(payload, dict):
        raise RequestError('FormatViolation', 'the request is not a JSON object')
    return payload


def _read(read: Callable[[], T]) -> T:
    """Reads first, and holds against the schema then: the core's codes say more."""
    try:
        return read()
    except ProfileRejected as error:
        raise rejection(error) from None


def _check(payload: Mapping[str, Any], action: str, version: OcppVersion) -> None:
    found = next(_validator(action, version).iter_errors(payload), None)
    if found is not None:
        where = '.'.join(str(part) for part in found.absolute_path) or 'the request'
        raise RequestError('FormatViolation', f'{where}: {found.message[:200]} (OCPP '
                           f'{version.value} {action})')


@cache
def _validator(action: str, version: OcppVersion) -> Validator:
    package, suffix = SCHEMAS[version]
    source = files(package) / 'schemas' / f'{action}{suffix}.json'
    schema = _without_multiples(json.loads(source.read_text(encoding='utf-8-sig')))
    validator: Validator = validator_for(schema)(schema)
    return validator


def _without_multiples(schema: Any) -> Any:
    """Without ``multipleOf``: 0.1 in binary makes good values of one decimal fail."""
    if isinstance(schema, Mapping):
        return {k: _without_multiples(v) for k, v in schema.items() if k != 'multipleOf'}
    if isinstance(schema, list):
        return [_without_multiples(v) for v in schema]
    return schema
