"""``charger depot simulate``: a whole night of a depot offline, much faster than real time."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from charger_control.bringup.depot import SIM_AMPERAGE
from charger_control.bringup.depot_simulated import SIM_OTHER_LOADS
from charger_control.cli.depot.picture import draw, picture_file
from charger_control.cli.depot.plot import summary
from charger_control.sim.charge_point.scenario import ScenarioError
from charger_control.sim.depot.grid_log import GridLog, read_night
from charger_control.sim.depot.scenario import MOST_CHARGERS, read_depot_scenario
from charger_control.sim.offline.depot_night import DepotNight, NightParameters
from charger_control.sim.plant.ev_parameters import Phases

_AFTERWARDS = 300.0
"""s beyond the last step."""
_PATH = click.Path(dir_okay=False, path_type=Path)
_FUSES = (1, 3)


def _fuse(context: click.Context, parameter: click.Parameter, text: str | None) -> Phases | None:
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(',')]
    except ValueError:
        values = []
    if len(values) not in _FUSES or not all(0.0 < value <= 10_000.0 for value in values):
        raise click.BadParameter(f'{text!r} (allowed: one number of A, or three like 63,63,50)')
    one, two, three = values * (3 // len(values))
    return one, two, three


@click.command()
@click.argument('scenario', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option('--chargers', type=click.IntRange(1, MOST_CHARGERS), default=20, show_default=True,
              help='So many, cp01 and on.')
@click.option('--fuse', callback=_fuse, metavar='A[,A,A]', help='A per phase of the supply, for '
              f'vehicles and other loads. Default: {SIM_AMPERAGE:g} per charger.')
@click.option('--duration', type=click.FloatRange(0.001, 168.0), help='h; default: 5 min beyond '
              'the last step.')
@click.option('--step', type=click.FloatRange(0.2, 2.0), default=2.0, show_default=True,
              help='s, one cycle of the team.')
@click.option('-o', '--output', type=_PATH, callback=picture_file, help='Picture, .png or .svg.')
@click.option('--csv', 'log', type=_PATH, help='Log of the supply, as `charger up` keeps it.')
@click.option('--quiet', is_flag=True, help='Only the summary.')
def simulate(scenario: Path, chargers: int, fuse: Phases | None, duration: float | None,
             step: float, output: Path | None, log: Path | None, quiet: bool) -> None:
    """Simulate a night of a depot offline: what SCENARIO says, at many times real time.

    The team's leaders, leases and allocation are those of the live graph, the vehicles those of
    `charger sim`; the regulation within seconds is left out. Prints what each charger delivered.
    """
    members = tuple(f'cp{number:02}' for number in range(1, chargers + 1))
    try:
        story = read_depot_scenario(scenario).for_members(members, str(scenario))
    except ScenarioError as error:
        raise click.UsageError(str(error)) from None
    amperage = SIM_AMPERAGE * chargers
    fuse = fuse or (amperage, amperage, amperage)
    wiring = tuple(tuple((n + phase) % 3 + 1 for phase in range(3)) for n in range(chargers))
    night = DepotNight(NightParameters(members, wiring, fuse, story, SIM_OTHER_LOADS * min(fuse),
                                       step), lambda text: click.echo(text, err=True))
    seconds = duration * 3600.0 if duration else story.end + _AFTERWARDS
    with TemporaryDirectory() as folder:
        place = log or (Path(folder) / 'night.csv' if output else None)
        started = time.monotonic()
        _play(night, seconds, place, fuse, quiet)
        took = time.monotonic() - started
        if not quiet:
            Console().print(_table(night))
        click.echo(f'{night.now / 3600.0:.1f} h in {took:.1f} s')
        if place is None:
            return
        told = read_night(place)
    click.echo(summary(told))
    if output is not None:
        draw(output, told, scenario.name)


def _play(night: DepotNight, seconds: float, place: Path | None, fuse: Phases, quiet: bool) -> None:
    log = GridLog(place, fuse, list(night.chargers)) if place else None
    with Progress(transient=True, disable=quiet) as progress:
        task = progress.add_task('night', total=seconds)
        while night.now < seconds and not night.ended:
            row = night.step()
            if log is not None:
                log.write(row)
            progress.update(task, completed=night.now)
    if log is not None:
        log.close()


def _table(night: DepotNight) -> Table:
    table = Table('charger', 'kWh', 'state of charge')
    for name, charger in night.chargers.items():
        vehicle = charger.last_vehicle
        table.add_row(name, '-' if vehicle is None else f'{vehicle.energy:.2f}',
                      '-' if vehicle is None else f'{100 * vehicle.soc:.0f} %')
    return table
