"""The store as nodes use it: reads at once, writes in its own thread, nobody waits for a disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from charger_control.core.moment import Moment
from charger_control.core.session.types import SessionRecord
from charger_control.store.clock import moment
from charger_control.store.database import Database
from charger_control.store.errors import BusyError, ClosedError, StoreError
from charger_control.store.operations import Delete, Operation, PutSession, Value, put
from charger_control.store.reader import Reader

MAX_WAITING = 256
"""Writes that may wait for a slow disk; further ones fail at once."""
BEAT_PERIOD = 60.0
"""s between two notes of the time: what is known to have passed when the machine restarts."""
BEAT_ROOM, BEAT_KEY = 'store', 'clock'
CLOSE_TIMEOUT = 2.0
"""s that ``close`` waits for what is still to be written."""


@dataclass(frozen=True, slots=True)
class _Write:
    operations: tuple[Operation, ...]
    future: Future[None]


class Store(Reader):
    """One node's way to the store. Several, in one process or many, may have the same file.

    Writes return a Future at once: its result is None once the write is on the disk, its exception
    a StoreError. Callbacks (``add_done_callback``) run in the store's thread. ``cancel`` succeeds
    while the write has not begun; then it never happens. Writes of one Store happen in the order
    in which they were asked for.

    Attributes:
        error: why the last write, or the opening, failed; None after a success.
        moved_aside: damaged files that this Store found and moved, with what was in them.
        replacements: how often the file had to be opened again, because it was damaged, deleted
            or moved: what was written before may be gone, write again what matters.
        last_beat: the last note of the time that was in the file when it was opened; None: none.
        present: the present as it may be written down; trusted only if the wall clock is
            synchronised and not before the last trusted one that was stored.
    """

    def __init__(self, file: Path, *, busy_timeout: float = 5.0, max_size: int = 64 << 20,
                 beat_period: float = BEAT_PERIOD, clock: Callable[[], Moment] = moment) -> None:
        """Opens the file; that it cannot be opened is no exception but ``error``."""
        super().__init__(file)
        self.error: StoreError | None = None
        self._database = Database(file, busy_timeout, max_size)
        self._clock = clock
        self._beat_period = beat_period
        self._writes: deque[_Write] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self.last_beat: Moment | None = None
        self._trusted_wall = 0.0
        try:
            self._database.open()
            self._read_beat()
        except StoreError as error:
            self.error = error
        self._thread = threading.Thread(target=self._run, name=f'store {file.name}', daemon=True)
        self._thread.start()

    # -- writing ---------------------------------------------------------------------------------
    def write(self, *operations: Operation) -> Future[None]:
        """Writes all of ``operations`` or none of them."""
        write = _Write(operations, Future())
        with self._changed:
            if self._closing:
                refusal: StoreError | None = ClosedError(f'store {self.file}: it is closed')
            elif len(self._writes) >= MAX_WAITING:
                refusal = BusyError(f'store {self.file}: {MAX_WAITING} writes wait already (the '
                                    f'disk is too slow, or hangs)')
            else:
                refusal = None
                self._writes.append(write)
                self._changed.notify()
        if refusal is not None:
            self.error = refusal
            write.future.set_exception(refusal)
        return write.future

    def put(self, room: str, key: str, value: Value) -> Future[None]:
        """Sets a value. ``room``: the block that owns it; ``value``: what JSON can carry."""
        return self.write(put(room, key, value))

    def delete(self, room: str, key: str) -> Future[None]:
        """Removes a value."""
        return self.write(Delete(room, key))

    def put_session(self, record: SessionRecord) -> Future[None]:
        """Sets a charging session."""
        return self.write(PutSession(record))

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Writes what waits, for at most ``timeout`` s; what is left fails with ClosedError."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        with self._changed:
            left = list(self._writes)
            self._writes.clear()
        for write in left:
            if write.future.set_running_or_notify_cancel():
                write.future.set_exception(ClosedError(f'store {self.file}: closed before this '
                                                       f'was written'))

    # -- state -----------------------------------------------------------------------------------
    @property
    def waiting(self) -> int:
        """Writes that have not begun."""
        return len(self._writes)

    @property
    def moved_aside(self) -> list[Path]:
        """Damaged files that were moved, newest last."""
        return list(self._database.moved_aside)

    @property
    def replacements(self) -> int:
        """How often the file was opened again since the start."""
        return max(0, self._database.opened - 1)

    @property
    def present(self) -> Moment:
        """The present, for what is to be stored."""
        now = self._clock()
        return replace(now, trusted=now.trusted and now.wall >= self._trusted_wall)

    def problem(self) -> str:
        """What a person should know, in one line; '' when all is well."""
        if self.error is not None:
            return str(self.error)
        return self._database.why_moved

    # -- the thread ------------------------------------------------------------------------------
    def _run(self) -> None:
        next_beat = time.monotonic() + self._beat_period
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._writes or self._closing,
                                       max(0.0, next_beat - time.monotonic()))
                batch = list(self._writes)
                self._writes.clear()
                if self._closing and not batch:
                    break
            self._serve([w for w in batch if w.future.set_running_or_notify_cancel()])
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self._beat_period
                self._beat()
        self._database.close()

    def _serve(self, batch: Sequence[_Write]) -> None:
        """One transaction for all that waits; one each where that fails, so that none suffers."""
        try:
            if batch:
                self._commit([operation for write in batch for operation in write.operations])
        except StoreError as error:
            if len(batch) > 1 and not isinstance(error, BusyError):
                for write in batch:
                    self._serve([write])
                return
            for write in batch:
                write.future.set_exception(error)
            return
        for write in batch:
            write.future.set_result(None)

    def _commit(self, operations: Sequence[Operation]) -> None:
        try:
            self._database.commit(operations)
        except StoreError as error:
            self.error = error
            raise
        self.error = None

    # -- the time --------------------------------------------------------------------------------
    def _read_beat(self) -> None:
        found = self.get(BEAT_ROOM, BEAT_KEY)
        if found is None:
            return
        try:
            self.last_beat = Moment(**found['moment'])
            self._trusted_wall = float(found['trusted_wall'])
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f'store {self.file}: {BEAT_ROOM}/{BEAT_KEY} cannot be read '
                             f'({error})') from error

    def _beat(self) -> None:
        now = self._clock()
        if now.trusted:
            self._trusted_wall = now.wall
        try:
            self._commit([put(BEAT_ROOM, BEAT_KEY, {'moment': asdict(now),
                                                    'trusted_wall': self._trusted_wall})])
        except StoreError:
            return  # kept in ``error``; the next beat tries again
