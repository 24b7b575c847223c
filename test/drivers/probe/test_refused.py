"""A port that cannot be run with one of the settings is asked with the others."""

from __future__ import annotations

from pathlib import Path

import pytest
import serial
from click.testing import CliRunner

from charger_control.cli.main import main
from charger_control.drivers.interfaces import DeviceError, SettingsError
from charger_control.drivers.lines import port as port_module
from charger_control.drivers.lines.port import SerialSettings, open_port
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import SimulatorOptions, running


class Choosy:
    """pyserial's port, of an adapter that knows some settings only."""

    def __init__(self, refused: set[str], error: Exception) -> None:
        self._refused, self._error = refused, error
        self.real = serial.Serial

    def __call__(self, path: str, **options: object) -> serial.Serial:
        if f'{options["baudrate"]} {options["parity"]}' in self._refused:
            raise self._error
        return self.real(path, **options)


@pytest.mark.parametrize('error', [
    ValueError('Invalid baud rate: 19200'), OSError(22, 'Invalid argument'),
    serial.SerialException("Could not configure port: (22, 'Invalid argument')")])
def test_it_is_told_apart_from_a_port_that_does_not_work(
        error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module.serial, 'Serial', Choosy({'19200 E'}, error))
    with pytest.raises(SettingsError, match='/dev/x cannot be run with 19200 8E1'):
        open_port('/dev/x', SerialSettings(19200, 'E', 1))


def probe(folder: Path, *arguments: str) -> tuple[int, str, str]:
    options = SimulatorOptions(link=folder / 'bus', charge_point=ChargePointParameters(
        scenario=Scenario(steps=()), answer_delay=0.0))
    with running(options) as simulator:
        result = CliRunner().invoke(main, ['probe', str(simulator.port.link), '--units', '1-2',
                                           *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_search_goes_on_with_the_next_setting(tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module.serial, 'Serial', Choosy(
        {'19200 N', '57600 N'}, ValueError('Invalid baud rate')))
    code, out, err = probe(tmp_path, '--baudrate', '57600', '--baudrate', '9600', '--baudrate',
                           '19200', '--parity', 'N')
    assert code == 0 and 'driver: evse_din' in out and 'driver: sdm630' in out
    assert err.count('left out: ') == 2 and '57600 8N1' in err


def test_what_was_found_before_the_port_was_lost_is_not_forgotten(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module.serial, 'Serial', Choosy(
        {'19200 N'}, OSError(5, 'Input/output error')))
    code, out, err = probe(tmp_path, '--baudrate', '9600', '--baudrate', '19200', '--parity', 'N')
    assert code == 0 and 'driver: evse_din' in out and 'ended with' in err
    monkeypatch.setattr(port_module.serial, 'Serial', Choosy(
        {'9600 N'}, OSError(5, 'Input/output error')))
    code, out, err = probe(tmp_path, '--baudrate', '9600', '--parity', 'N')
    assert code == 1 and not out and 'cannot be opened' in err
    assert issubclass(SettingsError, DeviceError)
