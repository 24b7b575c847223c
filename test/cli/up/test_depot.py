"""``charger up --depot``: the processes that a file makes, and what a bad one is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from charger_control.bringup.depot_simulated import NAME, DepotPlan, Said
from charger_control.bringup.supervisor import Guard, Spec
from charger_control.cli.depot.kill import children, kill_of
from charger_control.cli.main import main
from charger_control.ros.parameters import ParameterError
from charger_control.ros.params_file import values_of

CONFIG = Path(__file__).parents[3] / 'config'


@pytest.fixture(autouse=True)
def _own_run_time_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_RUNTIME_DIR', str(tmp_path))


def depot_file(folder: Path, **sections: object) -> Path:
    path = folder / 'depot.yaml'
    path.write_text(yaml.safe_dump({f'/{name}': value for name, value in sections.items()}))
    return path


def node(**values: object) -> dict[str, object]:
    return {'ros__parameters': values}


def test_the_packaged_depot_simulated(tmp_path: Path) -> None:
    plan = DepotPlan(Said(CONFIG / 'depot.yaml', simulated=True, chargers=4))
    specs = plan.specs()
    assert [spec.name for spec in specs] == [
        'cp01/guard', 'cp02/guard', 'cp03/guard', 'cp04/guard', 'bridge', 'team', 'vcse',
        'grid_meter']
    assert plan.fuse == (40.0, 40.0, 40.0)
    assert plan.candidates == ['depot', 'cp01'], 'there is one to take over'
    assert [c.phase_map for c in plan.chargers()] == [(1, 2, 3), (2, 3, 1), (3, 1, 2), (1, 2, 3)]
    files = [tmp_path / 'charger_control' / 'depot' / name for name in (
        'simulated.yaml', 'bridge.yaml')]
    assert values_of(files, 'vcse', 'depot') == {
        'fuse': [40.0] * 3, 'grid_meter': True, 'other_loads_max': 16.0}
    assert values_of(files, 'grid_meter', 'depot')['device.port'] == str(plan.grid_link)
    assert values_of(files, 'cppwm_controller', 'cp02')['team.phase_map'] == [2, 3, 1]
    assert values_of(files, 'bridge', 'depot')['chargers'] == plan.members
    for number, name in enumerate(plan.members):
        assert f' guard --namespace {name} ' in ' '.join(specs[number].command), 'withdraws'
        assert specs[number].environment == {NAME: name}


def test_a_depot_of_ones_own(tmp_path: Path) -> None:
    path = depot_file(
        tmp_path, site={'team': node(members=['east', 'west'], candidates=['east', 'west'],
                                     failsafe_amperage=6.0),
                        'vcse': node(fuse=[63.0, 63.0, 50.0], grid_meter=True,
                                     grid_fuse=[80.0] * 3),
                        'grid_meter': node(device={'driver': 'em24', 'port': '/dev/x', 'unit': 9,
                                                   'baudrate': 19200})},
        west={'cppwm_controller': node(**{'team.phase_map': [3, 1, 2]})})
    plan = DepotPlan(Said(path, 'site', bridge=False))
    assert plan.members == ['east', 'west'] and plan.fuse == (80.0, 80.0, 80.0)
    assert [spec.name for spec in plan.specs()] == ['east/guard', 'west/guard', 'vcse',
                                                    'grid_meter']
    assert not (tmp_path / 'charger_control' / 'site' / 'simulated.yaml').exists()
    simulated = DepotPlan(Said(path, 'site', simulated=True))
    assert [c.phase_map for c in simulated.chargers()] == [(1, 2, 3), (3, 1, 2)]
    assert simulated.candidates == ['east', 'west']
    values = values_of([tmp_path / 'charger_control' / 'site' / 'simulated.yaml'], 'grid_meter',
                       'site')
    assert '/dev/x' not in values.values() and 'device.baudrate' not in values, 'never a real one'


@pytest.mark.parametrize(('sections', 'words'), [
    ({'depot': {'vcse': node(fuse=[1.0, 1.0, 1.0])}}, 'has no members'),
    ({'depot': {'team': node(members=['a']), 'vcse': node(fuse=[1.0])}}, 'three numbers of A'),
    ({'depot': {'team': node(members=['hall'])},
      'hall': {'team': node(members=['a']), 'vcse': node(parent='depot')}}, 'cannot be simulated')])
def test_a_file_that_makes_no_simulated_depot(tmp_path: Path, sections: dict[str, object],
                                              words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        DepotPlan(Said(depot_file(tmp_path, **sections), simulated=True))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ['up', *arguments])


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--depot'], 'add --sim, or the file of your depot'),
    (['--depot', '/gone.yaml', '--sim'], '/gone.yaml: there is no such file'),
    (['--depot', str(CONFIG / 'depot.yaml'), '--chargers', '3'], 'add --sim'),
    (['--depot', '--sim', '--vehicle', 'slow'], 'the vehicles are in the scenario'),
    (['--chargers', '3', '--sim'], 'add --depot'), (['--record', 'x'], 'add --depot')])
def test_what_does_not_fit_is_said(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in ' '.join(result.output.split())


def test_a_bad_scenario_is_said_before_anything_starts(tmp_path: Path) -> None:
    story = tmp_path / 'story.yaml'
    story.write_text('steps: [{at: 1, do: unplug, charger: cp09}]')
    result = run('--depot', '--sim', '--chargers', '2', '--scenario', str(story))
    assert result.exit_code == 2
    assert "charger 'cp09' is not of this depot (it has cp01, cp02)" in result.output


def test_one_that_ends_slowly_does_not_hold_up_its_stage(tmp_path: Path) -> None:
    """And stages end one after the other."""
    script = textwrap.dedent('''
        import os, signal, sys, time
        def end(*_):
            time.sleep(float(sys.argv[2]))
            open(sys.argv[3], 'a').write(sys.argv[1])
            os._exit(0)
        signal.signal(signal.SIGTERM, end)
        open(sys.argv[3], 'a').write('+')
        signal.pause()
    ''')
    told = tmp_path / 'told'
    told.touch()

    def spec(name: str, slow: float, stage: int) -> Spec:
        return Spec(name, [sys.executable, '-c', script, name, str(slow), str(told)], stage=stage)

    guard = Guard([spec('a', 0.4, 1), spec('b', 0.1, 1), spec('c', 0.0, 0)], lambda text: None)
    turn = guard._turn

    def until_all_run() -> int:
        if told.read_text() == '+++':
            os.kill(os.getpid(), signal.SIGTERM)
        return turn()

    guard._turn = until_all_run  # type: ignore[method-assign]
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        assert guard.run() == 0
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert told.read_text() == '+++bac'


def test_a_process_is_killed_by_its_name() -> None:
    """Of a guard, what it guards."""
    inner = f'{sys.executable} -c "import time; print(1, flush=True); time.sleep(60)"'
    with subprocess.Popen(['sh', '-c', f'{inner}; echo $?'], text=True, stdout=subprocess.PIPE,
                          env={**os.environ, NAME: 'cp01'}) as guard:
        assert guard.stdout is not None
        assert guard.stdout.readline() == '1\n'
        deadline = time.monotonic() + 5.0
        while not children(guard.pid):
            assert time.monotonic() < deadline
        with pytest.raises(ValueError, match=r"no process 'team' now \(there are .*cp01"):
            kill_of(os.getpid(), 'team')
        inside = children(guard.pid)
        assert [kill_of(os.getpid(), 'cp01')] == inside
        assert guard.wait(5.0) == 0, 'the guard lives, and has to act'
        assert guard.stdout.readline() == '137\n'
