"""What a charge point asks its team for, besides the lease's own fields."""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.cppwm_controller.result import Result
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.team import TeamRequest
from charger_control.core.units import MIN_AMPERAGE


@dataclass(frozen=True, slots=True)
class WishConfig:
    """Who asks.

    Attributes:
        minimum_amperage: A per phase, the least that is of use to the vehicles here.
        phase_map: supply phase 1..3 of L1, L2, L3; () unknown.
        priority: higher is served first.
        weight: share of what is left over, > 0.
        waiting_ends: s of charging after which a vehicle has had its turn: before, it goes on
            counting as one that waits.
    """

    minimum_amperage: float = MIN_AMPERAGE
    phase_map: tuple[int, ...] = (1, 2, 3)
    priority: int = 0
    weight: float = 1.0
    waiting_ends: float = 210.0


class Wishes:
    """Makes the requests; knows since when the vehicle waits and what it has charged."""

    def __init__(self, config: WishConfig) -> None:
        self._config = config
        self._waiting_since: float | None = None
        self._charging_since: float | None = None
        self._session_start: float | None = None

    def of(self, now: float, result: Result, pilot: ControlPilot | None) -> TeamRequest:
        """What to ask for now; the lease's own fields are left to ``Member.request``.

        Args:
            now: s.
            result: of the controller's tick.
            pilot: the control pilot while it is reachable, else None.
        """
        decision, charging, config = result.decision, result.charging, self._config
        status = 'S' if pilot is None else pilot.vehicle_status
        self._note(now, status, decision.requested_amperage, decision.commanded_amperage,
                   charging.energy_imported)
        start, reached = self._session_start, result.reached
        return TeamRequest(
            requested_amperage=decision.requested_amperage,
            minimum_amperage=max(MIN_AMPERAGE, config.minimum_amperage),
            drawable_amperage=result.drawable_amperage,
            phase_map=config.phase_map,
            phases_in_use=reached.in_use, phases_possible=reached.possible,
            phases_untried=reached.untried,
            priority=config.priority, weight=config.weight, vehicle_status=status,
            amperage=charging.amperage, amperage_age=result.amperage_age,
            energy=0.0 if start is None else max(0.0, charging.energy_imported - start),
            waiting=0.0 if self._waiting_since is None else now - self._waiting_since)

    def _note(self, now: float, status: str, requested: float, commanded: float,
              register: float) -> None:
        """Since when the vehicle waits, and the register when it was plugged in."""
        if commanded <= 0.0:
            self._charging_since = None
        elif self._charging_since is None:
            self._charging_since = now
        charged = self._charging_since is not None and (
            now - self._charging_since >= self._config.waiting_ends)
        if charged or requested <= 0.0:
            self._waiting_since = None
        elif self._waiting_since is None and commanded <= 0.0:
            self._waiting_since = now
        if status == 'A':
            self._session_start = None
        elif self._session_start is None and register >= 0.0:
            self._session_start = register
