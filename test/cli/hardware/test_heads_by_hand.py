"""``charger probe`` and ``meter read`` on simulated optical heads and on Modbus TCP's options."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import types

import pytest
import yaml
from click.testing import CliRunner

from charger_control.cli.main import main
from charger_control.drivers import registry
from charger_control.sim.lines.optical_head import running_head
from charger_control.sim.meters.d0_meter import D0PullMeter, D0PushMeter
from charger_control.sim.meters.sml_meter import SmlPushMeter

PLANT = types.SimpleNamespace(voltage=(230.1, 231.2, 229.9), amperage=(10.02, 9.98, 0.0),
                              frequency=50.01, power=4600.0, energy_imported=1234.5678)


def meter_of(kind):
    now = time.monotonic()
    return {'sml': lambda head: SmlPushMeter(PLANT, now=now, interval=0.3),
            'push': lambda head: D0PushMeter(PLANT, now=now, interval=0.3),
            'pull': lambda head: D0PullMeter(PLANT, head.port.is_baudrate)}[kind]


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(('kind', 'driver', 'number'), [
    ('sml', 'sml', '1SIM0020220469'), ('push', 'd0', '20231107')])
def test_probe_hears_a_head_and_prints_what_opens_it(tmp_path, kind, driver, number):
    with running_head(tmp_path / 'head', meter_of(kind)):
        began = time.monotonic()
        result = run('probe', tmp_path / 'head')
        assert time.monotonic() - began < 4.5
    assert result.exit_code == 0, result.output
    text = result.output[result.output.index('/**:'):]
    assert f'serial number {number}' in text
    device = yaml.safe_load(text)['/**']['fiscal_meter']['ros__parameters']['device']
    assert device['driver'] == driver
    registry.check_meter(device)


def test_probe_asks_a_head_that_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr('charger_control.drivers.probe.heads.LISTEN_TIME', 0.3)
    with running_head(tmp_path / 'head', meter_of('pull')):
        # a speed that no Modbus meter here has: the search for those is short
        result = run('probe', tmp_path / 'head', '--baudrate', 57600)
    assert result.exit_code == 0, result.output
    device = yaml.safe_load(result.output[result.output.index('/**:'):])
    device = device['/**']['fiscal_meter']['ros__parameters']['device']
    assert device['driver'] == 'd0' and device['mode'] == 'pull'
    registry.check_meter(device)


def test_meter_read_of_a_head(tmp_path):
    with running_head(tmp_path / 'head', meter_of('sml')):
        result = run('meter', 'read', '--port', tmp_path / 'head', '--driver', 'sml', '--json')
    assert result.exit_code == 0, result.output
    reading = json.loads(result.output)
    assert reading['voltage'] == [230.1, 231.2, 229.9] and reading['energyImported'] == 1234.5678


def test_meter_read_of_a_host_that_is_not_there(tmp_path):
    result = run('meter', 'read', '--host', '127.0.0.1', '--port', 1, '--driver', 'em24',
                 '--wait', 0.5)
    assert result.exit_code == 1 and '127.0.0.1:1' in result.output
    result = run('meter', 'read', '--driver', 'em24')
    assert result.exit_code == 2 and 'port must be set' in result.output


def test_a_simulated_head_is_a_process_of_its_own(tmp_path):
    link = tmp_path / 'head'
    process = subprocess.Popen([sys.executable, '-m', 'charger_control.cli.main', 'sim', '--link',
                                str(link), '--head', 'sml'], stdout=subprocess.PIPE, text=True)
    try:
        assert 'ready: simulated head (sml)' in process.stdout.readline()
        result = run('meter', 'read', '--port', link, '--driver', 'sml')
        assert result.exit_code == 0, result.output
        assert 'serial number 1SIM0020220469' in result.output
    finally:
        process.terminate()
        assert process.wait(5) == 0
    assert not link.is_symlink()
