"""One graph per namespace and per store on this machine: locks that die with their holder.

Two graphs in one namespace hear each other's limits and leave the vehicle at 0 A without a word.
A supervisor (`charger up`, a launch) claims the namespace and the store as ``graph``; every node,
whoever started it, claims its own name there. So nodes of one graph do not meet, and a second graph
is refused, whatever started the first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from charger_control.ros.machine.runtime_dir import runtime_dir
from charger_control.ros.parameters import ParameterError
from charger_control.store.place import store_file

GRAPH = 'graph'
"""What a supervisor claims."""
SUFFIX = '.lock'
ENDING_TIME = 12.0
"""s that a claim waits for its holder: one whose supervisor was killed takes 8 s to let the vehicle
stop."""


class Claims:
    """The claims of this process, given back when it ends.

    Args:
        say: told once what is waited for.
        given_up: set when this process is to end: waiting ends then.
        waiting: s that a claim of a node waits for its holder.
    """

    def __init__(self, say: Callable[[str], None], given_up: threading.Event | None = None,
                 waiting: float = ENDING_TIME) -> None:
        self._say = say
        self._given_up = given_up or threading.Event()
        self._waiting = waiting
        self._held: list[TextIO] = []

    def graph(self, namespace: str) -> None:
        """Claims a namespace for a supervisor, before it writes anything there.

        A living supervisor is refused at once. Nodes that are still there (their supervisor was
        killed) are given time to end.

        Raises:
            ParameterError: who holds it, in one line.
        """
        folder = runtime_dir(namespace)
        where = f'runs already in namespace /{namespace.strip("/")}'
        self._take(folder / f'{GRAPH}{SUFFIX}', f'a charger {where}', 0.0)
        for path in sorted(folder.glob(f'*{SUFFIX}')):
            if path.stem != GRAPH:
                self._take(path, f'{path.stem} {where}', self._waiting)
                self._held.pop().close()

    def store(self, namespace: str, state_dirs: Iterable[str]) -> None:
        """Claims what a graph keeps over restarts.

        Args:
            namespace: of its nodes.
            state_dirs: values of their parameter.

        Raises:
            ParameterError: who holds it, in one line.
        """
        for state_dir in sorted(set(state_dirs)):
            self._take(_beside_store(state_dir, namespace, GRAPH),
                       f'{store_file(state_dir, namespace)}: another charger keeps its state there',
                       0.0)

    def node(self, name: str, namespace: str, state_dir: str | None) -> None:
        """Claims the name of a node; waits for a predecessor that is ending.

        Raises:
            ParameterError: who holds it, in one line.
        """
        self._take(runtime_dir(namespace) / f'{name}{SUFFIX}',
                   f'{name} runs already in namespace /{namespace.strip("/")}', self._waiting)
        if state_dir is not None:
            self._take(_beside_store(state_dir, namespace, name),
                       f'{store_file(state_dir, namespace)}: another {name} keeps its state there',
                       self._waiting)

    def close(self) -> None:
        """Gives all back."""
        while self._held:
            self._held.pop().close()

    def _take(self, path: Path, holds: str, waiting: float) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = path.open('a+')
        except OSError:     # a read-only store: it says so itself, and two cannot write there
            return
        deadline = time.monotonic() + waiting
        said = False
        while not self._locked(handle):
            who = f'{holds} (pid {_pid_in(handle)})'
            if time.monotonic() >= deadline or self._given_up.wait(0.05):
                handle.close()
                raise ParameterError(f'{who}. End it, or choose another --namespace or state_dir')
            if not said:
                self._say(f'{who}: waiting up to {waiting:g} s for its end')
                said = True
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        self._held.append(handle)

    @staticmethod
    def _locked(handle: TextIO) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _beside_store(state_dir: str, namespace: str, name: str) -> Path:
    store = store_file(state_dir, namespace)
    return store.with_name(f'{store.stem}.{name}{SUFFIX}')


def _pid_in(handle: TextIO) -> str:
    with contextlib.suppress(OSError, ValueError):
        handle.seek(0)
        return str(int(handle.read()))
    return '?'
