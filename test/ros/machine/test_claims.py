"""One graph per namespace and per store on this machine."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from charger_control.ros.machine.claims import Claims
from charger_control.ros.parameters import ParameterError

HOLDER = """
import sys, time
from charger_control.ros.machine.claims import Claims
claims = Claims(print)
{}
print('holds', flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('RUNTIME_DIRECTORY', raising=False)
    monkeypatch.setenv('XDG_RUNTIME_DIR', str(tmp_path / 'run'))


@pytest.fixture
def claims() -> Iterator[Claims]:
    one = Claims(lambda text: None, waiting=0.3)
    yield one
    one.close()


@contextmanager
def holder(claim: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a claim."""
    with subprocess.Popen([sys.executable, '-c', HOLDER.format(claim)], text=True,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == 'holds\n'
        try:
            yield process
        finally:
            process.kill()


def test_a_second_supervisor_is_refused_at_once_with_the_pid_of_the_first(claims: Claims) -> None:
    with holder("claims.graph('cp01')") as first:
        claims.graph('cp02')
        since = time.monotonic()
        with pytest.raises(ParameterError, match=rf'/cp01 \(pid {first.pid}\)'):
            claims.graph('/cp01/')
        assert time.monotonic() - since < 0.2


def test_a_claim_dies_with_its_holder(claims: Claims) -> None:
    with holder("claims.graph('cp01')") as first:
        first.kill()
        first.wait()
        claims.graph('cp01')


def test_a_store_belongs_to_one_graph(claims: Claims, tmp_path: Path) -> None:
    """Whatever its run-time folder; a charger of another name may keep its file beside it."""
    with holder(f"claims.store('cp01', ['{tmp_path}'])") as first:
        claims.store('cp02', [str(tmp_path)])
        with pytest.raises(ParameterError, match=rf'cp01.sqlite: another .*\(pid {first.pid}\)'):
            claims.store('cp01', [str(tmp_path)])


def test_nodes_of_one_graph_do_not_meet_and_a_second_one_of_a_name_is_refused(
        claims: Claims, tmp_path: Path) -> None:
    with holder("claims.node('team', '/cp01', None)") as first:
        claims.node('vcse', '/cp01', str(tmp_path))
        claims.node('team', '/cp02', None)
        with pytest.raises(ParameterError, match=rf'team runs .*/cp01 \(pid {first.pid}\)'):
            claims.node('team', '/cp01', None)


def test_two_nodes_of_one_name_do_not_share_a_store(
        claims: Claims, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with holder(f"claims.node('team', '/cp01', '{tmp_path}')"):
        monkeypatch.setenv('XDG_RUNTIME_DIR', str(tmp_path / 'other'))
        with pytest.raises(ParameterError, match=r'cp01\.sqlite: another team keeps'):
            claims.node('team', '/cp01', str(tmp_path))


def test_a_supervisor_meets_nodes_that_somebody_else_started(claims: Claims) -> None:
    with holder("claims.node('team', '/cp01', None)") as first, \
            pytest.raises(ParameterError, match=rf'team runs .*\(pid {first.pid}\)'):
        claims.graph('cp01')


def test_what_is_ending_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    claims = Claims(said.append, waiting=10.0)
    with holder("claims.node('team', '/cp01', None)") as first:
        threading.Timer(0.3, first.kill).start()
        claims.graph('cp01')
        claims.node('team', '/cp01', None)
    assert len(said) == 1 and f'(pid {first.pid}): waiting up to 10 s' in said[0]
    claims.close()


def test_waiting_ends_when_this_process_is_to_end() -> None:
    ending = threading.Event()
    claims = Claims(lambda text: None, ending, waiting=10.0)
    with holder("claims.node('team', '/cp01', None)"):
        threading.Timer(0.1, ending.set).start()
        since = time.monotonic()
        with pytest.raises(ParameterError):
            claims.node('team', '/cp01', None)
        assert time.monotonic() - since < 2.0
