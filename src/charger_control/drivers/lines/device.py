"""What every device on a bus has: a sample that is swapped whole, counters, start and close."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, Generic, TypeVar

from charger_control.drivers.interfaces import AnswerError, Sample
from charger_control.drivers.lines.bus import Bus, Turn
from charger_control.drivers.lines.modbus_rtu import ModbusLine

T = TypeVar('T')


class ModbusDevice(ABC, Generic[T]):
    """A device on a Modbus line, driven by the bus's thread; subclasses say what is asked when."""

    def __init__(self, bus: Bus[ModbusLine], unit: int, quiet: float, answer_time: float) -> None:
        """Args:
            bus: of its line.
            unit: Modbus address, 1..247.
            quiet: s of silence it needs between its answer and the next request to it.
            answer_time: s, the longest it may take to begin its answer.
        """
        self.quiet = quiet
        self.answer_time = answer_time
        self._bus = bus
        self._unit = unit
        self._now = bus.clock
        self._failures = 0
        self._was_up = False
        self._counts: Counter[str] = Counter()
        self._identity: dict[str, str] = {}
        self._sample: Sample[T] = Sample(None, error='not asked yet')

    def start(self) -> None:
        """Starts asking the device. Returns at once."""
        self._bus.add(self)

    def latest(self) -> Sample[T]:
        """The last sample; never blocks."""
        return self._sample

    def close(self) -> None:
        """Stops asking the device, and frees the port if it was the last one on it."""
        self._bus.remove(self)

    @abstractmethod
    def turn(self, now: float) -> Turn:
        """See bus.Device."""

    @abstractmethod
    def transact(self, line: Any) -> None:
        """See bus.Device."""

    def failed(self, error: AnswerError) -> None:
        """See bus.Device."""
        self._failures += 1
        self._publish(str(error))

    def line_up(self) -> None:
        """See bus.Device."""
        self._counts['reconnects'] += self._was_up
        self._was_up = True

    def line_down(self, error: str) -> None:
        """See bus.Device."""
        self._publish(error)

    def _publish(self, error: str, value: T | None = None, at: float = 0.0) -> None:
        """Swaps the sample; without a value the last good one stays, with its time."""
        if value is None:
            value, at = self._sample.value, self._sample.at
        counters = {**self._bus.line.counters(self._unit), **self._counts}
        self._sample = Sample(value, at, error, counters, dict(self._identity))
