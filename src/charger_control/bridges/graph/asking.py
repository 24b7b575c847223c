"""From a checked request to a node's answer, seen from the web thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import gevent
from gevent.event import AsyncResult

from charger_control.bridges.graph.documents import Json
from charger_control.bridges.graph.errors import RequestError
from charger_control.bridges.graph.limits_input import as_json
from charger_control.bridges.graph.records import Change
from charger_control.core.api.types import SetLimits

log = logging.getLogger(__name__)

DEADLINE = 2.0
"""s for a node to answer."""
RETRY = 0.1
"""s between looks for a node's service while there is none (it may just be starting)."""
COOL_DOWN = 1.0
"""s after a failure in which further writes fail at once, so that old commands do not pile up."""
MAX_IN_FLIGHT = 32
"""Writes that wait for an answer at once."""
LONGEST_LINE = 300
"""Characters of values in a line of the log."""
STATUS = {'OutOfRange': 400, 'NothingSet': 400, 'NotSupported': 409,
          'StoreFailed': 507}
"""HTTP status of the codes of SetLimits; others are 500."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a service.

    Attributes:
        service: its name in the table of ``ros.interfaces``.
        fields: of the request, by name; texts and numbers.
    """

    service: str
    fields: Mapping[str, str | float]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node said; success, code and message as in the service's definition.

    Attributes:
        success: whether it was done.
        code: one word for programs.
        message: one line for a person.
        document: JSON that was asked for; '' none.
        timeout: s for which what was done holds; 0: without end.
    """

    success: bool
    code: str
    message: str
    document: str = ''
    timeout: float = 0.0


Reply = Callable[[Answer | None], None]
"""Takes the answer, or None where there is no node to ask; from any thread."""
Ask = Callable[[SetLimits | Call, Reply], None]
"""Has a node asked; returns at once."""


class Asker:
    """Asks one node and waits for it, without holding the web thread up."""

    def __init__(self, node: str, ask: Ask, soon: Callable[[Callable[[], None]], None],
                 clock: Callable[[], float]) -> None:
        """``node``: its name; ``soon``: has something called in the web thread."""
        self._node, self._ask, self._soon, self._clock = node, ask, soon, clock
        self._in_flight = 0
        self._failing_until = 0.0
        self.failed = 0

    def __call__(self, request: SetLimits | Call) -> Answer:
        """The node's answer; RequestError 503 where there is none."""
        now = self._clock()
        if now < self._failing_until or self._in_flight >= MAX_IN_FLIGHT:
            raise RequestError(503, 'Busy', f'the {self._node} node did not answer just now; '
                               'nothing was done, try again in a second',
                               headers={'Retry-After': '1'})
        self._in_flight += 1
        try:
            return self._answer(request, now + DEADLINE)
        except RequestError:
            self.failed += 1
            self._failing_until = self._clock() + COOL_DOWN
            raise
        finally:
            self._in_flight -= 1

    def _answer(self, request: SetLimits | Call, deadline: float) -> Answer:
        while True:
            result = AsyncResult()
            self._ask(request, partial(self._hand_over, result))
            result.wait(max(0.0, deadline - self._clock()))
            if not result.ready():
                raise RequestError(503, 'NoAnswer', f'the {self._node} node did not answer in '
                                   f'{DEADLINE:g} s; whether it did what was asked is not known: '
                                   'read it, or ask again', headers={'Retry-After': '1'})
            answer: Answer | None = result.get()
            if answer is not None:
                return answer
            if self._clock() + RETRY > deadline:
                raise RequestError(503, 'NotRunning', f'the {self._node} node is not running; '
                                   'nothing was done', headers={'Retry-After': '1'})
            gevent.sleep(RETRY)

    def _hand_over(self, result: AsyncResult, answer: Answer | None) -> None:
        """An answer, in whatever thread it came, as the result that a greenlet waits for."""
        self._soon(partial(result.set, answer))


Record = Callable[[Change], None]
"""Keeps a write."""


class NodeWriter:
    """Has one node do something, and keeps a record of each write."""

    def __init__(self, asker: Asker, charger: str, record: Record) -> None:
        """``charger``: its name in records."""
        self._asker, self._charger, self._record = asker, charger, record
        self.written = 0

    def ask(self, call: SetLimits | Call) -> Answer:
        """The node's answer to a question that changes nothing; RequestError 503 without one."""
        return self._asker(call)

    def __call__(self, call: SetLimits | Call, what: str, who: str, old: Json, new: Json,
                 status: Mapping[str, int], otherwise: int = 400) -> Answer:
        """Has the node do what is asked.

        Args:
            call: what is asked.
            what: it is about, e.g. 'limits'.
            who: asks.
            old, new: values, for the record.
            status: HTTP status of the codes that the node refuses with.
            otherwise: that of all other codes.

        Raises:
            RequestError: it was refused, or there is no answer (503).
        """
        of = f'{what} of {self._charger}' if self._charger else what
        try:
            answer = self._asker(call)
            if not answer.success:
                code = status.get(answer.code, otherwise)
                raise RequestError(code, answer.code, answer.message,
                                   headers={'Retry-After': '1'} if code == 503 else None)
        except RequestError as error:
            log.info('%s: %s: %s: not done: %s: %s', who, of, short(new), error.code, error.detail)
            self._record(Change(self._charger, what, who, old, new, error.code))
            raise
        self.written += 1
        log.info('%s: %s: %s; before: %s', who, of, short(new), short(old))
        self._record(Change(self._charger, what, who, old, new, 'ok'))
        return answer

    @property
    def failed(self) -> int:
        """How often there was no answer."""
        return self._asker.failed


def short(values: Json) -> str:
    """Values for a line of the log."""
    text = ', '.join(f'{name} {value}' for name, value in values.items())
    return text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + '…'


class LimitsWriter:
    """Sets limits through the api node."""

    def __init__(self, writer: NodeWriter, now_set: Callable[[], Json]) -> None:
        """``now_set``: the limits as they are."""
        self._writer, self._now_set = writer, now_set

    @property
    def written(self) -> int:
        """How often limits were set."""
        return self._writer.written

    @property
    def failed(self) -> int:
        """How often there was no answer."""
        return self._writer.failed

    def __call__(self, change: SetLimits) -> str:
        """Applies a change.

        Returns:
            '' or a warning about how it was applied.

        Raises:
            RequestError: it was refused (400, 507), or there is no answer (503).
        """
        new, before = as_json(change), self._now_set()
        old = {name: before[name] for name in new}
        answer = self._writer(change, 'limits', change.client, old, new, STATUS, 500)
        return '' if answer.code in ('', 'OK') else answer.message
