"""Reading the store, from any thread or process, without waiting for the one that writes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from charger_control.core.session.types import SessionRecord
from charger_control.store.errors import CorruptError, ReadOnlyError, StoreError, store_error
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
        try:
            self.file.stat()
        except FileNotFoundError:
            return []  # nothing was ever stored here
        except OSError as error:
            raise store_error(error, self.file) from error
        try:
            return self._query(self.file, 'mode=ro', query, values)
        except sqlite3.Error as error:
            failed = store_error(error, self.file)
            if not isinstance(failed, ReadOnlyError) or not _is_read_only(self.file.parent):
                raise failed from error
        try:
            return self._frozen(query, values)
        except (sqlite3.Error, OSError) as error:
            raise store_error(error, self.file) from error

    def _frozen(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Reads on a file system that cannot be written, so that nobody else writes either.

        There SQLite cannot make what it needs to read beside a writer. What is still in the
        write-ahead log would be left out as well, so both are copied to where it can.
        """
        log = self.file.with_name(self.file.name + '-wal')
        if not log.exists() or log.stat().st_size == 0:
            return self._query(self.file, 'mode=ro&immutable=1', query, values)
        with tempfile.TemporaryDirectory(prefix='charger-store-') as folder:
            copy = Path(folder) / self.file.name
            shutil.copyfile(self.file, copy)
            shutil.copyfile(log, copy.with_name(log.name))
            return self._query(copy, 'mode=rw', query, values)

    def _query(self, file: Path, mode: str, query: str, values: Sequence[Any]
               ) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f'{file.absolute().as_uri()}?{mode}', uri=True,
                                     isolation_level=None, timeout=self._busy_timeout)
                     ) as connection:
            if connection.execute('PRAGMA user_version').fetchone() == (0,):
                return []  # another process is just making it
            return connection.execute(query, values).fetchall()


def _is_read_only(folder: Path) -> bool:
    """Whether the file system of ``folder`` is mounted read-only."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
