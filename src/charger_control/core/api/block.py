"""The API block: requests in, one limit out. What is asked for is acted on in the right order.

Raising is written before it acts; lowering acts first, is written next, answered last. While a
raise is on its way to the disk, the lowest of everything asked for is in force.

One write is under way at a time, and what it says is made when its turn comes: so a raise that the
store has refused is in no later write. Where it may have reached the disk all the same, what is in
force without it is written over it before its refusal is answered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from charger_control.core.api.course import lowest
from charger_control.core.api.types import ApiConfig, SetLimits
from charger_control.core.api.values import Values, restored
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.decision import Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.moment import Moment
from charger_control.core.power import Supply
from charger_control.core.units import FOREVER

REWRITE_PERIOD = 5.0
"""s between tries to write what the store has refused."""
UNTIL_RESTART, FAILED, NO_EFFECT = 'UntilRestart', 'StoreFailed', 'NoEffect'
"""Codes of answers, beside OK and those of ``RefusedError``."""


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be written.

    Attributes:
        number: names the change when its write is settled.
        stored: what to write, JSON.
        raises: it acts only once it is written.
    """

    number: int
    stored: dict[str, Any]
    raises: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the request of change ``number``; fields as in SetLimits.srv."""

    number: int
    success: bool
    code: str
    message: str


@dataclass(slots=True)
class _Pending:
    """A change that is not settled.

    Attributes:
        number: its name.
        request: what was asked for; None: what is in force is written again.
        values: what it makes of the values before it.
        raises: it acts only once it is written.
        asked_at: s.
        begun: its write is under way.
        answered: its answer has been given.
        refused: the answers that wait until this is written: of a raise that could not be.
    """

    number: int
    request: SetLimits | None
    values: Values
    raises: bool
    asked_at: float
    begun: bool = False
    answered: bool = False
    refused: tuple[Answer, ...] = ()


class Api:
    """The API block of one charge point."""

    def __init__(self, config: ApiConfig) -> None:
        self._config = config
        self._values = Values()
        self._pending: list[_Pending] = []
        self._number = 0
        self._failed_at = 0
        self._unsaved = ''
        self._unreadable = False
        self._rewrite_at = -math.inf
        self._supply = Supply(config.phases, switches=config.has_phase_shutoff,
                              timeout=config.meter_timeout)

    # -- inputs ----------------------------------------------------------------------------------
    def restore(self, stored: Mapping[str, Any] | None, beat: Moment | None, present: Moment
                ) -> None:
        """Goes on with stored values (see ``values.restored``); ValueError if they are none.

        What remains of them now is to be written (``next_write``). After ``restore_later``:
        what clients have asked for in between counts on top of them. None: nothing is stored.
        """
        values = Values() if stored is None else restored(stored, beat, present)
        # the hardware may be another one by now
        self._values = replace(
            values, one_phase=values.one_phase and self._config.can_use_one_phase)
        self._unreadable = False
        waiting, self._pending = self._pending, []
        if stored is not None:
            self._add(None, self._values, False, present.now)
        for item in waiting:
            if item.request is not None:
                self._build(item)

    def restore_unreadable(self) -> None:
        """What was stored was damaged: it counts as lapsed, and on_timeout_amperage holds."""
        self._unreadable = False
        self._values = Values(enabled=True, client='somebody before the store was lost')

    def restore_later(self) -> None:
        """What was stored cannot be read now: unreadable_amperage holds until it can."""
        self._unreadable = True

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """Measured voltages, and the phases that carry current."""
        self._supply.hear_meter(heard)

    def hear_decision(self, heard: Heard[Decision]) -> None:
        """How many phases are switched on, and whether there is a vehicle."""
        self._supply.hear_decision(heard.at, heard.value.phases, heard.value.requested_amperage)

    # -- requests --------------------------------------------------------------------------------
    def propose(self, request: SetLimits, present: Moment) -> int:
        """Takes a request; lowering acts from here on. RefusedError if it cannot be taken.

        It is to be written (``next_write``), and what became of that told to ``settle``.

        Returns:
            The number of the change.
        """
        self._config.check_ability(request)
        base = self._pending[-1].values if self._pending else self._values
        values = base.applied(request, present.now)
        return self._add(request, values, self._raises(values, base, present.now), present.now)

    def next_write(self, present: Moment) -> Write | None:
        """What is to be written now: one at a time; None while one is, or where nothing waits."""
        if self._unreadable:
            return None
        if not self._pending and self._unsaved and present.now >= self._rewrite_at:
            self._rewrite_at = present.now + REWRITE_PERIOD
            self._add(None, self._values, False, present.now)
        if not self._pending or self._pending[0].begun:
            return None
        item = self._pending[0]
        item.begun = True
        return Write(item.number, item.values.stored(present), item.raises)

    def lost(self, why: str) -> None:
        """The store has lost what was written; it is to be written again."""
        self._unsaved, self._failed_at = why, self._number
        self._rewrite_at = -math.inf

    def settle(self, number: int, error: str, *, may_be_written: bool = False) -> list[Answer]:
        """What became of a write, or of the wait for one.

        Args:
            number: of the change.
            error: '' for written, else why not.
            may_be_written: it may be on the disk all the same, but will not come there any more:
                a raise whose write is still under way must not be settled.

        Returns:
            The answers that can be given now. Of a change that was settled before: none.
        """
        item = next((item for item in self._pending if item.number == number), None)
        if item is None:
            return []
        if not item.begun:
            return self._give_up(item, error)
        self._pending.remove(item)
        if error:
            return self._failed(item, error, may_be_written)
        if item.number > self._failed_at:
            self._unsaved = ''
        if item.raises:
            self._values = item.values
            self._act()
        return [*item.refused, *self._answers(item, 'OK', '')]

    # -- outputs ---------------------------------------------------------------------------------
    def limit(self, now: float) -> AmperageLimit:
        """The limit in force."""
        if self._unreadable:
            return self._while_unreadable(now)
        supply, hold = self._supply.conversion(now), self._config.on_timeout_amperage
        waiting = [item.values for item in self._pending if item.raises]
        course = lowest([values.course(now, supply, hold)
                         for values in (self._values, *(p.values for p in self._pending))], now)
        reason = self._values.words(now, supply, hold)
        if waiting:
            wanted = waiting[-1].words(now, supply, hold)
            reason += f'; being stored: {wanted.removeprefix("API: ")}'
        return AmperageLimit(course.amperage, 1 if course.one_phase else 0,
                             min(FOREVER, course.until - now), course.after, reason)

    def _while_unreadable(self, now: float) -> AmperageLimit:
        """What holds while nobody knows what is stored: no client can raise it."""
        known = self._config.unreadable_amperage
        for item in self._pending:
            asked = item.values.course(now, self._supply.conversion(now),
                                       self._config.on_timeout_amperage)
            known = min(known, asked.amperage) if asked.amperage >= 0.0 else known
        return AmperageLimit(known, reason=f'API: what clients have set cannot be read from the '
                             f'store: at most {known:g} A until it can')

    def document(self, now: float) -> Limits:
        """The values as clients read them."""
        return self._values.document(now, persistent=not self._unsaved)

    @property
    def unsaved(self) -> str:
        """Why what is in force is not in the store; '' when it is."""
        return self._unsaved

    # -- parts -----------------------------------------------------------------------------------
    def _raises(self, values: Values, before: Values, now: float) -> bool:
        supply, hold = self._supply.conversion(now), self._config.on_timeout_amperage
        return values.course(now, supply, hold).raises(before.course(now, supply, hold), now)

    def _add(self, request: SetLimits | None, values: Values, raises: bool, now: float,
             refused: tuple[Answer, ...] = ()) -> int:
        self._number += 1
        self._pending.append(_Pending(self._number, request, values, raises, now, refused=refused))
        self._act()
        return self._number

    def _act(self) -> None:
        """Brings into force what lowers and waits for no raise."""
        for item in self._pending:
            if item.raises:
                break
            self._values = item.values

    def _build(self, item: _Pending) -> None:
        """Makes a change again on what comes before it now."""
        base = self._pending[-1].values if self._pending else self._values
        if item.request is not None:
            item.values = base.applied(item.request, item.asked_at)
            item.raises = self._raises(item.values, base, item.asked_at)
        self._pending.append(item)
        self._act()

    def _failed(self, item: _Pending, why: str, may_be_written: bool) -> list[Answer]:
        self._unsaved, self._failed_at = why, self._number
        if item.request is not None:
            self._rewrite_at = -math.inf
        if not item.raises:
            return [*item.refused, *self._answers(item, UNTIL_RESTART, why)]
        # what was asked for after it was built on it: each is judged again without it
        rest, self._pending = self._pending, []
        answers = self._answers(item, FAILED, why)
        if may_be_written:
            self._add(None, self._values, False, item.asked_at, tuple(answers))
        for following in rest:
            self._build(following)
        return [] if may_be_written else answers

    def _give_up(self, item: _Pending, why: str) -> list[Answer]:
        """The answer to a change whose write has not begun; a raise is dropped."""
        if not item.raises:
            self._unsaved, self._failed_at = why, self._number
            return self._answers(item, UNTIL_RESTART, why)
        at = self._pending.index(item)
        rest, self._pending = self._pending[at + 1:], self._pending[:at]
        for following in rest:
            self._build(following)
        return self._answers(item, FAILED, why)

    def _answers(self, item: _Pending, code: str, why: str) -> list[Answer]:
        if item.request is None or item.answered:
            return []
        item.answered = True
        if code == 'OK' and item.request.set_phase_rotation and item.request.phase_rotation:
            code = NO_EFFECT
        message = {
            'OK': 'stored and in force',
            NO_EFFECT: 'stored and in force, but for phaseRotation (phase_rotation): this charge '
                       'point cannot rotate its phases',
            UNTIL_RESTART: f'in force until restart only: {why}',
            FAILED: f'nothing was changed: a raise must be stored before it acts, and {why}'}[code]
        return [Answer(item.number, code != FAILED, code, message)]

