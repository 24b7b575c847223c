"""A term from the network is bounded before it is kept: nobody counts on from garbage."""

import pytest

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import MemberAllocation, TeamAllocation, TeamRequest
from charger_control.core.team import Leader, Member, MemberConfig, TeamConfig, lease_times
from charger_control.core.team.types import MOST_TERM, MOST_TERMS_AHEAD

ABSURD = (2**64 - 1, 2**63, MOST_TERM, 2 * MOST_TERMS_AHEAD)
BUDGET = TeamBudget('team', (32.0,) * 3, 10.0)


def led(team=('a',), stored=0):
    return Leader(TeamConfig('team', tuple(team)), team[0], 0.0, stored)


def elected(leader, spoil=lambda leader, now: None):
    """The number of its first term, once it leads."""
    now, request = 0.0, TeamRequest('team', 'a', 0)
    for step in range(300):
        now = step * 0.1
        spoil(leader, now)
        leader.hear_request(now, TeamRequest('team', 'a', step + 1, 'a', request.accepted_term,
                                             request.accepted_sequence))
        did = leader.step(now, Heard(BUDGET, now))
        if did.persist is not None:
            leader.persisted(now, did.persist)
        if did.allocation is not None:
            return did.allocation.term
    raise AssertionError('nobody leads')


@pytest.mark.parametrize('absurd', ABSURD)
def test_a_list_of_an_absurd_term_moves_no_candidate(absurd):
    garbage = TeamAllocation('team', 'x', absurd, 1, 10.0)
    assert elected(led(), lambda leader, now: leader.hear_list(now, garbage)) == 1
    own = TeamAllocation('team', 'a', absurd, 1, 10.0)
    assert elected(led(), lambda leader, now: leader.hear_list(now, own)) == 1


@pytest.mark.parametrize('absurd', ABSURD)
def test_a_request_that_says_it_follows_an_absurd_term_moves_no_candidate(absurd):
    def spoil(leader, now):
        leader.hear_request(now, TeamRequest('team', 'a', 1, 'x', absurd, 1))
    leader = led()
    spoil(leader, 0.0)
    assert elected(leader) == 1


@pytest.mark.parametrize('absurd', ABSURD[:2])
def test_an_absurd_term_that_was_stored_heals_at_the_next_start(absurd):
    assert elected(led(stored=absurd)) == 1
    assert elected(led(stored=-1)) == 1
    assert elected(led(stored=41)) == 42


def test_a_term_far_ahead_is_taken_by_one_that_was_away_for_long():
    heard = TeamAllocation('team', 'x', 1000, 1, 10.0)
    leader = led()
    leader.hear_list(0.0, heard)
    assert elected(leader) == 1001


@pytest.mark.parametrize('absurd', ABSURD)
def test_a_member_follows_no_absurd_term(absurd):
    member = Member(MemberConfig('team', 'a', times=lease_times(3)), 0.0)
    sent = member.request(6.0, TeamRequest())
    lines = (MemberAllocation('a', sent.sequence, 16.0),)
    assert not member.hear(6.1, TeamAllocation('team', 'x', absurd, 1, 10.0, lines))
    assert member.hear(6.2, TeamAllocation('team', 'b', 3, 1, 10.0, lines))
    assert member.in_force(6.3).amperage == 16.0
