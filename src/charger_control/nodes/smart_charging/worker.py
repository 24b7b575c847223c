"""A thread for what would hold the executor up: long JSON, long schedules."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from charger_control.nodes.smart_charging.requests import RequestError
from charger_control.ros.node import BlockNode

MAX_WAITING = 32
"""Requests that may wait for their turn."""


class Worker:
    """One thread for what would hold the executor up; results come back in the executor's."""

    def __init__(self, node: BlockNode) -> None:
        self._node = node
        self._pool = ThreadPoolExecutor(1, thread_name_prefix='profiles')
        self._waiting = 0
        self._closed = False

    def do(self, work: Callable[[], Any], then: Callable[[Any], None],
           refuse: Callable[[RequestError], None]) -> None:
        """Has ``work`` done, then ``then`` or ``refuse`` called with what came of it."""
        if self._waiting >= MAX_WAITING:
            refuse(RequestError('Busy', f'{MAX_WAITING} requests wait already; try again'))
            return
        self._waiting += 1
        self._pool.submit(work).add_done_callback(
            lambda done: self.soon(self._finish, done, then, refuse))

    def soon(self, call: Callable[..., None], *arguments: Any) -> None:
        """Has ``call`` called by the executor. From any thread."""
        executor = self._node.executor
        if executor is not None and not self._closed:
            executor.create_task(self._guarded, call, *arguments)

    def close(self) -> None:
        """Drops what waits."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finish(self, done: Future[Any], then: Callable[[Any], None],
                refuse: Callable[[RequestError], None]) -> None:
        self._waiting -= 1
        error = done.exception()
        if error is None:
            then(done.result())
        elif isinstance(error, RequestError):
            refuse(error)
        else:
            refuse(RequestError('InternalError', f'{type(error).__name__}: {error}'))
            self._node.get_logger().error(f'a request failed: {type(error).__name__}: {error}')

    def _guarded(self, call: Callable[..., None], *arguments: Any) -> None:
        # an exception in a task of the events executor is a segmentation fault in Jazzy
        try:
            if not self._closed:
                call(*arguments)
        except Exception as error:  # noqa: BLE001 - see above
            self._node.get_logger().fatal(f'{type(error).__name__}: {error}')
