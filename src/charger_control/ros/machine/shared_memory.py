"""Removes the shared-memory segments that killed ROS 2 processes left behind.

SIGKILLed nodes leave ``/dev/shm/fastrtps_<id>`` files; with hundreds of them later runs were seen
to deliver under a tenth of the messages. Fast DDS marks a living owner by a lock on the segment's
``_el`` file: what can be locked has no owner. Segments of the living are never touched.
"""

from __future__ import annotations

import fcntl
import re
from pathlib import Path

SHM = Path('/dev/shm')
SEGMENT = re.compile(r'fastrtps_[0-9a-f]{16}_el')
"""A participant's own segment; those of ports are shared and reused by Fast DDS itself."""


def remove_orphans(folder: Path = SHM) -> int:
    """Removes segments whose owner is dead; returns how many."""
    removed = 0
    for lock in folder.iterdir() if folder.is_dir() else ():
        if not SEGMENT.fullmatch(lock.name):
            continue
        segment = lock.with_name(lock.name.removesuffix('_el'))
        try:
            with lock.open('r+') as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                segment.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
            removed += 1
        except OSError:  # locked by its owner, or another user's
            continue
    return removed
