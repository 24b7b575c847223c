"""A model of teams in simulated time, for schedules of faults (team_lease_faults.py).

Real members and leaders (charger_control.core.team) on simulated machines with clocks of their
own. What is watched is invariant 4: on each supply phase, what the vehicles may be drawing never
adds up to more than the budget.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from charger_control.core.cppwm_controller import Reach
from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import TeamRequest
from charger_control.core.team import (
    Leader,
    LeaseTimes,
    Member,
    MemberConfig,
    MemberState,
    Share,
    Sharing,
    TeamConfig,
)

if TYPE_CHECKING:
    from team_lease_faults import World

TICK = 0.5
"""s between two looks at everything."""
FALL_TICKS = 12
"""Ticks that a vehicle goes on drawing what was signaled before (fall_time 6 s)."""
DEAD_MAN_TICKS = 2
"""Ticks after which the pilot withdraws the offer of a process that is gone."""
BOUND = 32.0
"""A, the most that a charge point of the model can offer."""


@dataclass(frozen=True)
class Mutation:
    """A rule left out or bent, to see that the model finds what it is for."""

    member: type[Member] = Member
    leader: type[Leader] = Leader
    times: LeaseTimes | None = None
    reach: type[Reach] = Reach
    forgets_terms: bool = False
    forgets_sequences: bool = False


RULES = Mutation()


@dataclass
class Outcome:
    """What a schedule showed.

    Attributes:
        violation: '' or when, where and by how much the budget was exceeded.
        served: A·s of leases in force, to see that the model is not merely idle.
        leaders: candidates that named somebody.
    """

    violation: str = ''
    served: float = 0.0
    leaders: set[tuple[str, str]] = field(default_factory=set)


class GreedySharing(Sharing):
    """Gives all there is to whoever comes first in an order that changes: as harsh as can be."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._turn = rng.randrange(3)

    def step(self, now: float, members: Sequence[MemberState], budget: Sequence[float],
             held: Mapping[str, float], seconds: Sequence[float] | None = None,
             turn_left: float = math.nan, trials: bool = True) -> dict[str, Share]:
        left = list(budget)
        for member in members:
            for p in _indices(member.phases):
                left[p] -= held.get(member.member, 0.0)
        order = list(members)
        turn = (int(now / 7.0) + self._turn) % len(order) if order else 0
        shares = {}
        for member in order[turn:] + order[:turn]:
            kept = held.get(member.member, 0.0)
            phases = _indices(member.phases)
            most = min(left[p] for p in phases) + kept
            given = min(member.requested_amperage, max(0.0, most))
            if given < member.minimum_amperage:
                given = 0.0
            for p in phases:
                left[p] -= max(0.0, given - kept)
            shares[member.member] = Share(given, '')
        return shares


def _indices(phases: Sequence[int]) -> Sequence[int]:
    return [p - 1 for p in phases] if phases else (0, 1, 2)


class Machine:
    """A computer: a clock of its own, a member process, perhaps a candidate, a pilot, a vehicle."""

    def __init__(self, team: TeamModel, name: str, rng: random.Random) -> None:
        self.team, self.name, self.rng = team, name, rng
        self.offset = rng.uniform(0.0, 1e6)
        self.beat = rng.randrange(2), rng.randrange(2)   # which half second: request, list
        self.phase_map: tuple[int, ...] = rng.choice(
            ((1, 2, 3), (1, 2, 3), (2, 3, 1), (1,), (2,), (3,), ()))
        self.failsafe = rng.choice((0.0, 0.0, 6.0)) if team.carries_failsafe else 0.0
        self.wish = TeamRequest(requested_amperage=BOUND, phase_map=self.phase_map)
        self.appetite = 1.0
        self.suspended_until = 0.0
        self.member_down_until = self.leader_down_until = -1.0
        self.down = False
        self.inbox: list[tuple[str, Any]] = []
        self.last_term = 0
        self.first_sequence = 1
        self.signals = [0.0] * (FALL_TICKS + 1)
        self.signal = self.recent = 0.0
        self.gone_ticks = 0
        self.unsure_until = 0.0
        self.in_force = 0.0
        self.member: Member | None = None
        self.leader: Leader | None = None
        self.persisting: int | None = None

    def start_member(self, t: float) -> None:
        config = MemberConfig(self.team.name, self.name, self.failsafe, self.team.member_times)
        self.member = self.team.mutation.member(config, t + self.offset, self.first_sequence)
        self.first_sequence += 0 if self.team.mutation.forgets_sequences else 1_000_000
        self.unsure_until = t + (FALL_TICKS + DEAD_MAN_TICKS + 1) * TICK if t > 0.0 else 0.0

    def start_leader(self, t: float) -> None:
        if self.name in self.team.config.electable:
            self.leader = self.team.mutation.leader(
                self.team.config, self.name, t + self.offset,
                0 if self.team.mutation.forgets_terms else self.last_term, self.team.sharing())
            self.persisting = None
            rashness = self.team.world.rashness
            if rashness:  # it does not ask whether somebody leads already
                self.leader._election._may_start = lambda _: self.rng.random() < rashness  # type: ignore[method-assign]

    def tick(self, t: float, half: int) -> None:
        """Half a second of this machine."""
        awake = t >= self.suspended_until
        if awake:
            if self.down:
                self._restarts(t)
            if self.inbox:
                inbox, self.inbox = self.inbox, []
                for kind, message in inbox:
                    self._take(t, kind, message)
        now = t + self.offset
        if awake and self.member is not None:
            self.in_force = self.allowed(now)
            self.gone_ticks = 0
            self.signal = min(self.in_force * self.appetite, BOUND)
            if half == self.beat[0]:
                self._send_request(t, now)
        else:
            self.in_force = 0.0
            self.gone_ticks += 1
            if self.gone_ticks > DEAD_MAN_TICKS:
                self.signal = 0.0
        signals = self.signals
        leaves = signals.pop(0)
        signals.append(self.signal)
        if self.signal >= self.recent:
            self.recent = self.signal
        elif leaves >= self.recent:
            self.recent = max(signals)
        if awake and half == self.beat[1] and self.leader is not None:
            self._lead(t, now)

    def allowed(self, now: float) -> float:
        """What may be signaled by the lease, trim included, A per phase."""
        assert self.member is not None
        grant = self.member.in_force(now)
        return grant.amperage + grant.trim_amperage

    def may_draw(self) -> float:
        """The most that this vehicle may be drawing, or may be made to draw at any moment."""
        return self.recent if self.recent > self.in_force else self.in_force

    def _restarts(self, t: float) -> None:
        if self.member is None and t >= self.member_down_until:
            self.start_member(t)
        if self.leader is None and t >= self.leader_down_until:
            self.start_leader(t)
        self.down = self.member is None or t < self.leader_down_until

    def take_own(self, t: float, kind: str, message: Any) -> None:
        """What it sends itself does not pass the network."""
        self._take(t, kind, message)

    def _take(self, t: float, kind: str, message: Any) -> None:
        now = t + self.offset
        if kind == 'list':
            if self.member is not None and self.member.hear(now, message):
                self.in_force = self.allowed(now)
                if self.rng.random() < 0.7:
                    self._send_request(t, now)
            if self.leader is not None:
                self.leader.hear_list(now, message)
        elif self.leader is not None and self.leader.hear_request(now, message):
            self._lead(t, now)

    def _send_request(self, t: float, now: float) -> None:
        assert self.member is not None
        drawable = BOUND if t < self.unsure_until else max(
            self.recent, min(self.in_force * self.appetite, BOUND))
        wish = self.wish
        if drawable != wish.drawable_amperage:
            wish = self.wish = TeamRequest(requested_amperage=BOUND, drawable_amperage=drawable,
                                           phase_map=self.phase_map)
        self.team.send(t, self, 'request', self.member.request(now, wish))

    def _lead(self, t: float, now: float) -> None:
        assert self.leader is not None
        if self.persisting is not None:  # the disk took its time
            self.last_term = max(self.last_term, self.persisting)
            self.leader.persisted(now, self.persisting)
            self.persisting = None
        step = self.leader.step(now, Heard(self.team.budget, now))
        self.persisting = step.persist
        if step.allocation is not None:
            if step.allocation.members:
                self.team.outcome.leaders.add((self.team.name, self.name))
            self.team.send(t, self, 'list', step.allocation)


@dataclass
class Episode:
    """A link that misbehaves for a while."""

    start: float
    end: float
    loss: float = 1.0
    delay: float = 0.0


class TeamModel:
    """One team of machines on an unreliable network."""

    machine = Machine

    def __init__(self, world: World, name: str, members: int, rng: random.Random,
                 mutation: Mutation, greedy: bool) -> None:
        self.world, self.name, self.rng, self.mutation = world, name, rng, mutation
        self.outcome = world.outcome
        self._greedy = greedy
        names = tuple(f'{name}{i}' for i in range(members))
        self.carries_failsafe = rng.random() < 0.3
        budget = rng.choice((24.0, 32.0, 40.0))
        self.amperage = (budget, budget, rng.choice((budget, budget, 20.0)))
        self.config = TeamConfig(
            name, names, names if rng.random() < 0.7 else names[:2],
            failsafe_amperage=6.0 if self.carries_failsafe else 0.0,
            trim_amperage=rng.choice((0.0, 0.0, 2.0)), times=mutation.times)
        self.member_times = self.config.lease
        self.budget = TeamBudget(name, self.amperage, 10.0)
        self.machines = [self.machine(self, n, rng) for n in names]
        self.links: dict[Machine, dict[Machine, list[Episode]]] = {
            a: {b: [] for b in self.machines if b is not a} for a in self.machines}
        for machine in self.machines:
            machine.start_member(0.0)
            machine.start_leader(0.0)

    def sharing(self) -> Sharing | None:
        return GreedySharing(self.rng) if self._greedy else None

    def send(self, t: float, sender: Machine, kind: str, message: Any) -> None:
        """Puts a message on its way to every machine of the team."""
        rng, world = self.rng, self.world
        soon = world.queue[int(t / TICK) + 1]
        sender.take_own(t, kind, message)
        for receiver, episodes in self.links[sender].items():
            delay = 0.0
            for episode in episodes:
                if episode.start <= t < episode.end:
                    if episode.loss and rng.random() < episode.loss:
                        delay = -1.0
                        break
                    if episode.delay:
                        delay += rng.uniform(0.0, episode.delay)
            if delay == 0.0:
                soon.append((receiver, kind, message))
            elif delay > 0.0:
                world.deliver(t + delay, receiver, kind, message)
            if world.duplicates and rng.random() < world.duplicates:
                world.deliver(t + rng.uniform(0.0, 90.0), receiver, kind, message)

    def tick(self, t: float, half: int) -> None:
        for machine in self.machines:
            machine.tick(t, half)
        self.judge(t)

    def judge(self, t: float) -> None:
        """Notes the first time that the vehicles may draw more than there is."""
        load = [0.0, 0.0, 0.0]
        for machine in self.machines:
            may = machine.may_draw()
            if may:
                self.outcome.served += machine.in_force
                for p in machine.phase_map or (1, 2, 3):
                    load[p - 1] += may
        for p in range(3):
            if load[p] > self.amperage[p] + 1e-6 and not self.outcome.violation:
                self.outcome.violation = (
                    f't={t:.1f} s, team {self.name}, L{p + 1}: {load[p]:.2f} A of '
                    f'{self.amperage[p]:.0f} A: ' + ', '.join(
                        f'{m.name} {m.may_draw():.1f}' for m in self.machines))
