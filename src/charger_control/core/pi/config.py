"""Gains and times of the regulator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PiConfig:
    """Gains and times.

    Attributes:
        gain: share of a settled error that one step takes away, 0..1.
        dead_band: A, errors up to this are left alone.
        over_draw: A above commanded from which trim goes to <= 0 in the same tick.
        rest: s that a vehicle gets to follow a change of the signal when its answer cannot be
            seen (domain.md 2.3: it begins within 6 s).
        pace: s between steps of the trim.
        window: s over which the measurement must be steady before it counts.
        steady: A, the spread of a steady measurement within the window.
        drawing: A below which the vehicle does not charge yet.
        limit_pause: s for which a vehicle at its own limit is not asked for more.
    """

    gain: float = 1.0
    dead_band: float = 0.1
    over_draw: float = 0.5
    rest: float = 12.0
    pace: float = 5.0
    window: float = 1.5
    steady: float = 0.3
    drawing: float = 1.0
    limit_pause: float = 300.0
