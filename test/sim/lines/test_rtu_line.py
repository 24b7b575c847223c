"""The line as its devices see it, on a fake clock."""

import struct
from typing import Any

import pytest

from charger_control.sim.lines.modbus_rtu import frame

READ_PILOT = frame(1, bytes.fromhex('03 03e8 000a'))
READ_METER = frame(2, bytes.fromhex('04 0000 0012'))


def test_recorded_status_frame(bench: Any) -> None:
    """domain.md 5.2: 01 03 03 E8 00 0A + CRC, as a board with nothing plugged in answers."""
    assert READ_PILOT[:6] == bytes.fromhex('01 03 03 e8 00 0a')
    answer = bench.send(READ_PILOT)
    data = '0020 0000 0001 0005 0000 0012 0001 0000 0000 0000'
    assert answer == frame(1, bytes.fromhex('03 14' + data))


def test_request_in_pieces(bench: Any) -> None:
    for byte in READ_PILOT[:-1]:
        assert bench.send(bytes([byte])) == b''
        bench.now += 0.002
    assert len(bench.send(READ_PILOT[-1:])) == 25


def test_piece_that_stays_alone_is_dropped(bench: Any) -> None:
    bench.send(READ_PILOT[:5])
    bench.live(0.05)
    assert len(bench.send(READ_PILOT)) == 25
    assert bench.point.line.counters['broken_frames'] == 1


@pytest.mark.parametrize('unit', [0, 3, 7, 247])
def test_foreign_requests_are_swallowed(bench: Any, unit: int) -> None:
    foreign = frame(unit, struct.pack('>BHHBHH', 16, 1000, 2, 4, 16, 16))
    assert bench.send(foreign) == b''
    assert bench.point.line.counters['foreign'] == 1
    assert bench.point.board.set_amperage == 32
    assert len(bench.send(READ_PILOT)) == 25        # and do not disturb the next one


def test_wrong_checksum_is_not_answered(bench: Any) -> None:
    write = bytearray(frame(1, struct.pack('>BHHBH', 16, 1000, 1, 2, 10)))
    write[-1] ^= 1
    assert bench.send(bytes(write)) == b''
    assert bench.point.line.counters['crc_errors'] == 1
    assert bench.point.board.set_amperage == 32


def test_unknown_function_is_refused_after_the_silence_that_ends_it(bench: Any) -> None:
    assert bench.send(frame(1, bytes.fromhex('2b 0e 01 00'))) == b''
    assert bench.live(0.03, 0.01) == frame(1, bytes.fromhex('ab 01'))


def test_too_early_a_request_goes_unanswered_and_is_told(bench: Any) -> None:
    assert bench.send(READ_PILOT)
    bench.now += 0.05
    assert bench.send(READ_PILOT) == b''
    assert len(bench.send(READ_METER)) == 41        # each device has its own silence
    violation, = bench.log.events('violation')
    assert violation == {'t': pytest.approx(100.05), 'event': 'violation', 'device': 'pilot',
                         'kind': 'silence', 'found': 0.05, 'needed': 0.1}
    bench.now += 0.051
    assert bench.send(READ_PILOT)                   # counted from the answer, not from the attempt
    assert len(bench.log.events('violation')) == 1


def test_line_is_paced_at_its_speed(make_bench: Any) -> None:
    bench = make_bench(baudrate=9600, answer_delay=0.02)
    assert bench.send(READ_PILOT) == b''
    start = bench.now
    bench.until(lambda: bench.point.line.devices[0].counters['answers'] == 1)
    # 8 characters, 20 ms, 25 characters of 10 bits
    assert bench.now - start == pytest.approx(0.02 + 33 * 10 / 9600, abs=0.011)


def test_request_while_the_answer_is_on_its_way(make_bench: Any) -> None:
    bench = make_bench(baudrate=9600, answer_delay=0.02)
    bench.send(READ_PILOT)
    bench.live(0.03, 0.01)
    assert bench.send(READ_PILOT) == b''
    assert bench.log.events('violation')[0]['kind'] == 'busy'
    assert len(bench.live(0.3, 0.01)) == 25         # the first is answered


def test_write_acts_when_it_is_heard_out(make_bench: Any) -> None:
    bench = make_bench(baudrate=9600, answer_delay=0.02)
    bench.send(frame(1, struct.pack('>BHHBH', 16, 1000, 1, 2, 10)))
    assert bench.point.board.set_amperage == 32
    bench.live(0.02, 0.001)
    assert bench.point.board.set_amperage == 10
    # 11 characters at 9600 baud
    assert bench.log.events('write')[0]['t'] == pytest.approx(100.0115, abs=0.001)


def test_cut_line_forgets_what_was_on_its_way(make_bench: Any) -> None:
    bench = make_bench(baudrate=9600)
    bench.send(READ_PILOT)
    bench.point.line.forget()
    assert bench.live(0.5) == b''
    bench.send(READ_PILOT)
    assert len(bench.live(0.5)) == 25
