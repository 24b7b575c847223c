"""Other loads beside a team on one fuse: python bench/loads.py [--quick] [--json FILE].

A team of offline chargers (core's members, leader and VCSE, simulated vehicles) behind a grid
meter, beside loads that cycle, ramp, step and rush in. Requests, totals, readings and budgets are
as old as they are in the graph. Measured on the phase that carries most: how often, how long and by
how much the fuse is exceeded, stops of vehicles, and the share of the room that they use. Room is
what the fuse leaves beside base load, cycling load (counted as on) and margin.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from charger_control.sim.offline.depot_charger import FALL_TIME
from charger_control.sim.offline.depot_loads import LoadCase as Case
from charger_control.sim.offline.depot_loads import LoadWorld, cycling, ramp, steps


def cases(quick: bool) -> list[Case]:
    """All supplies and loads."""
    hour = 900.0 if quick else 3600.0
    found = [
        Case('oven of 10 A, 15 s on, 27-33 s off; 25 A', 25.0,
             cycling(6.0, 10.0, 15.0, lambda r: r.uniform(27.0, 33.0)), 8.0, hour),
        Case('the same, grid meter every 3 s', 25.0,
             cycling(6.0, 10.0, 15.0, lambda r: r.uniform(27.0, 33.0)), 8.0, hour, period=3.0),
        Case('three cars, one goes from 1 to 3 phases; 63 A', 63.0, lambda now: 6.0, math.nan,
             chargers=3, first=1, later=(200.0, 3)),
        Case('20 A, 3 s on, 7 s off; 40 A', 40.0, cycling(4.0, 20.0, 3.0, lambda r: 7.0), 15.0),
        Case('ramp of 30 A in 60 s; 40 A', 40.0, ramp(2.0, 30.0, 60.0), math.nan),
        Case('ramp of 20 A in 20 s; 40 A', 40.0, ramp(2.0, 20.0, 20.0), math.nan),
        Case('steps of 15 A at 2, 6 min; 40 A', 40.0, steps(4.0, 15.0, (120.0, 250.0, 360.0)),
             math.nan),
        Case('inrush of 40 A for 0.5 s; 40 A', 40.0, lambda now: 4.0 + 40.0 * (
            120.0 <= now < 120.5), math.nan),
        Case('noise of 1 A; 25 A', 25.0, lambda now: 6.0 + 0.5 * math.sin(7.3 * now)
             + 0.5 * math.sin(1.9 * now), 17.0),
    ]
    found += [Case(f'12 A, {on:g} s on, {off:g} s off; 32 A', 32.0,
                   cycling(4.0, 12.0, on, lambda r, off=off: off), 15.0, 900.0)
              for on, off in ((3.0, 3.0), (10.0, 10.0), (30.0, 30.0), (60.0, 60.0))]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='the oven for a quarter of an hour')
    parser.add_argument('--json', type=Path, metavar='FILE', help='figures as one flat object')
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    print(f'{"case":<48}{"above":>8}{"times":>6}{"longest":>9}{"worst":>7}{"stops":>6}{"least":>7}'
          f'{"used":>7}')
    for case in cases(arguments.quick):
        found = LoadWorld(case, 1).run()
        print(f'{case.name:<48}{found.above:>6.1f} s{found.times:>6}{found.longest:>7.1f} s'
              f'{found.worst:>6.1f}A{found.stops:>6}{found.least:>6.1f}A{100 * found.used:>6.0f}%',
              flush=True)
        for name in ('above', 'times', 'longest', 'worst', 'stops', 'least', 'used'):
            value = getattr(found, name)
            if not math.isnan(value):
                figures[f'{case.name}.{name}'] = value
    limit = FALL_TIME + 1.0
    print(f'never longer than {limit:g} s above the fuse (fall time and one meter period)')
    if arguments.json:
        arguments.json.write_text(json.dumps(figures))


if __name__ == '__main__':
    main()
