"""OpenEVSE behind ports.CurrentPilot, over RAPI (rapi.py; source domain.md 5.1).

Sleep (``$FS``, steady +12 V) is "no offer"; it is written first at each connection and whenever
the board says that it started anew. Currents are whole amperes and set volatile (``V``: its EEPROM
would wear out).
The board's heartbeat supervision is switched on: without pulses it falls back to 6 A by itself,
the least that it can; 0 A comes from the dead-man here and from ``withdraw``.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable

from charger_control.core.iso61851 import PilotReading
from charger_control.core.limits import MAX_AMPERAGE, MIN_AMPERAGE
from charger_control.drivers.bus import Bus, Turn
from charger_control.drivers.ports import AnswerError, Sample
from charger_control.drivers.rapi import Message, RapiLine

DEAD_MAN = OPEN_TIME = 1.0
"""s without ``offer`` after which none is made; s for which ``open_contactor`` holds."""
HEARTBEAT, FALLBACK = 5, 6
"""s and A of the board's own supervision."""
RETRY_DELAY, RECHECK_DELAY, FAREWELL_TIME = 0.5, 10.0, 1.2
"""s between requests to a silent board; until a refused one is met anew; that ``close`` waits."""
QUICK_RETRIES, LOST_AFTER = 2, 3
ENABLE, SLEEP, DISABLE = 'FE', 'FS', 'FD'
_LETTERS = {1: 'A', 2: 'B', 3: 'C', 4: 'D', 5: 'R'}
FAULTS = {5: 'diode check failed', 6: 'residual current (GFCI)', 7: 'no ground',
          8: 'relay is stuck', 9: 'its GFI self-test failed', 0xA: 'too hot', 0xB: 'over-current',
          0xE: 'relay does not close'}
_CAUSES = {5: 'CpDiodeShortCircuit', 0xB: 'SignalledAmperageExceeded'}
OFF = (0xFE, 0xFF)
"""States of a board that sleeps or is disabled: it offers nothing."""
_RELAY_CLOSED = 0x40


class OpenEvse:
    """Implements ports.CurrentPilot; all but ``offer``, ``open_contactor``, ``latest`` and
    ``close`` is called from the bus's thread."""

    step = 1.0
    quiet = 0.01
    answer_time = 0.5

    def __init__(self, bus: Bus[RapiLine], timeout: float = 1.5, rate: float = 5.0) -> None:
        """``timeout``: s without an answer, then nothing is published; ``rate``: Hz of polling."""
        self.timeout = timeout
        self._bus, self._now, self._period = bus, bus.clock, 1.0 / rate
        self._order = (0, -math.inf)
        self._open_at = -math.inf
        self._closing = self._is_up = self._was_up = False
        self._said_farewell = threading.Event()
        self._counts: Counter[str] = Counter()
        self._identity = {'model': 'OpenEVSE'}
        self._sample: Sample[PilotReading] = Sample(None, error='not asked yet')
        self._failures, self._retry_at = 0, 0.0
        self._start()

    def _start(self) -> None:
        """Knows nothing of the board any more."""
        self._mode = ''
        self._amperage: int | None = None
        self._introduction: list[Callable[[RapiLine], None]] = [
            self._read_version, self._read_capacity, self._supervise, self._meet]
        self._refusal, self._refused_at = '', 0.0
        self._poll_at = self._pulse_at = 0.0

    def start(self) -> None:
        """See ports.CurrentPilot."""
        self._bus.add(self)

    def latest(self) -> Sample[PilotReading]:
        """See ports.CurrentPilot."""
        return self._sample

    def offer(self, amperage: float | None) -> None:
        """See ports.CurrentPilot."""
        least = MIN_AMPERAGE - 1e-6
        whole = 0 if amperage is None or not math.isfinite(amperage) or amperage < least else (
            math.floor(min(amperage, MAX_AMPERAGE) + 1e-6))
        before, fed = self._order
        self._order = (whole, self._now())
        if whole != before or self._order[1] - fed > DEAD_MAN:
            self._bus.wake()

    def open_contactor(self) -> None:
        """See ports.CurrentPilot."""
        self._open_at = self._now()
        self._bus.wake()

    def close(self) -> None:
        """See ports.CurrentPilot."""
        self._closing = True
        if self._is_up:
            self._bus.wake()
            self._said_farewell.wait(FAREWELL_TIME)
        self._bus.remove(self, timeout=0.7)

    def turn(self, now: float) -> Turn:
        """See bus.Device."""
        _, at, urgent = self._plan(now)
        return Turn(max(at, self._retry_at), urgent, write=urgent and self._bus.line.echoes)

    def transact(self, line: RapiLine) -> None:
        """See bus.Device."""
        now = self._now()
        if self._refusal and now - self._refused_at > RECHECK_DELAY:
            self._start()
        self._plan(now)[0](line)
        self._failures = 0
        while line.events:
            if line.events.popleft().word == 'AB':
                self._counts['restarts'] += 1
                self._start()
            else:
                self._poll_at = 0.0  # something has changed: look now

    def failed(self, error: AnswerError) -> None:
        """See bus.Device."""
        self._failures += 1
        patient = self._failures > QUICK_RETRIES and not self._closing
        self._retry_at = self._now() + (RETRY_DELAY if patient else 0.0)
        if self._failures == LOST_AFTER:
            self._start()
        self._publish(str(error))

    def line_up(self) -> None:
        """See bus.Device."""
        self._counts['reconnects'] += self._was_up
        self._is_up = self._was_up = True
        self._failures, self._retry_at = 0, 0.0
        self._start()

    def line_down(self, error: str) -> None:
        """See bus.Device."""
        self._is_up = False
        if self._closing:
            self._said_farewell.set()
        self._publish(error)

    def _target(self, now: float) -> tuple[str, int]:
        """The mode and the amperes that the board should have."""
        if now - self._open_at < OPEN_TIME and not self._closing:
            return DISABLE, 0
        whole, fed = self._order
        allowed = not (self._closing or self._refusal or self._introduction)
        return (ENABLE, whole) if allowed and whole and now - fed <= DEAD_MAN else (SLEEP, 0)

    def _plan(self, now: float) -> tuple[Callable[[RapiLine], None], float, bool]:
        """What to do next, not before when, and whether before all else."""
        mode, amperage = self._target(now)
        if self._closing:
            idle = 3600.0 if self._said_farewell.is_set() else 0.0
            return self._set_mode, now + idle if idle else 0.0, not idle
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
        whole, fed = self._order
        self._counts['dead_man'] += bool(whole and mode == SLEEP and now - fed > DEAD_MAN)
        self._mode = ''
        if self._demand(line.ask(mode, self.answer_time), mode).tokens:
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
        if taken is None or taken > amperage:
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
        if evse is None or pilot is None or flags is None or capacity is None:
            self._refuse(f'its state is not understood (GS: {state.tokens}, GE: {energy.tokens}): '
                         'is its firmware older than RAPI 5?')
            return
        sleeping = evse in OFF
        if self._mode in (SLEEP, DISABLE) and not sleeping and evse not in FAULTS:
            self._counts['restarts'] += 1  # it offers though told not to: it is not what it was
            self._start()
        offers = 0 if sleeping or evse in FAULTS else capacity
        if self._mode == ENABLE and self._amperage is not None and offers > self._amperage:
            self._refuse(f'it offers {offers} A, told was {self._amperage} A')
        self._publish(self._refusal, self._reading(evse, pilot, flags, offers))

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
        self._refused_at = self._now()
        self._refusal = words
        self._publish(words)

    def _demand(self, answer: Message, command: str) -> Message:
        if answer.word != 'OK':
            raise AnswerError('exceptions', f'the board refuses {command} '
                                            f'(NK {" ".join(answer.tokens)})')
        return answer

    def _publish(self, error: str, value: PilotReading | None = None) -> None:
        at = self._now()
        if value is None:
            value, at = self._sample.value, self._sample.at
        counters = {**self._bus.line.counters(), **self._counts}
        self._sample = Sample(value, at, error, counters, dict(self._identity))


def integer(tokens: tuple[str, ...], base: int) -> int | None:
    """The number in the first token, None where there is none."""
    try:
        return int(tokens[0], base) if tokens else None
    except ValueError:
        return None
