"""The run-time folder: what lies there is believed, so it is nobody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from charger_control.ros.machine import runtime_dir as module
from charger_control.ros.machine.runtime_dir import runtime_dir
from charger_control.ros.parameters import ParameterError


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv('RUNTIME_DIRECTORY', raising=False)
    monkeypatch.setenv('XDG_RUNTIME_DIR', str(tmp_path / 'run'))
    return tmp_path / 'run'


def test_it_is_made_for_this_user_alone(base: Path) -> None:
    umask = os.umask(0)
    try:
        folder = runtime_dir('/depot/cp01')
    finally:
        os.umask(umask)
    assert folder == base / 'charger_control' / 'depot' / 'cp01'
    for one in (base, *folder.parents[:2], folder):
        assert one.stat().st_mode & 0o077 == 0
    assert runtime_dir('/depot/cp01') == folder


def test_systemds_folder_comes_before_the_sessions(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('RUNTIME_DIRECTORY', f'{tmp_path / "service"}:{tmp_path / "other"}')
    assert runtime_dir('x') == tmp_path / 'service' / 'charger_control' / 'x'


@pytest.mark.parametrize('level', ['', 'charger_control', 'charger_control/x'])
def test_a_folder_that_others_may_write_to_is_refused(base: Path, level: str) -> None:
    runtime_dir('x')
    (base / level).chmod(0o770)
    with pytest.raises(ParameterError, match=rf'{base / level}: others may write .*0770.*chmod'):
        runtime_dir('x')


def test_a_folder_of_somebody_else_is_refused(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime_dir('x')
    other = os.getuid() + 1
    monkeypatch.setattr(module.os, 'getuid', lambda: other)
    with pytest.raises(ParameterError, match=rf'belongs to user {other - 1}, this is user {other}'):
        runtime_dir('x')


def test_a_link_is_refused(base: Path, tmp_path: Path) -> None:
    """Whoever may write to /tmp could lead it anywhere."""
    (tmp_path / 'theirs').mkdir(mode=0o700)
    base.symlink_to(tmp_path / 'theirs')
    with pytest.raises(ParameterError, match='is a link or a file'):
        runtime_dir('x')


def test_a_folder_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_RUNTIME_DIR', '/proc/no/such')
    with pytest.raises(ParameterError, match=r'XDG_RUNTIME_DIR = /proc/no/such: .*cannot be made'):
        runtime_dir('x')
