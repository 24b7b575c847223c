"""Three chargers behind one fuse, as a user starts, watches and ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from live_charger import CHARGER, QUICK, URL, Process, wait_until

from charger_control.cli.depot.kill import children, kill_of
from charger_control.sim.depot.grid_log import LogError, Night, read_night

DEPOT = f'site{os.getpid()}'
MEMBERS = [f'{DEPOT}{letter}' for letter in 'abc']
FUSE = 30.0
OTHERS = 5.0
STORY = {'other_loads': OTHERS, 'steps': [
    {'at': 1, 'do': 'plug_in', 'charger': 'all', 'vehicle': 'ideal'}]}


class LiveDepot:
    """`charger up --depot` with everything of it in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {'XDG_RUNTIME_DIR': str(folder), 'ROS_LOG_DIR': str(folder / 'log')}
        sections: dict[str, Any] = {'/**': {
            name: {'ros__parameters': values} for name, values in QUICK.items() if name != 'vcse'}}
        sections[f'/{DEPOT}'] = {
            'team': {'ros__parameters': {'members': MEMBERS}},
            'vcse': {'ros__parameters': {'fuse': [FUSE] * 3}}}
        (folder / 'depot.yaml').write_text(yaml.safe_dump(sections, sort_keys=False))
        (folder / 'story.yaml').write_text(yaml.safe_dump(STORY))
        self.command = [
            *CHARGER, 'up', '--depot', str(folder / 'depot.yaml'), '--sim', '--namespace', DEPOT,
            '--scenario', str(folder / 'story.yaml'), '--state-dir', str(folder / 'state'),
            '--port', '0', '--record', str(folder / 'record')]
        self.up = Process(self.command, self.environment)

    def night(self) -> Night | None:
        try:
            return read_night(self.folder / 'record' / 'grid.csv')
        except LogError:
            return None

    def status(self) -> dict[str, Any]:
        answer = subprocess.run([*CHARGER, 'depot', 'status', '--namespace', DEPOT, '--json'],
                                capture_output=True, text=True, timeout=20, check=True)
        told: dict[str, Any] = json.loads(answer.stdout)
        return told

    def processes(self) -> set[int]:
        """All that it has started, what guards guard too."""
        started = children(self.up.process.pid)
        return {*started, *(inner for pid in started for inner in children(pid))}


@pytest.fixture(scope='module')
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDepot]:
    live = LiveDepot(tmp_path_factory.mktemp('depot'))
    try:
        yield live
    finally:
        if live.up.process.poll() is None:
            live.up.end(signal.SIGINT, 30.0)


def test_it_starts_and_shares(depot: LiveDepot) -> None:
    depot.up.wait_for(URL, 20.0)
    fair = (FUSE - OTHERS - 1.0) / len(MEMBERS)     # 1 A is the vcse's margin

    def shared() -> Night | None:
        night = depot.night()
        return night if night and all(
            values[-1] == pytest.approx(fair, abs=0.5) for values in night.chargers.values()
        ) else None

    try:
        night = wait_until(shared, 60.0, f'{fair} A at each charger')
    except AssertionError as error:
        raise AssertionError(f'{error}\n' + '\n'.join(depot.up.lines[-40:])) from error
    assert night.above_fuse() == (0.0, 0.0)


def test_status_says_so(depot: LiveDepot) -> None:
    told = depot.status()
    assert (told['leader'], told['term']) == (DEPOT, 1)
    assert [m['member'] for m in told['members']] == MEMBERS
    assert [m['phase_map'] for m in told['members']] == [[1, 2, 3], [2, 3, 1], [3, 1, 2]]
    for member in told['members']:
        assert member['state'] == 'charges' and member['reason']
        assert member['amperage'] == pytest.approx([8.0] * 3, abs=0.6)
    # the grid meter measures vehicles and other loads over its own serial line
    assert told['grid_meter']['amperage'] == pytest.approx(
        [a + OTHERS for a in told['total']['amperage']], abs=1.5)
    # the meters' noise apart
    assert max(told['total']['amperage']) <= max(told['budget']['amperage']) + 0.1
    assert max(told['budget']['amperage']) <= FUSE


def test_a_second_start_is_refused(depot: LiveDepot) -> None:
    answer = subprocess.run(depot.command, capture_output=True, text=True, timeout=20, check=False,
                            env={**os.environ, **depot.environment})
    assert answer.returncode == 2
    assert f'namespace /{DEPOT} (pid {depot.up.process.pid})' in answer.stderr


def test_a_killed_member_is_started_again(depot: LiveDepot) -> None:
    since = len(depot.up.lines)
    kill_of(depot.up.process.pid, MEMBERS[1])
    depot.up.wait_for(f'{MEMBERS[1]}: ended without a good-bye, "no offer" written', 5.0, since)
    depot.up.wait_for(f'{MEMBERS[1]}: started', 5.0, since)


def test_ctrl_c_ends_all_of_it(depot: LiveDepot) -> None:
    processes = depot.processes()
    assert len(processes) >= 2 * len(MEMBERS) + 5
    assert depot.up.end(signal.SIGINT, 30.0) == 0
    left = [pid for pid in processes if Path(f'/proc/{pid}').exists()]
    assert not left, '\n'.join(depot.up.lines[-40:])
    assert (depot.folder / 'record' / 'night.png').stat().st_size > 10_000
    night = depot.night()
    assert night is not None and night.above_fuse() == (0.0, 0.0)
    assert all(values[-1] == 0.0 for values in night.chargers.values()), 'the vehicles stopped'
