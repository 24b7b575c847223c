"""Clients that mean no good: odd requests and frames, for as long as one likes.

Beside them a client that does nothing odd asks ten times a second, and one listens to frames: they
tell whether the bridge hangs. A 500 is a defect, and so is memory that keeps growing.
"""

from __future__ import annotations

import base64
import json
import os
import random
import socket
import statistics
import struct
import time
from collections.abc import Callable

from web.servers import status

PATHS = ('/', '/api/v1/charging', '/api/v1/limits', '/api/v1/transaction', '/api/v1/profiles',
         '/api/v1/composite-schedule', '/api/v1/health', '/api/v1/history', '/api/v1/chargers',
         '/api/v1/chargers/charger/limits', '/chargers/charger/api/v1/limits', '/api/v1/access',
         '/api/v1/vcse/dimming', '/metrics', '/api/ws', '/api/openapi.yaml', '/api/openapi.json',
         '/api/docs', '/static/page.js', '/static/../app.py', '/%2e%2e/%2e%2e/etc/passwd', '/\xff')
METHODS = ('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'BREW',
           '', 'G' * 300)
FIELDS = ('amperageLimit', 'powerLimit', 'enabled', 'timeout', 'onePhaseLimit', 'power',
          'ocppTransactionId', 'connectorId', 'csChargingProfiles', 'evseId', 'chargingProfile')
HEADERS = ('Host', 'Origin', 'Authorization', 'Content-Type', 'Content-Length', 'Transfer-Encoding',
           'Connection', 'Upgrade', 'Expect', 'Range', 'Cookie', 'X-Forwarded-For', 'Accept',
           'Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Sec-WebSocket-Extensions', 'Age', ':', '')
COMMANDS = ('setEnabled', 'setCurrentLimit', 'setPowerLimit', 'setTimeout', 'set1p3p', 'x', '')
ANSWER = 3.0
"""s for an answer to anybody; more is a hang."""
GOOD = b'GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
PONG = b'\x8a\x80\0\0\0\0'
HEARD = 2.0
"""s in which a client that listens gets a frame."""


class Abuse:
    """One abuser and two witnesses, in turn, on one bridge."""

    def __init__(self, port: int, pid: int, seed: int = 1) -> None:
        self._port, self._pid = port, pid
        self._random = random.Random(seed)
        self._memory: list[float] = []
        self._counts = {'requests': 0, 'frames': 0, 'status_500': 0, 'hung': 0}
        self._slowest = 0.0
        self._heard = time.monotonic()

    def run(self, seconds: float) -> dict[str, float]:
        """What came of it; memory in MB over the last three quarters."""
        end = time.monotonic() + seconds
        listener = self._open()
        self._shake(listener)
        listener.setblocking(False)
        looked = 0.0
        while (now := time.monotonic()) < end:
            self._random.choice((self._request, self._request, self._socket))()
            if now - looked > 0.1:
                looked = now
                self._witness(listener)
        listener.close()
        half = len(self._memory) // 2
        memory = [statistics.median(part) for part in (
            self._memory[len(self._memory) // 4:half], self._memory[-len(self._memory) // 4:])]
        return {**self._counts, 'slowest_ms': 1e3 * self._slowest, 'memory_mb': memory[1],
                'growth_mb': memory[1] - memory[0]}

    # -- witnesses --------------------------------------------------------------------------------
    def _witness(self, listener: socket.socket) -> None:
        start = time.monotonic()
        with self._open() as sock:
            sock.sendall(GOOD)
            if not self._answer(sock):
                self._counts['hung'] += 1
        self._slowest = max(self._slowest, time.monotonic() - start)
        try:
            listener.send(PONG)   # it is alive
            while listener.recv(65536):
                self._heard = time.monotonic()
        except BlockingIOError:
            pass
        if time.monotonic() - self._heard > HEARD:
            self._counts['hung'] += 1
            self._heard = time.monotonic()
        self._memory.append(status(self._pid, 'VmRSS') / 1024)

    def _answer(self, sock: socket.socket) -> bytes:
        """The first line of an answer, b'' where the connection was ended without one."""
        data = b''
        try:
            while b'\r\n' not in data:
                part = sock.recv(65536)
                if not part:
                    return b'closed'
                data += part
        except TimeoutError:
            return b''
        except OSError:
            return b'reset'
        line = data.partition(b'\r\n')[0]
        self._counts['status_500'] += b' 500 ' in line
        return line

    # -- requests ---------------------------------------------------------------------------------
    def _open(self) -> socket.socket:
        return socket.create_connection(('127.0.0.1', self._port), timeout=ANSWER)

    def _request(self) -> None:
        self._counts['requests'] += 1
        pick = self._random
        body = self._body()
        head = [f'{pick.choice(METHODS)} {pick.choice(PATHS)}{self._query()} '
                f'{pick.choice(("HTTP/1.1",) * 8 + ("HTTP/1.0", "HTTP/9", "", "x"))}']
        headers = {'Host': '127.0.0.1', 'Content-Length': str(len(body))}
        for _ in range(pick.choice((0, 0, 1, 2, 5))):
            headers[pick.choice(HEADERS)] = self._text(pick.choice((0, 3, 20, 200)))
        if pick.random() < 0.02:
            headers |= {f'X-{i}': 'y' * 100 for i in range(150)}
        head += [f'{name}: {value}' for name, value in headers.items()]
        data = '\r\n'.join(head).encode('latin-1', 'replace') + b'\r\n\r\n' + body
        if pick.random() < 0.1:
            data = data[:pick.randrange(len(data) + 1)]
        with self._open() as sock:
            try:
                sock.sendall(data)
                if pick.random() < 0.1:
                    return   # gone before the answer
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                return
            if not self._answer(sock):
                self._counts['hung'] += 1

    def _query(self) -> str:
        pick = self._random
        if pick.random() < 0.7:
            return ''
        name = pick.choice(('duration', 'unit', 'evse', 'id', 'purpose', 'ocppVersion', 'x'))
        value = pick.choice(('1', '-1', 'A', '9' * 40, '%00', '%ff', '1e9', '', 'x' * 300))
        return f'?{name}={value}' * pick.choice((1, 1, 3))

    def _text(self, length: int) -> str:
        return ''.join(chr(self._random.choice((*range(32, 127), *range(160, 255))))
                       for _ in range(length))

    def _body(self) -> bytes:
        pick = self._random
        makers: tuple[Callable[[], bytes], ...] = (
            lambda: b'', lambda: pick.randbytes(pick.choice((1, 50, 5000))),
            lambda: json.dumps(self._value(3)).encode(),
            lambda: json.dumps({pick.choice(FIELDS): self._value(2) for _ in range(3)}).encode(),
            lambda: b'[' * pick.choice((10, 5000, 60_000)),
            lambda: b'{"amperageLimit": ' + b'9' * pick.choice((20, 5000)) + b'}',
            lambda: b'x' * pick.choice((66_000, 1_100_000)) if pick.random() < 0.05 else b'{}')
        return pick.choice(makers)()

    def _value(self, depth: int) -> object:
        pick = self._random
        if depth and pick.random() < 0.4:
            if pick.random() < 0.5:
                return [self._value(depth - 1) for _ in range(3)]
            return {pick.choice(FIELDS): self._value(depth - 1) for _ in range(3)}
        return pick.choice((None, True, False, 0, -1, 8.5, 1e308, float('nan'), float('inf'),
                            2**70, '', 'x', '\ud800', '\x00', 'A' * 200, 16, 6))

    # -- frames -----------------------------------------------------------------------------------
    def _shake(self, sock: socket.socket) -> bool:
        key = base64.b64encode(os.urandom(16))
        sock.sendall(b'GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n'
                     b'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                     b'Sec-WebSocket-Key: %s\r\n\r\n' % key)
        return b' 101 ' in self._answer(sock)

    def _socket(self) -> None:
        pick = self._random
        with self._open() as sock:
            if not self._shake(sock):
                return
            try:
                for _ in range(pick.choice((1, 5, 60))):
                    self._counts['frames'] += 1
                    sock.sendall(self._frame())
                if pick.random() < 0.5:
                    sock.settimeout(0.02)
                    sock.recv(65536)
            except OSError:
                return

    def _frame(self) -> bytes:
        pick = self._random
        if pick.random() < 0.1:
            return pick.randbytes(pick.choice((1, 2, 14, 200)))
        payload = pick.choice((
            f'{pick.choice(COMMANDS)}\n{json.dumps(self._value(1))}'.encode(),
            pick.randbytes(pick.choice((0, 5, 125, 126, 5000))), b'setCurrentLimit\n8',
            b'\xff\xfe', struct.pack('!H', pick.choice((0, 999, 1000, 1005, 5000)))))
        first = pick.choice((0x81, 0x81, 0x81, 0x01, 0x80, 0x00, 0x82, 0x88, 0x89, 0x8a, 0xf1))
        length, masked = len(payload), pick.choice((0x80, 0x80, 0x80, 0))
        claimed = length if pick.random() < 0.95 else pick.choice((0, 2**16, 2**40, 2**63))
        if claimed < 126:
            head = struct.pack('!BB', first, masked | claimed)
        elif claimed < 65536:
            head = struct.pack('!BBH', first, masked | 126, claimed)
        else:
            head = struct.pack('!BBQ', first, masked | 127, claimed)
        return head + (b'\0\0\0\0' if masked else b'') + payload
