"""The simulated signing meters, read by the real driver over a pty."""

from __future__ import annotations

import json
import threading
import time

import pytest

from charger_control.drivers import registry
from charger_control.drivers.meters import signing_procedures
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import SimulatorOptions, running
from charger_control.sim.meters import signing_meter


@pytest.mark.parametrize(('driver', 'letters'), [('bsm_ws36a', 'E'), ('wm3m4', 'BE')])
def test_start_and_stop_give_a_record_of_the_session(tmp_path, monkeypatch, driver, letters):
    monkeypatch.setattr(signing_procedures, '_POLL', 0.1)
    monkeypatch.setattr(signing_meter, 'SIGNING_TIME', 0.3)
    options = SimulatorOptions(link=tmp_path / 'bus', charge_point=ChargePointParameters(
        scenario=Scenario(steps=()), answer_delay=0.0, baudrate=0, meter_model=driver))
    with running(options):
        meter = registry.open_meter({'driver': driver, 'port': str(tmp_path / 'bus'), 'unit': 2,
                                     'signed_values': True}, registry.Buses())
        meter.start()
        signed = {}
        try:
            for kind in ('start', 'stop'):
                came = threading.Event()

                def done(value, kind=kind, came=came):
                    signed[kind] = value
                    came.set()

                meter.sign(kind, 'session-7', done)
                assert came.wait(12), meter.latest()
                assert signed[kind].error == ''
            deadline = time.monotonic() + 5.0
            while meter.latest().error and time.monotonic() < deadline:
                time.sleep(0.05)
            assert meter.latest().error == '' and meter.latest().value is not None
        finally:
            meter.close()
    assert bool(signed['start'].record) == (driver == 'bsm_ws36a')
    payload, signature = (json.loads(part) for part in signed['stop'].record.split('|')[1:])
    assert ''.join(reading['TX'] for reading in payload['RD']) == letters
    assert payload['ID'] == 'session-7' and signature['SD'][:4].upper() == '3044'
    assert len(signed['stop'].public_key) >= 128
