"""The limits as clients set them: limits/api/document."""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.units import NAN

DEFAULT_TIMEOUT = 300.0
"""s, how long a value is valid where the client says nothing (web-api.md)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits as clients set them, valid or lapsed; fields as in Limits.msg.

    Attributes:
        enabled: true when nobody set it.
        amperage_limit: A as set, not clamped; NaN: given back.
        power_limit: W as set; NaN: given back.
        timeout: s a value is valid after the last write.
        expires_in: s that remain; 0: lapsed, or nothing is set.
        one_phase_limit: charge on one phase.
        phase_rotation: stored, without effect.
        persistent: false: the store is not writable, the values hold until restart.
    """

    enabled: bool = True
    amperage_limit: float = NAN
    power_limit: float = NAN
    timeout: float = DEFAULT_TIMEOUT
    expires_in: float = 0.0
    one_phase_limit: bool = False
    phase_rotation: bool = False
    persistent: bool = True
