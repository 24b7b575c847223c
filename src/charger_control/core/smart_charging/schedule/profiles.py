"""What a charging profile is: the typed form of OCPP 1.6 and 2.0.1 (domain.md 3).

Instants are whole unix seconds (OCPP times are floored), durations whole seconds.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from charger_control.core.power import Conversion

DAY = 86_400
"""s."""


class OcppVersion(enum.StrEnum):
    """Whose rules a profile follows."""

    V16 = '1.6'
    V201 = '2.0.1'


class Purpose(enum.Enum):
    """What a profile limits; the values are the names of OCPP 2.0.1."""

    EXTERNAL_CONSTRAINTS = 'ChargingStationExternalConstraints'
    STATION_MAX = 'ChargingStationMaxProfile'
    """``ChargePointMaxProfile`` in OCPP 1.6."""
    TX_DEFAULT = 'TxDefaultProfile'
    TX = 'TxProfile'


class Kind(enum.Enum):
    """What the periods of a profile count from."""

    ABSOLUTE = 'Absolute'
    """``start_schedule``, once."""
    RECURRING = 'Recurring'
    """``start_schedule``, again every day or week, before that date as well."""
    RELATIVE = 'Relative'
    """The start of the transaction."""


class Recurrency(enum.Enum):
    """How often a recurring profile begins anew."""

    DAILY = 'Daily'
    WEEKLY = 'Weekly'

    @property
    def days(self) -> int:
        """Calendar days from one occurrence to the next."""
        return 1 if self is Recurrency.DAILY else 7


class RateUnit(enum.Enum):
    """Unit of every limit of a schedule: A per phase, or W over all phases."""

    A = 'A'
    W = 'W'


class Period(NamedTuple):
    """One step of a schedule. It lasts to the start of the next one.

    Attributes:
        start: s after the start of the schedule.
        limit: A per phase or W in total, 0 or more.
        phases: number of phases that may be used, 1..3; None: not given.
        phase_to_use: the phase for a limit on one phase, 1..3; None: not given. OCPP 2.0.1.
    """

    start: int
    limit: float
    phases: int | None = None
    phase_to_use: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A charging profile with its one schedule.

    Attributes:
        profile_id: chargingProfileId, or id.
        evse: connectorId, or evseId; 0 is the whole station.
        purpose: what it limits.
        kind: what the periods count from.
        stack_level: 0 or more; the highest active one counts within a purpose.
        unit: of all limits.
        periods: in order of their start, the first at 0.
        recurrency: of a recurring profile, else None.
        start_schedule: unix s; None where it counts from the transaction.
        duration: s from the start of each occurrence; None: to the next one, or for ever.
        valid_from: unix s, from here on it counts; None: always has.
        valid_to: unix s, from here on it no longer counts; None: always will.
        transaction_id: the one transaction a TxProfile is for; '': the current one.
        min_charging_rate: stored and given back, no part of any limit (domain.md 3).
        max_offline_duration: s without the CSMS after which it no longer counts; None: it
            stays. OCPP 2.1.
        invalid_after_offline: it is deleted then, not only passed over. OCPP 2.1.
        ocpp_version: whose rules it follows.
        schedule_id: id of the schedule, OCPP 2.0.1; given back, no part of any limit.
    """

    profile_id: int
    evse: int
    purpose: Purpose
    kind: Kind
    stack_level: int
    unit: RateUnit
    periods: tuple[Period, ...]
    recurrency: Recurrency | None = None
    start_schedule: int | None = None
    duration: int | None = None
    valid_from: int | None = None
    valid_to: int | None = None
    transaction_id: str = ''
    min_charging_rate: float | None = None
    max_offline_duration: int | None = None
    invalid_after_offline: bool = False
    ocpp_version: OcppVersion = OcppVersion.V16
    schedule_id: int = 1

    @property
    def counts_from_transaction(self) -> bool:
        """Whether its periods count from the start of the transaction.

        A relative profile's do. So do those of a schedule without startSchedule that is for
        transactions, where OCPP 1.6 lets it be absent (edition 2, 7.13: "relative to start of
        charging"); OCPP 2.0.1 refuses it (K01.FR.40).
        """
        return self.kind is Kind.RELATIVE or (
            self.kind is Kind.ABSOLUTE and self.start_schedule is None and self.is_transactional
            and self.ocpp_version is OcppVersion.V16)

    @property
    def is_transactional(self) -> bool:
        """Whether it counts only while a transaction runs."""
        return self.purpose in (Purpose.TX, Purpose.TX_DEFAULT)

    def concerns(self, evse: int) -> bool:
        """Whether it can limit this EVSE, 1 or more."""
        return self.evse in (0, evse)

    def __str__(self) -> str:
        """How a person names it."""
        return f'{self.purpose.value} {self.profile_id} (stack level {self.stack_level})'


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that runs on an EVSE.

    Attributes:
        evse: 1 or more.
        start: unix s, relative profiles count from here.
        transaction_id: the CSMS's id as text; '' while it is not known.
    """

    evse: int
    start: int
    transaction_id: str = ''

    def owns(self, profile: Profile) -> bool:
        """Whether a TxProfile is for this transaction."""
        return profile.transaction_id in ('', self.transaction_id)


class Limit(NamedTuple):
    """What profiles allow at an instant. A and W are kept apart until one is asked for.

    Attributes:
        amperage: A per phase; None: no profile gives one.
        power: W in total; None: no profile gives one.
        phases: the smallest number given by a profile in force; None: none gives one.
        amperage_owner: the profile that sets ``amperage``; None also for a sum of EVSEs.
        power_owner: the profile that sets ``power``.
    """

    amperage: float | None = None
    power: float | None = None
    phases: int | None = None
    amperage_owner: Profile | None = None
    power_owner: Profile | None = None

    @property
    def is_given(self) -> bool:
        """Whether any profile limits."""
        return self.amperage is not None or self.power is not None

    def same_as(self, other: Limit) -> bool:
        """Whether both allow the same, whoever set it."""
        return self[:3] == other[:3]

    def in_amperes(self, conversion: Conversion) -> tuple[float | None, Profile | None]:
        """The limit in A per phase with its owner; ``power`` is spread over the phases that count.

        Where the profile gives more phases, it is spread over those: what is told to the CSMS
        counts with them, and it is the lower value.
        """
        power = None if self.power is None else conversion.amperage(
            self.power, max(conversion.phases, self.phases or 0))
        if self.amperage is None or (power is not None and power < self.amperage):
            return power, self.power_owner
        return self.amperage, self.amperage_owner


NO_LIMIT = Limit()
