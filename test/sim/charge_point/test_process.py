"""`charger sim` as a process: start, exit, what is left behind, what it costs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from charger_control.cli.simulation.sim import sim
from charger_control.sim.boards.board_log import read_log
from charger_control.sim.charge_point.control import ControlClient
from charger_control.sim.lines.modbus_rtu import is_sound

STATUS = bytes.fromhex('03 03e8 000a')
COMMAND = [sys.executable, '-c', 'from charger_control.cli.simulation.sim import sim; sim()']


class Process:
    def __init__(self, folder: Path, *arguments: str) -> None:
        self.link = folder / 'bus'
        self.log = folder / 'board.jsonl'
        self.control = folder / 'control'
        self.process = subprocess.Popen(
            [*COMMAND, '--link', str(self.link), '--log', str(self.log),
             '--control', str(self.control), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.out, self.err = self.process.communicate(timeout=5)
        return self.process.returncode


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    started: list[Process] = []

    def make(*arguments: str) -> Process:
        started.append(Process(tmp_path, *arguments))
        return started[-1]

    yield make
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
            process.process.communicate()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_ready_line_then_clean_exit(start: Any, make_wire: Any, number: int) -> None:
    process = start()
    assert process.ready.startswith(f'ready: simulated charger on {process.link} (/dev/pts/')
    wire = make_wire(process.link)
    assert is_sound(wire.ask(1, STATUS, 25))        # at once: the line said that it is ready
    wire.close()
    assert process.end(number) == 0
    assert (process.out, process.err) == ('', '')
    assert not process.link.is_symlink()
    assert not process.control.exists()
    assert read_log(process.log)[-1]['reason'] == signal.Signals(number).name


def test_killed_and_started_again(start: Any, make_wire: Any, tmp_path: Path) -> None:
    arguments = ('--baudrate', '0', '--eeprom', str(tmp_path / 'eeprom'))
    first = start(*arguments)
    wire = make_wire(first.link)
    wire.ask(1, bytes.fromhex('06 07d0 0000'), 8)   # power-on current 0
    first.end(signal.SIGKILL)
    wire.close()
    assert first.link.is_symlink()                  # nobody could clean up
    second = start(*arguments)
    wire = make_wire(second.link)
    assert wire.ask(1, bytes.fromhex('03 07d0 0001'), 7)[3:5] == b'\0\0'
    wire.close()
    assert second.end() == 0
    events = [event['event'] for event in read_log(second.log)]
    assert events.count('start') == 2
    assert events[-1] == 'end'


def test_default_run_charges_after_2_s_and_costs_little(start: Any) -> None:
    process = start()
    with ControlClient(process.control, timeout=8.0) as client:
        client.follow()
        stat = Path(f'/proc/{process.process.pid}/stat')
        begin = client.truth()['t']
        before = sum(int(field) for field in stat.read_text().split()[13:15])
        assert client.wait_for('letter')['letter'] == 'B'
        client.wait_for('contactor', closed=True)
        after = sum(int(field) for field in stat.read_text().split()[13:15])
        seconds = client.truth()['t'] - begin
    process.end()
    started, = (event for event in read_log(process.log) if event['event'] == 'start')
    plugged, = (event for event in read_log(process.log) if event.get('was') == 'A')
    assert 2.0 <= plugged['t'] - started['t'] < 2.3
    assert (after - before) / os.sysconf('SC_CLK_TCK') / seconds < 0.03


def test_send_from_the_command_line(start: Any) -> None:
    process = start()
    run = CliRunner().invoke
    control = ['--control', str(process.control), '--send']
    assert run(sim, [*control, '{do: plug_in, vehicle: ideal, cable: 20}']).exit_code == 0
    truth = json.loads(run(sim, [*control, 'query']).output)
    assert truth['plant']['cable_amperage'] == 20
    refused = run(sim, [*control, '{do: silence, device: metre}'])
    assert refused.exit_code == 1
    assert "silence.device: 'metre' (allowed: meter, pilot, all)" in refused.output
    process.end()
    gone = run(sim, [*control, 'unplug'])
    assert gone.exit_code == 1
    assert str(process.control) in gone.output


@pytest.mark.parametrize(('arguments', 'code', 'text'), [
    ([], 2, 'Missing option --link'),
    (['--link', '{tmp}/bus', '--scenario', '{tmp}/none.yaml'], 2, 'none.yaml: cannot be read'),
    (['--link', '{tmp}/bus', '--vehicle', 'tesla'], 2, "vehicle preset 'tesla': not known"),
    (['--link', '{tmp}/no/bus'], 1, 'No such file or directory'),
    (['--link', '{tmp}/file'], 1, 'is there and not a symlink'),
    (['--link', '{tmp}/bus', '--log', '{tmp}/no/log'], 1, 'No such file or directory'),
    (['--link', '{tmp}/bus', '--eeprom', '{tmp}/file'], 1, 'not the memory of a simulated board'),
    (['--link', '{tmp}/bus', '--scenario', '{tmp}/limits.yaml'], 1, 'put_limits needs --api URL'),
    (['--send', 'unplug'], 2, '--send needs --control'),
])
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: list[str], code: int,
                                     text: str) -> None:
    (tmp_path / 'file').write_text('precious')
    (tmp_path / 'limits.yaml').write_text('- {at: 1, do: put_limits, body: {}}')
    result = CliRunner().invoke(sim, [part.replace('{tmp}', str(tmp_path)) for part in arguments])
    assert (result.exit_code, text in result.output) == (code, True), result.output
    assert not (tmp_path / 'bus').is_symlink()


def test_list_names_vehicles_and_actions() -> None:
    result = CliRunner().invoke(sim, ['--list'])
    assert result.exit_code == 0
    assert 'overdraw' in result.output
    assert 'lose_fine_steps: the pilot board loses configuration bit 7' in result.output
