"""``charger reset-fault``: clears a latched fault through the graph."""

from __future__ import annotations

import sys

import click

from charger_control.cli.graph import ask
from charger_control.ros.interfaces import RESET_FAULT


@click.command('reset-fault')
@click.option('--namespace', default='charger', show_default=True, help='ROS namespace.')
@click.option('--timeout', default=10.0, show_default=True, help='s to wait for the charger.')
def reset_fault(namespace: str, timeout: float) -> None:
    """Clear a latched fault (a welded contactor), after a person has looked at the hardware.

    Exit code 0: cleared; 1: it was not, and a line says why.
    """
    answer = ask(namespace, RESET_FAULT, RESET_FAULT.type.Request(), timeout)
    if answer is None:
        click.echo(f'no charger answers in namespace /{namespace.strip("/")} within {timeout:g} s. '
                   'Is it running, in this ROS_DOMAIN_ID? See: charger status', err=True)
        sys.exit(1)
    click.echo(f'{answer.code}: {answer.message}', err=not answer.success)
    sys.exit(0 if answer.success else 1)
