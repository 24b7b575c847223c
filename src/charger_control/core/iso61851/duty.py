"""Duty cycle of the control pilot and the amperage it stands for (domain.md 1.1, 1.2)."""

from __future__ import annotations

from charger_control.core.units import MAX_AMPERAGE, MIN_AMPERAGE

NO_OFFER = 1.0
"""Ratio: constant +12 V, "not now, stay connected" (domain.md 1.2)."""
LOW_BRANCH_TOP = 51.0
"""A, the most of the low branch: 85 %. 51 < I < 52.5 A has no duty cycle."""
HIGH_BRANCH_BOTTOM = 52.5
FLAT_FROM, LOW_TO, TOP_TO = 8.0, 85.0, 97.0
"""Percent: edges of the bands that allow charging."""
_EPSILON = 1e-9


def duty_of_amperage(amperage: float) -> float:
    """The duty cycle to send for an offer.

    Args:
        amperage: A per phase.

    Returns:
        Ratio 0..1; NO_OFFER below 6 A and for NaN; between 51 and 52.5 A the duty cycle of 51 A;
        above 80 A that of 80 A.
    """
    if not amperage >= MIN_AMPERAGE - _EPSILON:
        return NO_OFFER
    if amperage <= LOW_BRANCH_TOP:
        return amperage / 60.0
    if amperage < HIGH_BRANCH_BOTTOM:
        return LOW_BRANCH_TOP / 60.0
    return min(amperage, MAX_AMPERAGE) / 250.0 + 0.64


def amperage_of_duty(duty: float) -> float:
    """What a vehicle may draw at a duty cycle: A per phase, 0 for none.

    Args:
        duty: ratio 0..1 (1: constant high level, 0: constant low level); NaN gives 0.
    """
    percent = duty * 100.0
    if not FLAT_FROM - _EPSILON <= percent <= TOP_TO + _EPSILON:
        return 0.0  # E/F, ISO 15118 only (3..7 %), the forbidden gap, steady level
    if percent < 10.0:
        return MIN_AMPERAGE  # flat, not proportional
    if percent <= LOW_TO + _EPSILON:
        return 0.6 * percent
    return min(2.5 * (percent - 64.0), MAX_AMPERAGE)
