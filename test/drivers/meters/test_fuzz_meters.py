"""A short run of bench/serial_fuzz_meters.py, and a check that it would see a fault."""

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / 'bench' / 'serial_fuzz_meters.py'
SPEC = importlib.util.spec_from_file_location('serial_fuzz_meters', FILE)
fuzz = importlib.util.module_from_spec(SPEC)
sys.modules['serial_fuzz_meters'] = fuzz
SPEC.loader.exec_module(fuzz)
FRAMES = 1000


@pytest.mark.parametrize('protocol', fuzz.PROTOCOLS)
def test_nothing_crashes_hangs_or_is_believed(protocol):
    assert fuzz.PROTOCOLS[protocol](FRAMES, 7) == {
        'frames': FRAMES, 'wrong_accepted': 0, 'crashes': 0, 'hangs': 0, 'uncounted': 0}


@pytest.mark.parametrize(('protocol', 'check'), [
    ('modbus_rtu', 'charger_control.drivers.lines.modbus_frames.is_sound'),
    ('sml', 'charger_control.drivers.codecs.sml.crc16'),
    ('modbus_tcp', 'charger_control.drivers.lines.modbus_tcp.ModbusTcpLine._verdict')])
def test_a_missing_check_is_found(protocol, check, monkeypatch):
    always = {'is_sound': lambda frame: True, 'crc16': lambda data: 0x0000,
              '_verdict': staticmethod(lambda *_: '')}[check.rpartition('.')[2]]
    monkeypatch.setattr(check, always)
    if protocol == 'sml':  # a CRC that is always right is one that is not looked at
        monkeypatch.setattr('charger_control.drivers.codecs.sml.decode',
                            lambda raw, decode=fuzz.SmlReader.feed.__globals__['decode']:
                            decode(raw[:-2] + b'\0\0'))
        monkeypatch.setattr('charger_control.drivers.codecs.sml._messages', unchecked)
    result = fuzz.PROTOCOLS[protocol](FRAMES, 7)
    assert result['wrong_accepted'] + result['crashes'] > 0


def unchecked(body):
    """Messages without a look at their checksum."""
    element = fuzz.SmlReader.feed.__globals__['_element']
    at = 0
    while at < len(body):
        message, at = element(body, at, 1)
        if not isinstance(message, list) or len(message) != 6:
            return
        yield message[3][0], message[3][1]
