"""What the CPPWM controller takes in and gives out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the team lets this charge point take now.

    Attributes:
        amperage: A per phase.
        trim_amperage: A per phase that the PI may add, out of budget left over.
        reason: for a person.
        silent: the lease has run out, amperage is the failsafe.
        phases: bit mask of own phases that the team counts it on.
        tries: the team tries whether the vehicle draws on these only.
        return_amperage: A per phase, trim included, that may be kept if it draws on any other.
    """

    amperage: float
    trim_amperage: float = 0.0
    reason: str = ''
    silent: bool = False
    phases: int = 7
    tries: bool = False
    return_amperage: float = 0.0
