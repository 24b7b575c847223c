"""``charger depot plot``: the picture of a night."""

from __future__ import annotations

from pathlib import Path

import click

from charger_control.cli.depot.picture import draw, picture_file
from charger_control.sim.depot.grid_log import LogError, Night, read_night


@click.command()
@click.argument('log', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option('-o', '--output', type=click.Path(dir_okay=False, path_type=Path),
              default=Path('night.png'), show_default=True, callback=picture_file,
              help='.png or .svg')
def plot(log: Path, output: Path) -> None:
    """Draw LOG, the record of the supply that `charger up --depot --sim` keeps.

    Above: per phase, what flows against the fuse; below: what each charger draws.
    """
    try:
        night = read_night(log)
        draw(output, night, log.name)
    except (LogError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f'{output}: {summary(night)}')


def summary(night: Night) -> str:
    """A night in one line."""
    most, duration = night.above_fuse()
    hours = night.time[-1] / 3600.0
    long = f'{hours:.1f} h' if hours >= 1.0 else f'{60.0 * hours:.1f} min'
    above = (f'above the fuse for {duration:.1f} s, at most {most:.1f} A' if duration > 0.0
             else 'never above the fuse')
    return f'{len(night.chargers)} chargers, {long}, {above}'
