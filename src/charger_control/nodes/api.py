"""The api node: what clients set, kept in the store, as one limit with an expiry of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from charger_control.core import api as core
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.moment import Moment
from charger_control.ros.convert import seconds
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import DECISION, LIMIT_API, LIMITS_DOCUMENT, METER, SET_LIMITS
from charger_control.ros.node import BlockNode
from charger_control.ros.parameters import Param
from charger_control.ros.runner import run
from charger_control.store import BusyError, CorruptError, Store, StoreError, moment, store_file

ROOM, KEY = 'api', 'limits'
RETRY_PERIOD = 5.0
"""s between two tries to read a store that cannot be read."""
OVERDUE_RATE = 4.0
"""Hz at which slow writes are looked for."""
STEP = 0.1
"""A, a change of the limit by what is measured (voltage, phases) that is published at once."""

PARAMS = (
    Param('phases', 3, 'phases connected to this charge point, for W -> A', low=1, high=3),
    Param('has_phase_shutoff', False, 'this charge point can switch to one phase'),
    Param('on_timeout_amperage', math.nan, 'what is held once values have lapsed; .nan: they are '
          'released', 'A', low=0.0, high=80.0, nan=True),
    Param('unreadable_amperage', 0.0, 'what holds while the store is there but cannot be read, so '
          'that nobody knows what clients have set', 'A', low=0.0, high=80.0),
    Param('meter_timeout', 11.0, 'for how long measured voltages and phases count, for W -> A',
          's', low=0.5, high=300.0),
    Param('state_dir', '', "folder of the store; '': ~/.local/state/charger_control/<namespace>"),
    Param('store_timeout', 1.5, 'how long an answer waits for the store', 's', low=0.1, high=30.0),
    Param('rate', 1.0, 'how often the limit is repeated', 'Hz', low=0.5, high=10.0),
)


@dataclass(frozen=True, slots=True)
class _Writing:
    """A write that is under way: its future, and until when (s) its answer waits for it."""

    number: int
    raises: bool
    future: Future[None]
    deadline: float


def config_of(values: dict[str, Any]) -> core.ApiConfig:
    """The block's configuration from the parameters."""
    return core.ApiConfig(values['phases'], values['on_timeout_amperage'], values['meter_timeout'],
                          values['has_phase_shutoff'], values['unreadable_amperage'])


def request_of(request: Any) -> core.SetLimits:
    """A SetLimits service request as the core takes it."""
    taken = {f.name: getattr(request, f.name) for f in fields(core.SetLimits)}
    return core.SetLimits(**(taken | {'timeout': seconds(request.timeout)}))


class Api(BlockNode):
    """Publishes limits/api and its document at its rate and on each change; answers set_limits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('api', PARAMS, **kwargs)
        self._api = core.Api(self.checked(config_of))
        self._closed = False
        self._writing: _Writing | None = None
        self._answers: dict[int, tuple[Callable[..., None], float]] = {}
        self._trouble = ''
        self._retry_at = math.inf
        self._refused = 0
        self._last = AmperageLimit(math.nan)
        self._publish_limit = self.publisher(LIMIT_API)
        self._publish_document = self.publisher(LIMITS_DOCUMENT)
        clock = self._simulated_moment if self.get_parameter('use_sim_time').value else moment
        self._store = Store(store_file(self.values['state_dir'], self.get_namespace()),
                            busy_timeout=0.9 * self.values['store_timeout'], clock=clock)
        self._replacements = self._store.replacements
        self._restore()
        self.hear(METER, self._on_meter)
        self.hear(DECISION, self._on_decision)
        self.serve(SET_LIMITS, self._on_set_limits)
        self.every(self.values['rate'], self._publish)
        self.every(OVERDUE_RATE, self._look_after_store)
        self._publish()

    def _simulated_moment(self) -> Moment:
        return Moment('', self.now(), self.wall(), True)

    def _restore(self) -> None:
        """Goes on with what is stored; what cannot be read now is tried again."""
        was, self._trouble = self._trouble, ''
        try:
            stored = self._store.get(ROOM, KEY)
            if self._store.moved_aside and not was:
                raise CorruptError(self._store.problem())
            self._api.restore(stored, self._store.last_beat, self._store.present)
        except (CorruptError, ValueError) as error:
            self._trouble = str(error)
            self._api.restore_unreadable()
        except StoreError as error:
            self._trouble = str(error)
            self._retry_at = self.now() + RETRY_PERIOD
            self._api.restore_later()
        if self._trouble and self._trouble != was:
            self.get_logger().error(self._trouble)
        self._write_next()

    # -- inputs ----------------------------------------------------------------------------------
    def _on_meter(self, heard: Heard[Any]) -> None:
        self._api.hear_meter(heard)
        self._publish_if_changed()

    def _on_decision(self, heard: Heard[Any]) -> None:
        self._api.hear_decision(heard)
        self._publish_if_changed()

    def _on_set_limits(self, request: Any, answer: Callable[..., None]) -> None:
        try:
            number = self._api.propose(request_of(request), self._store.present)
        except core.RefusedError as error:
            self._refused += 1
            answer(success=False, code=error.code, message=str(error))
            return
        self._publish()  # before it is written: what lowers acts at once
        self._answers[number] = answer, self.now() + self.values['store_timeout']
        self._write_next()

    # -- the store -------------------------------------------------------------------------------
    def _write_next(self) -> None:
        write = self._api.next_write(self._store.present) if self._writing is None else None
        if write is None:
            return
        future = self._store.put(ROOM, KEY, write.stored)
        self._writing = _Writing(write.number, write.raises, future,
                                 self.now() + self.values['store_timeout'])
        future.add_done_callback(partial(self._on_written, write.number))

    def _on_written(self, number: int, future: Future[None]) -> None:
        """In the store's thread: hands the result over to the executor's."""
        executor = self.executor
        if self._closed or executor is None or future.cancelled():
            return
        executor.create_task(lambda: self.faults.run(
            'what the store answered', lambda: self._written(number, future.exception())))

    def _written(self, number: int, error: BaseException | None) -> None:
        """The write under way has ended, or is given up."""
        if self._writing is None or self._writing.number != number:
            return
        self._writing = None
        self._settle(number, error)
        self._write_next()

    def _settle(self, number: int, error: BaseException | None) -> None:
        may_be_written = error is not None and getattr(error, 'may_be_written', True)
        answers = self._api.settle(number, '' if error is None else str(error),
                                   may_be_written=may_be_written)
        self._publish()
        for given in answers:
            answer, _ = self._answers.pop(given.number)
            answer(success=given.success, code=given.code, message=given.message)

    def _look_after_store(self) -> None:
        """Gives slow writes up, and writes again what the store refused or lost."""
        now, writing = self.now(), self._writing
        slow = BusyError(f'the store {self._store.file} is slow: not written within '
                         f'{self.values["store_timeout"]:g} s')
        if writing is not None:
            # what was written before this node had an executor is settled here
            if writing.future.done() and not writing.future.cancelled():
                self._written(writing.number, writing.future.exception())
            # a raise that may still reach the disk is not refused: then it would act after all
            elif now >= writing.deadline and (writing.future.cancel() or not writing.raises):
                self._written(writing.number, slow)
        for number, (_, deadline) in list(self._answers.items()):
            if now >= deadline and (self._writing is None or self._writing.number != number):
                self._settle(number, BusyError(self._trouble) if self._trouble else slow)
        if self._store.replacements != self._replacements:
            self._replacements = self._store.replacements
            self._api.lost(self._store.problem() or 'the file of the store was replaced')
        if now >= self._retry_at:
            self._retry_at = math.inf
            self._restore()
        self._write_next()

    def make_safe(self, why: str) -> None:
        """A client may have said stop."""
        self._publish_limit(AmperageLimit(0.0, reason=why))

    # -- outputs ---------------------------------------------------------------------------------
    def _publish(self) -> None:
        now = self.now()
        self._last = self._api.limit(now)
        self._publish_limit(self._last)
        self._publish_document(self._api.document(now))

    def _publish_if_changed(self) -> None:
        new, last = self._api.limit(self.now()).amperage, self._last.amperage
        if math.isnan(new) != math.isnan(last) or abs(new - last) >= STEP:
            self._publish()

    def health(self) -> list[Health]:
        """The limit in force, and the store."""
        limit, problem = self._last, self._trouble or self._store.problem()
        unsaved = self._api.unsaved
        return [
            Health('limit', Level.WARN if unsaved else Level.OK,
                   f'{limit.reason} (until restart only)' if unsaved else limit.reason,
                   {'amperage': f'{limit.amperage:g}', 'refused_requests': self._refused}),
            Health('store', Level.ERROR if problem else Level.OK, problem or 'OK',
                   {'file': self._store.file, 'waiting': self._store.waiting}),
        ]

    def close(self) -> None:
        """Writes what waits."""
        self._closed = True
        self._store.close()


def main() -> int:
    """Runs the node in its own process."""
    return run([Api])
