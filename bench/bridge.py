"""Web clients of one charger: `python bench/bridge.py [--quick] [--json FILE]`.

Side by side in one run: our bridge and the plainest Flask + flask-sock on werkzeug, each a process
that hears a real ROS topic from a publisher process, and one load client that shares the cores.
Each frame carries when it was published and its number: latency is publish → client, loss counts
numbers that a client did not get. Figures of rosbridge and ros2-http-gateway are stored ones.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))

import rclpy

from charger_control.core.cppwm_controller.types import Charging
from charger_control.ros import interfaces
from charger_control.ros.node import BlockNode

HERE = Path(__file__).parent
TICK = os.sysconf('SC_CLK_TCK')
STAMP = re.compile(rb'"energyImported":([0-9.]+),"lastActivePower":([0-9.]+)')
STORED = {
    'rosbridge.ws500x10.loss_percent': 32.0, 'rosbridge.ws500x10.p99_ms': 1158.0,
    'rosbridge.ws500x10.cpu_percent': 77.0, 'rosbridge.ws500x100.frames_s': 3086.0,
    'http_gateway.ws500x10.loss_percent': 4.0, 'http_gateway.ws500x10.p99_ms': 229.0,
    'http_gateway.ws500x10.cpu_percent': 39.0, 'http_gateway.ws500x100.frames_s': 6619.0,
    'http_gateway.rest32.rps': 4350.0,
}
"""rosbridge_suite 2.1.0 and ros2-http-gateway 0.2.0 (SSE), measured on a machine of the same kind
on 22 Nov 2026 with frames of 230-260 bytes; not part of this run."""
CASES = [(clients, hz) for hz in (10, 100) for clients in (1, 50, 200, 500)]
QUICK = [(50, 10), (500, 10), (500, 100)]


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
def process(*command: str, ready: str) -> Iterator[tuple[int, str]]:
    """A child, its pid and the line that told it was ready."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert child.stdout is not None
        line = next((text for text in child.stdout if ready in text), '')
        if not line:
            raise RuntimeError(f'{command} did not start')
        yield child.pid, line
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def server(name: str) -> Iterator[tuple[int, int]]:
    """Pid and port of a bridge."""
    if name == 'ours':
        with process(sys.executable, '-m', 'charger_control.bridge.node', '--ros-args', '-r',
                     '__ns:=/charger', '-p', 'port:=0', '-p', 'max_clients:=600', '-p',
                     'max_rate:=1000.0', ready='serving') as (pid, line):
            yield pid, int(re.findall(r'http://127\.0\.0\.1:(\d+)/', line)[0])
        return
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    with process(sys.executable, str(HERE / 'peers' / 'flask_plain.py'), str(port),
                 ready='Serving') as (pid, _):
        until = time.monotonic() + 10.0
        while socket.socket().connect_ex(('127.0.0.1', port)) and time.monotonic() < until:
            time.sleep(0.05)
        yield pid, port


class Clients:
    """WebSocket clients on one epoll."""

    def __init__(self, port: int, count: int, stalled: int = 0) -> None:
        started = time.monotonic()
        self.poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.buffers: dict[int, bytes] = {}
        self.stalled = [self._connect(port, 4096)[0] for _ in range(stalled)]
        for _ in range(count):
            sock, rest = self._connect(port)
            self.sockets[sock.fileno()], self.buffers[sock.fileno()] = sock, rest
            self.poll.register(sock, select.EPOLLIN)
        self.connect_s = time.monotonic() - started

    @staticmethod
    def _connect(port: int, buffer: int = 0) -> tuple[socket.socket, bytes]:
        sock = socket.socket()
        sock.settimeout(30.0)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(('127.0.0.1', port))
        sock.sendall(b'GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n'
                     b'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                     b'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
        data = b''
        while b'\r\n\r\n' not in data:
            data += sock.recv(4096)
        head, _, rest = data.partition(b'\r\n\r\n')
        if b' 101 ' not in head:
            raise RuntimeError(head.decode())
        sock.setblocking(False)
        return sock, rest

    def read(self, seconds: float) -> tuple[int, list[float], dict[int, set[int]]]:
        """Frames, latencies in ms, and the numbers that each client got."""
        frames, latencies = 0, []
        numbers: dict[int, set[int]] = {fd: set() for fd in self.sockets}
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for fd, _ in self.poll.poll(end - now):
                data = self.buffers[fd] + self.sockets[fd].recv(262144)
                at, now, start = 0, time.monotonic(), 0
                while len(data) >= start + 4:
                    length, at = data[start + 1], start + 2
                    if length == 126:
                        length, at = int.from_bytes(data[start + 2:start + 4], 'big'), start + 4
                    if len(data) < at + length:
                        break
                    start = at + length
                    found = STAMP.search(data, at, start)
                    if found:
                        frames += 1
                        latencies.append((now - float(found[1])) * 1e3)
                        numbers[fd].add(int(float(found[2])))
                self.buffers[fd] = data[start:]
        return frames, latencies, numbers

    def wait(self) -> None:
        """Until every client has had a value: ROS nodes take a while to find each other."""
        waiting, until = set(self.sockets), time.monotonic() + 30.0
        while waiting and time.monotonic() < until:
            _, _, numbers = self.read(0.2)
            waiting -= {fd for fd, got in numbers.items() if got}
        if waiting:
            raise RuntimeError(f'{len(waiting)} clients got no value in 30 s')

    def close(self) -> None:
        for sock in [*self.sockets.values(), *self.stalled]:
            sock.close()
        self.poll.close()


def cpu_seconds(pid: int) -> float:
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def status(pid: int, name: str) -> int:
    text = Path(f'/proc/{pid}/status').read_text()
    return int(re.findall(rf'{name}:\s+(\d+)', text)[0])


def percentile(values: list[float], percent: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))] if values else 0.0


def websocket(name: str, count: int, hz: int, seconds: float, stalled: int = 0) -> dict[str, float]:
    """One case of the fan-out."""
    with server(name) as (pid, port), process(sys.executable, __file__, '--publish', str(hz),
                                              ready='ready'):
        clients = Clients(port, count, stalled)
        try:
            clients.wait()
            clients.read(0.5 if not stalled else 3.0)   # the buffers of the stalled are full
            cpu, start = cpu_seconds(pid), time.monotonic()
            frames, latencies, numbers = clients.read(seconds)
            elapsed = time.monotonic() - start
            cpu = (cpu_seconds(pid) - cpu) / elapsed * 100
            _, _, late = clients.read(1.0)   # what was on its way is not lost
        finally:
            clients.close()
        window = {n for got in numbers.values() for n in got}
        wanted = set(range(min(window), max(window) + 1)) if window else set()
        missing = sum(len(wanted - got - late[fd]) for fd, got in numbers.items())
        return {'frames_s': frames / elapsed, 'loss_percent': 100 * missing / max(
                    1, len(wanted) * count), 'p50_ms': percentile(latencies, 50),
                'p99_ms': percentile(latencies, 99), 'cpu_percent': cpu,
                'memory_mb': status(pid, 'VmRSS') / 1024, 'threads': status(pid, 'Threads'),
                'connect_s': clients.connect_s}


def rest(name: str, connections: int, seconds: float) -> dict[str, float]:
    """GET /api/v1/charging over connections that are kept where the server keeps them."""
    request = b'GET /api/v1/charging HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
    with server(name) as (_, port), process(sys.executable, __file__, '--publish', '10',
                                            ready='ready'):
        while b'16.3' not in _get(port, request):
            time.sleep(0.1)
        poll = select.epoll()
        sockets: dict[int, socket.socket] = {}
        answers: dict[int, bytes] = {}
        sent: dict[int, float] = {}

        def ask(sock: socket.socket | None = None) -> None:
            if sock is None:
                sock = socket.create_connection(('127.0.0.1', port))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets[sock.fileno()] = sock
                poll.register(sock, select.EPOLLIN)
            sent[sock.fileno()], answers[sock.fileno()] = time.monotonic(), b''
            sock.sendall(request)

        for _ in range(connections):
            ask()
        times: list[float] = []
        refused = 0
        start = time.monotonic()
        while (now := time.monotonic()) - start < seconds:
            for fd, _ in poll.poll(0.5):
                sock = sockets[fd]
                data = sock.recv(65536)
                answers[fd] += data
                if data and b'}' not in answers[fd]:
                    continue   # the head came first
                if data:
                    times.append((time.monotonic() - sent[fd]) * 1e3)
                    refused += b' 200 ' not in answers[fd][:20]
                if not data or b'onnection: close' in answers[fd]:
                    poll.unregister(fd)
                    del sockets[fd]
                    sock.close()
                    ask()
                else:
                    ask(sock)
        for sock in sockets.values():
            sock.close()
        return {'rps': len(times) / (now - start), 'p50_ms': percentile(times, 50),
                'p99_ms': percentile(times, 99), 'refused': refused}


def _get(port: int, request: bytes) -> bytes:
    with socket.create_connection(('127.0.0.1', port)) as sock:
        sock.settimeout(0.3)   # our server keeps the connection
        sock.sendall(request)
        data = b''
        try:
            while part := sock.recv(65536):
                data += part
        except TimeoutError:
            pass
        return data


def line(name: str, case: str, values: dict[str, float]) -> None:
    print(f'{name:12} {case:14} ' + '  '.join(
        f'{key} {value:.1f}' for key, value in values.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--quick', action='store_true', help='fewer cases, shorter')
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--publish', type=float, metavar='HZ', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish(options.publish)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(
        resource.RLIMIT_NOFILE)[1]))
    seconds = 2.0 if options.quick else 4.0
    result: dict[str, Any] = dict(STORED)
    for count, hz in QUICK if options.quick else CASES:
        for name in ('ours', 'flask_plain'):
            values = websocket(name, count, hz, seconds)
            line(name, f'ws {count} x {hz} Hz', values)
            if count == 500 and hz == 10:
                result[f'{name}.connect500_s'] = values['connect_s']
            result |= {f'{name}.ws{count}x{hz}.{key}': v for key, v in values.items()}
    values = websocket('ours', 50, 100, seconds, stalled=5)
    line('ours', 'and 5 stalled', values)
    result |= {f'ours.stalled50x100.{key}': v for key, v in values.items()}
    for connections in (1, 32):
        for name in ('ours', 'flask_plain'):
            values = rest(name, connections, seconds)
            line(name, f'rest {connections}', values)
            result |= {f'{name}.rest{connections}.{key}': v for key, v in values.items()}
    print('stored, not of this run:', json.dumps(STORED))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
