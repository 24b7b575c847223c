"""The simulated OpenEVSE on its line: RAPI as firmware 8.2.3 speaks it (rapi_proc.cpp).

What the board does is in openevse_controller.py. Its checksum and its lines are its own: nothing of
the driver is used. It tells its state by itself (``$AT``) at each change, ``$AB`` after a start.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor
from typing import Any

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.boards.openevse_board import LEAST, MOST
from charger_control.sim.boards.openevse_controller import OpenEvseController
from charger_control.sim.boards.openevse_rules import Flag, State
from charger_control.sim.boards.pilot_board import BoardParameters
from charger_control.sim.lines.faults import Faults
from charger_control.sim.plant.plant import Plant

_MOST_LINE = 32
"""Characters, ESRAPI_BUFLEN; what is longer is forgotten without an answer (doCmd())."""
_TOLD_FLAGS = Flag.EV_CONNECTED | Flag.HARD_FAULT
"""Flags whose change is told (ECVF_CHANGED_TEST)."""
_BITS = 10
_ACKNOWLEDGE = 165


def sealed(text: str) -> bytes:
    """A whole line."""
    return f'{text}^{reduce(xor, text.encode("ascii"), 0):02X}\r'.encode('ascii')


class OpenEvse(OpenEvseController):
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
        self._in_command = False
        self._commands: Mapping[str, Callable[[list[str], float], str]] = {
            'FE': lambda words, now: self._mode(self.enable, 'FE', now),
            'FS': lambda words, now: self._mode(self.sleep, 'FS', now),
            'FD': lambda words, now: self._mode(self.disable, 'FD', now),
            'FR': lambda words, now: self._mode(self.reboot, 'FR', now),
            'SC': self._set_capacity, 'SY': self._supervise,
            'GS': self._state, 'GY': lambda words, now: self._supervision('$OK'),
            'GE': lambda words, now: f'$OK {self.capacity} 0022',
            'GF': lambda words, now: (f'$OK {self.memory.gfi_trips:x} '
                                      f'{self.memory.ground_trips:x} {self.memory.stuck_trips:x}'),
            'GC': lambda words, now: f'$OK {LEAST} {MOST} {self.capacity} {self.memory.amperage}',
            'GV': lambda words, now: '$OK 8.2.3 5.2.1'}
        super().__init__(plant, log, now=now, parameters=parameters)
        if self.parameters.old_rapi:
            self._commands = {name: do for name, do in self._commands.items()
                              if name not in ('SY', 'GY')}

    # -- the controller's ------------------------------------------------------------------------
    def _boot(self, now: float) -> None:
        super()._boot(now)
        self._say(now, f'$AB {self.evse:02x} 8.2.3')            # sendBootNotification()

    def step(self, now: float) -> None:
        """See PilotBoard; what came while it was busy is heard afterwards."""
        super().step(now)
        if self._buffer and now >= self.busy_until:
            self.feed(now, b'')

    def _tell(self, now: float) -> None:
        """RapiSendEvseState(): not within a command, and not what contradicts itself."""
        connected = bool(self.flags & Flag.EV_CONNECTED)
        state = (self.evse, self.pilot_state, self.capacity, self.flags & _TOLD_FLAGS)
        contradicts = self.evse == State.UNKNOWN or (
            self.evse == State.A if connected else self.evse in (State.B, State.C))
        if self._in_command or not self.is_up() or contradicts or state == self._told:
            return
        self._told = state
        self._say(now, f'$AT {self.evse:02x} {self.pilot_state:02x} {self.capacity} '
                       f'{self.flags:04x}')

    # -- its line --------------------------------------------------------------------------------
    def feed(self, now: float, data: bytes) -> None:
        """Takes what the line brought at ``now`` s."""
        self._buffer += data
        while b'\r' in self._buffer and now >= self.busy_until:
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
        if len(line) >= _MOST_LINE:
            return
        if not sound or not body.startswith(b'$'):
            self.counters['bad_lines'] += 1
            self._answer(now, '$NK')
            return
        echo = f' {words.pop()}' if words and words[-1].startswith(':') else ''
        do = self._commands.get(command)
        self._in_command = True
        answer = do(words, now) if do else '$NK'
        self._in_command = False
        if not self.faults.hit('no_answer', now):
            self._answer(now, answer + (echo if self.echoes else ''))
        self._tell(now)

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
    def _mode(self, do: Callable[[float], None], name: str, now: float) -> str:
        do(now)
        self._log.write(now, 'write', name='mode', value=name)
        return '$OK'

    def _state(self, words: list[str], now: float) -> str:
        fields = [f'{self.evse:02x}', '0', f'{self.pilot_state:02x}', f'{self.flags:04x}']
        return ' '.join(['$OK', *fields[:2 if self.parameters.old_rapi else 4]])

    def _set_capacity(self, words: list[str], now: float) -> str:
        if not words or not words[0].isdigit():
            return '$NK'
        wanted, volatile = int(words[0]), len(words) > 1
        if self.over_temperature and wanted > self.capacity:
            return f'$NK {self.capacity}'
        refused = self.set_capacity(now, wanted, volatile=volatile)
        self._log.write(now, 'write', name='capacity', amperage=self.capacity, volatile=volatile)
        return f'${"NK" if refused else "OK"} {self.capacity}'

    def _supervise(self, words: list[str], now: float) -> str:
        if not all(word.isdigit() for word in words) or len(words) > 2:
            return self._supervision('$NK')
        refused = 0
        if len(words) == 2:
            interval, amperage = int(words[0]), int(words[1])
            refused = self.restore(now) if not interval else 0
            self.supervise(now, interval, amperage)
        elif words:
            refused = self.acknowledge(now) if int(words[0]) == _ACKNOWLEDGE else 1
        else:
            refused = self.pulse(now)
        return self._supervision('$NK' if refused else '$OK')

    def _supervision(self, word: str) -> str:
        return f'{word} {self.memory.interval} {self.memory.fallback} {self.triggered}'

    def truth(self) -> dict[str, Any]:
        """See PilotBoard."""
        return {**super().truth(), 'evse': self.evse.name, 'supervision': self.memory.interval,
                'missed': self.triggered == 2, 'eeprom_writes': self.memory.writes}


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
