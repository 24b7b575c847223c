"""The simulated hardware of a depot as a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import click

from charger_control.bringup.depot_simulated import MOST_CHARGERS, NAME, SIM, DepotPlan, Said
from charger_control.cli.depot.kill import kill_of
from charger_control.cli.simulation.sim import LINGER
from charger_control.ros.machine import ancestors
from charger_control.ros.parameters import ParameterError
from charger_control.sim.charge_point.scenario import ScenarioError
from charger_control.sim.depot.depot import Depot, DepotOptions
from charger_control.sim.depot.scenario import (
    CHARGER_ACTIONS,
    DEPOT_ACTIONS,
    DepotScenario,
    read_depot_scenario,
)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PATH = click.Path(dir_okay=False, path_type=Path)


def _list(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    for title, actions in (('Of the depot', DEPOT_ACTIONS), ('With charger', CHARGER_ACTIONS)):
        click.echo(f'{title}:')
        for name, action in actions.items():
            takes = ', '.join(action.takes)
            click.echo(f'  {name}{f" ({takes})" if takes else ""}: {action.says}')
    click.echo('  and what `charger sim --list` shows, but put_limits')
    context.exit()


@click.command()
@click.option('--config', 'file', type=_FILE, required=True, metavar='FILE',
              help='Parameter file of the depot.')
@click.option('--namespace', default='depot', show_default=True, help='Of team and vcse.')
@click.option('--chargers', type=click.IntRange(1, MOST_CHARGERS), help='So many, cp01 and on. '
              'Default: those of the file.')
@click.option('--scenario', type=_FILE, help='YAML file; default: nothing happens.')
@click.option('--log', type=_PATH, help='CSV file of the point of supply, replaced.')
@click.option('--control', type=_PATH, help='Unix socket for `charger sim --send`.')
@click.option('--seed', type=int, default=0, show_default=True, help='Of all noise.')
@click.option('--list', is_flag=True, is_eager=True, expose_value=False, callback=_list,
              help='Show the actions of scenarios.')
def sim(file: Path, namespace: str, chargers: int | None, scenario: Path | None, log: Path | None,
        control: Path | None, seed: int) -> None:
    """Run the simulated hardware of a depot alone: boards, meters, vehicles, grid meter.

    `charger up --depot --sim` starts it. Ends on SIGTERM or Ctrl-C.
    """
    try:
        plan = DepotPlan(Said(file, namespace, simulated=True, chargers=chargers or 0))
        story = read_depot_scenario(scenario) if scenario else DepotScenario()
        run_depot(plan, story, log, control, seed, lambda text: click.echo(f'sim: {text}'))
    except (ParameterError, ScenarioError) as error:
        raise click.UsageError(str(error)) from None
    except (OSError, RuntimeError) as error:
        raise click.ClickException(f'{error}: {error.__cause__ or ""}'.rstrip(': ')) from error


def run_depot(plan: DepotPlan, scenario: DepotScenario, log: Path | None, control: Path | None,
              seed: int, say: Callable[[str], None]) -> None:
    """Runs until SIGTERM, SIGINT or the scenario's end.

    Raises:
        OSError: a link, a log or a socket cannot be made.
        ScenarioError: the scenario is for another depot.
    """
    story = scenario.for_members(plan.members)
    supervisor = os.getppid()
    supervised = os.environ.get(NAME) == SIM

    def end_all() -> None:
        os.kill(supervisor, signal.SIGTERM)

    ancestors.watch(linger=LINGER)
    depot = Depot(DepotOptions(
        plan.chargers(), plan.grid_link, plan.fuse, story, log, control,
        lambda name: say(f'killed {name}, pid {kill_of(supervisor, name)}'),
        end_all if supervised else None, seed), say)

    def end(number: int, frame: FrameType | None) -> None:
        depot.stop(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    left_out = len(scenario.steps) - len(story.steps)
    if left_out:
        say(f'scenario: {left_out} steps are for chargers beyond the {len(plan.members)} that '
            'there are')
    say(f'ready: {len(plan.members)} simulated chargers and the grid meter'
        + (f', control {control}' if control else '') + (f', log {log}' if log else ''))
    depot.run()
