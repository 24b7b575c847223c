"""Vehicles that change phases and are swapped, while everything fails at random."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from team_lease_faults import search, search_in_parallel
from team_lease_phases import PhaseWorld
from team_phase_mutations import PHASE_MUTATIONS

FOUND_FROM = {'keeps what it learned': 240, 'leaves it to the team': 120, 'returns to all': 7_790,
              'believes an old word': 120, 'failsafe on some phases': 35, 'without the factor': 20}
"""Seeds from which each is found soon."""


@pytest.mark.timeout(300)
def test_the_promise_holds_through_500_schedules() -> None:
    """Above the budget only for 10 s after a vehicle came back, and never above the factor."""
    count, seen = search_in_parallel(range(3000, 3500), 125, world=PhaseWorld)
    assert not seen
    assert count == 500


def test_the_model_has_vehicles_come_back() -> None:
    worlds = [PhaseWorld(seed) for seed in range(100)]
    for world in worlds:
        world.run()
    assert sum(world.teams[0].carried > 1.0 for world in worlds) >= 2, 'above for seconds'


@pytest.mark.parametrize('name', PHASE_MUTATIONS)
def test_the_model_finds_a_rule_that_is_left_out(name: str) -> None:
    first = FOUND_FROM.get(name, 0)
    _, seen = search(range(first, first + 2000), PHASE_MUTATIONS[name], world=PhaseWorld)
    assert seen, 'the model no longer finds what this rule is for'
