"""``charger``: the command. Each subcommand is a file of its own, imported when it is used."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    'up': 'start one charger, or a depot: control graph, bridge and, with --sim, simulated devices',
    'sim': 'simulated devices alone: meter and board on a serial line, with a vehicle',
    'simulate': 'the controller against a simulated vehicle, offline and fast, with a plot',
    'status': 'what the charger does now, as a live table',
    'probe': 'find what hangs on a serial port, and print its configuration',
    'meter': 'read a meter by hand',
    'pilot': 'look at a control-pilot board, or let it offer, by hand',
    'config': 'check configuration files',
    'reset-fault': 'clear a latched fault, after a look at the hardware',
    'withdraw': 'write "no offer" to the board of a charger that was killed',
    'credentials': 'make a line of the credentials file, for a client of the bridge',
    'session': 'charging sessions on record',
    'profiles': 'OCPP charging profiles: what they allow in the coming 24 h; list, set, clear',
    'team': 'load sharing: what-if for a team',
    'depot': 'a depot: live table, picture of a night, simulated nights',
    'guard': 'run one process of the graph and keep the pilot safe when it dies',
}
"""Subcommand and its one-line help."""
MODULES = {
    'up': 'up.up', 'guard': 'up.guard',
    'status': 'charger.status', 'session': 'charger.session',
    'profiles': 'charger.profiles',
    'depot': 'depot.group', 'team': 'depot.whatif',
    'probe': 'hardware.probe', 'meter': 'hardware.meter', 'pilot': 'hardware.pilot',
    'reset-fault': 'hardware.reset_fault', 'withdraw': 'hardware.withdraw',
    'sim': 'simulation.sim', 'simulate': 'simulation.simulate',
    'config': 'config', 'credentials': 'credentials',
}
"""Where it is, below cli/; the function has the name of the command, '-' as '_'."""


class LazyGroup(click.Group):
    """Imports a subcommand only when it is asked for: ``charger --help`` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f'charger_control.cli.{MODULES[cmd_name]}')
        command: click.Command = getattr(module, cmd_name.replace('-', '_'))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, without importing anything."""
        with formatter.section('Commands'):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={'help_option_names': ['-h', '--help'],
                                              'max_content_width': 100})
@click.version_option('0.1.0', prog_name='charger')
def main() -> None:
    """The open charging controller for ROS 2.

    Exit codes: 0 done, 1 it did not work, 2 a wrong option or configuration.
    """


if __name__ == '__main__':
    main(prog_name='charger')
