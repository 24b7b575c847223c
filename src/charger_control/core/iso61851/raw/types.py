"""What passes between a RawPilot's thread and its block: levels, readings, orders, events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from charger_control.core.units import NAN

STEADY_HIGH = 1.0
"""Ratio: constant +12 V, X1: "not now, stay connected"."""
STEADY_LOW = 0.0
"""Ratio: constant -12 V, state F."""


def is_pwm(duty: float) -> bool:
    """Whether a duty cycle (ratio) is one at all, and no constant level."""
    return STEADY_LOW < duty < STEADY_HIGH


@dataclass(frozen=True, slots=True)
class Levels:
    """One sample of the pilot at the generator.

    Attributes:
        at: s, when it was taken.
        high: V, upper plateau.
        low: V, lower plateau; without PWM the same as ``high``, or what a peak-hold circuit rests
            at.
    """

    at: float
    high: float
    low: float


@dataclass(frozen=True, slots=True)
class RawReading:
    """What the thread of a RawPilot knows.

    Attributes:
        letter: A B C D E F debounced, S before it is known; held while the pilot is constantly low.
        high, low: V, the last plateaus.
        duty: ratio that is put out now.
        diode: whether the vehicle's diode was seen (lower plateau about -12 V) since the PWM runs;
            None: not decided.
        contactor: whether the contactor is told to be closed now.
        feedback: what its auxiliary contact says; None: there is none.
        phases: 1 or 3, what the contactor switches.
        cable_amperage: A, rating of the cable; NaN: tethered or unknown.
        trips: how often the thread has acted against its order; ``trip`` says why the last time.
        opened_at: s, when the contactor was last told to open; -inf: never.
    """

    letter: str
    high: float = NAN
    low: float = NAN
    duty: float = STEADY_HIGH
    diode: bool | None = None
    contactor: bool = False
    feedback: bool | None = None
    phases: int = 3
    cable_amperage: float = NAN
    trips: int = 0
    trip: str = ''
    opened_at: float = float('-inf')


@dataclass(frozen=True, slots=True)
class RawOrder:
    """What the block wants of the thread; it counts for the dead-man's time.

    Attributes:
        duty: ratio; STEADY_HIGH for no offer, STEADY_LOW for state F.
        close_in: letters in which the contactor is to be closed, 'C' or 'CD'; '' for open.
        phases: 1 or 3 that the contactor is to switch, changed only while it is open; 0: as it is.
        stop_time: s after the end of the PWM at which the thread opens the contactor by itself.
        trips: trips that the block knows of; an order that does not know the last one closes
            nothing, and after the dead-man's trip offers nothing.
    """

    duty: float = STEADY_HIGH
    close_in: str = ''
    phases: int = 0
    stop_time: float = 6.0
    trips: int = 0


class EventKind(Enum):
    """What a RawPilot's block tells people."""

    CONNECTED = 'a vehicle is connected'
    DISCONNECTED = 'the vehicle was disconnected'
    READY = 'the vehicle is ready (S2 closed)'
    NOT_READY = 'the vehicle has opened S2'
    OFFERED = 'an offer was made'
    WITHDRAWN = 'the offer was withdrawn'
    CLOSED = 'the contactor was closed'
    OPENED = 'the contactor was opened'
    TRIPPED = 'the sampling thread acted by itself'
    WAKE_UP = 'the vehicle does not react: waking it up'
    NOT_WANTED = 'the vehicle does not want to charge'
    SIMPLIFIED = 'a vehicle without S2'
    PHASES = 'phases are being switched'
    PHASES_DONE = 'phases were switched'
    FAULT = 'fault'
    FAULT_GONE = 'no fault any more'


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        at: s.
        kind: what.
        detail: more of it, in words or figures; '' for nothing.
    """

    at: float
    kind: EventKind
    detail: str = ''
