"""What a supervisor does for a board whose process is dead: writes "no offer"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from charger_control.bringup.processes import PILOT
from charger_control.drivers.registry import withdraw
from charger_control.ros.params_file import values_of

BEAT_TIMEOUT = 0.8
"""s without a beat of the control process until it is killed and the offer withdrawn: with the
write itself well under the 2 s that an offer may stand."""


def withdrawal(files: Sequence[Path], namespace: str) -> Callable[[], str]:
    """A function that writes "no offer" to the pilot's board; returns '' or what went wrong."""
    values = values_of(files, PILOT, namespace)
    device = {name.removeprefix('device.'): value for name, value in values.items()
              if name.startswith('device.')}

    def act() -> str:
        try:
            return withdraw(device)
        except ValueError as error:
            return str(error)

    return act
