"""One sample of a meter: meter, grid_meter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from charger_control.core.units import NAN, UNKNOWN_PHASES, Phases

LARGEST = 10_000.0
"""A and V beyond which a number that is heard is no measurement: the largest fuse that can be
configured (`vcse.grid_fuse`)."""


@dataclass(frozen=True, slots=True)
class MeterReading:
    """One sample of a meter. NaN: this meter does not measure it.

    Attributes:
        voltage: V, L1 L2 L3 to neutral.
        amperage: A, L1 L2 L3, positive towards the vehicle.
        frequency: Hz.
        active_power: W, sum, positive towards the vehicle.
        phase_power: W, L1 L2 L3, positive towards the vehicle.
        energy_imported: kWh, the meter's register.
        energy_course: rises with each new course of the register (core/energy_register.py).
        energy_offset: kWh by which the present course lies above the one before.
        energy_estimated: part of ``energy_imported`` comes from power: the register contradicts.
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
    energy_course: int = 0
    energy_offset: float = 0.0
    energy_estimated: bool = False
    phase_power: Phases = UNKNOWN_PHASES

    @classmethod
    def highest_of(cls, readings: Sequence[MeterReading]) -> MeterReading:
        """The last of several readings of one place, with the highest of each phase.

        Where none tells a current, powers as well: then current is reckoned from them.
        """
        last = readings[-1]
        found = replace(last, amperage=_highest([r.amperage for r in readings]),
                        voltage=_highest([r.voltage for r in readings]))
        if not all(map(math.isnan, found.amperage)):
            return found
        total, _, _ = _highest([(r.active_power, NAN, NAN) for r in readings])
        return replace(found, active_power=total,
                       phase_power=_highest([r.phase_power for r in readings]))

    def absurd(self) -> bool:
        """Whether no supply has such currents, voltages or such an age; NaN is only unknown."""
        return self.age < 0.0 or math.isnan(self.age) or any(
            abs(value) > LARGEST for value in (*self.amperage, *self.voltage))


def _highest(phases: Sequence[Phases]) -> Phases:
    """The highest of each phase; NaN where none is known."""
    first, second, third = (max((p for p in phase if not math.isnan(p)), default=NAN)
                            for phase in zip(*phases, strict=True))
    return first, second, third
