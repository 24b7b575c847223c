"""Keeps the contactor's closings of the last hour in the store, for the cppwm_controller node."""

from __future__ import annotations

import math
from concurrent.futures import Future

from charger_control.core.cppwm_controller.closings import HOUR, Closings
from charger_control.ros.diagnostics import Health, Level
from charger_control.store import Store, StoreError

ROOM, KEY = 'cppwm_controller', 'closings'
REWRITE_PERIOD = 5.0
"""s between tries to write what the store has refused."""


class ClosingsKeeper:
    """Restores at the start, writes each change; what the store refuses is tried again."""

    def __init__(self, store: Store, closings: Closings) -> None:
        """Restores ``closings`` from ``store``; what cannot be read counts as many."""
        self._store, self._closings = store, closings
        self._written = closings.version
        self._write: Future[None] | None = None
        self._rewrite_at = -math.inf
        self._trouble, self._trouble_until = '', store.present.now + HOUR
        try:
            stored = store.get(ROOM, KEY)
            if stored is not None:
                closings.restore(stored, store.last_beat, store.present)
            elif store.moved_aside:
                self._trouble = store.problem()
        except (StoreError, ValueError) as error:
            self._trouble = str(error)
        if self._trouble:
            closings.restore_unknown(store.present.now)

    def keep(self, now: float) -> None:
        """Writes what has changed. Waits for nothing; to be called with every tick, ``now`` s."""
        if self._write is not None and not self._write.done():
            return
        if self._write is not None and self._write.exception() is not None:
            self._written, self._rewrite_at = -1, now + REWRITE_PERIOD
        self._write = None
        if self._closings.version != self._written and now >= self._rewrite_at:
            self._written = self._closings.version
            self._write = self._store.put(ROOM, KEY, self._closings.stored(self._store.present))

    @property
    def is_written(self) -> bool:
        """Whether all is on the disk."""
        done = self._write is None or (self._write.done() and self._write.exception() is None)
        return done and self._written == self._closings.version

    def health(self, now: float) -> Health:
        """The store, and for an hour what was found in it."""
        problem = self._store.problem() or (self._trouble if now < self._trouble_until else '')
        return Health('store', Level.WARN if problem else Level.OK, problem or 'OK',
                      {'file': self._store.file, 'closings_within_an_hour': self._closings.count})
