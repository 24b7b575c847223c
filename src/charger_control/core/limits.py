"""What a limit is, for every block that sets one: amperage per phase, and its validity.

Shared by hw_limit, smart_charging, api (which set limits) and cppwm_controller (which obeys them).
"""

from __future__ import annotations

from dataclasses import replace

from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit

SILENCE = 5.0
"""s after which a limit source counts as silent (architecture.md, When something is silent)."""


def in_force(heard: Heard[AmperageLimit], now: float) -> float:
    """The amperage that a heard limit means now: A per phase, NaN for no opinion."""
    limit = heard.value
    return limit.amperage if heard.silence(now) <= limit.valid_for else limit.lost_amperage


def watched(limit: AmperageLimit) -> AmperageLimit:
    """A limit whose source must go on speaking (hw): 0 A after SILENCE, whatever it says itself."""
    return replace(limit, valid_for=min(limit.valid_for, SILENCE), lost_amperage=0.0)
