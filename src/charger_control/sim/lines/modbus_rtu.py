"""Modbus RTU frames as a device on the line sees them (Modbus over serial line 1.02, 2.5)."""

from __future__ import annotations

import struct

READ_COILS = 1
READ_DISCRETE = 2
READ_HOLDING = 3
READ_INPUT = 4
WRITE_COIL = 5
WRITE_ONE = 6
WRITE_MANY = 16

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3

_FIXED_REQUEST = 8
_MOST_READ, _MOST_WRITTEN, _MOST_BITS = 125, 123, 2000
_COIL_ON = 0xFF00


class ModbusException(Exception):  # noqa: N818  the protocol's own word
    """A device refuses a request.

    Attributes:
        code: what it answers.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f'Modbus exception {code}')
        self.code = code


class NoAnswerError(Exception):
    """A device does not answer a request at all."""


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> bytes:
    """The checksum of a frame, low byte first as it goes over the line."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, 'little')


def frame(unit: int, pdu: bytes) -> bytes:
    """A whole frame for a unit id and a protocol data unit."""
    body = bytes([unit]) + pdu
    return body + crc16(body)


def is_sound(data: bytes) -> bool:
    """Whether a whole frame's checksum fits."""
    return len(data) >= 4 and crc16(data[:-2]) == data[-2:]


def request_length(data: bytes) -> int:
    """Bytes of the request that ``data`` begins with; 0 when its beginning does not tell yet.

    A function that is not known has no length of its own: it ends where the line falls silent (-1).
    """
    if len(data) < 2:
        return 0
    function = data[1]
    if 1 <= function <= 6:
        return _FIXED_REQUEST
    if function in (15, 16):
        return 9 + data[6] if len(data) > 6 else 0
    return -1


class Registers:
    """What a device is to the line: reads and writes by address, refusals as exceptions."""

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        """``count`` registers from ``address``; raises ModbusException."""
        raise NotImplementedError

    def write(self, address: int, values: list[int], now: float) -> None:
        """Writes registers from ``address``; raises ModbusException."""
        raise NotImplementedError

    def read_bits(self, function: int, address: int, count: int, now: float) -> list[bool]:
        """``count`` bits from ``address``; raises ModbusException: most devices have none."""
        raise ModbusException(ILLEGAL_FUNCTION)

    def write_bit(self, address: int, value: bool, now: float) -> None:
        """Writes one coil; raises ModbusException: most devices have none."""
        raise ModbusException(ILLEGAL_FUNCTION)


def answer(registers: Registers, pdu: bytes, now: float) -> bytes:
    """The answer of a register device to a request, both without unit id and checksum.

    b'' where there is none.
    """
    try:
        return _answer(registers, pdu, now)
    except NoAnswerError:
        return b''
    except ModbusException as refusal:
        return bytes([pdu[0] | 0x80, refusal.code])


def _answer(registers: Registers, pdu: bytes, now: float) -> bytes:
    function = pdu[0]
    if function in (READ_HOLDING, READ_INPUT) and len(pdu) == 5:
        address, count = struct.unpack('>HH', pdu[1:5])
        if not 1 <= count <= _MOST_READ:
            raise ModbusException(ILLEGAL_VALUE)
        values = registers.read(function, address, count, now)
        return struct.pack(f'>BB{count}H', function, 2 * count, *values)
    if function in (READ_COILS, READ_DISCRETE) and len(pdu) == 5:
        address, count = struct.unpack('>HH', pdu[1:5])
        if not 1 <= count <= _MOST_BITS:
            raise ModbusException(ILLEGAL_VALUE)
        return _packed(function, registers.read_bits(function, address, count, now))
    if function == WRITE_COIL and len(pdu) == 5:
        address, value = struct.unpack('>HH', pdu[1:5])
        if value not in (0, _COIL_ON):
            raise ModbusException(ILLEGAL_VALUE)
        registers.write_bit(address, value == _COIL_ON, now)
        return pdu
    if function == WRITE_ONE and len(pdu) == 5:
        address, value = struct.unpack('>HH', pdu[1:5])
        registers.write(address, [value], now)
        return pdu
    if function == WRITE_MANY and len(pdu) >= 6:
        address, count, size = struct.unpack('>HHB', pdu[1:6])
        if not 1 <= count <= _MOST_WRITTEN or size != 2 * count or len(pdu) != 6 + size:
            raise ModbusException(ILLEGAL_VALUE)
        registers.write(address, list(struct.unpack(f'>{count}H', pdu[6:])), now)
        return pdu[:5]
    raise ModbusException(ILLEGAL_FUNCTION)


def _packed(function: int, bits: list[bool]) -> bytes:
    size = (len(bits) + 7) // 8
    whole = sum(bit << i for i, bit in enumerate(bits))
    return bytes([function, size]) + whole.to_bytes(size, 'little')
