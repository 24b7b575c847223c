"""``charger status``: what the charger does now."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from charger_control.cli.graph import listen, visitor
from charger_control.core.heard import Heard
from charger_control.core.messages.decision import Flags
from charger_control.core.words import VEHICLE_STATES, owner_of, sentence, silence_sentence
from charger_control.ros.interfaces import CHARGING, CONTROL_PILOT, DECISION, METER

TOPICS = (CHARGING, DECISION, CONTROL_PILOT, METER)
OLD = 3.0
"""s after which a value is shown as old."""


@click.command()
@click.option('--namespace', default='charger', show_default=True, help='ROS namespace.')
@click.option('--json', 'as_json', is_flag=True, help='Print once as JSON and end.')
@click.option('--timeout', default=10.0, show_default=True, help='s to wait for the first values.')
def status(namespace: str, as_json: bool, timeout: float) -> None:
    """What the charger does now, as a live table (Ctrl-C ends it).

    Exit code 1 if no charger is heard in time.
    """
    heard: dict[str, Heard[Any]] = {}
    with visitor(namespace) as (node, executor):
        listen(node, TOPICS, heard)
        deadline = time.monotonic() + timeout
        while len(heard) < len(TOPICS) and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.05)
        if not heard:
            click.echo(f'no charger is heard in namespace /{namespace.strip("/")} within '
                       f'{timeout:g} s. Is it running, in this ROS_DOMAIN_ID?', err=True)
            sys.exit(1)
        if as_json:
            click.echo(json.dumps(document(heard), indent=2))
            return
        with Live(console=Console(), refresh_per_second=4) as live:
            try:
                while True:
                    until = time.monotonic() + 0.25
                    while time.monotonic() < until:
                        executor.spin_once(timeout_sec=0.05)
                    live.update(table(namespace, heard))
            except KeyboardInterrupt:
                return


def document(heard: Mapping[str, Heard[Any]]) -> dict[str, Any]:
    """All values by topic; NaN as null, with the age of each in s; and who decides, and why."""
    now = time.monotonic()
    topics = {name: {**_strict(dataclasses.asdict(h.value)), 'heard_ago': round(h.silence(now), 2)}
              for name, h in sorted(heard.items())}
    return {**topics, 'sentence': why(heard, now)}


def why(heard: Mapping[str, Heard[Any]], now: float) -> str:
    """Who decides what the vehicle gets, and why."""
    decision, pilot = heard.get(DECISION.name), heard.get(CONTROL_PILOT.name)
    if decision is None or decision.silence(now) > OLD:
        return silence_sentence(math.inf if decision is None else decision.silence(now))
    lives = pilot is not None and pilot.silence(now) <= OLD
    return sentence(decision.value, pilot.value if pilot is not None and lives else None)


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _strict(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(namespace: str, heard: Mapping[str, Heard[Any]]) -> Table:
    """The live table."""
    result = Table(title=f'charger /{namespace.strip("/")}', show_header=False, min_width=60)
    result.add_column(style='bold')
    result.add_column()
    now = time.monotonic()
    result.add_row('why', why(heard, now))
    for name in (t.name for t in TOPICS):
        entry = heard.get(name)
        rows = _rows(name, entry.value) if entry is not None else [(name, 'not heard')]
        style = None if entry is not None and entry.silence(now) < OLD else 'dim strike'
        for label, text in rows:
            result.add_row(label, text, style=style)
    return result


def _rows(name: str, value: Any) -> list[tuple[str, str]]:
    if name == CONTROL_PILOT.name:
        rows = [('state', f'{value.charge_controller_status}  '
                          f'{VEHICLE_STATES.get(value.vehicle_status, "?")}')]
        return rows + ([('fault', value.fault)] if value.fault else [])
    if name == DECISION.name:
        flags = '|'.join(f.name or '' for f in Flags(value.flags))
        owner = owner_of(value)
        rows = [('limit', f'{value.commanded_amperage:.2f} A' + (f' by {owner}' if owner else '')),
                ('lowest', f'{value.effective_amperage_limit:.1f} A of all limits')]
        return rows + ([('flags', flags)] if flags else [])
    if name == METER.name:
        return [('meter', value.error or f'{value.serial_number or "?"}  '
                                         f'{value.frequency:.2f} Hz')]
    return [
        ('amperes', f'commanded {value.commanded_amperage:.2f}  available '
                    f'{value.available_amperage:.2f}  signaled {value.signaled_amperage:.2f}'),
        ('phases', '  '.join(f'{a:.2f} A {v:.0f} V' for a, v in
                             zip(value.amperage, value.voltage, strict=True))),
        ('power', f'{value.last_active_power:.0f} W   register {value.energy_imported:.3f} kWh'),
    ]
