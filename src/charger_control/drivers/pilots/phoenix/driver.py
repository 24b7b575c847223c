"""Phoenix Contact EV-CC-AC1-M3 (serial) and EM-CP-PP-ETH behind interfaces.CurrentPilot.

The boards hold an offer while nobody speaks to them, so what they hold is compared with what they
were told all the time, and "no offer" (a coil) is written before a board is met, and whenever it
does something by itself. Registers: boards.py.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from charger_control.core.units import MAX_AMPERAGE
from charger_control.drivers.interfaces import AnswerError
from charger_control.drivers.lines.bus import Bus, Turn
from charger_control.drivers.lines.modbus_rtu import ModbusLine
from charger_control.drivers.lines.modbus_tcp import ModbusTcpLine
from charger_control.drivers.pilots.board_check import BoardCheck
from charger_control.drivers.pilots.board_pilot import (
    NO_DEAD_MAN,
    BoardPilot,
    whole_amperes,
)
from charger_control.drivers.pilots.phoenix.boards import Board, PhoenixConfig, Request

Line = ModbusLine | ModbusTcpLine
Action = Callable[[Line], None]
Plan = tuple[Action, Turn]

ABSENT_TIME = 60.0
"""s until a register that the board refused is asked for again: it may have been a mistake."""
SETTLE_TIME = 1.0
"""s for which the board may still show what it offered before it was told otherwise."""


class Phoenix(BoardPilot):
    """Implements interfaces.CurrentPilot."""

    def __init__(self, bus: Bus[Any], unit: int, board: Board, config: PhoenixConfig) -> None:
        """``unit``: Modbus address; ``board``: which of the two."""
        super().__init__(bus, unit, board.table['quiet'], board.table['answer_time'],
                         timeout=config.timeout, dead_man=config.dead_man)
        self._board, self._config = board, config
        self._most = min(MAX_AMPERAGE, float(board.table['most_amperage']))
        self._identity |= {'model': board.table['model'], 'dead_man': NO_DEAD_MAN}
        # All below belongs to the bus's thread.
        self._introduced = False
        """Whether it was told "no offer" once, so that what it holds is ours."""
        self._on: bool | None = None
        self._amperage: int | None = None
        """What the board holds, told by us; None: not known."""
        self._acknowledged = 0
        """A that it was told last and has acknowledged."""
        self._excused = (0, -math.inf)
        """A signaled before the last lowering, and until when it may still be seen."""
        self._opened = False
        """Whether it is told to be in state F."""
        self._answers: dict[Request, Sequence[int]] = {}
        self._absent: dict[Request, float] = {}
        """Registers that it does not have, and s until which they are not asked for."""
        self._polls: deque[Request] = deque()
        self._checks: deque[Request] = deque()
        self._poll_at = self._next_poll = 0.0
        self._check = BoardCheck(config.check_interval)

    def _raw(self, amperage: float | None) -> int:
        return whole_amperes(amperage, self._most)

    def _met_anew(self) -> None:
        self._absent.clear()
        self._look()    # before the check: what it offers now is what matters first
        self._checks.clear()
        self._check.start(self._now())

    def turn(self, now: float) -> Turn:
        """See bus.Device."""
        return self._plan(now)[1]

    def transact(self, line: Line) -> None:
        """See bus.Device."""
        action, _ = self._plan(self._now())
        try:
            action(line)
        except AnswerError as error:
            if error.kind == 'exceptions' and action in (self._read_check, self._write_set_up):
                self._refuse(f'its set-up cannot be read or written: {error}')
            raise
        self._failures = 0

    # -- what to do next -------------------------------------------------------------------------
    def _target(self, now: float) -> int:
        """A that the board should offer now, 0 for none."""
        if self._check.refusal or not self._introduced or self._is_opening(now):
            return 0
        whole = self._ordered(now)
        if self._check.verified:
            return whole
        # not known to be what it was: it may keep what it has, or get less
        if not self._on:
            return 0
        return min(whole, self._acknowledged)

    def _plan(self, now: float) -> Plan:
        """What to do next, and when."""
        if self._closing:
            return self._switch, self._farewell(now)
        return (self._plan_withdrawal(now) or self._plan_offer(self._target(now))
                or self._plan_routine())

    def _plan_withdrawal(self, now: float) -> Plan | None:
        if not self._introduced or (self._on is not False and not self._target(now)):
            return self._switch, Turn(self._retry_at, urgent=True, write=True)
        opening = self._is_opening(now)
        if opening != self._opened and self._board.opening(self._answers) is not None:
            return self._open, Turn(self._retry_at, urgent=opening, write=True)
        return None

    def _plan_offer(self, target: int) -> Plan | None:
        if target and self._amperage != target:
            lower = bool(self._on and (self._amperage is None or target < self._amperage))
            return self._set_amperage, Turn(self._retry_at, urgent=lower, write=True)
        if target and not self._on:
            return self._switch, Turn(self._retry_at, write=True)
        return None

    def _plan_routine(self) -> Plan:
        if self._check.at < self._poll_at:
            at = max(self._retry_at, self._check.at)
            if self._check.pending:
                return self._write_set_up, Turn(at, write=True)
            return self._read_check, Turn(at)
        return self._read_live, Turn(max(self._retry_at, self._poll_at))

    # -- one transaction each --------------------------------------------------------------------
    def _switch(self, line: Line) -> None:
        now = self._now()
        target = self._target(now)
        if target and self._amperage != target:
            return  # asked for since it was planned: amperes come before
        on = bool(target)
        if not on:
            self._count_dead_man(now)
        self._lowering(target)
        self._on = None
        line.write_bit(self._unit, self._board.coil['enable'], on, self.answer_time)
        self._on = on
        self._introduced = self._introduced or not on
        self._look()
        if self._closing and not on:
            self._said_farewell.set()

    def _set_amperage(self, line: Line) -> None:
        target = self._target(self._now())
        if not target:
            return  # withdrawn since it was planned
        self._lowering(target)
        self._amperage = None
        line.write_one(self._unit, self._board.register['set_current'], target, self.answer_time)
        self._amperage = self._acknowledged = target
        self._look()

    def _lowering(self, target: int) -> None:
        told = (self._amperage or 0) if self._on else 0
        if target < told:
            self._excused = (told, self._now() + SETTLE_TIME)

    def _look(self) -> None:
        """Reads what it does from the beginning, at once."""
        self._polls.clear()
        self._poll_at = self._now()

    def _open(self, line: Line) -> None:
        opening = self._is_opening(self._now())
        how = self._board.opening(self._answers)
        if how is None:
            return
        restarts = how.released is None
        if restarts:    # before it is told: it may not answer any more
            self._opened, self._introduced = opening, False
            self._counts['contactor_opened'] += opening
        value = how.value if opening else how.released
        if value is not None:
            line.write_bit(self._unit, how.coil, value, self.answer_time)
        if not restarts:
            self._opened = opening
            self._counts['contactor_opened'] += opening
        self._met_anew()

    def _read(self, line: Line, request: Request) -> None:
        if self._absent.get(request, 0.0) > self._now():
            return
        ask = line.read_bits if request.is_of_bits else line.read
        try:
            answer = ask(self._unit, request.function, request.address, request.count,
                         self.answer_time)
        except AnswerError as error:
            if error.kind != 'exceptions' or request not in self._board.optional:
                raise
            self._answers.pop(request, None)
            self._absent[request] = self._now() + ABSENT_TIME
            return
        self._answers[request] = answer
        if request == self._board.coils:
            self._compare_switch(self._board.is_enabled(self._answers))
        elif request == self._board.current:
            self._compare_amperage(answer[0])

    def _read_live(self, line: Line) -> None:
        if not self._polls:
            now, period = self._now(), 1.0 / self._config.rate
            self._polls.extend(self._board.live)
            # on schedule if it can be caught up with, else from now on
            self._next_poll = (self._poll_at if now - self._poll_at < period else now) + period
        self._read(line, self._polls[0])
        self._polls.popleft()
        if self._polls:
            return
        self._poll_at = self._next_poll
        self._compare_signal(self._board.signaled(self._answers))
        check = self._check
        self._counts['objections'] = check.objections
        if not (check.was_verified or check.refusal):
            self._publish('its set-up is being checked')
            return
        value = self._board.reading(self._answers, tethered=self._config.tethered,
                                    refusal=check.refusal)
        self._publish(check.refusal or check.note, value, self._now())

    def _read_check(self, line: Line) -> None:
        if not self._checks:
            self._checks.extend(self._board.check)
        self._read(line, self._checks[0])
        if not self._checks:
            return  # what came spoke against it: all is asked anew, later
        self._checks.popleft()
        if self._checks:
            return
        self._identity |= self._board.identity(self._answers)
        self._opened = self._opened or self._board.is_held_open(self._answers)
        found = self._board.assess(self._answers, may_write=self._config.may_set_up)
        if found.writes:    # that it charges by itself is what they are to end
            self._check.suspicion = ''
        self._check.take(self._now(), found)

    def _write_set_up(self, line: Line) -> None:
        name, value = self._check.writing(self._now())
        line.write_one(self._unit, self._board.register[name], value, self.answer_time)
        self._counts['set_up_writes'] += 1
        self._check.written(self._now())

    # -- what the board does ---------------------------------------------------------------------
    def _compare_switch(self, on: bool) -> None:
        if on and self._on is False:
            self._suspect('it is enabled though told not to be: it restarted or was set by hand')
        elif self._on and not on:
            self._restarted('it is not enabled any more')
        self._on = on

    def _compare_amperage(self, amperage: int) -> None:
        if self._on and self._amperage is not None and amperage != self._amperage:
            words = f'it holds {amperage} A, told was {self._amperage} A'
            if amperage > self._amperage:
                self._suspect(words)
            else:
                self._restarted(words)
        self._amperage = amperage

    def _compare_signal(self, signaled: int) -> None:
        excused, until = self._excused
        told = (self._amperage or 0) if self._on else 0
        allowed = max(told, excused) if self._now() < until else told
        self._check.suspicion = ''
        if self._introduced and self._on is not None and signaled > allowed:
            self._suspect(f'it offers {signaled} A, told was {told} A')

    def _suspect(self, words: str) -> None:
        self._check.suspicion = words
        if not self._check.refusal:
            self._refuse(words)

    def _refuse(self, words: str) -> None:
        self._check.refuse(self._now(), words)
        self._checks.clear()

    def _restarted(self, words: str) -> None:
        self._counts['restarts'] += 1
        self._check.doubt(self._now(), f'{words}: it restarted, and is being checked')
        self._checks.clear()
