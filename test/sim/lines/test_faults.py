"""What each fault makes of an answer, on a fake clock."""

import struct
from typing import Any

import pytest

from charger_control.sim.lines.faults import KINDS
from charger_control.sim.lines.modbus_rtu import frame, is_sound

PDU = bytes.fromhex('03 03e8 0008')
GOOD = frame(1, struct.pack('>BB8H', 3, 16, 32, 0, 1, 5, 0, 18, 1, 0))


def answer(bench: Any, kind: str, **arguments: Any) -> bytes:
    bench.live(0.2)
    bench.do(kind, device='pilot', **arguments)
    sent: bytes = bench.send(frame(1, PDU))
    return sent


def test_without_a_fault(bench: Any) -> None:
    assert bench.send(frame(1, PDU)) == GOOD


@pytest.mark.parametrize('kind', KINDS)
def test_every_fault_hits_only_its_device_and_ends(bench: Any, kind: str) -> None:
    assert answer(bench, kind, **{'for': 5}) != GOOD
    bench.live(1.5)
    meter = frame(2, bytes.fromhex('04 0000 0002'))
    assert len(bench.send(meter)) == 9
    bench.live(4.0)
    assert bench.send(frame(1, PDU)) == GOOD
    on, off = bench.log.events('fault', kind=kind)
    assert (on['device'], on['on'], off['on']) == ('pilot', True, False)
    assert off['t'] - on['t'] == pytest.approx(5.0, abs=0.051)


def test_silence_neither_hears_nor_answers(bench: Any) -> None:
    bench.do('silence', device='pilot')
    assert bench.ask(1, struct.pack('>BHHBH', 16, 1000, 1, 2, 10)) == b''
    assert bench.point.board.set_amperage == 32


@pytest.mark.parametrize('kind', sorted(set(KINDS) - {'silence'}))
def test_every_other_fault_does_what_it_is_told(bench: Any, kind: str) -> None:
    bench.do(kind, device='pilot')
    bench.send(frame(1, struct.pack('>BHHBH', 16, 1000, 1, 2, 10)))
    assert bench.point.board.set_amperage == 10


def test_no_answer(bench: Any) -> None:
    assert answer(bench, 'no_answer') == b''
    bench.do('clear_faults')
    assert bench.send(frame(1, PDU)) == GOOD        # nothing was sent: no silence is due


def test_garbage_and_noise(bench: Any) -> None:
    garbage = answer(bench, 'garbage')
    assert len(garbage) == len(GOOD)
    assert not is_sound(garbage)
    bench.do('garbage', active=False)
    noise = answer(bench, 'noise')
    assert noise.endswith(GOOD)
    assert 1 <= len(noise) - len(GOOD) <= 8


def test_bad_crc(bench: Any) -> None:
    data = answer(bench, 'bad_crc')
    assert data[:-2] == GOOD[:-2]
    assert not is_sound(data)


def test_wrong_id(bench: Any) -> None:
    assert answer(bench, 'wrong_id') == frame(2, GOOD[1:-2])


def test_wrong_function(bench: Any) -> None:
    assert answer(bench, 'wrong_function') == frame(1, b'\x04' + GOOD[2:-2])


def test_short_answer(bench: Any) -> None:
    assert answer(bench, 'short_answer') == frame(1, b'\x03\x0e' + GOOD[3:-4])


def test_half_frame(bench: Any) -> None:
    assert answer(bench, 'half_frame') == GOOD[:len(GOOD) // 2]


def test_exception(bench: Any) -> None:
    assert answer(bench, 'exception', code=6) == frame(1, bytes([0x83, 6]))


def test_late_answer_comes_after_all_and_nothing_is_heard_meanwhile(bench: Any) -> None:
    assert answer(bench, 'late', delay=0.7, count=1) == b''
    asked = bench.now
    bench.live(0.3)
    assert bench.send(frame(1, PDU)) == b''
    assert bench.log.events('violation', kind='busy')
    sent = b''
    while not sent:
        sent = bench.live(0.01, 0.01)
    assert sent == GOOD
    assert bench.now - asked == pytest.approx(0.7, abs=0.011)


def test_count_and_probability(bench: Any) -> None:
    bench.do('silence', device='pilot', count=2)
    assert [bool(bench.ask(1, PDU)) for _ in range(4)] == [False, False, True, True]
    assert bench.log.events('fault')[-1]['on'] is False
    bench.do('bad_crc', device='all', probability=0.3)
    hits = 0
    for _ in range(200):
        bench.live(0.11)
        hits += not is_sound(bench.send(frame(1, PDU)))
    assert 35 < hits < 85


def test_clear_faults_of_one_device(bench: Any) -> None:
    bench.do('silence')
    bench.do('garbage')
    bench.do('clear_faults', device='meter')
    faults = bench.point.truth()['faults']
    assert faults == {'pilot': ['silence', 'garbage'], 'meter': []}
