"""`charger pilot` with the other boards, each behind its own simulated line or network."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from charger_control.cli.main import main
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import SimulatorOptions, running


@pytest.mark.parametrize('driver', ['openevse', 'phoenix_ev_ser', 'phoenix_em_eth'])
def test_state_and_set_leave_no_offer_behind(driver: str, tmp_path: Path) -> None:
    in_network = driver == 'phoenix_em_eth'
    options = SimulatorOptions(
        link=None if in_network else tmp_path / 'line',
        tcp=('127.0.0.1', 0) if in_network else None,
        charge_point=ChargePointParameters(
            scenario=dataclasses.replace(Scenario(), steps=()), baudrate=0, board_model=driver))
    with running(options) as simulator:
        port: Any = simulator.port
        where = (['--host', '127.0.0.1', '--port', str(port.address[1])] if in_network
                 else ['--port', str(port.link)])

        def run(*words: str) -> Any:
            return CliRunner().invoke(main, ['pilot', *words, '--driver', driver, *where])

        result = run('state')
        assert result.exit_code == 0, result.output
        assert result.output.startswith('state A, signals 0 A') and 'dead_man: ' in result.output
        simulator.do('plug_in', vehicle='ideal')
        result = run('set', '10', '--for', '2')
        assert result.exit_code == 0, result.output
        assert 'signals 10 A' in result.output
        assert simulator.truth()['board']['offered'] == 0
