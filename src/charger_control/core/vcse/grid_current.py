"""What a reading of the grid meter says of the current on each phase.

Few meters behind an optical head tell currents. Power tells them as well, if it is counted so that
no current is larger: |P| / (0.9 U), the direction as that of P. The power of each phase is enough.
The total alone is not where something feeds in: sun on L2 hides 25 A on L1. Where nothing does, all
of it may be on any one phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.power import LOWEST_VOLTAGE
from charger_control.core.units import Phases

POWER_FACTOR = 0.9
"""The least counted with, ours (docs/sources.md): I is at the most P / (0.9 U)."""
TRUSTED = (100.0, 253.0)
"""V within which a measured voltage counts; outside, LOWEST_VOLTAGE: no current is made smaller by
a voltage that cannot be."""
LARGEST_AMPERAGE = 10_000.0
"""A per phase: more is absurd for a reading of the grid meter, and stands for "not known" where
the most must be counted."""
FEED_IN = 100.0
"""W below 0 from which a total is feed-in, and no noise of the meter."""
CONFIRMING = 3
"""Such totals in a row after which it is known that something feeds in."""
TOTAL_ONLY = ('the grid meter tells only its total power, which guards no fuse where something '
              'feeds in: sun on one phase hides the current of another. Use a meter with the '
              'currents or the power of each phase; or, only if nothing feeds in behind it, set '
              'vcse.feed_in: false')


@dataclass(frozen=True, slots=True)
class GridCurrent:
    """A on each phase, positive towards the loads.

    ``together``: each is that of all phases, for nobody knows on which of them it is.
    """

    amperage: Phases
    together: bool = False


class GridCurrents:
    """The currents of one grid meter, reading by reading."""

    def __init__(self, feed_in: bool) -> None:
        """``feed_in``: something behind the meter may feed in."""
        self._feed_in = feed_in
        self._negative = 0

    def of(self, reading: MeterReading) -> GridCurrent:
        """The current of each phase.

        Raises:
            ValueError: the reading does not tell it; says why.
        """
        measured = tuple(a if math.isfinite(a) else _current(p, u) for a, p, u in zip(
            reading.amperage, reading.phase_power, reading.voltage, strict=True))
        if all(abs(a) <= LARGEST_AMPERAGE for a in measured):
            return GridCurrent((measured[0], measured[1], measured[2]))
        if not all(map(math.isnan, (*reading.amperage, *reading.phase_power))):
            raise ValueError(f'grid meter amperage {list(reading.amperage)}, phase_power '
                             f'{list(reading.phase_power)} (allowed: three currents within '
                             f'{LARGEST_AMPERAGE:g} A, or the power of each phase)')
        return GridCurrent((self._total(reading),) * 3, together=True)

    def _total(self, reading: MeterReading) -> float:
        if math.isnan(reading.active_power):
            raise ValueError('the grid meter tells no currents and no power')
        if self._feed_in:
            raise ValueError(TOTAL_ONLY)
        feeds_in = reading.active_power < -FEED_IN
        if self._negative < CONFIRMING:
            self._negative = self._negative + 1 if feeds_in else 0
        if feeds_in or self._negative >= CONFIRMING:
            raise ValueError(f'vcse.feed_in is false, and {reading.active_power:.0f} W was read: '
                             'something feeds in. ' + TOTAL_ONLY if feeds_in else
                             'vcse.feed_in is false, and something has fed in. ' + TOTAL_ONLY)
        current = max(_current(reading.active_power, u) for u in reading.voltage)
        if not current <= LARGEST_AMPERAGE:
            raise ValueError(f'grid meter active_power {reading.active_power:g} W is '
                             f'{current:g} A (allowed: at most {LARGEST_AMPERAGE:g} A)')
        return max(0.0, current)


def _current(power: float, voltage: float) -> float:
    """A, the most that ``power`` W may be, with its sign; NaN stays NaN."""
    volts = voltage if TRUSTED[0] <= voltage <= TRUSTED[1] else LOWEST_VOLTAGE
    return power / (POWER_FACTOR * volts)
