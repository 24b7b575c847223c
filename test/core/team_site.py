"""A site of three teams in simulated time: a model for schedules of faults (team_lease_faults)."""

from __future__ import annotations

from typing import Any

from team_lease_faults import World
from team_lease_model import RULES, TICK, GreedySharing, Mutation, TeamModel

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import TeamAllocation, TeamRequest
from charger_control.core.team import Leader, Member, MemberConfig, SharingOptions, TeamConfig
from charger_control.core.vcse import ParentAllocation, Vcse, VcseConfig

FUSE = 32.0
FAILSAFE = 12.0
"""A per phase that a team of two takes where its members have a failsafe of 6 A."""


class Supply:
    """A VCSE: the budget of one team, and the team's membership in the site."""

    def __init__(self, team: TeamModel, t: float) -> None:
        self.team = team
        self.first_sequence = 1
        self.total: TeamRequest | None = None
        self.start(t)

    def start(self, t: float) -> None:
        self.vcse: Vcse | None = Vcse(VcseConfig(self.team.name, (FUSE,) * 3, parent='site'))
        failsafe = FAILSAFE if self.team.carries_failsafe else 0.0
        self.member = Member(MemberConfig('site', self.team.name, failsafe), t,
                             self.first_sequence)
        self.first_sequence += 1_000_000

    def step(self, t: float) -> TeamRequest | None:
        """Sets the team's budget, returns what to ask for."""
        if self.vcse is None:  # nothing is heard of it: what it said last runs out
            self.team.budget = TeamBudget(self.team.name, (0.0,) * 3, 10.0)
            return None
        lent = self.member.in_force(t)
        self.team.budget = self.vcse.step(t, ParentAllocation(
            lent.amperage, lent.ends_in, lent.reason, lent.phases_in_use))
        for machine in self.team.machines:
            if machine.leader is not None and machine.leader.role.value == 'leading':
                self.total = machine.leader.total(t + machine.offset)
        if self.total is None:
            return None
        return self.member.request(t, self.vcse.wish(t, self.total))


class Site(World):
    """Three teams of two or three behind one fuse, with a network between them and the site."""

    def __init__(self, seed: int, teams: int = 3, members: int = 2, mutation: Mutation = RULES,
                 greedy: bool = True) -> None:
        super().__init__(seed, 3, 2, mutation, greedy)
        rng = self.rng
        self.duration += 60.0
        for team in self.teams:
            team.amperage = (FUSE,) * 3
        self.budget = rng.choice((36.0, 48.0, 60.0))
        names = tuple(team.name for team in self.teams)
        self.config = TeamConfig('site', names, (names[0],), FAILSAFE, fall_time=18.0,
                                 options=SharingOptions(restart_time=0.0))
        self.leader: Leader | None = self._lead(0.0)
        self.supplies = [Supply(team, 0.0) for team in self.teams]
        self.term = 0
        self.wire: dict[int, list[tuple[Supply | None, Any]]] = {}
        self.loss = rng.choice((0.0, 0.0, 0.1, 0.4))
        self.late = rng.choice((0.0, 0.0, 0.0, 0.5))
        self.cuts = [(s, start, start + rng.choice((5.0, 15.0, 40.0)))
                     for s in self.supplies for start in [rng.uniform(30.0, self.duration)]
                     if rng.random() < 0.3]
        self.trouble = {int(rng.uniform(20.0, self.duration) / TICK): rng.choice(
            ('leader', 'vcse')) for _ in range(rng.randrange(3))}
        self.most = 0.0

    def _lead(self, t: float) -> Leader:
        return Leader(self.config, self.config.members[0], t, getattr(self, 'term', 0),
                      GreedySharing(self.rng) if self.rng.random() < 0.5 else None)

    def _send(self, t: float, supply: Supply, receiver: Supply | None, message: Any) -> None:
        late = self.late
        if any(s is supply and a <= t < b for s, a, b in self.cuts):
            late = self.rng.choice((0.0, 8.0, 30.0))  # lost, or kept back somewhere
            if late == 0.0:
                return
        elif self.rng.random() < self.loss:
            return
        at = t + (self.rng.uniform(0.0, late) if late else 0.0)
        self.wire.setdefault(int(at / TICK) + 1, []).append((receiver, message))

    def run(self) -> Any:
        for k in range(int(self.duration / TICK)):
            t = k * TICK
            for action in self._actions.pop(k, ()):
                action(t)
            for receiver, kind, message in self.queue.pop(k, ()):
                receiver.inbox.append((kind, message))
            self._site(t, k)
            for team in self.teams:
                team.tick(t, k & 1)
            self._check(t)
            if self.outcome.violation:
                break
        return self.outcome

    def _site(self, t: float, k: int) -> None:
        trouble = self.trouble.get(k)
        if trouble == 'leader':
            self.leader = self._lead(t)
        elif trouble == 'vcse':
            supply = self.rng.choice(self.supplies)
            supply.vcse = None
            self.trouble[k + self.rng.randrange(1, 30)] = f'start {self.supplies.index(supply)}'
        elif trouble is not None:
            self.supplies[int(trouble.split()[1])].start(t)
        for receiver, message in self.wire.pop(k, ()):
            if isinstance(message, TeamAllocation) and receiver is not None and receiver.vcse:
                receiver.member.hear(t, message)
            elif isinstance(message, TeamRequest) and self.leader is not None:
                self.leader.hear_request(t, message)
        for supply in self.supplies:
            request = supply.step(t)
            if request is not None and k & 1:
                self._send(t, supply, None, request)
        if k & 1 or self.leader is None:
            return
        step = self.leader.step(t, Heard(TeamBudget('site', (self.budget,) * 3, 10.0), t))
        if step.persist is not None:
            self.term = step.persist
            self.leader.persisted(t, step.persist)
        for supply in self.supplies if step.allocation is not None else ():
            self._send(t, supply, supply, step.allocation)

    def _check(self, t: float) -> None:
        for p in (1, 2, 3):
            load = sum(m.may_draw() for team in self.teams for m in team.machines
                       if p in (m.phase_map or (1, 2, 3)))
            self.most = max(self.most, load)
            if load > self.budget + 1e-6 and not self.outcome.violation:
                self.outcome.violation = f't={t:.1f} s: L{p} {load:.1f} A of {self.budget:.0f} A'
