"""OCPP payloads, 1.6 and 2.0.1, to and from typed profiles. JSON objects come in as dicts.

The schemas of the standard are checked before, outside of core; what is read here is checked
again for type and meaning, so that no payload can do harm. Unknown fields are passed over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from charger_control.core.smart_charging.ocpp.json_fields import (
    YEARS,
    Json,
    as_object,
    enum_in,
    expect,
    integer,
    list_in,
    number,
    object_in,
    optional_integer,
    required,
    shown,
    time_in,
    time_text,
    without_none,
)
from charger_control.core.smart_charging.ocpp.rejections import ProfileRejected, Reason
from charger_control.core.smart_charging.ocpp.validation import Station
from charger_control.core.smart_charging.profile_set import ClearCriteria
from charger_control.core.smart_charging.schedule.composite import CompositeSchedule
from charger_control.core.smart_charging.schedule.profiles import (
    DAY,
    Kind,
    OcppVersion,
    Period,
    Profile,
    Purpose,
    RateUnit,
    Recurrency,
)

LONGEST_COMPOSITE = 31 * DAY
"""s, a composite schedule is not made for longer."""
_STATION_MAX_V16 = 'ChargePointMaxProfile'
_FIELDS_V201 = frozenset({'evseId', 'chargingProfile', 'chargingProfileId',
                          'chargingProfileCriteria', 'customData'})


@dataclass(frozen=True, slots=True)
class CompositeRequest:
    """What GetCompositeSchedule asks for: EVSE (0: station), s from now, and the unit."""

    evse: int
    duration: int
    unit: RateUnit


def version_of_request(payload: Json) -> OcppVersion:
    """Whose field names a bare request uses; 1.6 where it has none that tells."""
    return OcppVersion.V16 if _FIELDS_V201.isdisjoint(payload) else OcppVersion.V201


def read_set_charging_profile(payload: Json, version: OcppVersion) -> Profile:
    """The profile of a SetChargingProfile request; of several schedules (2.0.1) the first.

    Raises:
        ProfileRejected: a field is missing, or not of a type or value that is allowed.
    """
    payload = as_object(payload, 'the request')
    is_v16 = version is OcppVersion.V16
    evse = integer(payload, 'connectorId' if is_v16 else 'evseId')
    body = object_in(payload, 'csChargingProfiles' if is_v16 else 'chargingProfile')
    if is_v16:
        schedule = object_in(body, 'chargingSchedule')
    else:
        schedules = list_in(body, 'chargingSchedule')
        expect(bool(schedules), Reason.EMPTY_SCHEDULES, 'chargingSchedule is empty')
        schedule = as_object(schedules[0], 'chargingSchedule[0]')
    return Profile(
        profile_id=integer(body, 'chargingProfileId' if is_v16 else 'id'), evse=evse,
        purpose=_purpose(body, version), kind=_kind(body), stack_level=integer(body, 'stackLevel'),
        unit=enum_in(schedule, 'chargingRateUnit', RateUnit),
        periods=tuple(_period(entry, index) for index, entry in enumerate(
            list_in(schedule, 'chargingSchedulePeriod'))),
        recurrency=(None if body.get('recurrencyKind') is None
                    else enum_in(body, 'recurrencyKind', Recurrency)),
        start_schedule=time_in(schedule, 'startSchedule', years=YEARS),
        duration=optional_integer(schedule, 'duration'),
        valid_from=time_in(body, 'validFrom'), valid_to=time_in(body, 'validTo'),
        transaction_id=_transaction_id(body),
        min_charging_rate=(None if schedule.get('minChargingRate') is None
                           else number(schedule, 'minChargingRate')),
        max_offline_duration=optional_integer(body, 'maxOfflineDuration'),
        invalid_after_offline=body.get('invalidAfterOfflineDuration') is True,
        ocpp_version=version,
        schedule_id=1 if is_v16 else integer(schedule, 'id'))


def write_set_charging_profile(profile: Profile) -> dict[str, Any]:
    """The SetChargingProfile request that a profile is read from, for storing and showing it."""
    is_v16 = profile.ocpp_version is OcppVersion.V16
    schedule = without_none({
        'id': None if is_v16 else profile.schedule_id,
        'startSchedule': time_text(profile.start_schedule),
        'duration': profile.duration,
        'chargingRateUnit': profile.unit.value,
        'minChargingRate': profile.min_charging_rate,
        'chargingSchedulePeriod': [without_none({
            'startPeriod': p.start, 'limit': p.limit, 'numberPhases': p.phases,
            'phaseToUse': p.phase_to_use}) for p in profile.periods],
    })
    is_station_max_v16 = is_v16 and profile.purpose is Purpose.STATION_MAX
    transaction = profile.transaction_id
    is_number = is_v16 and transaction.isdecimal() and str(int(transaction)) == transaction
    body = without_none({
        'chargingProfileId' if is_v16 else 'id': profile.profile_id,
        'stackLevel': profile.stack_level,
        'chargingProfilePurpose': (_STATION_MAX_V16 if is_station_max_v16
                                   else profile.purpose.value),
        'chargingProfileKind': profile.kind.value,
        'recurrencyKind': None if profile.recurrency is None else profile.recurrency.value,
        'validFrom': time_text(profile.valid_from),
        'validTo': time_text(profile.valid_to),
        'transactionId': int(transaction) if is_number else transaction or None,
        'maxOfflineDuration': profile.max_offline_duration,
        'invalidAfterOfflineDuration': profile.invalid_after_offline or None,
        'chargingSchedule': schedule if is_v16 else [schedule],
    })
    if is_v16:
        return {'connectorId': profile.evse, 'csChargingProfiles': body}
    return {'evseId': profile.evse, 'chargingProfile': body}


def read_clear_charging_profile(payload: Json, version: OcppVersion) -> ClearCriteria:
    """What a ClearChargingProfile request asks to clear; an empty one: all that it may.

    Raises:
        ProfileRejected: a field is not of a type or value that is allowed.
    """
    payload = as_object(payload, 'the request')
    if version is OcppVersion.V16:
        profile_id, criteria, evse = 'id', payload, 'connectorId'
    else:
        profile_id, evse = 'chargingProfileId', 'evseId'
        given = payload.get('chargingProfileCriteria')
        criteria = {} if given is None else as_object(given, 'chargingProfileCriteria')
    return ClearCriteria(
        profile_id=optional_integer(payload, profile_id),
        evse=optional_integer(criteria, evse),
        purpose=(None if criteria.get('chargingProfilePurpose') is None
                 else _purpose(criteria, version)),
        stack_level=optional_integer(criteria, 'stackLevel'))


def read_get_composite_schedule(payload: Json, version: OcppVersion,
                                station: Station) -> CompositeRequest:
    """What a GetCompositeSchedule request asks for; in A where it names no unit.

    Raises:
        ProfileRejected: a field is missing, or not of a type or value that is allowed, or the
            station has no such EVSE or unit.
    """
    payload = as_object(payload, 'the request')
    duration = integer(payload, 'duration')
    expect(0 <= duration <= LONGEST_COMPOSITE, Reason.INVALID_DURATION,
           f'duration {duration} s (allowed: 0 to {LONGEST_COMPOSITE})')
    evse = integer(payload, 'connectorId' if version is OcppVersion.V16 else 'evseId')
    expect(0 <= evse <= station.evses, Reason.EVSE_DOES_NOT_EXIST,
           f'EVSE {evse} does not exist; there are 0 (the station) to {station.evses}')
    unit = (RateUnit.A if payload.get('chargingRateUnit') is None
            else enum_in(payload, 'chargingRateUnit', RateUnit))
    expect(unit in station.rate_units, Reason.RATE_UNIT_UNSUPPORTED,
           f'chargingRateUnit {unit.value} is not offered here')
    return CompositeRequest(evse, duration, unit)


def write_composite_schedule(schedule: CompositeSchedule, version: OcppVersion) -> dict[str, Any]:
    """The accepted GetCompositeSchedule response.

    OCPP limits have one decimal; ours are cut to it, as a rounded one might be higher.
    """
    start = time_text(schedule.start)
    periods = [without_none({'startPeriod': p.start, 'limit': math.floor(p.limit * 10 + 1e-6) / 10,
                              'numberPhases': p.phases}) for p in schedule.periods]
    common = {'duration': schedule.duration, 'chargingRateUnit': schedule.unit.value,
              'chargingSchedulePeriod': periods}
    if version is OcppVersion.V16:
        return {'status': 'Accepted', 'connectorId': schedule.evse, 'scheduleStart': start,
                'chargingSchedule': {'startSchedule': start, **common}}
    return {'status': 'Accepted',
            'schedule': {'evseId': schedule.evse, 'scheduleStart': start, **common}}


def _purpose(source: Json, version: OcppVersion) -> Purpose:
    if version is not OcppVersion.V16:
        return enum_in(source, 'chargingProfilePurpose', Purpose, Reason.UNSUPPORTED_PURPOSE)
    value = required(source, 'chargingProfilePurpose')
    names = {_STATION_MAX_V16: Purpose.STATION_MAX, Purpose.TX_DEFAULT.value: Purpose.TX_DEFAULT,
             Purpose.TX.value: Purpose.TX}
    expect(isinstance(value, str) and value in names, Reason.UNSUPPORTED_PURPOSE,
           f'chargingProfilePurpose {shown(value)} (allowed: {", ".join(names)})')
    return names[value]


def _kind(source: Json) -> Kind:
    return enum_in(source, 'chargingProfileKind', Kind, Reason.UNSUPPORTED_KIND)


def _period(entry: object, index: int) -> Period:
    source = as_object(entry, f'chargingSchedulePeriod[{index}]')
    try:
        return Period(integer(source, 'startPeriod'), number(source, 'limit'),
                      optional_integer(source, 'numberPhases'),
                      optional_integer(source, 'phaseToUse'))
    except ProfileRejected as error:
        raise ProfileRejected(
            error.reason, f'chargingSchedulePeriod[{index}]: {error.message}') from None


def _transaction_id(body: Json) -> str:
    """A whole number in 1.6, a text in 2.0.1, and in the end a text."""
    value = body.get('transactionId')
    expect(value is None or (isinstance(value, int | str) and not isinstance(value, bool)),
           Reason.WRONG_TYPE, f'transactionId {shown(value)} (allowed: a text or a whole number)')
    return '' if value is None else str(value)
