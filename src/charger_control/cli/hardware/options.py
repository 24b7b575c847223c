"""What `meter` and `pilot` share: a device named on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from charger_control.yaml_input import YamlError, load


def device_options(drivers: Mapping[str, Any]) -> Callable[[Callable[..., None]], Any]:
    """Adds --port, --driver, the line's settings and --set."""
    options = (
        click.option('--port', help='Serial port, best one under /dev/serial/by-id; with --host '
                     'the TCP port.'),
        click.option('--host', help='Name or address, where the device speaks Modbus TCP.'),
        click.option('--driver', required=True, type=click.Choice(sorted(drivers)),
                     help='What hangs there; see docs/hardware.md.'),
        click.option('--baudrate', type=int, help='bit/s; default: as delivered.'),
        click.option('--parity', type=click.Choice(['N', 'E', 'O']), help='Default: as delivered.'),
        click.option('--stopbits', type=click.IntRange(1, 2), help='Default: as delivered.'),
        click.option('--unit', type=int, help='Modbus address; default: as delivered.'),
        click.option('--set', 'others', multiple=True, metavar='NAME=VALUE',
                     help='Another option of the driver, as in the configuration.'))

    def decorate(function: Callable[..., None]) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def device_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """The device's configuration, as in config/*.yaml. Raises click.UsageError."""
    names = ('driver', 'host', 'port', 'baudrate', 'parity', 'stopbits', 'unit')
    config = {name: values[name] for name in names if values.get(name) is not None}
    if 'host' in config and str(config.get('port', '')).isdigit():
        config['port'] = int(config['port'])
    for other in values['others']:
        name, given, value = other.partition('=')
        if not given:
            raise click.UsageError(f'--set {other}: write NAME=VALUE')
        try:
            config[name] = load(value, name)
        except YamlError as error:
            raise click.UsageError(f'--set {other}: {error.problem}') from None
    return config
