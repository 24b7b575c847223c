"""From a checked change to the api node's answer, seen from the web thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import gevent
from gevent.event import AsyncResult

from charger_control.bridge.errors import RequestError
from charger_control.bridge.limits_input import in_words
from charger_control.core.api.types import SetLimits

log = logging.getLogger(__name__)

DEADLINE = 2.0
"""s for the api node to answer."""
RETRY = 0.1
"""s between looks for the api node's service while there is none (it may just be starting)."""
COOL_DOWN = 1.0
"""s after a failure in which further writes fail at once, so that old commands do not pile up."""
MAX_IN_FLIGHT = 32
"""Writes that wait for an answer at once."""
STATUS = {'OutOfRange': 400, 'NothingSet': 400, 'StoreFailed': 507}
"""HTTP status of the codes of SetLimits; others are 500."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the api node said; fields as in SetLimits.srv."""

    success: bool
    code: str
    message: str


Reply = Callable[[Answer | None], None]
"""Takes the answer, or None where there is no api node to ask; from any thread."""
Ask = Callable[[SetLimits, Reply], None]
"""Has the api node asked; returns at once."""


class LimitsWriter:
    """Asks the api node and waits for it, without holding the web thread up."""

    def __init__(self, ask: Ask, soon: Callable[[Callable[[], None]], None],
                 clock: Callable[[], float]) -> None:
        """``soon``: has something called in the web thread."""
        self._ask, self._soon, self._clock = ask, soon, clock
        self._in_flight = 0
        self._failing_until = 0.0
        self.written = self.failed = 0

    def __call__(self, change: SetLimits) -> str:
        """Applies a change.

        Returns:
            '' or a warning about how it was applied.

        Raises:
            RequestError: it was refused (400, 507), or there is no answer (503).
        """
        now = self._clock()
        if now < self._failing_until or self._in_flight >= MAX_IN_FLIGHT:
            raise RequestError(503, 'Busy', 'the api node did not answer just now; nothing was '
                               'set, try again in a second', headers={'Retry-After': '1'})
        self._in_flight += 1
        try:
            answer = self._answer(change, now + DEADLINE)
        except RequestError:
            self.failed += 1
            self._failing_until = self._clock() + COOL_DOWN
            raise
        finally:
            self._in_flight -= 1
        if not answer.success:
            log.info('%s: not set (%s): %s: %s', change.client, in_words(change), answer.code,
                     answer.message)
            raise RequestError(STATUS.get(answer.code, 500), answer.code, answer.message)
        self.written += 1
        log.info('%s: set %s', change.client, in_words(change))
        return '' if answer.code in ('', 'OK') else answer.message

    def _answer(self, change: SetLimits, deadline: float) -> Answer:
        while True:
            result = AsyncResult()
            self._ask(change, partial(self._hand_over, result))
            result.wait(max(0.0, deadline - self._clock()))
            if not result.ready():
                raise RequestError(503, 'NoAnswer', f'the api node did not answer in {DEADLINE:g} '
                                   's; whether the limits are set is not known: read them, or '
                                   'set them again', headers={'Retry-After': '1'})
            answer: Answer | None = result.get()
            if answer is not None:
                return answer
            if self._clock() + RETRY > deadline:
                raise RequestError(503, 'NotRunning', 'the api node is not running; nothing was '
                                   'set', headers={'Retry-After': '1'})
            gevent.sleep(RETRY)

    def _hand_over(self, result: AsyncResult, answer: Answer | None) -> None:
        """An answer, in whatever thread it came, as the result that a greenlet waits for."""
        self._soon(partial(result.set, answer))
