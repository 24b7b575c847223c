"""The lease, the member's side, rule by rule (docs/team.md)."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from charger_control.core.messages.team import MemberAllocation
from charger_control.core.team import Member, MemberConfig

sys.path.insert(0, str(Path(__file__).parents[1]))

from team_wire import WISH, a_list, line


@pytest.fixture
def member() -> Member:
    """A member that was started 100 s ago and follows leader L, term 1."""
    started = Member(MemberConfig('depot', 'cp1', 6.0), 0.0, first_sequence=500)
    started.hear(100.0, a_list(1))
    return started


def test_a_lease_ends_10_s_after_the_request_was_sent_not_after_the_answer(
        member: Member) -> None:
    request = member.request(100.0, WISH)
    assert member.hear(108.0, a_list(2, line(request, 12.0, 1.0)))
    assert member.in_force(109.99)[:2] == (12.0, 1.0)
    assert member.in_force(109.99).ends_in == pytest.approx(0.01)
    ended = member.in_force(110.0)
    assert (ended.amperage, ended.trim_amperage, ended.silent) == (6.0, 0.0, True)
    assert '6 A' in ended.reason


def test_requests_are_numbered_from_where_they_are_told_to(member: Member) -> None:
    first, second = member.request(100.0, WISH), member.request(101.0, WISH)
    assert (first.sequence, second.sequence) == (500, 501)


def test_a_request_says_what_was_accepted_and_what_is_in_force(member: Member) -> None:
    request = member.request(100.0, WISH)
    assert (request.accepted_leader, request.accepted_term, request.accepted_sequence) == (
        'L', 1, 1)
    assert request.allocated_amperage == 0.0
    assert request.failsafe_amperage == 6.0
    member.hear(100.5, a_list(2, line(request, 12.0)))
    assert member.request(101.0, WISH).allocated_amperage == 12.0
    assert member.request(111.0, WISH).allocated_amperage == 0.0


def test_an_answer_to_a_request_older_than_10_s_renews_nothing(member: Member) -> None:
    request = member.request(100.0, WISH)
    member.hear(110.0, a_list(2, line(request, 12.0)))
    assert member.in_force(110.0).silent


def test_an_answer_to_a_request_of_before_a_restart_renews_nothing() -> None:
    again = Member(MemberConfig('depot', 'cp1'), 0.0, first_sequence=1000)
    again.hear(6.0, a_list(1))
    again.request(6.0, WISH)
    again.hear(6.5, a_list(2, MemberAllocation('cp1', 500, 12.0)))
    assert again.in_force(6.5).amperage == 0.0


def test_a_list_that_does_not_name_the_member_renews_nothing_but_is_accepted(
        member: Member) -> None:
    request = member.request(100.0, WISH)
    member.hear(100.5, a_list(2, line(request, 12.0)))
    member.hear(105.0, a_list(3, MemberAllocation('cp2', 7, 20.0)))
    assert member.in_force(109.9).amperage == 12.0
    assert member.in_force(110.0).silent
    assert member.request(106.0, WISH).accepted_sequence == 3


def test_a_list_that_is_not_newer_says_nothing(member: Member) -> None:
    first, second = member.request(100.0, WISH), member.request(101.0, WISH)
    member.hear(101.5, a_list(3, line(second, 10.0)))
    assert not member.hear(102.0, a_list(2, line(first, 20.0)))
    assert not member.hear(102.0, a_list(3, line(second, 20.0)))
    assert member.in_force(102.0).amperage == 10.0
    assert member.in_force(110.9).amperage == 10.0


def test_who_accepts_a_list_is_bound_by_it_even_if_it_renews_nothing(
        member: Member) -> None:
    old = member.request(100.0, WISH)
    new = member.request(109.0, WISH)
    member.hear(109.5, a_list(2, line(new, 20.0)))
    member.hear(112.0, a_list(3, line(old, 8.0)))
    assert member.in_force(112.0).amperage == 8.0
    assert member.in_force(112.0).ends_in == pytest.approx(7.0)
    member.hear(112.5, a_list(4, line(old, 30.0)))
    assert member.in_force(112.5).amperage == 8.0


def test_an_older_request_answered_late_does_not_shorten_or_raise(member: Member) -> None:
    old, new = member.request(100.0, WISH), member.request(103.0, WISH)
    member.hear(103.5, a_list(2, line(new, 10.0)))
    member.hear(104.0, a_list(3, line(old, 16.0)))
    assert member.in_force(104.0)[:3] == (10.0, 0.0, 9.0)


@pytest.mark.parametrize('amperage', [math.nan, math.inf, -1.0])
def test_a_value_that_cannot_be_is_refused_and_counts_as_silence(
        member: Member, amperage: float) -> None:
    request = member.request(100.0, WISH)
    assert not member.hear(100.5, a_list(2, line(request, amperage)))
    assert member.refused == 1
    assert member.in_force(100.5).silent
    assert member.request(101.0, WISH).accepted_sequence == 1


@pytest.mark.parametrize(('valid_for', 'ends_in'), [(4.0, 3.5), (99.0, 9.5), (0.0, 0.0),
                                                    (math.nan, 0.0)])
def test_a_list_may_shorten_the_lease_not_lengthen_it(
        member: Member, valid_for: float, ends_in: float) -> None:
    request = member.request(100.0, WISH)
    member.hear(100.5, replace(a_list(2, line(request, 12.0)), valid_for=valid_for))
    assert member.in_force(100.5).ends_in == pytest.approx(ends_in)


def test_it_knows_on_which_phases_the_leader_counts_it(member: Member) -> None:
    three = member.request(100.0, WISH)
    one = member.request(101.0, replace(WISH, phases_in_use=2))
    member.hear(101.5, a_list(2, line(three, 12.0)))
    assert member.in_force(101.5).phases_in_use == 7
    member.hear(102.0, a_list(3, line(one, 12.0)))
    assert member.in_force(102.0).phases_in_use == 2


def test_another_team_is_not_heard(member: Member) -> None:
    request = member.request(100.0, WISH)
    assert not member.hear(100.5, a_list(2, line(request, 12.0), team='other'))


def test_a_higher_term_is_taken_only_after_5_s_without_the_own_leader(
        member: Member) -> None:
    assert not member.hear(104.9, a_list(9, term=2, leader='M'))
    assert member.term == (1, 'L')
    assert member.hear(105.0, a_list(10, term=2, leader='M'))
    assert member.term == (2, 'M')
    assert not member.hear(200.0, a_list(99, term=1, leader='L'))


def test_after_its_own_start_a_member_follows_nobody_for_5_s_and_takes_nothing_for_10() -> None:
    started = Member(MemberConfig('depot', 'cp1', 6.0), 50.0)
    assert not started.hear(54.9, a_list(1))
    assert started.in_force(59.9).amperage == 0.0
    assert started.in_force(60.0).amperage == 6.0
    assert started.hear(55.0, a_list(2))


def test_equal_terms_are_told_apart_by_the_leaders_name(member: Member) -> None:
    assert not member.hear(100.5, a_list(50, term=1, leader='M'))
    assert member.hear(106.0, a_list(51, term=1, leader='M'))
    assert not member.hear(120.0, a_list(52, term=1, leader='L'))


@pytest.mark.parametrize(('config', 'words'), [
    (('', 'cp1', 0.0), "team ''"), (('depot', 'cp1', math.nan), 'failsafe_amperage nan'),
    (('depot', 'cp1', -1.0), 'failsafe_amperage -1.0')])
def test_a_bad_configuration_is_refused(config: tuple[str, str, float],
                                        words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MemberConfig(*config)
