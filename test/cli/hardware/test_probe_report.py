"""What ``charger probe`` prints is a parameter file."""

from __future__ import annotations

from pathlib import Path

import yaml

from charger_control.cli.hardware.probe import _report
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.probe.probe import Found
from charger_control.ros.params_file import values_of

LINE = SerialSettings(9600, 'N', 1)


def test_it_can_be_saved_and_started_with(tmp_path: Path) -> None:
    file = tmp_path / 'found.yaml'
    file.write_text('\n'.join(_report('/dev/ttyUSB0', [
        Found(LINE, 1, (('pilot', 'evse_din'),)), Found(LINE, 2, (('meter', 'sdm630'),), '123'),
        Found(LINE, 5, ())])))
    assert values_of([file], 'iso61851', 'charger') == {
        'device.driver': 'evse_din', 'device.port': '/dev/ttyUSB0', 'device.baudrate': 9600,
        'device.parity': 'N', 'device.stopbits': 1, 'device.unit': 1}
    assert values_of([file], 'fiscal_meter', 'charger')['device.unit'] == 2


def test_a_second_meter_is_there_as_a_comment(tmp_path: Path) -> None:
    """The same key twice would be refused, and the last would have counted."""
    lines = list(_report('/dev/ttyUSB0', [Found(LINE, unit, (('meter', 'sdm630'),))
                                          for unit in (2, 3)]))
    file = tmp_path / 'found.yaml'
    file.write_text('\n'.join(lines))
    assert values_of([file], 'fiscal_meter', 'charger')['device.unit'] == 2
    assert '  #       unit: 3' in lines


def test_only_what_is_not_known(tmp_path: Path) -> None:
    text = '\n'.join(_report('/dev/ttyUSB0', [Found(LINE, 5, ())]))
    assert 'nothing known' in text and yaml.safe_load(text) == {'/**': None}
