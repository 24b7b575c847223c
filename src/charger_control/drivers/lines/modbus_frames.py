"""Finds the answer to a request in the bytes of a Modbus RTU line. Pure; for
meters/registers.py."""

from __future__ import annotations

from collections import Counter

from pymodbus.framer import FramerRTU

EXCEPTION_LENGTH = 5
WRITE_ANSWER_LENGTH = 8
_READS = (1, 2, 3, 4)
_WRITES = (5, 6, 15, 16)
_KEPT = 512
"""Bytes looked at: two of the longest frames; a line that never falls silent is not kept whole."""


def read_answer_length(registers: int) -> int:
    """Bytes of the answer to a read of that many registers."""
    return 5 + 2 * registers


def bits_answer_length(bits: int) -> int:
    """Bytes of the answer to a read of that many bits."""
    return 5 + (bits + 7) // 8


def _length(data: bytes | memoryview) -> int | None:
    """Bytes of the answer that begins like this; 0: too short to say, None: no answer does."""
    if len(data) < 2:
        return 0
    function = data[1]
    if function & 0x80:
        return EXCEPTION_LENGTH if function & 0x7F in _READS + _WRITES else None
    if function in _WRITES:
        return WRITE_ANSWER_LENGTH
    if function not in _READS:
        return None
    return 5 + data[2] if len(data) > 2 else 0


def is_sound(frame: bytes) -> bool:
    """Whether the CRC of a frame is right."""
    return bool(FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], 'big')))


class AnswerReader:
    """Takes bytes as they come and hands out the one frame that answers a request.

    A sound frame of another unit, function or length is passed over: it is a late answer to an
    earlier request. Bytes that belong to no sound frame are passed over too.
    """

    def __init__(self, unit: int, function: int, length: int) -> None:
        """``length``: bytes of the answer, if it is no exception."""
        self._unit = unit
        self._function = function
        self.length = length
        self._buffer = b''
        self._seen = False
        self.strays: Counter[int] = Counter()
        """Sound frames that do not answer the request, by unit."""

    def feed(self, data: bytes) -> bytes | None:
        """The answer once it is complete, else None."""
        self._seen = self._seen or bool(data)
        self._buffer = (self._buffer + data)[-_KEPT:]
        at = 0
        while at < len(self._buffer):
            length = _length(memoryview(self._buffer)[at:])
            if length:
                frame = self._buffer[at:at + length]
                if len(frame) == length and is_sound(frame):
                    if self._answers(frame):
                        return frame
                    self.strays[frame[0]] += 1
                    self._buffer = self._buffer[at + length:]
                    at = 0
                    continue
            at += 1
        return None

    def _answers(self, frame: bytes) -> bool:
        if frame[0] != self._unit or frame[1] & 0x7F != self._function:
            return False
        return bool(frame[1] & 0x80) or len(frame) == self.length

    @property
    def began(self) -> bool:
        """Whether the answer has begun: a silence now is its end."""
        head = self._buffer[:2]
        return len(head) == 2 and head[0] == self._unit and head[1] & 0x7F == self._function

    @property
    def missing(self) -> int:
        """Bytes that must still come at least; 0 when nothing has come or all is there."""
        if not self._buffer:
            return 0
        expected = (self.length if self.began and not self._buffer[1] & 0x80
                    else EXCEPTION_LENGTH)
        return max(0, expected - len(self._buffer))

    def verdict(self) -> str:
        """What went wrong when no answer was found: the name of a counter."""
        if self.began:
            return 'garbage' if self.missing else 'crc_errors'
        if self.strays[self._unit]:
            return 'wrong_answers'
        if self.strays:
            return 'wrong_ids'
        return 'garbage' if self._seen else 'timeouts'
