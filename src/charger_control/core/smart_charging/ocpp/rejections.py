"""Why a charging profile is refused: codes with the standard's reasonCode, and a sentence."""

from __future__ import annotations

import enum


class Reason(enum.StrEnum):
    """What is wrong with a profile or a request.

    The names are those that OCPP 2.0.1 implementations give in ``additionalInfo`` (domain.md 3),
    for both versions. OCPP 1.6 has no codes; what only its rules or only ours refuse is named in
    the same manner (the group at the end).
    """

    EVSE_DOES_NOT_EXIST = 'EvseDoesNotExist'
    TX_MISSING_TRANSACTION_ID = 'TxProfileMissingTransactionId'
    TX_EVSE_NOT_GREATER_THAN_ZERO = 'TxProfileEvseIdNotGreaterThanZero'
    TX_NOT_ON_EVSE = 'TxProfileTransactionNotOnEvse'
    TX_NO_ACTIVE_TRANSACTION = 'TxProfileEvseHasNoActiveTransaction'
    TX_CONFLICTING_STACK_LEVEL = 'TxProfileConflictingStackLevel'
    STATION_MAX_RELATIVE = 'ChargingStationMaxProfileCannotBeRelative'
    STATION_MAX_EVSE = 'ChargingStationMaxProfileEvseIdGreaterThanZero'
    EXTERNAL_EXISTS = 'ExistingChargingStationExternalConstraints'
    EXTERNAL_IN_SET = 'ChargingStationExternalConstraintsInSetChargingProfileRequest'
    EXTERNAL_IN_CLEAR = 'ChargingStationExternalConstraintsInClearChargingProfileRequest'
    MISSING_START_SCHEDULE = 'ChargingProfileMissingRequiredStartSchedule'
    EXTRANEOUS_START_SCHEDULE = 'ChargingProfileExtraneousStartSchedule'
    EMPTY_SCHEDULES = 'ChargingProfileEmptyChargingSchedules'
    NO_PERIODS = 'ChargingProfileNoChargingSchedulePeriods'
    FIRST_PERIOD_NOT_ZERO = 'ChargingProfileFirstStartScheduleIsNotZero'
    PERIODS_OUT_OF_ORDER = 'ChargingSchedulePeriodsOutOfOrder'
    PERIOD_NON_FINITE = 'ChargingSchedulePeriodNonFiniteValue'
    SCHEDULE_NON_FINITE = 'ChargingScheduleNonFiniteValue'
    RATE_UNIT_UNSUPPORTED = 'ChargingScheduleChargingRateUnitUnsupported'
    PHASES_UNSUPPORTED = 'ChargingSchedulePeriodUnsupportedNumberPhases'
    PHASES_EXTRANEOUS = 'ChargingSchedulePeriodExtraneousPhaseValues'
    PHASE_TO_USE_INVALID = 'ChargingSchedulePeriodInvalidPhaseToUse'
    PHASE_TO_USE_UNSUPPORTED = 'ChargingSchedulePeriodPhaseToUseACPhaseSwitchingUnsupported'
    DUPLICATE_TX_DEFAULT = 'DuplicateTxDefaultProfileFound'
    DUPLICATE_VALIDITY = 'DuplicateProfileValidityPeriod'
    UNSUPPORTED_PURPOSE = 'ChargingProfileUnsupportedPurpose'
    UNSUPPORTED_KIND = 'ChargingProfileUnsupportedKind'

    STACK_LEVEL_BELOW_ZERO = 'ChargingProfileStackLevelBelowZero'
    STACK_LEVEL_ABOVE_MAXIMUM = 'ChargingProfileStackLevelAboveMaximum'
    MISSING_RECURRENCY = 'ChargingProfileMissingRecurrencyKind'
    INVALID_VALIDITY = 'ChargingProfileInvalidValidityPeriod'
    OTHER_SOURCE = 'DuplicateProfileOfOtherSource'
    TOO_MANY_PROFILES = 'TooManyProfilesInstalled'
    TOO_MANY_PERIODS = 'ChargingScheduleTooManyPeriods'
    INVALID_DURATION = 'ChargingScheduleInvalidDuration'
    NEGATIVE_MIN_RATE = 'ChargingScheduleNegativeMinChargingRate'
    NEGATIVE_LIMIT = 'ChargingSchedulePeriodNegativeLimit'
    PHASE_TO_USE_OUT_OF_RANGE = 'ChargingSchedulePeriodPhaseToUseOutOfRange'
    MISSING_FIELD = 'MissingField'
    WRONG_TYPE = 'WrongType'
    UNKNOWN_VALUE = 'UnknownValue'

    @property
    def reason_code(self) -> str:
        """The ``statusInfo.reasonCode`` of OCPP 2.0.1 (appendix 5), at most 20 characters."""
        return _REASON_CODES.get(self, 'InvalidSchedule')


_REASON_CODES = {
    Reason.EVSE_DOES_NOT_EXIST: 'UnknownEvse',
    Reason.TX_MISSING_TRANSACTION_ID: 'MissingParam',
    Reason.TX_EVSE_NOT_GREATER_THAN_ZERO: 'InvalidValue',
    Reason.TX_NOT_ON_EVSE: 'TxNotFound',
    Reason.TX_NO_ACTIVE_TRANSACTION: 'TxNotFound',
    Reason.TX_CONFLICTING_STACK_LEVEL: 'InvalidStackLevel',
    Reason.STATION_MAX_RELATIVE: 'InvalidValue',
    Reason.STATION_MAX_EVSE: 'InvalidValue',
    Reason.EXTERNAL_EXISTS: 'DuplicateProfile',
    Reason.EXTERNAL_IN_SET: 'InvalidValue',
    Reason.EXTERNAL_IN_CLEAR: 'InvalidValue',
    Reason.RATE_UNIT_UNSUPPORTED: 'UnsupportedRateUnit',
    Reason.DUPLICATE_TX_DEFAULT: 'DuplicateProfile',
    Reason.DUPLICATE_VALIDITY: 'DuplicateProfile',
    Reason.UNSUPPORTED_PURPOSE: 'InvalidProfile',
    Reason.UNSUPPORTED_KIND: 'InvalidProfile',
    Reason.STACK_LEVEL_BELOW_ZERO: 'InvalidStackLevel',
    Reason.STACK_LEVEL_ABOVE_MAXIMUM: 'InvalidStackLevel',
    Reason.MISSING_RECURRENCY: 'MissingParam',
    Reason.INVALID_VALIDITY: 'InvalidProfile',
    Reason.OTHER_SOURCE: 'DuplicateProfile',
    Reason.TOO_MANY_PROFILES: 'OutOfStorage',
    Reason.TOO_MANY_PERIODS: 'TooManyElements',
    Reason.MISSING_FIELD: 'MissingParam',
    Reason.WRONG_TYPE: 'InvalidValue',
    Reason.UNKNOWN_VALUE: 'InvalidValue',
}


class ProfileRejected(ValueError):  # noqa: N818, OCPP's word: a profile is accepted or rejected
    """A profile or a request that is refused; whoever raises it has changed nothing.

    Attributes:
        reason: the code.
        message: what is wrong, what is allowed and what to do, for a person.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f'{reason.value}: {message}')
        self.reason = reason
        self.message = message
