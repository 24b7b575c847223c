"""The most that this vehicle may be drawing now, as the team must reserve it."""

from __future__ import annotations

import math

from charger_control.core.heard import RecentMaximum
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.units import Phases

GONE_TIME = 0.5
"""s for which the pilot must say A until the vehicle counts as gone: less may be a glitch of it,
and the vehicle goes on."""


class Drawable:
    """drawable_amperage (architecture.md, Messages).

    The most of: what was signaled within fall_time, the last acknowledged signal while the board
    is unreachable, the measured phases. Only state A held for GONE_TIME, or a contactor confirmed
    open, brings 0.
    """

    def __init__(self, fall_time: float) -> None:
        """``fall_time``: s that a vehicle may take to obey a lower signal."""
        self._recent = RecentMaximum(fall_time)
        self._acknowledged: float | None = None
        self._empty_since: float | None = None

    def step(self, now: float, pilot: ControlPilot | None, amperage: Phases | None,
             bound: float) -> float:
        """One tick.

        Args:
            now: s.
            pilot: the control pilot while it is reachable, else None.
            amperage: measured A of L1..L3 while the meter is reachable, else None.
            bound: A, the most that this charge point can offer; counts while nothing is known.

        Returns:
            A per phase.
        """
        if pilot is None or pilot.vehicle_status != 'A':
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now
        if pilot is not None:
            self._acknowledged = pilot.signaled_amperage
            gone = self._empty_since is not None and now - self._empty_since >= GONE_TIME
            if gone or pilot.contactor_feedback is False:
                self._recent.clear()
                return 0.0
        signaled = self._recent.update(
            now, bound if self._acknowledged is None else self._acknowledged)
        measured = [a for a in amperage or () if not math.isnan(a)]
        return max(signaled, *measured, 0.0)
