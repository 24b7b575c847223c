"""``charger guard``: one process of the graph, with the pilot kept safe when it dies."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from charger_control.bringup.supervisor import EXIT_CONFIG, Guard, Spec
from charger_control.bringup.withdrawal import BEAT_TIMEOUT, withdrawal
from charger_control.ros.parameters import ParameterError


@click.command(context_settings={'ignore_unknown_options': True})
@click.option('--config', 'configs', multiple=True, required=True, metavar='FILE',
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help='Parameter file that names the board; may be repeated, later ones win.')
@click.option('--namespace', default='charger', show_default=True, help='ROS namespace.')
@click.option('--name', default='', envvar='CHARGER_PROCESS',
              help='Of the process, for people. Default: of its program.')
@click.argument('command', nargs=-1, required=True, type=click.UNPROCESSED)
def guard(configs: tuple[Path, ...], namespace: str, name: str, command: tuple[str, ...]) -> None:
    """Run COMMAND, which holds the pilot's board, and withdraw the offer when it dies or hangs.

    What `charger up` does for its control process, for graphs of one process per node. COMMAND is
    started again with a back-off; exit code 2 (a bad parameter) ends the guard.
    """
    try:
        spec = Spec(name or Path(command[0]).name, list(command), beat_timeout=BEAT_TIMEOUT,
                    withdraw=withdrawal(list(configs), namespace))
    except ParameterError as error:
        click.echo(f'charger guard: {error}', err=True)
        sys.exit(EXIT_CONFIG)
    sys.exit(Guard([spec]).run())
