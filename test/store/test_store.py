"""The store: what it keeps, and that nothing the disk does stops its caller."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment
from charger_control.core.session import SessionRecord
from charger_control.store import (
    BusyError,
    ClosedError,
    CorruptError,
    Delete,
    DeleteAll,
    FullError,
    NewerError,
    Reader,
    ReadOnlyError,
    Store,
    StoreError,
    put,
    store_file,
)
from charger_control.store.store import MAX_WAITING

WAIT = 10.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / 'state' / 'charger.sqlite'


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with closing(Store(file, busy_timeout=1.0)) as made:
        yield made


def done(future: Future[None]) -> None:
    future.result(timeout=WAIT)


def session(number: int, ended: float = float('nan')) -> SessionRecord:
    transaction = Transaction(session_id=f'id-{number:03}', state='Charging',
                              started_time=1000.0 + number, ended_time=ended, meter_start=1.5)
    return SessionRecord(transaction, Moment('boot', 5.0, 1000.0, True), 'SN1', True, True)


@contextmanager
def other_writer(file: Path) -> Iterator[None]:
    """Another program that holds the write lock."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute('BEGIN IMMEDIATE')
        yield
        other.execute('ROLLBACK')


def test_values_are_there_for_the_next_process(file: Path, store: Store) -> None:
    done(store.put('api', 'limits', {'amperage': 10.5, 'enabled': None, 'client': 'évcc'}))
    done(store.put('team', 'term/depot', {'term': 3}))
    store.close()
    with closing(Store(file)) as again:
        assert again.error is None
        assert again.get('api', 'limits') == {'amperage': 10.5, 'enabled': None, 'client': 'évcc'}
        assert again.get('team', 'term/depot') == {'term': 3}
        assert again.get('api', 'nothing') is None


def test_last_value_of_a_key_counts_and_order_is_kept(store: Store) -> None:
    futures = [store.put('api', 'limits', {'n': n}) for n in range(100)]
    for future in futures:
        done(future)
    assert store.get('api', 'limits') == {'n': 99}


def test_items_by_prefix_and_delete(store: Store) -> None:
    done(store.write(put('iso61851', 'fault/A', {'reason': 'a'}),
                     put('iso61851', 'fault/B', {'reason': 'b'}),
                     put('iso61851', 'other', {})))
    done(store.delete('iso61851', 'fault/A'))
    done(store.delete('iso61851', 'fault/A'))
    assert store.items('iso61851', 'fault/') == {'fault/B': {'reason': 'b'}}
    assert set(store.items('iso61851')) == {'fault/B', 'other'}


def test_a_room_is_emptied_alone(store: Store) -> None:
    done(store.write(put('iso61851', 'a', {}), put('iso61851', 'b', {}), put('api', 'a', {})))
    done(store.write(DeleteAll('iso61851'), put('iso61851', 'c', {})))
    assert set(store.items('iso61851')) == {'c'}
    assert set(store.items('api')) == {'a'}


def test_a_write_is_whole_or_not_at_all(store: Store) -> None:
    class Bad:
        def apply(self, connection: sqlite3.Connection) -> None:
            connection.execute('INSERT INTO nowhere VALUES (1)')

    good = store.put('api', 'before', {'n': 1})
    bad = store.write(put('api', 'limits', {'n': 2}), Bad(), Delete('api', 'before'))
    after = store.put('api', 'after', {'n': 3})
    with pytest.raises(StoreError, match='nowhere'):
        bad.result(WAIT)
    done(good)
    done(after)
    assert set(store.items('api')) == {'before', 'after'}


def test_what_json_cannot_carry_is_refused_to_the_caller(store: Store) -> None:
    with pytest.raises(ValueError, match='JSON compliant'):
        store.put('api', 'limits', {'amperage': float('nan')})
    with pytest.raises(TypeError):
        store.put('api', 'limits', {'amperage': object()})


def test_sessions_newest_first_and_by_beginning_of_the_id(store: Store) -> None:
    for number in (2, 1, 3):
        done(store.put_session(session(number)))
    done(store.put_session(session(2, ended=2000.0)))
    assert [r.transaction.session_id for r in store.sessions()] == ['id-003', 'id-002', 'id-001']
    assert [r.transaction.session_id for r in store.sessions(1)] == ['id-003']
    assert [r.transaction.session_id for r in store.open_sessions()] == ['id-003', 'id-001']
    (found,) = store.sessions_named('id-002')
    assert found.transaction.ended_time == 2000.0
    assert found.saved == Moment('boot', 5.0, 1000.0, True)
    assert found.serial_number == 'SN1'
    assert found.transaction.meter_start == 1.5
    assert found.transaction.meter_stop != found.transaction.meter_stop


def test_oldest_sessions_are_dropped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('charger_control.store.operations.KEPT_SESSIONS', 3)
    for number in range(6):
        done(store.put_session(session(number)))
    assert [r.transaction.session_id for r in store.sessions()] == ['id-005', 'id-004', 'id-003']


def test_folder_and_file_are_for_this_user_only(file: Path, store: Store) -> None:
    done(store.put('api', 'limits', {}))
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o077 for p in file.parent.iterdir()} == {0}


def test_place_of_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv('XDG_STATE_HOME', raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    base = tmp_path / '.local/state/charger_control'
    assert store_file() == base / 'charger/charger.sqlite'
    assert store_file(namespace='/depot/left') == base / 'depot.left/depot.left.sqlite'
    assert store_file('/var/lib/x', '/left') == Path('/var/lib/x/left.sqlite')
    monkeypatch.setenv('XDG_STATE_HOME', '/state')
    assert store_file() == Path('/state/charger_control/charger/charger.sqlite')


def test_a_file_that_is_just_being_made_is_empty(tmp_path: Path) -> None:
    (tmp_path / 'charger.sqlite').touch()
    reader = Reader(tmp_path / 'charger.sqlite')
    assert reader.sessions() == []
    assert reader.get('api', 'limits') is None


# -- slow ----------------------------------------------------------------------------------------
def test_a_caller_does_not_wait_for_a_slow_store(file: Path, store: Store) -> None:
    with other_writer(file):
        began = time.monotonic()
        slow = store.put('api', 'limits', {'n': 1})
        behind = store.put('api', 'limits', {'n': 2})
        assert time.monotonic() - began < 0.1
        assert not slow.done()
        assert store.get('api', 'limits') is None  # and reading goes on
    done(slow)
    done(behind)
    assert store.get('api', 'limits') == {'n': 2}


def test_a_write_that_has_not_begun_can_be_cancelled(file: Path, store: Store) -> None:
    done(store.put('api', 'limits', {'n': 0}))
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        def apply(self, connection: sqlite3.Connection) -> None:
            entered.set()
            leave.wait(WAIT)

    first = store.write(Slow())
    assert entered.wait(WAIT)
    waiting = store.put('api', 'limits', {'n': 2})
    assert waiting.cancel()
    leave.set()
    done(first)
    done(store.put('api', 'other', {}))
    with pytest.raises(CancelledError):
        waiting.result(0)
    assert store.get('api', 'limits') == {'n': 0}


def test_a_store_that_is_held_for_too_long_is_an_error_and_no_hang(file: Path) -> None:
    with closing(Store(file, busy_timeout=0.1)) as store:
        with other_writer(file), pytest.raises(BusyError, match=r'charger\.sqlite: .*locked.*end'):
            store.put('api', 'limits', {'n': 1}).result(WAIT)
        assert isinstance(store.error, BusyError)
        done(store.put('api', 'limits', {'n': 2}))
        assert store.error is None


def test_more_writes_than_may_wait_fail_at_once(file: Path) -> None:
    with closing(Store(file, busy_timeout=5.0)) as store:
        with other_writer(file):
            futures = [store.put('api', 'limits', {'n': n}) for n in range(2 * MAX_WAITING)]
            while store.waiting < MAX_WAITING:  # the first may be in the thread's hands already
                futures.append(store.put('api', 'limits', {'n': 0}))
            with pytest.raises(BusyError, match='too slow'):
                store.put('api', 'limits', {'n': 0}).result(0)
        done(futures[0])


def test_close_writes_what_waits_and_refuses_what_comes_later(file: Path, store: Store) -> None:
    futures = [store.put('api', f'k{n}', {'n': n}) for n in range(50)]
    store.close()
    assert all(f.exception(0) is None for f in futures)
    with pytest.raises(ClosedError):
        store.put('api', 'late', {}).result(0)
    assert len(Reader(file).items('api')) == 50


# -- full, read-only -----------------------------------------------------------------------------
def test_full(file: Path) -> None:
    with closing(Store(file, max_size=80_000)) as store:
        done(store.put('api', 'limits', {'n': 1}))
        with pytest.raises(FullError, match='free space'):
            store.put('smart_charging', 'profile/1', {'x': 'y' * 200_000}).result(WAIT)
        assert isinstance(store.error, FullError)
        assert store.get('api', 'limits') == {'n': 1}
        done(store.put('api', 'limits', {'n': 2}))  # what still fits is written
        assert store.problem() == ''


RESTRICTED = """
import os, resource, sys
from pathlib import Path
from charger_control.store import Store
if sys.argv[2] == 'nobody' and os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
elif sys.argv[2] == 'full':
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
store = Store(Path(sys.argv[1]))
errors = []
for n in range(40):
    error = store.put('api', f'k{n}', {'x': 'y' * 20_000}).exception(10)
    errors.append(type(error).__name__)
print(','.join(dict.fromkeys(errors)), '|', store.problem())
"""


def run_restricted(file: Path, kind: str) -> list[str]:
    """What a process that may not do as it likes gets for 40 writes of 20 kB, and its problem."""
    return subprocess.run([sys.executable, '-c', RESTRICTED, str(file), kind], text=True,
                          capture_output=True, timeout=60, check=True).stdout.split('|')


def test_a_disk_that_refuses_to_grow_is_an_error_of_each_write(file: Path) -> None:
    kinds, problem = run_restricted(file, 'full')
    assert kinds.split(',')[0] == 'NoneType'
    assert kinds.split(',')[1].strip() in ('StoreError', 'FullError')
    assert str(file) in problem
    # what was acknowledged before is there
    assert Reader(file).get('api', 'k0') == {'x': 'y' * 20_000}


def test_a_folder_that_may_not_be_written() -> None:
    # outside of pytest's own folder, which other users may not even enter
    with tempfile.TemporaryDirectory(prefix='charger_control_', dir='/tmp') as folder:
        Path(folder).chmod(0o555)  # root, who may write it all the same, becomes nobody
        kinds, problem = run_restricted(Path(folder) / 'charger.sqlite', 'nobody')
        Path(folder).chmod(0o755)
    assert kinds.strip() == 'ReadOnlyError'
    assert 'give this user the right' in problem


def test_a_place_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / 'taken').write_text('a file')
    with closing(Store(tmp_path / 'taken' / 'charger.sqlite')) as store:
        assert isinstance(store.error, ReadOnlyError)
        with pytest.raises(ReadOnlyError, match='taken'):
            store.put('api', 'limits', {}).result(WAIT)
        with pytest.raises(StoreError):
            store.get('api', 'limits')
        (tmp_path / 'taken').unlink()  # it heals without a restart
        done(store.put('api', 'limits', {'n': 1}))
        assert store.get('api', 'limits') == {'n': 1}


# -- damaged -------------------------------------------------------------------------------------
def fill(file: Path) -> None:
    with closing(Store(file)) as store:
        done(store.write(*(put('api', f'k{number}', {'x': 'y' * 500}) for number in range(200))))


def garble(file: Path) -> None:
    file.write_bytes(b'this is no database at all, not even nearly' * 100)


def overwrite_pages(file: Path) -> None:
    size = file.stat().st_size
    with file.open('r+b') as handle:
        for offset in range(4096, size, 4096):
            handle.seek(offset)
            handle.write(b'\xa5' * 2048)


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize('damage', [garble, overwrite_pages, truncate])
def test_a_damaged_file_is_moved_aside_and_named(file: Path, damage: Callable[[Path], None]
                                                 ) -> None:
    fill(file)
    damage(file)
    with closing(Store(file)) as store:
        assert store.error is None
        (aside,) = store.moved_aside
        assert aside.exists()
        assert aside.name.startswith('charger.sqlite.corrupt-')
        assert str(aside) in store.problem()
        assert 'empty store' in store.problem()
        assert store.get('api', 'k1') is None
        done(store.put('api', 'limits', {'n': 1}))
        assert store.get('api', 'limits') == {'n': 1}
        assert str(aside) in store.problem()  # still said
    with closing(Store(file)) as store:
        assert store.problem() == ''
        assert store.get('api', 'limits') == {'n': 1}


def test_the_log_of_a_damaged_file_is_not_played_into_the_fresh_one(file: Path) -> None:
    fill(file)
    keep = Reader(file)
    with closing(sqlite3.connect(file)) as other:  # keeps the log there
        other.execute('SELECT * FROM value').fetchone()
        with closing(Store(file)) as store:
            done(store.put('api', 'in the log', {'n': 1}))
            log = file.with_name(file.name + '-wal').read_bytes()
    file.with_name(file.name + '-wal').write_bytes(log)
    garble(file)
    with closing(Store(file)) as store:
        assert len(store.moved_aside) == 1
        assert keep.items('api') == {}
        assert (file.parent / (store.moved_aside[0].name + '-wal')).exists()


def test_two_damaged_files_in_one_second_have_two_names(file: Path) -> None:
    names = set()
    for _ in range(3):
        fill(file)
        garble(file)
        with closing(Store(file)) as store:
            names |= set(store.moved_aside)
    assert len(names) == 3
    assert all(name.exists() for name in names)


def test_damage_while_running_is_noticed_and_the_write_is_in_the_fresh_file(file: Path) -> None:
    fill(file)
    with closing(Store(file)) as store:
        done(store.put('api', 'limits', {'n': 1}))
        with closing(sqlite3.connect(file)) as other:
            other.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        garble(file)
        done(store.put('api', 'limits', {'n': 2}))
        assert store.replacements == 1
        assert len(store.moved_aside) == 1
    assert Reader(file).get('api', 'limits') == {'n': 2}


def test_a_file_that_somebody_deletes_is_made_again(file: Path, store: Store) -> None:
    done(store.put('api', 'limits', {'n': 1}))
    for path in file.parent.iterdir():
        path.unlink()
    done(store.put('api', 'limits', {'n': 2}))
    assert store.replacements == 1
    assert Reader(file).get('api', 'limits') == {'n': 2}


def test_a_store_that_another_process_moved_aside_is_not_written_any_more(file: Path) -> None:
    fill(file)
    with closing(Store(file)) as first:
        done(first.put('api', 'limits', {'n': 1}))
        with closing(sqlite3.connect(file)) as other:
            other.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        garble(file)
        with closing(Store(file)) as second:
            assert len(second.moved_aside) == 1
            done(first.put('api', 'limits', {'n': 2}))
            assert second.get('api', 'limits') == {'n': 2}
            assert first.replacements == 1


def test_a_value_that_is_no_json_is_an_error_that_names_it(file: Path, store: Store) -> None:
    done(store.put('api', 'limits', {}))
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE value SET body = 'rubbish'")
    with pytest.raises(CorruptError, match='api/limits'):
        store.get('api', 'limits')


# -- versions ------------------------------------------------------------------------------------
def test_a_newer_file_is_left_alone(file: Path, store: Store) -> None:
    done(store.put('api', 'limits', {'n': 1}))
    store.close()
    with closing(sqlite3.connect(file)) as other:
        other.execute('PRAGMA user_version = 99')
    with closing(Store(file)) as old:
        assert isinstance(old.error, NewerError)
        with pytest.raises(NewerError, match='newer version'):
            old.put('api', 'limits', {'n': 2}).result(WAIT)
        assert old.moved_aside == []
    with closing(sqlite3.connect(file)) as other:
        assert json.loads(other.execute('SELECT body FROM value').fetchone()[0]) == {'n': 1}


# -- the time ------------------------------------------------------------------------------------
def test_the_time_is_noted_and_found_by_the_next(file: Path) -> None:
    moments = iter([Moment('boot', float(n), 1000.0 + n, True) for n in range(10_000)])
    with closing(Store(file, beat_period=0.02, clock=lambda: next(moments))):
        deadline = time.monotonic() + WAIT
        while (Reader(file).get('store', 'clock') or {'trusted_wall': 0})['trusted_wall'] < 1003:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    back = Moment('boot2', 1.0, 900.0, True)
    with closing(Store(file, clock=lambda: back)) as store:
        assert store.last_beat.boot == 'boot'
        assert store.last_beat.wall >= 1003
        assert store.present == Moment('boot2', 1.0, 900.0, False)  # before the last trusted one


def test_writes_without_a_pause_do_not_keep_the_time_from_being_noted(file: Path) -> None:
    with closing(Store(file, beat_period=0.05)) as store:
        deadline = time.monotonic() + WAIT
        while store.get('store', 'clock') is None:
            assert time.monotonic() < deadline
            done(store.put('api', 'limits', {}))
