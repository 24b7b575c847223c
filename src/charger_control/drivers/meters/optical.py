"""What the meters behind an optical head share: a sample, counters, the wait for a telegram."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter

from charger_control.core.messages.meter_reading import MeterReading
from charger_control.drivers.interfaces import AnswerError, Sample
from charger_control.drivers.lines.bus import Bus, Turn
from charger_control.drivers.lines.optical import HeadLine

TIMEOUT = 10.0
"""s without a telegram after which the reading is no longer published: they come every 1 to 4 s."""
LISTEN = 0.25
"""s of one turn: so long may closing have to wait."""


class HeadMeter(ABC):
    """Implements interfaces.Meter on a line of its own; subclasses say what the bytes are."""

    quiet = 0.0
    answer_time = 0.0

    def __init__(self, bus: Bus[HeadLine], timeout: float) -> None:
        """``timeout``: s without a telegram after which the reading is no longer published."""
        self.timeout = timeout
        self._bus = bus
        self._now = bus.clock
        self._counts: Counter[str] = Counter()
        self._identity: dict[str, str] = {}
        self._sample: Sample[MeterReading] = Sample(None, error='not heard yet')
        self._heard_at = 0.0
        self._was_up = False
        self._is_closed = False

    def start(self) -> None:
        """Starts listening. Returns at once."""
        self._is_closed = False
        self._bus.add(self)

    def latest(self) -> Sample[MeterReading]:
        """The last sample; never blocks."""
        return self._sample

    def close(self) -> None:
        """Stops listening and frees the port."""
        self._is_closed = True
        self._bus.remove(self)

    def turn(self, now: float) -> Turn:
        """See bus.Device: at once."""
        return Turn(0.0)

    @abstractmethod
    def transact(self, line: HeadLine) -> None:
        """See bus.Device."""

    @abstractmethod
    def _rejected(self) -> Counter[str]:
        """What the parser has refused so far."""

    def failed(self, error: AnswerError) -> None:
        """See bus.Device."""
        self._counts[error.kind] += 1
        self._publish(str(error))

    def line_up(self) -> None:
        """See bus.Device."""
        self._counts['reconnects'] += self._was_up
        self._was_up = True
        self._heard_at = self._now()

    def line_down(self, error: str) -> None:
        """See bus.Device."""
        self._publish(error)

    def _await(self, line: HeadLine, timeout: float) -> bytes:
        """What comes within ``timeout`` s, as soon as it does; b'' also when it is closed."""
        end = self._now() + timeout
        while not self._is_closed and (rest := end - self._now()) > 0.0:
            data = line.read_within(min(rest, LISTEN))
            if data:
                return data
        return b''

    def _took(self, reading: MeterReading) -> None:
        """A telegram has come."""
        now = self._now()
        if self._sample.value is not None and not self._sample.error:
            self._identity['telegram_interval'] = f'{now - self._sample.at:.1f} s'
        self._heard_at = now
        self._counts['answers'] += 1
        self._publish('', reading, now)

    def _waited(self, advice: str) -> None:
        """Nothing usable came: an error once it is time, counted once per ``timeout``."""
        if self._now() - self._heard_at > self.timeout:
            self._heard_at = self._now()
            self.failed(AnswerError('timeouts', f'{self._bus.line.name}: no telegram for '
                                    f'{self.timeout:g} s: {advice}'))
        elif self._sample.counters != self._counters():
            self._publish(self._sample.error)

    def _counters(self) -> dict[str, int]:
        return dict(self._counts + self._rejected())

    def _publish(self, error: str, value: MeterReading | None = None, at: float = 0.0) -> None:
        """Swaps the sample; without a value the last good one stays, with its time."""
        if value is None:
            value, at = self._sample.value, self._sample.at
        self._sample = Sample(value, at, error, self._counters(), dict(self._identity))
