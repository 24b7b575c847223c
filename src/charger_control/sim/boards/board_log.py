"""The log of the simulated charge point: the measuring instrument of fail-safe tests.

One JSON object a line, written and flushed at once: ``t`` is the moment it happened in s on the
simulator's clock (CLOCK_BOOTTIME in the process), ``event`` says what, the rest is its fields:

========== =====================================================================================
event      fields
========== =====================================================================================
start      clock, wall (unix s at t), monotonic (s at t), seed, link, pty
write      register, name, value (raw), amperage (for set_current: A as the board understands it)
offer      amperage that the pilot offers to the vehicle now (0: none), evse_state
relay      closed: what the board commands, reason
contactor  closed: what the contacts do, amperage: the highest phase that they switched
letter     letter, was: how the vehicle loads the pilot
boot, up   reset of the board, reason; ``up`` when it runs again, with set_amperage
units      fine_steps: from now on 0.01 A per count, or 1 A
failure    reason: the board's own fault state; '' when it is over
fault      kind, device, on: an injected fault begins or ends
violation  device, kind (silence, busy, baudrate), and what was found and needed
line       connected: the serial cable
do         action, arguments, source: scenario or control
refused    action, reason: it could not be done
put_limits status (HTTP) or error: what the charger's API answered to a step of that name
end        reason
========== =====================================================================================
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Event = dict[str, Any]
_KEPT = 10_000


class BoardLog:
    """Writes events to a file, keeps the latest in memory and tells listeners. Thread-safe.

    Args:
        path: file to append to; None keeps the events in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = path.open('a', encoding='utf-8') if path else None
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._changed = threading.Condition()
        self._listeners: list[Callable[[Event], None]] = []

    def write(self, now: float, event: str, **fields: object) -> None:
        """Records what happened at ``now`` s."""
        entry: Event = {'t': round(now, 6), 'event': event, **fields}
        with self._changed:
            if self._file:
                self._file.write(json.dumps(entry) + '\n')
                self._file.flush()
            self._kept.append(entry)
            self._changed.notify_all()
            for listener in self._listeners:
                listener(entry)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Calls ``listener`` with each further event, from the thread that records it."""
        self._listeners.append(listener)

    def events(self, event: str = '', **fields: object) -> list[Event]:
        """The kept events of that name (any if '') whose fields have these values."""
        with self._changed:
            return [entry for entry in self._kept if _matches(entry, event, fields)]

    def wait_for(self, event: str, timeout: float, *, since: float = -math.inf,
                 **fields: object) -> Event:
        """The first kept event of that name, with these fields, not before ``since``; waits for it.

        Raises:
            TimeoutError: none within ``timeout`` s.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for entry in self._kept:
                    if entry['t'] >= since and _matches(entry, event, fields):
                        return entry
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(f'no event {event!r} {fields or ""} within {timeout} s')

    def close(self) -> None:
        """Closes the file."""
        with self._changed:
            if self._file:
                self._file.close()
                self._file = None


def _matches(entry: Event, event: str, fields: dict[str, object]) -> bool:
    return (not event or entry['event'] == event) and fields.items() <= entry.items()


def read_log(path: Path) -> list[Event]:
    """The events of a log file, in order; a last line cut short by a kill is left out."""
    return [json.loads(line) for line in path.read_text(encoding='utf-8').split('\n')[:-1]]


def offer_stood(events: Iterable[Event], since: float, above: float = 0.0) -> float:
    """How long from ``since`` until no more than ``above`` A are offered for the first time, s.

    0.0 when no more than that was offered at ``since``; infinity when it is still offered at the
    end of the log. What a fail-safe test asks: kill at ``since``, then this is at most 2 s. For an
    offer that begins after ``since`` see ``longest_offer``.
    """
    standing = False
    for event in events:
        if event['event'] != 'offer':
            continue
        if event['t'] > since:
            if not standing:
                return 0.0
            if event['amperage'] <= above:
                return float(event['t']) - since
        standing = event['amperage'] > above
    return math.inf if standing else 0.0


def longest_offer(events: Iterable[Event], since: float, until: float, above: float = 0.0) -> float:
    """The longest time without a break that more than ``above`` A were offered, s.

    Counted between ``since`` and ``until`` (both s on the log's clock). For faults after which the
    board offers what nobody told it.
    """
    began, longest = math.inf, 0.0
    for event in events:
        if event['event'] != 'offer':
            continue
        at = min(max(event['t'], since), until)
        if event['amperage'] > above:
            began = min(began, at)
        else:
            longest = max(longest, at - began)
            began = math.inf
    return max(longest, until - began)
