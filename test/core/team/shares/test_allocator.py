"""The step without history: never above the budget, max-min fair, the same in any order."""

from __future__ import annotations

import random
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charger_control.core.team import MemberState, SharingOptions, allocate

sys.path.insert(0, str(Path(__file__).parents[2]))

from team_reference import loads, phases_of, random_team, reference, reserved

Team = tuple[float, list[MemberState], tuple[float, float, float]]


def amperages(team: Team) -> dict[str, float]:
    now, members, budget = team
    return {name: share.allocated_amperage
            for name, share in allocate(now, members, budget).items()}


def check_invariants(team: Team) -> None:
    now, members, budget = team
    given_ = amperages(team)
    assert list(given_) == [m.member for m in members]
    kept = {m.member: reserved(now, m) for m in members}
    used, silent = loads(members, given_), loads(members, kept)
    room = [max(0.0, b - s) for b, s in zip(budget, silent, strict=True)]
    eps = 1e-6

    for p in range(3):
        assert used[p] <= room[p] + 1e-8, f'L{p + 1} above its budget'
    for m in members:
        got = given_[m.member]
        assert got == 0.0 or got >= m.minimum_amperage - eps, f'{m.member} below its minimum'
        assert got <= max(m.requested_amperage, 0.0) + eps, f'{m.member} above its request'
        if now - m.last_heard > 10.0:
            assert got == 0.0, f'{m.member} is silent'

    full = [used[p] >= room[p] - eps for p in range(3)]
    heard = [m for m in members if now - m.last_heard <= 10.0
             and 0.0 < m.requested_amperage >= m.minimum_amperage]
    inside = [m for m in heard if given_[m.member] > 0.0]
    for m in heard:
        mine = phases_of(m)
        if given_[m.member] == 0.0:
            # work-conserving: even with all on its phases at their minimum there is no room
            least = [sum(o.minimum_amperage for o in inside if p in phases_of(o)) for p in mine]
            assert any(low + m.minimum_amperage > room[p] - eps
                       for p, low in zip(mine, least, strict=True)), f'room for {m.member}'
        elif given_[m.member] < m.requested_amperage - eps:
            # max-min: on one of its full phases, nobody has more who could give some
            level = given_[m.member] / m.weight
            assert any(full[p] and all(
                given_[o.member] / o.weight <= level + eps
                or given_[o.member] <= o.minimum_amperage + eps
                for o in inside if p in phases_of(o)) for p in mine), f'{m.member} could have more'


@pytest.mark.parametrize('first', range(0, 10_000, 2500))
def test_invariants_and_oracle_over_10000_random_teams(first: int) -> None:
    for seed in range(first, first + 2500):
        team = random_team(random.Random(seed))
        try:
            check_invariants(team)
            if seed % 5 == 0:
                assert amperages(team) == pytest.approx(reference(*team), abs=1e-6)
            rng = random.Random(seed)
            shuffled = rng.sample(team[1], len(team[1]))
            assert amperages((team[0], shuffled, team[2])) == pytest.approx(
                amperages(team), abs=1e-9)
        except AssertionError as error:
            raise AssertionError(f'random team {seed}: {error}') from error


PHASES = st.sampled_from([(), (1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3), (3, 1)])
AMPERAGE = st.one_of(st.sampled_from([0.0, 6.0, 16.0, 32.0]), st.floats(0.0, 80.0))
MEMBER = st.builds(
    MemberState, member=st.just(''), requested_amperage=AMPERAGE,
    minimum_amperage=st.one_of(st.just(6.0), st.floats(1.0, 16.0)), phases=PHASES,
    priority=st.integers(-1, 2), weight=st.floats(0.01, 100.0), energy=st.floats(0.0, 100.0),
    waiting_since=st.floats(0.0, 1000.0), last_heard=st.sampled_from([1000.0, 990.0, 985.0, 900.0]),
    failsafe_amperage=st.sampled_from([0.0, 6.0]), allocated_amperage=AMPERAGE,
    drawable_amperage=AMPERAGE)
TEAMS = st.builds(
    lambda members, budget: (1000.0, [replace(m, member=f'cp{i}') for i, m in enumerate(members)],
                             budget),
    st.lists(MEMBER, min_size=1, max_size=8),
    st.tuples(*[st.one_of(st.sampled_from([0.0, 5.999, 6.0, 16.0, 63.0]),
                          st.floats(0.0, 300.0))] * 3))


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEAMS)
def test_invariants_where_hypothesis_looks_for_trouble(team: Team) -> None:
    check_invariants(team)
    assert amperages(team) == pytest.approx(reference(*team), abs=1e-5)


def state(member: str, requested: float = 32.0, **fields: object) -> MemberState:
    return MemberState(member, requested, last_heard=1000.0, **fields)  # type: ignore[arg-type]


def test_priority_then_need_then_waiting_then_name_decide_who_is_let_in() -> None:
    def inside(*members: MemberState) -> list[str]:
        given_ = amperages((1000.0, list(members), (13.0, 13.0, 13.0)))
        return [name for name, got in given_.items() if got > 0.0]
    assert inside(state('a'), state('b'), state('c', priority=1)) == ['a', 'c']
    assert inside(state('a', energy=2.0), state('b', energy=1.0), state('c')) == ['b', 'c']
    assert inside(state('a', waiting_since=50.0), state('b', waiting_since=60.0),
                  state('c', waiting_since=10.0)) == ['a', 'c']
    assert inside(state('c'), state('b'), state('a')) == ['b', 'a']


def test_one_that_does_not_fit_is_passed_over_for_one_that_does() -> None:
    given_ = amperages((1000.0, [state('big', minimum_amperage=14.0, priority=9), state('small')],
                        (13.0, 13.0, 13.0)))
    assert given_ == {'big': 0.0, 'small': 13.0}


def test_admission_amperage_is_what_all_must_get_before_a_further_one_is_let_in() -> None:
    def of(budget: float, count: int, admission: float, requested: float = 32.0) -> list[float]:
        members = [state(f'cp{i}', requested) for i in range(count)]
        given_ = allocate(1000.0, members, (budget,) * 3,
                          SharingOptions(admission_amperage=admission))
        return [share.allocated_amperage for share in given_.values()]
    assert of(16.0, 3, 0.0) == [8.0, 8.0, 0.0]
    assert of(16.0, 3, 9.0) == [16.0, 0.0, 0.0]
    assert of(18.0, 3, 9.0) == [9.0, 9.0, 0.0]
    assert of(6.0, 2, 9.0) == [6.0, 0.0]             # the first needs its minimum only
    assert of(14.0, 2, 9.0, 7.0) == [7.0, 7.0]       # nobody must get more than it asks for


def test_the_unbalance_limit_holds_one_phase_use_together() -> None:
    members = [state('a', 32.0, phases=(1,)), state('b', 10.0, phases=(2,)),
               state('c', 16.0, phases=(1, 2, 3)), state('d', 6.0, phases=(3,))]
    given_ = allocate(1000.0, members, (63.0,) * 3, SharingOptions(unbalance_limit=20.0))
    assert {n: s.allocated_amperage for n, s in given_.items()} == {
        'a': 26.0, 'b': 10.0, 'c': 16.0, 'd': 6.0}
    assert 'unbalance' in given_['a'].reason
    alone = allocate(1000.0, [state(n, 32.0, phases=(1,)) for n in 'abcd'], (200.0,) * 3,
                     SharingOptions(unbalance_limit=20.0))
    assert [s.allocated_amperage for s in alone.values()] == pytest.approx([20 / 3] * 3 + [0.0])


@pytest.mark.parametrize(('member', 'budget', 'words'), [
    (state('a', 0.0), 63.0, 'asks for nothing'),
    (state('a', 4.0), 63.0, 'asks for 4 A, less than its minimum of 6 A'),
    (state('a', 16.0), 63.0, 'all it asked for'),
    (state('a', 16.0), 5.0, 'waits: no room for its minimum of 6 A'),
    (state('a', 16.0), 6.0, 'its minimum: L1 is fully used'),
    (state('a', 16.0, phases=(2,)), 9.0, 'fair share: L2 is fully used'),
    (MemberState('a', 16.0, last_heard=985.0, allocated_amperage=10.0), 63.0,
     'silent for 15.0 s: 10 A stays reserved for it'),
])
def test_a_reason_is_given(member: MemberState, budget: float, words: str) -> None:
    assert allocate(1000.0, [member], (budget,) * 3)['a'].reason == words


def test_nobody_and_nothing() -> None:
    assert allocate(1000.0, [], (63.0,) * 3) == {}
    assert amperages((1000.0, [state('a')], (0.0, 0.0, 0.0))) == {'a': 0.0}


def test_growth_is_no_worse_than_n_log_n() -> None:
    """Ten times as many members take at most 20 times as long: the best of several runs."""
    def seconds(count: int) -> float:
        rng = random.Random(1)
        members: list[MemberState] = []
        while len(members) < count:
            _, some, _ = random_team(rng, 50)
            members += some
        members = [replace(m, member=f'cp{i:05d}') for i, m in enumerate(members[:count])]
        best = float('inf')
        for _ in range(5):
            start = time.process_time()
            allocate(1000.0, members, (9.0 * count,) * 3)
            best = min(best, time.process_time() - start)
        return best
    assert seconds(10_000) < 20.0 * seconds(1000) + 0.01
