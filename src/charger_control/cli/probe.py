"""``charger probe``: what hangs on a serial port, and the configuration to paste."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click
from click.core import ParameterSource

from charger_control.drivers import registry
from charger_control.drivers.meters.modbus import highest_rate
from charger_control.drivers.port import SerialSettings
from charger_control.drivers.ports import DeviceError
from charger_control.drivers.probe import LINES, UNITS, Found
from charger_control.drivers.probe import probe as search
from charger_control.drivers.register_table import load

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
    keeps it, and is named.
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
    share = 0.0
    with click.progressbar(length=1000, label=f'asking on {port}', file=sys.stderr) as bar:
        try:
            for news in search(port, tables, lines, units, seconds, heads):
                if isinstance(news, Found):
                    found.append(news)
                else:
                    bar.update(round(1000 * news) - round(1000 * share))
                    share = news
        except DeviceError as error:
            raise click.ClickException(str(error)) from error
    if share < 1.0:
        click.echo(f'stopped after {seconds:g} s with {share:.0%} asked: --time gives it longer, '
                   '--baudrate and --units less to do', err=True)
    for line in _report(port, found):
        click.echo(line)
    sys.exit(0 if any(unit.drivers for unit in found) else 1)


def _report(port: str, found: list[Found]) -> Iterable[str]:
    if not found:
        yield (f'nothing answers on {port}. Check A and B (change them round), the terminating '
               'resistors, power; then try more --units')
    for head in (unit for unit in found if unit.is_head):
        number = f', serial number {head.serial_number}' if head.serial_number else ''
        driver = head.drivers[0][1]
        yield f'# behind an optical head at {head.settings}: {driver}{number}'
        yield from ('fiscal_meter:', '  ros__parameters:', '    device:', f'      driver: {driver}',
                    f'      port: {port}')
        yield from (f"      {name}: '{value}'" for name, value in head.options.items())
    for unit in (unit for unit in found if not unit.is_head):
        if unit.unit == 0:
            driver = unit.drivers[0][1]
            yield f'# alone on the port, at {unit.settings}: {driver}'
            yield from ('iso61851:', '  ros__parameters:', '    device:',
                        f'      driver: {driver}', f'      port: {port}')
            continue
        where = f'unit {unit.unit} at {unit.settings}'
        if not unit.drivers:
            yield f'# {where}: answers, and is nothing known'
            continue
        (kind, name), *others = unit.drivers
        number = f', serial number {unit.serial_number}' if unit.serial_number else ''
        yield f'# {where}: {name}{number}'
        if kind == 'meter':
            rate = highest_rate(load(name), unit.settings)
            yield f'# the line allows {rate:.1f} readings/s at most if nothing else is on it'
        if others:
            yield f'# it may also be {", ".join(other for _, other in others)}: same registers'
        yield from (
            f'{_NODES[kind]}:', '  ros__parameters:', '    device:', f'      driver: {name}',
            f'      port: {port}', f'      baudrate: {unit.settings.baudrate}',
            f"      parity: '{unit.settings.parity}'", f'      unit: {unit.unit}')
