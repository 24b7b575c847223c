"""All processes that one test starts, whatever becomes of their parents: as a service's cgroup."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import pytest

MARK = 'CHARGER_TEST_UNIT'
"""Environment that is inherited by everything that is started."""


class Unit:
    """Knows its processes by a mark in their environment; kills what is left at the end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._mark = f'{MARK}={uuid4().hex}'
        monkeypatch.setenv(*self._mark.split('='))

    def alive(self) -> dict[int, str]:
        """Pid and command line of those that run, but this one."""
        found = {}
        for folder in Path('/proc').iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if self._mark.encode() in (folder / 'environ').read_bytes().split(b'\0'):
                    found[int(folder.name)] = (folder / 'cmdline').read_bytes().replace(
                        b'\0', b' ').decode()
        return found

    def send(self, number: int) -> None:
        """A signal to each of them, as systemd sends it to a control group."""
        for pid in self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        while self.alive():
            self.send(signal.SIGKILL)
