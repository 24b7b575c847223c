"""``charger simulate``: the controller against a simulated vehicle, offline and fast."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from charger_control.core.cppwm_controller import ControllerConfig
from charger_control.sim.charge_point.scenario import Scenario, ScenarioError, read_scenario
from charger_control.sim.meters.register_device import MeterParameters
from charger_control.sim.offline.experiment import COLUMNS, Experiment, Record, SetPoint
from charger_control.sim.offline.links import LinkParameters
from charger_control.sim.offline.loop import LoopParameters
from charger_control.sim.offline.quality import TOLERANCE
from charger_control.sim.plant.ev_parameters import vehicle_of
from charger_control.sim.plant.plant import CABLE_RATINGS

_PATH = click.Path(path_type=Path, dir_okay=False)
_DEFAULT = ((0.0, 16.0), (90.0, 10.0), (150.0, 24.0), (210.0, 8.0), (270.0, 20.0))
"""s, A: the set-points unless told otherwise."""
_AFTERWARDS = 60.0
"""s beyond the last set-point or step."""
_PLOTS = ('.png', '.svg')


class _Pair(click.ParamType):
    """``NAME=VALUE``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None
                ) -> tuple[str, float]:
        """The two sides; the right one as a number."""
        left, sign, right = str(value).partition('=')
        try:
            number = float(right)
        except ValueError:
            number = math.nan
        if not sign or not left.strip() or math.isnan(number):
            self.fail(f'{value!r} (allowed: {self.name} with a number on the right, like '
                      f'{"60=10" if self.name == "S=A" else "rest=8"})', param, ctx)
        return left.strip(), number


@click.command()
@click.option('--vehicle', metavar='PRESET', help="Vehicle in place of the scenario's; "
              '`charger sim --list` shows them.')
@click.option('--scenario', type=_PATH, help='YAML file as for `charger sim`; default: a vehicle '
              'plugs in after 2 s.')
@click.option('--set', 'set_points', multiple=True, type=_Pair('S=A'), metavar='S=A',
              help='Limit in A that a client sets at so many s; repeatable. Default without a '
              'scenario: 16, 10, 24, 8, 20 A.')
@click.option('--duration', type=click.FloatRange(1.0, 7 * 86_400.0),
              help='s; default: 60 s beyond the last step.')
@click.option('--meter-period', type=click.FloatRange(0.05, 30.0), default=0.2, show_default=True,
              help='s between two values of the meter.')
@click.option('--meter-lag', type=click.FloatRange(0.0, 10.0), default=0.1, show_default=True,
              help='s by which they come late.')
@click.option('--board-step', type=click.FloatRange(0.01, 6.0), default=0.01, show_default=True,
              help='A, the least change that the board can signal; 1 for whole amperes.')
@click.option('--hw', type=click.FloatRange(6.0, 80.0), default=32.0, show_default=True,
              help='A, the HW limit.')
@click.option('--cable', type=click.Choice([f'{a:g}' for a in CABLE_RATINGS[1:]]), default='32',
              show_default=True, help='A, rating of the cable.')
@click.option('--trim', type=click.FloatRange(0.0, 6.0), default=2.0, show_default=True,
              help='A that the regulator may add.')
@click.option('--pi', 'gains', multiple=True, type=_Pair('NAME=VALUE'), metavar='NAME=VALUE',
              help='Parameter of the regulator (docs/tuning.md), like rest=8; repeatable.')
@click.option('--seed', type=int, default=0, show_default=True, help='Of all noise.')
@click.option('--csv', 'csv_file', type=_PATH, help='Write all numbers, each 50 ms.')
@click.option('--plot', type=_PATH, help='Draw what happened: a .png or .svg file.')
def simulate(vehicle: str | None, scenario: Path | None,
             set_points: Sequence[tuple[str, float]], duration: float | None,
             meter_period: float, meter_lag: float, board_step: float, hw: float, cable: str,
             trim: float, gains: Sequence[tuple[str, float]], seed: int, csv_file: Path | None,
             plot: Path | None) -> None:
    """Charge a simulated vehicle offline, hundreds of times faster than in real time.

    Controller, regulator and pilot control are those of the graph; no process, port or ROS is
    involved. Prints how well the vehicle drew what was commanded.
    Exit codes: 0 done, 1 it failed, 2 wrong usage or scenario.
    """
    _check_files(csv_file, plot)
    played = _scenario(scenario, vehicle)
    limits = _limits(set_points, with_default=scenario is None)
    parameters = LoopParameters(
        hw_amperage=hw, cable_amperage=float(cable), board_step=board_step,
        controller=_controller(trim, gains), links=LinkParameters(meter_lag=meter_lag),
        meter=MeterParameters(refresh=meter_period), seed=seed)
    try:
        experiment = Experiment(parameters, played, limits)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    last = max([step.at for step in played.steps] + [at for at, _ in limits], default=0.0)
    record = _run(experiment, last + _AFTERWARDS if duration is None else duration)
    try:
        if csv_file is not None:
            _write_csv(csv_file, record)
        if plot is not None:
            _plot(plot, record, parameters, _title(played, parameters))
    except OSError as error:
        raise click.ClickException(f'{error.filename}: cannot be written ({error.strerror})'
                                   ) from error
    _print(experiment.set_points(), record, meter_period)


def _check_files(csv_file: Path | None, plot: Path | None) -> None:
    """Before the simulation, which may take a while."""
    if plot is not None and plot.suffix not in _PLOTS:
        raise click.UsageError(f'--plot {plot}: allowed is a file that ends in '
                               f'{" or ".join(_PLOTS)}')
    for option, file in (('--csv', csv_file), ('--plot', plot)):
        if file is not None and not file.parent.is_dir():
            raise click.UsageError(f'{option} {file}: there is no directory {file.parent}; '
                                   'make it first')


def _scenario(path: Path | None, vehicle: str | None) -> Scenario:
    try:
        scenario = read_scenario(path) if path else Scenario()
        if vehicle is None:
            return scenario
        vehicle_of(vehicle)
    except (ScenarioError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    return replace(scenario, vehicle=vehicle)


def _limits(set_points: Sequence[tuple[str, float]], *, with_default: bool
            ) -> list[tuple[float, float]]:
    if not set_points:
        return list(_DEFAULT) if with_default else []
    limits = []
    for at, amperage in set_points:
        try:
            moment = float(at)
        except ValueError:
            moment = -1.0
        if not 0.0 <= moment < math.inf or not 0.0 <= amperage <= 80.0:
            raise click.UsageError(f'--set {at}={amperage:g}: allowed is a time of 0 s or more and '
                                   '0 to 80 A, like 60=10')
        limits.append((moment, amperage))
    return sorted(limits)


def _controller(trim: float, gains: Sequence[tuple[str, float]]) -> ControllerConfig:
    config = ControllerConfig(own_trim=trim)
    if not gains:
        return config
    # the ranges stand with the node's parameters; it is imported only when they are needed
    from charger_control.nodes.cppwm_controller.node import PARAMS  # noqa: PLC0415
    known = {param.name.removeprefix('pi.'): param for param in PARAMS
             if param.name.startswith('pi.')}
    for name, value in gains:
        if name not in known:
            raise click.UsageError(f'--pi {name}: no such parameter (known: {", ".join(known)})')
        refusal = known[name].refusal(value)
        if refusal:
            raise click.UsageError(f'--pi {refusal.removeprefix("pi.")}')
    return replace(config, pi=replace(config.pi, **dict(gains)))


def _run(experiment: Experiment, duration: float) -> Record:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task('simulating', total=duration)
        try:
            return experiment.run(duration, lambda seconds: progress.advance(task, seconds))
        except ValueError as error:
            raise click.ClickException(str(error)) from error


def _write_csv(path: Path, record: Record) -> None:
    states = iter([*record.states, (math.inf, '', '', '')])
    state, following = ('', '', ''), next(states)
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, 'state', 'fault', 'reason'])
        for row in zip(*record.numbers.values(), strict=True):
            while row[0] >= following[0] - 1e-9:
                state, following = following[1:], next(states)
            writer.writerow([f'{number:.3f}' for number in row] + list(state))


def _title(scenario: Scenario, parameters: LoopParameters) -> str:
    vehicle = scenario.vehicle if isinstance(scenario.vehicle, str) else 'a vehicle of its own'
    return (f'{vehicle}, meter every {parameters.meter.refresh:g} s, board in steps of '
            f'{parameters.board_step:g} A')


def _plot(path: Path, record: Record, parameters: LoopParameters, title: str) -> None:
    # matplotlib takes a second to import: only when asked for
    from charger_control.cli.simulation.plot import draw  # noqa: PLC0415
    draw(path, record, min(parameters.hw_amperage, parameters.cable_amperage), title)


def _print(set_points: Sequence[SetPoint], record: Record, meter_period: float) -> None:
    for at, state, fault, _ in record.states:
        if fault:
            click.echo(f'{at:.1f} s: {fault} in {state}')
    if not set_points:
        click.echo('No vehicle charged for long enough: nothing to judge. '
                   f'Last: {" ".join(filter(None, record.states[-1][1:]))}')
        return
    table = Table(title='what was drawn against what was commanded (true current, highest phase)',
                  box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ('from\ns', 'set\nA', 'can\nfollow', 'T\ns', 'settled\nafter s', 'allowed\ns',
                 'steady\nerror A', 'over-\nshoot A', 'above\ns', 'signal\nsteps'):
        table.add_column(name, justify='right')
    for point in set_points:
        task, quality = point.task, point.quality
        lasted = point.until - point.at
        settled = quality.settled_after < lasted
        table.add_row(
            f'{point.at:.1f}', f'{task.commanded:.2f}', 'yes' if task.can_follow else 'no',
            f'{task.settling:.1f}', f'{quality.settled_after:.1f}' if settled else 'never',
            f'{task.budget(meter_period):.1f}', f'{quality.steady_error:.2f}',
            f'{max(0.0, quality.overshoot):.2f}', f'{quality.above:.1f}', str(quality.changes),
            style=_style(task.can_follow, quality.steady_error))
    Console().print(table)
    click.echo('T: what the vehicle alone takes. Settled: within 0.2 A for good; allowed are '
               '2 T + 6 s + one meter period.\nSteady error, signal steps: in the last 30 % of the '
               'time. Above: more than 0.5 A above commanded.\nRed: it can follow, '
               'with the trim allowed, and does not. Grey: it cannot.')


def _style(can_follow: bool, steady_error: float) -> str | None:
    if not can_follow:
        return 'dim'
    return 'red' if steady_error > TOLERANCE else None
