"""Looks for a violation of the team's lease: python bench/team_lease.py [--full] [--from N].

A team of three on a network that loses, delays (to 90 s) and doubles messages, with processes
that restart, machines that sleep and candidates that usurp: random schedules in simulated time
(test/core/team_lease_faults.py). Then the same with a rule left out: how soon is that found?
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / 'test' / 'core'))

from team_lease_faults import search, search_in_parallel
from team_lease_mutations import MUTATIONS

QUICK, FULL = 2_000, 100_000
FIRST = 1_000_000  # other schedules than those of the tests


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

    begin = time.perf_counter()
    run, seen = search_in_parallel(range(first, first + count))
    seconds = time.perf_counter() - begin
    print(f'{run} schedules in {seconds:.0f} s: {len(seen) or "no"} violation(s)', *seen, sep='\n')
    figures: dict[str, float] = {'schedules': run, 'violations': len(seen), 'seconds': seconds}

    print('a rule left out or bent      found after (schedules)')
    for name, mutation in MUTATIONS.items():
        needed, violation = search(range(10_000), mutation)
        if violation:
            figures[f'found_after.{name.replace(" ", "_")}'] = needed
        print(f'{name:<28} {needed if violation else "not found":>8}')
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + '\n')
    return 1 if seen else 0


if __name__ == '__main__':
    sys.exit(main())
