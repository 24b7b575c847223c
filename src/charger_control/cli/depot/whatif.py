"""``charger team``: load sharing on paper, before anything is wired."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import click

from charger_control.core.team import MemberState, allocate
from charger_control.core.units import NAN, Phases

EXIT_BAD_INPUT = 2


class InputError(ValueError):
    """What is wrong with the input; the text names the team, the member, the value, what is
    allowed."""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _amperage(value: Any) -> bool:
    return _number(value) and value >= 0.0


def _three(value: Any, good: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(good(v) for v in value)


def _wiring(value: Any) -> bool:
    return (isinstance(value, list) and all(type(p) is int and 1 <= p <= 3 for p in value)
            and len(set(value)) == len(value))


def _unknown_or_number(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or _number(value)


AMPERAGE = (_amperage, 'a number of A, 0 or more')
SECONDS = (_number, 'a number of s')
MEMBER: dict[str, tuple[Callable[[Any], bool], str]] = {
    'member': (lambda v: isinstance(v, str) and v != '', 'a name that is not empty'),
    'requested_amperage': AMPERAGE,
    'minimum_amperage': AMPERAGE,
    'phases': (_wiring, 'supply phases out of 1, 2, 3, each once; [] if unknown'),
    'priority': (lambda v: type(v) is int, 'a whole number'),
    'weight': (lambda v: _number(v) and v > 0.0, 'a number above 0'),
    'vehicle_status': (lambda v: isinstance(v, str) and v in tuple('ABCDEFSR'),
                       'one of A B C D E F S R'),
    'amperage': (lambda v: _three(v, _unknown_or_number), 'three numbers of A, null if unknown'),
    'energy': (lambda v: _number(v) and v >= 0.0, 'a number of kWh, 0 or more'),
    'waiting_since': SECONDS,
    'last_heard': SECONDS,
    'failsafe_amperage': AMPERAGE,
    'allocated_amperage': AMPERAGE,
    'drawable_amperage': AMPERAGE,
}
"""Keys of a member: what they may be, and that in words."""
TEAM: dict[str, tuple[Callable[[Any], bool], str]] = {
    'now': SECONDS,
    'budget': (lambda v: _three(v, _amperage), 'three numbers of A, 0 or more, one a phase'),
    'members': (lambda v: isinstance(v, list), 'a list of members'),
}


def _checked(what: str, given: Any, keys: Mapping[str, tuple[Callable[[Any], bool], str]],
             required: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise InputError(f'{what}: {json.dumps(given)[:40]} is no object with the keys '
                         f'{", ".join(keys)}')
    for key in required:
        if key not in given:
            raise InputError(f'{what}: {key} is missing (allowed: {keys[key][1]})')
    for key, value in given.items():
        if key not in keys:
            raise InputError(f'{what}: there is no key {key!r}; there are {", ".join(keys)}')
        good, allowed = keys[key]
        if not good(value):
            raise InputError(f'{what}: {key} {json.dumps(value)[:60]} (allowed: {allowed})')
    return given


def allocate_team(given: Any, what: str = 'team') -> dict[str, Any]:
    """One team, as the command takes and gives it.

    Args:
        given: the JSON object of a team.
        what: what to call it in an error.

    Raises:
        InputError: the input cannot be taken.
    """
    team = _checked(what, given, TEAM, ('now', 'budget', 'members'))
    now = float(team['now'])
    members: dict[str, MemberState] = {}
    for number, one in enumerate(team['members'], 1):
        name = one.get('member') if isinstance(one, dict) else None
        where = f'{what}, member {name!r}' if isinstance(name, str) else f'{what}, member {number}'
        fields = dict(_checked(where, one, MEMBER, ('member', 'requested_amperage')))
        if fields.get('last_heard', now) > now:
            raise InputError(f'{where}: last_heard {fields["last_heard"]} (allowed: up to now, '
                             f'{now:g})')
        if name in members:
            raise InputError(f'{where}: there are two of that name; every member needs its own')
        fields['phases'] = tuple(fields.get('phases', ()))
        l1, l2, l3 = (NAN if a is None else a for a in fields.get('amperage', (None,) * 3))
        fields['amperage'] = (l1, l2, l3)
        members[fields['member']] = MemberState(**{'last_heard': now, 'waiting_since': now,
                                                   **fields})
    l1, l2, l3 = team['budget']
    budget: Phases = (l1, l2, l3)
    shares = allocate(now, list(members.values()), budget)
    return {'allocations': {name: {'allocated_amperage': float(share.allocated_amperage),
                                   'reason': share.reason} for name, share in shares.items()}}


@click.group()
def team() -> None:
    """Load sharing: what-if for a team."""


@team.command('allocate')
@click.argument('file', metavar='TEAM.json', type=click.File('r', encoding='utf-8'))
def allocate_file(file: TextIO) -> None:
    """Allocate a team with no history and print the result as JSON.

    TEAM.json holds one team, or a list of teams; '-' reads it from standard input. A team is
    {"now": s, "budget": [A, A, A], "members": [...]}; what a member may say is in docs/team.md.

    Exit code 0: done; 2: the input cannot be taken, and a line says why.
    """
    try:
        given = json.load(file)
        result = ([allocate_team(one, f'team {number}') for number, one in enumerate(given, 1)]
                  if isinstance(given, list) else allocate_team(given))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        _refuse(file, f'not JSON: {error}')
    except InputError as error:
        _refuse(file, str(error))
    else:
        click.echo(json.dumps(result, indent=2))


def _refuse(file: TextIO, why: str) -> None:
    click.echo(f'{getattr(file, "name", "input")}: {why}', err=True)
    sys.exit(EXIT_BAD_INPUT)
