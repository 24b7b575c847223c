"""What clients see of a charging session, and of its charger: transaction,
configuration."""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.units import NAN


@dataclass(frozen=True, slots=True)
class Transaction:
    """One charging session, from plug-in to unplug; fields as in Transaction.msg.

    Times are unix seconds, registers kWh; NaN: not started, not ended, not measured. ``''``: not
    known, or not yet.
    """

    session_id: str = ''
    state: str = 'Unavailable'
    started_time: float = NAN
    ended_time: float = NAN
    meter_start: float = NAN
    meter_stop: float = NAN
    vehicle_status: str = 'S'
    charge_controller_status: str = 'S1'
    used_phases_session: str = '000'
    start_reason: str = ''
    stop_reason: str = ''
    allocation_source_name: str = 'Unmanaged'
    one_phase_limit_active: bool = False
    phase_limit_source_name: str = ''
    phase_rotation_active: bool = False
    phase_rotation_source_name: str = ''
    ocpp_transaction_id: str = ''
    recent_error_cause: str = ''
    billable: bool = True
    energy_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """Identity and abilities of the charger; fields as in Configuration.msg.

    ``effective_amperage_limit``: A per phase, what installation and cable allow; NaN: not known.
    """

    power_domain_name: str = ''
    controller_name: str = ''
    session_id: str = ''
    effective_amperage_limit: float = NAN
    has_phase_rotation: bool = False
    has_phase_shutoff: bool = False
    has_phase_turnon: bool = False
