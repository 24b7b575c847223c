"""What a limit is, for every block that sets one: per-phase amperage, validity, watts to amperes.

Shared by hw_limit, smart_charging, api (which set limits) and cppwm_controller (which obeys them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from charger_control.core.heard import Heard

MIN_AMPERAGE = 6.0
"""A, the least a control pilot can offer (domain.md 1.1)."""
MAX_AMPERAGE = 80.0
"""A, the most a control pilot can offer (domain.md 1.1)."""
NOMINAL_VOLTAGE = 230.0
"""V, counted where the measured voltage cannot be trusted."""
TRUSTED_VOLTAGE = (207.0, 253.0)
"""V, 230 V +- 10 %: outside of it a measured voltage is not used for W -> A (rule 6)."""
PHASE_ACTIVE_AMPERAGE = 1.0
"""A, from here on a phase counts as used (domain.md 2.2, evcc)."""
PHASE_SETTLE_TIME = 10.0
"""s of less than PHASE_ACTIVE_AMPERAGE before a phase counts as unused."""
SILENCE = 5.0
"""s after which a limit source counts as silent (architecture.md, When something is silent)."""
FOREVER = 2.0**31 - 1.0
"""s, the longest duration a message can carry: "does not expire"."""

Phases = tuple[float, float, float]
"""One value for each of L1, L2, L3."""
NAN = math.nan
UNKNOWN_PHASES: Phases = (NAN, NAN, NAN)


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


class PhasesInUse:
    """Which phases the vehicle draws on, for W -> A (architecture.md, What is commanded, 6).

    All connected phases count until measured; fewer after PHASE_SETTLE_TIME of less than
    PHASE_ACTIVE_AMPERAGE on the others while at least one carries that; back at once when one
    carries it again.
    """

    def __init__(self, connected: int = 3) -> None:
        """``connected``: phases wired to this charge point, 1..3 (L1 first)."""
        self._connected = connected
        self._last_active = [0.0, 0.0, 0.0]
        self._measuring_since: float | None = None

    def update(self, now: float, amperage: Phases) -> None:
        """Takes the measured A of L1..L3; unmeasured (NaN) phases say nothing."""
        active = [a >= PHASE_ACTIVE_AMPERAGE for a in amperage[:self._connected]]
        if not any(active):
            self._measuring_since = None
            return
        if self._measuring_since is None:
            self._measuring_since = now
            self._last_active = [now, now, now]
        for phase, is_active in enumerate(active):
            if is_active or math.isnan(amperage[phase]):
                self._last_active[phase] = now

    def reset(self) -> None:
        """Forgets what was measured: another vehicle, or phases were switched."""
        self._measuring_since = None

    def count(self, now: float, switched_on: int = 3) -> int:
        """Number of phases to divide a power by, 1..3; ``switched_on``: phases on the contactor."""
        connected = min(self._connected, switched_on)
        if self._measuring_since is None:
            return connected
        used = sum(now - at < PHASE_SETTLE_TIME for at in self._last_active[:connected])
        return max(1, used)


def usable_voltage(voltage: Sequence[float]) -> float:
    """The V to divide a power by: mean of the trusted phases, else NOMINAL_VOLTAGE."""
    low, high = TRUSTED_VOLTAGE
    trusted = [v for v in voltage if low <= v <= high]
    return sum(trusted) / len(trusted) if trusted else NOMINAL_VOLTAGE


def amperage_of_power(power: float, voltage: Sequence[float], phases: int) -> float:
    """A per phase that ``power`` W amount to on ``phases`` phases; NaN stays NaN.

    Args:
        power: W, 0 or more, or NaN.
        voltage: V per phase as measured; those out of TRUSTED_VOLTAGE are not used.
        phases: 1..3.
    """
    return power / (usable_voltage(voltage) * phases)
