"""A team as one member of what supplies it: the total request."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from charger_control.core.limits import MIN_AMPERAGE
from charger_control.core.team.allocator import wants
from charger_control.core.team.ledger import Account
from charger_control.core.team.types import LeaseTimes, MemberState, TeamRequest

CHARGING = ('C', 'D')


def total_request(now: float, accounts: Mapping[str, Account],
                  needs: Callable[[MemberState], float], times: LeaseTimes) -> TeamRequest:
    """What a team asks for: on each phase the sum, of the three phases the largest.

    It counts on the phases that anyone asks for or may be drawing on, and takes as long to obey as
    its slowest member's reservation (18 s), so what supplies it keeps that long what it withdraws.
    Its weight is that of its vehicles together, its minimum that of the most modest.

    Args:
        now: s.
        accounts: the leader's books.
        needs: what is enough for a member, A (Sharing.needs).
        times: of the team's lease.

    Returns:
        A wish for ``Member.request``; the lease fields are filled in there.
    """
    asked, drawable, measured, failsafe = ([0.0, 0.0, 0.0] for _ in range(4))
    fall_time = times.fall_time
    wanting: list[MemberState] = []
    charging = connected = False
    for account in accounts.values():
        request = account.request
        kept = account.claim(now).reserved
        wish = 0.0
        if request is not None:
            fall_time = max(fall_time, request.fall_time)
        if request is not None and now - account.heard_at <= times.valid_for:
            state = MemberState.of(request, account.heard_at)
            if wants(state):
                wanting.append(state)
                wish = needs(state)
            charging = charging or state.vehicle_status in CHARGING
            connected = connected or state.vehicle_status == 'B'
            for own, supply in enumerate(request.phase_map):
                measured[supply - 1] += request.amperage[own]
            if not request.phase_map:
                measured = [math.nan] * 3
        for p in account.phases:
            asked[p] += max(wish, kept)
            drawable[p] += kept
            failsafe[p] += account.failsafe
    return TeamRequest(
        requested_amperage=max(asked),
        minimum_amperage=min((m.minimum_amperage for m in wanting), default=MIN_AMPERAGE),
        drawable_amperage=max(drawable),
        fall_time=times.reservation(fall_time),
        phase_map=(1, 2, 3),
        phases_in_use=sum(1 << p for p in range(3) if asked[p] > 0.0 or max(failsafe) > 0.0) or 7,
        priority=max((m.priority for m in wanting), default=0),
        weight=sum(m.weight for m in wanting) or 1.0,
        vehicle_status='C' if charging else 'B' if connected else 'A',
        amperage=(measured[0], measured[1], measured[2]),
        energy=sum(m.energy for m in wanting) / len(wanting) if wanting else 0.0,
        waiting=max((now - m.waiting_since for m in wanting), default=0.0),
        failsafe_amperage=max(failsafe))
