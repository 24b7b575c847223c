"""The API block: requests in, one limit out. What is asked for is acted on in the right order.

Raising is written before it acts; lowering acts first, is written next, answered last. While a
raise is on its way to the disk, the lowest of everything asked for is in force.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charger_control.core.api.course import lowest
from charger_control.core.api.types import ApiConfig, Limits, SetLimits
from charger_control.core.api.values import Values, restored
from charger_control.core.cppwm_controller.types import Decision
from charger_control.core.fiscal_meter import MeterReading
from charger_control.core.heard import Heard
from charger_control.core.limits import FOREVER, AmperageLimit
from charger_control.core.moment import Moment
from charger_control.core.power import Supply

REWRITE_PERIOD = 5.0
"""s between tries to write what the store has refused."""
UNTIL_RESTART, FAILED = 'UntilRestart', 'StoreFailed'
"""Codes of answers, beside OK and those of ``RefusedError``."""


@dataclass(frozen=True, slots=True)
class Change:
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
    number: int
    request: SetLimits | None
    values: Values
    raises: bool
    asked_at: float
    result: str | None = None


class Api:
    """The API block of one charge point."""

    def __init__(self, config: ApiConfig) -> None:
        self._config = config
        self._values = Values()
        self._pending: list[_Pending] = []
        self._number = 0
        self._failed_at = 0
        self._unsaved = ''
        self._rewrite_at = -math.inf
        self._supply = Supply(config.phases, switches=config.has_phase_shutoff,
                              timeout=config.meter_timeout)

    # -- inputs ----------------------------------------------------------------------------------
    def restore(self, stored: Mapping[str, Any], beat: Moment | None, present: Moment) -> Change:
        """Goes on with stored values (see ``values.restored``); ValueError if they are none.

        Returns:
            What is to be written: the values with what remains of them now.
        """
        self._values = restored(stored, beat, present)
        return self._add(None, self._values, False, present)

    def restore_unreadable(self) -> None:
        """What was stored cannot be read: it counts as lapsed, and on_timeout_amperage holds."""
        self._values = Values(enabled=True, client='somebody before the store was lost')

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """Measured voltages, and the phases that carry current."""
        self._supply.hear_meter(heard)

    def hear_decision(self, heard: Heard[Decision]) -> None:
        """How many phases are switched on, and whether there is a vehicle."""
        self._supply.hear_decision(heard.at, heard.value.phases, heard.value.requested_amperage)

    # -- requests --------------------------------------------------------------------------------
    def propose(self, request: SetLimits, present: Moment) -> Change:
        """Takes a request; lowering acts from here on. RefusedError if it cannot be taken.

        The change is to be written, and what became of that told to ``settle``.
        """
        now = present.now
        base = self._pending[-1].values if self._pending else self._values
        values = base.applied(request, now)
        raises = self._raises(values, base, now)
        return self._add(request, values, raises, present)

    def rewrite(self, present: Moment) -> Change | None:
        """What must be written again because the store refused it or lost it; None: nothing now."""
        if not self._unsaved or self._pending or present.now < self._rewrite_at:
            return None
        self._rewrite_at = present.now + REWRITE_PERIOD
        return self._add(None, self._values, False, present)

    def lost(self, why: str) -> None:
        """The store has lost what was written; it is to be written again."""
        self._unsaved, self._failed_at = why, self._number
        self._rewrite_at = -math.inf

    def settle(self, number: int, error: str) -> list[Answer]:
        """What became of a write: ``error`` '' for written, else why not.

        Returns:
            The answers that can be given now. Of a change that was settled before: none.
        """
        for item in self._pending:
            if item.number == number:
                item.result = error
        answers: list[Answer] = []
        while self._pending and self._pending[0].result is not None:
            answers += self._settle_first()
        return answers

    # -- outputs ---------------------------------------------------------------------------------
    def limit(self, now: float) -> AmperageLimit:
        """The limit in force."""
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

    def _add(self, request: SetLimits | None, values: Values, raises: bool,
             present: Moment) -> Change:
        self._number += 1
        if not raises and not any(item.raises for item in self._pending):
            self._values = values
        self._pending.append(_Pending(self._number, request, values, raises, present.now))
        return Change(self._number, values.stored(present), raises)

    def _settle_first(self) -> list[Answer]:
        item = self._pending.pop(0)
        if item.result == '':
            if item.number > self._failed_at:
                self._unsaved = ''
            if item.raises:
                self._values = item.values
                for following in self._pending:
                    if following.raises:
                        break
                    self._values = following.values
            return self._answers(item, 'OK', '')
        why = item.result or ''
        self._unsaved, self._failed_at = why, self._number
        if item.request is not None:
            self._rewrite_at = -math.inf
        if not item.raises:
            return self._answers(item, UNTIL_RESTART, why)
        # what was asked for after it was built on it: each is judged again without it
        rest, self._pending = self._pending, []
        answers = self._answers(item, FAILED, why)
        for following in rest:
            code = UNTIL_RESTART
            if following.request is not None:
                values = self._values.applied(following.request, following.asked_at)
                if self._raises(values, self._values, following.asked_at):
                    code = FAILED
                else:
                    self._values = values
            answers += self._answers(following, code, why)
        return answers

    def _answers(self, item: _Pending, code: str, why: str) -> list[Answer]:
        if item.request is None:
            return []
        message = {
            'OK': 'stored and in force',
            UNTIL_RESTART: f'in force until restart only: {why}',
            FAILED: f'nothing was changed: a raise must be stored before it acts, and {why}'}[code]
        return [Answer(item.number, code != FAILED, code, message)]

