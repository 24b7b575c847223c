"""``charger depot status``: what is told of what was heard."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from rich.console import Console

from charger_control.cli.depot.status import Seen, document, state_of, table, totals
from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import MemberAllocation, TeamAllocation, TeamRequest
from charger_control.ros.interfaces import GRID_METER, TEAM_ALLOCATION, VCSE_BUDGET

NAN = math.nan
NOW = 100.0


def request(member: str, **fields: Any) -> TeamRequest:
    return TeamRequest(**{'team': 'depot', 'member': member, 'requested_amperage': 16.0,
                          'allocated_amperage': 8.0, 'phase_map': (1, 2, 3),
                          'vehicle_status': 'C', 'amperage': (7.5, 7.5, 7.5), 'energy': 1.25,
                          **fields})


def seen(*requests: TeamRequest, list_at: float = NOW - 0.4) -> Seen:
    one = Seen({r.member: Heard(r, NOW - 0.5) for r in requests})
    one.last[TEAM_ALLOCATION.name] = Heard(TeamAllocation(
        'depot', 'west', 7, 12, 10.0, (MemberAllocation('cp01', 3, 8.0, reason='fair share'),)),
        list_at)
    one.last[VCSE_BUDGET.name] = Heard(TeamBudget('depot', (20.0, 20.0, 12.0), 10.0, 'fuse'),
                                       NOW - 1.0)
    one.last[GRID_METER.name] = Heard(MeterReading(amperage=(19.0, 9.0, NAN)), NOW - 0.2)
    return one


def shown(one: Seen, now: float = NOW) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table('depot', one, now))
    return console.export_text()


def test_json_says_all_of_it_and_unknown_as_null() -> None:
    told = document(seen(request('cp01'), request('cp02', energy=NAN, vehicle_status='B',
                                                  amperage=(NAN, 0.0, 0.0))), NOW)
    told = json.loads(json.dumps(told, allow_nan=False))
    assert (told['team'], told['leader'], told['term']) == ('depot', 'west', 7)
    assert told['budget'] == {'amperage': [20.0, 20.0, 12.0], 'reason': 'fuse', 'heard_ago': 1.0}
    assert told['grid_meter']['amperage'] == [19.0, 9.0, None]
    first, second = told['members']
    assert first == {
        'member': 'cp01', 'vehicle_status': 'C', 'state': 'charges', 'requested_amperage': 16.0,
        'allocated_amperage': 8.0, 'granted_amperage': 8.0, 'reason': 'fair share',
        'amperage': [7.5, 7.5, 7.5], 'phase_map': [1, 2, 3], 'energy': 1.25, 'waiting': 0.0,
        'priority': 0, 'heard_ago': 0.5}
    assert second['granted_amperage'] is None and second['energy'] is None
    assert told['total'] == {'amperage': [7.5, 7.5, 7.5], 'requested': 2, 'drawing': 1,
                             'energy': 1.25}


def test_totals_are_on_the_phases_of_the_supply() -> None:
    drawn = (10.0, 4.0, 0.0)
    assert totals(seen(request('a', amperage=drawn, phase_map=(2, 3, 1)))) == [0.0, 10.0, 4.0]
    # unknown wiring counts on all phases
    assert totals(seen(request('a', amperage=drawn, phase_map=()))) == [14.0, 14.0, 14.0]


@pytest.mark.parametrize(('fields', 'state'), [
    ({}, 'charges'), ({'amperage': (0.0,) * 3, 'waiting': 5.0}, 'waits'),
    ({'amperage': (0.0,) * 3, 'vehicle_status': 'B'}, 'connected'),
    ({'amperage': (0.0,) * 3, 'vehicle_status': 'A'}, 'no vehicle'),
    ({'amperage': (0.0,) * 3, 'vehicle_status': 'F'}, 'board fault')])
def test_states_in_words(fields: dict[str, Any], state: str) -> None:
    assert state_of(request('a', **fields)) == state


def test_the_table_names_leader_reason_and_budget() -> None:
    text = shown(seen(request('cp01', phase_map=(3, 1, 2), amperage=(9.0, 1.0, 0.0))))
    assert 'west leads, term 7' in text
    row = next(line for line in text.splitlines() if 'cp01' in line).split()
    assert row == ['cp01', 'charges', '16.0', '8.0', '1.0', '0', '9.0', '1.25', 'fair', 'share']
    assert next(line for line in text.splitlines() if 'budget' in line).split() == [
        'budget', '20.0', '20.0', '12.0', 'fuse']


def test_what_is_silent_is_shown_so() -> None:
    one = seen(request('cp01'), list_at=NOW - 11.0)
    assert 'nobody leads' in shown(one)
    assert document(one, NOW)['leader'] is None
    later = shown(one, NOW + 20.0)
    assert 'silent for 20 s' in later


def test_half_heard_is_no_error() -> None:
    empty = Seen({'cp01': Heard(request('cp01'), NOW)})
    assert 'not heard' in shown(empty)
    assert document(empty, NOW)['budget'] is None
