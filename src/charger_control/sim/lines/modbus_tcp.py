"""A Modbus TCP device as a client sees it: a listening port, one connection, and its answers."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import select
import socket
import struct

from charger_control.sim.lines.modbus_rtu import answer, is_sound
from charger_control.sim.lines.rtu_line import BusDevice

_HEADER = struct.Struct('>HHHB')
_MOST_READ = 4096


class TcpLine:
    """The devices behind one port; as ``rtu_line.RtuLine``, without a line's silences."""

    def __init__(self, devices: list[BusDevice]) -> None:
        self.devices = devices
        self.counters = {'frames': 0, 'foreign': 0, 'broken_frames': 0}
        self._buffer = b''
        self._queue: list[tuple[float, int, bytes]] = []
        self._order = itertools.count()

    def feed(self, now: float, data: bytes) -> None:
        """Takes what the connection brought at ``now`` s."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            transaction, protocol, size, unit = _HEADER.unpack_from(self._buffer)
            if protocol or size < 2:
                self.counters['broken_frames'] += 1
                self._buffer = b''
                return
            if len(self._buffer) < 6 + size:
                return
            request = self._buffer[_HEADER.size:6 + size]
            self._buffer = self._buffer[6 + size:]
            self._hear(now, transaction, unit, request)

    def due(self) -> float:
        """s, when ``step`` has something to do next; infinity if never."""
        return self._queue[0][0] if self._queue else math.inf

    def step(self, now: float) -> bytes:
        """What the devices send up to ``now`` s."""
        sent = b''
        while self._queue and self._queue[0][0] <= now:
            sent += heapq.heappop(self._queue)[2]
        return sent

    def forget(self) -> None:
        """The connection was cut: what is half received or on its way is lost."""
        self._buffer = b''
        self._queue.clear()

    def _hear(self, now: float, transaction: int, unit: int, request: bytes) -> None:
        self.counters['frames'] += 1
        device = next((each for each in self.devices if each.unit() == unit), None)
        if device is None:
            self.counters['foreign'] += 1
            return
        device.counters['requests'] += 1
        if not device.is_up() or device.faults.hit('silence', now):
            return
        pdu = answer(device.registers, request, now)
        if device.faults.hit('no_answer', now) or not device.is_up():
            return
        data, late = device.faults.spoil(unit, request, pdu, now)
        if is_sound(data):      # else it is no frame here either
            data = _HEADER.pack(transaction, 0, len(data) - 2, data[0]) + data[1:-2]
        device.counters['answers'] += 1
        heapq.heappush(self._queue,
                       (now + device.answer_delay + late, next(self._order), data))


class TcpPort:
    """A listening port with one connection, with the interface of ``pty_port.PtyPort``.

    Args:
        address: host and port; port 0 takes a free one, which it then keeps.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self._server: socket.socket | None = None
        self._connection: socket.socket | None = None
        self._poll: select.epoll | None = None

    @property
    def connected(self) -> bool:
        """Whether it listens."""
        return self._poll is not None

    @property
    def name(self) -> str:
        """Host and port, in words."""
        return '{}:{}'.format(*self.address)

    def fileno(self) -> int:
        """What to wait for connections and input on; -1 while it does not listen."""
        return self._poll.fileno() if self._poll else -1

    def plug_in(self) -> None:
        """Listens. Raises OSError."""
        if self._poll:
            return
        self._server = socket.create_server(self.address)
        self._server.setblocking(False)
        self.address = self._server.getsockname()[:2]
        self._poll = select.epoll()
        self._poll.register(self._server, select.EPOLLIN)

    def pull(self) -> None:
        """Takes the network cable away: the connection is reset, none is accepted."""
        for each in (self._connection, self._server, self._poll):
            if each is not None:
                each.close()
        self._connection = self._server = self._poll = None

    def read(self) -> bytes:
        """What has come in, b'' if nothing; a new connection takes the place of the old one."""
        assert self._server is not None
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._server.accept()
            self._drop()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection = connection
            assert self._poll is not None
            self._poll.register(connection, select.EPOLLIN)
        if self._connection is None:
            return b''
        try:
            data = self._connection.recv(_MOST_READ)
        except BlockingIOError:
            return b''
        except OSError:
            data = b''
        if not data:
            self._drop()
        return data

    def write(self, data: bytes) -> None:
        """Sends; what nobody takes is lost."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.sendall(data)

    def is_baudrate(self, baudrate: int) -> bool:
        """A network has none: always."""
        return True

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
