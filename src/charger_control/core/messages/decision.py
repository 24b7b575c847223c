"""What is commanded and why, and what may be offered: decision, available,
charging."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntFlag

from charger_control.core.units import MAX_AMPERAGE, NAN, UNKNOWN_PHASES, Phases


class Flags(IntFlag):
    """Conditions of a decision; the bits of Decision.msg."""

    OPEN_LOOP = 1
    METER_SILENT = 2
    METER_LOST = 4
    METER_GONE = 8
    SOURCE_UNHEARD = 16
    SOURCE_SILENT = 32
    PILOT_SILENT = 64
    TEAM_SILENT = 128
    HOLD = 256
    TOO_MANY_CLOSINGS = 512
    SECOND_PUBLISHER = 1024
    REFUSED_INPUT = 2048
    FAULT = 4096
    NO_VEHICLE = 8192
    VEHICLE_UNKNOWN = 16384


FAULT_REASON = 'fault: '
"""What the reason of a decision begins with where a fault decides; its name follows."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is commanded, whose limit it is, and why; fields as in Decision.msg (A per phase)."""

    requested_amperage: float = 0.0
    allocated_amperage: float = 0.0
    commanded_amperage: float = 0.0
    trim: float = 0.0
    phases: int = 0
    limit_source: str = ''
    phase_source: str = ''
    reason: str = ''
    effective_amperage_limit: float = 0.0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class AvailableAmperage:
    """What the vehicle may be offered, before ISO 61851 rounding; fields as in the message."""

    commanded_amperage: float
    available_amperage: float
    enable: bool
    phases: int = 0
    valid_for: float = 1.0

    def refusal(self) -> str:
        """Why this cannot be taken, in words; '' for a good one."""
        if not 0.0 <= self.commanded_amperage < math.inf:
            return f'commanded_amperage {self.commanded_amperage} (allowed: a number, 0 or more)'
        if not 0.0 <= self.available_amperage <= MAX_AMPERAGE:
            return f'available_amperage {self.available_amperage} (allowed: 0..{MAX_AMPERAGE:g})'
        if self.phases not in (0, 1, 3):
            return f'phases {self.phases} (allowed: 0, 1, 3)'
        if not self.valid_for >= 0.0:
            return f'valid_for {self.valid_for} (allowed: 0 or more)'
        return ''


@dataclass(frozen=True, slots=True)
class Charging:
    """The nine momentary values of the public topic; fields as in Charging.msg."""

    voltage: Phases = UNKNOWN_PHASES
    amperage: Phases = UNKNOWN_PHASES
    allocated_amperage: float = NAN
    commanded_amperage: float = NAN
    available_amperage: float = NAN
    signaled_amperage: float = NAN
    frequency: float = NAN
    energy_imported: float = NAN
    last_active_power: float = NAN
