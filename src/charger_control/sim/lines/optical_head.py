"""An optical head on a pty: moves bytes between a simulated meter and whoever opens the link."""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from charger_control.sim.lines.pty_port import PtyPort

Fault = Callable[[bytes], bytes]
"""What becomes of what the meter sends."""
_LONGEST_WAIT = 0.5


class HeadedMeter(Protocol):
    """A meter behind a head; see sml_meter and d0_meter."""

    def due(self) -> float:
        """s, when it has something to say; infinity if not by itself."""

    def feed(self, now: float, data: bytes) -> None:
        """Takes what the head sent to it."""

    def step(self, now: float) -> bytes:
        """What it says at ``now`` s."""


class OpticalHead:
    """The head; ``run`` serves until ``stop``.

    Attributes:
        faults: taken one per thing the meter says.
        always: what befalls the others.
    """

    def __init__(self, link: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.port = PtyPort(link)
        self.port.plug_in()
        self.meter: HeadedMeter | None = None
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self._clock = clock
        self._wake_read, self._wake_write = os.pipe()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Serves the link."""
        while not self._stopped:
            due = self.meter.due() if self.meter is not None else math.inf
            wait = min(_LONGEST_WAIT, max(0.0, due - self._clock()))
            ours = [self.port.fileno()] if self.port.connected else []
            readable = select.select([*ours, self._wake_read], [], [], wait)[0]
            if self._wake_read in readable:
                os.read(self._wake_read, 64)
            with self._lock:
                self._serve()

    def _serve(self) -> None:
        meter, now = self.meter, self._clock()
        if meter is None:
            return
        if self.port.connected and (data := self.port.read()):
            meter.feed(now, data)
        said = meter.step(now)
        if said and self.port.connected:
            fault = self.faults.popleft() if self.faults else self.always
            self.port.write(fault(said) if fault is not None else said)

    def unplug(self) -> None:
        """Takes the head's adapter away."""
        with self._lock:
            self.port.pull()
        os.write(self._wake_write, b'x')

    def plug(self) -> None:
        """Puts it back: a new device behind the same name."""
        with self._lock:
            self.port.plug_in()
        os.write(self._wake_write, b'x')

    def stop(self) -> None:
        """Ends ``run``."""
        self._stopped = True
        os.write(self._wake_write, b'x')

    def close(self) -> None:
        """Takes the link away."""
        self.port.pull()
        os.close(self._wake_read)
        os.close(self._wake_write)


@contextlib.contextmanager
def running_head(link: Path, meter: Callable[[OpticalHead], HeadedMeter]) -> Iterator[OpticalHead]:
    """A head with a meter, served by a thread."""
    head = OpticalHead(link)
    head.meter = meter(head)
    thread = threading.Thread(target=head.run, name='optical head', daemon=True)
    thread.start()
    try:
        yield head
    finally:
        head.stop()
        thread.join()
        head.close()
