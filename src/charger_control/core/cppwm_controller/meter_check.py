"""Which readings of the meter the controller can use, and why not the others."""

from __future__ import annotations

import math

from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import MAX_AMPERAGE

REVERSED = -1.0
"""A: less is a current transformer that is mounted the wrong way round, not an offset."""


def refusal_of(reading: MeterReading, closed_loop: bool) -> str:
    """Why a reading cannot be used, for a person; '' for a good one.

    ``closed_loop``: it must have phase currents, L1 at least.
    """
    if not reading.age >= 0.0:
        return f'the meter says that its value is {reading.age:g} s old'
    if not closed_loop:
        return ''
    for phase, amperage in enumerate(reading.amperage, 1):
        if math.isnan(amperage):
            if phase == 1:
                return 'the meter says no current of L1'
        elif amperage < REVERSED:
            return f'L{phase} reads {amperage:.0f} A: reversed? (its current transformer)'
        elif amperage > 10 * MAX_AMPERAGE:
            return f'L{phase} reads {amperage:.0f} A, which cannot be'
    return ''
