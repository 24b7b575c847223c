"""What happens in a simulated depot, and when, as a YAML file.

::

    description: a line for people
    unit: s                     # of `at`, `for` and `over`: s, min or h
    other_loads: [8, 6, 7]      # A on L1 L2 L3 that the rest of the site draws at the start
    steps:
      - {at: 5, do: plug_in, charger: 1, vehicle: family}
      - {at: 60, do: other_loads, percent: [30, 25, 35], over: 30}    # of the fuse
      - {at: 90, do: trip, charger: [2, 3], for: 30}
      - {at: 150, do: kill, process: team}
      - {at: 200, do: kill, charger: 2}

``charger`` is a number in the order of the team's members from 1 on, a name, a list of them, or
`all`. Steps for numbers that a depot does not have are left out: one story for depots of any size.
With ``charger`` each action of `charger sim` may stand (plug_in, unplug, set_vehicle, silence ...);
the others are in DEPOT_ACTIONS and CHARGER_ACTIONS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from charger_control.sim.charge_point.actions import ACTIONS, Action, checked, number
from charger_control.sim.charge_point.scenario import ScenarioError
from charger_control.sim.plant.ev import NO_PHASES
from charger_control.sim.plant.ev_parameters import Phases
from charger_control.yaml_input import YamlError, compose

UNITS = {'s': 1.0, 'min': 60.0, 'h': 3600.0}
MOST_CHARGERS = 512
_NOT_HERE = ('put_limits', 'end')
"""Actions of one simulated charger that a depot does not pass on."""


def _loads(value: Any) -> Phases:
    values = value if isinstance(value, list | tuple) else [value] * 3
    try:
        one, two, three = (number(0.0, 10_000.0)(amperes) for amperes in values)
    except ValueError:
        raise ValueError('one number or three, 0 to 10000 A') from None
    return one, two, three


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError('team, vcse, grid_meter or bridge')
    return value


_TIMES = ('for', 'over')
_SECONDS = number(0.0, 1e6)
DEPOT_ACTIONS: Mapping[str, Action] = {
    'other_loads': Action('the rest of the site draws so many A, or so much of the fuse; reached '
                          'evenly in `over`',
                          {'amperage': _loads, 'percent': _loads, 'over': _SECONDS}),
    'kill': Action('kill -9 of `team`, who leads at first, or of `vcse`, `grid_meter`, `bridge`',
                   {'process': _name}, ('process',)),
    'lose_grid_meter': Action('the grid meter does not answer', {'for': _SECONDS}),
    'end': Action('all ends, in order', {}),
}
"""What is done to the depot, not to one charger."""
CHARGER_ACTIONS: Mapping[str, Action] = {
    'trip': Action('its breaker trips: board, meter and vehicle are without supply',
                   {'for': _SECONDS}),
    'kill': Action('kill -9 of its control process', {}),
}
"""What is done to a charger, beside `actions.ACTIONS`."""


@dataclass(frozen=True, slots=True)
class DepotStep:
    """One step.

    Attributes:
        at: s from the start.
        action: a name in DEPOT_ACTIONS, `trip`, or one of `actions.ACTIONS`.
        arguments: checked, times in s.
        chargers: whom it is done to: numbers from 1 or names; ('all',) each; () the depot.
        line: in the file, from 1.
    """

    at: float
    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    chargers: tuple[int | str, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class DepotScenario:
    """A checked scenario; see the module's text for the file.

    Attributes:
        steps: in order of time.
        other_loads: A on L1 L2 L3 at the start.
        description: for people.
    """

    steps: tuple[DepotStep, ...] = ()
    other_loads: Phases = NO_PHASES
    description: str = ''

    def for_members(self, members: Sequence[str], name: str = 'scenario') -> DepotScenario:
        """The same with names of these members only; without steps for numbers beyond them.

        Raises:
            ScenarioError: a name is not among the members.
        """
        steps = []
        for step in self.steps:
            if not step.chargers:
                steps.append(step)
                continue
            wanted = members if 'all' in step.chargers else [
                self._member(one, members, f'{name} line {step.line}') for one in step.chargers]
            if names := tuple(one for one in wanted if one):
                steps.append(replace(step, chargers=names))
        return replace(self, steps=tuple(steps))

    @staticmethod
    def _member(wanted: int | str, members: Sequence[str], where: str) -> str:
        if isinstance(wanted, int):
            return members[wanted - 1] if wanted <= len(members) else ''
        if wanted not in members:
            raise ScenarioError(f'{where}: charger {wanted!r} is not of this depot (it has '
                                f'{", ".join(members)})')
        return wanted

    @property
    def end(self) -> float:
        """s, the time of the last step."""
        return self.steps[-1].at if self.steps else 0.0


def checked_step(action: Any, arguments: Mapping[str, Any], unit: float = 1.0) -> DepotStep:
    """What is to be done, at 0 s, checked.

    Args:
        action: its name.
        arguments: `charger` among them where it is done to chargers.
        unit: s of one unit of the times among them.

    Raises:
        ValueError: no such action, an unknown or missing argument, a value that is not allowed.
    """
    values = dict(arguments)
    chargers = _chargers(values.pop('charger')) if 'charger' in values else ()
    if chargers and action in CHARGER_ACTIONS:
        found = _checked(action, CHARGER_ACTIONS[action], values)
    elif chargers and action in ACTIONS and action not in _NOT_HERE:
        found = checked(action, values)
    elif not chargers and action in DEPOT_ACTIONS:
        found = _checked(action, DEPOT_ACTIONS[action], values)
        if action == 'other_loads' and ('amperage' in found) is ('percent' in found):
            raise ValueError('other_loads: needs amperage, or percent of the fuse')
    else:
        raise ValueError(_unknown(action, bool(chargers)))
    found |= {key: found[key] * unit for key in _TIMES if key in found}
    return DepotStep(0.0, str(action), found, chargers)


def _unknown(action: Any, of_charger: bool) -> str:
    mine = [*CHARGER_ACTIONS, *(name for name in ACTIONS if name not in _NOT_HERE)]
    if not of_charger and action in mine:
        return (f'{action}: needs charger: a number from 1, a name, a list of them, or all')
    if of_charger and action in DEPOT_ACTIONS:
        return f'{action}: takes no charger, it is done to the depot'
    return (f'do: {action!r} (allowed: {", ".join(DEPOT_ACTIONS)}; with charger: '
            f'{", ".join(mine)})')


def _checked(name: str, action: Action, arguments: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for argument, value in arguments.items():
        if argument not in action.takes:
            known = ', '.join(action.takes) or 'nothing'
            raise ValueError(f'{name}: unknown argument {argument!r} (it takes: {known})')
        try:
            values[argument] = action.takes[argument](value)
        except ValueError as allowed:
            raise ValueError(f'{name}.{argument}: {value!r} (allowed: {allowed})') from None
    for argument in action.needs:
        if argument not in values:
            raise ValueError(f'{name}: needs {argument!r}')
    return values


def _chargers(value: Any) -> tuple[int | str, ...]:
    values = value if isinstance(value, list) and value else [value]
    for one in values:
        is_number = type(one) is int and 1 <= one <= MOST_CHARGERS
        if not is_number and not (isinstance(one, str) and one):
            raise ValueError(f'charger: {one!r} (allowed: a number, 1 to {MOST_CHARGERS}, a name, '
                             'a list of them, or all)')
    return tuple(values)


def told(step: DepotStep) -> str:
    """A step in a few words."""
    values = step.arguments
    words = [step.action.replace('_', ' ')]
    words += [', '.join(map(str, step.chargers))] if step.chargers else []
    if 'process' in values:
        words.append(values['process'])
    for key, sign in (('amperage', ' A'), ('percent', ' %')):
        if key in values:
            words.append(' '.join(f'{number:g}' for number in values[key]) + sign)
    if 'vehicle' in values:
        vehicle = values['vehicle']
        words.append(vehicle if isinstance(vehicle, str) else vehicle.get('preset', ''))
    return ' '.join(filter(None, words))


def read_depot_scenario(path: Path) -> DepotScenario:
    """The scenario in a file.

    Raises:
        ScenarioError: it cannot be read, or something in it cannot be used.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f'{path}: cannot be read ({error})') from None
    return parse_depot_scenario(text, str(path))


def parse_depot_scenario(text: str, name: str = 'scenario') -> DepotScenario:
    """The scenario in a text; ``name`` stands in error messages.

    Raises:
        ScenarioError: as ``read_depot_scenario``.
    """
    try:
        node, document = compose(text, name)
    except YamlError as error:
        where = f' line {error.line}' if error.line else ''
        raise ScenarioError(f'{name}{where}: {error.problem}') from None
    if not isinstance(node, yaml.MappingNode) or not isinstance(document, dict):
        raise ScenarioError(f'{name} line 1: a scenario of a depot is a mapping with `steps`')
    lines = {key.value: (key.start_mark.line + 1, value) for key, value in node.value}
    known = ('description', 'unit', 'other_loads', 'steps')
    for key in document:
        if key not in known:
            raise ScenarioError(f'{name} line {lines[str(key)][0]}: unknown key {key!r} (known: '
                                f'{", ".join(known)})')
    unit = document.get('unit', 's')
    if unit not in UNITS:
        raise ScenarioError(f'{name} line {lines["unit"][0]}: unit: {unit!r} (allowed: '
                            f'{", ".join(UNITS)})')
    try:
        loads = _loads(document.get('other_loads', 0.0))
    except ValueError as allowed:
        raise ScenarioError(f'{name} line {lines["other_loads"][0]}: other_loads: '
                            f'{document["other_loads"]!r} (allowed: {allowed})') from None
    steps: tuple[DepotStep, ...] = ()
    if 'steps' in document:
        line, items = lines['steps']
        if not isinstance(items, yaml.SequenceNode):
            raise ScenarioError(f'{name} line {line}: steps: {document["steps"]!r} (allowed: a '
                                'list of steps)')
        steps = _steps(name, items, document['steps'], UNITS[unit])
    return DepotScenario(steps, loads, str(document.get('description', '')))


def _steps(name: str, node: yaml.SequenceNode, items: Sequence[Any], unit: float
           ) -> tuple[DepotStep, ...]:
    steps: list[DepotStep] = []
    before = -math.inf
    for item_node, item in zip(node.value, items, strict=True):
        line = item_node.start_mark.line + 1
        try:
            steps.append(_step(item, unit, line))
        except ValueError as problem:
            raise ScenarioError(f'{name} line {line}: {problem}') from None
        if steps[-1].at < before:
            raise ScenarioError(f'{name} line {line}: at: {item["at"]:g} is before the step above '
                                f'it ({before / unit:g}); put the steps in order of time')
        before = steps[-1].at
    return tuple(steps)


def _step(item: Any, unit: float, line: int) -> DepotStep:
    if not isinstance(item, dict) or 'at' not in item or 'do' not in item:
        raise ValueError(f'{item!r}: a step is {{at: time, do: action, ...}}')
    try:
        at = number(0.0, 1e9)(item['at'])
    except ValueError as allowed:
        raise ValueError(f'at: {item["at"]!r} (allowed: {allowed})') from None
    arguments = {key: value for key, value in item.items() if key not in ('at', 'do')}
    return replace(checked_step(item['do'], arguments, unit), at=at * unit, line=line)
