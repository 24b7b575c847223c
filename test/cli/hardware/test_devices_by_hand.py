"""``charger probe``, ``meter``, ``pilot`` on the simulated charger's line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
import yaml
from click.testing import CliRunner, Result

from charger_control.cli.main import main
from charger_control.drivers import registry
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import Simulator, SimulatorOptions, running


def options(path: Path, meter: str) -> SimulatorOptions:
    return SimulatorOptions(link=path / 'bus', charge_point=ChargePointParameters(
        scenario=Scenario(steps=()), answer_delay=0.0, meter_model=meter))


@pytest.fixture
def simulator(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Simulator]:
    with running(options(tmp_path, getattr(request, 'param', 'em340'))) as simulator:
        yield simulator


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def configuration(output: str) -> dict[str, dict[str, object]]:
    """The nodes' device options in what probe printed."""
    text = output[output.index('/**:'):]
    return {node: content['ros__parameters']['device']
            for node, content in yaml.safe_load(text)['/**'].items()}


@pytest.mark.parametrize('simulator', ['em340', 'wm3m4', 'sdm72'], indirect=True)
def test_probe_finds_meter_and_board_and_prints_what_opens_them(simulator, request):
    result = run('probe', simulator.port.link, '--baudrate', 9600, '--parity', 'N',
                 '--units', '1-2')
    assert result.exit_code == 0, result.output
    found = configuration(result.output)
    expected = request.node.callspec.params['simulator']
    assert found['iso61851']['driver'] == 'evse_din' and found['iso61851']['unit'] == 1
    assert found['fiscal_meter']['unit'] == 2
    also = result.output.split('it may also be')[1] if 'it may also be' in result.output else ''
    assert found['fiscal_meter']['driver'] == expected or expected in also
    registry.check_meter(found['fiscal_meter'])
    registry.check_pilot(found['iso61851'])
    assert 'serial number 20231107' in result.output
    assert simulator.truth()['board']['offered'] == 0


def test_probe_finds_nothing_and_says_what_to_do(simulator):
    result = run('probe', simulator.port.link, '--baudrate', 19200, '--units', '1', '--parity', 'N')
    assert result.exit_code == 1
    assert 'nothing answers' in result.output and 'terminating' in result.output


def test_probe_ends_when_its_time_is_over(simulator):
    result = run('probe', simulator.port.link, '--units', '100-247', '--time', 1)
    assert result.exit_code == 1
    assert 'stopped after 1 s' in result.output


def test_meter_read(simulator):
    result = run('meter', 'read', '--port', simulator.port.link, '--driver', 'em340', '--unit', 2,
                 '--json')
    assert result.exit_code == 0, result.output
    reading = json.loads(result.output)
    assert reading['voltage'] == pytest.approx([230, 230, 230], abs=10)
    assert reading['serialNumber'] == '20231107' and reading['amperage'] == [0, 0, 0]
    text = run('meter', 'read', '--port', simulator.port.link, '--driver', 'em340', '--unit', 2)
    assert 'Carlo Gavazzi EM340, serial number 20231107' in text.output


def test_meter_read_says_that_nothing_answers(simulator):
    result = run('meter', 'read', '--port', simulator.port.link, '--driver', 'em340', '--unit', 9,
                 '--wait', 1)
    assert result.exit_code == 1
    assert 'unit 9' in result.output and 'does not answer' in result.output


def test_a_port_in_use_is_not_taken(simulator):
    owner = serial.Serial(str(simulator.port.link), 9600, exclusive=True)
    try:
        for words in (['probe', simulator.port.link],
                      ['meter', 'read', '--port', simulator.port.link, '--driver', 'em340',
                       '--wait', 0.5],
                      ['pilot', 'state', '--port', simulator.port.link, '--driver', 'evse_din',
                       '--wait', 0.5]):
            result = run(*words)
            assert result.exit_code == 1, words
            assert 'in use by this process' in result.output, words
    finally:
        owner.close()


def test_options_that_do_not_fit_are_refused_in_one_line(simulator):
    result = run('meter', 'read', '--port', simulator.port.link, '--driver', 'em340', '--unit', 300)
    assert result.exit_code == 2 and 'unit: 300 (allowed: int 1..247)' in result.output
    result = run('pilot', 'state', '--port', 'x', '--driver', 'evse_din', '--set', 'colour=red')
    assert result.exit_code == 2 and "colour = 'red': no such option" in result.output
    assert run('probe', 'x', '--units', '0').exit_code == 2
    assert run('pilot', 'set', 3, '--port', 'x', '--driver', 'evse_din').exit_code == 2


def test_pilot_state_and_set_leave_no_offer_behind(simulator):
    port = ['--port', simulator.port.link, '--driver', 'evse_din']
    result = run('pilot', 'state', *port)
    assert result.exit_code == 0, result.output
    assert result.output.startswith('state A, signals 0 A')
    simulator.do('plug_in', vehicle='ideal')
    result = run('pilot', 'set', 10, '--for', 4, *port)
    assert result.exit_code == 0, result.output
    assert 'signals 10 A' in result.output
    board = simulator.truth()['board']
    assert board['offered'] == 0 and board['set_amperage'] == 0
