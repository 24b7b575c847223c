"""What one tick of the CPPWM controller decides."""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.cppwm_controller.reach import EVERYWHERE, Reached
from charger_control.core.messages.decision import AvailableAmperage, Charging, Decision
from charger_control.core.units import MIN_AMPERAGE


@dataclass(frozen=True, slots=True)
class Result:
    """What one tick decides.

    Attributes:
        minimum_amperage, drawable_amperage: for the team's request, A per phase.
        amperage_age: s, how old the measured amperage in ``charging`` is.
        reached: where the vehicle can draw, for the team's request.
    """

    decision: Decision
    available: AvailableAmperage
    charging: Charging
    drawable_amperage: float
    minimum_amperage: float = MIN_AMPERAGE
    amperage_age: float = 0.0
    reached: Reached = EVERYWHERE
