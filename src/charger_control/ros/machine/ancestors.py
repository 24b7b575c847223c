"""A process learns that one of those who started it is gone, however that one died.

Who starts processes passes its own name on in the environment (``environment``). ``watch`` sends
this process SIGTERM, so that it withdraws and ends, once one of the named is gone. A signal of the
kernel to the child (PR_SET_PDEATHSIG) would not do alone: it comes when the *thread* ends that
forked, a shell or a debugger between the two would take it, and a pid can be another's by then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ANCESTORS = 'CHARGER_ANCESTORS'
"""Environment of a child: ``pid:start`` of each process that must live, separated by commas."""
POLL = 0.1
"""s between two looks where the kernel has no pidfd (before Linux 5.3, some sandboxes)."""


def environment() -> dict[str, str]:
    """What a child needs to have in its environment to notice the end of this process."""
    pid = os.getpid()
    above = [one for one in os.environ.get(ANCESTORS, '').split(',') if one]
    return {ANCESTORS: ','.join([*above, f'{pid}:{_start_of(pid)}'])}


def watch(linger: float = 0.0, gone: Callable[[], None] | None = None) -> None:
    """Ends this process (SIGTERM, to be handled by it) once an ancestor is gone.

    Args:
        linger: s that it lives on: what simulates hardware must be there while others withdraw.
        gone: called instead of the signal.
    """
    named = [one for one in os.environ.get(ANCESTORS, '').split(',') if one]
    if named:
        threading.Thread(target=_wait, args=(named, linger, gone or _end), daemon=True,
                         name='ancestors').start()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _wait(named: list[str], linger: float, gone: Callable[[], None]) -> None:
    who = _first_gone(named)
    with contextlib.suppress(OSError):  # the terminal may be gone with it
        print(f'{Path(sys.argv[0]).name}: its parent process {who} is gone: ending',
              file=sys.stderr, flush=True)
    time.sleep(linger)
    gone()


def _first_gone(named: list[str]) -> int:
    """Waits until one of the named has ended; its pid."""
    handles: dict[int, int] = {}
    polled: list[tuple[int, str]] = []
    poller = select.poll()
    for one in named:
        pid, start = int(one.split(':')[0]), one.split(':')[1]
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return pid
        except OSError:
            polled.append((pid, start))
            continue
        if _start_of(pid) != start:  # ended before, and its pid was given to another
            return pid
        handles[handle] = pid
        poller.register(handle, select.POLLIN)
    while True:
        for handle, _ in poller.poll(POLL * 1000.0 if polled else None):
            return handles[handle]
        for pid, start in polled:
            if _start_of(pid) != start:
                return pid


def _start_of(pid: int) -> str:
    """When a process was started, in ticks since boot; '' if it is gone or a zombie."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rsplit(') ', 1)[1].split()
    except OSError:
        return ''
    return '' if fields[0] in 'ZX' else fields[19]
