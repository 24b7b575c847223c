"""What an OpenEVSE is asked and told once, when it is met, before it may offer anything."""

from __future__ import annotations

from collections.abc import Callable

from charger_control.core.units import MIN_AMPERAGE
from charger_control.drivers.interfaces import AnswerError
from charger_control.drivers.lines.backoff import Backoff
from charger_control.drivers.lines.bus import Bus
from charger_control.drivers.lines.rapi import Message, RapiLine
from charger_control.drivers.pilots.board_pilot import BoardPilot
from charger_control.drivers.pilots.openevse.state import BoardState, state_of

HEARTBEAT, FALLBACK = 5, 6
"""s and A of the board's own supervision."""
PULSE_INTERVAL = 1.0
"""s between two heartbeats."""
QUIET, ANSWER_TIME = 0.01, 0.5
"""s: of silence between an answer and the next command; the longest an answer may take."""
RECHECK_DELAY, STEADY_TIME = (0.5, 10.0), 60.0
"""s until a refused board is met anew, growing; s without a refusal after which that starts over.
"""
Step = Callable[[RapiLine], None]


class OpenEvseMeeting(BoardPilot):
    """The part of the driver that introduces the board."""

    _line: RapiLine
    _introduction: list[Step]
    """What is still to be asked."""
    _pulse_at: float

    def __init__(self, bus: Bus[RapiLine], timeout: float) -> None:
        super().__init__(bus, 0, QUIET, ANSWER_TIME, timeout=timeout)
        self._delay = Backoff(*RECHECK_DELAY)
        self._refused_at = self._recheck_at = 0.0
        self._refusal = self._raw_state = ''

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

    def _ask_state(self, line: RapiLine) -> BoardState | None:
        """Its state; None for what is not understood."""
        state = self._demand(line.ask('GS', self.answer_time), 'GS').tokens
        energy = self._demand(line.ask('GE', self.answer_time), 'GE').tokens
        self._raw_state = f'GS: {state}, GE: {energy}'
        evse, _, pilot, flags = (*state, '', '', '', '')[:4]
        return state_of(evse, pilot, flags, energy[0] if energy else '')

    def _introducing(self) -> list[Step]:
        return [self._read_version, self._read_capacity, self._read_supervision, self._supervise]

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

    def _read_supervision(self, line: RapiLine) -> None:
        answer = line.ask('GY', self.answer_time)
        before = answer.tokens[:2]
        if answer.word == 'OK' and before != (str(HEARTBEAT), str(FALLBACK)):
            self._identity['supervision_before'] = ' '.join(before)
            self._counts['set_up_writes'] += 1
        self._introduction.pop(0)

    def _supervise(self, line: RapiLine) -> None:
        """Switches its supervision on. The same order clears a missed pulse, and that alone:
        ``SY 165`` sets the EEPROM's current at once (HsRestoreAmpacity)."""
        if line.ask(f'SY {HEARTBEAT} {FALLBACK}', self.answer_time).word != 'OK':
            self._refuse('its firmware has no heartbeat supervision (SY): RAPI 5 is needed')
        self._introduction.pop(0)
        self._pulse_at = self._now() + PULSE_INTERVAL

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
