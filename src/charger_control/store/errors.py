"""What can go wrong with the store, one type each: callers go on, whatever it is."""

from __future__ import annotations

import sqlite3


class StoreError(Exception):
    """Something was not read or not written; the text says what and what to do.

    Attributes:
        may_be_written: what was not confirmed may be on the disk all the same.
    """

    may_be_written = True


class FullError(StoreError):
    """No space left: on the disk, or the store's own largest size."""

    may_be_written = False


class ReadOnlyError(StoreError):
    """The file or its folder cannot be written, or not be opened at all."""

    may_be_written = False


class BusyError(StoreError):
    """Another process held the file for too long, or too many writes wait already."""

    may_be_written = False


class CorruptError(StoreError):
    """The file is not a store, or is damaged."""


class NewerError(StoreError):
    """The file was made by a newer version of this package; it is left as it is."""


class ClosedError(StoreError):
    """The store was closed before this was written."""

    may_be_written = False


_BY_CODE: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_FULL: (FullError, 'free space on the disk'),
    sqlite3.SQLITE_READONLY: (ReadOnlyError, 'give this user the right to write it'),
    sqlite3.SQLITE_CANTOPEN: (ReadOnlyError, 'give this user the right to open it'),
    sqlite3.SQLITE_PERM: (ReadOnlyError, 'give this user the right to open it'),
    sqlite3.SQLITE_AUTH: (ReadOnlyError, 'give this user the right to open it'),
    sqlite3.SQLITE_BUSY: (BusyError, 'end the program that holds it'),
    sqlite3.SQLITE_LOCKED: (BusyError, 'end the program that holds it'),
    sqlite3.SQLITE_CORRUPT: (CorruptError, 'it is moved aside when it is next opened'),
    sqlite3.SQLITE_NOTADB: (CorruptError, 'it is moved aside when it is next opened'),
}


def store_error(error: sqlite3.Error | OSError, file: object) -> StoreError:
    """The typed error for what SQLite or the system said about ``file``."""
    if isinstance(error, OSError):
        return ReadOnlyError(f'store {file}: {error.strerror or error} (give this user the right '
                             f'to write there)')
    code = getattr(error, 'sqlite_errorcode', sqlite3.SQLITE_ERROR) & 0xFF
    kind, advice = _BY_CODE.get(code, (StoreError, 'see whether the disk is sound'))
    return kind(f'store {file}: {error} ({advice})')
