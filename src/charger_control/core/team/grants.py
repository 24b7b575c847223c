"""Grants what is due as far as there is room for it now: decreases at once, increases later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from charger_control.core.team.allocator import Share
from charger_control.core.team.ledger import Account, Claim
from charger_control.core.team.types import EPSILON


class Grant(NamedTuple):
    """What a list will say to a member, A per phase."""

    amperage: float
    trim_amperage: float
    reason: str


def grant(targets: Mapping[str, Share], answerable: Sequence[str],
          accounts: Mapping[str, Account], claims: Mapping[str, Claim],
          budget: Sequence[float], trim_amperage: float, holding: bool) -> dict[str, Grant]:
    """What to name: the target, but nothing that is not free beside all reservations.

    Args:
        targets: what each heard member should get in the end.
        answerable: those that can be named now.
        accounts: all configured members.
        claims: what each of them may claim and draw now.
        budget: A on each supply phase.
        trim_amperage: A per phase, the most trim that a member is granted.
        holding: nobody is raised; what a member reports in force is its own (rule 5).

    Returns:
        A grant for each of ``answerable``.
    """
    free, spare = list(budget), list(budget)
    for name, account in accounts.items():
        kept = claims[name].reserved
        wanted = kept
        if name in targets:
            wanted = max(kept, targets[name].allocated_amperage)
        if wanted > 0.0:
            for p in account.phases:
                free[p] -= kept
                spare[p] -= wanted

    grants: dict[str, Grant] = {}
    for name in sorted(answerable, key=lambda n: _turn(accounts[n], n)):
        account, request = accounts[name], accounts[name].request
        due, kept, _ = claims[name]
        target, reason = targets[name]
        # what is due is its own already; beyond that, all reservations must fit into the budget
        if holding and request is not None:
            due = max(due, request.allocated_amperage)
        amperage = min(target, max(due, kept + min(free[p] for p in account.phases)))
        if request is not None and amperage < min(target, request.minimum_amperage) - EPSILON:
            amperage = 0.0
        if amperage < target - EPSILON:
            reason = f'{reason}; rises to {target:.1f} A when others have come down'
        trim = 0.0
        if amperage > 0.0 and trim_amperage > 0.0 and not holding:
            now_free = max(due, kept + min(free[p] for p in account.phases))
            left_over = max(kept, target) + min(spare[p] for p in account.phases)
            trim = max(0.0, min(trim_amperage, now_free - amperage, left_over - amperage))
        for left, already in ((free, kept), (spare, max(kept, target))):
            more = amperage + trim - already
            if more > 0.0:
                for p in account.phases:
                    left[p] -= more
        grants[name] = Grant(amperage, trim, reason)
    return grants


def _turn(account: Account, name: str) -> tuple[float, float, str]:
    """Order in which room is given: by priority, then to those with the least."""
    request = account.request
    if request is None:
        return 0.0, 0.0, name
    return -request.priority, request.allocated_amperage, name
