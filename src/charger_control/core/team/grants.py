"""Grants what is due as far as there is room for it now: decreases at once, increases later."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from charger_control.core.team.ledger import Account, Claim
from charger_control.core.team.shares.allocator import Share
from charger_control.core.team.shares.returns import Returning, ShortTime
from charger_control.core.team.types import EPSILON


class Grant(NamedTuple):
    """What a list will say to a member, A per phase.

    Attributes:
        returning: what it may keep, trim included, if it draws on a phase that it is not counted
            on: what is left there with all others unchanged.
    """

    amperage: float
    trim_amperage: float
    reason: str
    returning: float = 0.0


@dataclass(slots=True)
class _Room:
    """What is left beside all reservations, A on each supply phase.

    Attributes:
        steady: of the budget.
        short: of what the phases carry for seconds, before anyone comes back.
        back: what may come back there.
    """

    steady: list[float]
    short: list[float]
    back: list[Returning]

    @classmethod
    def of(cls, accounts: Mapping[str, Account], claims: Mapping[str, Claim],
           budget: Sequence[float], short: ShortTime) -> _Room:
        """With every reservation taken; the failsafe on every phase that is wired."""
        room = cls(list(budget), list(short.room), [Returning(short.at_once) for _ in range(3)])
        for name, account in accounts.items():
            kept = claims[name].reserved
            if kept > 0.0:
                for p in account.phases:
                    room.steady[p] -= kept
                    room.short[p] -= kept
                failsafe = account.failsafe
                for p in account.wired if failsafe > 0.0 else ():
                    if p not in account.phases:
                        room.steady[p] -= failsafe
                        room.short[p] -= failsafe
            for p in account.returning:
                room.back[p].add(kept)
        return room

    def most(self, account: Account, kept: float) -> float:
        """What a member can have where ``kept`` A are reserved for it already."""
        more = min(self.steady[p] for p in account.phases)
        for p in account.phases:
            more = min(more, self.short[p] - self.back[p].most)
        most = kept + more
        for p in account.returning:
            others, counts_from = self.back[p].beside(kept)
            if others > self.short[p] + EPSILON:
                return min(most, kept)
            most = min(most, self.short[p] - others + counts_from)
        return most

    def take(self, account: Account, kept: float, taken: float) -> None:
        """A member has ``taken`` A, not ``kept``."""
        for p in account.phases:
            self.steady[p] -= taken - kept
            self.short[p] -= taken - kept
        for p in account.returning:
            self.back[p].move(kept, taken)

    def left_to_return(self, account: Account, amperage: float, minimum: float) -> float:
        """What a member may keep that comes back on all its phases; 0 below its minimum."""
        beyond = [p for p in account.wired if p not in account.phases]
        if not beyond:
            return amperage
        failsafe = account.failsafe
        kept = min(amperage, min(self.steady[p] for p in beyond) + failsafe)
        return kept if kept >= minimum - EPSILON else 0.0


def grant(targets: Mapping[str, Share], answerable: Sequence[str],
          accounts: Mapping[str, Account], claims: Mapping[str, Claim],
          budget: Sequence[float], trim_amperage: float, holding: bool,
          short: ShortTime | None = None) -> dict[str, Grant]:
    """What to name: the target, but nothing that is not free beside all reservations.

    Args:
        targets: what each heard member should get in the end.
        answerable: those that can be named now.
        accounts: all configured members.
        claims: what each of them may claim and draw now.
        budget: A on each supply phase.
        trim_amperage: A per phase, the most trim that a member is granted.
        holding: nobody is raised; what a member reports in force is its own (rule 5).
        short: what the phases carry for seconds; None: no more than the budget.

    Returns:
        A grant for each of ``answerable``.
    """
    room = _Room.of(accounts, claims, budget, short or ShortTime(budget))
    spare = list(budget)
    for name, account in accounts.items():
        wanted = claims[name].reserved
        if name in targets:
            wanted = max(wanted, targets[name].allocated_amperage)
        if wanted > 0.0:
            for p in account.phases:
                spare[p] -= wanted

    grants: dict[str, Grant] = {}
    for name in sorted(answerable, key=lambda n: _turn(accounts[n], n)):
        account, request = accounts[name], accounts[name].request
        kept = claims[name].reserved
        due = max(account.own_due(), account.failsafe)
        target, reason = targets[name]
        # what is due is its own already; beyond that, all reservations must fit into the budget
        if holding and request is not None:
            due = max(due, request.allocated_amperage)
        most = max(due, room.most(account, kept))
        amperage = min(target, most)
        if request is not None and amperage < min(target, request.minimum_amperage) - EPSILON:
            amperage = 0.0
        if amperage < target - EPSILON:
            reason = f'{reason}; rises to {target:.1f} A when others have come down'
        trim = 0.0
        if amperage > 0.0 and trim_amperage > 0.0 and not holding:
            left_over = max(kept, target) + min(spare[p] for p in account.phases)
            trim = max(0.0, min(trim_amperage, most - amperage, left_over - amperage))
        total = amperage + trim
        if total > kept:
            room.take(account, kept, total)
        more = total - max(kept, target)
        if more > 0.0:
            for p in account.phases:
                spare[p] -= more
        grants[name] = Grant(amperage, trim, reason)
    minimum = {n: r.minimum_amperage for n, a in accounts.items() if (r := a.request) is not None}
    return {n: g._replace(returning=0.0 if holding else room.left_to_return(
        accounts[n], g.amperage + g.trim_amperage, minimum.get(n, math.inf)))
        for n, g in grants.items()}


def _turn(account: Account, name: str) -> tuple[float, float, str]:
    """Order in which room is given: by priority, then to those with the least."""
    request = account.request
    if request is None:
        return 0.0, 0.0, name
    return -request.priority, request.allocated_amperage, name
