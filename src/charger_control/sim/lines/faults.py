"""Faults of a device on the line, injected at run time: what becomes of an answer."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from charger_control.sim.lines.modbus_rtu import crc16, frame

KINDS = {
    'silence': 'neither hears nor answers',
    'no_answer': 'does what it is told, its answer is lost',
    'garbage': 'random bytes instead of the answer',
    'noise': 'random bytes before a good answer',
    'bad_crc': 'an answer with a wrong checksum',
    'wrong_id': 'a good answer under the next unit id',
    'wrong_function': 'a good answer to another function',
    'short_answer': 'a good answer with one register too few',
    'half_frame': 'the first half of the answer',
    'exception': 'a Modbus exception (code)',
    'late': 'the answer comes so many s later (delay)',
}
"""Name and meaning of every fault."""


@dataclass(slots=True)
class Fault:
    """A fault in force.

    Attributes:
        kind: one of KINDS.
        until: s, when it ends by itself.
        count: answers that it still hits.
        probability: that it hits an answer, ratio.
        delay: s, for 'late'.
        code: for 'exception'.
    """

    kind: str
    until: float = math.inf
    count: float = math.inf
    probability: float = 1.0
    delay: float = 1.0
    code: int = 4


class Faults:
    """The faults of one device.

    Args:
        rng: what decides and makes garbage.
        tell: called with the time, the kind and whether it begins or ends.
    """

    def __init__(self, rng: random.Random, tell: Callable[[float, str, bool], None]) -> None:
        self._random = rng
        self._tell = tell
        self._active: dict[str, Fault] = {}

    def set(self, fault: Fault, now: float) -> None:
        """Puts a fault into force, in place of one of the same kind."""
        self._active[fault.kind] = fault
        self._tell(now, fault.kind, True)

    def clear(self, now: float, kind: str = '') -> None:
        """Ends one kind of fault, or all of them ('')."""
        for name in [kind] if kind else list(self._active):
            if self._active.pop(name, None):
                self._tell(now, name, False)

    def active(self) -> list[str]:
        """The kinds in force."""
        return list(self._active)

    def next_end(self) -> float:
        """s, when a fault ends by itself next."""
        return min((fault.until for fault in self._active.values()), default=math.inf)

    def step(self, now: float) -> None:
        """Ends what is over at ``now`` s."""
        for fault in [f for f in self._active.values() if now >= f.until]:
            self.clear(now, fault.kind)

    def hit(self, kind: str, now: float) -> Fault | None:
        """The fault of that kind if it strikes now; counts the strike."""
        fault = self._active.get(kind)
        if fault is None or (fault.probability < 1.0
                             and self._random.random() >= fault.probability):
            return None
        fault.count -= 1
        if fault.count <= 0:
            self.clear(now, kind)
        return fault

    def garbage(self, size: int) -> bytes:
        """Random bytes."""
        return self._random.randbytes(size)

    def spoil(self, unit: int, request: bytes, pdu: bytes, now: float) -> tuple[bytes, float]:
        """What goes over the line instead of the good answer ``pdu``, and how much later in s."""
        if fault := self.hit('exception', now):
            pdu = bytes([request[0] | 0x80, fault.code])
        if self.hit('short_answer', now) and pdu[0] in (3, 4) and pdu[1] > 2:
            pdu = bytes([pdu[0], pdu[1] - 2]) + pdu[2:-2]
        if self.hit('wrong_function', now):
            pdu = bytes([pdu[0] ^ 7]) + pdu[1:]     # 3 and 4 change places
        data = frame(unit + 1 if self.hit('wrong_id', now) else unit, pdu)
        if self.hit('bad_crc', now):
            data = data[:-2] + bytes(byte ^ 0x5A for byte in crc16(data[:-2]))
        if self.hit('half_frame', now):
            data = data[:len(data) // 2]
        if self.hit('garbage', now):
            data = self.garbage(len(data))
        if self.hit('noise', now):
            data = self.garbage(self._random.randint(1, 8)) + data
        late = self.hit('late', now)
        return data, late.delay if late else 0.0
