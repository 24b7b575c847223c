"""The control-pilot line between charge point and vehicle (IEC 61851-1 annex A; domain.md 1).

Written from the tables once more and not shared with `core`: a mistake in the controller's own
mapping must not be able to hide behind the same mistake in the vehicle that it is tried against.
"""

from __future__ import annotations

MIN_OFFER = 6.0
"""A, the least a pilot can offer."""
MAX_OFFER = 80.0
"""A, the most a pilot can offer."""
NO_OFFER_DUTY = 1.0
"""Ratio: constant +12 V, the charge point offers nothing but is there (x1)."""
UNAVAILABLE_DUTY = 0.0
"""Ratio: constant -12 V, state F."""

_PLATEAU = {'A': 12.0, 'B': 9.0, 'C': 6.0, 'D': 3.0, 'E': 0.0}
_OPEN_CIRCUIT_LOW = -12.0
_MIDPOINTS = ((10.5, 'A'), (7.5, 'B'), (4.5, 'C'), (1.5, 'D'), (-1.5, 'E'))


def amperage_of_duty(duty: float) -> float:
    """What a vehicle may draw at a duty cycle: A per phase, 0.0 where it may draw nothing.

    Args:
        duty: ratio 0..1 of the pilot's high time; 1 is constant +12 V, 0 constant -12 V.
    """
    percent = round(duty * 100.0, 9)     # 0.07 * 100 is not 7
    if percent < 8.0 or percent > 97.0:     # E/F, digital communication only, gaps, constant +12 V
        return 0.0
    if percent < 10.0:
        return MIN_OFFER
    if percent <= 85.0:
        return 0.6 * percent
    return min(2.5 * (percent - 64.0), MAX_OFFER)


def duty_of_amperage(amperage: float) -> float:
    """The duty cycle (ratio 0..1) that offers ``amperage`` A per phase.

    Less than 6 A cannot be offered: constant +12 V. Between 51 A and 52.5 A the table has no duty
    cycle: as 51 A. More than 80 A: as 80 A.
    """
    if not amperage >= MIN_OFFER:
        return NO_OFFER_DUTY
    if amperage <= 51.0:
        return amperage / 60.0
    if amperage < 52.5:
        return 0.85
    return 0.64 + min(amperage, MAX_OFFER) / 250.0


def levels(letter: str, duty: float, *, diode_shorted: bool = False) -> tuple[float, float]:
    """The upper and the lower plateau of the pilot in V.

    Args:
        letter: how the line is loaded: A open, B, C, D by a vehicle, E shorted to earth.
        duty: ratio 0..1. A constant level has one plateau: both values are the same.
        diode_shorted: the vehicle loads the negative half too.
    """
    high = _PLATEAU[letter]
    low = _OPEN_CIRCUIT_LOW
    if letter == 'E':
        low = 0.0
    elif diode_shorted:
        low = -high
    if duty >= 1.0:
        return high, high
    if duty <= 0.0:
        return low, low
    return high, low


def letter_of_level(high: float) -> str:
    """The state A to F that an upper plateau of ``high`` V stands for (midpoints)."""
    for threshold, letter in _MIDPOINTS:
        if high >= threshold:
            return letter
    return 'F'
