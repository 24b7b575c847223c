"""The tables of the store and the way from one version to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from charger_control.store import Store
from charger_control.store.database import Database
from charger_control.store.errors import StoreError
from charger_control.store.operations import put
from charger_control.store.schema import APPLICATION_ID, MIGRATIONS

NEXT = (*MIGRATIONS, ('ALTER TABLE value ADD COLUMN wall REAL', 'CREATE TABLE more (x)'))


def opened(file: Path, migrations: Sequence[tuple[str, ...]]) -> Database:
    database = Database(file, 1.0, 1 << 20, migrations)
    database.open()
    return database


def test_an_old_file_is_brought_to_the_newest_tables_with_what_was_in_it(tmp_path: Path) -> None:
    file = tmp_path / 'charger.sqlite'
    with closing(Store(file)) as store:
        store.put('api', 'limits', {'n': 1}).result(5)
    with closing(opened(file, NEXT)) as database:
        database.commit([put('api', 'other', {})])
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute('PRAGMA user_version').fetchone() == (len(NEXT),)
        assert connection.execute('PRAGMA application_id').fetchone() == (APPLICATION_ID,)
        assert connection.execute("SELECT body, wall FROM value WHERE key = 'limits'"
                                  ).fetchone() == ('{"n":1}', None)
        assert connection.execute('SELECT * FROM more').fetchall() == []


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / 'charger.sqlite'
    with closing(Store(file)) as store:
        store.put('api', 'limits', {'n': 1}).result(5)
    bad = (*MIGRATIONS, ('CREATE TABLE more (x)', 'ALTER TABLE nowhere ADD COLUMN x'))
    with pytest.raises(StoreError, match='nowhere'):
        opened(file, bad)
    with closing(Store(file)) as store:
        assert store.error is None
        assert store.get('api', 'limits') == {'n': 1}
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'more'"
                                  ).fetchall() == []


def test_the_disk_is_waited_for(tmp_path: Path) -> None:
    with closing(opened(tmp_path / 'charger.sqlite', MIGRATIONS)) as database:
        connection = database._connection
        assert connection.execute('PRAGMA journal_mode').fetchone() == ('wal',)
        assert connection.execute('PRAGMA synchronous').fetchone() == (2,)  # FULL
