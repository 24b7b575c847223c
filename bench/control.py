"""How well vehicles draw what was commanded: python bench/control.py [--full] [--json FILE].

A random population of vehicles (sim/plant/population.py: ranges of domain.md 2.3), each on a board
with steps of 0.01, 0.06 or 1 A and a min(HW limit, cable) of 32, 20 or 16 A, is charged under our
controller and, with the same luck, under four other rules (regulation/rules.py). Once the vehicle
charges, 10 random set-points between 6 A and that limit follow one another; each stays until it
must have settled (2 T + 6 s + one meter period) and 30 s more. Meters have values 5 times and once
a second, late by 0.05 to 0.5 s, with 0.01 A of noise. Judged is the true current of the highest
phase.

Words
  T             what the vehicle alone takes from a change of the signal until its current stays
                within 0.2 A of where it ends (nobody corrects anything; for each set-point anew)
  can follow    a signal exists in [6 A, min(HW, cable, commanded + trim)] at which the vehicle
                draws what is commanded, less the quantum (trim: 2 A, the default)
  quantum       0; the vehicle's own step (1 A) for one that draws whole amperes; on a board in
                whole amperes what one of them makes. A draw up to one quantum below is no error
  error         at an instant: A above commanded, or A below (commanded - quantum)

Measures, for each rule
  steady_error_p95_a          of the largest error in the last 30 s; steps it can follow
  settle_excess_p95_s         of the time until the error stays within 0.2 A, less 2 T + 6 s + one
                              meter period; 30 where it never does; steps it can follow
  overshoot_excess_p99_a      of the most above commanded (after a fall: from when the draw has
                              come down to it, at the latest T + 6 s), less the same of the open
                              loop; all steps
  above_excess_p99_s          of the longest time more than 0.5 A above commanded, less T + 6 s;
                              all steps
  above_commanded_mean_s      s a step more than 0.5 A above commanded, falls included; all steps
  above_hw_limit_s            s in all for which more than min(HW limit, cable) was signaled
  signal_changes_per_min_p95  of the changes of the signal in the last 30 s, per vehicle and meter
  signal_changes_worst        most changes in any such 30 s
  evs, steps, steps_followed  how many there were; steps: for each rule
  simulator.realtime_factor   simulated s of our loop (controller, pilot, plant, meter) per s of CPU

Then the same of ours by meter, by board and by how the vehicle obeys, and the set-points that went
worst, by vehicle. Percentiles are over steps unless said otherwise. The default takes up to 10
minutes on two cores; --full takes 1000 vehicles and also meters at 10 Hz and 0.2 Hz. --pi, --noise
and --only-ours are for tuning (docs/tuning.md).
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from regulation.rules import RULES
from regulation.trial import OURS, WINDOW, Order, Run, carry_out

from charger_control.sim.offline.loop import Loop
from charger_control.sim.offline.quality import GRACE, TOLERANCE, Quality, Task
from charger_control.sim.plant.population import population

ALL = (OURS, *RULES)
TARGETS = {'steady_error_p95_a': 0.2, 'settle_excess_p95_s': 0.0, 'overshoot_excess_p99_a': 0.2,
           'above_hw_limit_s': 0.0, 'signal_changes_per_min_p95': 2.0, 'above_excess_p99_s': 0.0}
"""What ours must not exceed."""
Judged = tuple[Run, Task, Quality]


def percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else math.nan


def measures(runs: Sequence[Run], open_loop: dict[tuple[int, float], Run]) -> dict[str, float]:
    """The figures of one rule."""
    every: list[Judged] = [(run, task, quality) for run in runs for task, quality in run.steps]
    followed = [entry for entry in every if entry[1].can_follow]
    overshoot = []
    for run in runs:
        reference = open_loop[run.order.vehicle, run.order.period]
        overshoot += [ours.overshoot - theirs.overshoot for (_, ours), (_, theirs)
                      in zip(run.steps, reference.steps, strict=True)]
    changes = [sum(q.changes for _, q in run.steps) / (len(run.steps) * WINDOW) * 60.0
               for run in runs]
    return {
        'steady_error_p95_a': percentile([q.steady_error for _, _, q in followed], 95),
        'steady_error_p50_a': percentile([q.steady_error for _, _, q in followed], 50),
        'settle_excess_p95_s': percentile(
            [q.settled_after - task.budget(run.order.period) for run, task, q in followed], 95),
        'overshoot_excess_p99_a': percentile(overshoot, 99),
        'above_excess_p99_s': percentile(
            [q.longest_above - task.settling - GRACE for _, task, q in every], 99),
        'above_commanded_mean_s': float(np.mean([q.above for _, _, q in every])),
        'above_hw_limit_s': sum(run.above_limit for run in runs),
        'signal_changes_per_min_p95': percentile(changes, 95),
        'signal_changes_worst': max(q.changes for _, _, q in every),
        'steps_followed': len(followed),
    }


def realtime_factor() -> float:
    """Simulated s of our loop per s of CPU, while a vehicle charges."""
    loop = Loop()
    loop.limit = 16.0
    loop.station.plug_in(population(1, 1)[0])
    loop.run(60.0)
    best = 0.0
    for _ in range(3):
        begin = time.process_time()
        loop.run(60.0)
        best = max(best, 60.0 / (time.process_time() - begin))
    return best


def carry_out_all(orders: Sequence[Order], processes: int) -> list[Run]:
    """All orders, with a line that says how far it is."""
    runs: list[Run] = []
    begin = time.monotonic()
    with multiprocessing.Pool(processes) as pool:
        for done, result in enumerate(pool.imap_unordered(carry_out, orders), 1):
            runs += result
            left = (time.monotonic() - begin) / done * (len(orders) - done)
            if sys.stderr.isatty():
                print(f'\r{done}/{len(orders)}, {left:.0f} s left ', end='', file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return runs


def table(title: str, figures: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(figures.values())))
    lines = [f'{title:<30}' + ''.join(f'{rule!s:>11}' for rule in figures) + '   must be']
    for name in names:
        target = f'  <= {TARGETS[name]:g}' if name in TARGETS else ''
        lines.append(f'  {name:<28}' + ''.join(f'{figures[rule][name]:>11.2f}'
                                                for rule in figures) + target)
    return '\n'.join(lines)


def by(runs: Sequence[Run], key: Callable[[Run], object]) -> dict[object, list[Run]]:
    groups: dict[object, list[Run]] = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return dict(sorted(groups.items(), key=lambda item: str(item[0])))


def worst(runs: Sequence[Run], most: int = 10) -> list[str]:
    """The set-points that went worst, a line each: where to look when something fails."""
    bad = []
    for run in runs:
        for number, (task, quality) in enumerate(run.steps):
            late = quality.settled_after - task.budget(run.order.period)
            if task.can_follow and (late > 0.0 or quality.steady_error > TOLERANCE):
                bad.append((late, f'  vehicle {run.order.vehicle} ({run.kind}), '
                            f'{1 / run.order.period:g} Hz, {run.board_step:g} A, step {number}: '
                            f'{task.commanded:g} A, T {task.settling:.1f} s, {late:+.1f} s, '
                            f'{quality.steady_error:.2f} A off'))
    bad.sort(reverse=True)
    rest = [f'  and {len(bad) - most} more'] if len(bad) > most else []
    return [line for _, line in bad[:most]] + rest or ['  none']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--full', action='store_true', help='1000 vehicles, four meters')
    parser.add_argument('--evs', type=int, metavar='N', help='vehicles')
    parser.add_argument('--steps', type=int, default=10, metavar='N', help='set-points of each')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--trim', type=float, default=2.0, metavar='A', help='what ours may add')
    parser.add_argument('--pi', action='append', default=[], metavar='NAME=VALUE',
                        help='parameter of our regulator, repeatable')
    parser.add_argument('--noise', type=float, default=0.01, metavar='A', help='of the meters')
    parser.add_argument('--only-ours', action='store_true', help='and the open loop')
    parser.add_argument('--processes', type=int, default=min(2, os.cpu_count() or 1))
    arguments = parser.parse_args()
    evs = arguments.evs or (1000 if arguments.full else 200)
    periods = (0.1, 0.2, 1.0, 5.0) if arguments.full else (0.2, 1.0)

    rules = (OURS, 'open_loop') if arguments.only_ours else ALL
    gains = tuple((name, float(value)) for name, value in
                  (pair.split('=') for pair in arguments.pi))

    begin = time.monotonic()
    orders = [Order(vehicle, arguments.seed, arguments.steps, period, arguments.trim, rules,
                    gains, arguments.noise)
              for vehicle in range(evs) for period in periods]
    runs = carry_out_all(orders, arguments.processes)
    open_loop = {(run.order.vehicle, run.order.period): run
                 for run in runs if run.rule == 'open_loop'}
    figures = {rule: measures([run for run in runs if run.rule == rule], open_loop)
               for rule in rules}
    ours = [run for run in runs if run.rule == OURS]
    factor = realtime_factor()

    print(table(f'{evs} vehicles, all meters', figures))
    print()
    print(table('ours', {
        **{f'{1 / period:g} Hz': measures(group, open_loop)
           for period, group in by(ours, lambda run: run.order.period).items()},
        **{f'{step:g} A': measures(group, open_loop)
           for step, group in by(ours, lambda run: run.board_step).items()}}))
    print()
    print(table('ours, by how the vehicle obeys', {
        kind: measures(group, open_loop)
        for kind, group in by(ours, lambda run: run.kind).items()}))
    print('\n'.join(['', 'worst of ours, beyond the budget or 0.2 A off:', *worst(ours)]))
    hours = sum(run.simulated for run in runs) / 3600.0
    print(f'\nloop: {factor:.0f} times real time; {hours:.0f} h simulated in '
          f'{time.monotonic() - begin:.0f} s')
    if arguments.json is not None:
        flat = {f'{rule}.{name}': value for rule, group in figures.items()
                for name, value in group.items()}
        flat |= {'evs': evs, 'steps': evs * len(periods) * arguments.steps,
                 'simulator.realtime_factor': factor}
        arguments.json.write_text(json.dumps(flat, indent=1) + '\n')


if __name__ == '__main__':
    main()
