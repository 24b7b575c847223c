"""The private folder of a running charger: locks, sockets, generated parameter files.

What lies there is believed (a parameter file can raise the fuse), so nobody else may have made it
or may write to it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from charger_control.ros.parameters import ParameterError

PACKAGE = 'charger_control'
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def runtime_dir(namespace: str) -> Path:
    """The folder of a namespace, made if it is missing.

    It lies under the first of ``$RUNTIME_DIRECTORY`` (systemd's ``RuntimeDirectory=``),
    ``$XDG_RUNTIME_DIR`` and ``/tmp/charger-<uid>``.

    Raises:
        ParameterError: a folder on the way there belongs to somebody else, is a link, can be
            written by others, or cannot be made.
    """
    source, base = _base()
    folder = base
    _make(folder, source)
    for part in (PACKAGE, *(namespace.strip('/') or 'default').split('/')):
        folder /= part
        _make(folder, source)
    return folder


def _base() -> tuple[str, Path]:
    for variable in ('RUNTIME_DIRECTORY', 'XDG_RUNTIME_DIR'):
        value = os.environ.get(variable, '').split(':')[0]
        if value:
            return f'{variable} = {value}', Path(value)
    return '', Path(f'/tmp/charger-{os.getuid()}')


def _make(folder: Path, source: str) -> None:
    """Makes a folder that only this user may use; refuses one that is not."""
    where = f'{source}: {folder}' if source else str(folder)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise ParameterError(f'{where}: the run-time folder cannot be made: {error.strerror}. Set '
                             'XDG_RUNTIME_DIR to a folder of yours') from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise ParameterError(f'{where}: is a link or a file, and the run-time folder must be a '
                             'folder. Remove it')
    if found.st_uid != os.getuid():
        raise ParameterError(f'{where}: the run-time folder belongs to user {found.st_uid}, this '
                             f'is user {os.getuid()}: what somebody else wrote there would be '
                             'believed. Remove it, or set XDG_RUNTIME_DIR to a folder of yours')
    if found.st_mode & OTHERS_MAY_WRITE:
        raise ParameterError(f'{where}: others may write to the run-time folder (mode '
                             f'{stat.S_IMODE(found.st_mode):04o}, allowed: 0700). '
                             f'Run: chmod 700 {folder}')
