"""What an OpenEVSE says of itself (GS, GE, $AT), and what of it is to be believed when.

Source: its firmware 8.2.3, firmware/open_evse/J1772EvseController.cpp and .h, rapi_proc.cpp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.units import MAX_AMPERAGE
from charger_control.drivers.interfaces import KeptFault

UNKNOWN, STATE_A, STATE_B, STATE_C, STATE_D, DIODE = range(6)
SLEEPING, DISABLED = 0xFE, 0xFF
OFF = (SLEEPING, DISABLED)
"""States of a board that sleeps or is disabled: it offers nothing."""
FAULTS = {STATE_D: 'the vehicle asks for ventilation', DIODE: 'diode check failed',
          6: 'residual current (GFCI)', 7: 'no ground', 8: 'relay is stuck',
          9: 'its GFI self-test failed', 0xA: 'too hot', 0xB: 'over-current',
          0xE: 'relay does not close'}
"""Fault states: EVSE_FAULT_STATE_BEGIN is D. In all of them the pilot is a steady +12 V."""
_START_FAULTS = (7, 8, 9)
"""Found by the test at its start (doPost()), after which it does not look for a vehicle."""
_CAUSES = {STATE_D: 'VentilationNotAvailable', DIODE: 'CpDiodeShortCircuit',
           0xB: 'SignalledAmperageExceeded'}
_KNOWN = (*range(0x10), *OFF)
"""Codes of a state; the checksum is weak, and lets one wrong line in 256 pass."""
_LETTERS = {STATE_B: 'B', STATE_C: 'C', STATE_D: 'D'}
_HARD_FAULT, _LIMIT_SLEEP, _LOCKED, _RELAY, _CONNECTED = 0x0002, 0x0004, 0x0008, 0x0040, 0x0100
"""Of vflags: ECVF_HARD_FAULT, _LIMIT_SLEEP, _AUTH_LOCKED, _CHARGING_ON, _EV_CONNECTED."""


@dataclass(frozen=True, slots=True)
class BoardState:
    """One answer.

    Attributes:
        evse: its state.
        pilot: the vehicle's; stands still while it sleeps or is disabled.
        flags: vflags.
        capacity: A, what it offers when it offers.
    """

    evse: int
    pilot: int
    flags: int
    capacity: int

    @property
    def is_off(self) -> bool:
        """Whether it sleeps or is disabled."""
        return self.evse in OFF

    @property
    def fault(self) -> str:
        """What it found wrong, in words; a hard fault goes on beneath any other state."""
        hard = 'a fault that only unplugging ends' if self.flags & _HARD_FAULT else ''
        return FAULTS.get(self.evse, hard)

    @property
    def cause(self) -> str:
        """``fault`` as a cause of PilotReading."""
        return _CAUSES.get(self.evse, 'BoardFault') if self.fault else ''

    @property
    def is_connected(self) -> bool:
        """Whether a vehicle is there; not looked at while disabled."""
        return bool(self.flags & _CONNECTED)

    @property
    def has_relay_on(self) -> bool:
        """Whether it commands the contactor closed; it does not tell whether it is."""
        return bool(self.flags & _RELAY)

    @property
    def is_free(self) -> bool:
        """Whether the place is empty for sure."""
        return not (self.fault or self.is_connected or self.evse == DISABLED)

    @property
    def waits(self) -> bool:
        """Whether a vehicle waits in B with its offer on the pilot, the relay off."""
        return (self.evse == self.pilot == STATE_B and self.is_connected and self.offers > 0
                and not self.has_relay_on)

    @property
    def sleeps_by_limit(self) -> bool:
        """Whether a limit of time or energy put it to sleep."""
        return bool(self.flags & _LIMIT_SLEEP)

    @property
    def offers(self) -> int:
        """A on the pilot; a duty cycle is there in B and C alone, in B not while locked."""
        locked = self.flags & _LOCKED
        return self.capacity if self.evse in (STATE_B, STATE_C) and not (
            self.fault or locked) else 0

    @property
    def letter(self) -> str:
        """A to D, R for a failed diode check, S where it is not known."""
        if self.evse == DISABLED:
            return 'S'
        if self.evse in (STATE_D, DIODE):
            return 'D' if self.evse == STATE_D else 'R'
        if not self.is_connected:
            start = self.evse in _START_FAULTS and not self.flags & _HARD_FAULT
            return 'S' if start else 'A'
        if self.evse in (STATE_A, STATE_B, STATE_C):
            return _LETTERS.get(self.pilot, 'B')
        return 'C' if self.has_relay_on else 'B'


def state_of(evse: str, pilot: str, flags: str, capacity: str) -> BoardState | None:
    """The state from its fields as they are on the line; None for what cannot be."""
    try:
        state = BoardState(int(evse, 16), int(pilot, 16), int(flags, 16), int(capacity))
    except ValueError:
        return None
    known = state.evse in _KNOWN and state.pilot in _KNOWN
    return state if known and 0 <= state.capacity <= MAX_AMPERAGE else None


class FaultLatch:
    """Keeps a fault until the vehicle is unplugged or an operator resets it: the board's own word
    is gone as soon as it is put to sleep, and an offer would start it into the fault again.

    Attributes:
        words, cause: of the fault; '' for none.
        count: of faults so far.
    """

    def __init__(self) -> None:
        self.words = self.cause = ''
        self.count = 0

    def take(self, state: BoardState) -> None:
        """Judges an answer."""
        if state.fault and not self.words:
            self.words, self.cause = state.fault, state.cause
            self.count += 1
        elif state.is_free:
            self.reset()

    @property
    def fault(self) -> KeptFault | None:
        """What is kept, None for nothing."""
        return KeptFault(self.words, self.cause) if self.words else None

    def keep(self, fault: KeptFault) -> None:
        """Takes over what an earlier process kept."""
        if not self.words:
            self.words, self.cause = fault.words, fault.cause

    def reset(self) -> bool:
        """Forgets the fault; False if there was none."""
        had, self.words, self.cause = bool(self.words), '', ''
        return had


class StateF:
    """State F for a while, which wakes a vehicle that sleeps."""

    START_TIME = 2.0
    """s in which it has to begin; then what was asked for is forgotten."""

    def __init__(self) -> None:
        self._asked = (0.0, -math.inf)
        """s, how long and when; swapped whole by any thread."""
        self._until = -math.inf
        self.is_shown = False

    def ask(self, seconds: float, now: float) -> None:
        """Wants it for ``seconds`` from when it is shown."""
        self._asked = (seconds, now)

    def is_due(self, now: float) -> bool:
        """Whether it is to be shown, or shown on."""
        return now < self._until if self.is_shown else now - self._asked[1] < self.START_TIME

    def begin(self, now: float) -> None:
        """The board shows it."""
        self.is_shown, self._until = True, now + self._asked[0]

    def forget(self) -> None:
        """It is over, or must not begin."""
        self.is_shown, self._asked = False, (0.0, -math.inf)


class Waking:
    """When a board that was put to sleep although it is told to offer is woken again: by its
    button, a limit of its own or another program; somebody may have meant it, so not for ever.
    """

    DELAYS = (30.0, 120.0, 600.0)
    """s until each try."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """It is told something else, or the vehicle has left."""
        self._tries = 0
        self._at: float | None = None

    def step(self, now: float, state: BoardState) -> tuple[bool, str]:
        """Whether it is to be woken now, and what to say of it; ``state``: of a board told FE."""
        if not state.is_off:
            self._at = None
            return False, ''
        by = 'a limit of its own' if state.sleeps_by_limit else 'its button or another program'
        words = f'it was put to sleep by {by}'
        if self._tries == len(self.DELAYS):
            return False, f'{words}: press its button, or withdraw the offer and make it again'
        if self._at is None:
            self._at = now + self.DELAYS[self._tries]
        if now < self._at:
            return False, f'{words}; it is woken after {self.DELAYS[self._tries]:.0f} s'
        self._at = None
        self._tries += 1
        return True, words
