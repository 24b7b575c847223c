"""Core values as the JSON documents of the contract: the only place that knows both spellings.

Strict out: a value that is not known is ``null``, never NaN.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Charging, Decision, Flags
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Configuration, Transaction

Json = dict[str, Any]
DECIMALS = 6
"""Places kept: more than any meter resolves, fewer than a float prints."""
NO_PILOT = 'F'
"""vehicleStatus while nothing is heard of the control pilot: clients report it as an error."""


def encode(document: Json) -> bytes:
    """A document as strict JSON."""
    return json.dumps(document, separators=(',', ':'), allow_nan=False).encode()


def number(value: float) -> float | None:
    """A number, or None for one that is not known."""
    return round(value, DECIMALS) + 0.0 if math.isfinite(value) else None


def _whole(value: float) -> int | None:
    return round(value) if math.isfinite(value) else None


def _phases(values: Iterable[float]) -> list[float | None]:
    return [number(v) for v in values]


def charging(value: Charging) -> Json:
    """The nine fields of ``/charging``."""
    return {
        'voltage': _phases(value.voltage),
        'amperage': _phases(value.amperage),
        'allocatedAmperage': number(value.allocated_amperage),
        'commandedAmperage': number(value.commanded_amperage),
        'availableAmperage': number(value.available_amperage),
        'signaledAmperage': number(value.signaled_amperage),
        'frequency': number(value.frequency),
        'energyImported': number(value.energy_imported),
        'lastActivePower': number(value.last_active_power),
    }


def charging_without_controller(meter: MeterReading | None, pilot: ControlPilot | None) -> Json:
    """``/charging`` while the controller is silent: what the devices say themselves, else null."""
    reading = meter if meter is not None and not meter.error else MeterReading()
    signaled = pilot.signaled_amperage if pilot is not None and not pilot.error else math.nan
    return charging(Charging(
        voltage=reading.voltage, amperage=reading.amperage, frequency=reading.frequency,
        energy_imported=reading.energy_imported, last_active_power=reading.active_power,
        signaled_amperage=signaled))


def limits(value: Limits | None, elapsed: float = 0.0) -> Json:
    """``/limits``; ``elapsed``: s since it was heard."""
    known = value if value is not None else Limits()
    document: Json = {
        'enabled': known.enabled,
        'amperageLimit': number(known.amperage_limit),
        'powerLimit': number(known.power_limit),
        'timeout': _whole(known.timeout * 1e3),
        'expiresIn': _whole(max(0.0, known.expires_in - elapsed) * 1e3),
        'onePhaseLimit': known.one_phase_limit,
        'phaseRotation': known.phase_rotation,
        'persistent': known.persistent,
    }
    return document if value is not None else dict.fromkeys(document)


def transaction(value: Transaction | None, pilot: ControlPilot | None) -> Json:
    """``/transaction``: the session's fields (null if unknown) over the control pilot's own state.

    Args:
        value: None while the session node is silent.
        pilot: None while the control pilot is silent: ``vehicleStatus`` is then "F".
    """
    known = value if value is not None else Transaction()
    document: Json = {
        'sessionId': known.session_id,
        'state': known.state,
        'startedTime': _whole(known.started_time),
        'endedTime': _whole(known.ended_time),
        'meterStart': number(known.meter_start),
        'meterStop': number(known.meter_stop),
        'usedPhasesSession': known.used_phases_session,
        'startReason': known.start_reason,
        'stopReason': known.stop_reason,
        'allocationSourceName': known.allocation_source_name,
        'onePhaseLimitActive': known.one_phase_limit_active,
        'phaseLimitSourceName': known.phase_limit_source_name,
        'phaseRotationActive': known.phase_rotation_active,
        'phaseRotationSourceName': known.phase_rotation_source_name,
        'ocppTransactionId': known.ocpp_transaction_id,
        'recentErrorCause': known.recent_error_cause,
        'billable': known.billable,
        'energyEstimated': known.energy_estimated,
    }
    if value is None:
        document = dict.fromkeys(document)
    heard = pilot is not None and not pilot.error
    document['vehicleStatus'] = pilot.vehicle_status if pilot and heard else NO_PILOT
    document['chargeControllerStatus'] = (pilot.charge_controller_status if pilot and heard
                                          else NO_PILOT + '1')
    return document


def configuration(value: Configuration | None) -> Json:
    """``/configuration``, with both spellings of the vendor's pages."""
    known = value if value is not None else Configuration()
    document: Json = {
        'pdName': known.power_domain_name,
        'powerDomainName': known.power_domain_name,
        'ctrlrName': known.controller_name,
        'controllerName': known.controller_name,
        'sessionId': known.session_id,
        'effectiveAmperageLimit': number(known.effective_amperage_limit),
        'hasPhaseRotation': known.has_phase_rotation,
        'hasPhaseStShutoff': known.has_phase_shutoff,
        'hasPhaseShutoff': known.has_phase_shutoff,
        'hasPhaseSTTurnon': known.has_phase_turnon,
    }
    return document if value is not None else dict.fromkeys(document)


def decision(value: Decision) -> Json:
    """Why the current is what it is, for people (part of ``/health``)."""
    return {
        'requestedAmperage': number(value.requested_amperage),
        'allocatedAmperage': number(value.allocated_amperage),
        'commandedAmperage': number(value.commanded_amperage),
        'trim': number(value.trim),
        'phases': value.phases or None,
        'limitSource': value.limit_source,
        'phaseSource': value.phase_source,
        'reason': value.reason,
        'effectiveAmperageLimit': number(value.effective_amperage_limit),
        'flags': [flag.name for flag in Flags if value.flags & flag],
    }
