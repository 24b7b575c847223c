"""``charger config``: what can be said of a configuration before anything is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import rclpy

from charger_control.bridges.web.server.config import WebConfigError
from charger_control.bringup.depot import failsafes, parents
from charger_control.bringup.processes import (
    DEVICES,
    GRID_METER,
    PILOT,
    TEAM_BLOCKS,
    with_grid_meter,
)
from charger_control.bringup.supervisor import EXIT_CONFIG
from charger_control.cli.config_lines import located, where_said
from charger_control.core.vcse import check_no_cycle
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.registry import open_meter, open_pilot
from charger_control.nearest import did_you_mean
from charger_control.ros.parameters import OF_ALL, Param, ParameterError, check
from charger_control.ros.params_file import refuse_bare, sections_of, values_of

NODES = {
    'fiscal_meter': 'nodes.fiscal_meter', 'grid_meter': 'nodes.fiscal_meter',
    'hw_limit': 'nodes.hw_limit', 'smart_charging': 'nodes.smart_charging.node', 'api': 'nodes.api',
    'cppwm_controller': 'nodes.cppwm_controller.node', 'iso61851': 'nodes.iso61851',
    'team': 'nodes.team', 'vcse': 'nodes.vcse', 'session': 'nodes.session',
    'bridge': 'bridges.web.node',
}
"""Node name -> module with its PARAMS and, where parameters must fit together, config_of."""
LOOKS = {'bridge': 'bridges.web.config_check'}
"""Node name -> module whose ``check`` looks at what parameters name, instead of config_of."""
TEAM_LIKE = frozenset({*TEAM_BLOCKS, GRID_METER})
"""Nodes of a team; the others are a charger's."""
OPTIONAL = frozenset({GRID_METER})
"""Nodes that run only where a file has a section for them."""
SAME_EVERYWHERE = ('phases', 'has_phase_shutoff')
"""Parameters by which several nodes are told the same fact of the charge point."""


def params_of(node: str) -> Sequence[Param | Any]:
    """The table of a node's parameters."""
    params: Sequence[Param | Any] = import_module(f'charger_control.{NODES[node]}').PARAMS
    return params


def problems(paths: list[Path]) -> list[str]:
    """Everything for which a graph would not start with these files taken together, one line each.

    Does what the nodes do when they start: the same tables, the same rules, the same drivers, up to
    the opening of ports and addresses.
    """
    try:
        patterns = [section.pattern for path in paths for section in sections_of(path)]
        for path in paths:
            refuse_bare(path)
            _read_by_ros(path)
    except ParameterError as error:
        return [str(error)]
    found = _strangers(paths)
    for node in NODES:
        namespaces = _namespaces_of(patterns, node)
        for namespace in namespaces:
            values = values_of(paths, node, namespace)
            if node in OPTIONAL and not any(name.startswith('device.') for name in values):
                continue
            try:
                _start(node, values)
            except (ParameterError, ValueError, WebConfigError) as error:
                known = str(error) if len(namespaces) == 1 else f'{namespace}: {error}'
                found.append(located(paths, node, namespace, values, known))
    for namespace in _namespaces_of(patterns, 'vcse'):
        try:
            with_grid_meter(TEAM_BLOCKS, paths, namespace)
        except ParameterError as error:
            found.append(f'{where_said(paths, GRID_METER, namespace, "")}{error}')
    found += _lines(paths, patterns)
    try:
        check_no_cycle(parents(paths))
    except ValueError as error:
        found.append(f'{", ".join(map(str, paths))}: {error}')
    return found + [f'{where_said(paths, node, namespace, key)}{words}'
                    for node, namespace, key, words in failsafes(paths)]


def _start(node: str, values: Mapping[str, Any]) -> None:
    """What a node does with its parameters before it does anything else."""
    checked = check(params_of(node), values, node)
    module = import_module(f'charger_control.{LOOKS.get(node, NODES[node])}')
    last: Callable[[dict[str, Any]], object] | None = getattr(
        module, 'check' if node in LOOKS else 'config_of', None)
    if last is not None:
        last(checked)


def _read_by_ros(path: Path) -> None:
    """ParameterError if ROS 2's own reader cannot read a file that YAML's can."""
    context = rclpy.Context()
    try:
        context.init(['--ros-args', '--log-level', 'rcl:=fatal', '--params-file', str(path)])
    except Exception as error:     # rcl has no narrower type for it
        raise ParameterError(f'{path}: ROS 2 cannot read it: {error}') from error
    finally:
        context.try_shutdown()


def _strangers(paths: Sequence[Path]) -> list[str]:
    """Sections of nodes that there are not."""
    return [f'{path}, line {section.line}: {section.pattern}: there is no such node.'
            f'{did_you_mean(node, NODES)} There are {", ".join(NODES)}'
            for path in paths for section in sections_of(path)
            if (node := section.pattern.rsplit('/', 1)[-1]) not in (*NODES, '**', '*')]


def _lines(paths: Sequence[Path], patterns: list[str]) -> list[str]:
    """Devices of one charger that cannot be on their line together."""
    found: list[str] = []
    for namespace in dict.fromkeys((*_namespaces_of(patterns, PILOT),
                                    *_namespaces_of(patterns, GRID_METER))):
        buses = Buses()
        for node in (PILOT, *(device for device in DEVICES if device != PILOT)):
            values = values_of(paths, node, namespace)
            if namespace not in _namespaces_of(patterns, node) or _refused(node, values):
                continue
            device = _device(values)
            try:
                (open_pilot if node == PILOT else open_meter)(device, buses, node)
            except ValueError as error:
                found.append(located(paths, node, namespace, values,
                                     f'{namespace}/{node}.device: {error}'))
    return found


def _device(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix('device.'): value for key, value in values.items()
            if key.startswith('device.')}


def _refused(node: str, values: Mapping[str, Any]) -> bool:
    """Whether something else is wrong with a node's parameters."""
    try:
        check(params_of(node), values, node)
    except ParameterError:
        return True
    return False


def warnings(paths: list[Path]) -> list[str]:
    """What does not keep a graph from starting, and is not meant so, one line each."""
    found = disagreements(paths)
    patterns = [section.pattern for path in paths for section in sections_of(path)]
    owner: dict[str, str] = {}
    for node in DEVICES:
        for namespace in _namespaces_of(patterns, node):
            port = values_of(paths, node, namespace).get('device.port')
            if not isinstance(port, str):
                continue
            other = owner.setdefault(port, namespace)
            if other != namespace:
                found.append(f'{where_said(paths, node, namespace, "device.port")}{other} and '
                             f'{namespace} both have port = {port}: on one machine they cannot, '
                             'for each charger is a process, and a serial line has one owner')
            if not Path(port).exists():
                found.append(f'{where_said(paths, node, namespace, "device.port")}{port} is not '
                             'there now; a charger waits for it. ls /dev/serial/by-id shows what '
                             'is')
    for namespace in _namespaces_of(patterns, 'vcse'):
        if (values_of(paths, 'vcse', namespace).get('grid_meter') is True
                and not values_of(paths, GRID_METER, namespace)):
            found.append(f'{where_said(paths, "vcse", namespace, "grid_meter")}vcse.grid_meter = '
                         f'true, and there is no {GRID_METER} in these files: another machine must '
                         'publish it, or other loads count as other_loads_max')
        own, grid = (_device(values_of(paths, node, namespace))
                     for node in ('fiscal_meter', GRID_METER))
        if grid and own == grid:
            found.append(f'{where_said(paths, GRID_METER, namespace, "device.unit")}{GRID_METER} '
                         'and fiscal_meter are one and the same device: where there are two, give '
                         'one of them another unit')
    for path in paths:
        for section in sections_of(path):
            node = section.pattern.rsplit('/', 1)[-1]
            for name in OF_ALL:
                if name in section.parameters and node in NODES and not any(
                        getattr(param, 'name', '') == name for param in params_of(node)):
                    found.append(f'{path}, line {section.parameters[name][1]}: {node} has no use '
                                 f'for {name}')
    return list(dict.fromkeys(found))


def disagreements(paths: list[Path]) -> list[str]:
    """Facts of one charge point that its nodes were told differently, one line each."""
    patterns = [section.pattern for path in paths for section in sections_of(path)]
    found = []
    for namespace in _namespaces_of(patterns, 'hw_limit'):
        for fact in SAME_EVERYWHERE:
            said: dict[str, object] = {}
            for node in NODES.keys() - TEAM_LIKE:
                for param in params_of(node):
                    if param.name == fact:
                        said[node] = values_of(paths, node, namespace).get(fact, param.default)
            if len({repr(value) for value in said.values()}) > 1:
                told = ', '.join(f'{node}.{fact} = {value}' for node, value in sorted(said.items()))
                all_of = '/**' if namespace == '/charger' else namespace
                found.append(
                    f'{namespace}: {told}: the same charge point. Say {fact} once, in a section '
                    f'for all its nodes, {all_of}/*: {{ros__parameters: {{{fact}: '
                    f'{said.get("hw_limit", "...")}}}}}, and nowhere else')
    return found


def _namespaces_of(patterns: list[str], node: str) -> list[str]:
    """The namespaces in which this node runs: those that files name for it or its like."""
    like = TEAM_LIKE if node in TEAM_LIKE else NODES.keys() - TEAM_LIKE
    named = {prefix: None for prefix, _, last in (p.rpartition('/') for p in patterns)
             if last in like and prefix and '*' not in prefix}
    return list(named) or ['/charger']


@click.group()
def config() -> None:
    """Check configuration files."""


@config.command('check')
@click.argument('files', nargs=-1, required=True, metavar='FILE...',
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check_files(files: tuple[Path, ...]) -> None:
    """Check parameter files, taken together, later ones over earlier ones.

    Exit code 0: the graph would start with them; 2: it would not, and a line says why.
    """
    wrong = problems(list(files))
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        sys.exit(EXIT_CONFIG)
    for line in warnings(list(files)):
        click.echo(f'warning: {line}', err=True)
    click.echo(f'{", ".join(str(f) for f in files)}: good')
