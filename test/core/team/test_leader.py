"""The lease, the leader's side: on a network that works (docs/team.md)."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import TeamRequest
from charger_control.core.team import Leader, Member, MemberConfig, Role, TeamConfig
from charger_control.core.team.types import ALONE, LEASE_TIMES

sys.path.insert(0, str(Path(__file__).parents[1]))

from team_wire import WISH, Wire, a_list


def test_a_team_of_one_works_within_three_cycles_and_has_trim() -> None:
    wire = Wire(1, budget=20.0)
    wire.run(3.0)
    grant = wire.in_force('cp0')
    assert grant[:2] == (16.0, 2.0)
    wire.budget = 17.0
    wire.run(2.0)
    assert wire.in_force('cp0')[:2] == (16.0, 1.0)


def test_a_team_of_three_waits_then_shares() -> None:
    wire = Wire()
    wire.run(20.0)
    assert wire.amperages() == [0.0, 0.0, 0.0]
    wire.run(10.0)
    assert wire.amperages() == pytest.approx([32 / 3] * 3)
    assert wire.leading == ['cp0']
    assert wire.in_force('cp0').trim_amperage == 0.0


def test_while_nobody_is_raised_the_reason_says_so() -> None:
    wire = Wire()
    wire.run(15.0)
    assert 'there is a new leader' in wire.in_force('cp1').reason
    wire.run(15.0)
    assert 'fair share' in wire.in_force('cp1').reason


def test_a_term_is_not_used_before_it_is_persisted() -> None:
    leader = Leader(TeamConfig('depot', ('cp0',)), 'cp0', 0.0, last_term=7)
    leader.hear_request(0.0, TeamRequest('depot', 'cp0', 1))
    for now in range(5):
        step = leader.step(float(now), None)
        assert (step.persist, step.allocation) == (8, None)
        leader.persisted(float(now), 7)  # not what was asked for
    leader.persisted(5.0, 8)
    allocation = leader.step(5.0, None).allocation
    assert allocation is not None
    assert (allocation.term, allocation.leader) == (8, 'cp0')


def test_the_takeover_stops_no_vehicle_and_raises_nobody_for_18_s() -> None:
    wire = Wire()
    wire.run(60.0)
    before = wire.amperages()
    assert min(before) > 10.0
    del wire.leaders['cp0'], wire.members['cp0'], wire.wishes['cp0']
    lost = wire.now

    def watch() -> None:
        assert min(wire.amperages()) > 10.0, f'stopped {wire.now - lost:.0f} s after the loss'
        if wire.now < lost + 22.0:
            assert max(wire.amperages()) <= before[0] + 1e-9
    wire.run(45.0, watch)
    assert wire.leading == ['cp1']
    assert wire.amperages() == pytest.approx([16.0, 16.0])


def test_without_a_majority_nobody_is_named() -> None:
    wire = Wire()
    wire.run(40.0)
    for name in ('cp1', 'cp2'):
        del wire.members[name], wire.leaders[name]
    wire.lists.clear()
    wire.run(30.0)
    named = [a for a in wire.lists if a.members]
    assert len(named) <= 6
    assert wire.in_force('cp0').silent


def test_a_leader_steps_down_for_a_higher_term_and_counts_on() -> None:
    wire = Wire(config=TeamConfig('depot', ('cp0', 'cp1', 'cp2'), candidates=('cp0',)))
    wire.run(10.0)
    leader = wire.leaders['cp0']
    assert leader.role is Role.LEADING
    leader.hear_list(wire.now, a_list(1, term=41, leader='cp2'))
    assert leader.role is Role.FOLLOWING
    wire.run(8.0)
    assert wire.terms[-1] == 42


def test_it_also_steps_down_when_a_member_tells_of_a_higher_term() -> None:
    wire = Wire()
    wire.run(10.0)
    leader = wire.leaders['cp0']
    leader.hear_request(wire.now, TeamRequest('depot', 'cp1', 10_000, 'cp2', 9, 3))
    assert leader.role is Role.FOLLOWING


def test_a_candidate_starts_nothing_while_members_tell_of_a_leader() -> None:
    """It hears the members, but not the leader: a one-way loss is no reason to take over."""
    config = TeamConfig('depot', ('cp0', 'cp1', 'cp2'))
    deaf = Leader(config, 'cp1', 0.0)
    for now in range(1, 60):
        for i in range(3):
            deaf.hear_request(now, TeamRequest('depot', f'cp{i}', now, 'cp0', 1, now))
        assert deaf.step(now, None) == (None, None)


def test_two_leaders_under_one_name_are_noticed() -> None:
    wire = Wire()
    wire.run(10.0)
    leader = wire.leaders['cp0']
    leader.hear_list(wire.now, wire.lists[-1])
    assert leader.diagnosis.namesakes == 0
    leader.hear_list(wire.now, replace(wire.lists[-1], sequence=9999))
    assert leader.diagnosis.namesakes == 1
    assert leader.role is Role.FOLLOWING
    again = Leader(wire.config, 'cp0', wire.now, last_term=1)
    again.hear_list(wire.now, wire.lists[-1])
    assert again.diagnosis.namesakes == 0, 'its own, of before its restart'


def test_requests_are_taken_in_their_order_until_a_member_was_silent_for_long() -> None:
    leader = Wire().leaders['cp0']
    account = leader.accounts['cp1']

    def heard(now: float, sequence: int) -> bool:
        leader.hear_request(now, TeamRequest('depot', 'cp1', sequence))
        return account.request_sequence == sequence
    assert heard(1000.0, 50)
    assert not heard(1001.0, 49)
    assert not heard(1017.9, 1)
    assert heard(1018.0, 1)


@pytest.mark.parametrize(('request_', 'words'), [
    (TeamRequest('depot', 'cp9', 1), "'cp9' refused: no member (members: cp0, cp1, cp2)"),
    (TeamRequest('depot', 'cp1', 1, requested_amperage=math.nan), 'requested_amperage nan'),
    (TeamRequest('depot', 'cp1', 1, drawable_amperage=math.inf), 'drawable_amperage inf'),
    (TeamRequest('depot', 'cp1', 1, weight=0.0), 'weight 0.0'),
    (TeamRequest('depot', 'cp1', 1, phase_map=(1, 1)), 'phase_map [1, 1]'),
    (TeamRequest('depot', 'cp1', 1, fall_time=18.0), 'fall_time 18 s (allowed: up to 6'),
])
def test_a_request_that_cannot_be_is_refused_and_counted(request_: TeamRequest,
                                                         words: str) -> None:
    leader = Wire().leaders['cp0']
    leader.hear_request(1000.0, request_)
    assert leader.diagnosis.refused_requests == 1
    assert words in leader.diagnosis.last_refusal
    assert leader.accounts['cp1'].request is None


def test_other_teams_are_not_heard() -> None:
    wire = Wire()
    wire.run(10.0)
    leader = wire.leaders['cp0']
    leader.hear_list(wire.now, a_list(1, term=99, leader='x', team='other'))
    leader.hear_request(wire.now, TeamRequest('other', 'cp1', 99_999, 'x', 99, 1))
    assert leader.role is Role.LEADING
    assert leader.diagnosis.refused_requests == 0


def test_a_silent_budget_leaves_the_failsafe_amperages() -> None:
    wire = Wire(config=TeamConfig('depot', ('cp0', 'cp1', 'cp2'), failsafe_amperage=6.0))
    for name in wire.members:
        wire.members[name] = Member(MemberConfig('depot', name, 6.0), wire.now)
    wire.run(40.0)
    leader = wire.leaders['cp0']
    old = Heard(TeamBudget('depot', (32.0,) * 3, 10.0), wire.now - 10.0)
    for name, member in wire.members.items():
        wire.send_request(name, member)
    allocation = leader.step(wire.now, old).allocation
    assert allocation is not None
    assert [m.allocated_amperage for m in allocation.members] == [6.0, 6.0, 6.0]


def test_a_member_that_falls_silent_stays_reserved_18_s_then_others_use_its_share() -> None:
    wire = Wire()
    wire.run(60.0)
    gone, last_named = wire.members.pop('cp2'), wire.now - 1.0
    wire.wishes.pop('cp2')
    assert gone.in_force(wire.now).amperage == pytest.approx(32 / 3)
    while max(wire.amperages()) < 11.0:
        wire.run(1.0)
    assert 18.0 <= wire.now - last_named <= 21.0
    assert wire.amperages() == pytest.approx([16.0, 16.0])
    assert wire.leaders['cp0'].diagnosis.silent == ('cp2',)


def test_an_increase_waits_until_the_decrease_is_confirmed() -> None:
    wire = Wire(2)
    wire.wishes['cp1'] = replace(WISH, requested_amperage=0.0, vehicle_status='A')
    wire.budget = 16.0
    wire.run(40.0)
    assert wire.amperages() == [16.0, 0.0]
    wire.wishes['cp1'] = WISH
    asked = wire.now
    while wire.in_force('cp1').amperage == 0.0:
        assert sum(wire.amperages()) <= 16.0
        wire.run(1.0)
    assert 6.0 <= wire.now - asked <= 10.0  # the fall_time of the other vehicle
    assert wire.in_force('cp0').amperage == 8.0


def test_a_member_that_draws_more_than_it_may_is_named_and_the_others_yield() -> None:
    wire = Wire()
    wire.run(60.0)
    wire.wishes['cp2'] = replace(WISH, requested_amperage=6.0)
    wire.run(10.0)
    assert wire.amperages() == pytest.approx([13.0, 13.0, 6.0])
    wire.drawable['cp2'].append((wire.now + 1e6, 16.0))  # whatever it is told
    wire.run(15.0)
    assert wire.leaders['cp0'].diagnosis.overdrawing == ('cp2',)
    assert wire.amperages() == pytest.approx([8.0, 8.0, 6.0])


def test_a_restarted_charger_that_does_not_know_its_vehicle_yet_stops_nobody() -> None:
    wire = Wire()
    wire.run(60.0)
    wire.members['cp2'] = Member(MemberConfig('depot', 'cp2'), wire.now, 10_000)
    wire.drawable['cp2'] = [(wire.now + 1.0, 32.0)]

    def watch() -> None:
        assert wire.in_force('cp0').amperage > 10.0
        assert wire.in_force('cp1').amperage > 10.0
    wire.run(6.0, watch)


@pytest.mark.parametrize('slope', [0.05, 0.15, 0.4])
def test_a_budget_that_falls_steadily_makes_nobody_a_liar(slope: float) -> None:
    """Who always comes down some seconds late is not to be taken for one that takes too much."""
    wire = Wire(budget=40.0)
    wire.run(60.0)

    def watch() -> None:
        wire.budget -= slope
        assert wire.leaders['cp0'].diagnosis.overdrawing == ()
        assert min(wire.amperages()) > (wire.budget - 8.0 * slope) / 3.0 - 0.3
    wire.run(15.0 / slope, watch)
    assert wire.budget == pytest.approx(25.0, abs=slope)


def test_a_budget_that_falls_is_passed_on_with_the_next_request() -> None:
    wire = Wire()
    wire.run(60.0)
    leader = wire.leaders['cp0']
    low = Heard(TeamBudget('depot', (18.0,) * 3, 10.0), wire.now)
    assert leader.step(wire.now, low).allocation.members == ()  # type: ignore[union-attr]
    request = wire.members['cp1'].request(wire.now, replace(WISH, drawable_amperage=10.0))
    assert leader.hear_request(wire.now, request), 'to be lowered: step at once'
    allocation = leader.step(wire.now, low).allocation
    assert allocation is not None
    assert [(m.member, m.allocated_amperage) for m in allocation.members] == [('cp1', 6.0)]


def test_a_phase_is_freed_only_when_the_member_can_no_longer_act_on_it() -> None:
    wire = Wire()
    wire.run(60.0)
    account = wire.leaders['cp0'].accounts['cp1']
    request = wire.members['cp1'].request(wire.now, replace(
        WISH, phases_in_use=1, drawable_amperage=10.0))
    wire.leaders['cp0'].hear_request(wire.now, request)
    assert account.phases == (0, 1, 2)
    wire.wishes['cp1'] = replace(WISH, phases_in_use=1)
    wire.run(3.0)
    assert account.phases == (0,)


def test_the_total_is_what_the_team_asks_as_one_member() -> None:
    wire = Wire()
    wire.wishes['cp0'] = replace(WISH, phase_map=(2,), amperage=(10.0, math.nan, math.nan))
    wire.wishes['cp1'] = replace(WISH, requested_amperage=0.0, vehicle_status='A',
                                 amperage=(0.0, 0.0, 0.0))
    wire.wishes['cp2'] = replace(WISH, priority=3, weight=2.0, amperage=(1.0, 2.0, 3.0),
                                 phase_map=(2, 3, 1), minimum_amperage=8.0)
    wire.run(60.0)
    total = wire.leaders['cp0'].total(wire.now)
    assert total.requested_amperage == 32.0   # L2: cp0 and cp2
    assert total.minimum_amperage == 6.0
    assert total.drawable_amperage == 32.0
    assert total.fall_time == 18.0
    assert (total.priority, total.weight, total.vehicle_status) == (3, 3.0, 'C')
    assert total.amperage == (3.0, 11.0, 2.0)
    assert total.phases_in_use == 7
    assert total.refusal() == ''


def test_the_total_counts_on_the_phases_that_somebody_asks_for() -> None:
    wire = Wire()
    wire.wishes = {n: replace(WISH, phase_map=(p,)) for n, p in
                   zip(wire.members, (2, 3, 3), strict=True)}
    wire.run(30.0)
    assert wire.leaders['cp0'].total(wire.now).phases_in_use == 6


@pytest.mark.parametrize(('config', 'words'), [
    ({'members': ()}, 'at least one member'), ({'members': ('a', 'a')}, 'every name once'),
    ({'members': ('a', '')}, 'none empty'), ({'team': ''}, 'a team has a name'),
    ({'trim_amperage': -1.0}, 'trim_amperage -1.0'), ({'fall_time': math.inf}, 'fall_time inf'),
    ({'failsafe_amperage': math.nan}, 'failsafe_amperage nan')])
def test_a_bad_configuration_is_refused(config: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TeamConfig(**{'team': 'depot', 'members': ('a', 'b'), **config})  # type: ignore[arg-type]


def test_only_a_candidate_may_lead() -> None:
    config = TeamConfig('depot', ('a', 'b', 'c'), candidates=('a', 'b'))
    with pytest.raises(ValueError, match=r"'c' is no candidate of team 'depot' .*a, b"):
        Leader(config, 'c', 0.0)


def test_the_times_of_a_team_of_one() -> None:
    assert TeamConfig('depot', ('a',)).lease == ALONE
    assert TeamConfig('depot', ('a', 'b')).lease == LEASE_TIMES
