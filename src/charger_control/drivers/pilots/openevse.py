"""OpenEVSE behind ports.CurrentPilot, over RAPI (rapi.py; source domain.md 5.1).

Sleep (``$FS``, steady +12 V) is "no offer"; it is written first at each connection and whenever
the board says that it started anew. Currents are whole amperes and set volatile (``V``: its EEPROM
would wear out).
The board's heartbeat supervision is switched on: without pulses it falls back to 6 A by itself,
the least that it can; 0 A comes from the dead-man here and from ``withdraw``.
"""

from __future__ import annotations

from collections.abc import Callable

from charger_control.core.iso61851 import PilotReading
from charger_control.core.limits import MAX_AMPERAGE, MIN_AMPERAGE
from charger_control.drivers.backoff import Backoff
from charger_control.drivers.bus import Bus, Turn
from charger_control.drivers.pilots.board_pilot import (
    IDLE,
    QUICK_RETRIES,
    BoardPilot,
    whole_amperes,
)
from charger_control.drivers.ports import AnswerError
from charger_control.drivers.rapi import Message, RapiLine

QUIET, ANSWER_TIME = 0.01, 0.5
"""s: of silence between an answer and the next command; the longest an answer may take."""
HEARTBEAT, FALLBACK = 5, 6
"""s and A of the board's own supervision."""
RECHECK_DELAY, STEADY_TIME = (0.5, 10.0), 60.0
"""s until a refused board is met anew, growing; s without a refusal after which that starts over.
"""
ENABLE, SLEEP, DISABLE = 'FE', 'FS', 'FD'
_LETTERS = {1: 'A', 2: 'B', 3: 'C', 4: 'D', 5: 'R'}
FAULTS = {5: 'diode check failed', 6: 'residual current (GFCI)', 7: 'no ground',
          8: 'relay is stuck', 9: 'its GFI self-test failed', 0xA: 'too hot', 0xB: 'over-current',
          0xE: 'relay does not close'}
_CAUSES = {5: 'CpDiodeShortCircuit', 0xB: 'SignalledAmperageExceeded'}
OFF = (0xFE, 0xFF)
"""States of a board that sleeps or is disabled: it offers nothing."""
_KNOWN = (*range(0x10), *OFF)
"""Codes of a state; the checksum is weak, and lets one wrong line in 256 pass."""
_RELAY_CLOSED = 0x40


class OpenEvse(BoardPilot):
    """Implements ports.CurrentPilot."""

    def __init__(self, bus: Bus[RapiLine], timeout: float = 1.5, rate: float = 5.0) -> None:
        """``timeout``: s without an answer, then nothing is published; ``rate``: Hz of polling."""
        super().__init__(bus, 0, QUIET, ANSWER_TIME, timeout=timeout)
        self._line, self._period = bus.line, 1.0 / rate
        self._identity |= {'model': 'OpenEVSE',
                           'dead_man': f'{FALLBACK} A after {HEARTBEAT} s without heartbeat'}
        self._delay = Backoff(*RECHECK_DELAY)
        self._refused_at = self._recheck_at = 0.0
        self._start()

    def _start(self) -> None:
        """Knows nothing of the board any more."""
        self._mode = ''
        self._amperage: int | None = None
        self._introduction: list[Callable[[RapiLine], None]] = [
            self._read_version, self._read_capacity, self._supervise, self._meet]
        self._refusal = ''
        self._poll_at = self._pulse_at = 0.0

    def _raw(self, amperage: float | None) -> int:
        return whole_amperes(amperage)

    def _met_anew(self) -> None:
        self._start()

    def turn(self, now: float) -> Turn:
        """See bus.Device."""
        _, at, urgent = self._plan(now)
        return Turn(max(at, self._retry_at), urgent, write=urgent and self._line.echoes)

    def transact(self, line: RapiLine) -> None:
        """See bus.Device."""
        now = self._now()
        if self._refusal and now > self._recheck_at:
            self._start()
        self._plan(now)[0](line)
        self._failures = 0
        while line.events:
            if line.events.popleft().word == 'AB':
                self._counts['restarts'] += 1
                self._start()
            else:
                self._poll_at = 0.0  # something has changed: look now

    def _target(self, now: float) -> tuple[str, int]:
        """The mode and the amperes that the board should have."""
        if self._is_opening(now) and not self._closing:
            return DISABLE, 0
        whole = self._ordered(now)
        allowed = not (self._refusal or self._introduction)
        return (ENABLE, whole) if allowed and whole else (SLEEP, 0)

    def _plan(self, now: float) -> tuple[Callable[[RapiLine], None], float, bool]:
        """What to do next, not before when, and whether before all else."""
        mode, amperage = self._target(now)
        if self._closing:
            idle = self._said_farewell.is_set()
            return self._set_mode, now + IDLE if idle else 0.0, not idle
        if mode not in (ENABLE, self._mode):
            return self._set_mode, 0.0, True
        if self._introduction:
            return self._introduction[0], 0.0, False
        if mode == ENABLE:
            if self._amperage != amperage:
                lower = self._amperage is None or amperage < self._amperage
                return self._set_amperage, 0.0, lower
            if self._mode != ENABLE:
                return self._set_mode, 0.0, False
        return self._routine()

    def _routine(self) -> tuple[Callable[[RapiLine], None], float, bool]:
        if self._pulse_at <= self._poll_at:
            return self._pulse, self._pulse_at, False
        return self._read_state, self._poll_at, False

    def _set_mode(self, line: RapiLine) -> None:
        now = self._now()
        mode, amperage = self._target(now)
        if mode == ENABLE and self._amperage != amperage:
            return  # asked for since it was planned: amperes come before
        if mode == SLEEP:
            self._count_dead_man(now)
        self._mode = ''
        if self._demand(line.ask(mode, self.answer_time), mode).tokens:
            self._line.count('wrong_answers')
            raise AnswerError('wrong_answers', f'the board answers something else to {mode}')
        self._mode = mode
        self._counts['contactor_opened'] += mode == DISABLE
        self._poll_at = 0.0
        if self._closing and mode == SLEEP:
            self._said_farewell.set()

    def _set_amperage(self, line: RapiLine) -> None:
        _, amperage = self._target(self._now())
        if not amperage:
            return  # withdrawn since it was planned
        self._amperage = None
        answer = line.ask(f'SC {amperage} V', self.answer_time)
        # NK: it is clamped, or too hot for as much; the answer names what it took instead.
        taken = integer(answer.tokens[:1], 10)
        if taken is None:
            self._line.count('wrong_answers')
            raise AnswerError('wrong_answers', f'the board answers {answer.word} to SC {amperage}')
        if taken > amperage:
            self._refuse(f'it takes {taken} A when told {amperage} A')
            return
        self._amperage = amperage
        self._poll_at = 0.0

    def _read_version(self, line: RapiLine) -> None:
        answer = self._demand(line.ask('GV', self.answer_time), 'GV')
        self._identity['firmware'] = answer.tokens[0] if answer.tokens else ''
        self._identity['protocol'] = answer.tokens[1] if len(answer.tokens) > 1 else ''
        self._introduction.pop(0)

    def _read_capacity(self, line: RapiLine) -> None:
        answer = self._demand(line.ask('GC', self.answer_time), 'GC')
        self._identity['capacity'] = ' '.join(answer.tokens)
        least = integer(answer.tokens[:1], 10)
        if least is None or least < MIN_AMPERAGE:
            self._refuse(f'its least current is {least} A, not 6 A (GC: {answer.tokens})')
        self._introduction.pop(0)

    def _supervise(self, line: RapiLine) -> None:
        command = f'SY {HEARTBEAT} {FALLBACK}'
        self._demand(line.ask(command, self.answer_time), command)
        self._introduction.pop(0)
        self._pulse_at = self._now() + 1.0

    def _meet(self, line: RapiLine) -> None:
        """Reads its state once, before any offer."""
        introduction = self._introduction
        self._read_state(line)
        if introduction is self._introduction:  # else it is not what it was, and begins anew
            introduction.pop(0)

    def _pulse(self, line: RapiLine) -> None:
        self._pulse_at = self._now() + 1.0
        if line.ask('SY', self.answer_time).word == 'NK':  # it fell back, and may have restarted
            self._counts['missed_heartbeats'] += 1
            line.ask('SY 165', self.answer_time)
            self._start()

    def _read_state(self, line: RapiLine) -> None:
        self._poll_at = self._now() + self._period
        state = self._demand(line.ask('GS', self.answer_time), 'GS')
        energy = self._demand(line.ask('GE', self.answer_time), 'GE')
        codes = [integer(state.tokens[i:i + 1], 16) for i in (0, 2, 3)]
        capacity = integer(energy.tokens[:1], 10)
        evse, pilot, flags = codes
        if (evse is None or pilot is None or flags is None or capacity is None
                or evse not in _KNOWN or pilot not in _KNOWN or not 0 <= capacity <= MAX_AMPERAGE):
            self._line.count('wrong_answers')
            words = (f'its state is not understood (GS: {state.tokens}, GE: {energy.tokens}): '
                     'is its firmware older than RAPI 5?')
            if self._failures >= QUICK_RETRIES:
                self._refuse(words)
            raise AnswerError('wrong_answers', words)
        sleeping = evse in OFF
        if self._mode in (SLEEP, DISABLE) and not sleeping and evse not in FAULTS:
            self._counts['restarts'] += 1  # it offers though told not to: it is not what it was
            self._start()
        offers = 0 if sleeping or evse in FAULTS else capacity
        if self._mode == ENABLE and self._amperage is not None and offers > self._amperage:
            self._refuse(f'it offers {offers} A, told was {self._amperage} A')
        self._publish(self._refusal, self._reading(evse, pilot, flags, offers), self._now())

    def _reading(self, evse: int, pilot: int, flags: int, offers: int) -> PilotReading:
        code = evse if evse in FAULTS else pilot
        fault = FAULTS.get(code, '')
        letter = _LETTERS.get(pilot, 'S')
        return PilotReading(
            letter='R' if code == 5 else letter, signaled_amperage=float(offers),
            contactor_closed=bool(flags & _RELAY_CLOSED),
            error='; '.join(filter(None, (self._refusal, fault))),
            error_cause=_CAUSES.get(code, 'BoardFault' if fault or self._refusal else ''),
            unsafe=bool(self._refusal))

    def _refuse(self, words: str) -> None:
        """Withholds every offer until the board is met anew."""
        self._counts['objections'] += words != self._refusal
        now = self._now()
        if not self._refusal:
            if now - self._refused_at > STEADY_TIME:
                self._delay.reset()
            self._recheck_at = now + self._delay.delay()
        self._refused_at = now
        self._refusal = words
        self._publish(words)

    def _demand(self, answer: Message, command: str) -> Message:
        if answer.word != 'OK':
            self._line.count('exceptions')
            raise AnswerError('exceptions', f'the board refuses {command} '
                                            f'(NK {" ".join(answer.tokens)})')
        return answer


def integer(tokens: tuple[str, ...], base: int) -> int | None:
    """The number in the first token, None where there is none."""
    try:
        return int(tokens[0], base) if tokens else None
    except ValueError:
        return None
