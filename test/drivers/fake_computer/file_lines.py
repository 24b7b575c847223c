"""GPIO lines as files, ``<root>/gpio/<number>``: pid of the owner and level.

As at a kernel that takes its lines back, a line whose owner is dead is nobody's.
"""

from __future__ import annotations

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether a process can still hold anything: a killed one that was not waited for cannot."""
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rsplit(') ', 1)[1][0]
    except (OSError, IndexError):
        return False
    return state not in 'ZX'


def line(root: Path, number: int) -> tuple[int, bool]:
    """Owner (0: nobody) and whether the line is active; a pull-down holds one without an owner."""
    try:
        pid, level = (root / 'gpio' / str(number)).read_text().split()
    except (OSError, ValueError):
        return 0, False
    return (int(pid), level == '1') if alive(int(pid)) else (0, False)


def set_line(root: Path, number: int, pid: int, active: bool) -> None:
    """One write of a constant length, so that nobody reads half of it."""
    fd = os.open(root / 'gpio' / str(number), os.O_WRONLY | os.O_CREAT)
    os.pwrite(fd, f'{pid:>10} {int(active)}\n'.encode(), 0)
    os.close(fd)
