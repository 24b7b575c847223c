"""A process ends when one of those who started it is gone, however and through whatever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_charger import wait_until
from live_unit import Unit

from charger_control.ros.machine import ancestors

CHILD = """
import signal, sys, time
from charger_control.ros.machine import ancestors
def end(*_):
    open(sys.argv[1] + '.ended', 'w').write(str(time.monotonic()))
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
ancestors.watch(linger=float(sys.argv[2]))
open(sys.argv[1] + '.started', 'w').close()
while True: time.sleep(1)
"""
PARENT = """
import os, signal, subprocess, sys
from charger_control.ros.machine import ancestors
subprocess.Popen(sys.argv[1:], env={**os.environ, **ancestors.environment()},
                 start_new_session=True)
while True: signal.pause()
"""


@contextmanager
def family(folder: Path, *between: str, linger: float = 0.0) -> Iterator[subprocess.Popen[bytes]]:
    """A parent whose child, started through ``between``, watches it; yields the parent."""
    child = [*between, sys.executable, '-c', CHILD, str(folder / 'child'), str(linger)]
    parent = subprocess.Popen([sys.executable, '-c', PARENT, *child])
    try:
        wait_until((folder / 'child.started').exists, 10.0, 'the child watches')
        yield parent
    finally:
        parent.kill()
        parent.wait()


def ended(folder: Path, within: float) -> float:
    """When the child ended, monotonic s."""
    path = folder / 'child.ended'
    return float(wait_until(lambda: path.exists() and path.read_text(), within, 'the child ended'))


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize('between', [(), ('sh', '-c', '"$@"; true', 'sh'),
                                     ('sh', '-c', 'trap "" INT; exec "$@"', 'sh')])
def test_the_end_of_the_parent_is_noticed(tmp_path: Path, number: int, between: tuple[str, ...],
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    with Unit(monkeypatch), family(tmp_path, *between) as parent:
        since = time.monotonic()
        parent.send_signal(number)
        assert ended(tmp_path, 5.0) - since < 1.0


def test_hardware_lingers_while_others_withdraw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                ) -> None:
    with Unit(monkeypatch), family(tmp_path, linger=1.0) as parent:
        since = time.monotonic()
        parent.kill()
        assert 1.0 <= ended(tmp_path, 5.0) - since < 2.0


def test_a_parent_that_died_before_anybody_looked_is_noticed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its pid is another's by now: it is known by when it was started."""
    pid = os.getpid()
    for name in (f'{pid}:1', f'{2**22 - 1}:1'):
        monkeypatch.setenv(ancestors.ANCESTORS, name)
        found: list[bool] = []
        ancestors.watch(gone=lambda found=found: found.append(True))
        wait_until(lambda found=found: found, 2.0, 'noticed')


def test_it_works_where_the_kernel_has_no_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int) -> int:
        raise PermissionError

    monkeypatch.setattr(ancestors.os, 'pidfd_open', refused)
    with subprocess.Popen(['sleep', '60']) as parent:
        start = ancestors._start_of(parent.pid)
        monkeypatch.setenv(ancestors.ANCESTORS, f'{parent.pid}:{start}')
        found: list[bool] = []
        ancestors.watch(gone=lambda: found.append(True))
        time.sleep(3 * ancestors.POLL)
        assert not found
        parent.kill()
        wait_until(lambda: found, 2.0, 'noticed')


def test_without_a_named_ancestor_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ancestors.ANCESTORS, raising=False)
    ancestors.watch(gone=lambda: pytest.fail('nobody is gone'))


def test_grandchildren_know_all_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ancestors.ANCESTORS, '1:5')
    assert ancestors.environment()[ancestors.ANCESTORS].split(',')[0] == '1:5'
    assert f'{os.getpid()}:' in ancestors.environment()[ancestors.ANCESTORS].split(',')[1]
