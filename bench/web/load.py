"""The load generator, a process of its own: `python bench/web/load.py ws|rest KIND PORT ...`.

It says `begin` and `end` on its standard output around the window that counts, then one line of
JSON. While it counts it only reads and notes when; what it read is taken apart afterwards, so that
it does not become what is measured. Its own CPU is part of the result.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import os
import re
import resource
import select
import socket
import struct
import sys
import time

NUMBERS = {
    'ours': re.compile(rb'"energyImported":([0-9.]+),"lastActivePower":([0-9.]+)}'),
    'snake': re.compile(rb'"energy_imported": ?([0-9.]+), ?"last_active_power": ?([0-9.]+)[,}]'),
}
"""When it was published (s) and its number, in a frame."""
STYLE = {'ours': 'ours', 'flask_plain': 'ours', 'rosbridge': 'snake', 'http_gateway': 'snake'}
SUBSCRIBE = json.dumps({'op': 'subscribe', 'topic': '/charger/charging',
                        'type': 'charger_interfaces/msg/Charging'}).encode()
PIECE = 16 * 1024
"""bytes read at once; far larger ones are mapped one by one, which takes longer than reading."""
PING, PONG = b'\x89\0', b'\x8a\x80\0\0\0\0'
"""What a server asks its clients now and then, and what it drops them for not saying; never part
of a frame's text, which is ASCII."""
STALLED_BUFFER = 4096
"""bytes that a client which does not read takes."""


def masked(text: bytes) -> bytes:
    """A text frame as clients send it (the mask is zero)."""
    return struct.pack('!BBH4x', 0x81, 0x80 | 126, len(text)) + text


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Streams:
    """Clients that are sent frames, on one epoll."""

    def __init__(self, kind: str, port: int) -> None:
        self.kind, self.port = kind, port
        self.poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.rests: dict[int, bytes] = {}
        self.stalled: list[socket.socket] = []
        self.ended = 0
        """Clients that the server has ended."""

    def connect(self, count: int) -> float:
        """s that it took."""
        start = time.monotonic()
        for _ in range(count):
            sock, rest = self._open()
            self.sockets[sock.fileno()], self.rests[sock.fileno()] = sock, rest
            self.poll.register(sock, select.EPOLLIN)
        if self.kind == 'rosbridge':   # once all are there: it stalls if they come one by one
            for sock in self.sockets.values():
                sock.sendall(masked(SUBSCRIBE))
        return time.monotonic() - start

    def stall(self, count: int) -> None:
        """Clients that never read."""
        self.stalled += [self._open(STALLED_BUFFER)[0] for _ in range(count)]

    def unstall(self) -> None:
        while self.stalled:
            self.stalled.pop().close()

    def _open(self, buffer: int = 0) -> tuple[socket.socket, bytes]:
        sock = socket.socket()
        sock.settimeout(60.0)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(('127.0.0.1', self.port))
        if self.kind == 'http_gateway':
            sock.sendall(b'GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n'
                         b'Accept: text/event-stream\r\nAuthorization: Bearer bench\r\n\r\n')
        else:
            path = b'/' if self.kind == 'rosbridge' else b'/api/ws'
            key = base64.b64encode(os.urandom(16))
            sock.sendall(b'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: '
                         b'Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n'
                         % (path, key))
        data = b''
        while b'\r\n\r\n' not in data:
            part = sock.recv(4096)
            if not part:
                raise RuntimeError(f'refused: {data!r}')
            data += part
        head, _, rest = data.partition(b'\r\n\r\n')
        if b' 101 ' not in head and b' 200 ' not in head:
            raise RuntimeError(head.decode())
        sock.setblocking(False)
        return sock, rest

    def read(self, seconds: float) -> list[tuple[int, float, bytes]]:
        """What came: whose, when, what."""
        read, poll, clock = [], self.poll.poll, time.monotonic
        receive = {fd: sock.recv for fd, sock in self.sockets.items()}
        end = clock() + seconds
        while (now := clock()) < end:
            for fd, _ in poll(end - now):
                try:
                    data = receive[fd](PIECE)
                    read.append((fd, clock(), data))
                    if PING in data:
                        self.sockets[fd].send(PONG)
                except OSError:
                    data = b''
                if not data:
                    self.poll.unregister(fd)
                    self.ended += 1
        return read

    def frames(self, read: list[tuple[int, float, bytes]]) -> list[tuple[int, float, int]]:
        """Client, latency in ms and number of each frame."""
        pattern = NUMBERS[STYLE[self.kind]]
        found = []
        for fd, at, data in read:
            whole, end = self.rests[fd] + data, 0
            for match in pattern.finditer(whole):
                found.append((fd, (at - float(match[1])) * 1e3, int(float(match[2]))))
                end = match.end()
            self.rests[fd] = whole[end:][-4096:]
        return found

    def wait(self, seconds: float) -> int:
        """Until every client has had a value, or not: how many have."""
        got: set[int] = set()
        until = time.monotonic() + seconds
        while len(got) < len(self.sockets) and time.monotonic() < until:
            got |= {fd for fd, _, _ in self.frames(self.read(0.2))}
        return len(got)


def say(text: str) -> None:
    print(text, flush=True)
    sys.stdin.readline()   # the one who counts CPU has taken note


def window(streams: Streams, seconds: float) -> dict[str, float]:
    """One window: what was delivered, what was lost, how late."""
    say('begin')
    streams.read(0.5)   # what piled up meanwhile
    cpu, start = time.process_time(), time.monotonic()
    read = streams.read(seconds)
    elapsed, cpu = time.monotonic() - start, time.process_time() - cpu
    say('end')
    late = streams.read(1.0)
    frames, after = streams.frames(read), streams.frames(late)
    got: dict[int, set[int]] = {fd: set() for fd in streams.sockets}
    for fd, _, number in frames:
        got[fd].add(number)
    numbers = {number for one in got.values() for number in one}
    wanted = set(range(min(numbers) + 1, max(numbers))) if numbers else set()
    for fd, _, number in after:   # what was on its way is not lost
        got[fd].add(number)
    missing = sum(len(wanted - one) for one in got.values())
    latencies = [latency for _, latency, _ in frames]
    return {'frames_s': len(frames) / elapsed,
            'loss_percent': 100.0 * missing / max(1, len(wanted) * len(got)),
            'p50_ms': percentile(latencies, 50), 'p99_ms': percentile(latencies, 99),
            'client_cpu_percent': 100.0 * cpu / elapsed}


def websocket(options: argparse.Namespace) -> dict[str, float]:
    streams = Streams(options.kind, options.port)
    connect = streams.connect(options.count)
    served = streams.wait(20.0)
    if not options.stalled:
        return {**window(streams, options.seconds), 'connect_s': connect, 'served': served,
                'ended': streams.ended}
    alone, beside = [], []
    for _ in range(options.rounds):   # in turn: the machine is not the same for long
        alone.append(window(streams, options.seconds)['p99_ms'])
        streams.stall(options.stalled)
        streams.read(2.0)   # their buffers are full now
        beside.append(window(streams, options.seconds)['p99_ms'])
        streams.unstall()
        streams.read(0.5)
    if served < options.count or streams.ended:   # silence would count as no delay
        raise RuntimeError(f'{served} of {options.count} clients were served, the server ended '
                           f'{streams.ended} of them')
    return {'alone_p99_ms': percentile(alone, 50), 'beside_p99_ms': percentile(beside, 50),
            'change_percent': 100.0 * (percentile(beside, 50) / percentile(alone, 50) - 1.0)}


def rest(options: argparse.Namespace) -> dict[str, float]:
    """GET /charging over connections that are kept where the server keeps them."""
    token = 'Authorization: Bearer bench\r\n' if options.kind == 'http_gateway' else ''
    request = f'GET /api/v1/charging HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}\r\n'.encode()
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    answers: dict[int, bytes] = {}
    sent: dict[int, float] = {}
    counts: dict[int, int] = {}

    def ask(sock: socket.socket | None = None) -> None:
        if sock is None:
            sock = socket.create_connection(('127.0.0.1', options.port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets[sock.fileno()] = sock
            poll.register(sock, select.EPOLLIN)
        fd = sock.fileno()
        sent[fd], answers[fd] = time.monotonic(), b''
        sock.sendall(request)

    for _ in range(options.count):
        ask()
    times: list[float] = []
    refused = 0

    def run(until: float) -> None:
        nonlocal refused
        while time.monotonic() < until:
            for fd, _ in poll.poll(0.5):
                sock = sockets[fd]
                data = sock.recv(65536)
                answers[fd] += data
                if data and not answers[fd].endswith(b'}') and not answers[fd].endswith(b'}\n'):
                    continue   # the head came first
                if data:
                    times.append((time.monotonic() - sent[fd]) * 1e3)
                    counts[fd] = counts.get(fd, 0) + 1
                    refused += b' 200 ' not in answers[fd][:20]
                if not data or b'onnection: close' in answers[fd]:
                    poll.unregister(fd)
                    del sockets[fd]
                    sock.close()
                    ask()
                else:
                    ask(sock)

    until = time.monotonic() + 20.0
    while refused or not times:   # ROS nodes take a while to find each other
        refused = 0
        times.clear()
        run(time.monotonic() + 0.5)
        if time.monotonic() > until:
            raise RuntimeError('nothing but refusals')
    times.clear()
    counts.clear()
    say('begin')
    cpu, start = time.process_time(), time.monotonic()
    run(start + options.seconds)
    elapsed, cpu = time.monotonic() - start, time.process_time() - cpu
    say('end')
    return {'rps': len(times) / elapsed, 'p50_ms': percentile(times, 50),
            'p99_ms': percentile(times, 99), 'refused': refused,
            'least_of_mean_percent': 100.0 * min(counts.values()) * len(counts) / len(times),
            'client_cpu_percent': 100.0 * cpu / elapsed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('what', choices=('ws', 'rest'))
    parser.add_argument('kind', choices=sorted(STYLE))
    parser.add_argument('port', type=int)
    parser.add_argument('--count', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=4.0)
    parser.add_argument('--stalled', type=int, default=0)
    parser.add_argument('--rounds', type=int, default=3)
    options = parser.parse_args()
    gc.disable()   # a pause of ours would count as one of the server's
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))
    print(json.dumps((websocket if options.what == 'ws' else rest)(options)), flush=True)


if __name__ == '__main__':
    main()
