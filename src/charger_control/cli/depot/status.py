"""``charger depot status``: who draws what, against what there is, and who leads."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import click
from rclpy.node import Node
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from charger_control.cli.graph import listen, visitor
from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamAllocation, TeamRequest
from charger_control.ros.convert import from_message
from charger_control.ros.interfaces import (
    GRID_METER,
    TEAM_ALLOCATION,
    TEAM_REQUEST,
    VCSE_BUDGET,
)

OLD = 3.0
"""s after which a value is shown as old."""
LEASE = 10.0
"""s without a list after which nobody leads."""
DRAWING = 0.5
"""A from which a vehicle draws."""
WORDS = {'A': 'no vehicle', 'B': 'waits', 'C': 'ready', 'D': 'ventilation', 'E': 'pilot short',
         'F': 'board fault', 'S': 'unknown', 'R': 'diode fault'}
FULL, NEARLY = 1.0, 0.95
"""Shares of the budget at which a phase is shown in red and yellow."""


@dataclass
class Seen:
    """What was heard of a team.

    Attributes:
        requests: the last one of each member.
        last: the last allocation, budget and grid meter reading, by topic name.
    """

    requests: dict[str, Heard[TeamRequest]] = field(default_factory=dict)
    last: dict[str, Heard[Any]] = field(default_factory=dict)

    @property
    def allocation(self) -> Heard[TeamAllocation] | None:
        """The last list."""
        return self.last.get(TEAM_ALLOCATION.name)

    @property
    def budget(self) -> Heard[TeamBudget] | None:
        """The last budget."""
        return self.last.get(VCSE_BUDGET.name)

    @property
    def grid(self) -> Heard[MeterReading] | None:
        """The last reading at the point of supply."""
        return self.last.get(GRID_METER.name)


@click.command()
@click.option('--namespace', default='depot', show_default=True, help='Of team and vcse.')
@click.option('--once', is_flag=True, help='Print the table once and end.')
@click.option('--json', 'as_json', is_flag=True, help='Print once as JSON and end.')
@click.option('--timeout', default=10.0, show_default=True, help='s to wait for the first values.')
def status(namespace: str, once: bool, as_json: bool, timeout: float) -> None:
    """Who draws what, against what there is, and who leads: a live table (Ctrl-C ends it).

    Exit code 1 if no team is heard in time.
    """
    seen = Seen()
    with visitor(namespace) as (node, executor):
        hear(node, seen)

        def spin(duration: float) -> None:
            until = time.monotonic() + duration
            while time.monotonic() < until:
                executor.spin_once(timeout_sec=0.05)

        deadline = time.monotonic() + timeout
        while not (seen.requests and seen.allocation and seen.budget):
            if time.monotonic() > deadline:
                break
            spin(0.1)
        if not seen.requests and not seen.last:
            click.echo(f'no team is heard in namespace /{namespace.strip("/")} within '
                       f'{timeout:g} s. Is it running, in this ROS_DOMAIN_ID?', err=True)
            sys.exit(1)
        if once or as_json:
            spin(1.5)   # each member asks once a second
            if as_json:
                click.echo(json.dumps(document(seen, time.monotonic()), indent=2))
            else:
                Console().print(table(namespace, seen, time.monotonic()))
            return
        with Live(console=Console(), refresh_per_second=4, screen=False) as live:
            try:
                while True:
                    spin(0.25)
                    live.update(table(namespace, seen, time.monotonic()))
            except KeyboardInterrupt:
                return


def hear(node: Node, seen: Seen) -> None:
    """Keeps what the team says in ``seen``."""
    def on_request(message: Any) -> None:
        request = from_message(message)
        seen.requests[request.member] = Heard(request, time.monotonic())

    node.create_subscription(TEAM_REQUEST.type, TEAM_REQUEST.name, on_request, TEAM_REQUEST.qos)
    listen(node, (TEAM_ALLOCATION, VCSE_BUDGET, GRID_METER), seen.last)


def document(seen: Seen, now: float) -> dict[str, Any]:
    """All of it as plain data; unknown as null, ages in s."""
    allocation, budget, grid = seen.allocation, seen.budget, seen.grid
    lines = {} if allocation is None else {m.member: m for m in allocation.value.members}
    members = []
    for name, heard in sorted(seen.requests.items()):
        request, line = heard.value, lines.get(name)
        members.append({
            'member': name, 'vehicle_status': request.vehicle_status, 'state': state_of(request),
            'requested_amperage': request.requested_amperage,
            'allocated_amperage': request.allocated_amperage,
            'granted_amperage': None if line is None else line.allocated_amperage,
            'reason': '' if line is None else line.reason,
            'amperage': [_known(a) for a in request.amperage],
            'phase_map': list(request.phase_map), 'energy': _known(request.energy),
            'waiting': request.waiting, 'priority': request.priority,
            'heard_ago': round(heard.silence(now), 2)})
    drawn = totals(seen)
    return {
        'team': '' if allocation is None else allocation.value.team,
        'leader': None if allocation is None or allocation.silence(now) > LEASE
        else allocation.value.leader,
        'term': None if allocation is None else allocation.value.term,
        'list_heard_ago': None if allocation is None else round(allocation.silence(now), 2),
        'budget': None if budget is None else {
            'amperage': list(budget.value.amperage), 'reason': budget.value.reason,
            'heard_ago': round(budget.silence(now), 2)},
        'grid_meter': None if grid is None else {
            'amperage': [_known(a) for a in grid.value.amperage], 'error': grid.value.error,
            'heard_ago': round(grid.silence(now), 2)},
        'total': {'amperage': drawn, 'requested': sum(
            request.value.requested_amperage > 0.0 for request in seen.requests.values()),
            'drawing': sum(_draws(r.value) for r in seen.requests.values()),
            'energy': sum(filter(math.isfinite, (r.value.energy for r in seen.requests.values())))},
        'members': members,
    }


def totals(seen: Seen) -> list[float]:
    """A that all members say they draw, by supply phase; unknown wiring counts on all."""
    drawn = [0.0, 0.0, 0.0]
    for heard in seen.requests.values():
        for phase, amperes in enumerate(heard.value.amperage):
            if math.isnan(amperes):
                continue
            wired = heard.value.phase_map
            for supply in [wired[phase] - 1] if phase < len(wired) else range(3):
                drawn[supply] += amperes
    return drawn


def state_of(request: TeamRequest) -> str:
    """In a word or two."""
    if _draws(request):
        return 'charges'
    if request.vehicle_status in ('B', 'C', 'D') and request.waiting > 0.0:
        return 'waits'
    if request.vehicle_status == 'B':
        return 'connected'
    return WORDS.get(request.vehicle_status, request.vehicle_status)


def _draws(request: TeamRequest) -> bool:
    return any(a >= DRAWING for a in request.amperage)


def table(namespace: str, seen: Seen, now: float) -> Group:
    """The live table, and what stands below it."""
    allocation = seen.allocation
    leads = 'nobody leads'
    if allocation is not None and allocation.silence(now) <= LEASE:
        leads = f'{allocation.value.leader} leads, term {allocation.value.term}'
    result = Table(title=f'depot /{namespace.strip("/")}: {leads}', box=box.SIMPLE_HEAD)
    for name, justify in (('charger', 'left'), ('state', 'left'), ('asks', 'right'),
                          ('has', 'right'), ('L1', 'right'), ('L2', 'right'), ('L3', 'right'),
                          ('kWh', 'right'), ('why', 'left')):
        result.add_column(name, justify=justify, no_wrap=name != 'why')  # type: ignore[arg-type]
    lines = {} if allocation is None else {m.member: m for m in allocation.value.members}
    for name, heard in sorted(seen.requests.items()):
        request, old = heard.value, heard.silence(now) > OLD
        reason = lines[name].reason if name in lines else ''
        if old:
            reason = f'silent for {heard.silence(now):.0f} s'
        result.add_row(
            name, state_of(request), _amperes(request.requested_amperage),
            _amperes(request.allocated_amperage), *map(_amperes, _on_supply(request)),
            '-' if math.isnan(request.energy) else f'{request.energy:.2f}', reason,
            style='dim' if old else None)
    return Group(result, _supply(seen, now))


def _supply(seen: Seen, now: float) -> Table:
    """Totals per phase against the budget."""
    result = Table(box=box.SIMPLE_HEAD, title='supply, A per phase')
    for name in ('', 'L1', 'L2', 'L3', ''):
        result.add_column(name, justify='left' if not name else 'right')
    drawn, budget, grid = totals(seen), seen.budget, seen.grid
    cells = [f'{a:.1f}' for a in drawn]
    if budget is not None:
        cells = [_coloured(a, b) for a, b in zip(drawn, budget.value.amperage, strict=True)]
    result.add_row('vehicles', *cells, '')
    if budget is None:
        result.add_row('budget', '-', '-', '-', 'not heard')
    else:
        result.add_row('budget', *map(_amperes, budget.value.amperage), budget.value.reason,
                       style='dim' if budget.silence(now) > OLD else None)
    if grid is not None:
        old = grid.silence(now) > OLD
        result.add_row('grid meter', *map(_amperes, grid.value.amperage), grid.value.error or (
            f'silent for {grid.silence(now):.0f} s' if old else ''), style='dim' if old else None)
    return result


def _on_supply(request: TeamRequest) -> list[float]:
    """What it draws, on the supply's phases where its wiring is known."""
    if len(request.phase_map) != len(request.amperage):
        return list(request.amperage)
    drawn = dict(zip(request.phase_map, request.amperage, strict=True))
    return [drawn.get(phase, 0.0) for phase in (1, 2, 3)]


def _coloured(drawn: float, budget: float) -> str:
    share = drawn / budget if budget > 0.0 else (math.inf if drawn > DRAWING else 0.0)
    colour = 'red' if share > FULL else 'yellow' if share > NEARLY else 'green'
    return f'[{colour}]{drawn:.1f}[/]'


def _amperes(value: float) -> str:
    if math.isnan(value):
        return '-'
    return f'{value:.1f}' if value else '0'


def _known(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
