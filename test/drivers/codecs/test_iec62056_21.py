"""D0 readouts: what is taken, what is refused, and how a meter is asked."""

import time
import types

import pytest
from meter_peers import Golden, until

from charger_control.drivers import registry
from charger_control.drivers.codecs.iec62056_21 import (
    D0Error,
    D0Reader,
    decode,
    identification_of,
    with_parity,
    without_parity,
)
from charger_control.drivers.codecs.obis import Number
from charger_control.drivers.lines.port import SerialSettings, open_port
from charger_control.drivers.meters import iec62056_21 as d0_driver
from charger_control.sim.lines.optical_head import running_head
from charger_control.sim.meters.d0_meter import D0PullMeter, D0PushMeter

GOLDEN = Golden('d0').telegram()
PLAIN = without_parity(GOLDEN)[0]


def readout(*lines, check=True):
    """A readout with a right block check, or one of mode D."""
    text = '\r\n'.join([*lines, '!']).encode() + b'\r\n'
    if not check:
        return b'/TSTDX\r\n\r\n' + text
    block = 0
    for byte in text + b'\x03':
        block ^= byte
    return b'/TST5X\r\n\x02' + text + b'\x03' + bytes((block,))


def test_parity_is_even_and_counted():
    assert with_parity(b'/?!\r\n') == bytes((0xAF, 0x3F, 0x21, 0x8D, 0x0A))
    data, wrong = without_parity(bytes((0xAF, 0x3F, 0x20, 0x8D, 0x0A)))
    assert (data, wrong) == (b'/?\0\r\n', 1)
    reader = D0Reader()
    reader.feed(bytes((GOLDEN[0] ^ 1,)) + GOLDEN[1:])
    assert reader.counters['parity_errors'] == 1


def test_a_readout_counts_when_the_one_before_had_its_form():
    reader = D0Reader()
    assert [len(reader.feed(GOLDEN)) for _ in range(3)] == [0, 1, 1]
    assert reader.counters == {'unconfirmed': 1}
    other = with_parity(readout('1.8.0(1.5*kWh)'))
    assert [len(reader.feed(t)) for t in (other, GOLDEN, GOLDEN)] == [0, 0, 1]


def test_bytes_may_come_one_by_one_and_from_the_middle():
    reader = D0Reader()
    stream = GOLDEN[50:] + GOLDEN * 3
    assert sum(len(reader.feed(stream[i:i + 1])) for i in range(len(stream))) == 2
    assert reader.counters['garbage'] >= 1


@pytest.mark.parametrize('at', range(0, len(PLAIN), 5))
def test_any_wrong_byte_is_found(at):
    wrong = PLAIN[:at] + bytes((PLAIN[at] ^ 0x11,)) + PLAIN[at + 1:]
    reader = D0Reader('N')
    reader.feed(PLAIN * 2)
    taken = reader.feed(wrong + b'\r\n' + PLAIN * 3)
    assert 1 <= len(taken) <= 3 and sum(reader.counters.values()) >= 2
    assert all(t.numbers[1, 8, 0] == Number(1234.5, 'kWh') for t in taken)


def test_lines_of_all_kinds():
    telegram = decode(readout(
        '1-0:1.8.0*255(001234.5000*kWh)', '1.8.0*01(9.9*kWh)', '2.8.0(+5*Wh)', 'F.F(00)',
        '1.6.1(12.204*kW)(0709121600)', '0.0.0(12345)', 'C.1.0(98)', '7-0:3.0.0(5.0*m)',
        '31.7.0(-0.05*A)', '0.2.0(V1.0)'))
    assert telegram.numbers == {
        (1, 8, 0): Number(1234.5, 'kWh'), (2, 8, 0): Number(5.0, 'Wh'),
        (1, 6, 1): Number(12.204, 'kW'), (31, 7, 0): Number(-0.05, 'A')}
    assert telegram.names == {(0, 0, 0): '12345', (0, 2, 0): 'V1.0'}
    assert decode(readout('1.8.0(1*kWh)', check=False)).numbers == {(1, 8, 0): Number(1.0, 'kWh')}


@pytest.mark.parametrize('line', ['1.8.0 1.5*kWh', '1.8.0(1.5*kWh', '(1.5)', '1.8.0(1.5*kWh)x',
                                  '1.8.0()(', 'hello'])
def test_a_line_out_of_form_costs_that_line_and_no_more(line):
    telegram = decode(readout('2.8.0(3.0*kWh)', line))
    assert telegram.not_understood == (line,)
    assert telegram.numbers == {(2, 8, 0): Number(3.0, 'kWh')}
    with pytest.raises(D0Error, match='is no line of a readout'):
        decode(readout(line))


def test_identifications():
    assert identification_of('/ISK5MT174-0001') == ('ISK', '5', 'MT174-0001')
    for text in ('ISK5X', '/IS5X', '/ISK', '/ISK9!', '/ISKZX'):
        with pytest.raises(D0Error):
            identification_of(text)


@pytest.mark.parametrize(('character', 'baudrate'), [('5', 9600), ('0', 300)])
def test_a_meter_is_asked_at_300_and_read_at_its_own_speed(link, character, baudrate):
    plant = types.SimpleNamespace(voltage=(230.0,) * 3, amperage=(1.0, 2.0, 3.0), frequency=50.0,
                                  power=1380.0, energy_imported=12.5)
    with running_head(link, lambda head: D0PullMeter(
            plant, head.port.is_baudrate, character=character, baudrate=baudrate)):
        meter = registry.open_meter({'driver': 'd0', 'port': str(link), 'period': 1.0},
                                    registry.Buses())
        meter.start()
        try:
            sample = until(meter, lambda s: s.value is not None, 15.0)
            assert sample, meter.latest()
            assert sample.value.amperage == (1.0, 2.0, 3.0)
            assert sample.value.energy_imported == 12.5
            assert sample.identity['baudrate'] == str(baudrate)
            assert sample.counters.get('timeouts', 0) == 0
        finally:
            meter.close()


def test_a_meter_that_pushes_and_is_asked_is_told_apart(link, monkeypatch):
    monkeypatch.setattr(d0_driver, 'REACTION', 0.1)
    plant = types.SimpleNamespace(voltage=(230.0,) * 3, amperage=(1.0, 2.0, 3.0), frequency=50.0,
                                  power=1380.0, energy_imported=12.5)
    with running_head(link, lambda head: D0PushMeter(plant, now=time.monotonic(), interval=0.3)):
        meter = registry.open_meter({'driver': 'd0', 'port': str(link), 'period': 1.0},
                                    registry.Buses())
        meter.start()
        try:
            assert until(meter, lambda s: 'set mode: push' in s.error, 20.0), meter.latest()
        finally:
            meter.close()


def test_closing_in_the_middle_of_a_readout_frees_the_port(link):
    class Mute:
        """Identifies itself and then says nothing."""

        def __init__(self):
            self.said, self.heard = b'', b''

        def due(self):
            return 0.0 if self.said else float('inf')

        def feed(self, now, data):
            self.heard += bytes(b & 0x7F for b in data)
            if b'/?!' in self.heard:
                self.said, self.heard = with_parity(b'/TST5X\r\n'), b''

        def step(self, now):
            said, self.said = self.said, b''
            return said

    with running_head(link, lambda head: Mute()):
        meter = registry.open_meter({'driver': 'd0', 'port': str(link)}, registry.Buses())
        meter.start()
        assert until(meter, lambda s: 'baudrate' in meter._identity)
        time.sleep(0.3)
        began = time.monotonic()
        meter.close()
        assert time.monotonic() - began < 1.0
        open_port(str(link), SerialSettings()).close()
