"""Looks for a violation of the team's lease: python bench/team_lease.py [--full] [--from N].

A team of three on a network that loses, delays (to 90 s) and doubles messages, with processes
that restart, machines that sleep and candidates that usurp: random schedules in simulated time
(test/core/team_lease_faults.py). Then vehicles that change phases and are swapped
(team_lease_phases.py), and three such teams behind one supply (team_site.py). Then the same with a
rule left out: how soon is that found?
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / 'test' / 'core'))

from team_lease_faults import World, search, search_in_parallel
from team_lease_mutations import MUTATIONS
from team_lease_phases import PhaseWorld
from team_phase_mutations import PHASE_MUTATIONS
from team_site import Site

QUICK, FULL = 2_000, 100_000
FIRST = 1_000_000  # other schedules than those of the tests
MODELS = {World: ('lease', 1), PhaseWorld: ('phases', 1), Site: ('site', 10)}
"""By kind: its name, and how many times fewer schedules are run than are asked for."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--full', action='store_true', help=f'{FULL} schedules, not {QUICK}')
    parser.add_argument('--schedules', type=int, metavar='N', help='so many schedules')
    parser.add_argument('--from', type=int, dest='first', default=FIRST, metavar='SEED',
                        help='of the first schedule, to go on where another run ended')
    parser.add_argument('--json', type=Path, metavar='FILE')
    arguments = parser.parse_args()
    count = arguments.schedules or (FULL if arguments.full else QUICK)
    first = arguments.first

    figures: dict[str, float] = {}
    failed = 0
    for kind, (name, divisor) in MODELS.items():
        begin = time.perf_counter()
        run, seen = search_in_parallel(range(first, first + count // divisor), world=kind)
        seconds = time.perf_counter() - begin
        print(f'{name}: {run} schedules in {seconds:.0f} s: {len(seen) or "no"} violation(s)',
              *seen, sep='\n', flush=True)
        figures |= {f'{name}.schedules': run, f'{name}.violations': len(seen),
                    f'{name}.seconds': seconds}
        failed += len(seen)

    print('a rule left out or bent      found after (schedules)')
    for kind, mutations in ((World, MUTATIONS), (PhaseWorld, PHASE_MUTATIONS)):
        for name, mutation in mutations.items():
            needed, violation = search(range(10_000), mutation, world=kind)
            if violation:
                figures[f'found_after.{name.replace(" ", "_")}'] = needed
            failed += not violation
            print(f'{name:<28} {needed if violation else "not found":>8}')
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + '\n')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
