"""``charger withdraw``: writes "no offer" to boards whose charger is dead.

What a service manager runs after everything of a charger has ended (config/charger.service).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from charger_control.bringup.processes import PILOT
from charger_control.bringup.supervisor import EXIT_CONFIG
from charger_control.drivers.registry import withdraw as write_no_offer
from charger_control.ros.machine.claims import Claims
from charger_control.ros.parameters import ParameterError
from charger_control.ros.params_file import values_of

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
WITHIN = 5.0
"""s in which a board is tried again and again."""


def device_of(files: Sequence[Path], namespace: str) -> dict[str, object]:
    """The board of a charger, as for drivers/registry.py; ParameterError if none is named."""
    values = values_of(files, PILOT, namespace)
    device = {name.removeprefix('device.'): value for name, value in values.items()
              if name.startswith('device.')}
    if not device:
        raise ParameterError(f'{", ".join(map(str, files))}: /{namespace}/{PILOT} names no device. '
                             'Name the file of the charger')
    return device


def members_of(file: Path, namespace: str) -> list[str]:
    """The chargers of a depot that name a board; ParameterError if there is none."""
    members = [str(name) for name in values_of([file], 'team', namespace).get('members') or ()
               if any(key.startswith('device.') for key in values_of([file], PILOT, str(name)))]
    if not members:
        raise ParameterError(f'{file}: /{namespace}/team has no members that name a board '
                             f'({PILOT}.device). Name the file of the depot and its --namespace')
    return members


@click.command()
@click.option('--config', 'configs', multiple=True, type=_FILE, metavar='FILE',
              help='Parameter file that names the board; may be repeated, later ones win.')
@click.option('--depot', type=_FILE, metavar='FILE', help='Instead: parameter file of a depot, all '
              'of whose boards are meant.')
@click.option('--namespace', help='ROS namespace. Default: charger; with --depot: depot.')
def withdraw(configs: tuple[Path, ...], depot: Path | None, namespace: str | None) -> None:
    """Write "no offer" to the board of a charger that does not run any more.

    A charger withdraws by itself when it ends, or when its control process dies; this is for what
    was killed as a whole. Exit codes: 0 the board offers nothing, 1 it could not be written, or the
    charger runs, 2 a wrong option or configuration.
    """
    if bool(configs) == (depot is not None):
        raise click.UsageError('name the parameter file: --config FILE, or --depot FILE')
    name = (namespace or ('depot' if depot else 'charger')).strip('/')
    try:
        boards = ({member: device_of([depot], member) for member in members_of(depot, name)}
                  if depot else {name: device_of(configs, name)})
    except ParameterError as error:
        click.echo(f'charger withdraw: {error}', err=True)
        sys.exit(EXIT_CONFIG)
    wrong = {member: _withdraw(member, device) for member, device in boards.items()}
    for member, why in wrong.items():
        click.echo(f'/{member}: ' + (f'"no offer" could NOT be written: {why}' if why
                                     else '"no offer" written'), err=bool(why))
    sys.exit(1 if any(wrong.values()) else 0)


def _withdraw(namespace: str, device: dict[str, object]) -> str:
    """'' once the board offers nothing, else why not."""
    claims = Claims(lambda text: click.echo(text, err=True))
    try:
        claims.graph(namespace)
        return write_no_offer(device, WITHIN)
    except (ParameterError, ValueError) as error:
        return str(error)
    finally:
        claims.close()
