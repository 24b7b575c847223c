"""``charger meter``: a meter by hand, for bring-up."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

import click

from charger_control.bringup.supervisor import EXIT_CONFIG
from charger_control.cli.hardware.options import device_config, device_options
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.drivers import registry
from charger_control.drivers.dump import DECODERS, DumpError
from charger_control.drivers.dump import decode as decode_dump

IDENTITY_TIME = 1.5
"""s for which a reading without a serial number waits for one: its first request may be lost."""


@click.group()
def meter() -> None:
    """Read a meter without the rest of the charger."""


@meter.command()
@device_options(registry.METERS)
@click.option('--wait', type=click.FloatRange(0.1, 600.0),
              help='s to wait for a reading; default: 5, with d0 40 (four readouts).')
@click.option('--watch', is_flag=True, help='Go on with each new reading, until Ctrl-C.')
@click.option('--json', 'as_json', is_flag=True, help='One JSON object per reading.')
def read(wait: float | None, watch: bool, as_json: bool, **values: Any) -> None:
    """Read a meter and print what it says.

    The port is opened exclusively: a running charger keeps it, and is named.
    Exit codes: 0 a reading came, 1 none came, 2 the options do not fit.
    """
    try:
        device = registry.open_meter(device_config(values), registry.Buses())
    except registry.OptionError as error:
        click.echo(error, err=True)
        sys.exit(EXIT_CONFIG)
    wait = wait or (40.0 if values['driver'] == 'd0' else 5.0)
    device.start()
    try:
        shown, identified_by = 0.0, 0.0
        end = time.monotonic() + wait
        while time.monotonic() < end:
            sample = device.latest()
            if sample.value is not None and not identified_by:
                identified_by = time.monotonic() + IDENTITY_TIME
            if (sample.value is not None and not sample.error and sample.at > shown
                    and (sample.value.serial_number or time.monotonic() > identified_by)):
                shown, end = sample.at, time.monotonic() + wait
                _show(sample.value, sample.identity, as_json)
                if not watch:
                    return
            time.sleep(0.02)
        click.echo(device.latest().error or f'no reading within {wait:g} s', err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        return
    finally:
        device.close()


@meter.command()
@click.option('--driver', type=click.Choice(tuple(DECODERS)), required=True,
              help='What the head sends.')
@click.argument('file', type=click.File('rb'))
def decode(driver: str, file: BinaryIO) -> None:
    """Decode a captured dump of an optical head and print it as JSON.

    FILE: the bytes as they came, or as hexadecimal digits; - for standard input. Attach it to a
    report of a meter that is not read. Exit codes: 0 decoded, 1 there is no telegram in it.
    """
    try:
        found = decode_dump(driver, file.read())
    except DumpError as error:
        raise click.ClickException(f'{file.name}: {error}') from error
    reading = found.reading
    click.echo(json.dumps({
        'energy_imported': _plain(reading.energy_imported),
        'active_power': _plain(reading.active_power), 'voltage': _known(reading.voltage),
        'amperage': _known(reading.amperage), 'frequency': _plain(reading.frequency),
        'serial_number': reading.serial_number or None,
        'not_understood': list(found.not_understood)}))


def _known(values: tuple[float, ...]) -> Any:
    """A list with null for what is not known, null where nothing is."""
    plain = _plain(values)
    return plain if any(v is not None for v in plain) else None


def _show(reading: MeterReading, identity: Mapping[str, str], as_json: bool) -> None:
    numbers = {'voltage': reading.voltage, 'amperage': reading.amperage,
               'frequency': reading.frequency, 'activePower': reading.active_power,
               'phasePower': reading.phase_power,
               'energyImported': reading.energy_imported, 'serialNumber': reading.serial_number}
    if as_json:
        said = {'highestRate': identity.get('highest_rate'),
                'telegramInterval': identity.get('telegram_interval')}
        click.echo(json.dumps({name: _plain(value) for name, value in numbers.items()}
                              | {name: text for name, text in said.items() if text}))
        return
    click.echo(f'{identity.get("model", "")}, serial number {reading.serial_number or "unknown"}')
    for name, values, unit in (
            ('voltage', reading.voltage, 'V'), ('amperage', reading.amperage, 'A'),
            ('frequency', (reading.frequency,), 'Hz'), ('power', (reading.active_power,), 'W'),
            ('of phases', reading.phase_power, 'W'),
            ('energy', (reading.energy_imported,), 'kWh')):
        click.echo(f'  {name:<10}' + ''.join(f'{value:>12.3f}' for value in values) + f' {unit}')
    for name, words in (('highest_rate', 'line and device allow {} readings at most'),
                        ('telegram_interval', 'a telegram every {}')):
        if name in identity:
            click.echo('  ' + words.format(identity[name]))


def _plain(value: Any) -> Any:
    """Without NaN, which JSON has not."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124
