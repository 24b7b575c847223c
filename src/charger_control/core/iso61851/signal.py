"""What is signaled: bounds, the board's step, and the pace of changes (What is commanded, 4, 5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.units import MAX_AMPERAGE, MIN_AMPERAGE


@dataclass(frozen=True, slots=True)
class SignalConfig:
    """Figures of the signal.

    Attributes:
        step: A, the least change the board can signal.
        pace: s between changes that are not at once (domain.md 1.6: the pilot changes at most
            every 5 s).
    """

    step: float = 0.01
    pace: float = 5.0


class Signal:
    """From what is available to what is signaled."""

    def __init__(self, config: SignalConfig) -> None:
        self._config = config
        self._signaled = 0.0
        self._commanded = 0.0
        self._changed_at = float('-inf')

    @property
    def amperage(self) -> float:
        """A per phase since the last step, 0 for no offer."""
        return self._signaled

    def step(self, now: float, commanded: float, available: float, bound: float) -> float:
        """One tick.

        Args:
            now: s.
            commanded: A per phase, the set-point behind ``available``.
            available: A per phase, 0 for no offer.
            bound: A, min(HW limit, cable); NaN counts as 0.

        Returns:
            A per phase to signal: 0, or 6..80 and not above ``bound``.
        """
        hard = max(0.0, bound)  # NaN gives 0
        wanted = self._quantised(min(available, hard, MAX_AMPERAGE))
        before = self._signaled
        at_once = (
            wanted == 0.0 or before == 0.0                      # a stop, a start
            or before > hard                                    # HW or cable fell
            or (wanted < before and commanded < self._commanded)    # commanded fell
            or (wanted < before and available <= commanded < before)  # trim to <= 0: over-draw
        )
        due = now - self._changed_at >= self._config.pace
        if wanted != before and (at_once or (due and abs(wanted - before) > self._config.step / 2)):
            self._signaled = wanted
            self._changed_at = now
            self._commanded = commanded
        elif wanted == before:
            self._commanded = commanded
        else:
            self._commanded = max(self._commanded, commanded)  # rose meanwhile, so it may fall
        return self._signaled

    def withdraw(self, now: float) -> None:
        """No offer, at once."""
        if self._signaled:
            self._changed_at = now
        self._signaled = 0.0

    def _quantised(self, amperage: float) -> float:
        """Down to a whole step of the board; 0 below 6 A and for NaN."""
        if not amperage >= MIN_AMPERAGE:
            return 0.0
        step = self._config.step
        return max(MIN_AMPERAGE, round(math.floor(amperage / step + 1e-6) * step, 6))
