"""``charger depot``: what a team of chargers on one supply does, did, and would do."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    'status': 'who draws what, against what there is, and who leads: a live table',
    'plot': 'draw the log of a night: per phase against the fuse, and each charger',
    'simulate': 'a whole night offline and fast, with log and picture',
    'sim': 'the simulated hardware of a depot alone: boards, meters, vehicles, grid meter',
}
"""Subcommand and its one-line help; the module is cli/depot/<name>.py."""


class DepotGroup(click.Group):
    """Imports a subcommand only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f'charger_control.cli.depot.{cmd_name}'),
                                         cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, without importing anything."""
        with formatter.section('Commands'):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=DepotGroup)
def depot() -> None:
    """A depot: chargers that share one supply. `charger up --depot` starts one."""
