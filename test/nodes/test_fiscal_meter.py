"""The fiscal_meter node: signed values from a simulated meter to the store, figures of the line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from charger_control.core.messages.session import Transaction
from charger_control.drivers.meters import signing_procedures
from charger_control.nodes.fiscal_meter import FiscalMeter
from charger_control.ros.interfaces import METER, TRANSACTION
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import SimulatorOptions, running
from charger_control.sim.meters import signing_meter
from charger_control.store import Reader, store_file


def transaction(ended: float = math.nan) -> Transaction:
    return Transaction(session_id='session-9', started_time=1.0, ended_time=ended)


def test_a_session_is_signed_while_readings_go_on(graph: Any, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_procedures, '_POLL', 0.1)
    monkeypatch.setattr(signing_meter, 'SIGNING_TIME', 0.3)
    options = SimulatorOptions(link=tmp_path / 'bus', charge_point=ChargePointParameters(
        scenario=Scenario(steps=()), answer_delay=0.0, baudrate=0, meter_model='bsm_ws36a'))
    reader = Reader(store_file(str(tmp_path), ''))
    with running(options):
        node = graph.start(FiscalMeter, **{
            'state_dir': str(tmp_path), 'device.driver': 'bsm_ws36a', 'device.unit': 2,
            'device.port': str(tmp_path / 'bus'), 'device.signed_values': True})
        readings = graph.hear(METER)
        graph.until(lambda: readings, 5.0)
        graph.say(TRANSACTION, transaction())
        graph.until(lambda: 'start' in reader.signed_values('session-9'), 8.0)
        before = len(readings)
        graph.say(TRANSACTION, transaction(ended=2.0))
        graph.until(lambda: 'stop' in reader.signed_values('session-9'), 8.0)
        assert len(readings) > before and not readings[-1].error
        values = reader.signed_values('session-9')
        assert all('session-9' in values[kind]['record'] for kind in ('start', 'stop'))
        device, signing = node.health()
        assert device.values['highest_rate'].endswith('/s') and signing.message == 'OK'
        graph.stop(node)
