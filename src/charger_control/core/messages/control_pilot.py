"""What the vehicle and its board do: control_pilot."""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.units import NAN


@dataclass(frozen=True, slots=True)
class ControlPilot:
    """What the iso61851 block publishes; fields as in ControlPilot.msg. ``None``: unknown."""

    vehicle_status: str
    charge_controller_status: str
    signaled_amperage: float
    step: float = 0.01
    duty_cycle: float = NAN
    cp_high: float = NAN
    cp_low: float = NAN
    cable_amperage: float = NAN
    temperature: float = NAN
    contactor_commanded: bool | None = None
    contactor_feedback: bool | None = None
    fault: str = ''
    recent_error_cause: str = ''
    age: float = 0.0
    error: str = ''
