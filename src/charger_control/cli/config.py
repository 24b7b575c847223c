"""``charger config``: what can be said of a configuration before anything is started."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from charger_control.cli.guard import EXIT_CONFIG
from charger_control.core.vcse import check_no_cycle
from charger_control.ros.depot import parents
from charger_control.ros.parameters import ParameterError, check
from charger_control.ros.params_file import load, values_of
from charger_control.ros.processes import GRID_METER, TEAM_BLOCKS

NODES = {
    'fiscal_meter': 'nodes.fiscal_meter', 'grid_meter': 'nodes.fiscal_meter',
    'hw_limit': 'nodes.hw_limit', 'smart_charging': 'nodes.smart_charging', 'api': 'nodes.api',
    'cppwm_controller': 'nodes.cppwm_controller', 'iso61851': 'nodes.iso61851',
    'team': 'nodes.team', 'vcse': 'nodes.vcse', 'session': 'nodes.session',
    'bridge': 'bridge.node',
}
"""Node name -> module with its PARAMS and, where parameters must fit together, config_of."""
TEAM_LIKE = frozenset({*TEAM_BLOCKS, GRID_METER})
"""Nodes of a team; the others are a charger's."""
OPTIONAL = frozenset({GRID_METER})
"""Nodes that run only where a file has a section for them."""
SAME_EVERYWHERE = ('phases', 'has_phase_shutoff')
"""Parameters by which several nodes are told the same fact of the charge point."""


def problems(paths: list[Path]) -> list[str]:
    """Everything that is wrong with parameter files taken together, one line each."""
    found = []
    try:
        patterns = [pattern for path in paths for pattern, _ in load(path)]
    except ParameterError as error:
        return [str(error)]
    for pattern in patterns:
        node = pattern.rsplit('/', 1)[-1]
        if node not in NODES and node not in ('**', '*'):
            found.append(f'{pattern}: there is no such node; there are {", ".join(NODES)}')
    for node, module_name in NODES.items():
        module = import_module(f'charger_control.{module_name}')
        namespaces = _namespaces_of(patterns, node)
        for namespace in namespaces:
            values = values_of(paths, node, namespace)
            if node in OPTIONAL and not values:
                continue
            try:
                checked = check(module.PARAMS, _shared_removed(module.PARAMS, values), node)
                config_of = getattr(module, 'config_of', None)
                if config_of is not None:
                    config_of(checked)
            except (ParameterError, ValueError) as error:
                found.append(f'{namespace}: {error}' if len(namespaces) > 1 else str(error))
    try:
        check_no_cycle(parents(paths))
    except ValueError as error:
        found.append(str(error))
    return found


def disagreements(paths: list[Path]) -> list[str]:
    """Facts of one charge point that its nodes were told differently, one line each."""
    patterns = [pattern for path in paths for pattern, _ in load(path)]
    found = []
    for namespace in _namespaces_of(patterns, 'hw_limit'):
        for fact in SAME_EVERYWHERE:
            said: dict[str, object] = {}
            for node in NODES.keys() - TEAM_LIKE:
                module = import_module(f'charger_control.{NODES[node]}')
                for param in module.PARAMS:
                    if param.name == fact:
                        said[node] = values_of(paths, node, namespace).get(fact, param.default)
            if len({repr(value) for value in said.values()}) > 1:
                told = ', '.join(f'{node}.{fact} = {value}' for node, value in sorted(said.items()))
                found.append(f'{namespace}: {told}: the same charge point; say {fact} once, under '
                             f'"/**"')
    return found


def _namespaces_of(patterns: list[str], node: str) -> list[str]:
    """The namespaces in which this node runs: those that files name for it or its like."""
    like = TEAM_LIKE if node in TEAM_LIKE else NODES.keys() - TEAM_LIKE
    named = {prefix: None for prefix, _, last in (p.rpartition('/') for p in patterns)
             if last in like and prefix and '*' not in prefix}
    return list(named) or ['charger']


def _shared_removed(params: object, values: dict[str, object]) -> dict[str, object]:
    """Without what is said to all nodes and this one does not have (state_dir)."""
    known = {p.name for p in params}  # type: ignore[attr-defined]
    return {k: v for k, v in values.items() if k in known or k != 'state_dir'}


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
    for line in disagreements(list(files)):
        click.echo(f'warning: {line}', err=True)
    click.echo(f'{", ".join(str(f) for f in files)}: good')
