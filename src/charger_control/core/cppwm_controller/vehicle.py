"""What the control pilot by itself forbids, before any limit counts."""

from __future__ import annotations

from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import FAULT_REASON, Flags

CONNECTED = frozenset('BCD')
KNOWN = frozenset('ABCD')
"""States that say whether a vehicle is there; E, F, R and S do not."""


def forbidden_by(pilot: ControlPilot | None) -> tuple[Flags, str]:
    """The flag and the reason for which nothing may be asked for; none where a vehicle may charge.

    ``pilot``: None while it is silent.
    """
    if pilot is None:
        return Flags.PILOT_SILENT, 'the control pilot is silent'
    if pilot.fault:
        return Flags.FAULT, FAULT_REASON + pilot.fault
    if pilot.vehicle_status in CONNECTED:
        return Flags(0), ''
    if pilot.vehicle_status in KNOWN:
        return Flags.NO_VEHICLE, 'no vehicle connected'
    return Flags.VEHICLE_UNKNOWN, 'it is not known whether a vehicle is connected'
