"""``charger probe``: what hangs on a serial port, and the configuration to paste."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click
from click.core import ParameterSource

from charger_control.drivers import registry
from charger_control.drivers.codecs.register_table import load
from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.meters.registers import highest_rate
from charger_control.drivers.probe.probe import LINES, UNITS, Found, Refused
from charger_control.drivers.probe.probe import probe as search

_NODES = {'meter': 'fiscal_meter', 'pilot': 'iso61851'}


def _units(context: click.Context, parameter: click.Parameter, given: str | None) -> list[int]:
    if given is None:
        return list(UNITS)
    units: list[int] = []
    try:
        for part in given.split(','):
            first, _, last = part.partition('-')
            units.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        units = []
    if not units or not all(1 <= unit <= 247 for unit in units):
        raise click.BadParameter(f'{given!r} (allowed: 1..247, as in 1-10,33)')
    return units


@click.command()
@click.argument('port')
@click.option('--baudrate', type=int, multiple=True, help='Only this speed; may be repeated.')
@click.option('--parity', type=click.Choice(['N', 'E', 'O']), help='Only this parity.')
@click.option('--units', callback=_units, metavar='LIST',
              help=f'Modbus addresses to ask, as 1-10,33; default: {",".join(map(str, UNITS))}.')
@click.option('--time', 'seconds', default=60.0, show_default=True,
              type=click.FloatRange(1.0, 3600.0), help='s to search at most.')
def probe(port: str, baudrate: tuple[int, ...], parity: str | None, units: list[int],
          seconds: float) -> None:
    """Search PORT for meters and boards, and print the lines for config/charger.yaml.

    Listens 4.5 s for an optical head first (SML, D0), unless --units or --parity is given; asks one
    (IEC 62056-21, 300 bit/s) last. Only reads. The port is opened exclusively: a running charger
    keeps it, and is named. Line settings that the port refuses are left out.
    Exit codes: 0 something known was found, 1 not, or the port cannot be opened.
    """
    lines = [line for line in LINES if (not baudrate or line.baudrate in baudrate)
             and (parity is None or line.parity == parity)]
    missing = [b for b in baudrate if b not in {line.baudrate for line in lines}]
    lines.extend(SerialSettings(b, parity or 'N', 1) for b in missing)
    # who names units or a parity looks for Modbus, not for an optical head
    source = click.get_current_context().get_parameter_source
    heads = parity is None and source('units') is ParameterSource.DEFAULT
    tables = [name for name in registry.METERS if name not in ('sml', 'd0')]
    found: list[Found] = []
    ended = ''
    share = 0.0
    with click.progressbar(length=1000, label=f'asking on {port}', file=sys.stderr) as bar:
        try:
            for news in search(port, tables, lines, units, seconds, heads):
                if isinstance(news, Found):
                    found.append(news)
                elif isinstance(news, Refused):
                    click.echo(f'\nleft out: {news.why}', err=True)
                else:
                    bar.update(round(1000 * news) - round(1000 * share))
                    share = news
        except DeviceError as error:
            if not found:
                raise click.ClickException(str(error)) from error
            ended = str(error)      # what was found before is not forgotten
    if ended:
        click.echo(f'ended with {share:.0%} asked: {ended}', err=True)
    elif share < 1.0:
        click.echo(f'stopped after {seconds:g} s with {share:.0%} asked: --time gives it longer, '
                   '--baudrate and --units less to do', err=True)
    for line in _report(port, found):
        click.echo(line)
    sys.exit(0 if any(unit.drivers for unit in found) else 1)


def _report(port: str, found: list[Found]) -> Iterable[str]:
    """What was found, as a parameter file: the first device of each kind in force, others as
    comments, for a node has one device."""
    if not found:
        yield (f'nothing answers on {port}. Check A and B (change them round), the terminating '
               'resistors, power; then try more --units')
        return
    yield '/**:'
    said: set[str] = set()
    for unit in found:
        yield from (f'  # {line}' for line in _about(unit))
        if not unit.drivers:
            continue
        kind, driver = unit.drivers[0]
        node = _NODES[kind]
        mark = '  # ' if node in said else '  '
        if node in said:
            yield f'  # (a second one: {node} has one device; put it here, or into another file)'
        said.add(node)
        device = {'driver': driver, 'port': port}
        if unit.is_head:
            device |= {name: f"'{value}'" for name, value in unit.options.items()}
        elif unit.unit:
            device |= {'baudrate': str(unit.settings.baudrate),
                       'parity': f"'{unit.settings.parity}'",
                       'stopbits': str(unit.settings.stopbits), 'unit': str(unit.unit)}
        yield from (f'{mark}{line}' for line in (
            f'{node}:', '  ros__parameters:', '    device:',
            *(f'      {name}: {value}' for name, value in device.items())))


def _about(unit: Found) -> Iterable[str]:
    """What a unit is, in lines for people."""
    number = f', serial number {unit.serial_number}' if unit.serial_number else ''
    where = f'unit {unit.unit} at {unit.settings}'
    if unit.is_head:
        yield f'behind an optical head at {unit.settings}: {unit.drivers[0][1]}{number}'
    elif unit.unit == 0:
        yield f'alone on the port, at {unit.settings}: {unit.drivers[0][1]}'
    elif not unit.drivers:
        yield f'{where}: answers, and is nothing known'
    else:
        (kind, name), *others = unit.drivers
        yield f'{where}: {name}{number}'
        if kind == 'meter':
            rate = highest_rate(load(name), unit.settings)
            yield f'the line allows {rate:.1f} readings/s at most if nothing else is on it'
        if others:
            yield f'it may also be {", ".join(other for _, other in others)}: same registers'
