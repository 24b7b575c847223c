"""A store on a file system that cannot be written: what is stored is read all the same."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from charger_control.store import Reader

SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from charger_control.store import Store, store_file
folder, log = Path(sys.argv[1]), sys.argv[2] == 'log'
subprocess.run(['mount', '-t', 'tmpfs', 'none', folder], check=True)
file = store_file(str(folder))
if os.fork() == 0:  # killed, so that the write-ahead log is not folded into the file
    store = Store(file)
    store.put('api', 'limits', {'amperage': 12.0}).result()
    if not log:
        store.close()
    os._exit(0)
os.wait()
for name in ('-shm', '.lock'):
    Path(f'{file}{name}').unlink(missing_ok=True)
print('log' if Path(f'{file}-wal').exists() and os.stat(f'{file}-wal').st_size else 'no log')
subprocess.run(['mount', '-o', 'remount,ro', folder], check=True)
store = Store(file)
print(store.get('api', 'limits'), store.moved_aside, store.error is not None)
"""


def can_mount() -> bool:
    tried = subprocess.run(['unshare', '--mount', '--map-root-user', 'true'], check=False,
                           capture_output=True)
    return tried.returncode == 0


@pytest.mark.skipif(not can_mount(), reason='this system lets no user mount a file system')
@pytest.mark.parametrize('log', ['log', 'no log'])
def test_a_read_only_file_system_is_read(tmp_path: Path, log: str) -> None:
    run = subprocess.run(
        ['unshare', '--mount', '--map-root-user', sys.executable, '-c', textwrap.dedent(SCRIPT),
         str(tmp_path), log], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ})
    assert run.stdout.splitlines() == [log, "{'amperage': 12.0} [] True"], run.stderr


def test_what_was_never_stored_is_no_error(tmp_path: Path) -> None:
    assert Reader(tmp_path / 'none.sqlite').get('api', 'limits') is None
