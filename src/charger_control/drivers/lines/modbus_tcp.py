"""Modbus TCP: one connection to one device or gateway, with the interface of ``modbus.ModbusLine``.

Answers are told apart by their transaction number, so a late one is never taken for another; what
does not fit its request in unit, function and length is refused (Modbus Messaging on TCP/IP 1.0b).
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from charger_control.drivers.interfaces import AnswerError, DeviceError, PortLostError
from charger_control.drivers.lines.modbus_rtu import (
    EXCEPTIONS,
    WORDS,
    WRITE_COIL,
    WRITE_REGISTER,
    WRITE_REGISTERS,
)

PORT = 502
CONNECT_TIME = 1.0
"""s to connect; a device in the same network answers within a few ms."""
LOST_AFTER = 3
"""Requests in a row without an answer after which the connection is given up: TCP itself would try
to send to a device that restarted for many minutes."""
_HEADER = struct.Struct('>HHHB')
_LONGEST = 254
"""Most bytes of a protocol data unit and its unit number."""
_COIL_ON = 0xFF00
_OF_GATEWAYS = (0x0A, 0x0B)
"""Exceptions of a gateway: no path to the unit, no answer from it."""


class ModbusTcpLine:
    """A connection. Not thread-safe: one owner (bus.py)."""

    def __init__(self, host: str, port: int = PORT) -> None:
        """``host``: name or address; nothing is connected yet."""
        self.name = f'{host}:{port}'
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._buffer = b''
        self._transaction = 0
        self._unanswered = 0
        self._counters: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def open(self) -> None:
        """Connects. Raises DeviceError."""
        try:
            self._socket = socket.create_connection(self._address, CONNECT_TIME)
        except OSError as error:
            raise DeviceError(f'{self.name} cannot be reached ({error}): is it on, and is the '
                              'address right?') from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b''
        self._unanswered = 0

    def close(self) -> None:
        """Disconnects. Idempotent."""
        connection, self._socket = self._socket, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def presence(self) -> object:
        """A network name does not show whether the device is there: always the same."""
        return self._address

    def counters(self, unit: int) -> Mapping[str, int]:
        """Rising counts of one unit; for the line's owner."""
        return self._counters[unit]

    def read(self, unit: int, function: int, address: int, count: int,
             answer_time: float) -> list[int]:
        """Reads registers; as ``modbus.ModbusLine.read``."""
        data = self._ask(unit, struct.pack('>BHH', function, address, count), answer_time,
                         2 + 2 * count)
        self._demand(unit, data[1] == 2 * count, f'gave {data[1]} bytes instead of {2 * count}')
        return list(struct.unpack(f'>{count}H', data[2:]))

    def read_bits(self, unit: int, function: int, address: int, count: int,
                  answer_time: float) -> list[int]:
        """Reads bits; as ``modbus.ModbusLine.read_bits``."""
        size = (count + 7) // 8
        data = self._ask(unit, struct.pack('>BHH', function, address, count), answer_time, 2 + size)
        self._demand(unit, data[1] == size, f'gave {data[1]} bytes instead of {size}')
        return [data[2 + i // 8] >> (i % 8) & 1 for i in range(count)]

    def write_bit(self, unit: int, address: int, value: bool, answer_time: float) -> None:
        """Writes one coil; as ``modbus.ModbusLine.write_bit``."""
        self._write(unit, struct.pack('>BHH', WRITE_COIL, address, _COIL_ON if value else 0),
                    answer_time)

    def write_one(self, unit: int, address: int, value: int, answer_time: float) -> None:
        """Writes one holding register; as ``modbus.ModbusLine.write_one``."""
        self._write(unit, struct.pack('>BHH', WRITE_REGISTER, address, value), answer_time)

    def write(self, unit: int, address: int, values: Sequence[int], answer_time: float) -> None:
        """Writes holding registers; as ``modbus.ModbusLine.write``."""
        count = len(values)
        self._write(unit, struct.pack(f'>BHHB{count}H', WRITE_REGISTERS, address, count,
                                      2 * count, *values), answer_time)

    def _write(self, unit: int, request: bytes, answer_time: float) -> None:
        data = self._ask(unit, request, answer_time, 5)
        self._demand(unit, data == request[:5], 'acknowledged something else than was written')

    def _ask(self, unit: int, request: bytes, answer_time: float, length: int) -> bytes:
        """The protocol data unit that answers, of ``length`` bytes."""
        self._transaction = self._transaction % 0xFFFF + 1
        self._send(_HEADER.pack(self._transaction, 0, len(request) + 1, unit) + request)
        end = time.monotonic() + answer_time
        kind = 'timeouts'
        while (frame := self._frame(unit, end - time.monotonic())) is not None:
            transaction, other, data = frame
            if transaction != self._transaction:
                self._counters[unit]['late_answers'] += 1
                continue
            kind = self._verdict(unit, other, request, data, length)
            if not kind:
                self._unanswered = 0
                self._counters[unit]['answers'] += 1
                return data
            if kind == 'exceptions':
                self._unanswered = 0
                if data[1] in _OF_GATEWAYS:
                    raise self._failure(unit, 'timeouts', 'does not answer, says the gateway')
                raise self._failure(unit, kind, f'refused with exception {data[1]} '
                                    f'({EXCEPTIONS.get(data[1], "unknown")})')
        self._unanswered += kind == 'timeouts'
        error = self._failure(unit, kind, WORDS[kind])
        if self._unanswered >= LOST_AFTER:
            raise PortLostError(f'{error}: connecting anew') from error
        raise error

    @staticmethod
    def _verdict(unit: int, other: int, request: bytes, data: bytes, length: int) -> str:
        """'' for an answer to the request, else the name of a counter."""
        if other != unit:
            return 'wrong_ids'
        if len(data) == 2 and data[0] == request[0] | 0x80:
            return 'exceptions'
        return '' if data[0] == request[0] and len(data) == length else 'wrong_answers'

    def _demand(self, unit: int, fulfilled: bool, words: str) -> None:
        if not fulfilled:
            self._counters[unit]['answers'] -= 1
            raise self._failure(unit, 'wrong_answers', words)

    def _failure(self, unit: int, kind: str, words: str) -> AnswerError:
        self._counters[unit][kind] += 1
        return AnswerError(kind, f'unit {unit} on {self.name} {words}')

    def _frame(self, asked: int, wait: float) -> tuple[int, int, bytes] | None:
        """Transaction, unit and data of the next frame; None if none is whole within ``wait`` s."""
        end = time.monotonic() + wait
        while True:
            if len(self._buffer) >= _HEADER.size:
                transaction, protocol, size, unit = _HEADER.unpack_from(self._buffer)
                if protocol or not 2 <= size <= _LONGEST:
                    # Nothing in a stream says where the next frame begins.
                    self._counters[asked]['garbage'] += 1
                    raise PortLostError(f'{self.name} does not speak Modbus TCP: connecting anew')
                if len(self._buffer) >= 6 + size:
                    data = self._buffer[_HEADER.size:6 + size]
                    self._buffer = self._buffer[6 + size:]
                    return transaction, unit, data
            if not self._receive(max(0.0, end - time.monotonic())):
                return None

    def _receive(self, wait: float) -> bool:
        connection = self._connected()
        try:
            if not select.select([connection], [], [], wait)[0]:
                return False
            data = connection.recv(4096)
        except OSError as error:
            raise PortLostError(f'{self.name} is lost ({error})') from error
        if not data:
            raise PortLostError(f'{self.name} has closed the connection')
        self._buffer += data
        return True

    def _send(self, data: bytes) -> None:
        try:
            self._connected().sendall(data)
        except OSError as error:
            raise PortLostError(f'{self.name} is lost ({error})') from error

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise PortLostError(f'{self.name} is not connected')
        return self._socket
