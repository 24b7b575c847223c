"""Everything that can go wrong with a team, at random: one schedule from one seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

from team_lease_model import RULES, TICK, Episode, Machine, Mutation, Outcome, TeamModel

from charger_control.core.team import Role


class World:
    """A schedule: a team or more on one network, and all that goes wrong, from one seed."""

    team = TeamModel

    def __init__(self, seed: int, teams: int = 1, members: int = 3, mutation: Mutation = RULES,
                 greedy: bool = True) -> None:
        self.rng = rng = random.Random(seed)
        self.outcome = Outcome()
        self.duplicates = rng.choice((0.0, 0.0, 0.05))
        self.rashness = rng.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.1))
        self.duration = rng.choice((30.0, 36.0, 42.0, 60.0))
        self.queue: dict[int, list[tuple[Machine, str, Any]]] = defaultdict(list)
        self._actions: dict[int, list[Callable[[float], None]]] = defaultdict(list)
        self.teams = [self.team(self, chr(ord('a') + i), members, rng, mutation, greedy)
                      for i in range(teams)]
        for team in self.teams:
            self._plan(team)

    def deliver(self, t: float, receiver: Machine, kind: str, message: Any) -> None:
        self.queue[int(t / TICK) + 1].append((receiver, kind, message))

    def run(self) -> Outcome:
        for k in range(int(self.duration / TICK)):
            t = k * TICK
            for action in self._actions.pop(k, ()):
                action(t)
            for receiver, kind, message in self.queue.pop(k, ()):
                receiver.inbox.append((kind, message))
            for team in self.teams:
                team.tick(t, k & 1)
            if self.outcome.violation:
                break
        return self.outcome

    # -- what goes wrong -------------------------------------------------------------------------
    def _plan(self, team: TeamModel) -> None:
        rng = self.rng
        base = rng.choice((0.0, 0.0, 0.0, 0.0, 0.1, 0.3))
        late = rng.choice((0.0, 0.0, 0.0, 0.0, 1.0, 10.0))
        for episodes in self._links(team):
            if base or late:
                episodes.append(Episode(0.0, 1e9, base, late))
        for _ in range(rng.randrange(1, 5)):
            start = rng.uniform(rng.choice((0.0, 18.0)), self.duration - 15.0)
            end = start + rng.choice((3.0, 6.0, 12.0, 30.0))
            fault = rng.choice((self._one_way, self._partition, self._delay, self._late_then_cut,
                                self._late_then_cut, self._restart, self._kill_leader,
                                self._suspend))
            fault(team, start, end)
        for _ in range(4):
            self._appetite(team, rng.uniform(0.0, self.duration), 0.0)

    def _at(self, t: float, action: Callable[[float], None]) -> None:
        self._actions[int(t / TICK)].append(action)

    def _links(self, team: TeamModel) -> list[list[Episode]]:
        return [episodes for links in team.links.values() for episodes in links.values()]

    def _some_links(self, team: TeamModel, fewer_than: int) -> list[list[Episode]]:
        links = self._links(team)
        return self.rng.sample(links, min(len(links), self.rng.randrange(1, fewer_than)))

    def _one_way(self, team: TeamModel, start: float, end: float) -> None:
        for episodes in self._some_links(team, 4):
            episodes.append(Episode(start, end))

    def _partition(self, team: TeamModel, start: float, end: float) -> None:
        alone = self.rng.choice(team.machines)
        for machine, links in team.links.items():
            for other, episodes in links.items():
                if alone in (machine, other):
                    episodes.append(Episode(start, end))

    def _delay(self, team: TeamModel, start: float, end: float) -> None:
        delay = self.rng.choice((3.0, 9.0, 20.0, 90.0))
        for episodes in self._some_links(team, 5):
            episodes.append(Episode(start, end, 0.0, delay))

    def _late_then_cut(self, team: TeamModel, start: float, end: float) -> None:
        """One machine hears ever later, then nobody hears it; what was under way still arrives."""
        victim = self.rng.choice(team.machines)
        delay = self.rng.choice((4.0, 8.0, 8.0, 12.0, 40.0))
        cut = start + self.rng.choice((1.0, 3.0, 8.0))
        for machine, links in team.links.items():
            for other, episodes in links.items():
                if other is victim:
                    episodes.append(Episode(start, cut, 0.0, delay))
                if victim in (machine, other):
                    episodes.append(Episode(cut, end + 20.0))

    def _restart(self, team: TeamModel, start: float, end: float) -> None:
        machine = self.rng.choice(team.machines)
        down = self.rng.choice((0.0, 1.0, end - start))

        def kill(t: float) -> None:
            machine.member, machine.member_down_until, machine.down = None, t + down, True
            if self.rng.random() < 0.5:
                machine.leader, machine.leader_down_until = None, t + down
        self._at(start, kill)

    def _kill_leader(self, team: TeamModel, start: float, end: float) -> None:
        down = self.rng.choice((0.0, 2.0, end - start))

        def kill(t: float) -> None:
            for machine in team.machines:
                if machine.leader is not None and machine.leader.role is Role.LEADING:
                    machine.leader, machine.leader_down_until = None, t + down
                    machine.down = True
        self._at(start, kill)

    def _suspend(self, team: TeamModel, start: float, end: float) -> None:
        machine = self.rng.choice(team.machines)

        def suspend(t: float) -> None:
            machine.suspended_until = max(machine.suspended_until, t + end - start)
        self._at(start, suspend)

    def _appetite(self, team: TeamModel, start: float, end: float) -> None:
        machine = self.rng.choice(team.machines)
        value = self.rng.choice((0.0, 0.2, 0.5, 1.0))

        def change(_: float) -> None:
            machine.appetite = value
        self._at(start, change)


def search_in_parallel(seeds: range, chunk: int = 250, greedy: bool = True,
                       world: type[World] = World) -> tuple[int, list[str]]:
    """Runs all schedules of a kind on all processors.

    Returns:
        How many were run, and what was seen (one entry for each chunk with a violation).
    """
    chunks = [range(first, min(first + chunk, seeds.stop))
              for first in range(seeds.start, seeds.stop, chunk)]
    with ProcessPoolExecutor(mp_context=get_context('spawn')) as pool:
        results = list(pool.map(partial(search, greedy=greedy, world=world), chunks))
    return sum(count for count, _ in results), [seen for _, seen in results if seen]


def search(seeds: Iterable[int], mutation: Mutation = RULES, greedy: bool = True,
           world: type[World] = World) -> tuple[int, str]:
    """Runs schedules until one violates the budget.

    Returns:
        How many were run, and what was seen: '' if nothing was.
    """
    count = 0
    for seed in seeds:
        count += 1
        outcome = world(seed, mutation=mutation, greedy=greedy).run()
        if outcome.violation:
            return count, f'seed {seed}: {outcome.violation}'
    return count, ''
