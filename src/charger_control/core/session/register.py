"""The meter's register over a session: which of its values can be this vehicle's energy."""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.fiscal_meter import MeterReading
from charger_control.core.limits import NAN

RESOLUTION = 0.02
"""kWh by which a register may be ahead: two steps of the coarsest (0.01 kWh)."""


def energy_of(power: float, time: float) -> float:
    """kWh of ``power`` W over ``time`` s."""
    return power * time / 3_600_000.0


@dataclass(slots=True)
class Register:
    """The last value that was believed.

    Attributes:
        max_power: W, the most this charge point can carry.
        value: kWh; NaN: none yet.
        at: s, when that was.
        serial_number: of the meter; '' unknown.
        refused: values that were not believed since the last that was.
    """

    max_power: float
    value: float = NAN
    at: float = 0.0
    serial_number: str = ''
    refused: int = 0

    def other_meter(self, reading: MeterReading) -> bool:
        """Whether this reading is of another meter than the last."""
        return bool(self.serial_number and reading.serial_number
                    and self.serial_number != reading.serial_number)

    def age(self, now: float) -> float:
        """s since a value was last believed; 0 while there is none."""
        return 0.0 if math.isnan(self.value) else max(0.0, now - self.at)

    def take(self, now: float, reading: MeterReading) -> bool:
        """Takes a reading; False: it has no register, or one that cannot be.

        It cannot run backwards, nor faster than ``max_power`` since the last that was believed.
        """
        value = reading.energy_imported
        if not math.isfinite(value):
            return False
        most = self.value + energy_of(self.max_power, max(0.0, now - self.at)) + RESOLUTION
        if not math.isnan(self.value) and not self.value <= value <= most:
            self.refused += 1
            return False
        self.value, self.at, self.refused = value, now, 0
        self.serial_number = reading.serial_number or self.serial_number
        return True
