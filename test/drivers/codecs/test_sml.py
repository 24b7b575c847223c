"""SML telegrams: what is taken, what is refused, and that a broken one costs only itself."""

import math

import pytest
from meter_peers import Golden

from charger_control.drivers.codecs.obis import Number, reading_of
from charger_control.drivers.codecs.sml import MOST_BYTES, SmlError, SmlReader, crc16, decode

GOLDEN = Golden('sml').telegram()


def resealed(raw):
    """The telegram with its last checksum made right again."""
    return raw[:-2] + crc16(raw[:-2]).to_bytes(2, 'little')


def numbers(*telegrams):
    reader = SmlReader()
    return [t.numbers for t in reader.feed(b''.join(telegrams))], reader.counters


def test_the_crc_is_x25():
    assert crc16(b'123456789') == 0x906E


def test_bytes_may_come_one_by_one_and_from_the_middle():
    reader = SmlReader()
    stream = GOLDEN[100:] + GOLDEN + GOLDEN
    telegrams = [t for i in range(len(stream)) for t in reader.feed(stream[i:i + 1])]
    assert [t.server_id for t in telegrams] == ['0A015453540001348A35'] * 2
    assert telegrams[0].numbers[1, 8, 0] == Number(1234500.0, 'Wh')
    assert reader.counters['garbage'] >= 1


@pytest.mark.parametrize('at', range(8, len(GOLDEN), 7))
def test_any_wrong_byte_is_found_and_the_next_telegram_is_taken(at):
    wrong = GOLDEN[:at] + bytes((GOLDEN[at] ^ 0x20,)) + GOLDEN[at + 1:]
    taken, counters = numbers(wrong, GOLDEN, GOLDEN)
    assert 1 <= len(taken) <= 2 and sum(counters.values()) >= 1
    assert all(t[16, 7, 0].number == -2304.0 for t in taken)


def test_every_message_has_a_checksum_that_must_be_right_too():
    at = GOLDEN.index(bytes.fromhex('BC5EA8'))
    wrong = resealed(GOLDEN[:at] + b'\xbc\x5e\xa9' + GOLDEN[at + 3:])
    assert numbers(wrong)[0] == [] and numbers(wrong)[1]['crc_errors'] == 1


def test_a_telegram_that_was_cut_off_does_not_take_the_next_one_along():
    taken, counters = numbers(GOLDEN[:200], GOLDEN)
    assert len(taken) == 1 and counters['garbage'] == 1


def test_zeros_between_telegrams_are_no_error():
    taken, counters = numbers(GOLDEN, bytes(9), GOLDEN)
    assert len(taken) == 2 and sum(counters.values()) == 0


def test_what_never_ends_is_given_up():
    reader = SmlReader()
    reader.feed(GOLDEN[:100] + b'\x55' * (MOST_BYTES + 100))
    assert reader.counters['garbage'] >= 1 and len(reader.feed(GOLDEN)) == 1


@pytest.mark.parametrize('body', [
    'ff8f8f8f0f', '76050000000162006200', '7601' * 40, '00', '76' + '7f' * 200, '0501020304',
    '76 01 01 01 f8 8f 0f', '7601016c'])
def test_nonsense_under_a_right_checksum_is_refused(body):
    content = bytes.fromhex(body.replace(' ', ''))
    padding = -len(content) % 4
    raw = b'\x1b' * 4 + b'\x01' * 4 + content + bytes(padding) + b'\x1b' * 4 + bytes(
        (0x1A, padding))
    with pytest.raises(SmlError):
        decode(raw + crc16(raw).to_bytes(2, 'little'))


def test_values_in_another_unit_than_their_own_are_not_measured():
    reading = reading_of({(1, 8, 0): Number(5.0, 'W'), (32, 7, 0): Number(230.0, ''),
                          (16, 7, 0): Number(7.0, 'Wh')})
    assert math.isnan(reading.energy_imported) and math.isnan(reading.active_power)
    assert all(map(math.isnan, reading.voltage))


def test_power_comes_from_the_sum_or_else_from_both_directions_or_the_phases():
    watts = {(16, 7, 0): 1.0, (1, 7, 0): 2.0, (2, 7, 0): 5.0, (36, 7, 0): 1.0, (56, 7, 0): 2.0,
             (61, 7, 0): 4.0}
    given = {code: Number(value, 'W') for code, value in watts.items()}
    assert reading_of(given).active_power == 1.0
    assert reading_of(given).phase_power == (1.0, 2.0, 4.0)
    del given[16, 7, 0]
    assert reading_of(given).active_power == -3.0
    del given[1, 7, 0]
    assert reading_of(given).active_power == 7.0
    del given[56, 7, 0]
    assert math.isnan(reading_of(given).active_power)
