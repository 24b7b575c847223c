"""Two teams of three, everything fails at random: no phase is ever given more than there is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from team_lease_model import Mutation, World, search, search_in_parallel

from charger_control.core.team import Leader, Member, TeamRequest
from charger_control.core.team.ledger import Account, Claim
from charger_control.core.team.types import LEASE_TIMES, LeaseTimes


@pytest.mark.timeout(600)  # a minute on two free processors
def test_the_budget_holds_through_10000_schedules() -> None:
    """Losses one way and both, delays to 90 s, duplicates, restarts, suspends, two leaders."""
    count, seen = search_in_parallel(range(10_000))
    assert not seen
    assert count == 10_000


def test_the_budget_holds_with_the_real_allocator() -> None:
    _, seen = search_in_parallel(range(100_000, 100_400), 100, greedy=False)
    assert not seen


def test_the_model_is_not_idle() -> None:
    """Vehicles are served, leaders change, and all of that in most of the schedules."""
    worlds = [World(seed) for seed in range(100)]
    outcomes = [world.run() for world in worlds]
    changed = sum(len(outcome.leaders) > len(world.teams)
                  for outcome, world in zip(outcomes, worlds, strict=True))
    served = sum(outcome.served for outcome in outcomes) / sum(w.duration for w in worlds)
    assert changed > 30
    assert served > 10.0  # A, of two teams, with all that goes wrong


class CountsFromReceipt(Member):
    """Rule 1 bent: the lease is counted from the receipt of the list."""

    def _lease_end(self, now: float, sent: float | None, request_sequence: int) -> float | None:
        renews = super()._lease_end(now, sent, request_sequence) is not None
        return now + LEASE_TIMES.valid_for if renews else None


class WithoutMajority(Leader):
    """Rule 2 left out: one supporter is enough."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._election._needed = 1


class FreesOnAnyLaterList(Account):
    """Rule 3 bent: a list that did not name the member counts as proof of an earlier one."""

    __slots__ = ()

    def hear(self, now: float, request: TeamRequest, leader: str) -> bool:
        if not super().hear(now, request, leader):
            return False
        accepted = (request.accepted_term, request.accepted_sequence)
        if request.accepted_leader == leader:
            while len(self._namings) > 1 and self._namings[1].list_id <= accepted:
                self._namings.popleft()
        return True


class ForgetsDrawable(Account):
    """Rule 3 bent: a lowered value is free as soon as it is accepted."""

    __slots__ = ()

    def claim(self, now: float) -> Claim:
        claim = super().claim(now)
        return claim._replace(reserved=claim.due)


class ReservesTooShort(Account):
    """Rule 3 bent: what was named stays reserved for 10 s only."""

    __slots__ = ()

    def name(self, now: float, list_id: tuple[int, int], amperage: float) -> None:
        super().name(now - 8.0, list_id, amperage)


def with_accounts(kind: type[Account]) -> type[Leader]:
    class Bent(Leader):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[arg-type]
            self._accounts = {m: kind(self._times, self._config.failsafe_amperage)
                              for m in self._config.members}
    return Bent


@pytest.mark.parametrize('mutation', [
    pytest.param(Mutation(times=LeaseTimes(hold=False)), id='without rule 5'),
    pytest.param(Mutation(member=CountsFromReceipt), id='rule 1 from receipt'),
    pytest.param(Mutation(leader=WithoutMajority), id='without majority'),
    pytest.param(Mutation(leader=with_accounts(FreesOnAnyLaterList)), id='frees on any later list'),
    pytest.param(Mutation(leader=with_accounts(ForgetsDrawable)), id='forgets drawable'),
    pytest.param(Mutation(leader=with_accounts(ReservesTooShort)), id='reserves for 10 s'),
])
def test_the_model_finds_a_rule_that_is_left_out(mutation: Mutation) -> None:
    _, seen = search(range(2500), mutation)
    assert seen, 'the model no longer finds what this rule is for'


def test_a_schedule_is_the_same_every_time() -> None:
    first, second = World(7).run(), World(7).run()
    assert first == second
