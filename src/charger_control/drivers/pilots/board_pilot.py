"""What every serial or network board has: an order with its dead-man, a farewell, retries."""

from __future__ import annotations

import math
import threading
from abc import abstractmethod
from typing import Any

from charger_control.core.iso61851 import PilotReading
from charger_control.core.units import MAX_AMPERAGE, MIN_AMPERAGE
from charger_control.drivers.interfaces import AnswerError
from charger_control.drivers.lines.bus import Bus, Turn
from charger_control.drivers.lines.device import ModbusDevice

RETRY_DELAY = 0.5
"""s between requests to a silent board. Not growing: it may come back with an offer of its own."""
QUICK_RETRIES = 2
"""Requests repeated at once before RETRY_DELAY counts."""
LOST_AFTER = 3
"""Requests in a row without an answer after which the board counts as newly connected."""
OPEN_TIME = 1.0
"""s for which the board is kept off after the last call of ``open_contactor``."""
FAREWELL_TIME = 1.2
"""s that ``close`` waits for "no offer" to be acknowledged."""
IDLE = 3600.0
"""s to the next turn of a board that was told farewell."""
DEAD_MAN = 1.0
"""s without a call of ``offer`` after which "no offer" is written."""
NO_DEAD_MAN = 'none in the board: an offer stands while nobody speaks to it'
"""What a board without supervision of its own says of it in diagnostics."""
_ROUNDING = 1e-6


def whole_amperes(amperage: float | None, most: float = MAX_AMPERAGE) -> int:
    """An offer in whole A, rounded down; 0 for None, NaN, infinite and less than 6 A."""
    if amperage is None or not math.isfinite(amperage) or amperage < MIN_AMPERAGE - _ROUNDING:
        return 0
    return math.floor(min(amperage, most) + _ROUNDING)


class BoardPilot(ModbusDevice[PilotReading]):
    """The part of interfaces.CurrentPilot that is the same for every board on a bus.

    ``offer``, ``open_contactor``, ``latest`` and ``close`` may be called from any thread; all else
    is called from the bus's.
    """

    step = 1.0

    def __init__(self, bus: Bus[Any], unit: int, quiet: float, answer_time: float, *,
                 timeout: float, dead_man: float = DEAD_MAN) -> None:
        """``timeout``: s without an answer, then nothing is published; others as ModbusDevice."""
        super().__init__(bus, unit, quiet, answer_time)
        self.timeout = timeout
        self._dead_man = dead_man
        self._order = (0, -math.inf)
        """Raw offer asked for, and when it was; swapped whole by any thread."""
        self._open_at = -math.inf
        """When the contactor was asked to open."""
        self._closing = False
        self._said_farewell = threading.Event()
        self._is_up = False
        self._retry_at = 0.0

    @abstractmethod
    def _raw(self, amperage: float | None) -> int:
        """The board's number for an offer in A, 0 for none."""

    @abstractmethod
    def _met_anew(self) -> None:
        """Hears that the board may be another, or not what it was."""

    def offer(self, amperage: float | None) -> None:
        """See interfaces.CurrentPilot."""
        before, fed = self._order
        now = self._now()
        self._order = (self._raw(amperage), now)
        if self._order[0] != before or now - fed > self._dead_man:
            self._bus.wake()

    def open_contactor(self) -> None:
        """See interfaces.CurrentPilot."""
        self._open_at = self._now()
        self._bus.wake()

    def close(self) -> None:
        """See interfaces.CurrentPilot."""
        self._closing = True
        if self._is_up:
            self._bus.wake()
            self._said_farewell.wait(FAREWELL_TIME)
        self._bus.remove(self, timeout=0.7)

    def failed(self, error: AnswerError) -> None:
        """See bus.Device."""
        super().failed(error)
        patient = self._failures > QUICK_RETRIES and not self._closing
        self._retry_at = self._now() + (RETRY_DELAY if patient else 0.0)
        if self._failures == LOST_AFTER:
            self._met_anew()

    def line_up(self) -> None:
        """See bus.Device."""
        super().line_up()
        self._is_up = True
        self._failures = 0
        self._retry_at = self._now()
        self._met_anew()

    def line_down(self, error: str) -> None:
        """See bus.Device."""
        super().line_down(error)
        self._is_up = False
        if self._closing:
            self._said_farewell.set()

    def _ordered(self, now: float) -> int:
        """The raw offer that is asked for; 0 when nobody asks any more."""
        raw, fed = self._order
        return 0 if self._closing or now - fed > self._dead_man else raw

    def _is_opening(self, now: float) -> bool:
        """Whether the contactor is to be open."""
        return now - self._open_at < OPEN_TIME

    def _count_dead_man(self, now: float) -> None:
        """Counts a withdrawal if it is because nobody asks any more."""
        raw, fed = self._order
        self._counts['dead_man'] += bool(raw and now - fed > self._dead_man)

    def _farewell(self, now: float) -> Turn:
        """The turn of a board that is being closed."""
        done = self._said_farewell.is_set()
        return Turn(now + IDLE if done else self._retry_at, urgent=True, write=True)
