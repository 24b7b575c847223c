"""What a power limit is divided by: measured voltages, and the phases that count."""

from __future__ import annotations

import math

from charger_control.core.fiscal_meter import MeterReading
from charger_control.core.heard import Heard
from charger_control.core.limits import (
    PHASE_ACTIVE_AMPERAGE,
    SILENCE,
    UNKNOWN_PHASES,
    Phases,
    PhasesInUse,
    SteadyVoltage,
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
        self._steady = SteadyVoltage()
        self._voltage = UNKNOWN_PHASES
        self._connected_at = -math.inf
        self._meter: Heard[MeterReading] | None = None

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """A reading of the meter; one with an error says nothing."""
        if not heard.value.error:
            self._meter = heard
            self._voltage = self._steady.update(heard.at, heard.value.voltage)
            self._in_use.update(heard.at, heard.value.amperage,
                                is_same_vehicle=heard.at - self._connected_at <= SILENCE)

    def hear_decision(self, at: float, phases: int, requested: float) -> None:
        """What the controller decided.

        Args:
            at: s, when it was heard.
            phases: on how many it wants to charge: 0 (no opinion), 1 or 3.
            requested: A, 0 with no vehicle.
        """
        self._switched_on = phases if self._switches and phases else 3
        if requested > 0.0:
            self._connected_at = at
        else:
            self._connected_at = -math.inf
            self._in_use.reset()

    def voltage(self, now: float) -> Phases:
        """V to divide a power by, NaN where that is not known now."""
        return UNKNOWN_PHASES if self._live(now) is None else self._voltage

    def phases(self, now: float) -> int:
        """Phases to divide a power by, 1..3.

        What is switched on counts only while nothing flows: a phase that carries current is
        counted, whatever the contactor should be.
        """
        live = self._live(now)
        carrying = live is not None and any(a >= PHASE_ACTIVE_AMPERAGE for a in live.amperage)
        if live is None:
            return min(self._connected, self._switched_on)
        return self._in_use.count(3 if carrying else self._switched_on)

    def _live(self, now: float) -> MeterReading | None:
        if self._meter is None or self._meter.silence(now) > METER_TIMEOUT:
            return None
        return self._meter.value
