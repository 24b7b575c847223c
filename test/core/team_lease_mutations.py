"""Rules of the lease left out or bent, to see that the model finds what they are for."""

from __future__ import annotations

from team_lease_model import Mutation

from charger_control.core.messages.team import TeamRequest
from charger_control.core.team import Leader, LeaseTimes, Member
from charger_control.core.team.ledger import Account, Claim


class CountsFromReceipt(Member):
    """Rule 1 bent: the lease is counted from the receipt of the list."""

    def _lease_end(self, now: float, sent: float | None, request_sequence: int, valid_for: float
                   ) -> float | None:
        renews = super()._lease_end(now, sent, request_sequence, valid_for) is not None
        return now + valid_for if renews else None


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


MUTATIONS = {
    'without rule 5': Mutation(times=LeaseTimes(hold=False)),
    'rule 1 from receipt': Mutation(member=CountsFromReceipt),
    'without majority': Mutation(leader=WithoutMajority),
    'frees on any later list': Mutation(leader=with_accounts(FreesOnAnyLaterList)),
    'forgets drawable': Mutation(leader=with_accounts(ForgetsDrawable)),
    'reserves for 10 s': Mutation(leader=with_accounts(ReservesTooShort)),
}
