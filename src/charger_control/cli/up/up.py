"""``charger up``: the supervisor. Starts control graph, bridge and simulated devices; keeps them.

It has no ROS context of its own: nothing that the graph does can stop it from withdrawing.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import click

from charger_control.bringup.discovery import RANGES, set_range
from charger_control.bringup.places import runtime_dir, share
from charger_control.bringup.processes import (
    BLOCKS,
    PILOT,
    WITH_STATE,
    overrides_file,
    ros_arguments,
    simulated,
    state_dirs,
    with_grid_meter,
)
from charger_control.bringup.supervisor import EXIT_CONFIG, Guard, Spec
from charger_control.bringup.withdrawal import BEAT_TIMEOUT, withdrawal
from charger_control.ros.machine.claims import Claims
from charger_control.ros.machine.shared_memory import remove_orphans
from charger_control.ros.parameters import ParameterError
from charger_control.ros.params_file import values_of

FAST_BEAT_TIMEOUT = 5.0
"""s; in simulated time a late process holds nothing but its own clock."""
FAST = 'fast'
"""Folder of what a charger in simulated time keeps, made anew at each start."""
DEFAULT_PORT = 8080


@click.command()
@click.option('--config', 'configs', multiple=True, metavar='FILE',
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help='Parameter file; may be repeated, later ones win. Default: config/charger.yaml '
                   'of the package.')
@click.option('--sim', is_flag=True, help='Run against simulated devices on a serial line '
              '(adds config/sim.yaml).')
@click.option('--scenario', metavar='FILE', type=click.Path(exists=True, dir_okay=False,
                                                            path_type=Path),
              help='What happens to the simulated charger (with --sim).')
@click.option('--vehicle', metavar='NAME', help='Simulated vehicle (with --sim).')
@click.option('--speed', type=click.FloatRange(0.1, 50.0), metavar='N',
              help='Simulated time, N times as fast as real time (with --sim).')
@click.option('--namespace', default='charger', show_default=True, help='ROS namespace.')
@click.option('--port', type=click.IntRange(0, 65535),
              help='Port of the web bridge; 0: any that is free. Default: bridge.port.')
@click.option('--state-dir', type=click.Path(file_okay=False, path_type=Path),
              help='Where limits and sessions are kept. Default: '
                   '~/.local/state/charger_control/<namespace>.')
@click.option('--log-level', default='info', show_default=True,
              type=click.Choice(['debug', 'info', 'warn', 'error']))
@click.option('--discovery-range', metavar='RANGE', help='How far others find this charger and may '
              f'command it: {", ".join(RANGES)}. Default: $ROS_AUTOMATIC_DISCOVERY_RANGE, else '
              'LOCALHOST.')
@click.option('--no-bridge', is_flag=True, help='Control graph only.')
@click.option('--depot', metavar='[FILE]', is_flag=False, flag_value='', default=None,
              help='Several chargers on one supply, as this parameter file says; without FILE '
              'config/depot.yaml of the package.')
@click.option('--chargers', type=click.IntRange(1, 64), help='So many simulated chargers, cp01 '
              'and on (with --depot and --sim). Default: those of the file.')
@click.option('--record', metavar='DIR', type=click.Path(file_okay=False, path_type=Path),
              help='Keep the log of the supply and a picture of it there (with --depot and --sim).')
def up(configs: tuple[Path, ...], sim: bool, scenario: Path | None, vehicle: str | None,
       speed: float | None, namespace: str, port: int | None, state_dir: Path | None,
       log_level: str, discovery_range: str | None, no_bridge: bool, **of_depot: object) -> None:
    """Start one charger, or with --depot a team of them, and keep it running.

    Ctrl-C or SIGTERM withdraws the offer, waits for the vehicle to stop, then ends. With --speed
    the charger begins anew at each start: what it keeps would be of a time of its own.
    """
    _depot(click.get_current_context(), of_depot)
    if (scenario or vehicle or speed) and not sim:
        raise click.UsageError('--scenario, --vehicle and --speed are for simulated devices: add '
                               '--sim')
    claims = Claims(say)
    try:
        say(set_range(discovery_range or ''))
        claims.graph(namespace)
        files = list(configs) or [share() / 'config' / 'charger.yaml']
        line = runtime_dir(namespace) / 'line' if sim else None
        overrides: dict[str, dict[str, object]] = {node: {} for node in (*WITH_STATE, 'bridge')}
        if line is not None:
            files.append(share() / 'config' / 'sim.yaml')
            for node, values in simulated(files[-1], line).items():
                overrides.setdefault(node, {}).update(values)
        if port is not None:
            overrides['bridge']['port'] = port
        if speed is not None:
            fast = runtime_dir(namespace) / FAST
            shutil.rmtree(fast, ignore_errors=True)
            fast.mkdir()
            state_dir = state_dir or fast
        if state_dir is not None:
            for node in WITH_STATE:
                overrides[node]['state_dir'] = str(state_dir)
        files.append(overrides_file(runtime_dir(namespace) / 'overrides.yaml', namespace,
                                    overrides))
        arguments = ros_arguments(files, namespace, log_level, use_sim_time=speed is not None)
        remove_orphans()
        claims.store(namespace, state_dirs(files, namespace))
        _names_a_board(files[:-1], namespace)
        blocks = with_grid_meter(BLOCKS, files, namespace)
        api = '' if no_bridge else _api_of(files, namespace)
        if line is not None and speed is not None:  # the board dies with the process
            specs = [Spec('control', [*_fast_command(speed, line, scenario, vehicle, api),
                                      *blocks, *arguments], beat_timeout=FAST_BEAT_TIMEOUT)]
        else:
            specs = [Spec('control', [sys.executable, '-m', 'charger_control.bringup.container',
                                      *blocks, *arguments],
                          beat_timeout=BEAT_TIMEOUT, withdraw=withdrawal(files, namespace))]
    except ParameterError as error:
        say(str(error))
        sys.exit(EXIT_CONFIG)
    if not no_bridge:
        specs.append(Spec('bridge', [sys.executable, '-m', 'charger_control.bridges.web.node',
                                     *arguments], stop_time=5.0, helps=True))
    if line is not None and speed is None:
        specs.append(Spec('sim', _sim_command(line, scenario, vehicle, api), stop_time=3.0,
                          lingers=True, helps=True))
    code = Guard(specs).run()
    claims.close()
    sys.exit(_explained(code, files[:-1]))


def _explained(code: int, files: Sequence[Path]) -> int:
    """The exit code; a node knows what is wrong with a value, not where it stands."""
    if code == EXIT_CONFIG:
        say(f'in which file and line, says: charger config check {" ".join(map(str, files))}')
    return code


def say(text: str) -> None:
    """A line for people."""
    click.echo(f'charger up: {text}', err=True)


def _depot(context: click.Context, options: Mapping[str, object]) -> None:
    """Starts a depot and ends with it, where --depot asks for one."""
    if options['depot'] is not None:
        import_module('charger_control.cli.up.depot').up_depot(context, options['depot'])
    if any(value is not None for value in options.values()):
        raise click.UsageError('--chargers and --record are for a depot: add --depot')


def _names_a_board(files: Sequence[Path], namespace: str) -> None:
    if not values_of(files, PILOT, namespace).get('device.driver'):
        raise ParameterError(f'{", ".join(map(str, files))}: no board is named (iso61851, '
                             'device.driver). Name the file of your charger with --config FILE, or '
                             'add --sim for simulated devices')


def _api_of(files: Sequence[Path], namespace: str) -> str:
    """Where the bridge will serve; '' for a port that nobody knows before."""
    port = values_of(files, 'bridge', namespace).get('port', DEFAULT_PORT)
    return f'http://127.0.0.1:{port}' if port else ''


def _fast_command(speed: float, line: Path, scenario: Path | None, vehicle: str | None, api: str
                  ) -> list[str]:
    """Graph and simulated devices in one process, in simulated time."""
    return [sys.executable, '-m', 'charger_control.bringup.stepped_graph', '--speed', str(speed),
            *_devices(line, line.parent / FAST / 'board.jsonl', scenario, vehicle, api)]


def _sim_command(line: Path, scenario: Path | None, vehicle: str | None, api: str) -> list[str]:
    return [sys.executable, '-m', 'charger_control.cli.main', 'sim', '--link', str(line),
            '--eeprom', str(line.parent / 'sim.eeprom'),
            *_devices(line, line.parent / 'sim.jsonl', scenario, vehicle, api)]


def _devices(line: Path, log: Path, scenario: Path | None, vehicle: str | None, api: str
             ) -> list[str]:
    """Options of the simulated devices, however they are run."""
    command = ['--control', str(line.parent / 'sim.sock'), '--log', str(log)]
    if api:
        command += ['--api', api]
    if scenario is not None:
        command += ['--scenario', str(scenario)]
    if vehicle is not None:
        command += ['--vehicle', vehicle]
    return command
