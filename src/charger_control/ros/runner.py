"""Runs nodes in one process: executor, signals, good-bye, and the beat that a guard listens to.

rclpy's EventsExecutor, by ``spin_once`` with a time-out: its ``spin`` never calls back in Jazzy's
wheels, and the others cost five times the CPU (docs/architecture.md, Processes).
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from charger_control.ros.faults import StartError
from charger_control.ros.machine import ancestors
from charger_control.ros.machine.claims import Claims
from charger_control.ros.machine.shared_memory import remove_orphans
from charger_control.ros.node import CLAIMED, ENDING, BlockNode
from charger_control.ros.parameters import ParameterError
from charger_control.ros.params_file import load

EXIT_CONFIG = 2
"""Exit code for a parameter that cannot be taken: starting again would not help."""
GOODBYE = 8.0
"""s after SIGTERM at which the process ends in any case: the vehicle has 6 s to open S2."""
BEAT_FD = 'CHARGER_BEAT_FD'
"""Environment: number of a socket to the guard; a byte a beat, end of file when the guard died."""
BEAT_PERIOD = 0.1
"""s between beats."""
SWITCH_INTERVAL = 0.001
"""s after which Python takes the interpreter from another thread. Its 5 ms, met some times in each
turn of the executor, hold a tick up beside a thread that checks a long charging profile."""
SPIN_TIMEOUT = 0.1
"""s that spin_once waits at the most; also how soon a signal is seen."""


class Beat:
    """Tells the guard that the executor turns, and hears when the guard is gone."""

    def __init__(self) -> None:
        number = os.environ.pop(BEAT_FD, '')
        self._socket = socket.socket(fileno=int(number)) if number else None
        if self._socket is not None:
            self._socket.setblocking(False)
        self._last = 0.0

    def alone(self) -> bool:
        """Sends what is due; True once the guard is gone."""
        if self._socket is None:
            return False
        now = time.monotonic()
        if now - self._last < BEAT_PERIOD:
            return False
        self._last = now
        try:
            self._socket.send(b'.')
            return self._socket.recv(64) == b''
        except BlockingIOError:
            return False
        except OSError:
            return True

    def goodbye(self) -> None:
        """Says that the process ends in order."""
        if self._socket is not None:
            try:
                self._socket.send(b'!')
            except OSError:
                return


def run(makers: Sequence[Callable[[], BlockNode]], argv: Sequence[str] | None = None) -> int:
    """Runs the nodes until a signal, the guard's death or an exception.

    Args:
        makers: build the nodes, once rclpy is up.
        argv: command line with ``--ros-args``; default: this process's.

    Returns:
        Exit code: 0 after a good-bye, EXIT_CONFIG for a bad parameter, 1 otherwise.
    """
    stop: list[str] = []

    def end(number: int, _: object) -> None:
        stop.append(signal.Signals(number).name)
        ENDING.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    ancestors.watch()
    beat = Beat()
    given = list(argv if argv is not None else sys.argv)
    sys.setswitchinterval(SWITCH_INTERVAL)
    remove_orphans()
    try:
        _look_at_files(given)
        rclpy.init(args=given,
                   signal_handler_options=SignalHandlerOptions.NO)
    except ParameterError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except Exception as error:  # noqa: BLE001 - rcl has no narrower type for a bad command line
        print(f'{sys.argv[0]}: {error}', file=sys.stderr)
        return EXIT_CONFIG
    nodes: list[BlockNode] = []
    CLAIMED.by = Claims(get_logger('charger_control').warning, ENDING)
    code = 1
    try:
        executor = EventsExecutor()
        for make in makers:
            nodes.append(make())
            executor.add_node(nodes[-1])
        _spin(executor, nodes, beat, stop)
        beat.goodbye()
        code = 0
    except ParameterError as error:
        get_logger('charger_control').fatal(str(error))
        code = EXIT_CONFIG
        beat.goodbye()
    except StartError as error:
        get_logger('charger_control').fatal(str(error))
    finally:
        for node in nodes:
            node.faults.run('close', node.close)
        CLAIMED.by.close()
        rclpy.try_shutdown()
    return code


def _look_at_files(argv: Sequence[str]) -> None:
    """Refuses a parameter file that says something twice: rcl would take the last without a word.

    Whoever starts the graph has looked too; this is for nodes that are started by hand.
    """
    for option, path in itertools.pairwise(argv):
        if option == '--params-file':
            load(Path(path))


def _spin(executor: EventsExecutor, nodes: Sequence[BlockNode], beat: Beat,
          stop: list[str]) -> None:
    deadline = float('inf')
    while True:
        executor.spin_once(timeout_sec=SPIN_TIMEOUT)
        if beat.alone() and not stop:
            stop.append('end of the guard')
        if not stop:
            continue
        if deadline == float('inf'):
            get_logger('charger_control').info(f'{stop[0]}: withdrawing, then ending')
            deadline = time.monotonic() + GOODBYE
            for node in nodes:
                node.faults.run('stop', node.stop)
        if all(_has_stopped(node) for node in nodes) or time.monotonic() > deadline:
            return


def _has_stopped(node: BlockNode) -> bool:
    """Whether it may go; one that cannot even say has its time, as all have."""
    said: list[bool] = []
    node.faults.run('stopped', lambda: said.append(node.stopped()))
    return said == [True]
