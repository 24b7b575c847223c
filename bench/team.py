"""What sharing a budget costs, beside ACN-Sim and the slice rule: python bench/team.py [--json F].

All get the same members and the same budget: charge points of 6..16 A and 6..32 A, most of them on
three phases, the others spread over the phases, and 10 A for each on every phase that it loads.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from peers import acn
from peers.slice_rule import slice_rule

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import TeamRequest
from charger_control.core.team import (
    Leader,
    LeaseTimes,
    Member,
    MemberConfig,
    MemberState,
    TeamConfig,
    allocate,
)

SIZES = (10, 54, 500, 1000, 10_000)
BUDGETS_MS = {1000: 5.0, 10_000: 60.0}
FAN_OUT = 32
AT_ONCE = LeaseTimes(silence=0.0, start_wait=0.0, hold=False)
"""Nobody waits after the start: the tree is measured in its steady state."""
Budget = tuple[float, float, float]


def a_team(count: int) -> tuple[list[MemberState], Budget]:
    """Members and a budget that is scarce, but enough for everyone's minimum."""
    rng = random.Random(count)
    members = []
    load = [0.0, 0.0, 0.0]
    for i in range(count):
        phases = (1, 2, 3) if rng.random() < 0.7 else (i % 3 + 1,)
        members.append(MemberState(
            f'cp{i:05d}', rng.choice((16.0, 32.0)), phases=phases, energy=rng.uniform(0.0, 40.0),
            waiting_since=rng.uniform(0.0, 900.0), last_heard=1000.0))
        for p in phases:
            load[p - 1] += 10.0
    return members, (load[0], load[1], load[2])


def milliseconds(run: Callable[[], object], repeats: int) -> float:
    """The best of some runs."""
    best = float('inf')
    for _ in range(repeats):
        gc.collect()
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def quality(members: Sequence[MemberState], budget: Budget, given: Mapping[str, float]
            ) -> tuple[float, float]:
    """Jain's index of the amperages, and the share of the budget that is used."""
    amperages = [given[m.member] for m in members]
    jain = sum(amperages)**2 / (len(amperages) * sum(a * a for a in amperages))
    used = sum(a * len(m.phases) for a, m in zip(amperages, members, strict=True))
    return jain, used / sum(budget)


def ours(members: Sequence[MemberState], budget: Budget) -> dict[str, float]:
    return {n: s.allocated_amperage for n, s in allocate(1000.0, members, budget).items()}


class Node:
    """A team of the tree, its leader and its members' side of the lease, in one process."""

    def __init__(self, name: str, below: Sequence[Node], fall_time: float, now: float) -> None:
        self.below = below
        names = tuple(f'{name}.{i}' for i in range(FAN_OUT))
        config = TeamConfig(name, names, (name,), fall_time=fall_time, times=AT_ONCE)
        self.leader = Leader(config, name, now)
        self.members = [Member(MemberConfig(name, n, times=AT_ONCE), now) for n in names]
        self.wishes = [TeamRequest(requested_amperage=16.0, phase_map=(1, 2, 3),
                                   vehicle_status='C')] * FAN_OUT

    def ask(self, now: float) -> TeamRequest:
        """Up the tree: every member sends its request, the team's total goes on."""
        for i, team in enumerate(self.below):
            self.wishes[i] = team.ask(now)
        for member, wish in zip(self.members, self.wishes, strict=True):
            self.leader.hear_request(now, member.request(now, wish))
        return self.leader.total(now)

    def answer(self, now: float, amperage: float) -> None:
        """Down the tree: a list for each team, heard by its members."""
        step = self.leader.step(now, Heard(TeamBudget('', (amperage,) * 3, 10.0), now))
        if step.persist is not None:
            self.leader.persisted(now, step.persist)
        for i, member in enumerate(self.members):
            if step.allocation is not None:
                member.hear(now, step.allocation)
            if self.below:
                self.below[i].answer(now, member.in_force(now).amperage)

    def amperages(self, now: float) -> list[float]:
        if self.below:
            return [a for team in self.below for a in team.amperages(now)]
        return [member.in_force(now).amperage for member in self.members]


def a_tree(now: float) -> Node:
    leaves = [[Node(f'{i}.{j}', (), 6.0, now) for j in range(FAN_OUT)] for i in range(FAN_OUT)]
    return Node('top', [Node(str(i), leaves[i], 18.0, now) for i in range(FAN_OUT)], 30.0, now)


def tree(figures: dict[str, float]) -> None:
    """32,768 charge points, teams of teams of teams: the whole lease, each cycle."""
    count = FAN_OUT**3
    gc.collect()
    tracemalloc.start()
    root, now = a_tree(0.0), 0.0
    for _ in range(3):
        root.ask(now)
        root.answer(now, 10.0 * count)
        now += 1.0
    figures['tree_32k.bytes_per_member'] = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked through in every cycle
    times = []
    while now < 20.0:
        begin = time.perf_counter()
        root.ask(now)
        root.answer(now, 10.0 * count)
        times.append(time.perf_counter() - begin)
        now += 1.0
    figures['tree_32k.cycle_ms'] = sorted(times)[len(times) // 2] * 1e3
    gc.unfreeze()
    print(f'\ntree of {count} charge points, fan-out {FAN_OUT}, one process: '
          f'{figures["tree_32k.cycle_ms"]:.0f} ms a cycle (requests, totals, allocation, lists, '
          f'leases), {figures["tree_32k.bytes_per_member"]:.0f} bytes a member; '
          f'{min(root.amperages(now)):.1f}..{max(root.amperages(now)):.1f} A each')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, metavar='FILE')
    file: Path | None = parser.parse_args().json
    figures: dict[str, float] = {}

    print('ours                  ms   target')
    for count in SIZES:
        members, budget = a_team(count)
        figures[f'ours.ms_n{count}'] = milliseconds(lambda m=members, b=budget: allocate(
            1000.0, m, b), 60 if count <= 1000 else 10)
        target = BUDGETS_MS.get(count)
        print(f'{count:>8} members {figures[f"ours.ms_n{count}"]:>8.3f}   '
              f'{"" if target is None else f"{target:g}"}')

    has_acn = acn.available()
    for count in (54, 500):
        members, budget = a_team(count)
        peers: dict[str, tuple[Callable[[], Mapping[str, float]], int]] = {
            'ours': (lambda m=members, b=budget: ours(m, b), 1),
            'everest_rule': (lambda m=members, b=budget: slice_rule(m, b), 10)}
        if has_acn:
            for name, in_turns in (('acn_sorted', False), ('acn_round_robin', True)):
                peers[name] = (acn.scheduler(members, budget, in_turns), 3)
        print(f'\n{count} members            ms   times ours   Jain index   budget used')
        for name, (run, repeats) in peers.items():
            ms = milliseconds(run, repeats) if name != 'ours' else figures[f'ours.ms_n{count}']
            jain, used = quality(members, budget, run())
            figures |= {f'{name}.ms_n{count}': ms, f'{name}.jain_n{count}': jain,
                        f'{name}.budget_used_n{count}': used}
            print(f'{name:<16} {ms:>10.3f} {ms / figures[f"ours.ms_n{count}"]:>12.1f} '
                  f'{jain:>12.4f} {used:>13.4f}')
        for name in () if has_acn else ('acn_sorted', 'acn_round_robin'):
            print(f'{name:<16} not measured')
    if not has_acn:
        print(f'\n{acn.HOW_TO_INSTALL}')
    tree(figures)
    if file is not None:
        file.write_text(json.dumps(figures, indent=1) + '\n')


if __name__ == '__main__':
    main()
