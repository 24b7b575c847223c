"""Modbus RTU on one serial line: pymodbus for requests and answers, and the checks it leaves out.

pymodbus 3.16 accepts an answer of another function, with fewer registers, or a late one that
belongs to an earlier request, and reports silence, noise and CRC errors alike; its serial client
polls and times out on the wall clock. So reading and writing the port are done here, and only
whole, sound, fitting answers are given to it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from charger_control.drivers.interfaces import AnswerError, PortLostError
from charger_control.drivers.lines.modbus_frames import (
    WRITE_ANSWER_LENGTH,
    AnswerReader,
    bits_answer_length,
    read_answer_length,
)
from charger_control.drivers.lines.port import SerialSettings, open_port

# What goes wrong is counted and told by this module; pymodbus would print it at each request.
logging.getLogger('pymodbus').addHandler(logging.NullHandler())

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_REGISTERS = 5, 6, 16
END_OF_ANSWER = 0.05
"""s of silence that end an answer: more than a USB adapter's 16 ms latency timer holds back."""
DRAIN_TIME = 0.1
"""s, how long late bytes are read away at most before a request goes out all the same."""
EXCEPTIONS = {1: 'illegal function', 2: 'illegal address', 3: 'illegal value', 4: 'device failure',
               5: 'acknowledged, not done yet', 6: 'busy', 8: 'memory parity error'}
WORDS = {'timeouts': 'does not answer', 'crc_errors': 'answered with a wrong CRC',
          'wrong_ids': 'did not answer, another unit did',
          'wrong_answers': 'answered something that was not asked',
          'garbage': 'did not answer, only noise or half a frame came'}


class _RtuClient(ModbusSerialClient):
    """pymodbus's client on a port that is opened, read and written by us."""

    def __init__(self, port: str, settings: SerialSettings) -> None:
        super().__init__(port, baudrate=settings.baudrate, parity=settings.parity,
                         stopbits=settings.stopbits, retries=0)
        self._settings = settings
        self._answer_time = 0.0
        self._deadline = 0.0
        self.reader = AnswerReader(0, 0, 0)

    def open(self) -> None:
        """Opens the port. Raises DeviceError."""
        self.socket = open_port(self.comm_params.host, self._settings)

    def connect(self) -> bool:
        """Whether the port is open; it is never opened behind the bus's back."""
        return self.socket is not None

    def close(self) -> None:
        """Closes the port, also one that is gone."""
        port, self.socket = self.socket, None
        if port is not None:
            with contextlib.suppress(OSError):  # an unplugged adapter may refuse even that
                port.close()

    def expect(self, reader: AnswerReader, answer_time: float) -> None:
        """Sets what the next request is answered by, and how soon it must begin (s)."""
        self.reader = reader
        self._answer_time = answer_time

    def send(self, request: bytes, addr: tuple[Any, ...] | None = None) -> int:
        """Writes a request; ``addr`` is not used on a serial line."""
        try:
            written = int(self._port().write(request) or 0)
        except OSError as error:
            raise PortLostError(f'{self.comm_params.host} takes no data ({error})') from error
        self._deadline = (time.monotonic() + self._answer_time
                          + len(request) * self._settings.character_time)
        return written

    def recv(self, size: int | None) -> bytes:
        """The answer to the request under way, or b'' if none comes."""
        reader, character = self.reader, self._settings.character_time
        limit = self._deadline
        latest = limit + reader.length * character + END_OF_ANSWER
        while (data := self.read_within(min(limit, latest) - time.monotonic())) is not None:
            if (frame := reader.feed(data)) is not None:
                return frame
            rest = reader.missing * character
            if reader.began:
                if not reader.missing:
                    break  # all of it is there, and its CRC is wrong
                limit = time.monotonic() + rest + END_OF_ANSWER
            time.sleep(rest)  # one wake-up for the rest of the answer, not one per byte
        return b''

    def read_within(self, timeout: float) -> bytes | None:
        """What has come, as soon as something has; None if nothing comes for ``timeout`` s."""
        descriptor = self._port().fileno()
        if not select.select([descriptor], [], [], max(0.0, timeout))[0]:
            return None
        try:
            data = os.read(descriptor, 512)
        except OSError as error:
            raise PortLostError(f'{self.comm_params.host} is lost ({error})') from error
        if not data:
            raise PortLostError(f'{self.comm_params.host} was unplugged')
        return data

    def was_replaced(self) -> bool:
        """Whether the path leads to something else than what is open."""
        try:
            there = Path(self.comm_params.host).stat()
            ours = os.fstat(self._port().fileno())
        except OSError:
            return True
        return (there.st_rdev, there.st_ino) != (ours.st_rdev, ours.st_ino)

    def _port(self) -> Any:
        if self.socket is None:
            raise PortLostError(f'{self.comm_params.host} is not open')
        return self.socket


class ModbusLine:
    """One RS-485 line with Modbus RTU devices. Not thread-safe: one owner (bus.py)."""

    def __init__(self, port: str, settings: SerialSettings) -> None:
        """``port``: device path; nothing is opened yet."""
        self.name = port
        self.settings = settings
        self._client = _RtuClient(port, settings)
        self._counters: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._silent_since = 0.0
        # Modbus over serial line 2.5.1.1: 3.5 characters, 1.75 ms from 19200 bit/s up
        self._pause = max(0.00175, 3.5 * settings.character_time)

    def open(self) -> None:
        """Opens the port exclusively. Raises DeviceError."""
        self._client.open()

    def close(self) -> None:
        """Closes the port. Idempotent."""
        self._client.close()

    def presence(self) -> tuple[int, int] | None:
        """What the path leads to now; None: nothing."""
        try:
            there = Path(self.name).stat()
        except OSError:
            return None
        return there.st_rdev, there.st_ino

    def counters(self, unit: int) -> Mapping[str, int]:
        """Rising counts of one unit; for the line's owner."""
        return self._counters[unit]

    def read(self, unit: int, function: int, address: int, count: int,
             answer_time: float) -> list[int]:
        """Reads registers.

        Args:
            unit: 1..247.
            function: READ_HOLDING or READ_INPUT.
            address: first register, as on the wire (0-based).
            count: number of registers, 1..125.
            answer_time: s, the longest the device may take to begin its answer.

        Raises:
            AnswerError: no answer, or not this one.
            PortLostError: the port does not work any more.
        """
        method = (self._client.read_holding_registers if function == READ_HOLDING
                  else self._client.read_input_registers)
        reader = AnswerReader(unit, function, read_answer_length(count))
        answer = self._ask(reader, unit, answer_time,
                           lambda: method(address, count=count, device_id=unit))
        self._demand(unit, len(answer.registers) == count,
                     f'gave {len(answer.registers)} registers instead of {count}')
        self._counters[unit]['answers'] += 1
        return list(answer.registers)

    def read_bits(self, unit: int, function: int, address: int, count: int,
                  answer_time: float) -> list[int]:
        """Reads bits as 0 and 1; ``function``: READ_COILS or READ_DISCRETE, else as ``read``."""
        method = (self._client.read_coils if function == READ_COILS
                  else self._client.read_discrete_inputs)
        reader = AnswerReader(unit, function, bits_answer_length(count))
        answer = self._ask(reader, unit, answer_time,
                           lambda: method(address, count=count, device_id=unit))
        self._demand(unit, len(answer.bits) >= count,
                     f'gave {len(answer.bits)} bits instead of {count}')
        self._counters[unit]['answers'] += 1
        return [int(bit) for bit in answer.bits[:count]]

    def write_bit(self, unit: int, address: int, value: bool, answer_time: float) -> None:
        """Writes one coil (function 5); arguments and errors as ``read``."""
        reader = AnswerReader(unit, WRITE_COIL, WRITE_ANSWER_LENGTH)
        answer = self._ask(reader, unit, answer_time,
                           lambda: self._client.write_coil(address, value, device_id=unit))
        self._demand(unit, (answer.address, bool(answer.bits[0])) == (address, value),
                     f'acknowledged another coil than {address}, or another value')
        self._counters[unit]['answers'] += 1

    def write_one(self, unit: int, address: int, value: int, answer_time: float) -> None:
        """Writes one holding register (function 6); arguments and errors as ``read``."""
        reader = AnswerReader(unit, WRITE_REGISTER, WRITE_ANSWER_LENGTH)
        answer = self._ask(reader, unit, answer_time,
                           lambda: self._client.write_register(address, value, device_id=unit))
        self._demand(unit, (answer.address, answer.registers[0]) == (address, value),
                     f'acknowledged {answer.registers[0]} at {answer.address} instead of {value} '
                     f'at {address}')
        self._counters[unit]['answers'] += 1

    def write(self, unit: int, address: int, values: Sequence[int], answer_time: float) -> None:
        """Writes holding registers (function 16); arguments and errors as ``read``."""
        reader = AnswerReader(unit, WRITE_REGISTERS, WRITE_ANSWER_LENGTH)
        answer = self._ask(
            reader, unit, answer_time,
            lambda: self._client.write_registers(address, list(values), device_id=unit))
        self._demand(unit, (answer.address, answer.count) == (address, len(values)),
                     f'acknowledged {answer.count} registers at {answer.address} instead of '
                     f'{len(values)} at {address}')
        self._counters[unit]['answers'] += 1

    def _ask(self, reader: AnswerReader, unit: int, answer_time: float,
             send: Callable[[], ModbusPDU]) -> ModbusPDU:
        time.sleep(max(0.0, self._silent_since + self._pause - time.monotonic()))
        self._drain(unit)
        self._client.expect(reader, answer_time)
        try:
            answer = send()
        except ModbusException as error:
            kind = reader.verdict()
            if kind == 'timeouts' and self._client.was_replaced():
                raise PortLostError(f'{self.name} was unplugged or leads elsewhere now') from error
            raise self._failure(unit, kind, WORDS[kind]) from error
        finally:
            self._silent_since = time.monotonic()
            self._count_strays(reader)
        if answer.isError():
            code = answer.exception_code
            raise self._failure(unit, 'exceptions', f'refused with exception {code} '
                                f'({EXCEPTIONS.get(code, "unknown")})')
        return answer

    def _demand(self, unit: int, fulfilled: bool, words: str) -> None:
        if not fulfilled:
            raise self._failure(unit, 'wrong_answers', words)

    def _failure(self, unit: int, kind: str, words: str) -> AnswerError:
        self._counters[unit][kind] += 1
        return AnswerError(kind, f'unit {unit} on {self.name} ({self.settings}) {words}')

    def _drain(self, unit: int) -> None:
        """Reads away what came since the last answer: it must not be taken for the next one."""
        late = AnswerReader(unit, 0, 0)
        end = time.monotonic() + DRAIN_TIME
        wait, came = 0.0, 0
        while time.monotonic() < end and (data := self._client.read_within(wait)) is not None:
            came += len(data)
            late.feed(data)
            wait = max(0.005, self._pause)
        self._count_strays(late)
        if came and not late.strays:
            self._counters[unit]['garbage'] += 1

    def _count_strays(self, reader: AnswerReader) -> None:
        for unit, frames in reader.strays.items():
            self._counters[unit]['late_answers'] += frames
