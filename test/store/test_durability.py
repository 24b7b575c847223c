"""What was acknowledged survives kill -9, with several processes on one file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charger_control.store import Reader, Store

STORM = """
import os, sys
from pathlib import Path
from charger_control.store import Store
store, room = Store(Path(sys.argv[1])), sys.argv[2]
assert store.error is None, store.error
def say(n):
    return lambda f: f.exception() or os.write(1, b'%d\\n' % n)
waiting = []
for n in range(1_000_000):
    future = store.put(room, f'k{n % 50}', {'n': n, 'fill': 'x' * (n % 700)})
    future.add_done_callback(say(n))
    waiting.append(future)
    if len(waiting) > 20:
        waiting.pop(0).result()
"""


def start(file: Path, room: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, '-c', STORM, str(file), room],
                            stdout=subprocess.PIPE, bufsize=0)


def kill(process: subprocess.Popen[bytes]) -> int:
    """Kills at once; returns the last number that was acknowledged."""
    process.send_signal(signal.SIGKILL)
    told = process.stdout.read()
    process.wait()
    process.stdout.close()
    numbers = re.findall(rb'(\d+)\n', told)
    return int(numbers[-1]) if numbers else -1


def read_line(process: subprocess.Popen[bytes]) -> int:
    line = b''
    while not line.endswith(b'\n'):
        got = os.read(process.stdout.fileno(), 1)
        assert got, 'the writer ended by itself'
        line += got
    return int(line)


def check(file: Path, room: str, acknowledged: int) -> None:
    """Everything up to ``acknowledged`` is there: each key holds that write or a later one."""
    kept = {key: value['n'] for key, value in Reader(file).items(room).items()}
    for number in range(max(0, acknowledged - 49), acknowledged + 1):
        assert kept[f'k{number % 50}'] >= number


@settings(max_examples=6, deadline=None, database=None,
          suppress_health_check=[HealthCheck.too_slow])
@given(count=st.integers(1, 120), delay=st.floats(0.0, 0.03))
def test_acknowledged_survives_kill(count: int, delay: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'charger.sqlite'
        process = start(file, 'api')
        try:
            for _ in range(count):
                last = read_line(process)
            time.sleep(delay)  # so that the kill comes anywhere within a write
        finally:
            last = max(last, kill(process))
        check(file, 'api', last)
        with closing(Store(file)) as store:
            assert store.problem() == ''
            store.put('api', 'k0', {'n': 10**9}).result(10)


def test_two_writers_and_a_reader_when_one_is_killed(tmp_path: Path) -> None:
    file = tmp_path / 'charger.sqlite'
    first, second = start(file, 'api'), start(file, 'session')
    reader = Reader(file)
    try:
        for _ in range(40):
            last_first, last_second = read_line(first), read_line(second)
        last_first = max(last_first, kill(first))
        for _ in range(100):
            check(file, 'session', last_second)
            last_second = read_line(second)
        assert reader.get('session', 'k0') is not None
    finally:
        if first.poll() is None:
            kill(first)
        last_second = max(last_second, kill(second))
    check(file, 'api', last_first)
    check(file, 'session', last_second)
    with closing(Store(file)) as store:
        assert store.problem() == ''
