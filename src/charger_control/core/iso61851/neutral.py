"""A lost neutral, seen in the voltages of the charge point's own meter.

Without its neutral a three-phase supply keeps the voltages between phases only: what is loaded
most gets less, the others get up to 400 V. No substitute for a protective device.
"""

from __future__ import annotations

import math

from charger_control.core.heard import Heard
from charger_control.core.messages.meter_reading import MeterReading

NEUTRAL_LOST = 'NeutralLost'
HIGHEST = 276.0
"""V, 230 V + 20 %: no supply has it, whatever the load."""
HIGHEST_TIME = 0.2
"""s above HIGHEST, in more samples than one."""
BAND = (207.0, 253.0)
"""V, 230 V +- 10 % (EN 50160, docs/sources.md)."""
OPPOSITE = (220.8, 239.2)
"""V, 230 V -+ 4 %: a phase beyond it deviates the other way. A neutral that shifts by the 23 V that
bring one phase to the edge of BAND moves the two others half as far, to 219 or 242 V."""
BAND_TIME = 5.0
"""s."""
DEAD = 100.0
"""V, a phase with less is not supplied: a blown fuse is no lost neutral."""


class NeutralWatch:
    """Judges the voltages of the phases that are connected."""

    def __init__(self, phases: int, timeout: float) -> None:
        """``phases``: connected, 1..3; ``timeout``: s for which a sample counts."""
        self._phases, self._timeout = phases, timeout
        self._at = -math.inf
        self._high_since: float | None = None
        self._shifted_since: float | None = None

    def hear(self, heard: Heard[MeterReading]) -> None:
        """Takes a reading; one with an error, or older than the last, says nothing."""
        reading = heard.value
        if reading.error or not reading.age >= 0.0:
            return
        at = heard.at - reading.age
        if at < self._at:
            return
        if at - self._at > self._timeout:
            self._high_since = self._shifted_since = None
        self._at = at
        # NaN is neither high nor low
        live = [v for v in reading.voltage[:self._phases] if v >= DEAD]
        self._high_since = _since(self._high_since, at, any(v > HIGHEST for v in live))
        self._shifted_since = _since(self._shifted_since, at, _is_shifted(live))

    def lost(self, now: float) -> bool:
        """Whether the voltages say at ``now`` s that the neutral is lost."""
        if now - self._at > self._timeout:
            return False
        return (_for(self._high_since, self._at) >= HIGHEST_TIME
                or _for(self._shifted_since, self._at) >= BAND_TIME)


def _is_shifted(voltages: list[float]) -> bool:
    """Whether a phase is outside of BAND, and another deviates the other way."""
    most, least = max(voltages, default=math.nan), min(voltages, default=math.nan)
    return (most > BAND[1] and least < OPPOSITE[0]) or (least < BAND[0] and most > OPPOSITE[1])


def _since(before: float | None, at: float, holds: bool) -> float | None:
    if not holds:
        return None
    return at if before is None else before


def _for(since: float | None, at: float) -> float:
    """s for which it has held; rounded, so that 0.2 s of samples are 0.2 s."""
    return -1.0 if since is None else round(at - since, 3)
