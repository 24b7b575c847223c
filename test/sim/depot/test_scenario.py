"""The story of a depot: what a file may say, and what a bad one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from charger_control.sim.charge_point.scenario import ScenarioError
from charger_control.sim.depot.scenario import (
    DepotStep,
    checked_step,
    parse_depot_scenario,
    read_depot_scenario,
)

SCENARIOS = Path(__file__).parents[3] / 'config' / 'scenarios'
STORY = """
unit: min
other_loads: [5, 4, 3]
steps:
  - {at: 0.5, do: plug_in, charger: [1, 3], vehicle: family}
  - {at: 1, do: trip, charger: 2, for: 0.5}
  - {at: 2, do: other_loads, percent: 30, over: 1}
  - {at: 3, do: kill, process: team}
  - {at: 3, do: kill, charger: west}
  - {at: 4, do: silence, charger: all, device: meter}
"""


def test_a_story_is_read_in_its_unit() -> None:
    scenario = parse_depot_scenario(STORY)
    assert scenario.other_loads == (5.0, 4.0, 3.0)
    assert scenario.steps[:4] == (
        DepotStep(30.0, 'plug_in', {'vehicle': 'family'}, (1, 3)),
        DepotStep(60.0, 'trip', {'for': 30.0}, (2,)),
        DepotStep(120.0, 'other_loads', {'percent': (30.0, 30.0, 30.0), 'over': 60.0}),
        DepotStep(180.0, 'kill', {'process': 'team'}))
    assert scenario.end == 240.0


def test_numbers_become_names_and_those_beyond_are_left_out() -> None:
    steps = parse_depot_scenario(STORY).for_members(['east', 'west']).steps
    assert [step.chargers for step in steps] == [
        ('east',), ('west',), (), (), ('west',), ('east', 'west')]


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"night line 9: charger 'west' .* \(it has a, b\)"):
        parse_depot_scenario(STORY).for_members(['a', 'b'], 'night')


@pytest.mark.parametrize(('text', 'words'), [
    ('- {at: 1, do: end}', 'line 1: .* a mapping with `steps`'),
    ('steps: [', 'line 1: not YAML'),
    ('a: 1', "line 1: unknown key 'a' .*description, unit, other_loads, steps"),
    ('unit: d', "line 1: unit: 'd' .*s, min, h"),
    ('\nother_loads: [1, 2]', r'line 2: other_loads: \[1, 2\] .*one number or three'),
    ('steps: 3', 'line 1: steps: 3 .*a list of steps'),
    ('steps:\n- {do: end}', 'line 2: .* a step is'),
    ('steps: [{at: -1, do: end}]', r'at: -1 \(allowed: a number'),
    ('steps:\n- {at: 2, do: end}\n- {at: 1, do: end}', 'line 3: at: 1 is before .*(2)'),
    ('steps: [{at: 1, do: plug_in}]', 'plug_in: needs charger'),
    ('steps: [{at: 1, do: plug_in, charger: 0}]', 'charger: 0 .*1 to 512'),
    ('steps: [{at: 1, do: plug_in, charger: true}]', 'charger: True'),
    ('steps: [{at: 1, do: plug_in, charger: 1, vehicle: none}]', "preset 'none'"),
    ('steps: [{at: 1, do: trip, charger: 1, until: 3}]', "'until' .it takes: for"),
    ('steps: [{at: 1, do: kill, process: team, charger: 1}]', "'process' .it takes: nothing"),
    ('steps: [{at: 1, do: kill}]', "needs 'process'"),
    ('steps: [{at: 1, do: other_loads}]', 'needs amperage, or percent'),
    ('steps: [{at: 1, do: other_loads, amperage: 1, percent: 2}]', 'needs amperage, or percent'),
    ('steps: [{at: 1, do: end, charger: 1}]', 'takes no charger'),
    ('steps: [{at: 1, do: put_limits, charger: 1, body: {}}]', "'put_limits' .allowed: other"),
    ('steps: [{at: 1, do: fly}]', "'fly' .*plug_in, unplug")])
def test_a_bad_story_is_told_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        parse_depot_scenario(text, 'night')


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match='cannot be read'):
        read_depot_scenario(tmp_path / 'gone.yaml')


@pytest.mark.parametrize('chargers', [1, 3, 20])
@pytest.mark.parametrize('night', ['depot_night.yaml', 'depot_long_night.yaml'])
def test_packaged_nights_are_for_depots_of_any_size(night: str, chargers: int) -> None:
    names = [f'cp{n:02}' for n in range(1, chargers + 1)]
    story = read_depot_scenario(SCENARIOS / night).for_members(names)
    plugged = {name for step in story.steps if step.action == 'plug_in' for name in step.chargers}
    assert plugged == set(names)
    assert {'kill', 'other_loads', 'lose_grid_meter'} <= {step.action for step in story.steps}


def test_a_step_by_hand() -> None:
    assert checked_step('unplug', {'charger': 'cp01'}) == DepotStep(0.0, 'unplug', {}, ('cp01',))
