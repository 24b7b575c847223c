"""Members and candidates on a network that works."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import MemberAllocation, TeamAllocation, TeamRequest
from charger_control.core.team import InForce, Leader, Member, MemberConfig, TeamConfig

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
