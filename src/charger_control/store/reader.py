"""Reading the store, from any thread or process, without waiting for the one that writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from charger_control.core.session.types import SessionRecord
from charger_control.store.errors import CorruptError, StoreError, store_error
from charger_control.store.operations import SIGNED_ROOM, decode_session

NEWEST_FIRST = 'ORDER BY started DESC, id'


class Reader:
    """Reads a store's file; every call opens and closes it. All raise StoreError.

    Reads are synchronous: for the start of a node and for commands, not for a control tick.
    """

    def __init__(self, file: Path, busy_timeout: float = 1.0) -> None:
        self.file = file
        self._busy_timeout = busy_timeout

    def get(self, room: str, key: str) -> dict[str, Any] | None:
        """The value under a key, None where there is none."""
        rows = self._rows('SELECT body FROM value WHERE room = ? AND key = ?', (room, key))
        return self._value(room, key, rows[0][0]) if rows else None

    def recall(self, room: str, key: str) -> dict[str, Any]:
        """The value under a key, empty where there is none or the store cannot be read.

        For the start of a node that must run without its store; the store's ``error`` says why.
        """
        try:
            return self.get(room, key) or {}
        except StoreError:
            return {}

    def items(self, room: str, prefix: str = '') -> dict[str, dict[str, Any]]:
        """All values of a room whose keys begin with ``prefix``, by key, in the keys' order."""
        rows = self._rows('SELECT key, body FROM value WHERE room = ? AND substr(key, 1, ?) = ? '
                          'ORDER BY key', (room, len(prefix), prefix))
        return {key: self._value(room, key, body) for key, body in rows}

    def sessions(self, newest: int = -1) -> list[SessionRecord]:
        """Charging sessions, the newest first; ``newest``: at most so many, -1 for all."""
        return self._sessions(f'{NEWEST_FIRST} LIMIT ?', (newest,))

    def open_sessions(self) -> list[SessionRecord]:
        """Sessions that have not ended, the newest first."""
        return self._sessions(f'WHERE ended IS NULL {NEWEST_FIRST}', ())

    def sessions_named(self, start: str) -> list[SessionRecord]:
        """Sessions whose id begins with ``start``."""
        return self._sessions(f'WHERE substr(id, 1, ?) = ? {NEWEST_FIRST}', (len(start), start))

    def signed_values(self, session_id: str) -> dict[str, dict[str, Any]]:
        """A session's signed meter values by kind ('start', 'stop'): record, public_key, error."""
        found = self.items(SIGNED_ROOM, f'{session_id} ')
        return {key.rpartition(' ')[2]: value for key, value in found.items()}

    def _sessions(self, tail: str, values: Sequence[Any]) -> list[SessionRecord]:
        rows = self._rows(f'SELECT body FROM session {tail}', values)
        try:
            return [decode_session(row[0]) for row in rows]
        except ValueError as error:
            raise CorruptError(f'store {self.file}: {error}') from error

    def _value(self, room: str, key: str, body: str) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except ValueError as error:
            raise CorruptError(f'store {self.file}: {room}/{key} is not JSON ({error})') from error
        if not isinstance(value, dict):
            raise CorruptError(f'store {self.file}: {room}/{key} is not an object: {body[:80]!r}')
        return value

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        uri = f'{self.file.absolute().as_uri()}?mode=ro'
        try:
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None,
                                         timeout=self._busy_timeout)) as connection:
                if connection.execute('PRAGMA user_version').fetchone() == (0,):
                    return []  # another process is just making it
                return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise store_error(error, self.file) from error
