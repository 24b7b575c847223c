"""The RS-485 line as its devices see it: frames, silences, answer times. Pure, explicit time.

Bytes go in with ``feed``, bytes come out of ``step``; who moves them over a pty is `pty_port.py`.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from charger_control.sim.lines.faults import Faults
from charger_control.sim.lines.modbus_rtu import Registers, answer, is_sound, request_length

FRAME_GAP = 0.02
"""s of silence that ends a frame. The standard says 3.5 characters (4 ms at 9600 baud); a pty hands
one request over in pieces that a busy machine may part for longer."""
_BITS_PER_CHARACTER = 10
_TICK = 1e-6
"""s, less than which two times are the same: a float of unix s holds no more."""


@dataclass(slots=True)
class BusDevice:
    """A device on the line.

    Attributes:
        name: 'meter' or 'pilot'.
        unit: called for each request: the id it listens to (a board can be given another).
        registers: what it answers with.
        faults: what is wrong with it now.
        quiet: s of silence that it needs between its answer and the next request to it.
        answer_delay: s it takes to begin its answer.
        is_up: called for each request: False while it boots.
        last_answer_end: s, when its last answer was out.
        busy: an answer of it is on its way.
        counters: what happened to it, rising.
    """

    name: str
    unit: Callable[[], int]
    registers: Registers
    faults: Faults
    quiet: float = 0.1
    answer_delay: float = 0.0
    is_up: Callable[[], bool] = lambda: True
    last_answer_end: float = -math.inf
    busy: bool = False
    counters: dict[str, int] = field(default_factory=lambda: {
        'requests': 0, 'answers': 0, 'violations': 0})


class RtuLine:
    """All devices on one line.

    Args:
        devices: who listens.
        baudrate: paces requests and answers as a line of that speed would; 0: no pacing.
        violation: called with the time, the device's name and the fields of the log event.
    """

    def __init__(self, devices: list[BusDevice], baudrate: int = 0,
                 violation: Callable[[float, str, dict[str, Any]], None] | None = None) -> None:
        self.devices = devices
        self._character = _BITS_PER_CHARACTER / baudrate if baudrate else 0.0
        self._violation = violation or (lambda now, device, fields: None)
        self._buffer = b''
        self._heard_at = -math.inf
        self._queue: list[tuple[float, int, Callable[[float], bytes]]] = []
        self._order = itertools.count()
        self.counters = {'frames': 0, 'foreign': 0, 'crc_errors': 0, 'broken_frames': 0}

    def feed(self, now: float, data: bytes) -> None:
        """Takes what the line brought at ``now`` s."""
        self._drop_stale(now)
        self._buffer += data
        self._heard_at = now
        while length := request_length(self._buffer):
            if length < 0 or len(self._buffer) < length:
                return
            request, self._buffer = self._buffer[:length], self._buffer[length:]
            if not is_sound(request):
                self.counters['crc_errors'] += 1
                self._buffer = b''
                return
            self._hear(now, request)

    def due(self) -> float:
        """s, when ``step`` has something to do next; infinity if never."""
        gap_end = self._heard_at + FRAME_GAP if self._buffer else math.inf
        return min(gap_end, self._queue[0][0] if self._queue else math.inf)

    def step(self, now: float) -> bytes:
        """Does what is due at ``now`` s; returns what the devices send."""
        self._drop_stale(now)
        sent = b''
        while self._queue and self._queue[0][0] <= now:
            sent += heapq.heappop(self._queue)[2](now)
        return sent

    def forget(self) -> None:
        """The line was cut: what is half received or on its way is lost."""
        self._buffer = b''
        self._queue.clear()
        for device in self.devices:
            device.busy = False

    def _drop_stale(self, now: float) -> None:
        if not self._buffer or now - self._heard_at < FRAME_GAP:
            return
        broken, self._buffer = self._buffer, b''
        if request_length(broken) < 0 and is_sound(broken):
            self._hear(now, broken)
        else:
            self.counters['broken_frames'] += 1

    def _hear(self, now: float, request: bytes) -> None:
        self.counters['frames'] += 1
        for device in self.devices:
            if device.unit() == request[0]:
                self._take(now, device, request)
                return
        self.counters['foreign'] += 1

    def _take(self, now: float, device: BusDevice, request: bytes) -> None:
        device.counters['requests'] += 1
        silence = now - device.last_answer_end
        if device.busy or silence < device.quiet - _TICK:
            device.counters['violations'] += 1
            self._violation(now, device.name, {
                'kind': 'busy' if device.busy else 'silence',
                'found': 0.0 if device.busy else round(silence, 4), 'needed': device.quiet})
            return
        if not device.is_up() or device.faults.hit('silence', now):
            return
        device.busy = True
        heard_at = now + len(request) * self._character
        self._at(heard_at, lambda at: self._execute(at, device, request))

    def _execute(self, now: float, device: BusDevice, request: bytes) -> bytes:
        pdu = answer(device.registers, request[1:-2], now)
        if not pdu or device.faults.hit('no_answer', now) or not device.is_up():
            device.busy = False
            return b''
        data, late = device.faults.spoil(request[0], request[1:-2], pdu, now)
        out_at = now + device.answer_delay + late + len(data) * self._character
        if out_at <= now:
            return self._send(now, device, data)
        self._at(out_at, lambda at: self._send(at, device, data))
        return b''

    def _send(self, now: float, device: BusDevice, data: bytes) -> bytes:
        device.busy = False
        if not device.is_up():
            return b''
        device.counters['answers'] += 1
        device.last_answer_end = now
        return data

    def _at(self, when: float, do: Callable[[float], bytes]) -> None:
        heapq.heappush(self._queue, (when, next(self._order), do))
