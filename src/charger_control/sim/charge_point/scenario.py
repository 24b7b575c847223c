"""A scenario: what happens to the simulated charge point, and when, as a YAML file.

::

    description: a line for people
    vehicle: standard          # what plug_in plugs in: a preset, or parameters by name
    cable: 32                  # A, rating of the cable it comes with
    board: {power_on_current: 0}     # registers of the board at the start, by name
    mains: {voltage: 230, frequency: 50}
    meter: {energy_imported: 1234.5}
    steps:
      - {at: 2, do: plug_in}
      - {at: 30, do: silence, device: meter, for: 15}

A file may also hold the list of steps alone. ``at`` is in s from the start, never falling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from charger_control.sim.charge_point.actions import ACTIONS, checked, number, one_of
from charger_control.sim.plant.ev_parameters import vehicle_of
from charger_control.sim.plant.plant import CABLE_RATINGS
from charger_control.yaml_input import YamlError, compose


class ScenarioError(Exception):
    """A scenario cannot be used; the text names file, line, value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        at: s from the start.
        action: a name in ACTIONS.
        arguments: checked.
        line: in the file, from 1; 0: from nowhere.
    """

    at: float
    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario; see the module's text for the file.

    Attributes:
        steps: in order of time.
        vehicle: preset or parameters of the vehicle that is plugged in unless a step says another.
        cable: A, rating of its cable.
        board: values of the board's registers at the start, by name in the register table.
        mains, meter: arguments of set_mains and set_meter at the start.
        description: for people.
    """

    steps: tuple[Step, ...] = (Step(2.0, 'plug_in'),)
    vehicle: str | Mapping[str, Any] = 'standard'
    cable: float = 32.0
    board: Mapping[str, int] = field(default_factory=dict)
    mains: Mapping[str, Any] = field(default_factory=dict)
    meter: Mapping[str, Any] = field(default_factory=dict)
    description: str = 'a vehicle is plugged in after 2 s'


def read_scenario(path: Path) -> Scenario:
    """The scenario in a file.

    Raises:
        ScenarioError: it cannot be read, or something in it cannot be used.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f'{path}: cannot be read ({error})') from None
    return parse_scenario(text, str(path))


def scenario_of(path: Path | None, vehicle: str | None) -> Scenario:
    """What happens to the simulated charger: a file's or the default one, with that vehicle.

    Raises:
        ScenarioError: the file cannot be used, or there is no such vehicle.
    """
    scenario = read_scenario(path) if path else Scenario()
    if vehicle is None:
        return scenario
    try:
        vehicle_of(vehicle)
    except ValueError as error:
        raise ScenarioError(str(error)) from error
    return replace(scenario, vehicle=vehicle)


def parse_scenario(text: str, name: str = 'scenario') -> Scenario:
    """The scenario in a text; ``name`` stands in error messages.

    Raises:
        ScenarioError: as ``read_scenario``.
    """
    try:
        node, document = compose(text, name)
    except YamlError as error:
        where = f' line {error.line}' if error.line else ''
        raise ScenarioError(f'{name}{where}: {error.problem}') from None
    return _Reader(name).scenario(node, document)


class _Reader:
    """Turns the parsed YAML into a scenario, with the line in every complaint."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._keys: dict[str, Callable[[Any], Any]] = {
            'description': str,
            'vehicle': _checked_vehicle,
            'cable': one_of(*CABLE_RATINGS[1:]),
            'board': _checked_board,
            'mains': lambda value: checked('set_mains', value),
            'meter': lambda value: checked('set_meter', value),
        }

    def scenario(self, node: yaml.Node | None, document: Any) -> Scenario:
        if isinstance(document, list) and isinstance(node, yaml.SequenceNode):
            return Scenario(self._steps(node, document), description='')
        if not isinstance(document, dict) or not isinstance(node, yaml.MappingNode):
            raise self._error(1, 'a scenario is a list of steps, or a mapping with `steps`')
        values: dict[str, Any] = {'steps': (), 'description': ''}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if key == 'steps':
                if not isinstance(value_node, yaml.SequenceNode):
                    raise self._error(line, f'steps: {document[key]!r} (allowed: a list of steps)')
                values[key] = self._steps(value_node, document[key])
            elif key in self._keys:
                values[key] = self._value(line, key, document[key])
            else:
                known = ', '.join(['steps', *self._keys])
                raise self._error(line, f'unknown key {key!r} (known: {known})')
        return Scenario(**values)

    def _value(self, line: int, key: str, value: Any) -> Any:
        if key in ('board', 'mains', 'meter') and not isinstance(value, dict):
            raise self._error(line, f'{key}: {value!r} (allowed: names with values)')
        try:
            return self._keys[key](value)
        except ValueError as problem:
            text = str(problem)
            if key == 'cable':
                text = f'cable: {value!r} (allowed: {problem})'
            raise self._error(line, text) from None

    def _steps(self, node: yaml.SequenceNode, items: list[Any]) -> tuple[Step, ...]:
        steps: list[Step] = []
        for item_node, item in zip(node.value, items, strict=True):
            line = item_node.start_mark.line + 1
            step = self._step(line, item)
            if steps and step.at < steps[-1].at:
                raise self._error(line, f'at: {step.at:g} is before the step above it '
                                        f'({steps[-1].at:g}); put the steps in order of time')
            steps.append(step)
        return tuple(steps)

    def _step(self, line: int, item: Any) -> Step:
        if not isinstance(item, dict) or 'at' not in item or 'do' not in item:
            raise self._error(line, f'{item!r}: a step is {{at: seconds, do: action, ...}}; '
                                    f'actions: {", ".join(ACTIONS)}')
        arguments = {key: value for key, value in item.items() if key not in ('at', 'do')}
        try:
            at = number(0.0, 1e9)(item['at'])
        except ValueError as allowed:
            raise self._error(line, f'at: {item["at"]!r} (allowed: {allowed})') from None
        try:
            return Step(at, item['do'], checked(item['do'], arguments), line)
        except ValueError as problem:
            raise self._error(line, str(problem)) from None

    def _error(self, line: int, text: str) -> ScenarioError:
        return ScenarioError(f'{self._name} line {line}: {text}')


def _checked_vehicle(value: Any) -> Any:
    return checked('plug_in', {'vehicle': value})['vehicle']


def _checked_board(value: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): checked('set_register', {'register': name, 'value': number_})['value']
            for name, number_ in value.items()}
