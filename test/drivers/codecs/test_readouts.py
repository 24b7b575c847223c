"""Readouts and telegrams as real meters send them, numbers replaced: data/meter_readouts.json."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from meter_peers import Golden

from charger_control.cli.hardware.meter import meter
from charger_control.drivers.codecs.iec62056_21 import D0Reader, with_parity
from charger_control.drivers.codecs.obis import Number, reading_of
from charger_control.drivers.codecs.sml import SmlReader, printed
from charger_control.drivers.meters.sml import serial_number_of
from charger_control.sim.meters import sml_meter

CASES = json.loads((Path(__file__).parents[1] / 'data' / 'meter_readouts.json').read_text())['d0']


def decoded(tmp_path: Path, driver: str, data: bytes) -> dict[str, Any]:
    file = tmp_path / 'dump'
    file.write_bytes(data)
    ran = CliRunner().invoke(meter, ['decode', '--driver', driver, str(file)])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.output)


FORMS = {
    'as it came': lambda text: text.encode(),
    'with parity bits': lambda text: with_parity(text.encode()),
    'as hexadecimal digits': lambda text: text.encode().hex(' ').encode(),
    'copied as text': lambda text: text.replace('\r\n', '\n').encode(),
    'cut before its end': lambda text: text.removesuffix('!\r\n').encode(),
}


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('case', CASES, ids=lambda case: case['id'])
def test_a_readout_says_what_it_says(tmp_path: Path, case: dict[str, Any], form: str) -> None:
    found = decoded(tmp_path, case['driver'], FORMS[form](case['text']))
    for name, value in case['expect'].items():
        assert found[name] == (value if isinstance(value, str) else pytest.approx(value)), name


def test_a_line_that_is_not_understood_costs_that_line_and_is_told(tmp_path: Path) -> None:
    case = next(c for c in CASES if c['id'] == 'blank_for_star')
    assert decoded(tmp_path, 'd0', case['text'].encode())['not_understood'] == ['FF(00000000)']


@pytest.mark.parametrize('case', CASES, ids=lambda case: case['id'])
def test_the_live_reader_takes_it_once_it_is_confirmed(case: dict[str, Any]) -> None:
    reader = D0Reader()
    raw = with_parity(case['text'].encode())
    assert [len(reader.feed(raw)) for _ in range(3)] == [0, 1, 1]


@pytest.mark.parametrize(('data', 'driver', 'said'), [
    (b'', 'd0', 'is empty'), (b'hello', 'd0', 'no readout begins'),
    (b'/ESY5Q\r\n\r\nnonsense\r\n!\r\n', 'd0', "'nonsense' is no line"),
    (b'\x00\x01', 'sml', 'no SML telegram begins'),
    (Golden('sml').telegram()[:80], 'sml', 'its end is missing'),
])
def test_a_dump_without_a_telegram_says_why(tmp_path: Path, data: bytes, driver: str, said: str
                                            ) -> None:
    (tmp_path / 'dump').write_bytes(data)
    ran = CliRunner().invoke(meter, ['decode', '--driver', driver, str(tmp_path / 'dump')])
    assert ran.exit_code == 1
    assert said in ran.output


# -- SML -------------------------------------------------------------------------------------------

def entry(code: tuple[int, ...], value: bytes, unit: int = 0, scaler: int = 0) -> bytes:
    name = sml_meter._text(bytes((1, 0, *code, 255)))
    kind = sml_meter._unsigned(unit, 1) if unit else b'\x01'
    power = sml_meter._signed(scaler, 1) if unit else b'\x01'
    return sml_meter._list(name, b'\x01', b'\x01', kind, power, value, b'\x01')


def telegram(*entries: bytes, server_id: bytes = bytes.fromhex('0A01454D480000BC614E')) -> bytes:
    content = sml_meter._list(b'\x01', sml_meter._text(server_id), b'\x01', b'\x01',
                              sml_meter._list(*entries), b'\x01', b'\x01')
    return sml_meter.telegram(sml_meter.message(1, 0x0701, content))


def sml_reading(raw: bytes) -> Any:
    found, = SmlReader().feed(raw)
    return reading_of(found.numbers, serial_number_of(found))


def watts(code: tuple[int, ...], value: int, size: int = 4) -> bytes:
    return entry(code, sml_meter._signed(value, size), 27, -2)


def test_power_that_is_called_15_7_0_is_taken() -> None:
    assert sml_reading(telegram(watts((15, 7, 0), 12_345))).active_power == 123.45


def test_energy_by_tariff_alone_is_added_up() -> None:
    raw = telegram(entry((1, 8, 1), sml_meter._unsigned(1000, 4), 30),
                   entry((1, 8, 2), sml_meter._unsigned(500, 4), 30))
    assert sml_reading(raw).energy_imported == 1.5


def test_a_telegram_with_four_fill_bytes_is_taken() -> None:
    raw = telegram(watts((16, 7, 0), 100))
    body = raw[8:-8] + bytes(4 - raw[-3])
    frame = raw[:8] + body + b'\x1b' * 4 + b'\x1a\x04'
    assert sml_reading(frame + sml_meter.crc16(frame)).active_power == 1.0


DZG = [(42_000_000, 356.24), (48_999_999, 356.24), (55_000_000, 356.24), (60_000_000, -299.12),
       (41_999_999, -299.12)]


@pytest.mark.parametrize(('serial', 'power'), DZG)
def test_power_of_a_dvs74_is_read_as_its_serial_number_says(serial: int, power: float) -> None:
    server_id = b'\x0a\x01DZG\x00' + serial.to_bytes(4, 'big')
    raw = telegram(watts((16, 7, 0), 35_624 - 65_536, 2), server_id=server_id)
    assert sml_reading(raw).active_power == power
    below = telegram(watts((16, 7, 0), -126_061, 4), server_id=server_id)
    assert sml_reading(below).active_power == -1260.61


@pytest.mark.parametrize(('number', 'text'), [
    ('0A01454D480000BC614E', '1EMH0012345678'), ('0901454D480000BC614E', '1EMH0012345678'),
    ('3032323830383136', '02280816'), ('0A0149534B0005F5E100', '0A0149534B0005F5E100'),
    ('06454D4801001D46524F', '06454D4801001D46524F'), ('', ''),
])
def test_a_serial_number_is_as_printed_on_the_meter(number: str, text: str) -> None:
    assert printed(bytes.fromhex(number)) == text


def test_energy_without_a_unit_is_kwh_and_other_values_are_not_guessed() -> None:
    reading = reading_of({(1, 8, 0): Number(5.0, ''), (16, 7, 0): Number(7.0, '')})
    assert reading.energy_imported == 5.0
    assert math.isnan(reading.active_power)
