"""kill -9 of a named process of a running depot, for scenarios. Linux only, by /proc."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from charger_control.bringup.depot_simulated import NAME


def kill_of(supervisor: int, name: str) -> int:
    """Kills the process that ``charger up --depot`` has named so; returns its pid.

    Of a charger that is its control process: its guard lives, and has to act.

    Args:
        supervisor: pid of `charger up`, whose children are looked through.
        name: as in ``depot_plan.named``.

    Raises:
        ValueError: there is no such process now.
    """
    found = {_name_of(pid): pid for pid in children(supervisor)}
    if name not in found:
        names = ', '.join(sorted(filter(None, found)))
        raise ValueError(f'kill: there is no process {name!r} now (there are {names})')
    pid = (children(found[name]) or [found[name]])[0]
    os.kill(pid, signal.SIGKILL)
    return pid


def children(pid: int) -> list[int]:
    """The child processes of a process; none if it is gone."""
    try:
        text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _name_of(pid: int) -> str:
    try:
        environment = Path(f'/proc/{pid}/environ').read_bytes()
    except OSError:
        return ''
    for entry in environment.split(b'\0'):
        key, _, value = entry.partition(b'=')
        if key == NAME.encode():
            return value.decode()
    return ''
