"""What counts on each topic that is obeyed, where a second voice speaks (core/voices.py)."""

from __future__ import annotations

from typing import Any

from charger_control.core import voices
from charger_control.core.senders import Rule
from charger_control.ros.interfaces import (
    AVAILABLE,
    CONTROL_PILOT,
    GRID_METER,
    LIMIT_API,
    LIMIT_HW,
    LIMIT_SMART_CHARGING,
    METER,
    PARENT_ALLOCATION,
    TEAM_ALLOCATION,
    VCSE_BUDGET,
)

RULES: dict[str, Rule[Any]] = {
    METER.name: voices.METER, GRID_METER.name: voices.METER, CONTROL_PILOT.name: voices.PILOT,
    LIMIT_HW.name: voices.HW_LIMIT, LIMIT_SMART_CHARGING.name: voices.LIMIT,
    LIMIT_API.name: voices.LIMIT, AVAILABLE.name: voices.AVAILABLE,
    VCSE_BUDGET.name: voices.BUDGET, TEAM_ALLOCATION.name: voices.ALLOCATION,
    PARENT_ALLOCATION.name: voices.ALLOCATION}
"""By topic. Of the others the newest word counts: what they carry moves no current, or tells its
speakers apart itself (a member's sequence in team/request, a leader's term in vcse/request)."""
