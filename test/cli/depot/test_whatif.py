"""``charger team allocate``: exact input and output, and what a bad input is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from charger_control.cli.main import main

MEMBER: dict[str, Any] = {
    'member': 'cp01', 'requested_amperage': 16, 'minimum_amperage': 6, 'phases': [1, 2, 3],
    'priority': 0, 'weight': 1.0, 'vehicle_status': 'C', 'amperage': [0, 0, 0], 'energy': 0.0,
    'waiting_since': 990.0, 'last_heard': 999.5, 'failsafe_amperage': 0}


def team(*members: dict[str, Any], budget: Any = (63, 63, 63), **fields: Any) -> dict[str, Any]:
    return {'now': 1000.0, 'budget': list(budget), 'members': list(members), **fields}


def member(name: str, **fields: Any) -> dict[str, Any]:
    return {**MEMBER, 'member': name, **fields}


def run(given: Any, tmp_path: Path) -> Result:
    file = tmp_path / 'team.json'
    file.write_text(given if isinstance(given, str) else json.dumps(given))
    return CliRunner().invoke(main, ['team', 'allocate', str(file)])


def test_one_team(tmp_path: Path) -> None:
    result = run(team(MEMBER), tmp_path)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        'allocations': {'cp01': {'allocated_amperage': 16.0, 'reason': 'all it asked for'}}}


def test_a_list_for_a_list(tmp_path: Path) -> None:
    result = run([team(MEMBER), team(), team(MEMBER, budget=(10, 63, 63))], tmp_path)
    answers = json.loads(result.stdout)
    assert [[a['allocated_amperage'] for a in answer['allocations'].values()]
            for answer in answers] == [[16.0], [], [10.0]]
    assert json.loads(run([], tmp_path).stdout) == []


def test_from_standard_input() -> None:
    result = CliRunner().invoke(main, ['team', 'allocate', '-'], input=json.dumps(team(MEMBER)))
    assert json.loads(result.stdout)['allocations']['cp01']['allocated_amperage'] == 16.0


def test_silent_members_and_unknown_wiring(tmp_path: Path) -> None:
    given = team(
        member('heard', requested_amperage=63),
        member('silent', last_heard=985.0, allocated_amperage=10, drawable_amperage=12),
        member('gone', last_heard=900.0, allocated_amperage=32, failsafe_amperage=6),
        member('unknown', phases=[], amperage=[None, None, None]))
    got = json.loads(run(given, tmp_path).stdout)['allocations']
    assert {n: a['allocated_amperage'] for n, a in got.items()} == {
        'heard': 63.0 - 12.0 - 6.0 - 16.0, 'silent': 0.0, 'gone': 0.0, 'unknown': 16.0}
    assert got['silent']['reason'] == 'silent for 15.0 s: 12 A stays reserved for it'


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    got = json.loads(run(team({'member': 'a', 'requested_amperage': 80}), tmp_path).stdout)
    assert got['allocations']['a']['allocated_amperage'] == 63.0


@pytest.mark.parametrize(('given', 'words'), [
    ('{"now": 1', 'not JSON'),
    (3, 'team: 3 is no object'),
    ([3], 'team 1: 3 is no object'),
    ({'budget': [1, 1, 1], 'members': []}, 'team: now is missing'),
    (team(budget=(63, 63)), 'budget [63, 63] (allowed: three numbers of A, 0 or more'),
    (team(budget=(63, 63, -1)), 'budget [63, 63, -1]'),
    ('{"now": 0, "budget": [NaN, 1, 1], "members": []}', 'budget [NaN, 1, 1]'),
    (team(member('cp01', requested_amperage=-1)),
     "team, member 'cp01': requested_amperage -1 (allowed: a number of A, 0 or more)"),
    (team(member('cp01', requested_amperage='16')), 'requested_amperage "16"'),
    (team(member('cp01', requested_amperage=True)), 'requested_amperage true'),
    (team(member('cp01', weight=0)), 'weight 0 (allowed: a number above 0)'),
    (team(member('cp01', phases=[0])), 'phases [0] (allowed: supply phases out of 1, 2, 3'),
    (team(member('cp01', phases=[1, 1])), 'phases [1, 1]'),
    (team(member('cp01', priority=0.5)), 'priority 0.5 (allowed: a whole number)'),
    (team(member('cp01', vehicle_status='X')), 'vehicle_status "X" (allowed: one of A B C'),
    (team(member('cp01', amperage=[0, 0])), 'amperage [0, 0] (allowed: three numbers'),
    (team(member('cp01', last_heard=1001)), 'last_heard 1001 (allowed: up to now, 1000)'),
    (team(member('')), 'member "" (allowed: a name'),
    (team({'requested_amperage': 1}), 'team, member 1: member is missing'),
    (team(7), 'team, member 1: 7 is no object'),
    (team(MEMBER, MEMBER), "member 'cp01': there are two of that name"),
    (team(member('cp01', wieght=2)), "there is no key 'wieght'; there are member,"),
    ([team(MEMBER), team(member('b', energy=-1))], "team 2, member 'b': energy -1"),
])
def test_a_bad_input_is_told_what_is_wrong(given: Any, words: str, tmp_path: Path) -> None:
    result = run(given, tmp_path)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ''
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ['team', 'allocate', str(tmp_path / 'none.json')])
    assert result.exit_code == 2
    assert 'none.json' in result.stderr
