"""``charger up --depot``: a team, its supply and its chargers on this machine, kept running."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click
from click.core import ParameterSource

from charger_control.bringup.depot_simulated import NAME, SIM, DepotPlan, Said
from charger_control.bringup.discovery import set_range
from charger_control.bringup.places import executables, runtime_dir, share
from charger_control.bringup.supervisor import EXIT_CONFIG, Guard, Spec
from charger_control.cli.up.up import say
from charger_control.ros.machine.claims import Claims
from charger_control.ros.machine.shared_memory import remove_orphans
from charger_control.ros.parameters import ParameterError
from charger_control.sim.charge_point.scenario import ScenarioError
from charger_control.sim.depot.grid_log import LogError, Night, read_night
from charger_control.sim.depot.scenario import read_depot_scenario

LOG, PICTURE, CONTROL = 'grid.csv', 'night.png', 'sim.sock'
NAMESPACE = 'depot'
"""Of team and vcse unless told otherwise."""


def packaged_depot() -> Path:
    """The example of the package."""
    return share() / 'config' / 'depot.yaml'


def packaged_night() -> Path:
    """The scenario of the package."""
    return share() / 'config' / 'scenarios' / 'depot_night.yaml'


def up_depot(context: click.Context, depot: str) -> NoReturn:
    """What `charger up` does with --depot; ends the process.

    Args:
        context: of `charger up`, with all its options.
        depot: file; '': the packaged one.
    """
    said = context.params
    given = context.get_parameter_source('namespace') is not ParameterSource.DEFAULT
    options = Said(
        file=_file(depot, said['sim']), namespace=said['namespace'] if given else NAMESPACE,
        simulated=said['sim'], chargers=said['chargers'] or 0, log_level=said['log_level'],
        state_dir=said['state_dir'], port=said['port'], bridge=not said['no_bridge'])
    if said['vehicle'] or said['configs'] or said.get('speed'):
        raise click.UsageError('--vehicle, --config and --speed are for one charger: with --depot '
                               'the vehicles are in the scenario, the parameters in the file')
    if not options.simulated and (said['chargers'] or said['record'] or said['scenario']):
        raise click.UsageError('--chargers, --record and --scenario are for simulated devices: '
                               'add --sim')
    sys.exit(_run(options, said['scenario'] or packaged_night(), said['record'],
                  said['discovery_range'] or ''))


def _file(depot: str, sim: bool) -> Path:
    if not depot:
        if not sim:
            raise click.UsageError('--depot without a file is an example that names no devices: '
                                   'add --sim, or the file of your depot')
        return packaged_depot()
    path = Path(depot)
    if not path.is_file():
        raise click.UsageError(f'--depot {depot}: there is no such file')
    return path


def _run(options: Said, scenario: Path, record: Path | None, discovery_range: str) -> int:
    """Starts all, keeps it running until a signal; the exit code."""
    claims = Claims(say)
    try:
        say(set_range(discovery_range))
        claims.graph(options.namespace)     # before its files are written anew
        plan = DepotPlan(options)
        if options.simulated:
            read_depot_scenario(scenario).for_members(plan.members, str(scenario))
        for namespace in plan.members:
            claims.graph(namespace)
        for namespace, folders in plan.state_dirs().items():
            claims.store(namespace, folders)
        remove_orphans()
        specs = plan.specs()
    except (ParameterError, ScenarioError) as error:
        say(str(error))
        return EXIT_CONFIG
    log: Path | None = None
    if options.simulated:
        folder = record or runtime_dir(plan.namespace)
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / LOG
        specs.append(_sim(options, plan, scenario, log))
    _greet(options, plan, log)
    code = Guard(specs).run()
    claims.close()
    if record is not None and log is not None:
        _draw(log, record / PICTURE)
    return code


def _sim(options: Said, plan: DepotPlan, scenario: Path, log: Path) -> Spec:
    folder = runtime_dir(plan.namespace)
    command = [str(executables() / 'charger'), 'depot', 'sim', '--config', str(options.file),
               '--namespace', plan.namespace, '--scenario', str(scenario), '--log', str(log),
               '--control', str(folder / CONTROL)]
    if options.chargers:
        command += ['--chargers', str(options.chargers)]
    return Spec(SIM, command, {NAME: SIM}, stop_time=8.0, lingers=True,
                helps=True)


def _greet(options: Said, plan: DepotPlan, log: Path | None) -> None:
    fuse = f', fuse {" ".join(f"{a:g}" for a in plan.fuse)} A' if any(plan.fuse) else ''
    click.echo(f'depot /{plan.namespace}: {len(plan.members)} chargers '
               f'({plan.members[0]} to {plan.members[-1]}){fuse}\n'
               f'what it does:    charger depot status --namespace {plan.namespace}', err=True)
    if log is not None:
        control = runtime_dir(plan.namespace) / CONTROL
        click.echo(f'log of the grid: {log}   (charger depot plot {log} -o night.png)\n'
                   f'have things done: charger sim --control {control} '
                   "--send '{do: unplug, charger: 1}'", err=True)
    if options.bridge:
        click.echo('the web side says its address as soon as it serves; it takes half a minute '
                   'until somebody leads and the first vehicle draws', err=True)


def _draw(log: Path, picture: Path) -> None:
    try:
        night = read_night(log)
        draw: Callable[[Path, Night, str], None] = import_module(
            'charger_control.cli.depot.picture').draw   # it takes a second to import
        draw(picture, night, 'charger up --depot')
    except (LogError, OSError) as error:
        click.echo(f'charger up: no picture: {error}', err=True)
        return
    click.echo(f'recorded: {log}, {picture}', err=True)
