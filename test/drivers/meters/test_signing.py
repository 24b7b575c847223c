"""Signed values: the maker's own frames, a meter that signs slowly or refuses, a cut line."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
import yaml
from fake_rtu import Line, crc, silence
from meter_peers import Golden, until

from charger_control.drivers import registry
from charger_control.drivers.interfaces import SigningMeter
from charger_control.drivers.meters import signing, signing_procedures
from charger_control.drivers.meters.signing import Ask, Occasion, SigningError

PUBLISHED = yaml.safe_load((Path(__file__).parents[1] / 'data' / 'bsm_ws36a_ocmf.yaml').read_text())
NAME = 'contract-id: rfid:12345678abcdef'
"""What the maker had put into the record."""
START, STOP = (Occasion(kind, NAME, 1657267200.0, 120) for kind in ('start', 'stop'))


def published_registers():
    """Address and content of what the maker's meter answered."""
    registers = {}
    for exchange in PUBLISHED['ocmf']:
        request, answer = (bytes.fromhex(exchange[key].replace(' ', '')) for key in (
            'request', 'answer'))
        assert crc(request[:-2]) == request[-2:] and crc(answer[:-2]) == answer[-2:]
        for i in range((len(answer) - 5) // 2):
            registers[int.from_bytes(request[2:4], 'big') + i] = int.from_bytes(
                answer[3 + 2 * i:5 + 2 * i], 'big')
    return registers


class Memory:
    """A meter's registers, and what was written to them in order."""

    def __init__(self, registers):
        self.registers, self.written = registers, []
        self.on_write = lambda address, values: None

    def answer(self, ask):
        if ask.function == 3:
            return [self.registers.get(ask.address + i, 0) for i in range(ask.count)]
        self.written.append((ask.address, ask.values))
        for i, value in enumerate(ask.values):
            self.registers[ask.address + i] = value
        self.on_write(ask.address, ask.values)
        return []

    def run(self, steps):
        """The end of a procedure; every request is within the meter's limits."""
        try:
            ask = next(steps)
            while True:
                assert isinstance(ask, Ask) and ask.count <= 120 and len(ask.values) <= 120
                ask = steps.send(self.answer(ask))
        except StopIteration as end:
            return end.value

    def text(self, address, text):
        for i, register in enumerate(signing.registers_of(text)):
            self.registers[address + i] = register


def bsm(shift=43791 - 41791):
    memory = Memory({address + shift: value for address, value in published_registers().items()})
    key = bytes.fromhex('3059301306072a8648ce3d0201') + bytes(78)
    memory.registers |= {40449: 48, 40450: 91}
    memory.text(40451, key + bytes(5))
    memory.on_write = lambda address, values: (
        memory.registers.update({address: 0}) if address in (41286, 41540) else None)
    return memory


def test_the_makers_frames_are_the_record_that_the_maker_shows():
    memory = bsm()
    record, key = memory.run(signing_procedures.bsm_ws36a(STOP))
    head, payload, signature = record.split('|')
    reading = json.loads(payload)['RD'][0]
    assert head == 'OCMF' and (reading['RV'], reading['XV']) == (0.15, 100.0)
    assert json.loads(signature)['SA'] == 'ECDSA-secp256r1-SHA256'
    assert json.loads(signature)['SD'].endswith('a9b83e141ec212')
    assert key.startswith('3059301306072A8648CE3D0201') and len(key) == 2 * 91
    # the order as the maker's frame gives it, at Signed End: 41537 + 3
    trigger = bytes.fromhex(PUBLISHED['trigger']['request'].replace(' ', ''))
    assert int.from_bytes(trigger[2:4], 'big') - 40521 == 41540 - 41537
    assert (41540, (int.from_bytes(trigger[7:9], 'big'),)) in memory.written


def test_at_the_start_the_clock_is_set_and_the_session_named():
    memory = bsm(43291 - 41791)
    memory.run(signing_procedures.bsm_ws36a(START))
    # the maker: bsmtool set bsm/epoch=1657267200 bsm/tzo=120 -> 62c7e4000078 at 9d44
    assert memory.written[0] == (0x9D44, (0x62C7, 0xE400, 0x0078))
    address, values = memory.written[1]
    assert address == 0x9D57 and len(values) == 70
    assert signing.text_of(list(values)).rstrip(b'\0') == NAME.encode()


@pytest.mark.parametrize(('status', 'words'), [(1, 'invalid'), (4, 'not enabled'), (9, 'unknown')])
def test_a_snapshot_that_fails_is_said(status, words):
    memory = bsm()
    memory.on_write = lambda address, values: memory.registers.update({41540: status})
    with pytest.raises(SigningError, match=words):
        memory.run(signing_procedures.bsm_ws36a(STOP))


def test_what_is_no_ocmf_is_refused():
    for text in (b'', b'OCMF|{}', b'OCMF|{}|{}', b'OCMX|{}|{"SD":"00"}', b'OCMF|[]|{"SD":"00"}'):
        with pytest.raises(SigningError, match='no OCMF'):
            signing_procedures.checked_record(text, 'x')


def test_the_record_of_another_session_is_refused():
    other = Occasion('stop', 'another session', 1657267200.0, 120)
    with pytest.raises(SigningError, match='of another session'):
        bsm().run(signing_procedures.bsm_ws36a(other))


SIGNATURE = bytes.fromhex('3045' '0221' '00' + '9a' * 32 + '0220' + '00' + '11' * 31)


def iskra(state=0):
    """A WM3M4 as EVerest's tests and the register list describe it."""
    memory = Memory({7000: state, 7052: 1, 7058: len(SIGNATURE)})
    payload = json.dumps({'FV': '1.0', 'ID': NAME, 'RD': [
        {'TX': 'B', 'RV': 1.0}, {'TX': 'E', 'RV': 2.5}]}).encode()
    memory.registers[7057] = len(payload)
    memory.text(7612, payload)
    memory.text(8188, SIGNATURE)
    memory.text(8124, bytes(range(64)))

    def written(address, values):
        if address == 7051:
            memory.registers[7000] = 1 if values == (0x4200,) else 0
            memory.registers[7052] = 15

    memory.on_write = written
    return memory


def test_wm3m4_begins_and_ends_a_measurement():
    memory = iskra()
    assert memory.run(signing_procedures.wm3m4(START)) == ('', '')
    writes = dict(memory.written)
    assert (writes[7054], writes[7055], writes[7053], writes[7071]) == (
        (0x62C7,), (0xE400,), (120,), (2,))
    length = writes[7056][0]
    data = b''.join(signing.text_of(list(values)) for address, values in memory.written
                    if 7100 <= address < 7612)[:length]
    assert json.loads(data)['ID'] == NAME and memory.written[-1] == (7051, (0x4200,))
    record, key = memory.run(signing_procedures.wm3m4(STOP))
    assert memory.written[-1] == (7051, (0x7200,))
    payload, signature = record.split('|')[1:]
    assert json.loads(payload)['RD'][1]['RV'] == 2.5
    assert json.loads(signature)['SD'] == (
        '3044' '0221' '00' + '9A' * 32 + '021F' + '11' * 31)
    assert key.endswith(bytes(range(64)).hex().upper()) and key.startswith('30593013')


def test_wm3m4_ends_what_was_never_ended_first():
    memory = iskra(state=1)
    memory.run(signing_procedures.wm3m4(START))
    orders = [values for address, values in memory.written if address == 7051]
    assert orders == [(0x7200,), (0x4200,)]
    with pytest.raises(SigningError, match='no measurement was begun'):
        iskra().run(signing_procedures.wm3m4(STOP))


def test_wm3m4_says_with_what_it_refuses():
    memory = iskra()
    memory.on_write = lambda address, values: (
        memory.registers.update({7052: 128}) if address == 7051 else None)
    with pytest.raises(SigningError, match='status 128'):
        memory.run(signing_procedures.wm3m4(START))


@pytest.mark.parametrize('odd', ['', '30', '3003020100', '30060201000203ff', 'ff' * 70,
                                 '3006020100020100'])
def test_what_is_no_signature_stays_as_it_is(odd):
    raw = bytes.fromhex(odd)
    assert signing_procedures.minimal_der(raw) == raw


class SlowBsm:
    """Over a pty: while it signs it answers nothing at all for some time."""

    def __init__(self, link, busy=0.4):
        golden = Golden('bsm_ws36a')
        unit = golden.device()
        memory = bsm()
        for address, value in memory.registers.items():
            unit.put(3, address, value)
        unit.put(3, 40260, *[0] * 100)
        unit.put(3, 41540, 0)
        self.unit, self.busy, self.until = unit, busy, 0.0
        write = unit.write

        def sign(address, values):
            code = write(address, values)
            if address == 41540:
                self.until = time.monotonic() + busy
                unit.put(3, 41540, 0)
            return code

        unit.write = sign
        self.line = Line(link, {golden.unit: unit})
        self.line.always[golden.unit] = lambda frame: (
            [] if time.monotonic() < self.until and frame[1] == 3 else [(0.0, frame)])
        self.golden = golden


@pytest.fixture
def slow(link, monkeypatch):
    monkeypatch.setattr(signing_procedures, '_POLL', 0.05)
    monkeypatch.setattr(signing, 'RETRY', 0.1)
    slow = SlowBsm(link)
    with slow.line:
        meter = registry.open_meter(
            {'driver': 'bsm_ws36a', 'port': str(link), 'unit': slow.golden.unit, 'rate': 20.0,
             'signed_values': True}, registry.Buses(reconnect_delay=(0.02, 0.05)))
        meter.answer_time, meter.quiet = 0.1, 0.01
        slow.meter = meter
        meter.start()
        assert until(meter, lambda s: s.value is not None)
        yield slow
        meter.close()


class Waiter:
    def __init__(self):
        self.came, self.signed = threading.Event(), None

    def __call__(self, signed):
        self.signed = signed
        self.came.set()


def test_sampling_goes_on_while_the_record_is_fetched(slow):
    assert isinstance(slow.meter, SigningMeter) and slow.meter.signs
    done = Waiter()
    began = time.monotonic()
    slow.meter.sign('stop', NAME, done)
    assert time.monotonic() - began < 0.05  # the caller does not wait
    at, gaps = slow.meter.latest().at, []
    while not done.came.wait(0.002):
        assert time.monotonic() - began < 8.0
        now = slow.meter.latest().at
        if now != at:
            gaps.append(now - at)
            at = now
    assert done.signed.error == '' and done.signed.record.startswith('OCMF|{')
    # one gap: the meter is deaf while it signs, and one answer is waited for
    assert max(gaps) < slow.busy + 4 * slow.meter.answer_time + 0.3
    assert sorted(gaps)[len(gaps) // 2] < 0.15
    assert not slow.meter.latest().error


def test_a_cut_line_delays_the_record_and_does_not_lose_it(slow):
    done = Waiter()
    slow.meter.sign('stop', NAME, done)
    slow.line.unplug()
    assert not done.came.wait(0.2)
    slow.line.plug()
    assert done.came.wait(8.0) and done.signed.error == ''


def test_a_meter_that_does_not_answer_gives_an_error_in_the_end(slow, monkeypatch):
    monkeypatch.setattr(signing, 'GIVE_UP', 0.5)
    slow.line.always[slow.golden.unit] = silence
    done = Waiter()
    slow.meter.sign('stop', NAME, done)
    assert done.came.wait(8.0) and 'does not answer' in done.signed.error
    assert done.signed.record == ''


def test_a_meter_that_is_not_set_up_to_sign_is_not_asked(link):
    with Line(link, {1: Golden('em24').device()}):
        meter = registry.open_meter({'driver': 'em24', 'port': str(link)}, registry.Buses())
        assert not meter.signs
        with pytest.raises(ValueError, match='signed_values is off'):
            meter.sign('start', 'x', print)
