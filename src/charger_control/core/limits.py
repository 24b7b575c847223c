"""What a limit is, for every block that sets one: amperage per phase, and its validity.

Shared by hw_limit, smart_charging, api (which set limits) and cppwm_controller (which obeys them).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from charger_control.core.heard import Heard
from charger_control.core.units import FOREVER, NAN

SILENCE = 5.0
"""s after which a limit source counts as silent (architecture.md, When something is silent)."""


@dataclass(frozen=True, slots=True)
class AmperageLimit:
    """The most that one source allows per phase.

    Attributes:
        amperage: A per phase, >= 0; NaN: no opinion (never "unlimited").
        phases: 1 or 3 where the source wants that many phases, else 0.
        valid_for: s from the moment of publication.
        lost_amperage: A per phase, what counts once valid_for has run out; NaN: no opinion.
        reason: who set it and why, for a person.
    """

    amperage: float
    phases: int = 0
    valid_for: float = FOREVER
    lost_amperage: float = NAN
    reason: str = ''

    def refusal(self) -> str:
        """Why this limit cannot be taken, in words; '' for a good one."""
        if math.isinf(self.amperage) or self.amperage < 0.0:
            return f'amperage {self.amperage} (allowed: 0 or more, or NaN)'
        if math.isinf(self.lost_amperage) or self.lost_amperage < 0.0:
            return f'lost_amperage {self.lost_amperage} (allowed: 0 or more, or NaN)'
        if self.phases not in (0, 1, 3):
            return f'phases {self.phases} (allowed: 0, 1, 3)'
        if not self.valid_for >= 0.0:
            return f'valid_for {self.valid_for} (allowed: 0 or more)'
        return ''


def in_force(heard: Heard[AmperageLimit], now: float) -> float:
    """The amperage that a heard limit means now: A per phase, NaN for no opinion."""
    limit = heard.value
    return limit.amperage if heard.silence(now) <= limit.valid_for else limit.lost_amperage


def watched(limit: AmperageLimit) -> AmperageLimit:
    """A limit whose source must go on speaking (hw): 0 A after SILENCE, whatever it says itself."""
    return replace(limit, valid_for=min(limit.valid_for, SILENCE), lost_amperage=0.0)
