"""The most that one source allows: limits/<source>."""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.units import FOREVER, NAN


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
