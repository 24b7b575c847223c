"""A serial line with Modbus RTU devices, made by hand for tests: frames and CRC are our own here.

One thread serves one pty behind a symlink. ``log`` has every request with the time it was read;
``faults`` are taken one per answer by the unit they are meant for.
"""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS, bit by bit, low byte first."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return bytes((value & 0xFF, value >> 8))


def sealed(data: bytes) -> bytes:
    return data + crc(data)


def words(*values: int) -> bytes:
    return b''.join(value.to_bytes(2, 'big') for value in values)


@dataclass(frozen=True)
class Request:
    """What was asked: ``values`` of a write, else empty."""

    at: float
    unit: int
    function: int
    address: int
    count: int
    values: tuple[int, ...] = ()
    frame: bytes = b''


class Unit:
    """A device: registers by (function, address); an absent one is exception 2."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.registers: dict[tuple[int, int], int] = {}

    def put(self, function: int, address: int, *values: int) -> None:
        for offset, value in enumerate(values):
            self.registers[function, address + offset] = value

    def read(self, function: int, address: int, count: int) -> list[int] | int:
        """The registers, or an exception code."""
        keys = [(function, address + i) for i in range(count)]
        return [self.registers[key] for key in keys] if all(
            key in self.registers for key in keys) else 2

    def write(self, address: int, values: tuple[int, ...]) -> int:
        """0, or an exception code."""
        for offset, value in enumerate(values):
            if (3, address + offset) not in self.registers:
                return 2
            self.registers[3, address + offset] = value
        return 0


Answer = list[tuple[float, bytes]]
"""What comes after how many s."""
Fault = Callable[[bytes], Answer]


def silence(frame: bytes) -> Answer:
    return []


def wrong_crc(frame: bytes) -> Answer:
    return [(0.0, frame[:-1] + bytes((frame[-1] ^ 0xFF,)))]


def half(frame: bytes) -> Answer:
    return [(0.0, frame[:len(frame) // 2])]


def garbage(frame: bytes) -> Answer:
    return [(0.0, bytes.fromhex('ff00fe5aa5c3'))]


def noise_before(frame: bytes) -> Answer:
    return [(0.0, b'\x00\xff' + frame)]


def wrong_unit(frame: bytes) -> Answer:
    return [(0.0, sealed(bytes((frame[0] + 1,)) + frame[1:-2]))]


def wrong_function(frame: bytes) -> Answer:
    return [(0.0, sealed(bytes((frame[0], frame[1] ^ 0x07)) + frame[2:-2]))]


def fewer_registers(frame: bytes) -> Answer:
    return [(0.0, sealed(bytes((frame[0], frame[1], frame[2] - 2)) + frame[3:-4]))]


def exception(code: int) -> Fault:
    return lambda frame: [(0.0, sealed(bytes((frame[0], frame[1] | 0x80, code))))]


def late(delay: float) -> Fault:
    return lambda frame: [(delay, frame)]


def in_pieces(delay: float) -> Fault:
    return lambda frame: [(i * delay, frame[i:i + 1]) for i in range(len(frame))]


@dataclass
class Line:
    """The line. ``character_time`` s per byte are waited for request and answer, if given."""

    link: Path
    units: dict[int, Unit]
    character_time: float = 0.0
    turnaround: float = 0.0
    log: list[Request] = field(default_factory=list)
    faults: dict[int, deque[Fault]] = field(default_factory=dict)
    always: dict[int, Fault] = field(default_factory=dict)
    answered: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._wake_r, self._wake_w = os.pipe()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.plug()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        os.close(self._wake_r)
        os.close(self._wake_w)

    def plug(self) -> None:
        """Puts a new pty behind the link."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.link.symlink_to(os.ttyname(self._slave))
        self._stopped.clear()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Takes pty and link away, as a USB adapter that is pulled."""
        if self._thread is None:
            return
        self._stopped.set()
        os.write(self._wake_w, b'x')
        self._thread.join()
        self._thread = None
        self.link.unlink()
        os.close(self._master)
        os.close(self._slave)

    def fault(self, unit: int, *faults: Fault) -> None:
        self.faults.setdefault(unit, deque()).extend(faults)

    def wait_for(self, predicate: Callable[[Request], bool], timeout: float = 5.0,
                 since: int = 0) -> Request:
        """The first request since number ``since`` that fits; fails if none comes."""
        with self._changed:
            def found() -> Request | None:
                return next((r for r in self.log[since:] if predicate(r)), None)
            request = self._changed.wait_for(found, timeout)
        assert request is not None, f'no such request within {timeout} s: {self.log[since:]}'
        return request

    def _serve(self) -> None:
        pending: Answer = []
        buffer = b''
        while not self._stopped.is_set():
            now = time.monotonic()
            for due in [p for p in pending if p[0] <= now]:
                pending.remove(due)
                os.write(self._master, due[1])
            wait = max(0.0, min(p[0] for p in pending) - now) if pending else None
            readable = select.select([self._master, self._wake_r], [], [], wait)[0]
            if self._wake_r in readable:
                os.read(self._wake_r, 64)
            if self._master in readable:
                buffer += os.read(self._master, 512)
            request, buffer = parse(buffer, time.monotonic())
            if request is not None:
                pending += self._answer(request)

    def _answer(self, request: Request) -> Answer:
        start = time.monotonic()
        with self._changed:
            self.log.append(request)
            self._changed.notify_all()
        unit = self.units.get(request.unit)
        if unit is None:
            return []
        head = bytes((request.unit, request.function))
        if request.function == 16:
            code = unit.write(request.address, request.values)
            frame = head + words(request.address, request.count)
        else:
            result = unit.read(request.function, request.address, request.count)
            code = result if isinstance(result, int) else 0
            data = b'' if isinstance(result, int) else words(*result)
            frame = head + bytes((len(data),)) + data
        if code:
            frame = bytes((request.unit, request.function | 0x80, code))
        frame = sealed(frame)
        wire = self.turnaround + self.character_time * (len(request.frame) + len(frame))
        queue = self.faults.get(request.unit)
        fault = queue.popleft() if queue else self.always.get(request.unit, late(0.0))
        answer = [(start + wire + delay, data) for delay, data in fault(frame)]
        if answer:
            self.answered.append((answer[-1][0], request.unit))
        return answer


def parse(buffer: bytes, now: float) -> tuple[Request | None, bytes]:
    """The first request in the buffer and what follows it. A frame that is not sound fails."""
    if len(buffer) < 8:
        return None, buffer
    function = buffer[1]
    length = 9 + buffer[6] if function == 16 else 8
    if len(buffer) < length:
        return None, buffer
    frame, rest = buffer[:length], buffer[length:]
    assert sealed(frame[:-2]) == frame, f'request with a wrong CRC: {frame.hex(" ")}'
    address, count = (int.from_bytes(frame[i:i + 2], 'big') for i in (2, 4))
    values = tuple(int.from_bytes(frame[i:i + 2], 'big') for i in range(7, length - 2, 2))
    return Request(now, frame[0], function, address, count, values, frame), rest
