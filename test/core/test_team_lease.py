"""The lease, rule by rule: Member and Leader on a network that works (docs/team.md)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from charger_control.core.heard import Heard
from charger_control.core.team import (
    InForce,
    Leader,
    Member,
    MemberAllocation,
    MemberConfig,
    Role,
    TeamAllocation,
    TeamConfig,
    TeamRequest,
)
from charger_control.core.team.types import ALONE, LEASE_TIMES
from charger_control.core.vcse import TeamBudget

WISH = TeamRequest(requested_amperage=16.0, phase_map=(1, 2, 3), vehicle_status='C')


class Wire:
    """Members and candidates that hear each other at once, one request and one step a second."""

    def __init__(self, count: int = 3, budget: float = 32.0, config: TeamConfig | None = None,
                 start: float = 1000.0) -> None:
        self.now = start
        names = tuple(f'cp{i}' for i in range(count))
        self.config = config or TeamConfig('depot', names)
        times = self.config.lease
        self.members = {n: Member(MemberConfig('depot', n, times=times), start)
                        for n in self.config.members}
        self.leaders = {n: Leader(self.config, n, start) for n in self.config.electable}
        self.wishes = dict.fromkeys(self.config.members, WISH)
        self.drawable: dict[str, list[tuple[float, float]]] = {n: [] for n in self.members}
        self.budget = budget
        self.terms: list[int] = []
        self.lists: list[TeamAllocation] = []

    def run(self, seconds: float, watch: Callable[[], None] = lambda: None) -> None:
        end = self.now + seconds
        while self.now < end:
            self.cycle()
            watch()
            self.now += 1.0

    def cycle(self) -> None:
        for name, member in self.members.items():
            self.send_request(name, member)
        for leader in list(self.leaders.values()):
            self.step(leader)

    def send_request(self, name: str, member: Member) -> None:
        seen = self.drawable[name]
        seen.append((self.now, self.in_force(name).amperage))
        recent = max(a for at, a in seen if self.now - at <= 6.0)
        request = member.request(self.now, replace(self.wishes[name], drawable_amperage=recent))
        for leader in self.leaders.values():
            if leader.hear_request(self.now, request):
                self.step(leader)

    def step(self, leader: Leader) -> None:
        budget = Heard(TeamBudget('depot', (self.budget,) * 3, 10.0), self.now)
        step = leader.step(self.now, budget)
        if step.persist is not None:
            self.terms.append(step.persist)
            leader.persisted(self.now, step.persist)
            step = leader.step(self.now, budget)
        if step.allocation is not None:
            self.lists.append(step.allocation)
            for other in self.leaders.values():
                other.hear_list(self.now, step.allocation)
            for name, member in self.members.items():
                if member.hear(self.now, step.allocation):
                    self.send_request(name, member)

    def in_force(self, name: str) -> InForce:
        return self.members[name].in_force(self.now)

    def amperages(self) -> list[float]:
        return [self.in_force(n).amperage for n in self.members]

    @property
    def leading(self) -> list[str]:
        return [n for n, leader in self.leaders.items()
                if not math.isinf(leader.holding_for(self.now))]


def a_list(sequence: int, *lines: MemberAllocation, term: int = 1, leader: str = 'L',
           team: str = 'depot') -> TeamAllocation:
    return TeamAllocation(team, leader, term, sequence, 10.0, lines)


def line(request: TeamRequest, amperage: float, trim: float = 0.0) -> MemberAllocation:
    return MemberAllocation(request.member, request.sequence, amperage, trim, 'because')


@pytest.fixture
def member() -> Member:
    """A member that was started 100 s ago and follows leader L, term 1."""
    started = Member(MemberConfig('depot', 'cp1', 6.0), 0.0, first_sequence=500)
    started.hear(100.0, a_list(1))
    return started


# -- the member ------------------------------------------------------------------------------------
class TestMember:
    def test_a_lease_ends_10_s_after_the_request_was_sent_not_after_the_answer(
            self, member: Member) -> None:
        request = member.request(100.0, WISH)
        assert member.hear(108.0, a_list(2, line(request, 12.0, 1.0)))
        assert member.in_force(109.99)[:2] == (12.0, 1.0)
        assert member.in_force(109.99).ends_in == pytest.approx(0.01)
        ended = member.in_force(110.0)
        assert (ended.amperage, ended.trim_amperage, ended.silent) == (6.0, 0.0, True)
        assert '6 A' in ended.reason

    def test_requests_are_numbered_from_where_they_are_told_to(self, member: Member) -> None:
        first, second = member.request(100.0, WISH), member.request(101.0, WISH)
        assert (first.sequence, second.sequence) == (500, 501)

    def test_a_request_says_what_was_accepted_and_what_is_in_force(self, member: Member) -> None:
        request = member.request(100.0, WISH)
        assert (request.accepted_leader, request.accepted_term, request.accepted_sequence) == (
            'L', 1, 1)
        assert request.allocated_amperage == 0.0
        assert request.failsafe_amperage == 6.0
        member.hear(100.5, a_list(2, line(request, 12.0)))
        assert member.request(101.0, WISH).allocated_amperage == 12.0
        assert member.request(111.0, WISH).allocated_amperage == 0.0

    def test_an_answer_to_a_request_older_than_10_s_renews_nothing(self, member: Member) -> None:
        request = member.request(100.0, WISH)
        member.hear(110.0, a_list(2, line(request, 12.0)))
        assert member.in_force(110.0).silent

    def test_an_answer_to_a_request_of_before_a_restart_renews_nothing(self) -> None:
        again = Member(MemberConfig('depot', 'cp1'), 0.0, first_sequence=1000)
        again.hear(6.0, a_list(1))
        again.request(6.0, WISH)
        again.hear(6.5, a_list(2, MemberAllocation('cp1', 500, 12.0)))
        assert again.in_force(6.5).amperage == 0.0

    def test_a_list_that_does_not_name_the_member_renews_nothing_but_is_accepted(
            self, member: Member) -> None:
        request = member.request(100.0, WISH)
        member.hear(100.5, a_list(2, line(request, 12.0)))
        member.hear(105.0, a_list(3, MemberAllocation('cp2', 7, 20.0)))
        assert member.in_force(109.9).amperage == 12.0
        assert member.in_force(110.0).silent
        assert member.request(106.0, WISH).accepted_sequence == 3

    def test_a_list_that_is_not_newer_says_nothing(self, member: Member) -> None:
        first, second = member.request(100.0, WISH), member.request(101.0, WISH)
        member.hear(101.5, a_list(3, line(second, 10.0)))
        assert not member.hear(102.0, a_list(2, line(first, 20.0)))
        assert not member.hear(102.0, a_list(3, line(second, 20.0)))
        assert member.in_force(102.0).amperage == 10.0
        assert member.in_force(110.9).amperage == 10.0

    def test_who_accepts_a_list_is_bound_by_it_even_if_it_renews_nothing(
            self, member: Member) -> None:
        old = member.request(100.0, WISH)
        new = member.request(109.0, WISH)
        member.hear(109.5, a_list(2, line(new, 20.0)))
        member.hear(112.0, a_list(3, line(old, 8.0)))
        assert member.in_force(112.0).amperage == 8.0
        assert member.in_force(112.0).ends_in == pytest.approx(7.0)
        member.hear(112.5, a_list(4, line(old, 30.0)))
        assert member.in_force(112.5).amperage == 8.0

    def test_an_older_request_answered_late_does_not_shorten_or_raise(self, member: Member) -> None:
        old, new = member.request(100.0, WISH), member.request(103.0, WISH)
        member.hear(103.5, a_list(2, line(new, 10.0)))
        member.hear(104.0, a_list(3, line(old, 16.0)))
        assert member.in_force(104.0)[:3] == (10.0, 0.0, 9.0)

    @pytest.mark.parametrize('amperage', [math.nan, math.inf, -1.0])
    def test_a_value_that_cannot_be_is_refused_and_counts_as_silence(
            self, member: Member, amperage: float) -> None:
        request = member.request(100.0, WISH)
        assert not member.hear(100.5, a_list(2, line(request, amperage)))
        assert member.refused == 1
        assert member.in_force(100.5).silent
        assert member.request(101.0, WISH).accepted_sequence == 1

    @pytest.mark.parametrize(('valid_for', 'ends_in'), [(4.0, 3.5), (99.0, 9.5), (0.0, 0.0),
                                                        (math.nan, 0.0)])
    def test_a_list_may_shorten_the_lease_not_lengthen_it(
            self, member: Member, valid_for: float, ends_in: float) -> None:
        request = member.request(100.0, WISH)
        member.hear(100.5, replace(a_list(2, line(request, 12.0)), valid_for=valid_for))
        assert member.in_force(100.5).ends_in == pytest.approx(ends_in)

    def test_it_knows_on_which_phases_the_leader_counts_it(self, member: Member) -> None:
        three = member.request(100.0, WISH)
        one = member.request(101.0, replace(WISH, phases_in_use=2))
        member.hear(101.5, a_list(2, line(three, 12.0)))
        assert member.in_force(101.5).phases_in_use == 7
        member.hear(102.0, a_list(3, line(one, 12.0)))
        assert member.in_force(102.0).phases_in_use == 2

    def test_another_team_is_not_heard(self, member: Member) -> None:
        request = member.request(100.0, WISH)
        assert not member.hear(100.5, a_list(2, line(request, 12.0), team='other'))

    def test_a_higher_term_is_taken_only_after_5_s_without_the_own_leader(
            self, member: Member) -> None:
        assert not member.hear(104.9, a_list(9, term=2, leader='M'))
        assert member.term == (1, 'L')
        assert member.hear(105.0, a_list(10, term=2, leader='M'))
        assert member.term == (2, 'M')
        assert not member.hear(200.0, a_list(99, term=1, leader='L'))

    def test_after_its_own_start_a_member_follows_nobody_for_5_s_and_takes_nothing_for_10(
            self) -> None:
        started = Member(MemberConfig('depot', 'cp1', 6.0), 50.0)
        assert not started.hear(54.9, a_list(1))
        assert started.in_force(59.9).amperage == 0.0
        assert started.in_force(60.0).amperage == 6.0
        assert started.hear(55.0, a_list(2))

    def test_equal_terms_are_told_apart_by_the_leaders_name(self, member: Member) -> None:
        assert not member.hear(100.5, a_list(50, term=1, leader='M'))
        assert member.hear(106.0, a_list(51, term=1, leader='M'))
        assert not member.hear(120.0, a_list(52, term=1, leader='L'))

    @pytest.mark.parametrize(('config', 'words'), [
        (('', 'cp1', 0.0), "team ''"), (('depot', 'cp1', math.nan), 'failsafe_amperage nan'),
        (('depot', 'cp1', -1.0), 'failsafe_amperage -1.0')])
    def test_a_bad_configuration_is_refused(self, config: tuple[str, str, float],
                                            words: str) -> None:
        with pytest.raises(ValueError, match=words):
            MemberConfig(*config)


# -- the leader ------------------------------------------------------------------------------------
class TestLeader:
    def test_a_team_of_one_works_within_three_cycles_and_has_trim(self) -> None:
        wire = Wire(1, budget=20.0)
        wire.run(3.0)
        grant = wire.in_force('cp0')
        assert grant[:2] == (16.0, 2.0)
        wire.budget = 17.0
        wire.run(2.0)
        assert wire.in_force('cp0')[:2] == (16.0, 1.0)

    def test_a_team_of_three_waits_then_shares(self) -> None:
        wire = Wire()
        wire.run(20.0)
        assert wire.amperages() == [0.0, 0.0, 0.0]
        wire.run(10.0)
        assert wire.amperages() == pytest.approx([32 / 3] * 3)
        assert wire.leading == ['cp0']
        assert wire.in_force('cp0').trim_amperage == 0.0

    def test_a_term_is_not_used_before_it_is_persisted(self) -> None:
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

    def test_the_takeover_stops_no_vehicle_and_raises_nobody_for_18_s(self) -> None:
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

    def test_without_a_majority_nobody_is_named(self) -> None:
        wire = Wire()
        wire.run(40.0)
        for name in ('cp1', 'cp2'):
            del wire.members[name], wire.leaders[name]
        wire.lists.clear()
        wire.run(30.0)
        named = [a for a in wire.lists if a.members]
        assert len(named) <= 6
        assert wire.in_force('cp0').silent

    def test_a_leader_steps_down_for_a_higher_term_and_counts_on(self) -> None:
        wire = Wire(config=TeamConfig('depot', ('cp0', 'cp1', 'cp2'), candidates=('cp0',)))
        wire.run(10.0)
        leader = wire.leaders['cp0']
        assert leader.role is Role.LEADING
        leader.hear_list(wire.now, a_list(1, term=41, leader='cp2'))
        assert leader.role is Role.FOLLOWING
        wire.run(8.0)
        assert wire.terms[-1] == 42

    def test_it_also_steps_down_when_a_member_tells_of_a_higher_term(self) -> None:
        wire = Wire()
        wire.run(10.0)
        leader = wire.leaders['cp0']
        leader.hear_request(wire.now, TeamRequest('depot', 'cp1', 10_000, 'cp2', 9, 3))
        assert leader.role is Role.FOLLOWING

    def test_a_candidate_starts_nothing_while_members_tell_of_a_leader(self) -> None:
        """It hears the members, but not the leader: a one-way loss is no reason to take over."""
        config = TeamConfig('depot', ('cp0', 'cp1', 'cp2'))
        deaf = Leader(config, 'cp1', 0.0)
        for now in range(1, 60):
            for i in range(3):
                deaf.hear_request(now, TeamRequest('depot', f'cp{i}', now, 'cp0', 1, now))
            assert deaf.step(now, None) == (None, None)

    def test_two_leaders_under_one_name_are_noticed(self) -> None:
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

    def test_requests_are_taken_in_their_order_until_a_member_was_silent_for_long(self) -> None:
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
    def test_a_request_that_cannot_be_is_refused_and_counted(self, request_: TeamRequest,
                                                             words: str) -> None:
        leader = Wire().leaders['cp0']
        leader.hear_request(1000.0, request_)
        assert leader.diagnosis.refused_requests == 1
        assert words in leader.diagnosis.last_refusal
        assert leader.accounts['cp1'].request is None

    def test_other_teams_are_not_heard(self) -> None:
        wire = Wire()
        wire.run(10.0)
        leader = wire.leaders['cp0']
        leader.hear_list(wire.now, a_list(1, term=99, leader='x', team='other'))
        leader.hear_request(wire.now, TeamRequest('other', 'cp1', 99_999, 'x', 99, 1))
        assert leader.role is Role.LEADING
        assert leader.diagnosis.refused_requests == 0

    def test_a_silent_budget_leaves_the_failsafe_amperages(self) -> None:
        wire = Wire()
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

    def test_a_member_that_falls_silent_stays_reserved_18_s_then_others_use_its_share(
            self) -> None:
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

    def test_an_increase_waits_until_the_decrease_is_confirmed(self) -> None:
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

    def test_a_member_that_draws_more_than_it_may_is_named_and_the_others_yield(self) -> None:
        wire = Wire()
        wire.run(60.0)
        wire.wishes['cp2'] = replace(WISH, requested_amperage=6.0)
        wire.run(10.0)
        assert wire.amperages() == pytest.approx([13.0, 13.0, 6.0])
        wire.drawable['cp2'].append((wire.now + 1e6, 16.0))  # whatever it is told
        wire.run(15.0)
        assert wire.leaders['cp0'].diagnosis.overdrawing == ('cp2',)
        assert wire.amperages() == pytest.approx([8.0, 8.0, 6.0])

    def test_a_restarted_charger_that_does_not_know_its_vehicle_yet_stops_nobody(self) -> None:
        wire = Wire()
        wire.run(60.0)
        wire.members['cp2'] = Member(MemberConfig('depot', 'cp2'), wire.now, 10_000)
        wire.drawable['cp2'] = [(wire.now + 1.0, 32.0)]

        def watch() -> None:
            assert wire.in_force('cp0').amperage > 10.0
            assert wire.in_force('cp1').amperage > 10.0
        wire.run(6.0, watch)

    def test_a_budget_that_falls_is_passed_on_with_the_next_request(self) -> None:
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

    def test_a_phase_is_freed_only_when_the_member_can_no_longer_act_on_it(self) -> None:
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

    def test_the_total_is_what_the_team_asks_as_one_member(self) -> None:
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

    def test_the_total_counts_on_the_phases_that_somebody_asks_for(self) -> None:
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
    def test_a_bad_configuration_is_refused(self, config: dict[str, object], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            TeamConfig(**{'team': 'depot', 'members': ('a', 'b'), **config})  # type: ignore[arg-type]

    def test_only_a_candidate_may_lead(self) -> None:
        config = TeamConfig('depot', ('a', 'b', 'c'), candidates=('a', 'b'))
        with pytest.raises(ValueError, match=r"'c' is no candidate of team 'depot' .*a, b"):
            Leader(config, 'c', 0.0)

    def test_the_times_of_a_team_of_one(self) -> None:
        assert TeamConfig('depot', ('a',)).lease == ALONE
        assert TeamConfig('depot', ('a', 'b')).lease == LEASE_TIMES


class TestNesting:
    """A team as a member of a larger one."""

    def test_a_budget_from_above_reaches_the_vehicles_and_its_loss_takes_it_back(self) -> None:
        upper = TeamConfig('site', ('north',), fall_time=18.0)
        site = Leader(upper, 'north', 0.0)
        member = Member(MemberConfig('site', 'north', times=upper.lease), 0.0)
        wire = Wire(3, start=0.0)
        budget = Heard(TeamBudget('site', (30.0,) * 3, 10.0), 0.0)

        def exchange(*, connected: bool) -> None:
            request = member.request(wire.now, wire.leaders['cp0'].total(wire.now))
            if connected:
                site.hear_request(wire.now, request)
                step = site.step(wire.now, replace(budget, at=wire.now))
                if step.persist is not None:
                    site.persisted(wire.now, step.persist)
                if step.allocation is not None:
                    member.hear(wire.now, step.allocation)
            wire.budget = member.in_force(wire.now).amperage
        wire.budget = 0.0
        wire.run(60.0, lambda: exchange(connected=True))
        assert wire.amperages() == pytest.approx([10.0, 10.0, 10.0])
        assert site.accounts['north'].claim(wire.now).reserved == pytest.approx(30.0)
        wire.run(12.0, lambda: exchange(connected=False))
        assert wire.amperages() == [0.0, 0.0, 0.0]
        # the supply keeps its share as long as the slowest vehicle of the team may take
        assert site.accounts['north'].claim(wire.now).reserved == pytest.approx(30.0)
        assert site.accounts['north'].claim(wire.now + 20.0).reserved == 0.0
