"""Fiscal meter: which of a meter's samples can be believed, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.limits import NAN, UNKNOWN_PHASES, Phases


@dataclass(frozen=True, slots=True)
class MeterReading:
    """One sample of a meter. NaN: this meter does not measure it.

    Attributes:
        voltage: V, L1 L2 L3 to neutral.
        amperage: A, L1 L2 L3, positive towards the vehicle.
        frequency: Hz.
        active_power: W, sum, positive towards the vehicle.
        energy_imported: kWh, the meter's register.
        serial_number: '' until known.
        age: s since the device answered.
        error: '' while the device answers.
    """

    voltage: Phases = UNKNOWN_PHASES
    amperage: Phases = UNKNOWN_PHASES
    frequency: float = NAN
    active_power: float = NAN
    energy_imported: float = NAN
    serial_number: str = ''
    age: float = 0.0
    error: str = ''
