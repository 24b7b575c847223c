"""What can be written: data, made where the write is asked for, applied in the store's thread."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment
from charger_control.core.session.types import SessionRecord
from charger_control.core.units import NAN

SIGNED_ROOM = 'signed_value'
"""Where the signed meter values of sessions lie; keys are as ``signed_key`` makes them."""
KEPT_SESSIONS = 20_000
"""Sessions kept; the oldest are dropped first."""

Value = Mapping[str, Any]
"""What lies under a key: anything that JSON has, no NaN or infinity in it."""


class Operation(Protocol):
    """One change."""

    def apply(self, connection: sqlite3.Connection) -> None:
        """Makes the change inside the transaction that is open."""


@dataclass(frozen=True, slots=True)
class Put:
    """Sets a value; ``body`` is its JSON (see ``put``)."""

    room: str
    key: str
    body: str

    def apply(self, connection: sqlite3.Connection) -> None:
        """Replaces what was there."""
        connection.execute('INSERT INTO value (room, key, body) VALUES (?, ?, ?) ON CONFLICT '
                           '(room, key) DO UPDATE SET body = excluded.body',
                           (self.room, self.key, self.body))


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes a value; one that is not there is no error."""

    room: str
    key: str

    def apply(self, connection: sqlite3.Connection) -> None:
        """Removes it."""
        connection.execute('DELETE FROM value WHERE room = ? AND key = ?', (self.room, self.key))


@dataclass(frozen=True, slots=True)
class DeleteAll:
    """Removes all values of a room."""

    room: str

    def apply(self, connection: sqlite3.Connection) -> None:
        """Removes them."""
        connection.execute('DELETE FROM value WHERE room = ?', (self.room,))


@dataclass(frozen=True, slots=True)
class PutSession:
    """Sets a charging session: a new one, or the next state of one that is there."""

    record: SessionRecord

    def apply(self, connection: sqlite3.Connection) -> None:
        """Replaces what was there; drops sessions past KEPT_SESSIONS."""
        transaction = self.record.transaction
        connection.execute(
            'INSERT INTO session (id, started, ended, body) VALUES (?, ?, ?, ?) ON CONFLICT (id) '
            'DO UPDATE SET started = excluded.started, ended = excluded.ended, '
            'body = excluded.body',
            (transaction.session_id, transaction.started_time, _null(transaction.ended_time),
             encode_session(self.record)))
        dropped = connection.execute(
            'DELETE FROM session WHERE started < '
            '(SELECT started FROM session ORDER BY started DESC LIMIT 1 OFFSET ?)',
            (KEPT_SESSIONS - 1,)).rowcount
        if dropped > 0:  # their signed values go with them
            connection.execute("DELETE FROM value WHERE room = ? AND substr(key, 1, "
                               "instr(key, ' ') - 1) NOT IN (SELECT id FROM session)",
                               (SIGNED_ROOM,))


def signed_key(session_id: str, kind: str) -> str:
    """The key of a session's signed value; ``kind``: 'start' or 'stop'."""
    return f'{session_id} {kind}'


def put(room: str, key: str, value: Value) -> Put:
    """The operation that stores ``value``; ValueError or TypeError where JSON cannot carry it."""
    return Put(room, key, json.dumps(value, allow_nan=False, separators=(',', ':')))


def encode_session(record: SessionRecord) -> str:
    """A record as JSON; what is NaN as null."""
    body = asdict(record)
    body['transaction'] = {name: _null(v) for name, v in body['transaction'].items()}
    return json.dumps(body, allow_nan=False, separators=(',', ':'))


def decode_session(body: str) -> SessionRecord:
    """The record again; ValueError where it is not one.

    Fields that an older version did not know have their defaults, unknown ones are dropped.
    """
    try:
        found = json.loads(body)
        known: dict[str, Any] = {name: NAN if value is None else value
                                 for name, value in found['transaction'].items()
                                 if name in Transaction.__dataclass_fields__}
        transaction = Transaction(**known)
        began = found.get('began')
        return SessionRecord(transaction, Moment(**found['saved']),
                             found.get('serial_number', ''), found.get('offered', False),
                             found.get('charged', False), found.get('register_age', 0.0),
                             None if began is None else Moment(**began))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'not a session: {body[:80]!r} ({error})') from error


def _null(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
