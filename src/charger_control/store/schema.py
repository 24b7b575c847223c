"""The tables of the store, as the steps that lead from one version of them to the next."""

from __future__ import annotations

import sqlite3

from charger_control.store.errors import NewerError

APPLICATION_ID = 0x43484743
"""Marks the file as ours ('CHGC') for `file` and for a person with sqlite3."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # what a block keeps: its room, a key, JSON
        """CREATE TABLE value (
            room TEXT NOT NULL,
            key TEXT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (room, key)
        ) WITHOUT ROWID""",
        # charging sessions; body is the whole record, the columns are for order and search
        """CREATE TABLE session (
            id TEXT PRIMARY KEY NOT NULL,
            started REAL NOT NULL,
            ended REAL,
            body TEXT NOT NULL
        ) WITHOUT ROWID""",
        'CREATE INDEX session_started ON session (started)',
    ),
)
"""MIGRATIONS[n] leads from version n to n + 1; a step that has been released is never changed."""


def migrate(connection: sqlite3.Connection, file: object,
            migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Brings the tables to the newest version, all steps or none.

    Raises:
        NewerError: the file is of a version that this package does not know.
    """
    def version() -> int:
        return int(connection.execute('PRAGMA user_version').fetchone()[0])

    if version() == len(migrations):
        return
    connection.execute('BEGIN IMMEDIATE')
    try:
        found = version()  # another process may have been first
        if found > len(migrations):
            raise NewerError(f'store {file}: made by a newer version (tables of version {found}, '
                             f'this package knows {len(migrations)}); install that version, or '
                             f'move the file away')
        for step in migrations[found:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f'PRAGMA user_version = {len(migrations)}')
        connection.execute(f'PRAGMA application_id = {APPLICATION_ID}')
        connection.execute('COMMIT')
    except BaseException:
        if connection.in_transaction:
            connection.execute('ROLLBACK')
        raise
