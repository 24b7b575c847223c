"""Smart charging: OCPP 1.6 and 2.0.1 charging profiles, and what they allow when."""

from charger_control.core.smart_charging.decision import (
    SmartCharging,
    SmartChargingConfig,
    SmartChargingDecision,
)
from charger_control.core.smart_charging.installation import Installation, Running
from charger_control.core.smart_charging.ocpp.ocpp_json import (
    CompositeRequest,
    read_clear_charging_profile,
    read_get_composite_schedule,
    read_set_charging_profile,
    version_of_request,
    write_composite_schedule,
    write_set_charging_profile,
)
from charger_control.core.smart_charging.ocpp.rejections import ProfileRejected, Reason
from charger_control.core.smart_charging.ocpp.validation import Station, conformed, validate
from charger_control.core.smart_charging.profile_set import ClearCriteria, ProfileSet
from charger_control.core.smart_charging.schedule.composite import (
    CompositeDefaults,
    CompositePeriod,
    CompositeSchedule,
    composite_schedule,
)
from charger_control.core.smart_charging.schedule.engine import ProfileEngine
from charger_control.core.smart_charging.schedule.occurrences import occurrence_starts
from charger_control.core.smart_charging.schedule.profiles import (
    NO_LIMIT,
    Kind,
    Limit,
    OcppVersion,
    Period,
    Profile,
    Purpose,
    RateUnit,
    Recurrency,
    Transaction,
)

__all__ = [
    'NO_LIMIT',
    'ClearCriteria',
    'CompositeDefaults',
    'CompositePeriod',
    'CompositeRequest',
    'CompositeSchedule',
    'Installation',
    'Kind',
    'Limit',
    'OcppVersion',
    'Period',
    'Profile',
    'ProfileEngine',
    'ProfileRejected',
    'ProfileSet',
    'Purpose',
    'RateUnit',
    'Reason',
    'Recurrency',
    'Running',
    'SmartCharging',
    'SmartChargingConfig',
    'SmartChargingDecision',
    'Station',
    'Transaction',
    'composite_schedule',
    'conformed',
    'occurrence_starts',
    'read_clear_charging_profile',
    'read_get_composite_schedule',
    'read_set_charging_profile',
    'validate',
    'version_of_request',
    'write_composite_schedule',
    'write_set_charging_profile',
]
