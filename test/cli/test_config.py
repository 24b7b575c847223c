"""``charger config check``: what is wrong is said before anything starts, for every charger."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from charger_control.cli.config import disagreements, problems

CONFIG = Path(__file__).parents[2] / 'config'
METER = {'device': {'driver': 'sdm630', 'port': '/dev/ttyUSB0', 'unit': 2}}
BOARD = {'device': {'driver': 'evse_din', 'port': '/dev/ttyUSB0', 'unit': 1}}


class WrittenOut(yaml.SafeDumper):
    """Without aliases for what is there twice: ROS 2 does not understand them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def written(path: Path, **sections: dict[str, dict[str, object]]) -> Path:
    """A parameter file; keyword: namespace, with 'all' for /**."""
    path.write_text(yaml.dump({
        '/**' if name == 'all' else f'/{name}': {
            node: {'ros__parameters': values} for node, values in nodes.items()}
        for name, nodes in sections.items()}, Dumper=WrittenOut,
        sort_keys=False))
    return path


def test_the_files_of_the_package_lack_only_what_has_no_default(tmp_path: Path) -> None:
    for name in ('charger.yaml', 'depot.yaml'):
        found = problems([CONFIG / name])
        assert sorted(line.split(': ', 1)[1].split()[0] for line in found) == [
            'fiscal_meter.device:', 'hw_limit.fuse', 'iso61851.device:', 'vcse.fuse'], name


@pytest.fixture
def depot(tmp_path: Path) -> list[Path]:
    """config/depot.yaml with what it asks for, for two chargers."""
    charger = {'fiscal_meter': METER, 'iso61851': BOARD}
    return [CONFIG / 'depot.yaml', written(
        tmp_path / 'depot.yaml',
        all={'hw_limit': {'fuse': 32.0, 'phases': 3, 'cable': 32.0}},
        depot={'vcse': {'fuse': [63.0, 63.0, 63.0]}}, cp01=charger, cp02=dict(charger))]


def test_a_complete_depot_is_good(depot: list[Path]) -> None:
    assert problems(depot) == []


def test_each_charger_of_a_depot_is_checked(depot: list[Path], tmp_path: Path) -> None:
    wrong = written(tmp_path / 'cp02.yaml', cp02={'hw_limit': {'fuse': 5.0}})
    assert [line.split(': ')[1] for line in problems([*depot, wrong])] == ['/cp02']
    lacking = written(tmp_path / 'cp03.yaml', cp03={'fiscal_meter': METER})
    found = problems([*depot, lacking])
    assert len(found) == 1 and found[0].split(': ', 1)[1].startswith('/cp03: iso61851.device')


def test_a_leader_that_is_not_of_the_team_is_named(depot: list[Path], tmp_path: Path) -> None:
    other = written(tmp_path / 'o.yaml', depot={'team': {'name': 'nobody'}})
    assert any("'nobody'" in line for line in problems([*depot, other]))


def test_what_nodes_of_one_charger_were_told_differently_is_named(
        depot: list[Path], tmp_path: Path) -> None:
    assert disagreements(depot) == []
    odd = written(tmp_path / 'odd.yaml', cp02={'api': {'phases': 1}})
    found = disagreements([*depot, odd])
    assert len(found) == 1 and found[0].startswith('/cp02: api.phases = 1')
    assert disagreements([*depot, written(tmp_path / 'one.yaml', cp02={
        node: {'phases': 1} for node in ('api', 'hw_limit', 'iso61851', 'smart_charging')})]) == []


def test_teams_that_supply_each_other_are_named(depot: list[Path], tmp_path: Path) -> None:
    circle = written(tmp_path / 'circle.yaml', **{
        name: {'team': {'team': name}, 'vcse': {'team': name, 'parent': above}}
        for name, above in (('north', 'south'), ('south', 'north'))})
    assert any('in a circle' in line for line in problems([*depot, circle]))


def test_a_board_that_cannot_switch_phases_is_not_said_to(depot: list[Path],
                                                          tmp_path: Path) -> None:
    claimed = written(tmp_path / 'claimed.yaml', cp02={
        node: {'has_phase_shutoff': True}
        for node in ('api', 'smart_charging', 'cppwm_controller', 'iso61851', 'session')})
    (line,) = problems([*depot, claimed])
    assert line.split(': ', 1)[1].startswith('/cp02: iso61851.has_phase_shutoff = true')
    assert "'evse_din' cannot switch phases (allowed: false" in line


@pytest.mark.parametrize('taken', [0.0, 8.0])
def test_a_failsafe_other_than_the_teams_is_refused(tmp_path: Path, taken: float) -> None:
    file = written(
        tmp_path / 'depot.yaml', depot={'team': {
            'members': ['cp01', 'cp02'], 'failsafe_amperage': 6.0}, 'vcse': {'fuse': [32.0] * 3}},
        cp01={'cppwm_controller': {'team.failsafe_amperage': 6.0}},
        cp02={'cppwm_controller': {'team.failsafe_amperage': taken}})
    found = [line for line in problems([file]) if 'failsafe_amperage' in line]
    assert len(found) == 1
    assert found[0].startswith(f'{file}')
    assert found[0].endswith(
        f'/cp02/cppwm_controller.team.failsafe_amperage = {taken:g} (allowed: 6, as '
        '/depot/team.failsafe_amperage: what a member takes in a silence is what its team reserves '
        'for it. Set both the same)')


def test_a_team_below_takes_what_the_team_above_reserves_for_it(tmp_path: Path) -> None:
    site = {'team': {'members': ['north'], 'failsafe_amperage': 12.0, 'fall_time': 18.0},
            'vcse': {'fuse': [63.0] * 3}}
    north = {'team': {'members': ['cp01']},
             'vcse': {'fuse': [32.0] * 3, 'parent': 'site', 'parent_failsafe_amperage': 12.0}}
    file = written(tmp_path / 'site.yaml', site=site, north=north)
    assert not [line for line in problems([file]) if 'failsafe_amperage' in line]
    north['vcse'].pop('parent_failsafe_amperage')
    found = [line for line in problems([written(tmp_path / 'site.yaml', site=site, north=north)])
             if 'failsafe_amperage' in line]
    assert '/north/vcse.parent_failsafe_amperage = 0 (allowed: 12, as /site' in found[0]
