"""The servers that are compared, each a process that hears the same ROS topic."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BENCH = Path(__file__).parents[1]
TICK = os.sysconf('SC_CLK_TCK')
PEERS = ('flask_plain', 'rosbridge', 'http_gateway')
READY = {'flask_plain': 'Serving', 'rosbridge': 'server started', 'http_gateway': 'serving'}


class NotHereError(Exception):
    """A peer that is not installed here; says what it needs."""


@contextmanager
def process(*command: str, ready: str, environment: dict[str, str] | None = None
            ) -> Iterator[tuple[int, str]]:
    """A child, its pid and the line that told it was ready."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             env={**os.environ, 'PYTHONUNBUFFERED': '1', **(environment or {})})
    said: list[str] = []
    try:
        assert child.stdout is not None
        for line in child.stdout:
            said.append(line)
            if ready in line:
                break
        else:
            raise RuntimeError(f'{command} did not start:\n{"".join(said[-15:])}')
        # a pipe that nobody reads fills up and stops who writes to it
        threading.Thread(target=child.stdout.read, daemon=True).start()
        yield child.pid, line
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def server(name: str) -> Iterator[tuple[int, int]]:
    """Pid and port of a bridge; NotHereError where a peer is not installed."""
    if name == 'ours':
        with process(sys.executable, '-m', 'charger_control.bridges.web.node', '--ros-args', '-r',
                     '__ns:=/charger', '-p', 'port:=0', '-p', 'max_clients:=600', '-p',
                     'max_rate:=1000.0', ready='serving') as (pid, line):
            yield pid, int(re.findall(r'http://127\.0\.0\.1:(\d+)/', line)[0])
        return
    place = os.environ.get(f'BENCH_{name.upper()}', '')
    if name != 'flask_plain' and not place:
        raise NotHereError(f'set BENCH_{name.upper()} (see bench/peers/{name}.py)')
    port = free_port()
    with process(sys.executable, str(BENCH / 'peers' / f'{name}.py'), str(port),
                 ready=READY[name]) as (pid, _):
        until = time.monotonic() + 20.0
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', port)) == 0:
                    break
            time.sleep(0.05)
        yield pid, port


def cpu_seconds(pid: int) -> float:
    """s of CPU that a process has used."""
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def status(pid: int, name: str) -> int:
    """A number of /proc/PID/status."""
    text = Path(f'/proc/{pid}/status').read_text()
    return int(re.findall(rf'{name}:\s+(\d+)', text)[0])
