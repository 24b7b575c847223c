"""The file itself: opening, checking, moving a damaged one aside, one transaction at a time.

Write-ahead log with synchronous=FULL: a commit has returned only when the log is on the disk, so
what was answered survives kill -9 and power loss; one sync a commit, not four; readers (the
`charger` command, other nodes) and the writer never wait for each other. Where the file system
has no shared memory for the log, SQLite stays with its rollback journal, then synchronous=EXTRA.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from charger_control.store.errors import BusyError, CorruptError, FullError, StoreError, store_error
from charger_control.store.operations import Operation
from charger_control.store.schema import MIGRATIONS, migrate

OPEN_RETRY = 0.02
"""s between two tries to get the lock that opening takes."""
_CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


class Database:
    """One connection that writes, for one thread at a time.

    Args:
        file: the store; its folder is made (0700) if it is not there.
        busy_timeout: s to wait for another process.
        max_size: bytes, the most the file may grow to.
        migrations: the tables, see ``schema``.
    """

    def __init__(self, file: Path, busy_timeout: float, max_size: int,
                 migrations: Sequence[tuple[str, ...]] = MIGRATIONS) -> None:
        self.file = file
        self.moved_aside: list[Path] = []
        self.why_moved = ''
        self.opened = 0
        self._busy_timeout = busy_timeout
        self._max_size = max_size
        self._migrations = tuple(migrations)
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)

    def open(self) -> None:
        """Opens the file, a damaged one after moving it aside; StoreError if that cannot be."""
        self.close()
        try:
            with self._one_opener():
                try:
                    self._connection = self._connect()
                except CorruptError as error:
                    self._move_aside(str(error))
                    self._connection = self._connect()
                self._identity = self._identity_on_disk()
                self.opened += 1
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise store_error(error, self.file) from error

    def commit(self, operations: Sequence[Operation]) -> None:
        """Writes all of ``operations`` or none; StoreError if none.

        On return they are on the disk, in the file that everybody has.
        """
        for attempt in (1, 2):
            try:
                if self._connection is None:
                    self.open()
                self._transact(operations)
                if self._identity == self._identity_on_disk():
                    return
                # deleted, or moved aside by another process: what we wrote nobody will read
                self.close()
            except (BusyError, FullError):
                raise
            except StoreError as error:
                self.close()  # the next commit opens, and checks, the file anew
                if attempt == 2 or not isinstance(error, CorruptError):
                    raise
        raise BusyError(f'store {self.file}: the file was replaced twice while it was written '
                        f'(end the program that does it)')

    def close(self) -> None:
        """Closes the connection; the next commit opens it again."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    # -- one transaction -------------------------------------------------------------------------
    def _transact(self, operations: Sequence[Operation]) -> None:
        connection = self._connection
        if connection is None:
            raise StoreError(f'store {self.file}: not open')
        try:
            connection.execute('BEGIN IMMEDIATE')
            for operation in operations:
                operation.apply(connection)
            connection.execute('COMMIT')
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute('ROLLBACK')
            raise store_error(error, self.file) from error

    def _identity_on_disk(self) -> tuple[int, int]:
        try:
            found = self.file.stat()
        except OSError:
            return (-1, -1)
        return found.st_dev, found.st_ino

    # -- opening ---------------------------------------------------------------------------------
    @contextmanager
    def _one_opener(self) -> Iterator[None]:
        """Holds the lock under which files are made, moved aside and migrated."""
        make_folder(self.file.parent)
        deadline = time.monotonic() + self._busy_timeout
        lock = self.file.with_name(self.file.name + '.lock')
        with os.fdopen(os.open(lock, _CREATE, 0o600), 'rb') as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise BusyError(f'store {self.file}: another process has been opening it '
                                        f'for {self._busy_timeout:g} s (end it)') from None
                    time.sleep(OPEN_RETRY)
            yield

    def _connect(self) -> sqlite3.Connection:
        if not self.file.exists():
            for leftover in self._companions():  # of a file that was deleted alone
                leftover.unlink(missing_ok=True)
            os.close(os.open(self.file, _CREATE, 0o600))
            sync_folder(self.file.parent)
        connection = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False,
                                     timeout=self._busy_timeout)
        try:
            journal = connection.execute('PRAGMA journal_mode = WAL').fetchone()[0]
            connection.execute(f'PRAGMA synchronous = {"FULL" if journal == "wal" else "EXTRA"}')
            page_size = connection.execute('PRAGMA page_size').fetchone()[0]
            connection.execute(f'PRAGMA max_page_count = {max(8, self._max_size // page_size)}')
            found = connection.execute('PRAGMA quick_check(1)').fetchone()[0]
            if found != 'ok':
                raise CorruptError(f'store {self.file}: {found}')
            migrate(connection, self.file, self._migrations)
        except sqlite3.Error as error:
            connection.close()
            raise store_error(error, self.file) from error
        except StoreError:
            connection.close()
            raise
        return connection

    # -- a damaged file --------------------------------------------------------------------------
    def _companions(self) -> list[Path]:
        return [self.file.with_name(self.file.name + end) for end in ('-wal', '-shm', '-journal')]

    def _move_aside(self, why: str) -> None:
        stamp = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())
        aside = self.file.with_name(f'{self.file.name}.corrupt-{stamp}')
        number = 1
        while aside.exists():
            number += 1
            aside = self.file.with_name(f'{self.file.name}.corrupt-{stamp}-{number}')
        # the log first: a log that outlives its file would be played into the fresh one
        for companion in self._companions():
            if companion.exists():
                companion.rename(aside.with_name(
                    aside.name + companion.name.removeprefix(self.file.name)))
        self.file.rename(aside)
        sync_folder(self.file.parent)
        self.moved_aside.append(aside)
        self.why_moved = f'{why}; moved to {aside}, an empty store is used'


def make_folder(folder: Path) -> None:
    """Makes the folder for nobody but this user; one that is there is left as it is."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Writes a folder's entries to the disk: a new or renamed file survives power loss."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
