"""Readings from OBIS codes: what SML and D0 meters call their values, with units. Pure.

Codes are groups C, D, E of IEC 62056-61 (A is 1, electricity; B and F are passed over). Sources:
evcc tasmota-sml.yaml; the OBIS list of mdk2412/SML-Logger-EMH-eHZB; EasyMeter's Q3D (21, 41, 61
for the power of each phase) in tasmota/docs Smart-Meter-Interface.md. What meters do beside that
was seen in readouts of theirs (test/drivers/data/meter_readouts.json): E is 255 for 0, D is 25 for
7, power as 15.7.0, energy by tariff alone, energy without a unit, which is kWh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import NAN, Phases

Code = tuple[int, int, int]

ENERGY: Code = (1, 8, 0)
TARIFFS: tuple[Code, ...] = tuple((1, 8, tariff) for tariff in range(1, 10))
"""Energy imported at each tariff: their sum, where a meter does not tell that itself."""
POWER, POWER_SUM = (16, 7, 0), (15, 7, 0)
"""Sum of the phases with its sign, and what three makers call so."""
POWER_IN, POWER_OUT = (1, 7, 0), (2, 7, 0)
FREQUENCY: Code = (14, 7, 0)
VOLTAGE: tuple[Code, Code, Code] = ((32, 7, 0), (52, 7, 0), (72, 7, 0))
AMPERAGE: tuple[Code, Code, Code] = ((31, 7, 0), (51, 7, 0), (71, 7, 0))
PHASE_POWER = (((36, 7, 0), (21, 7, 0)), ((56, 7, 0), (41, 7, 0)), ((76, 7, 0), (61, 7, 0)))
SERIAL = ((96, 1, 0), (0, 0, 9), (0, 0, 0))
"""Device numbers, the one that counts first."""
_NOW, _NOW_TOO, _TOTAL = 7, 25, 255
"""Group D of a present value (25: of the last period, some meters' only one); E of a total."""
_UNITS = {'Wh': ('kWh', 0.001), 'kWh': ('kWh', 1.0), 'MWh': ('kWh', 1000.0), 'W': ('W', 1.0),
          'kW': ('W', 1000.0), 'V': ('V', 1.0), 'A': ('A', 1.0), 'mA': ('A', 0.001),
          'Hz': ('Hz', 1.0)}


@dataclass(frozen=True, slots=True)
class Number:
    """A value as it was sent: ``unit`` as in _UNITS, '' for none."""

    number: float
    unit: str


def usual(code: Code) -> Code:
    """A code as most meters write it."""
    c, d, e = code
    if e == _TOTAL:
        e = 0
    return (c, _NOW if d == _NOW_TOO else d, e)


def reading_of(numbers: Mapping[Code, Number], serial_number: str = '') -> MeterReading:
    """The reading that these values make; what is missing, or has another unit, is NaN."""
    def value(code: Code, unit: str) -> float:
        found = numbers.get(code)
        known, factor = _UNITS.get(found.unit, ('', 0.0)) if found is not None else ('', 0.0)
        if found is not None and not found.unit and unit == 'kWh':
            known, factor = 'kWh', 1.0
        if found is None or known != unit or not math.isfinite(found.number):
            return NAN
        return found.number * factor if factor >= 1.0 else found.number / round(1.0 / factor)

    def phases(codes: tuple[Code, Code, Code], unit: str) -> Phases:
        l1, l2, l3 = (value(code, unit) for code in codes)
        return l1, l2, l3

    l1, l2, l3 = (next((p for code in codes if not math.isnan(p := value(code, 'W'))), NAN)
                  for codes in PHASE_POWER)
    phase_power = l1, l2, l3
    energy = value(ENERGY, 'kWh')
    if math.isnan(energy):
        tariffs = [e for code in TARIFFS if not math.isnan(e := value(code, 'kWh'))]
        energy = sum(tariffs) if tariffs else NAN
    power = value(POWER, 'W')
    if math.isnan(power):
        power = value(POWER_SUM, 'W')
    if math.isnan(power):
        given = value(POWER_OUT, 'W')
        power = value(POWER_IN, 'W') - (0.0 if math.isnan(given) else given)
    if math.isnan(power):
        power = sum(phase_power)
    return MeterReading(voltage=phases(VOLTAGE, 'V'), amperage=phases(AMPERAGE, 'A'),
                        frequency=value(FREQUENCY, 'Hz'), active_power=power,
                        energy_imported=energy, serial_number=serial_number,
                        phase_power=phase_power)
