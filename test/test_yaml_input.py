"""A key that stands twice is an error with its line, wherever a user's YAML is read."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import yaml

from charger_control.cli.hardware.options import device_config
from charger_control.cli.simulation.sim import parsed_step
from charger_control.ros.parameters import ParameterError
from charger_control.ros.params_file import load as load_parameters
from charger_control.sim.charge_point.scenario import ScenarioError, parse_scenario
from charger_control.sim.depot.scenario import parse_depot_scenario
from charger_control.yaml_input import YamlError, load

PARAMETERS = """/**:
  hw_limit:
    ros__parameters:
      fuse: 16.0
      phases: 3
      fuse: 80.0
"""


@pytest.mark.parametrize(('text', 'line', 'first'), [
    ('a: 1\nb: 2\na: 3\n', 3, 1), ('x:\n  - {b: 1, b: 2}\n', 2, 2),
    ('x:\n  y: 1\n"x": 2\n', 3, 1), ('1: a\n0x1: b\n', 2, 1)])
def test_the_second_one_is_named_with_the_line_of_both(text: str, line: int, first: int) -> None:
    with pytest.raises(YamlError, match=rf'^F, line {line}: .* first in line {first}\.'):
        load(text, 'F')


def test_what_is_no_yaml_is_named_with_its_line() -> None:
    with pytest.raises(YamlError, match=r'^F, line 2: not YAML: '):
        load('a: 1\n b: : 2\n', 'F')


@pytest.mark.parametrize('text', ['', 'a: {b: 1}\nc: {b: 1}\n',
                                  'a: &x {b: 1}\nc: {<<: *x, b: 2}\nd: *x\n'])
def test_what_stands_once_is_read_as_ever(text: str) -> None:
    assert load(text, 'F') == yaml.safe_load(text)


def test_a_parameter_file(tmp_path: Path) -> None:
    path = tmp_path / 'p.yaml'
    path.write_text(PARAMETERS)
    with pytest.raises(ParameterError, match=rf'^{path}, line 6: fuse .* line 4'):
        load_parameters(path)


@pytest.mark.parametrize('text', [
    '/**:\n  a:\n    ros__parameters:\n      device: {unit: 1}\n      device.unit: 2\n',
    '/**:\n  a:\n    ros__parameters: {device.unit: 1}\n/**/a:\n  ros__parameters:\n'
    '    device.unit: 2\n'])
def test_a_parameter_said_twice_in_two_ways_of_writing(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'p.yaml'
    path.write_text(text)
    with pytest.raises(ParameterError, match=rf'^{path}, line \d: /\*\*/a, device.unit .* line \d'):
        load_parameters(path)


def test_scenarios() -> None:
    with pytest.raises(ScenarioError, match=r'^s line 2: vehicle .* line 1'):
        parse_scenario('vehicle: ideal\nvehicle: zoe\n', 's')
    with pytest.raises(ScenarioError, match=r'^s line 2: unit .* line 1'):
        parse_depot_scenario('unit: s\nunit: h\nsteps: []\n', 's')


def test_values_of_a_command_line() -> None:
    with pytest.raises(click.UsageError, match='a stands there twice'):
        device_config({'others': ('x={a: 1, a: 2}',)})
    with pytest.raises(YamlError, match='for stands there twice'):
        parsed_step('{do: silence, for: 1, for: 2}')
