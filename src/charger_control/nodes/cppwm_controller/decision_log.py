"""When the log says who decides: at each change of it, but not at every share of a team.

What is wrong is logged by whose it is: a fault by iso61851, an input by the diagnostics.
"""

from __future__ import annotations

import math

from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Decision, Flags
from charger_control.core.words import sentence

PACE = 10.0
"""s between two sentences about limits only."""
_WRONG = Flags.SOURCE_UNHEARD | Flags.PILOT_SILENT | Flags.FAULT | Flags.VEHICLE_UNKNOWN
_KINDS = _WRONG | Flags.NO_VEHICLE | Flags.HOLD


class DecisionLog:
    """Remembers what was said last."""

    def __init__(self) -> None:
        self._kind = (Flags(0), False)
        self._owner = ''
        self._said_at = -math.inf

    def note(self, now: float, decision: Decision, pilot: ControlPilot | None) -> str:
        """The sentence to log, '' for none.

        Args:
            now: s.
            decision: of this tick.
            pilot: the control pilot, None while it is silent.
        """
        flags = Flags(decision.flags) & _KINDS
        kind = (flags, decision.commanded_amperage > 0.0)
        same_owner = bool(flags) or decision.limit_source == self._owner
        if kind == self._kind and (same_owner or now - self._said_at < PACE):
            return ''
        self._kind, self._owner, self._said_at = kind, decision.limit_source, now
        return '' if flags & _WRONG else sentence(decision, pilot)
