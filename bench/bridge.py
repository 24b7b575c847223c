"""Web clients of one charger: `python bench/bridge.py [--quick] [--only CASE] [--json FILE]`.

Side by side in one run: our bridge, the plainest Flask + flask-sock on werkzeug, and, where they
are at hand (bench/peers/), rosbridge_suite's WebSocket server and ros2-http-gateway. Each is a
process that hears the same ROS topic from a publisher process; so is what makes the load.
Each frame carries when it was published and its number: latency is publish → client, loss counts
numbers that a client did not get. `--only control`: what the load does to the ticks of a running
charger; `--fuzz SECONDS`: abuse, and what it does to memory and answers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
sys.path.insert(0, str(Path(__file__).parents[1] / 'test'))

import rclpy
from web.guesses import measure
from web.servers import PEERS, NotHereError, cpu_seconds, process, server, status

from charger_control.core.heard import Heard
from charger_control.core.messages.decision import Charging
from charger_control.ros import interfaces
from charger_control.ros.node import BlockNode

HERE = Path(__file__).parent
STORED = {
    'rosbridge.ws500x10.loss_percent': 32.0, 'rosbridge.ws500x10.p99_ms': 1158.0,
    'rosbridge.ws500x10.cpu_percent': 77.0, 'rosbridge.ws500x100.frames_s': 3086.0,
    'http_gateway.ws500x10.loss_percent': 4.0, 'http_gateway.ws500x10.p99_ms': 229.0,
    'http_gateway.ws500x10.cpu_percent': 39.0, 'http_gateway.ws500x100.frames_s': 6619.0,
    'http_gateway.rest32.rps': 4350.0,
}
"""rosbridge_suite 2.1.0 and ros2-http-gateway 0.2.0 (SSE), measured on a machine of the same kind
on 22 Nov 2026 with frames of 230-260 bytes: taken where a peer is not at hand, and marked."""
CASES = [(clients, hz) for hz in (10, 100) for clients in (1, 50, 200, 500)]
QUICK = [(500, 10), (200, 100), (500, 100)]
BUDGET = {
    'ours.ws500x10.loss_percent': 0.0, 'ours.ws500x10.p99_ms': 30.0,
    'ours.ws500x10.cpu_percent': 10.0, 'ours.ws500x10.memory_mb': 160.0,
    'ours.ws200x100.loss_percent': 0.0, 'ours.ws200x100.p99_ms': 10.0, 'ours.connect500_s': 4.0,
    'ours.rest1.p99_ms': 6.0, 'ours.stalled.change_percent': 10.0,
    'ours.control.latest_tick_ms': 50.0, 'ours.control.offers_lost': 0.0,
    'ours.guesses.largest_t': 4.5, 'ours.fuzz.status_500': 0.0, 'ours.fuzz.hung': 0.0,
    'ours.fuzz.growth_mb': 5.0,
}
"""The most that is allowed."""
OBEYED = 2.0
"""s within which the board stops after a decision."""
Table = dict[str, float]


class LoadError(Exception):
    """A server that did not serve its clients."""


def publish(hz: float) -> None:
    """The publisher process."""
    rclpy.init(args=[])
    node = BlockNode('publisher', (), namespace='/charger')
    say = node.publisher(interfaces.CHARGING)
    print('ready', flush=True)
    number, due = 0, time.monotonic()
    while True:
        number, due = number + 1, due + 1.0 / hz
        time.sleep(max(0.0, due - time.monotonic()))
        say(Charging((230.1, 231.2, 229.8), (15.81, 15.92, 15.77), 16.0, 16.0, 16.3, 16.3, 50.01,
                     time.monotonic(), float(number)))


@contextmanager
def running(name: str, hz: float) -> Iterator[tuple[int, int]]:
    """A bridge and a publisher: pid and port."""
    with server(name) as (pid, port), process(sys.executable, __file__, '--publish', str(hz),
                                              ready='ready'):
        yield pid, port


def load(what: str, name: str, port: int, pid: int, **options: float) -> Table:
    """Runs the load generator; its figures, and the server's CPU in its window."""
    command = [sys.executable, str(HERE / 'web' / 'load.py'), what, name, str(port)]
    for option, value in options.items():
        command += [f'--{option}', str(value)]
    with tempfile.TemporaryFile('w+') as errors, subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        result: Table = {}
        began = 0.0, 0.0
        for line in child.stdout:
            now = cpu_seconds(pid), time.monotonic()
            if line.startswith('begin'):
                began = now
            elif line.startswith('end'):
                result['cpu_percent'] = 100.0 * (now[0] - began[0]) / (now[1] - began[1])
            else:
                result |= json.loads(line)
                continue
            child.stdin.write('\n')
            child.stdin.flush()
        if child.wait():
            errors.seek(0)
            why = (errors.read().strip().splitlines() or ['no word'])[-1]
            raise LoadError(f'{what} {options}: {why}')
    return result


def websocket(name: str, count: int, hz: int, seconds: float) -> Table:
    """One case of the fan-out."""
    with running(name, hz) as (pid, port):
        values = load('ws', name, port, pid, count=count, seconds=seconds)
        return {**values, 'memory_mb': status(pid, 'VmHWM') / 1024,
                'threads': status(pid, 'Threads')}


def rest(name: str, connections: int, seconds: float) -> Table:
    with running(name, 10) as (pid, port):
        return load('rest', name, port, pid, count=connections, seconds=seconds)


def stalled(seconds: float) -> Table:
    """What five clients that never read do to the others."""
    with running('ours', 100) as (pid, port):
        values = load('ws', 'ours', port, pid, count=50, seconds=seconds, stalled=5, rounds=5)
        del values['cpu_percent']
        return values


def unasked(stops: list[float], decisions: list[Heard[Any]]) -> int:
    """Offers that ended (s) though no client had asked for it just before (messages of decision).

    Among what the abuse sends are good commands, `setEnabled false` too: such a stop is obedience.
    """
    asked = [d.at for d in decisions
             if d.value.limit_source == 'api' and d.value.requested_amperage == 0.0]
    return sum(not any(0.0 <= stop - at <= OBEYED for at in asked) for stop in stops)


def control(seconds: float, abuse: float) -> Table:
    """The ticks of a whole simulated charger under every kind of load, and its offer."""
    from live_charger import boottime, live_charger  # noqa: PLC0415
    from live_topics import topics_of  # noqa: PLC0415
    from web.abuse import Abuse  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, live_charger(
            Path(folder), {'bridge': {'max_clients': 600}}) as charger, ExitStack() as stack:
        charger.charge()
        port, pid = int(charger.url.rsplit(':', 1)[1]), charger.pid_of('bridge')
        topics = stack.enter_context(topics_of(charger.namespace, interfaces.AVAILABLE,
                                               interfaces.DECISION, raw=True))
        topics.wait_for(interfaces.AVAILABLE, bool, 10.0, 'a tick')
        time.sleep(seconds)
        quiet = len(topics.all(interfaces.AVAILABLE))
        begin = boottime()
        load('ws', 'ours', port, pid, count=500, seconds=seconds)
        load('rest', 'ours', port, pid, count=32, seconds=seconds)
        Abuse(port, pid).run(abuse)
        stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9
                  for m in topics.all(interfaces.AVAILABLE)]
        late = [b - a - 0.1 for a, b in itertools.pairwise(stamps)]
        wall = time.time() - boottime()   # decisions are dated by the wall clock
        stops = [e['t'] + wall for e in charger.events('offer', since=begin)
                 if e['amperage'] == 0.0]
        lost = unasked(stops, topics.heard(interfaces.DECISION))
        return {'ticks': len(late), 'quiet_latest_tick_ms': 1e3 * max(late[:quiet - 1]),
                'latest_tick_ms': 1e3 * max(late[quiet - 1:]), 'offers_lost': lost,
                'stops_asked_for': len(stops) - lost}


def fuzz(seconds: float) -> Table:
    from web.abuse import Abuse  # noqa: PLC0415

    with running('ours', 10) as (pid, port):
        return Abuse(port, pid).run(seconds)


class Report:
    """Prints as it comes, and keeps."""

    def __init__(self) -> None:
        self.result: Table = {}
        self._missing: set[str] = set()

    def add(self, name: str, case: str, measure: Any, *arguments: Any) -> None:
        try:
            values: Table = measure(*arguments)
        except NotHereError as why:
            if name not in self._missing:
                print(f'{name:12} not measured: {why}', flush=True)
            self._missing.add(name)
            return
        except LoadError as why:
            print(f'{name:12} {case:10} failed: {why}', flush=True)
            return
        print(f'{name:12} {case:10} ' + '  '.join(
            f'{key} {value:.1f}' for key, value in values.items()), flush=True)
        self.result |= {f'{name}.{case}.{key}': round(value, 3) for key, value in values.items()}
        if case == 'ws500x10':
            self.result[f'{name}.connect500_s'] = round(values['connect_s'], 3)

    def end(self) -> None:
        """What was stored, and what is over its budget."""
        stored = {key: value for key, value in STORED.items()
                  if key.split('.')[0] in self._missing}
        if stored:
            print('stored, not of this run:', json.dumps(stored))
            self.result |= stored
        for key, most in BUDGET.items():
            if key in self.result:
                value = self.result[key]
                print(f'{"ok  " if value <= most else "OVER"} {key} {value:g} (at most {most:g})')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--quick', action='store_true', help='fewer cases, shorter')
    parser.add_argument('--only', default='ws,rest,stalled,guesses,control', metavar='CASES',
                        help='of ws, ws500x10 and the like, rest, stalled, guesses, control')
    parser.add_argument('--servers', default=','.join(('ours', *PEERS)))
    parser.add_argument('--fuzz', type=float, default=0.0, metavar='SECONDS')
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--publish', type=float, metavar='HZ', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish(options.publish)
    seconds = 2.0 if options.quick else 4.0
    names, only, report = options.servers.split(','), options.only.split(','), Report()
    for count, hz in QUICK if options.quick else CASES:
        if {'ws', f'ws{count}x{hz}'} & set(only):
            for name in names:
                report.add(name, f'ws{count}x{hz}', websocket, name, count, hz, seconds)
    for connections in (1, 32):
        for name in names:
            if 'rest' in only and name != 'rosbridge':   # which has none
                report.add(name, f'rest{connections}', rest, name, connections, seconds)
    if 'stalled' in only:
        report.add('ours', 'stalled', stalled, seconds)
    if 'control' in only:
        report.add('ours', 'control', control, 2 * seconds, 2 * seconds)
    if 'guesses' in only:
        report.add('ours', 'guesses', measure)
    if options.fuzz:
        report.add('ours', 'fuzz', fuzz, options.fuzz)
    report.end()
    if options.json:
        options.json.write_text(json.dumps(report.result, indent=1) + '\n')


if __name__ == '__main__':
    main()
