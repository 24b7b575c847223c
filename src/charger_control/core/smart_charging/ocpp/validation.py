"""Whether a profile may be installed: the rules of OCPP 1.6 and 2.0.1 (domain.md 3).

Where OCPP 1.6 would take a profile and pass over parts of it later (periods out of order, a
first one that is not at 0), it is refused here as 2.0.1 does: an operator shall learn of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from charger_control.core.smart_charging.ocpp.rejections import ProfileRejected, Reason
from charger_control.core.smart_charging.schedule.profiles import (
    Kind,
    OcppVersion,
    Period,
    Profile,
    Purpose,
    RateUnit,
    Transaction,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """What this station has and takes.

    Attributes:
        evses: number of EVSEs, numbered from 1.
        max_stack_level: ChargeProfileMaxStackLevel.
        max_profiles: MaxChargingProfilesInstalled.
        max_periods: ChargingScheduleMaxPeriods.
        rate_units: ChargingScheduleAllowedChargingRateUnit.
        supply_phases: phases of the supply, 1..3.
        phase_switching: ACPhaseSwitchingSupported, for phaseToUse.
        direct_current: DC outlets, which have no phases.
        start_schedule_optional: in OCPP 1.6 an absolute schedule may be without startSchedule, as
            edition 2, 7.13 has it (AllowChargingProfileWithoutStartSchedule of some stations).
    """

    evses: int = 1
    max_stack_level: int = 99
    max_profiles: int = 100
    max_periods: int = 1000
    rate_units: frozenset[RateUnit] = frozenset(RateUnit)
    supply_phases: int = 3
    phase_switching: bool = False
    direct_current: bool = False
    start_schedule_optional: bool = True


def validate(profile: Profile, installed: Collection[Profile], station: Station,
             transactions: Mapping[int, Transaction], now: int, *,
             from_csms: bool = True) -> Profile:
    """The profile as it is to be installed: what the standard fills in is filled in.

    Args:
        profile: what is to be installed.
        installed: what is installed already.
        station: what this station has and takes.
        transactions: those running, by EVSE.
        now: unix s, the start of an OCPP 1.6 ChargePointMaxProfile without one.
        from_csms: whether a CSMS sets it; external constraints are set here only.

    Raises:
        ProfileRejected: with its code and a sentence.
    """
    if from_csms and profile.purpose is Purpose.EXTERNAL_CONSTRAINTS:
        raise ProfileRejected(
            Reason.EXTERNAL_IN_SET, f'profile {profile.profile_id} has the purpose '
            f'{profile.purpose.value}, which a CSMS may not set; use {Purpose.STATION_MAX.value}')
    if not 0 <= profile.evse <= station.evses:
        raise ProfileRejected(
            Reason.EVSE_DOES_NOT_EXIST,
            f'EVSE {profile.evse} does not exist; there are 0 (the station) to {station.evses}')
    _check_stack_level(profile, station)
    profile = conformed(profile, station)
    may_lack_start = (profile.ocpp_version is OcppVersion.V16 and station.start_schedule_optional
                      and profile.kind is Kind.ABSOLUTE)
    if may_lack_start and profile.start_schedule is None and not profile.is_transactional:
        profile = replace(profile, start_schedule=now)
    _check_times(profile, may_lack_start=may_lack_start)
    _check_schedule(profile, station)
    _check_purpose(profile, transactions)
    _check_replaced(profile, installed)
    others = [p for p in installed if p.profile_id != profile.profile_id]
    if profile.ocpp_version is not OcppVersion.V16:
        _check_duplicates(profile, others)
    _check_count(profile, others, station)
    return profile


def _check_stack_level(profile: Profile, station: Station) -> None:
    if profile.stack_level < 0:
        raise ProfileRejected(
            Reason.STACK_LEVEL_BELOW_ZERO,
            f'stack level {profile.stack_level} (allowed: 0 to {station.max_stack_level})')
    if profile.stack_level > station.max_stack_level:
        raise ProfileRejected(
            Reason.STACK_LEVEL_ABOVE_MAXIMUM,
            f'stack level {profile.stack_level} (allowed: 0 to {station.max_stack_level})')


def conformed(profile: Profile, station: Station) -> Profile:
    """The profile with what OCPP 2.0.1 fills in: numberPhases, where AC needs one (K01.FR.49).

    It is 3, as far as the supply has them. A profile of OCPP 1.6 stays as it is.
    """
    if station.direct_current or profile.ocpp_version is OcppVersion.V16:
        return profile
    filled = tuple(
        p if p.phases is not None or p.phase_to_use is not None
        else p._replace(phases=station.supply_phases) for p in profile.periods)
    return replace(profile, periods=filled)


def _check_replaced(profile: Profile, installed: Collection[Profile]) -> None:
    if profile.purpose is not Purpose.EXTERNAL_CONSTRAINTS and any(
            p.profile_id == profile.profile_id and p.purpose is Purpose.EXTERNAL_CONSTRAINTS
            for p in installed):
        raise ProfileRejected(
            Reason.EXTERNAL_EXISTS, f'id {profile.profile_id} belongs to an external constraint, '
            'which a CSMS may not replace; use another id')


def _check_duplicates(profile: Profile, others: Collection[Profile]) -> None:
    """What 2.0.1 refuses beside an installed one, where 1.6 replaces that."""
    for other in others:
        if other.purpose is not profile.purpose or other.stack_level != profile.stack_level:
            continue
        if profile.purpose is Purpose.TX:
            if other.transaction_id == profile.transaction_id:
                raise ProfileRejected(
                    Reason.TX_CONFLICTING_STACK_LEVEL,
                    f'{other} is installed for transaction {profile.transaction_id}; '
                    'clear it, use its id, or another stack level')
        elif other.evse == profile.evse:
            if _validities_overlap(profile, other):
                raise ProfileRejected(
                    Reason.DUPLICATE_VALIDITY, f'{other} is valid at the same time on EVSE '
                    f'{other.evse}; clear it, use its id, or another stack level')
        elif profile.purpose is Purpose.TX_DEFAULT and 0 in (profile.evse, other.evse):
            raise ProfileRejected(
                Reason.DUPLICATE_TX_DEFAULT, f'{other} is installed on EVSE {other.evse}; '
                'clear it, use its id, or another stack level')


def _validities_overlap(one: Profile, other: Profile) -> bool:
    def before(end: int | None, start: int | None) -> bool:
        return end is not None and start is not None and end <= start

    return not (before(one.valid_to, other.valid_from) or before(other.valid_to, one.valid_from))


def _check_times(profile: Profile, *, may_lack_start: bool) -> None:
    if (profile.start_schedule is None and profile.kind is not Kind.RELATIVE
            and not may_lack_start):
        raise ProfileRejected(
            Reason.MISSING_START_SCHEDULE,
            f'profile {profile.profile_id} is {profile.kind.value} and has no startSchedule'
            + (': of what day or week should it recur?' if profile.kind is Kind.RECURRING else ''))
    if (profile.kind is Kind.RELATIVE and profile.start_schedule is not None
            and profile.ocpp_version is not OcppVersion.V16):
        raise ProfileRejected(
            Reason.EXTRANEOUS_START_SCHEDULE, f'profile {profile.profile_id} is Relative: it '
            'starts with the transaction and may have no startSchedule')
    if profile.kind is Kind.RECURRING and profile.recurrency is None:
        raise ProfileRejected(
            Reason.MISSING_RECURRENCY, f'profile {profile.profile_id} is Recurring and has no '
            'recurrencyKind (allowed: Daily, Weekly)')
    if profile.duration is not None and profile.duration < 0:
        raise ProfileRejected(
            Reason.INVALID_DURATION, f'duration {profile.duration} s (allowed: 0 or more)')
    if (profile.valid_from is not None and profile.valid_to is not None
            and profile.valid_to <= profile.valid_from):
        raise ProfileRejected(
            Reason.INVALID_VALIDITY,
            f'profile {profile.profile_id} has a validTo that is not after its validFrom')


def _check_count(profile: Profile, others: Collection[Profile], station: Station) -> None:
    count = sum(storage_key(p) != storage_key(profile) for p in others)
    if count >= station.max_profiles:
        raise ProfileRejected(
            Reason.TOO_MANY_PROFILES, f'{count} profiles are installed (allowed: '
            f'{station.max_profiles}); clear one first')


def storage_key(profile: Profile) -> tuple[object, ...]:
    """What a newer profile replaces (domain.md 3, 11): EVSE, purpose and stack level in 1.6.

    2.0.1 replaces by id only; its key also holds the id.
    """
    key = (profile.evse, profile.purpose, profile.stack_level)
    if profile.ocpp_version is OcppVersion.V16:
        return key
    return (*key, profile.profile_id)


def _check_schedule(profile: Profile, station: Station) -> None:
    if profile.unit not in station.rate_units:
        allowed = ', '.join(sorted(u.value for u in station.rate_units))
        raise ProfileRejected(
            Reason.RATE_UNIT_UNSUPPORTED,
            f'chargingRateUnit {profile.unit.value} (allowed: {allowed})')
    if not profile.periods and profile.ocpp_version is not OcppVersion.V16:
        raise ProfileRejected(
            Reason.NO_PERIODS, f'profile {profile.profile_id} has no chargingSchedulePeriod')
    if len(profile.periods) > station.max_periods:
        raise ProfileRejected(
            Reason.TOO_MANY_PERIODS, f'{len(profile.periods)} chargingSchedulePeriods (allowed: '
            f'{station.max_periods})')
    rate = profile.min_charging_rate
    if rate is not None and not math.isfinite(rate):
        raise ProfileRejected(
            Reason.SCHEDULE_NON_FINITE, f'minChargingRate {rate} (allowed: a finite number)')
    if rate is not None and rate < 0.0:
        raise ProfileRejected(
            Reason.NEGATIVE_MIN_RATE, f'minChargingRate {rate} (allowed: 0 or more)')
    for period in profile.periods:
        _check_period(period, profile.ocpp_version, station)
    if profile.periods and profile.periods[0].start != 0:
        raise ProfileRejected(
            Reason.FIRST_PERIOD_NOT_ZERO,
            f'the first startPeriod is {profile.periods[0].start} (allowed: 0)')
    for before, after in pairwise(profile.periods):
        if after.start <= before.start:
            raise ProfileRejected(
                Reason.PERIODS_OUT_OF_ORDER,
                f'startPeriod {after.start} follows {before.start}; each must be greater')


def _check_period(period: Period, version: OcppVersion, station: Station) -> None:
    where = f'chargingSchedulePeriod at {period.start} s'
    if not math.isfinite(period.limit):
        raise ProfileRejected(
            Reason.PERIOD_NON_FINITE, f'{where}: limit {period.limit} (allowed: a finite number)')
    if period.limit < 0.0:
        raise ProfileRejected(
            Reason.NEGATIVE_LIMIT, f'{where}: limit {period.limit} (allowed: 0 or more)')
    if period.phase_to_use is not None:
        if period.phases != 1:
            raise ProfileRejected(
                Reason.PHASE_TO_USE_INVALID, f'{where}: phaseToUse needs numberPhases 1, which is '
                f'{"missing" if period.phases is None else period.phases}')
        if not station.phase_switching:
            raise ProfileRejected(
                Reason.PHASE_TO_USE_UNSUPPORTED,
                f'{where}: phaseToUse, but the phase cannot be chosen here; leave it out')
        if period.phase_to_use not in (1, 2, 3):
            raise ProfileRejected(
                Reason.PHASE_TO_USE_OUT_OF_RANGE,
                f'{where}: phaseToUse {period.phase_to_use} (allowed: 1, 2, 3)')
    if period.phases is None:
        return
    if station.direct_current and version is not OcppVersion.V16:
        raise ProfileRejected(
            Reason.PHASES_EXTRANEOUS, f'{where}: numberPhases on a DC outlet; leave it out')
    # A CSMS of 1.6 writes 3 for any station; 2.0.1 wants more than is supplied refused.
    most = 3 if version is OcppVersion.V16 else station.supply_phases
    if not 1 <= period.phases <= most:
        raise ProfileRejected(
            Reason.PHASES_UNSUPPORTED,
            f'{where}: numberPhases {period.phases} (allowed: 1 to {most})')


def _check_purpose(profile: Profile, transactions: Mapping[int, Transaction]) -> None:
    if profile.purpose is Purpose.STATION_MAX:
        if profile.evse != 0:
            raise ProfileRejected(
                Reason.STATION_MAX_EVSE,
                f'{profile} is for EVSE {profile.evse} (allowed: 0, the station)')
        if profile.kind is Kind.RELATIVE:
            raise ProfileRejected(
                Reason.STATION_MAX_RELATIVE,
                f'{profile} is Relative (allowed: Absolute or Recurring)')
    if profile.purpose is not Purpose.TX:
        return
    if profile.evse == 0:
        raise ProfileRejected(
            Reason.TX_EVSE_NOT_GREATER_THAN_ZERO, f'{profile} is for EVSE 0 (allowed: 1 or more)')
    if not profile.transaction_id and profile.ocpp_version is not OcppVersion.V16:
        raise ProfileRejected(Reason.TX_MISSING_TRANSACTION_ID, f'{profile} has no transactionId')
    transaction = transactions.get(profile.evse)
    if transaction is None:
        raise ProfileRejected(
            Reason.TX_NO_ACTIVE_TRANSACTION,
            f'{profile}: no transaction runs on EVSE {profile.evse}; use TxDefaultProfile')
    if not transaction.owns(profile):
        running = transaction.transaction_id or 'one whose id was not told yet'
        raise ProfileRejected(
            Reason.TX_NOT_ON_EVSE, f'{profile} is for transaction {profile.transaction_id}, but '
            f'EVSE {profile.evse} runs {running}')
