"""A team node that has just started takes nothing away from its members before it knows better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import TeamRequest
from charger_control.core.team import SharingOptions
from charger_control.nodes.team import PARAMS, Team, config_of
from charger_control.ros.interfaces import TEAM_ALLOCATION, TEAM_REQUEST, VCSE_BUDGET
from charger_control.ros.parameters import check


def test_nobody_is_told_anything_before_the_first_budget(graph: Any, tmp_path: Path) -> None:
    """A member that charges keeps its lease over the restart of the node: it is not lowered."""
    graph.start(Team, state_dir=str(tmp_path), name='cp01')
    lists = graph.hear(TEAM_ALLOCATION)

    def ask(sequence: int) -> None:
        last = lists[-1] if lists else None
        graph.say(TEAM_REQUEST, TeamRequest(
            team='team', member='cp01', sequence=sequence, requested_amperage=16.0,
            allocated_amperage=10.0, drawable_amperage=10.0, phase_map=(1, 2, 3),
            vehicle_status='C', **({} if last is None else {
                'accepted_leader': last.leader, 'accepted_term': last.term,
                'accepted_sequence': last.sequence})))

    for sequence in range(1, 8):
        ask(sequence)
        graph.turn(0.3)
    assert not lists
    graph.say(VCSE_BUDGET, TeamBudget('team', (20.0, 20.0, 20.0), 60.0))
    for sequence in range(8, 40):
        ask(sequence)
        graph.turn(0.2)
        given = [m.allocated_amperage for one in lists for m in one.members]
        if given:
            break
    assert given and min(given) >= 10.0


def test_how_a_budget_is_shared_is_configuration() -> None:
    values = check(PARAMS, {
        'admission_amperage': 9.0, 'unbalance_limit': 20.0, 'minimum_on_time': 300.0,
        'rotation_time': 600.0, 'restart_time': 120.0, 'starving_time': 1800.0,
        'yield_amperage': 2.0, 'yield_time': 30.0, 'reclaim_amperage': 0.5}, 'team')
    assert config_of(values).options == SharingOptions(9.0, 20.0, 300.0, 600.0, 120.0, 1800.0, 2.0,
                                                       30.0, 0.5)
    assert config_of(check(PARAMS, {}, 'team')).options == SharingOptions()


def test_one_cannot_ask_back_before_it_yields() -> None:
    with pytest.raises(ValueError, match=r'team.reclaim_amperage = 3.0 must be below'):
        config_of(check(PARAMS, {'reclaim_amperage': 3.0}, 'team'))
