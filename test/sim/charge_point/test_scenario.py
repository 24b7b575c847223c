from pathlib import Path

import pytest

from charger_control.sim.charge_point.actions import ACTIONS, checked
from charger_control.sim.charge_point.scenario import (
    Scenario,
    ScenarioError,
    parse_scenario,
    read_scenario,
)
from charger_control.sim.plant.ev_parameters import PRESETS

SCENARIOS = Path(__file__).parents[3] / 'config' / 'scenarios'
EXAMPLES = sorted(path for path in SCENARIOS.glob('*.yaml') if not path.name.startswith('depot_'))
"""Of one charger; those of a depot: depot/test_scenario.py."""


@pytest.mark.parametrize('path', EXAMPLES, ids=lambda path: path.name)
def test_examples_are_good(path: Path) -> None:
    scenario = read_scenario(path)
    assert scenario.steps
    assert scenario.description


def test_default_is_the_file_of_that_name() -> None:
    default, = (path for path in EXAMPLES if path.name == 'default.yaml')
    assert read_scenario(default) == Scenario()


def test_list_of_steps_alone() -> None:
    scenario = parse_scenario('- {at: 1, do: plug_in, vehicle: one_phase}\n- {at: 2.5, do: unplug}')
    assert [(step.at, step.action, step.line) for step in scenario.steps] == [
        (1.0, 'plug_in', 1), (2.5, 'unplug', 2)]
    assert scenario.steps[0].arguments == {'vehicle': 'one_phase'}


HEAD = 'steps:\n  - {at: 2, do: plug_in}\n'


@pytest.mark.parametrize(('text', 'error'), [
    ('', 's line 1: a scenario is a list of steps, or a mapping with `steps`'),
    ('hello', 's line 1: a scenario is a list'),
    ('steps: [', 's line 1: not YAML'),
    ('a: b: c', 's line 1: not YAML: mapping values are not allowed here'),
    ('stepps: []', "s line 1: unknown key 'stepps' (known: steps, description, vehicle, cable"),
    ('\nsteps: 3', 's line 2: steps: 3 (allowed: a list of steps)'),
    ('vehicle: tesla', "s line 1: plug_in: vehicle preset 'tesla': not known (known: standard"),
    ('vehicle: {gain: 9}', 's line 1: plug_in: vehicle.gain: 9 (allowed: a number, 0.0 to 2.0)'),
    ('vehicle: 3', "s line 1: plug_in.vehicle: 3 (allowed: a preset's name, or parameters"),
    ('cable: 25', 's line 1: cable: 25 (allowed: 13.0, 20.0, 32.0, 63.0)'),
    ('board: {colour: 1}', "s line 1: set_register.register: 'colour' (allowed: power_on_current"),
    ('board: {power_on_current: -1}', 's line 1: set_register.value: -1 (allowed: a whole number'),
    ('mains: {voltage: [230, 230]}', 's line 1: set_mains.voltage: [230, 230] (allowed: one num'),
    ('mains: 230', 's line 1: mains: 230 (allowed: names with values)'),
    ('meter: {refresh: 0}', 's line 1: set_meter.refresh: 0 (allowed: a number, 0.01 to 3600)'),
    (HEAD + '  - {at: 1, do: unplug}', 's line 3: at: 1 is before the step above it (2)'),
    (HEAD + '\n\n  - {at: 3}', "s line 5: {'at': 3}: a step is {at: seconds, do: action, ...}"),
    (HEAD + '  - 7', 's line 3: 7: a step is'),
    (HEAD + '  - {at: soon, do: unplug}', "s line 3: at: 'soon' (allowed: a number, 0 to 1e+09)"),
    (HEAD + '  - {at: .nan, do: unplug}', 's line 3: at: nan'),
    (HEAD + '  - {at: true, do: unplug}', 's line 3: at: True'),
    (HEAD + '  - {at: 3, do: explode}', "s line 3: do: 'explode' (allowed: plug_in, unplug"),
    (HEAD + '  - {at: 3, do: [1]}', 's line 3: do: [1] (allowed: plug_in'),
    (HEAD + '  - {at: 3, do: silence, devise: meter}',
     "s line 3: silence: unknown argument 'devise' (it takes: device, active, for, count"),
    (HEAD + '  - {at: 3, do: silence, on: true}', 's line 3: silence: unknown argument True'),
    (HEAD + '  - at: 3\n    do: silence\n    device: metre',
     "s line 3: silence.device: 'metre' (allowed: meter, pilot, all)"),
    (HEAD + '  - {at: 3, do: silence, for: -1}', 's line 3: silence.for: -1 (allowed: a number, 0'),
    (HEAD + '  - {at: 3, do: weld, active: 1}', 's line 3: weld.active: 1 (allowed: true, false)'),
    (HEAD + '  - {at: 3, do: exception, code: 0}', 's line 3: exception.code: 0 (allowed: a whole'),
    (HEAD + '  - {at: 3, do: unplug, vehicle: ideal}',
     "s line 3: unplug: unknown argument 'vehicle' (it takes: nothing)"),
    (HEAD + '  - {at: 3, do: set_vehicle}', "s line 3: set_vehicle: needs 'vehicle'"),
    (HEAD + '  - {at: 3, do: set_vehicle, vehicle: {preset: ideal}}', 's line 3: set_vehicle.vehi'),
    (HEAD + '  - {at: 3, do: put_limits, body: 7}', 's line 3: put_limits.body: 7 (allowed: names'),
])
def test_bad_scenarios_name_line_value_and_what_is_allowed(text: str, error: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(text, 's')
    assert error in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match='cannot be read'):
        read_scenario(tmp_path / 'none.yaml')
    (tmp_path / 'binary').write_bytes(b'\xff\xfe\0')
    with pytest.raises(ScenarioError, match='cannot be read'):
        read_scenario(tmp_path / 'binary')


def test_every_action_says_what_it_does_and_checks_itself() -> None:
    for name, action in ACTIONS.items():
        assert action.says
        if not action.needs:
            assert checked(name, {}) == {}


@pytest.mark.parametrize('preset', PRESETS)
def test_every_preset_can_be_plugged_in(preset: str) -> None:
    assert checked('plug_in', {'vehicle': preset}) == {'vehicle': preset}
