"""Simulated time: `python bench/sim_time.py [--json FILE] [--speed N] [--real]`.

One scenario (a vehicle that draws 8 % too much, three set-points) in `charger up --sim --speed N`,
in the offline loop and, with --real, in real time on a serial line (three minutes). The table shows
when the first offer came, what was signaled in the end of each set-point, and the energy; below it,
how fast the clock went and which share of all ticks came.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / 'test'))
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))

from live_sim_time import END, STEPS, Offline, Run

SETTLED = [step['at'] - 1.0 for step in STEPS[1:]]
"""s, just before something is changed."""
LEAST_TICKS = 0.99


def row_of(run: Run) -> list[float]:
    return [run.first('offer', 9.0), *(run.offered(at) for at in SETTLED), run.energy]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=Path)
    parser.add_argument('--speed', type=float, default=10.0)
    parser.add_argument('--real', action='store_true', help='in real time too')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fast = Run(Path(folder), arguments.speed)
        rows = {f'{arguments.speed:g} times': row_of(fast)}
    offline = Offline(fast)
    rows['offline'] = [offline.first_offer(9.0, 6.0, 80.0), *map(offline.offered, SETTLED),
                       offline.energy]
    if arguments.real:
        with tempfile.TemporaryDirectory() as folder:
            rows['real time'] = row_of(Run(Path(folder), None))
    print(f'{"":<10} first offer s' + ''.join(f'  A at {at:g} s' for at in SETTLED)
          + '      kWh')
    for name, (first, *offers, energy) in rows.items():
        print(f'{name:<10} {first:13.2f}' + ''.join(f'{a:12.2f}' for a in offers)
              + f'{energy:9.4f}')
    due, missed = int(fast.clock['ticks']), int(fast.clock['missed'])
    others = [row for name, row in rows.items() if not name.endswith('times')]
    ours = rows[f'{arguments.speed:g} times']
    result = {
        'sim_time.speed': round(END / fast.took, 2),
        'sim_time.ticks_share': round(1.0 - missed / due, 5),
        'sim_time.first_offer_apart_s': round(max(abs(ours[0] - o[0]) for o in others), 2),
        'sim_time.signaled_apart_a': round(max(
            abs(a - b) for o in others for a, b in zip(ours[1:-1], o[1:-1], strict=True)), 3),
        'sim_time.energy_apart_percent': round(max(
            100.0 * abs(ours[-1] / o[-1] - 1.0) for o in others), 3),
        'load_average': round(os.getloadavg()[0], 1),
    }
    for name, value in result.items():
        print(f'{name} = {value}')
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + '\n')
    return 0 if result['sim_time.ticks_share'] >= LEAST_TICKS else 1


if __name__ == '__main__':
    sys.exit(main())
