"""Which bytes are taken for an answer."""

import random

import pytest
from fake_rtu import crc, sealed, words

from charger_control.drivers.lines.modbus_frames import AnswerReader, read_answer_length

# 3 registers of unit 1 with function 3, from the Modbus specification's examples of layout
ANSWER = sealed(bytes.fromhex('010306022b00000064'))


def reader() -> AnswerReader:
    return AnswerReader(1, 3, read_answer_length(3))


def test_our_own_crc_gives_the_frame_every_modbus_text_shows():
    assert crc(bytes.fromhex('01030000000a')) == bytes.fromhex('c5cd')


def test_a_whole_answer_is_handed_out_at_once():
    assert reader().feed(ANSWER) == ANSWER


def test_an_answer_in_pieces_is_handed_out_with_its_last_byte():
    r = reader()
    assert [r.feed(ANSWER[i:i + 1]) for i in range(len(ANSWER))] == [None] * 10 + [ANSWER]
    assert r.missing == 0


def test_it_says_how_many_bytes_are_missing():
    r = reader()
    assert r.missing == 0
    r.feed(ANSWER[:4])
    assert r.began and r.missing == 7


@pytest.mark.parametrize('noise', [b'\x00', b'\xff\xff\x00', b'\x01\x03', b'\x01\x03\xff',
                                   b'\x7f\x03\xff\x00'])
def test_noise_before_the_answer_is_passed_over(noise):
    assert reader().feed(noise + ANSWER) == ANSWER


def test_an_exception_is_an_answer():
    frame = sealed(bytes.fromhex('018302'))
    assert reader().feed(frame) == frame


@pytest.mark.parametrize(('frame', 'verdict'), [
    (b'', 'timeouts'),
    (ANSWER[:-1] + b'\x00', 'crc_errors'),
    (ANSWER[:6], 'garbage'),
    (bytes.fromhex('ff00fe5a'), 'garbage'),
    (sealed(b'\x02' + ANSWER[1:-2]), 'wrong_ids'),
    (sealed(bytes.fromhex('010406022b00000064')), 'wrong_answers'),
    (sealed(bytes.fromhex('0103040000022b')), 'wrong_answers'),
    (sealed(bytes.fromhex('01100000000a')), 'wrong_answers'),
    (sealed(bytes.fromhex('019002')), 'wrong_answers'),
])
def test_what_is_no_answer_is_told_apart(frame, verdict):
    r = reader()
    assert r.feed(frame) is None
    assert r.verdict() == verdict


def test_a_late_answer_of_another_unit_does_not_hide_the_answer():
    stray = sealed(bytes((2, 4, 4)) + words(1, 2))
    r = reader()
    assert r.feed(stray + ANSWER) == ANSWER
    assert r.strays == {2: 1}


def test_mutated_answers_are_refused_unless_a_sound_one_is_in_them():
    chance = random.Random(630)
    for _ in range(3000):
        data = bytearray(ANSWER)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)):]
        if chance.random() < 0.3:
            data[:0] = chance.randbytes(chance.randint(1, 5))
        got = reader().feed(bytes(data))
        if got is not None:
            assert got in bytes(data) and sealed(got[:-2]) == got
            assert got == ANSWER  # CRC-16 finds all errors of up to 3 bits in so short a frame


def test_random_bytes_are_never_an_answer_and_never_an_error():
    chance = random.Random(1)
    for _ in range(2000):
        r = reader()
        assert r.feed(b'\x01\x03\x06' + chance.randbytes(chance.randint(0, 300))) is None
        assert r.verdict() in {'garbage', 'crc_errors'}
