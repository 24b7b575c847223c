"""`charger sim --head`: a meter behind an optical head on a pty, as a process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from charger_control.sim.lines.optical_head import HeadedMeter, OpticalHead
from charger_control.sim.meters.d0_meter import D0PullMeter, D0PushMeter
from charger_control.sim.meters.sml_meter import SmlPushMeter

HEADS = ('sml', 'd0', 'd0_push')


class House:
    """What the meter measures: a constant load since the start."""

    voltage, amperage = (230.1, 231.2, 229.9), (10.02, 9.98, 0.5)
    frequency, power = 50.01, 4728.0

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def energy_imported(self) -> float:
        """kWh."""
        return 1234.5 + self.power * (time.monotonic() - self._began) / 3.6e6


def run_head(link: Path, kind: str, interval: float, say: Callable[[str], None]) -> None:
    """Runs until SIGTERM or SIGINT, then removes the symlink.

    Args:
        link: symlink under which the head appears.
        kind: one of HEADS.
        interval: s between two telegrams of a meter that pushes.
        say: called with the one line that says that a driver may open the link now.

    Raises:
        OSError: the link cannot be made.
    """
    head = OpticalHead(link)
    house, now = House(), time.monotonic()
    makers: dict[str, Callable[[], HeadedMeter]] = {
        'sml': lambda: SmlPushMeter(house, now=now, interval=interval),
        'd0': lambda: D0PullMeter(house, head.port.is_baudrate),
        'd0_push': lambda: D0PushMeter(house, now=now, interval=interval)}
    head.meter = makers[kind]()

    def end(number: int, frame: FrameType | None) -> None:
        head.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    say(f'ready: simulated head ({kind}) on {link} ({head.port.name})')
    try:
        head.run()
    finally:
        head.close()
