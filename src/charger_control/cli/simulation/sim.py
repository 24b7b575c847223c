"""`charger sim`: the simulated charger (vehicle, board, meter) behind a pty, as a process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from charger_control.cli.simulation.head import HEADS, run_head
from charger_control.ros.machine import ancestors
from charger_control.sim.charge_point.actions import ACTIONS
from charger_control.sim.charge_point.charge_point import (
    BOARDS,
    METER_UNIT,
    METERS,
    ChargePointParameters,
)
from charger_control.sim.charge_point.control import ControlClient
from charger_control.sim.charge_point.process import run_process
from charger_control.sim.charge_point.scenario import ScenarioError, scenario_of
from charger_control.sim.charge_point.simulator import SimulatorOptions
from charger_control.sim.meters.sdm630 import MeterParameters
from charger_control.sim.plant.ev_parameters import PRESETS
from charger_control.yaml_input import load

_PATH = click.Path(path_type=Path, dir_okay=False)
LINGER = 10.0
"""s that simulated hardware outlives who started it: the graph takes 8 s to withdraw."""


def _list(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    click.echo('Vehicles:\n  ' + '\n  '.join(PRESETS))
    click.echo('\nActions of scenarios and of --send:')
    for name, action in ACTIONS.items():
        takes = ', '.join(action.takes)
        click.echo(f'  {name}{f" ({takes})" if takes else ""}: {action.says}')
    context.exit()


@click.command()
@click.option('--link', type=_PATH, help='Symlink under which the serial line appears.')
@click.option('--scenario', type=_PATH, help='YAML file; default: a vehicle plugs in after 2 s.')
@click.option('--vehicle', metavar='PRESET', help="Vehicle in place of the scenario's; see --list.")
@click.option('--log', type=_PATH, help='Log of the board, JSON lines; appended to.')
@click.option('--control', type=_PATH, help='Unix socket for --send and tests.')
@click.option('--eeprom', type=_PATH, help="File that keeps the board's memory over restarts.")
@click.option('--seed', type=int, default=0, show_default=True, help='Of noise and random faults.')
@click.option('--baudrate', type=click.IntRange(0, 4_000_000), default=9600, show_default=True,
              help='Speed of the line; 0: as fast as it goes, any speed accepted.')
@click.option('--answer-delay', type=click.FloatRange(0.0, 10.0), default=0.02, show_default=True,
              help='s that a device takes to begin its answer.')
@click.option('--board', type=click.Choice(BOARDS), default='evse_din', show_default=True,
              help='The board, by the name of its driver. An OpenEVSE has the line for itself.')
@click.option('--tcp', type=click.IntRange(0, 65535), metavar='PORT',
              help='Port on this machine instead of --link, for --board phoenix_em_eth.')
@click.option('--meter', 'meter_model', type=click.Choice(METERS), default='sdm630',
              show_default=True, help='The meter, by the name of its driver.')
@click.option('--meter-unit', type=click.IntRange(1, 247), default=METER_UNIT, show_default=True,
              help='Modbus unit of the meter; the board is 1 as delivered.')
@click.option('--refresh', type=click.FloatRange(0.01, 3600.0), default=0.2, show_default=True,
              help='s between new values in the meter.')
@click.option('--head', type=click.Choice(HEADS), help='Instead of a charger: a meter behind an '
              'optical head; SML and d0_push send every second, d0 is asked.')
@click.option('--api', default='', metavar='URL', help="The charger's web server, for put_limits.")
@click.option('--send', metavar='STEP', help='Only send a step to a running one: its name, or '
              '{do: silence, device: meter, for: 5}; `query` prints what is true.')
@click.option('--list', is_flag=True, is_eager=True, expose_value=False, callback=_list,
              help='Show the vehicles and the actions.')
def sim(link: Path | None, scenario: Path | None, vehicle: str | None, log: Path | None,
        control: Path | None, eeprom: Path | None, seed: int, baudrate: int, answer_delay: float,
        board: str, tcp: int | None, meter_model: str, meter_unit: int, refresh: float,
        head: str | None, api: str, send: str | None) -> None:
    """Run a simulated charger: a meter and a pilot board on one serial line.

    Prints one line when a driver may open the link; ends on SIGTERM or Ctrl-C.
    Exit codes: 0 ended, 1 failed or refused, 2 wrong usage or scenario.
    """
    if send is not None:
        _send(control, send)
        return
    if head is not None and link is not None:
        run_head(link, head, 1.0, click.echo)
        return
    in_network = board == 'phoenix_em_eth'
    if in_network and tcp is None:
        raise click.UsageError('--board phoenix_em_eth needs --tcp: the port that it listens on')
    if link is None and not in_network:
        raise click.UsageError('Missing option --link: the path where the serial line shall appear')
    try:
        what_happens = scenario_of(scenario, vehicle)
    except ScenarioError as error:
        raise click.UsageError(str(error)) from error
    options = SimulatorOptions(
        link=link, tcp=('127.0.0.1', tcp or 0) if in_network else None, log=log,
        control=control, api=api,
        charge_point=ChargePointParameters(
            scenario=what_happens, seed=seed, baudrate=baudrate,
            answer_delay=answer_delay, meter_unit=meter_unit, meter_model=meter_model,
            board_model=board, eeprom=eeprom,
            meter=MeterParameters(refresh=refresh)))
    ancestors.watch(linger=LINGER)
    try:
        run_process(options, click.echo)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def parsed_step(step: str) -> dict[str, Any]:
    """What --send sends; YamlError."""
    parsed = load(step, '--send')
    return dict(parsed) if isinstance(parsed, dict) else {'do': parsed}


def _send(control: Path | None, step: str) -> None:
    if control is None:
        raise click.UsageError('--send needs --control, the socket of the running simulator')
    try:
        request = parsed_step(step)
        with ControlClient(control) as client:
            answer = client.do(request.pop('do', None), **request)
    except (OSError, ValueError, TypeError) as error:
        raise click.ClickException(f'{control}: {error}') from error
    if 'truth' in answer:
        json.dump(answer['truth'], sys.stdout, indent=2)
        click.echo()
