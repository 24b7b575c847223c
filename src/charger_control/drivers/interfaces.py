"""The small interfaces between nodes and devices. A driver implements one; a node is given one.

A driver owns a thread (its own, or that of the serial line it shares) and never blocks its caller:
``latest`` returns at once what the thread has read. Times are seconds on the clock that the driver
was given (CLOCK_BOOTTIME by default).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from charger_control.core.iso61851 import PilotReading
from charger_control.core.iso61851.raw.types import RawOrder, RawReading
from charger_control.core.messages.meter_reading import MeterReading

T_co = TypeVar('T_co', covariant=True)
Clock = Callable[[], float]
"""Seconds on a clock that only moves forward."""


class DeviceError(Exception):
    """A device or its line does not do what it should; the text names it and what to do."""


class PortLostError(DeviceError):
    """The port itself does not work any more: unplugged, replaced, blocked."""


class SettingsError(DeviceError):
    """A port is there, and cannot be run with these settings of the line."""


class AnswerError(DeviceError):
    """One device did not answer, or not what was asked."""

    def __init__(self, kind: str, text: str) -> None:
        """``kind``: the counter it belongs to, as in ``Sample.counters``."""
        super().__init__(text)
        self.kind = kind

    @property
    def may_come_late(self) -> bool:
        """Whether the answer may still be under way."""
        return self.kind not in ('exceptions', 'crc_errors')


@dataclass(frozen=True, slots=True)
class Sample(Generic[T_co]):
    """What a device answered last, and how it does.

    Attributes:
        value: the last good answer, None before the first.
        at: s, the driver's clock when that answer arrived; 0 before the first.
        error: '' while the device answers, else what is wrong, in words.
        counters: rising counts since start, for diagnostics: 'answers'; of what went wrong
            'timeouts', 'crc_errors', 'exceptions', 'wrong_ids', 'wrong_answers', 'garbage' (noise,
            half frames), 'late_answers'; 'reconnects'; more as a driver needs.
        identity: what the device said of itself: 'model', 'serial_number', 'firmware', ...
    """

    value: T_co | None
    at: float = 0.0
    error: str = ''
    counters: Mapping[str, int] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)


class Meter(Protocol):
    """A meter that is read on its own thread."""

    timeout: float
    """s without an answer after which the reading is no longer published."""

    def start(self) -> None:
        """Starts reading. Returns at once; what cannot be opened is an error of the sample."""

    def latest(self) -> Sample[MeterReading]:
        """The last sample; never blocks."""

    def close(self) -> None:
        """Ends the thread and frees the port. Idempotent; returns within 2 s."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a meter has signed.

    Attributes:
        kind: 'start' or 'stop' of a session.
        record: OCMF; '' where the meter gives none on this occasion, or on an error.
        public_key: DER, hexadecimal; '' unknown.
        error: why there is no record; ''.
    """

    kind: str
    record: str = ''
    public_key: str = ''
    error: str = ''


SignedDone = Callable[[Signed], None]


@runtime_checkable
class SigningMeter(Meter, Protocol):
    """A meter that signs its values, if it is set up to do so."""

    signs: bool
    """Whether it is."""

    def sign(self, kind: str, tag: str, done: SignedDone) -> None:
        """Asks for a signed record. Returns at once; sampling goes on meanwhile.

        Args:
            kind: 'start' or 'stop' of a session.
            tag: the session's id; it is part of the record.
            done: called once, from the driver's thread, at the latest 2 min later; a lost line
                delays that, and after ``close`` it is not called.
        """


@runtime_checkable
class CurrentPilot(Protocol):
    """A board that owns duty cycle, diode check and contactor and is told an amperage.

    The dead-man is here: if ``offer`` was not called for ``dead_man`` s (1 s), the driver's thread
    writes "no offer" to the board by itself.
    """

    timeout: float
    """s without an answer after which the reading is no longer published."""
    step: float
    """A, the least change the board can signal (0.01, 0.06, 1.0)."""

    def start(self) -> None:
        """Starts polling. At each (re)connect the board's identity, units and power-on current are
        checked before anything is offered; what is wrong is an error of the sample."""

    def offer(self, amperage: float | None) -> None:
        """Sets the offer in A per phase, None for no offer. Returns at once; a lower offer goes
        before everything else on the line. Repeating the same value feeds the dead-man."""

    def open_contactor(self) -> None:
        """Opens the contactor under load: the vehicle ignored "no offer". Returns at once; holds
        for 1 s after the last call, then the board may close it again for an offer."""

    def latest(self) -> Sample[PilotReading]:
        """The last answer of the board; never blocks."""

    def close(self) -> None:
        """Writes "no offer" if the board can be reached, ends the thread, frees the port.
        Idempotent; returns within 2 s."""


@runtime_checkable
class VehicleWaker(Protocol):
    """A pilot whose board can show state F, which wakes a vehicle that sleeps."""

    def wake(self, seconds: float) -> None:
        """Shows state F for so long, then the offer again. Returns at once; forgotten if the
        vehicle does not wait in B any more, or the offer ends. The reading says B with no offer
        meanwhile: whether the vehicle is still there cannot be seen at -12 V."""


@dataclass(frozen=True, slots=True)
class KeptFault:
    """A fault of the board; ``cause`` as in PilotReading."""

    words: str
    cause: str


@runtime_checkable
class FaultKeeper(Protocol):
    """A pilot whose driver keeps a fault of the board, because the board itself forgets it."""

    def kept_fault(self) -> KeptFault | None:
        """What is kept, None for nothing; never blocks."""

    def keep_fault(self, fault: KeptFault) -> None:
        """Keeps what an earlier process kept, until the place is seen empty or it is reset."""

    def reset_fault(self) -> bool:
        """Forgets it after a person has looked; False if there was none. Returns at once; it comes
        back while the board has it."""


@runtime_checkable
class RawPilot(Protocol):
    """Hardware that only puts out and measures: duty cycle, pilot levels, contactor, phases.

    Its thread samples at 200 Hz or more and runs ``core.iso61851.raw_guard.PilotGuard`` on each
    sample, which holds the dead-man (no order for 1 s: "no offer", then open), opens the contactor
    within 25 ms of a new level, and refuses what would be unsafe.
    """

    timeout: float
    """s without a sample after which the reading is no longer published."""
    step: float
    """A, the least change it can signal."""
    switches_phases: bool
    """Whether the contactor can switch L2 and L3 apart from L1."""

    def start(self) -> None:
        """Starts sampling, with "no offer" and the contactor open. Returns at once; what cannot be
        opened is an error of the sample, and tried again."""

    def order(self, order: RawOrder) -> None:
        """What to put out from now on. Returns at once; every call feeds the dead-man."""

    def latest(self) -> Sample[RawReading]:
        """What the thread knows; never blocks."""

    def close(self) -> None:
        """Puts out "no offer", opens the contactor, ends the thread. Idempotent; within 2 s."""


Pilot = CurrentPilot | RawPilot
"""Either kind; docs/architecture.md, Two kinds of pilot hardware."""
