"""The simulated OpenEVSE: a board that speaks RAPI (firmware open_evse/rapi_proc.h; domain.md 5.1).

Its checksum and its lines are its own: nothing of the driver is used. It tells its state by itself
(``$AT``) at each change, ``$AB`` after a start, and may do so between a command and its answer. A
start offers what the EEPROM has; without a heartbeat its supervision falls back, once it is on.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor
from typing import Any

from charger_control.sim.board_log import BoardLog
from charger_control.sim.faults import Faults
from charger_control.sim.pilot_board import BoardParameters, PilotBoard
from charger_control.sim.plant import Plant

LEAST, MOST, EEPROM_AMPERAGE = 6, 80, 32
"""A: what it can be set to, and what it keeps as delivered."""
_MOST_LINE = 32
_SLEEP, _DISABLED = 0xFE, 0xFF
_PILOT = {'A': 1, 'B': 2, 'C': 3, 'D': 4}
_FAILURES = {'diode': 5, 'ventilation': 4}
_BITS = 10
_ACKNOWLEDGE = 165


def sealed(text: str) -> bytes:
    """A whole line."""
    return f'{text}^{reduce(xor, text.encode("ascii"), 0):02X}\r'.encode('ascii')


class OpenEvse(PilotBoard):
    """The board, and its serial line: bytes go in with ``feed``, come out of ``step_line``.

    Args:
        faults: what is wrong with its answers.
        baudrate: paces answers; 0: no pacing.
        answer_delay: s that it takes to begin an answer.
        echoes: whether it repeats sequence numbers, as newer firmware does.
    """

    def __init__(self, plant: Plant, log: BoardLog, faults: Faults, *, now: float = 0.0,
                 parameters: BoardParameters | None = None, baudrate: int = 0,
                 answer_delay: float = 0.0, echoes: bool = True) -> None:
        self.faults = faults
        self.answer_delay = answer_delay
        self.echoes = echoes
        self.counters = {'requests': 0, 'answers': 0, 'bad_lines': 0}
        self._character = _BITS / baudrate if baudrate else 0.0
        self._buffer = b''
        self._queue: list[tuple[float, int, bytes]] = []
        self._order = itertools.count()
        self._told: tuple[int, ...] = ()
        self._commands: Mapping[str, Callable[[list[str], float], str]] = {
            'FE': self._enable, 'FS': self._sleep, 'FD': self._disable, 'FR': self._restart,
            'SC': self._set_capacity, 'SY': self._supervise,
            'GS': lambda words, now: ' '.join(('$OK', f'{self._state():02x}', '0',
                                               f'{self._pilot_state():02x}',
                                               f'{self._flags():04x}')),
            'GE': lambda words, now: f'$OK {self._capacity} 0022',
            'GC': lambda words, now: f'$OK {LEAST} {MOST} {self._capacity} {EEPROM_AMPERAGE}',
            'GV': lambda words, now: '$OK 8.2.1 5.2.1'}
        super().__init__(plant, log, now=now, parameters=parameters)

    # -- PilotBoard ------------------------------------------------------------------------------
    def _lose(self) -> None:
        self._mode = 'FE'
        self._capacity = EEPROM_AMPERAGE
        self._interval, self._fallback = 0.0, 0
        self._pulse_at = math.inf
        self._missed = False

    def _boot(self, now: float) -> None:
        self._log.write(now, 'up', set_amperage=self.set_amperage)
        self._say(now, '$AB 00 8.2.1')

    def _tick(self, now: float) -> None:
        if self._interval and not self._missed and now - self._pulse_at > self._interval:
            self._missed = True
            self._log.write(now, 'failure', reason='heartbeat')

    def _wanted(self) -> float:
        return float(min(self._capacity, self._fallback) if self._missed else self._capacity)

    def _is_off(self) -> bool:
        return self._mode == 'FS'

    def _opens_at_once(self) -> bool:
        return False

    def _is_unavailable(self) -> bool:
        return self._mode == 'FD'

    def step(self, now: float) -> None:
        """See PilotBoard; tells what has changed."""
        super().step(now)
        state = (self._state(), self._pilot_state(), self._capacity, self._flags())
        if self.is_up() and state != self._told:
            self._told = state
            self._say(now, f'$AT {state[0]:02x} {state[1]:02x} {state[2]} {state[3]:04x}')

    def _state(self) -> int:
        if self._mode in ('FS', 'FD'):
            return _SLEEP if self._mode == 'FS' else _DISABLED
        return _FAILURES.get(self.failure, self._pilot_state())

    def _pilot_state(self) -> int:
        return _PILOT.get(self.letter, 1)

    def _flags(self) -> int:
        return self.relay << 6 | (self.letter in ('B', 'C', 'D')) << 8

    # -- its line --------------------------------------------------------------------------------
    def feed(self, now: float, data: bytes) -> None:
        """Takes what the line brought at ``now`` s."""
        self._buffer += data
        while b'\r' in self._buffer:
            line, _, self._buffer = self._buffer.partition(b'\r')
            self._hear(now, line)

    def due_line(self) -> float:
        """s, when it sends next; infinity if never."""
        return self._queue[0][0] if self._queue else math.inf

    def step_line(self, now: float) -> bytes:
        """What it sends up to ``now`` s."""
        sent = b''
        while self._queue and self._queue[0][0] <= now:
            sent += heapq.heappop(self._queue)[2]
        return sent

    def forget(self) -> None:
        """The line was cut: what is half received or on its way is lost."""
        self._buffer = b''
        self._queue.clear()

    def _hear(self, now: float, line: bytes) -> None:
        self.counters['requests'] += 1
        if not self.is_up() or self.faults.hit('silence', now):
            return
        body, caret, check = line[max(0, line.rfind(b'$')):].partition(b'^')
        try:
            sound = not caret or int(check, 16) == reduce(xor, body, 0)
            command, *words = body.decode('ascii').removeprefix('$').split(' ')
        except ValueError:
            sound, command, words = False, '', []
        if not sound or not body.startswith(b'$') or len(line) > _MOST_LINE:
            self.counters['bad_lines'] += 1
            self._answer(now, '$NK')
            return
        echo = f' {words.pop()}' if words and words[-1].startswith(':') else ''
        do = self._commands.get(command)
        answer = do(words, now) if do else '$NK'
        self.step(now)
        if not self.faults.hit('no_answer', now):
            self._answer(now, answer + (echo if self.echoes else ''))

    def _answer(self, now: float, text: str) -> None:
        if self.faults.hit('exception', now):
            text = '$NK' + text[text.find(' :'):] if ' :' in text else '$NK'
        data = sealed(text)
        if self.faults.hit('wrong_id', now):
            data = sealed(text.partition(' :')[0] + ' :FE')     # of another command
        if self.faults.hit('wrong_function', now):
            data = sealed('$XX')
        if self.faults.hit('short_answer', now):
            data = sealed('$OK' + text[text.find(' :'):] if ' :' in text else '$OK')
        if self.faults.hit('bad_crc', now):
            data = data[:-3] + f'{int(data[-3:-1], 16) ^ 0x5A:02X}\r'.encode('ascii')
        if self.faults.hit('half_frame', now):
            data = data[:len(data) // 2]
        if self.faults.hit('garbage', now):
            data = self.faults.garbage(len(data))
        if self.faults.hit('noise', now):
            data = self.faults.garbage(4) + data
        late = self.faults.hit('late', now)
        self.counters['answers'] += 1
        self._send(now + self.answer_delay + (late.delay if late else 0.0), data)

    def _say(self, now: float, text: str) -> None:
        self._send(now, sealed(text))

    def _send(self, when: float, data: bytes) -> None:
        heapq.heappush(self._queue, (when + len(data) * self._character, next(self._order), data))

    # -- commands --------------------------------------------------------------------------------
    def _to_mode(self, mode: str, now: float) -> str:
        self._mode = mode
        self._log.write(now, 'write', name='mode', value=mode)
        return '$OK'

    def _enable(self, words: list[str], now: float) -> str:
        return self._to_mode('FE', now)

    def _sleep(self, words: list[str], now: float) -> str:
        return self._to_mode('FS', now)

    def _disable(self, words: list[str], now: float) -> str:
        return self._to_mode('FD', now)

    def _restart(self, words: list[str], now: float) -> str:
        self.reset(now, 'told to restart')
        return '$OK'

    def _set_capacity(self, words: list[str], now: float) -> str:
        if not words or not words[0].isdigit():
            return '$NK'
        wanted = int(words[0])
        self._capacity = min(max(wanted, LEAST), MOST)
        self._log.write(now, 'write', name='capacity', amperage=self._capacity,
                        volatile='V' in words[1:])
        return f'${"OK" if self._capacity == wanted else "NK"} {self._capacity}'

    def _supervise(self, words: list[str], now: float) -> str:
        if len(words) == 2 and all(word.isdigit() for word in words):
            self._interval, self._fallback = float(words[0]), int(words[1])
            self._missed = False
        elif words == [str(_ACKNOWLEDGE)]:
            self._missed = False
        elif words:
            return '$NK'
        self._pulse_at = now
        missed = '$NK' if self._missed else '$OK'
        return f'{missed} {self._interval:g} {self._fallback} {2 * self._missed}'

    def truth(self) -> dict[str, Any]:
        """See PilotBoard."""
        return {**super().truth(), 'mode': self._mode, 'supervision': self._interval,
                'missed': self._missed}


class OpenEvseLine:
    """Its serial line, as ``rtu_line.RtuLine``: nothing else can be on it."""

    name = 'pilot'

    def __init__(self, board: OpenEvse) -> None:
        self._board = board
        self.devices = [self]
        self.counters = board.counters

    def feed(self, now: float, data: bytes) -> None:
        """See RtuLine."""
        self._board.feed(now, data)

    def due(self) -> float:
        """See RtuLine."""
        return self._board.due_line()

    def step(self, now: float) -> bytes:
        """See RtuLine."""
        return self._board.step_line(now)

    def forget(self) -> None:
        """See RtuLine."""
        self._board.forget()
