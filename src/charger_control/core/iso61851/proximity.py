"""The proximity pilot of a socket: which current the plugged cable carries (domain.md 1.9)."""

from __future__ import annotations

from charger_control.core.units import NAN

RATINGS = ((1000.0, 13.0), (330.0, 20.0), (150.0, 32.0), (75.0, 63.0))
"""(ohm, A): the least resistance of each rating; nominal 1500, 680, 220, 100 ohm."""
NO_CABLE = 2500.0
"""Ohm, from here on nothing is plugged in."""


def cable_amperage(resistance: float) -> float:
    """The rating of the cable, A per phase.

    Args:
        resistance: ohm between proximity contact and earth.

    Returns:
        13, 20, 32 or 63 A; NaN for no cable and for what is none of these: an unknown cable must
        not count as a good one.
    """
    if not resistance < NO_CABLE:
        return NAN
    return next((amperage for least, amperage in RATINGS if resistance >= least), NAN)
