"""Nights of 12 hours with random faults, offline: python bench/night.py [--json FILE].

Charge points with vehicles that come and go, limits that change, and board, meter and pilot that
fail (test/night.py), each with a meter whose error takes most of class B. Compared are the
vehicles' own energies and the session record.

  night.sessions             visits of vehicles; each must be one session on record, with its times
  night.events               limits, faults, visits
  night.wrong                what the record lost or got wrong; each is printed
  night.energy_error_worst   of a session: |record - vehicle| as a share of what is allowed (1 % and
                             one step of the register at each end)
  night.above_limit_s        s for which more than min(HW limit, cable) was signaled
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / 'test'))

from night import Night

HOUR = 3600.0


def one(order: tuple[int, float]) -> tuple[int, int, list[str], float, float, float]:
    """A charge point: sessions, events, what is wrong, worst energy error, s above, kWh."""
    seed, hours = order
    night = Night(seed).run(hours * HOUR)
    errors = [night.energy_error(visit, record)
              for visit, record in zip(night.visits, night.records.values(), strict=False)]
    return (len(night.visits), night.events, [f'charge point {seed}: {f}' for f in night.faults()],
            max(errors, default=0.0), night.above_limit,
            sum(visit.vehicle.energy for visit in night.visits))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--hours', type=float, default=12.0)
    parser.add_argument('--points', type=int, default=5)
    parser.add_argument('--processes', type=int, default=min(2, os.cpu_count() or 1))
    arguments = parser.parse_args()
    begin = time.monotonic()
    orders = [(seed, arguments.hours) for seed in range(arguments.points)]
    with multiprocessing.Pool(arguments.processes) as pool:
        results = pool.map(one, orders, chunksize=1)
    sessions, events, wrong, errors, above, energies = zip(*results, strict=True)
    complaints = [line for lines in wrong for line in lines]
    for line in complaints:
        print(line)
    print(f'{arguments.points} charge points, {arguments.hours:g} h: {sum(sessions)} sessions, '
          f'{sum(events)} events, {sum(energies):.1f} kWh, {len(complaints)} things wrong')
    print(f'worst energy error: {max(errors):.2f} of what is allowed; above min(HW, cable): '
          f'{sum(above):.2f} s; took {time.monotonic() - begin:.0f} s')
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({
            'night.sessions': sum(sessions), 'night.events': sum(events),
            'night.wrong': len(complaints), 'night.energy_error_worst': max(errors),
            'night.above_limit_s': sum(above)}, indent=1) + '\n')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main())
