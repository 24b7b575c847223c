"""RAPI, the line protocol of OpenEVSE: ``$cc p1 p2 :ss^xx\\r``, answered ``$OK ... :ss^xx\\r``.

xx is the XOR of all before ``^`` in hex, ss a sequence number that newer firmware echoes. The board
also sends by itself (``$AT``, ``$AB``, ...), between a command and its answer too: what a line is
says its first word. Source: OpenEVSE firmware open_evse/rapi_proc.h (domain.md 5.1).
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from pathlib import Path

import serial

from charger_control.drivers.interfaces import AnswerError, PortLostError
from charger_control.drivers.lines.port import SerialSettings, open_port

SETTINGS = SerialSettings(115200, 'N', 1)
_EVENTS = ('AT', 'AB', 'AN', 'WF')
_MOST_KEPT, _EVENTS_KEPT = 256, 32
_DRAIN_TIME = 0.05


def checksum(text: bytes) -> int:
    """XOR of the bytes before the ``^``."""
    return reduce(xor, text, 0)


def sealed(body: str) -> bytes:
    """A whole line for ``$`` and what follows."""
    raw = body.encode('ascii')
    return raw + b'^%02X\r' % checksum(raw)


@dataclass(frozen=True, slots=True)
class Message:
    """A sound line: its first word, the others, and its sequence number (-1: none)."""

    word: str
    tokens: tuple[str, ...]
    sequence: int = -1


def parse(line: bytes) -> Message | str:
    """A line without its end; for one that is not sound the name of a counter."""
    start = line.rfind(b'$')
    body, caret, check = line[max(0, start):].partition(b'^')
    if start < 0 or not caret or len(check) != 2:
        return 'garbage'
    try:
        sound = int(check, 16) == checksum(body)
        word, *tokens = body[1:].decode('ascii').split(' ')
        sequence = int(tokens.pop()[1:], 16) if tokens and tokens[-1].startswith(':') else -1
    except ValueError:
        return 'garbage'
    return Message(word, tuple(tokens), sequence) if sound else 'crc_errors'


class RapiLine:
    """The serial line to one board. Not thread-safe: one owner (bus.py)."""

    def __init__(self, port: str, settings: SerialSettings = SETTINGS) -> None:
        """``port``: device path; nothing is opened yet."""
        self.name = port
        self.settings = settings
        self.events: deque[Message] = deque(maxlen=_EVENTS_KEPT)
        """What the board said by itself, oldest first; the owner takes it out."""
        self.echoes = False
        """Whether the board repeats sequence numbers: then an answer without one is not taken."""
        self._port: serial.Serial | None = None
        self._buffer = b''
        self._sequence = 0
        self._counters: Counter[str] = Counter()

    def open(self) -> None:
        """Opens the port exclusively. Raises DeviceError."""
        self._port = open_port(self.name, self.settings)
        self._buffer = b''
        self.echoes = False
        self.events.clear()

    def close(self) -> None:
        """Closes the port. Idempotent."""
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()

    def presence(self) -> tuple[int, int] | None:
        """What the path leads to now; None: nothing."""
        try:
            there = Path(self.name).stat()
        except OSError:
            return None
        return there.st_rdev, there.st_ino

    def counters(self, unit: int = 0) -> Mapping[str, int]:
        """Rising counts; ``unit`` is not used, there is one board."""
        return self._counters

    def count(self, kind: str) -> None:
        """Counts what was wrong with a sound answer: the owner judges it."""
        self._counters[kind] += 1

    def ask(self, command: str, answer_time: float) -> Message:
        """Sends a command and gives its answer, an OK or an NK.

        A board that echoes no sequence number gives none; then what came before the command is
        read away, and the first answer after it is taken.

        Args:
            command: without ``$`` and checksum.
            answer_time: s, the longest the answer may take.

        Raises:
            AnswerError: no answer, or not this one.
            PortLostError: the port does not work any more.
        """
        self._drain()
        self._sequence = self._sequence % 0xFF + 1
        self._write(sealed(f'${command} :{self._sequence:02X}'))
        end = time.monotonic() + answer_time
        bad = 'timeouts'
        while (line := self._line(end - time.monotonic())) is not None:
            message = parse(line)
            if isinstance(message, str):
                bad = message
            elif message.word in _EVENTS:
                self.events.append(message)
            elif message.word not in ('OK', 'NK'):
                bad = 'wrong_answers'
            elif message.sequence == self._sequence or (
                    message.sequence < 0 and not self.echoes):
                self.echoes = message.sequence >= 0
                self._counters['answers'] += 1
                return message
            else:
                self._counters['late_answers'] += 1
        self._counters[bad] += 1
        words = {'timeouts': 'does not answer', 'garbage': 'answers with noise or half a line',
                 'crc_errors': 'answers with a wrong checksum',
                 'wrong_answers': 'answers something that is no RAPI'}[bad]
        raise AnswerError(bad, f'the board on {self.name} ({self.settings}) {words}')

    def _drain(self) -> None:
        """Takes events in; what else came is late and must not be taken for the next answer."""
        end = time.monotonic() + _DRAIN_TIME
        while (line := self._line(0.0)) is not None and time.monotonic() < end:
            message = parse(line)
            if isinstance(message, str):
                self._counters[message] += 1
            elif message.word in _EVENTS:
                self.events.append(message)
            else:
                self._counters['late_answers'] += 1
        self._buffer = b''

    def _line(self, wait: float) -> bytes | None:
        """The next line; None if none ends within ``wait`` s."""
        end = time.monotonic() + wait
        while b'\r' not in self._buffer:
            data = self._read(max(0.0, end - time.monotonic()))
            if data is None:
                return None
            self._buffer = (self._buffer + data)[-_MOST_KEPT:]
        line, _, self._buffer = self._buffer.partition(b'\r')
        return line.strip(b'\n')

    def _read(self, wait: float) -> bytes | None:
        port = self._opened()
        try:
            if not select.select([port.fileno()], [], [], wait)[0]:
                return None
            data = os.read(port.fileno(), 512)
        except OSError as error:
            raise PortLostError(f'{self.name} is lost ({error})') from error
        if not data:
            raise PortLostError(f'{self.name} was unplugged')
        return data

    def _write(self, data: bytes) -> None:
        try:
            self._opened().write(data)
        except OSError as error:
            raise PortLostError(f'{self.name} takes no data ({error})') from error

    def _opened(self) -> serial.Serial:
        if self._port is None:
            raise PortLostError(f'{self.name} is not open')
        return self._port
