"""EVracing EVSE-DIN and EVSE-WB behind interfaces.CurrentPilot (registers: registers.py).

The board has no heartbeat of its own and keeps an offer for ever, so this driver trusts nothing:
"no offer" (0, the same in either unit and any firmware) is written first, whatever can be read;
what the board holds is compared with what it was told at each poll, its unit and power-on current
are read at each connection and again every second. How many registers it has, and whether it counts
in 0.01 A, it is asked (unit.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from charger_control.drivers.interfaces import AnswerError
from charger_control.drivers.lines.bus import Bus, Turn
from charger_control.drivers.lines.modbus_rtu import READ_HOLDING, ModbusLine
from charger_control.drivers.pilots.board_check import BoardCheck
from charger_control.drivers.pilots.board_pilot import DEAD_MAN, NO_DEAD_MAN, BoardPilot
from charger_control.drivers.pilots.evse_din.registers import (
    FINE,
    OLD_FIRMWARE,
    WHOLE,
    Live,
    SetUp,
    amperes,
    assess,
    objection,
    raw_offer,
    reading,
    register_map,
)
from charger_control.drivers.pilots.evse_din.unit import UNIT_TEST, BlockRead, OffWatch, UnitProof

UNIT_TRUST_TIME = 0.5
"""s after which the unit is read again before an offer rises from 0: a board that restarted while
nothing was offered shows no other sign of it."""
OFFER_SETTLE_TIME = 0.3
"""s for which 1001 may still show the offer before a lower one."""
Action = Callable[[ModbusLine, float], None]
"""One transaction of a board, given its line and the time."""
Plan = tuple[Action, Turn]


@dataclass(frozen=True, slots=True)
class EvseDinConfig:
    """How an EVSE-DIN/EVSE-WB is run.

    Attributes:
        timeout: s without an answer after which the reading is no longer published.
        fine_steps: count in 0.01 A; sets the board's bit for it and asks whether it acts.
        set_power_on_current: write 0 as current after a restart, and clear "disable after charge";
            else a board with either is refused.
        tethered: the cable is fixed, so no cable rating is reported.
        rate: Hz of polling.
        dead_man: s without a call of ``offer`` after which "no offer" is written.
        check_interval: s between two readings of unit and power-on current.
    """

    timeout: float = 1.5
    fine_steps: bool = False
    set_power_on_current: bool = True
    tethered: bool = False
    rate: float = 5.0
    dead_man: float = DEAD_MAN
    check_interval: float = 1.0


class EvseDin(BoardPilot):
    """Implements interfaces.CurrentPilot."""

    def __init__(self, bus: Bus[ModbusLine], unit: int, config: EvseDinConfig) -> None:
        """``unit``: Modbus address."""
        self._board = register_map()
        super().__init__(bus, unit, self._board.quiet, self._board.answer_time,
                         timeout=config.timeout, dead_man=config.dead_man)
        self._config = config
        self.step = FINE if config.fine_steps else WHOLE
        self._identity |= {'model': self._board.model, 'dead_man': NO_DEAD_MAN}
        # All below belongs to the bus's thread.
        self._held: set[int] | None = None
        """Raw offers that the board may hold, told by us; None: never met."""
        self._introduced = False
        """Whether the board was seen or made to offer nothing, so that what it holds is ours."""
        self._introduces_next = True
        """Whether to write that now; until it is acknowledged, writing and reading take turns."""
        self._fresh = False
        """Whether the last request was answered, so that the board did not just restart."""
        self._is_off = False
        """Whether the board is told to be off, whatever register 1000 says."""
        self._firmware = 0
        self._lowered = (0.0, -math.inf)
        """A offered before the last lowering, and until when it may still be seen."""
        self._poll_at = 0.0
        self._live, self._set_up = BlockRead(*self._board.live), BlockRead(*self._board.set_up)
        self._proof = UnitProof()
        self._off = OffWatch()
        self._check = BoardCheck(config.check_interval)

    def _raw(self, amperage: float | None) -> int:
        return raw_offer(amperage, self.step)

    def _met_anew(self) -> None:
        self._check.start(self._now())
        self._live.met_anew()
        self._set_up.met_anew()
        if not any(self._held or ()):   # else what it offers tells
            self._proof.forget()

    def turn(self, now: float) -> Turn:
        """See bus.Device."""
        return self._plan(now)[1]

    def transact(self, line: ModbusLine) -> None:
        """See bus.Device."""
        now = self._now()
        action, _ = self._plan(now)
        try:
            action(line, now)
        except AnswerError as error:
            block = (self._live if action == self._read_live
                     else self._set_up if action == self._read_set_up else None)
            if block is not None and block.failed():
                raise       # older firmware has fewer registers
            if error.kind == 'exceptions' and action in (self._read_set_up, self._write_set_up):
                self._check.refuse(self._now(), f'its set-up cannot be read or written: {error}')
            raise
        self._failures = 0

    def failed(self, error: AnswerError) -> None:
        """See bus.Device."""
        self._fresh = False
        super().failed(error)

    def line_up(self) -> None:
        """See bus.Device."""
        self._fresh = False
        super().line_up()

    def _target(self, now: float) -> int:
        """The raw offer that the board should hold now."""
        check = self._check
        if check.refusal or not self._introduced or check.changes_unit:
            return 0
        ordered = self._ordered(now)
        untried = self._config.fine_steps and not self._proof.given
        return UNIT_TEST if ordered and untried else ordered

    def _plan(self, now: float) -> Plan:
        """What to do next, and when."""
        target = self._target(now)
        return (self._plan_lowering(now, target) or self._plan_offer(now, target)
                or self._plan_routine())

    def _plan_lowering(self, now: float, target: int) -> Plan | None:
        """The way to a lower offer. Zero, and whole amperes, can be written whatever the board is;
        a number in 0.01 A means a hundred times as much to a board that lost that unit."""
        at = self._retry_at
        if self._closing:
            return self._write_offer, self._farewell(now)
        if not self._introduced and self._introduces_next:
            return self._write_offer, Turn(at, urgent=True, write=True)
        if self._held is None or max(self._held) <= target:
            return None
        if target and self._config.fine_steps:
            if not self._fresh:
                return self._read_live, Turn(at, urgent=True)
            if not self._check.verified:
                return self._plan_check(at, urgent=True)
        return self._write_offer, Turn(at, urgent=True, write=True)

    def _plan_offer(self, now: float, target: int) -> Plan | None:
        """What the board must be told, once it is known that it still is what it was."""
        at = self._retry_at
        if self._held is None or not self._fresh:
            return self._read_live, Turn(at)
        off = self._is_opening(now)
        if off != self._is_off:
            return self._write_command, Turn(at, urgent=off, write=True)
        if self._check.verified and self._held != {target}:
            if (self._config.fine_steps and self._held == {0}
                    and now - self._check.verified_at > UNIT_TRUST_TIME):
                return self._plan_check(at)
            return self._write_offer, Turn(at, write=True)
        return None

    def _plan_routine(self) -> Plan:
        if self._check.at < self._poll_at:
            return self._plan_check(max(self._retry_at, self._check.at))
        return self._read_live, Turn(max(self._retry_at, self._poll_at))

    def _plan_check(self, at: float, *, urgent: bool = False) -> Plan:
        if self._check.pending:
            return self._write_set_up, Turn(at, urgent, write=True)
        return self._read_set_up, Turn(at, urgent)

    def _write_offer(self, line: ModbusLine, now: float) -> None:
        target = self._target(now)
        before = self._held or set()
        self._introduces_next = False
        if not target:
            self._count_dead_man(now)
        self._held = before | {target}
        line.write(self._unit, self._board.address['set_current'], [target], self.answer_time)
        self._held = {target}
        now = self._now()
        self._proof.told(now, target)
        # what it had by itself until now may have been anything
        earlier = max(map(amperes, before), default=0.0) if self._introduced else math.inf
        self._introduced = self._introduced or not target
        if earlier > amperes(target):
            self._lowered = (earlier, now + OFFER_SETTLE_TIME)
        self._poll_at = now
        if self._closing and not target:
            self._said_farewell.set()

    def _write_command(self, line: ModbusLine, now: float) -> None:
        off = self._is_opening(now)
        line.write(self._unit, self._board.address['command'], [int(off)], self.answer_time)
        self._is_off = off
        self._counts['contactor_opened'] += off
        self._poll_at = self._now()

    def _read_live(self, line: ModbusLine, now: float) -> None:
        period = 1.0 / self._config.rate
        # on schedule if it can be caught up with, else from now on
        self._poll_at = (self._poll_at if now - self._poll_at < period else now) + period
        self._introduces_next = not self._introduced
        registers = line.read(self._unit, READ_HOLDING, *self._live.request, self.answer_time)
        now = self._now()
        live = Live.of(registers)
        self._live.answered(may_have_more=live.firmware > OLD_FIRMWARE)
        self._fresh = True
        self._firmware = live.firmware
        self._identity['firmware'] = str(live.firmware)
        self._is_off = live.turned_off
        self._compare(live, now)
        check = self._check
        self._counts['objections'] = check.objections
        if check.was_verified or check.refusal:
            self._publish(check.refusal or check.note or self._off.words(
                now, live, self._held or {0}), reading(
                live, tethered=self._config.tethered, refusal=check.refusal), now)
        else:
            self._publish('its set-up is being checked')

    def _compare(self, live: Live, now: float) -> None:
        """Takes what the board holds, and objects to what it should not."""
        earlier, until = self._lowered
        excused = earlier if now < until and not self._check.refusal else 0.0
        if self._held is None or not self._introduced:
            self._introduced = not live.set_current and not live.offered
            self._held = {max(live.set_current, live.offered)}
            return
        self._check.suspicion = objection(live, self._held, excused, self.step)
        if self._config.fine_steps:
            self._proof.take(now, live)
        if self._check.suspicion:
            self._held = {max(live.set_current, live.offered)}
            if not self._check.refusal:
                self._check.refuse(now, self._check.suspicion)
            return
        if live.set_current not in self._held:
            self._counts['restarts'] += 1
            self._check.doubt(now, f'it holds {amperes(live.set_current):g} A, told was '
                                   f'{max(map(amperes, self._held)):g} A: it restarted, and is '
                                   'being checked')
        self._held = {live.set_current}

    def _read_set_up(self, line: ModbusLine, now: float) -> None:
        registers = line.read(self._unit, READ_HOLDING, *self._set_up.request, self.answer_time)
        now = self._now()
        self._set_up.answered(may_have_more=False)  # of the more there is nothing that is needed
        set_up = SetUp.of(registers)
        self._identity['power_on_current'] = str(set_up.power_on_current)
        self._identity['configuration'] = f'0x{set_up.configuration:04x}'
        self._check.take(now, assess(
            self._firmware, set_up, fine_steps=self._config.fine_steps,
            set_power_on_current=self._config.set_power_on_current, refuted=self._proof.refuted))

    def _write_set_up(self, line: ModbusLine, now: float) -> None:
        name, value = self._check.writing(now)
        line.write(self._unit, self._board.address[name], [value], self.answer_time)
        self._counts['set_up_writes'] += 1
        if name == 'configuration':
            self._proof.forget()
        self._check.written(self._now())
