"""The allocator as one would explain it to a person: slow, plain, and the oracle of the tests."""

from __future__ import annotations

import random
from collections.abc import Sequence

from charger_control.core.team import MemberState

TINY = 1e-9


def phases_of(member: MemberState) -> Sequence[int]:
    return [p - 1 for p in member.phases] or [0, 1, 2]


def loads(members: Sequence[MemberState], amperage: dict[str, float]) -> list[float]:
    """A on each supply phase."""
    return [sum(amperage[m.member] for m in members if p in phases_of(m)) for p in range(3)]


def reserved(now: float, member: MemberState) -> float:
    """What stays reserved for a member that is silent; 0 for one that is heard."""
    silence = now - member.last_heard
    if silence <= 10.0:
        return 0.0
    if silence <= 18.0:
        return max(member.allocated_amperage, member.drawable_amperage)
    return member.failsafe_amperage


def reference(now: float, members: Sequence[MemberState], budget: Sequence[float]
              ) -> dict[str, float]:
    """A per phase for each member."""
    kept = {m.member: reserved(now, m) for m in members}
    room = [max(0.0, budget[p] - loads(members, kept)[p]) for p in range(3)]
    result = {m.member: 0.0 for m in members}

    # the minimum, in the order of priority, need, waiting, name
    inside: list[MemberState] = []
    for member in sorted(members, key=lambda m: (-m.priority, m.energy, m.waiting_since,
                                                 m.member)):
        if now - member.last_heard > 10.0 or not (
                0.0 < member.requested_amperage >= member.minimum_amperage - TINY):
            continue
        attempt = {**result, member.member: member.minimum_amperage}
        if all(load <= room[p] + TINY for p, load in enumerate(loads(members, attempt))):
            result = attempt
            inside.append(member)

    # then all rise together; where a phase is full, those on it stay
    rising = list(inside)
    while rising:
        def at(level: float, who: Sequence[MemberState] = tuple(rising),
               others: dict[str, float] = result) -> dict[str, float]:
            return {**others, **{m.member: min(max(level * m.weight, m.minimum_amperage),
                                               max(m.requested_amperage, m.minimum_amperage))
                                 for m in who}}

        def fits(level: float) -> bool:
            return all(load <= room[p] + TINY for p, load in enumerate(loads(members, at(level))))
        low, high = 0.0, max(m.requested_amperage / m.weight for m in rising)
        if fits(high):
            return at(high)
        for _ in range(60):
            middle = (low + high) / 2.0
            low, high = (middle, high) if fits(middle) else (low, middle)
        result = at(low)
        full = [p for p, load in enumerate(loads(members, result)) if load >= room[p] - 1e-6]
        rising = [m for m in rising if not set(phases_of(m)) & set(full)]
    return result


def random_team(rng: random.Random, largest: int = 12
                ) -> tuple[float, list[MemberState], tuple[float, float, float]]:
    """A team with everything that can vary: now, members, budget."""
    now = 1000.0
    size = rng.randrange(1, largest + 1)
    members = []
    for i in range(size):
        silence = rng.choice((0.0, 0.5, 3.0, 9.9, 10.0, 10.1, 17.9, 18.0, 18.5, 300.0)
                             if rng.random() < 0.15 else (0.0, 0.5))
        members.append(MemberState(
            member=f'cp{i:02d}',
            requested_amperage=rng.choice((0.0, 4.0, 6.0, 10.0, 13.0, 16.0, 32.0, 63.0,
                                           rng.uniform(0.0, 40.0))),
            minimum_amperage=rng.choice((6.0, 6.0, 6.0, 8.0, 10.0, 13.8)),
            phases=rng.choice(((1, 2, 3), (1, 2, 3), (1,), (2,), (3,), (1, 2), (2, 3), (1, 3), ())),
            priority=rng.choice((0, 0, 0, 1, 5)),
            weight=rng.choice((1.0, 1.0, 1.0, 2.0, 0.5, rng.uniform(0.1, 5.0))),
            energy=rng.choice((0.0, 1.0, rng.uniform(0.0, 50.0))),
            waiting_since=now - rng.choice((0.0, 10.0, rng.uniform(0.0, 4000.0))),
            last_heard=now - silence,
            failsafe_amperage=rng.choice((0.0, 0.0, 6.0)),
            allocated_amperage=rng.choice((0.0, 6.0, 16.0)),
            drawable_amperage=rng.choice((0.0, 6.0, 20.0))))
    scale = rng.choice((0.3, 1.0, 1.0, 3.0)) * size * 8.0

    def amperage() -> float:
        return rng.choice((scale, round(scale), rng.uniform(0.0, 2.0 * scale)))
    budget = (amperage(),) * 3 if rng.random() < 0.5 else (amperage(), amperage(), amperage())
    return now, members, budget
