"""``charger pilot``: a control-pilot board by hand, for bring-up."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from charger_control.bringup.supervisor import EXIT_CONFIG
from charger_control.cli.hardware.options import device_config, device_options
from charger_control.drivers import registry
from charger_control.drivers.interfaces import CurrentPilot, Sample

BOARDS = ('evse_din', 'openevse', 'phoenix_em_eth', 'phoenix_ev_ser')
"""Boards that are told an amperage; pins of a single-board computer are not for the hand."""
FEED_INTERVAL = 0.2
"""s between two repetitions of the offer: the driver's dead-man takes it back after 1 s."""


@click.group()
def pilot() -> None:
    """Look at a control-pilot board, or let it offer, without the rest of the charger."""


@pilot.command()
@device_options(dict.fromkeys(BOARDS))
@click.option('--wait', default=5.0, show_default=True, type=click.FloatRange(0.1, 600.0),
              help='s to wait for an answer.')
def state(wait: float, **values: Any) -> None:
    """Print the state of the board; it offers nothing meanwhile, and afterwards.

    Exit codes: 0 the board answers, 1 it does not or is refused, 2 the options do not fit.
    """
    device = _opened(values)
    try:
        sample = _answered(device, None, wait)
        _show(sample)
        sys.exit(0 if sample.value is not None and not sample.error else 1)
    finally:
        device.close()


@pilot.command('set')
@click.argument('amperage', type=click.FloatRange(0.0, 80.0))
@device_options(dict.fromkeys(BOARDS))
@click.option('--for', 'seconds', default=10.0, show_default=True,
              type=click.FloatRange(1.0, 3600.0), help='s to offer it; then nothing is offered.')
def set_amperage(amperage: float, seconds: float, **values: Any) -> None:
    """Offer AMPERAGE (A, 0 or 6..80) for a while, then nothing.

    No limits and no meter stand behind this: for the bench. Ctrl-C ends the offer.
    Exit codes: 0 the board signaled it, 1 it did not, 2 the options do not fit.
    """
    if 0.0 < amperage < 6.0:
        raise click.UsageError(f'AMPERAGE: {amperage:g} (allowed: 0, or 6..80)')
    device = _opened(values)
    signaled = False
    try:
        end = time.monotonic() + seconds
        last = ''
        while time.monotonic() < end:
            device.offer(amperage or None)
            sample = device.latest()
            if sample.value is not None and not sample.error:
                signaled = signaled or abs(sample.value.signaled_amperage - amperage) < device.step
            if (line := _line(sample)) != last:
                click.echo(line)
                last = line
            time.sleep(FEED_INTERVAL)
    except KeyboardInterrupt:
        click.echo('no offer any more')
    finally:
        device.close()
    sys.exit(0 if signaled else 1)


def _opened(values: Any) -> CurrentPilot:
    try:
        device = registry.open_pilot(device_config(values), registry.Buses())
    except registry.OptionError as error:
        click.echo(error, err=True)
        sys.exit(EXIT_CONFIG)
    assert isinstance(device, CurrentPilot)
    device.start()
    return device


def _answered(device: CurrentPilot, offer: float | None, wait: float) -> Sample[Any]:
    end = time.monotonic() + wait
    while time.monotonic() < end:
        device.offer(offer)
        if device.latest().value is not None:
            break
        time.sleep(FEED_INTERVAL)
    return device.latest()


def _line(sample: Sample[Any]) -> str:
    if sample.value is None:
        return sample.error
    value = sample.value
    contactor = {True: 'on', False: 'off'}.get(value.switched_on, 'unknown')
    text = (f'state {value.letter}, signals {value.signaled_amperage:g} A, cable '
            f'{value.cable_amperage:g} A, contactor {contactor}')
    error = sample.error or value.error
    return f'{text}; {error}' if error else text


def _show(sample: Sample[Any]) -> None:
    click.echo(_line(sample), err=sample.value is None)
    for name, value in sample.identity.items():
        click.echo(f'  {name}: {value}')
