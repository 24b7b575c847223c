"""A team as one member of what supplies it: the total request."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from charger_control.core.messages.team import TeamRequest
from charger_control.core.team.ledger import Account
from charger_control.core.team.shares.allocator import wants
from charger_control.core.team.types import LeaseTimes
from charger_control.core.units import MIN_AMPERAGE


def total_request(now: float, accounts: Mapping[str, Account],
                  needs: Callable[[TeamRequest], float], times: LeaseTimes) -> TeamRequest:
    """What a team asks for: on each phase the sum, of the three phases the largest.

    It counts on the phases that anyone asks for, may be drawing on or come back on, and takes as
    long to obey as its slowest member's reservation (18 s), so what supplies it keeps that long
    what it withdraws.
    What is drawn where nobody measures, or the wiring is unknown, is left out of ``amperage``: the
    VCSE then counts the other loads that much too high, and no more.
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
    wanting: list[TeamRequest] = []
    waiting = oldest = 0.0
    back = 0
    letters = set()
    for account in accounts.values():
        request = account.request
        kept, wish, least = account.claim(now).reserved, 0.0, account.failsafe
        if request is not None and now - account.heard_at <= times.valid_for:
            letters.add(request.vehicle_status)
            if wants(request):
                wanting.append(request)
                wish = needs(request)
                waiting = max(waiting, request.waiting + now - account.heard_at)
            if request.phase_map and any(a > 0.0 for a in request.amperage):
                oldest = max(oldest, request.amperage_age + now - account.heard_at)
            for own, supply in enumerate(request.phase_map):
                if not math.isnan(request.amperage[own]):
                    measured[supply - 1] += request.amperage[own]
        wish = max(wish, kept)
        for p in account.phases:
            asked[p] += wish
            drawable[p] += kept
        for p in account.wired:
            failsafe[p] += least
        for p in account.returning if wish > 0.0 else ():
            back |= 1 << p
    energies = [m.energy for m in wanting if not math.isnan(m.energy)]
    phases = back | sum(1 << p for p in range(3) if max(failsafe) > 0.0 or asked[p] > 0.0)
    return TeamRequest(
        requested_amperage=max(asked),
        minimum_amperage=min((m.minimum_amperage for m in wanting), default=MIN_AMPERAGE),
        drawable_amperage=max(drawable),
        fall_time=times.reservation(times.fall_time),
        phase_map=(1, 2, 3),
        phases_in_use=phases or 7, phases_possible=phases or 7,
        priority=max((m.priority for m in wanting), default=0),
        weight=sum(m.weight for m in wanting) or 1.0,
        vehicle_status='C' if letters & {'C', 'D'} else 'B' if 'B' in letters else 'A',
        amperage=(measured[0], measured[1], measured[2]),
        energy=sum(energies) / len(energies) if energies else 0.0,
        waiting=waiting,
        failsafe_amperage=max(failsafe),
        amperage_age=oldest)
