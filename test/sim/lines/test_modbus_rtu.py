import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.rtu import FramerRTU

from charger_control.sim.lines.modbus_rtu import (
    ModbusException,
    Registers,
    answer,
    crc16,
    frame,
    is_sound,
    request_length,
)


def test_checksum_of_a_known_frame() -> None:
    assert frame(1, bytes.fromhex('03 00 00 00 0a')) == bytes.fromhex('01 03 00 00 00 0a c5 cd')


@given(st.binary(min_size=1, max_size=256))
def test_checksum_is_the_one_that_pymodbus_computes(data: bytes) -> None:
    assert crc16(data) == FramerRTU.compute_CRC(data).to_bytes(2, 'big')


@given(st.binary(min_size=1, max_size=64), st.integers(0, 511), st.integers(0, 7))
def test_every_single_wrong_bit_is_seen(pdu: bytes, byte: int, bit: int) -> None:
    data = bytearray(frame(1, pdu))
    data[byte % len(data)] ^= 1 << bit
    assert not is_sound(bytes(data))


@pytest.mark.parametrize(('data', 'length'), [
    ('', 0), ('01', 0), ('01 03', 8), ('01 04 00', 8), ('01 06', 8), ('01 10', 0),
    ('01 10 03 e8 00 02', 0), ('01 10 03 e8 00 02 04', 13), ('01 2b', -1)])
def test_length_of_a_request(data: str, length: int) -> None:
    assert request_length(bytes.fromhex(data)) == length


class Memory(Registers):
    def __init__(self) -> None:
        self.values = {address: address for address in range(10)}

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        if address + count > 10:
            raise ModbusException(2)
        return [self.values[address + i] for i in range(count)]

    def write(self, address: int, values: list[int], now: float) -> None:
        self.values.update(enumerate(values, address))


@pytest.mark.parametrize(('request_', 'expected'), [
    ('03 0001 0002', '03 04 0001 0002'),
    ('04 0001 0001', '04 02 0001'),
    ('06 0003 002a', '06 0003 002a'),
    ('10 0003 0001 02 002b', '10 0003 0001'),
    ('03 0001 0000', '83 03'), ('03 0001 007e', '83 03'),       # count 0, count 126
    ('03 0009 0002', '83 02'),
    ('10 0003 0002 02 002b', '90 03'), ('10 0003 0001 02 00', '90 03'),
    ('2b 0e', 'ab 01'), ('01 0000 0001', '81 01'),
])
def test_answers_by_hand(request_: str, expected: str) -> None:
    assert answer(Memory(), bytes.fromhex(request_), 0.0) == bytes.fromhex(expected)


def test_write_is_done() -> None:
    memory = Memory()
    answer(memory, struct.pack('>BHHBHH', 16, 4, 2, 4, 7, 8), 0.0)
    assert (memory.values[4], memory.values[5]) == (7, 8)
