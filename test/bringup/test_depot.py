"""Which processes a depot is, as depot.launch.py and `charger up --depot` start them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from charger_control.bringup.depot import Depot, Options
from charger_control.bringup.processes import overrides_file
from charger_control.ros.params_file import values_of

SIM = Path(__file__).parents[2] / 'config' / 'sim.yaml'


def written(path: Path, **sections: dict[str, dict[str, Any]]) -> Path:
    path.write_text(yaml.safe_dump({
        '/**' if name == 'all' else f'/{name}': {
            node: {'ros__parameters': values} for node, values in nodes.items()}
        for name, nodes in sections.items()}, sort_keys=False))
    return path


@pytest.fixture
def options(tmp_path: Path) -> Options:
    def runtime_dir(namespace: str) -> Path:
        folder = tmp_path / namespace
        folder.mkdir(exist_ok=True)
        return folder
    return Options(tmp_path / 'bin', runtime_dir)


def blocks(depot: Depot) -> dict[str, list[tuple[str, ...]]]:
    """Blocks of the processes, by namespace, in the order of their start."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for parts in depot.parts():
        for part in parts:
            found.setdefault(part.namespace, []).append(part.program.blocks)
    return found


def values(depot: Depot, namespace: str, node: str) -> dict[str, Any]:
    """The parameters with which a node starts."""
    part = next(p for parts in depot.parts() for p in parts
                if p.namespace == namespace and node in p.program.blocks)
    return values_of(part.files, node, namespace)


def test_without_candidates_the_team_has_a_process_of_its_own(tmp_path: Path,
                                                              options: Options) -> None:
    file = written(tmp_path / 'd.yaml', depot={'team': {'members': ['cp01', 'cp02']},
                                               'vcse': {'fuse': [63.0] * 3}})
    depot = Depot(file, 'depot', options)
    found = blocks(depot)
    assert found['depot'] == [('team',), ('vcse',)]
    assert 'team' not in found['cp01'][0] and 'iso61851' in found['cp01'][0]
    assert values(depot, 'depot', 'team')['candidates'] == ['depot']


def test_chargers_that_are_candidates_may_lead(tmp_path: Path, options: Options) -> None:
    file = written(tmp_path / 'd.yaml', depot={
        'team': {'members': ['cp01', 'cp02', 'cp03'], 'candidates': ['cp01', 'cp02'],
                 'rotation_time': 600.0}, 'vcse': {'fuse': [63.0] * 3}})
    depot = Depot(file, 'depot', options)
    found = blocks(depot)
    assert found['depot'] == [('vcse',)]
    assert [name for name in ('cp01', 'cp02', 'cp03') if 'team' in found[name][0]] == [
        'cp01', 'cp02']
    second = values(depot, 'cp02', 'team')
    assert second == {'members': ['cp01', 'cp02', 'cp03'], 'candidates': ['cp01', 'cp02'],
                      'rotation_time': 600.0, 'team': 'depot', 'name': 'cp02'}
    command = next(p for parts in depot.parts() for p in parts
                   if p.namespace == 'cp02').program.command
    for name in ('team/request', 'team/allocation', 'vcse/request', 'vcse/budget', 'set_dimming'):
        assert f'{name}:=/depot/{name}' in command
    member = values(depot, 'cp03', 'cppwm_controller')
    assert (member['team.name'], member['team.member'], member['team.size']) == ('depot', 'cp03', 3)


def test_only_what_is_named_starts_on_this_machine(tmp_path: Path, options: Options) -> None:
    file = written(tmp_path / 'd.yaml', depot={'team': {'members': ['cp01', 'cp02', 'cp03']}})
    here = Options(options.place, options.runtime_dir, only=('cp02',))
    assert list(blocks(Depot(file, 'depot', here))) == ['cp02']


SITE = {
    'site': {'team': {'members': ['north', 'cp09'], 'fall_time': 18.0},
             'vcse': {'fuse': [100.0] * 3}},
    'north': {'team': {'members': ['cp01', 'cp02']},
              'vcse': {'fuse': [63.0] * 3, 'parent': 'site', 'parent_size': 2}}}


def test_a_depot_in_a_depot_comes_with_all_below_it(tmp_path: Path, options: Options) -> None:
    depot = Depot(written(tmp_path / 'd.yaml', **SITE), 'site', options)
    found = blocks(depot)
    assert list(found) == ['site', 'north', 'cp01', 'cp02', 'cp09']
    vcse = next(p for parts in depot.parts() for p in parts
                if p.namespace == 'north' and p.program.blocks == ('vcse',))
    assert 'parent/request:=/site/team/request' in vcse.program.command
    assert 'parent/allocation:=/site/team/allocation' in vcse.program.command
    assert values(depot, 'cp02', 'cppwm_controller')['team.name'] == 'north'
    assert values(depot, 'cp09', 'cppwm_controller')['team.name'] == 'site'


def test_the_depot_below_starts_alone_on_its_machine(tmp_path: Path, options: Options) -> None:
    depot = Depot(written(tmp_path / 'd.yaml', **SITE), 'north', options)
    assert list(blocks(depot)) == ['north', 'cp01', 'cp02']


def test_teams_in_a_circle_are_refused(tmp_path: Path, options: Options) -> None:
    circle = {**SITE, 'site': {'team': {'members': ['north']},
                               'vcse': {'fuse': [100.0] * 3, 'parent': 'north'}}}
    with pytest.raises(ValueError, match='circle: '):
        Depot(written(tmp_path / 'd.yaml', **circle), 'site', options)


def test_simulated_chargers_by_number(tmp_path: Path, options: Options) -> None:
    file = written(tmp_path / 'd.yaml', all={'hw_limit': {'phases': 3}})
    simulated = Options(options.place, options.runtime_dir, SIM, chargers=3)
    depot = Depot(file, 'depot', simulated)
    assert depot.members == ['cp01', 'cp02', 'cp03']
    assert values(depot, 'depot', 'vcse')['fuse'] == [30.0] * 3
    part = next(p for parts in depot.parts() for p in parts if p.namespace == 'cp03')
    line = str(options.runtime_dir('cp03') / 'line')
    assert line in part.simulator
    assert values(depot, 'cp03', 'iso61851')['device.port'] == line


@pytest.mark.parametrize(('sections', 'chargers', 'words'), [
    ({'depot': {'team': {'members': ['cp01']}}}, 2, 'sim:=true'), ({}, 0, 'no members')])
def test_what_is_no_depot_is_said(tmp_path: Path, options: Options, sections: dict[str, Any],
                                  chargers: int, words: str) -> None:
    file = written(tmp_path / 'd.yaml', **sections)
    with pytest.raises(ValueError, match=words):
        Depot(file, 'depot', Options(options.place, options.runtime_dir, chargers=chargers))


def test_a_grid_meter_runs_beside_the_vcse(tmp_path: Path, options: Options) -> None:
    """There is no executable of that name: it is the fiscal_meter's node under another."""
    file = written(tmp_path / 'd.yaml', depot={
        'team': {'members': ['cp01']}, 'vcse': {'fuse': [63.0] * 3, 'grid_meter': True},
        'grid_meter': {'device': {'driver': 'sdm630', 'port': '/dev/ttyUSB9'}}})
    part = next(p for p in Depot(file, 'depot', options).supply()
                if p.program.blocks == ('grid_meter',))
    assert part.program.command[:2] == (str(options.place / 'control'), 'grid_meter')


def test_a_generated_file_has_no_aliases(tmp_path: Path) -> None:
    """rcl refuses them: "Will not support aliasing"."""
    names = ['cp01', 'cp02']
    path = overrides_file(tmp_path / 'o.yaml', 'depot', {
        'team': {'members': names, 'candidates': names}})
    assert '*' not in path.read_text().replace('**', '') and '&' not in path.read_text()
    assert values_of([path], 'team', 'depot') == {'members': names, 'candidates': names}
