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
VOLTAGE_WINDOW = 60.0
"""s of which the highest voltage counts for W -> A: longer than what loads nearby make it swing."""
VOLTAGE_STEP = 0.5
"""V, about three standard deviations of a good meter on a quiet line."""
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
    carries it again. A vehicle that pauses keeps its phases: else a one-phase one under a limit of
    3.7 kW would be left with less than the minimum of three, and never start again.
    """

    def __init__(self, connected: int = 3) -> None:
        """``connected``: phases wired to this charge point, 1..3 (L1 first)."""
        self._connected = connected
        self._last_active = [0.0, 0.0, 0.0]
        self._active_at = 0.0
        self._is_measured = False

    def update(self, now: float, amperage: Phases, *, is_same_vehicle: bool = False) -> None:
        """Takes the measured A of L1..L3; unmeasured (NaN) phases say nothing.

        Args:
            now: s.
            amperage: of L1..L3.
            is_same_vehicle: the vehicle has been connected without a break, as far as is known.
        """
        active = [a >= PHASE_ACTIVE_AMPERAGE for a in amperage[:self._connected]]
        if not any(active):
            self._is_measured &= is_same_vehicle
            return
        if not self._is_measured:
            self._is_measured = True
            self._last_active = [now, now, now]
        elif now - self._active_at > PHASE_SETTLE_TIME:     # a pause says nothing of any phase
            self._last_active = [at + now - self._active_at for at in self._last_active]
        self._active_at = now
        for phase, is_active in enumerate(active):
            if is_active or math.isnan(amperage[phase]):
                self._last_active[phase] = now

    def reset(self) -> None:
        """Forgets what was measured: another vehicle, or phases were switched."""
        self._is_measured = False

    def count(self, switched_on: int = 3) -> int:
        """Number of phases to divide a power by, 1..3; ``switched_on``: phases on the contactor."""
        connected = min(self._connected, switched_on)
        if not self._is_measured:
            return connected
        used = sum(self._active_at - at < PHASE_SETTLE_TIME for at in self._last_active[:connected])
        return max(1, used)


class SteadyVoltage:
    """The V of each phase that a power is divided by: the highest of VOLTAGE_WINDOW, rounded up.

    A power limit thereby holds whatever the voltage does, and its noise moves no amperage.
    """

    def __init__(self) -> None:
        self._peaks: tuple[list[tuple[float, float]], ...] = ([], [], [])

    def update(self, now: float, voltage: Phases) -> Phases:
        """Takes the measured V of L1..L3.

        Returns:
            V of L1..L3 in steps of VOLTAGE_STEP; NaN where the measured one cannot be trusted.
        """
        low, high = TRUSTED_VOLTAGE
        steady = []
        for peaks, value in zip(self._peaks, voltage, strict=True):
            if not low <= value <= high:
                peaks.clear()
                steady.append(NAN)
                continue
            # falling from the oldest to the newest: what is below a newer one never counts again
            while peaks and peaks[-1][1] <= value:
                peaks.pop()
            peaks.append((now, value))
            while now - peaks[0][0] > VOLTAGE_WINDOW:
                peaks.pop(0)
            rounded = math.ceil(peaks[0][1] / VOLTAGE_STEP - 1e-9) * VOLTAGE_STEP
            steady.append(min(rounded, high))
        return steady[0], steady[1], steady[2]


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
