"""Signed meter values: what is asked of a meter at start and end of a session, step by step.

A procedure is a generator of requests; the meter's driver puts each between two of its readings,
so sampling goes on. Nothing here waits. The record is OCMF as the meter signed it.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from charger_control.drivers.interfaces import AnswerError, Clock, Signed, SignedDone

RETRY = 5.0
"""s after which a procedure that failed begins again."""
GIVE_UP = 90.0
"""s after a request until its failure is final."""


class SigningError(Exception):
    """The meter refuses to sign; the text says why."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    Attributes:
        function: 3 (read), 6 (write ``values[0]``) or 16 (write).
        address: first register, as on the wire.
        count: registers to read.
        values: to write.
        after: s to wait before.
        is_patient: the meter is busy signing: no answer is no failure, and reads as ``[]``.
    """

    function: int
    address: int
    count: int = 0
    values: tuple[int, ...] = ()
    after: float = 0.0
    is_patient: bool = False


Steps = Generator[Ask, list[int], tuple[str, str]]
"""Requests; their answers come back; at the end record and public key, '' for what there is not."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a record is asked for.

    Attributes:
        kind: 'start' or 'stop'.
        tag: the session's id; it is part of the record.
        wall: unix s now.
        offset: min of local time ahead of UTC.
    """

    kind: str
    tag: str
    wall: float
    offset: int


Procedure = Callable[[Occasion], Steps]


def registers_of(text: bytes, count: int = 0) -> tuple[int, ...]:
    """Text in registers, two characters each; ``count``: padded to so many."""
    padded = text.ljust(max(2 * count, len(text) + len(text) % 2), b'\0')
    return tuple(int.from_bytes(padded[i:i + 2], 'big') for i in range(0, len(padded), 2))


def text_of(registers: list[int]) -> bytes:
    """The bytes in registers."""
    return b''.join(register.to_bytes(2, 'big') for register in registers)


def chunks(address: int, count: int, most: int) -> Iterator[tuple[int, int]]:
    """First register and number of each of the reads that ``count`` registers take."""
    for at in range(0, count, most):
        yield address + at, min(most, count - at)


@dataclass(slots=True)
class _Job:
    occasion: Occasion
    done: SignedDone
    until: float
    error: str = ''


class Signer:
    """The records asked of one meter, in the order in which they were asked for.

    ``request`` may be called from any thread; the rest is for the bus's thread.
    """

    def __init__(self, procedure: Procedure, clock: Clock) -> None:
        self._procedure = procedure
        self._now = clock
        self._jobs: deque[_Job] = deque()
        self._lock = threading.Lock()
        self._steps: Steps | None = None
        self._ask = Ask(0, 0)
        self._at = 0.0

    def request(self, occasion: Occasion, done: SignedDone) -> None:
        """Asks for a record; ``done`` is called once, from the bus's thread."""
        with self._lock:
            self._jobs.append(_Job(occasion, done, self._now() + GIVE_UP))

    def due(self) -> float:
        """s, when the next request is to go out; infinity if none is."""
        return self._at if self._jobs else math.inf

    def step(self, line: Any, unit: int, answer_time: float) -> None:
        """Makes one request. Raises AnswerError (then call ``failed``) or PortLostError."""
        job = self._jobs[0]
        if self._now() > job.until:
            self._finish(Signed(job.occasion.kind, error=job.error or 'the meter did not answer'))
            return
        if self._steps is None:
            self._steps = self._procedure(job.occasion)
            self._go_on(None)
            return
        ask = self._ask
        if ask.function == 16:
            line.write(unit, ask.address, ask.values, answer_time)
            self._go_on([])
        elif ask.function == 6:
            line.write_one(unit, ask.address, ask.values[0], answer_time)
            self._go_on([])
        else:
            self._go_on(line.read(unit, ask.function, ask.address, ask.count, answer_time))

    def failed(self, error: AnswerError) -> None:
        """Hears what ``step`` raised."""
        if self._ask.is_patient and error.kind != 'exceptions' and self._steps is not None:
            self._go_on([])
        else:
            self._again(str(error))

    def interrupt(self, error: str) -> None:
        """The line is lost: what was begun begins again."""
        if self._steps is not None:
            self._again(error)

    def _go_on(self, answer: list[int] | None) -> None:
        assert self._steps is not None
        try:
            self._ask = next(self._steps) if answer is None else self._steps.send(answer)
        except StopIteration as end:
            record, key = end.value
            self._finish(Signed(self._jobs[0].occasion.kind, record, key))
        except SigningError as error:
            self._again(str(error))
        else:
            self._at = self._now() + self._ask.after

    def _again(self, error: str) -> None:
        self._jobs[0].error = error
        if self._steps is not None:
            self._steps.close()
        self._steps, self._at = None, self._now() + RETRY

    def _finish(self, signed: Signed) -> None:
        with self._lock:
            job = self._jobs.popleft()
        self._steps, self._at = None, self._now()
        job.done(signed)
