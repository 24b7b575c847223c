"""The simulated Eastron SDM630 v2 (domain.md 4): its own map is larger than its table reads."""

from __future__ import annotations

from charger_control.sim.lines.modbus_rtu import READ_HOLDING, READ_INPUT
from charger_control.sim.meters.register_device import MeterParameters, RegisterMeter

__all__ = ['MeterParameters', 'Sdm630']

_MAP_END = {READ_INPUT: 0x0400, READ_HOLDING: 0x0100}


class Sdm630(RegisterMeter):
    """Registers between the known ones are there, and 0."""

    def in_map(self, function: int, address: int, count: int) -> bool:
        """Whether the device has these registers."""
        return address + count <= _MAP_END[function]
