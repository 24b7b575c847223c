"""What a power limit is divided by: measured voltages, and the phases that count."""

from __future__ import annotations

from charger_control.core.fiscal_meter import MeterReading
from charger_control.core.heard import Heard
from charger_control.core.limits import (
    PHASE_ACTIVE_AMPERAGE,
    UNKNOWN_PHASES,
    Phases,
    PhasesInUse,
)

METER_TIMEOUT = 11.0
"""s for which what the meter said counts (architecture.md, When something is silent)."""


class Supply:
    """Voltage and phases of this charge point, as far as they are known."""

    def __init__(self, phases: int, *, switches: bool) -> None:
        """``phases``: connected, 1..3; ``switches``: it can go to one phase."""
        self._connected = phases
        self._switches = switches
        self._switched_on = 3
        self._in_use = PhasesInUse(phases)
        self._meter: Heard[MeterReading] | None = None

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """A reading of the meter; one with an error says nothing."""
        if not heard.value.error:
            self._meter = heard
            self._in_use.update(heard.at, heard.value.amperage)

    def hear_phases(self, phases: int) -> None:
        """On how many phases the controller wants to charge: 0 (no opinion), 1 or 3."""
        self._switched_on = phases if self._switches and phases else 3

    def voltage(self, now: float) -> Phases:
        """V as measured, NaN where that is not known now."""
        live = self._live(now)
        return UNKNOWN_PHASES if live is None else live.voltage

    def phases(self, now: float) -> int:
        """Phases to divide a power by, 1..3.

        What is switched on counts only while nothing flows: a phase that carries current is
        counted, whatever the contactor should be.
        """
        live = self._live(now)
        carrying = live is not None and any(a >= PHASE_ACTIVE_AMPERAGE for a in live.amperage)
        if live is None:
            return min(self._connected, self._switched_on)
        return self._in_use.count(now, 3 if carrying else self._switched_on)

    def _live(self, now: float) -> MeterReading | None:
        if self._meter is None or self._meter.silence(now) > METER_TIMEOUT:
            return None
        return self._meter.value
