"""Keeps latched faults over restarts in the store, for the iso61851 node."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from charger_control.core.iso61851.faults import UNREADABLE
from charger_control.drivers.interfaces import KeptFault
from charger_control.store import Store, StoreError

ROOM, KEY = 'iso61851', 'fault'
RETRY_PERIOD = 5.0
"""s between tries to read or write what the store has refused."""


@dataclass(frozen=True, slots=True)
class Latched:
    """What only a person, or an unplugging, clears.

    Attributes:
        name: the fault that the block has latched, '' for none.
        board: the fault of the board that its driver keeps, None for none.
    """

    name: str = ''
    board: KeptFault | None = None

    def stored(self, wall: float) -> dict[str, Any]:
        """As the store has it; ``wall``: s, for a person who looks."""
        board = None if self.board is None else asdict(self.board)
        return {'name': self.name, 'board': board, 'wall': wall}

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Latched:
        """From the store; ValueError for what cannot be."""
        name, board = stored.get('name'), stored.get('board')
        if not isinstance(name, str):
            raise ValueError(f'{ROOM}/{KEY} has no name of a fault: {name!r}')
        try:
            return cls(name, None if board is None else KeptFault(**board))
        except TypeError as error:
            raise ValueError(f'{ROOM}/{KEY} has no fault of a board: {board!r}') from error


class LatchKeeper:
    """Reads at the start, writes each change. What cannot be read counts as a fault that nobody
    knows (UNREADABLE) until it can, or a person resets it.

    Attributes:
        found: what was latched when the last process ended.
        trouble: '' or why that is not known.
    """

    def __init__(self, store: Store, wall: Callable[[], float]) -> None:
        self._store, self._wall = store, wall
        self.trouble = ''
        self._retries = False
        self._reading: Future[Latched] | None = None
        self._write: Future[None] | None = None
        self._read_at = self._write_at = -math.inf
        try:
            self.found = self._read()
        except (StoreError, ValueError) as error:
            self.found, self.trouble, self._retries = Latched(UNREADABLE), str(error), True
        self._written: Latched | None = self.found
        if not self.trouble and store.moved_aside:      # what was in it is lost
            self.found, self.trouble, self._written = Latched(UNREADABLE), store.problem(), None

    def _read(self) -> Latched:
        stored = self._store.get(ROOM, KEY)
        return Latched() if stored is None else Latched.of(stored)

    def reread(self, now: float) -> Latched | None:
        """What could be read meanwhile, once; None: nothing. Waits for no disk."""
        reading = self._reading
        if reading is None and self._retries and now >= self._read_at:
            self._read_at = now + RETRY_PERIOD
            self._reading = reading = Future()
            threading.Thread(target=self._read_into, args=(reading,), daemon=True,
                             name='latched fault').start()
        if reading is None or not reading.done():
            return None
        self._reading = None
        if not self._retries or reading.exception() is not None:
            return None
        self._retries, self.trouble = False, ''
        self._written = reading.result()
        return self._written

    def _read_into(self, reading: Future[Latched]) -> None:
        try:
            reading.set_result(self._read())
        except (StoreError, ValueError) as error:
            reading.set_exception(error)

    def keep(self, now: float, latched: Latched) -> None:
        """Writes what has changed; what is refused is tried again. Waits for nothing."""
        if latched.name == UNREADABLE and self._retries:
            return      # it would take the place of what cannot be read
        if self._write is not None:
            if not self._write.done():
                return
            if self._write.exception() is not None:
                self._written, self._write_at = None, now + RETRY_PERIOD
            self._write = None
        if latched != self._written and now >= self._write_at:
            self._written = latched
            self._write = self._store.put(ROOM, KEY, latched.stored(self._wall()))

    def reset(self) -> None:
        """A person has looked: what the store has does not count any more."""
        self._retries, self.trouble = False, ''
        self._written, self._write_at = None, -math.inf
