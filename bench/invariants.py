"""Invariants 1 and 2 over long random histories: python bench/invariants.py [--json FILE].

Controller, pilot control and a board, chained, with the oracle of the tests (test/core/
charge_world.py) that judges each tick by architecture.md alone. The histories are those of
test_invariants.py (inputs, second voices, silences, faults, suspends, restarts, absurd values), but
drawn from a seed, longer, and many more: 1,000,000 ticks by default. Then registers that lie.

  invariants.ticks        ticks judged
  invariants.register_samples  samples of energy registers that lie (lying_registers.py)
  invariants.violations   of them against an invariant; the history of each is printed
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import os
import random
import sys
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / 'test' / 'core'))

from charge_world import INPUTS, SOURCES, World, charging
from lying_registers import live_register
from test_invariants import AMPERAGES, LIES, SPOKEN, happen

from charger_control.core.cppwm_controller import Allocation
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import FOREVER

NAN, INF = math.nan, math.inf
EVENTS_EACH = 200
BATCH = 50
CURRENTS = (0.0, 0.5, 5.8, 9.5, 10.4, 15.2, 16.0, 16.6, 18.0, 40.0, NAN)
READINGS = (MeterReading(), MeterReading(amperage=(16.0, 16.0, 16.0), error='no answer'),
            MeterReading(amperage=(INF, 0.0, 0.0)), MeterReading(amperage=(1e9, 0.0, 0.0)),
            MeterReading(amperage=(-5.0, 0.0, 0.0)),
            MeterReading(amperage=(16.0, 16.0, 16.0), age=NAN),
            MeterReading(amperage=(16.0, 16.0, 16.0), age=5.0),
            MeterReading(amperage=(0.0, 0.0, 0.0), age=30.0))
BOARDS: tuple[dict[str, Any], ...] = (
    *({'letter': letter, 'contactor_closed': closed}
      for letter, closed in itertools.product('ABCDEFSRX', (None, False, True))),
    *({'letter': 'C', 'contactor_closed': True},) * 6,
    {'signaled_amperage': NAN}, {'signaled_amperage': 32.0}, {'signaled_amperage': 0.0},
    {'signaled_amperage': -1.0}, {'unsafe': True}, {'unsafe': False},
    {'error_cause': 'BoardFault'}, {'error_cause': ''}, {'cable_amperage': NAN},
    {'cable_amperage': 13.0}, {'cable_amperage': 0.0}, {'cable_amperage': 63.0})
INTERVALS = (0.0, 0.05, 0.1, 0.1, 0.1, 0.9, 1.0, 2.1, 5.0, 5.1, 10.1, 60.1)
Event = tuple[str, Any, Any]


def limit(chance: random.Random) -> AmperageLimit:
    if chance.random() < 0.5:
        return AmperageLimit(chance.choice((6.0, 6.4, 6.5, 10.0, 12.0, 16.0, 32.0)))
    return AmperageLimit(chance.choice(AMPERAGES), chance.choice((0, 0, 0, 1, 3, 2)),
                         chance.choice((FOREVER, 900.0, 5.0, 1.0, 0.0, 60.0, NAN, INF, -1.0)),
                         chance.choice((NAN, 0.0, 6.0, 16.0, INF, -1.0)))


def reading(chance: random.Random) -> MeterReading:
    first, second, third = (chance.choice(CURRENTS) for _ in range(3))
    return chance.choice((MeterReading(amperage=(first, second, third)), chance.choice(READINGS)))


def said_by_another(chance: random.Random, topic: str) -> Any:
    """What a second voice says on a topic, at each tick until it is 'alone' again."""
    if topic == 'available':
        return AvailableAmperage(
            chance.choice(AMPERAGES), chance.choice(AMPERAGES), chance.random() < 0.8,
            chance.choice((0, 0, 1, 3, 2)), chance.choice((1.0, 1.0, 0.0, FOREVER, NAN, -1.0)))
    if topic == 'meter':
        return reading(chance)
    return chance.choice(LIES) if topic == 'control_pilot' else limit(chance)


def event(chance: random.Random) -> Event:
    kind = chance.choice(('limit', 'limit', 'second', 'alone', 'quiet', 'speak', 'speak',
                          'hw for the pilot alone', 'meter', 'draws', 'board', 'board', 'obeys',
                          'allocation', 'jump', 'restart', 'reset fault', 'wait'))
    name: Any = None
    value: Any = None
    if kind == 'limit':
        name, value = chance.choice(SOURCES), limit(chance)
    elif kind == 'second':
        name = chance.choice(SPOKEN)
        value = said_by_another(chance, name)
    elif kind == 'alone':
        name = chance.choice(SPOKEN)
    elif kind in {'quiet', 'speak'}:
        name = chance.choice(INPUTS)
    elif kind == 'hw for the pilot alone':
        value = limit(chance)
    elif kind == 'meter':
        value = reading(chance)
    elif kind == 'draws':
        value = chance.choice((0.9, 0.95, 1.0, 1.08))
    elif kind == 'board':
        value = chance.choice(BOARDS)
    elif kind == 'obeys':
        value = chance.random() < 0.7
    elif kind == 'allocation':
        value = chance.choice((None, Allocation(
            chance.choice(AMPERAGES), chance.choice((0.0, 0.5, 2.0, NAN, -1.0, INF)))))
    elif kind == 'jump':
        value = chance.choice((0.5, 2.5, 6.0, 61.0, 3601.0))
    elif kind == 'restart':
        name = chance.choice(('controller', 'pilot', 'both'))
    elif kind == 'wait':
        value = chance.randint(1, 8)
    return kind, name, value


def live(seed: int) -> tuple[int, str]:
    """One history: ticks, and what went wrong, '' for nothing."""
    chance = random.Random(f'invariants/{seed}')
    options = {'socket': chance.random() < 0.5, 'step': chance.choice((0.01, 0.06, 1.0)),
               'delay': chance.choice((0.0, 0.3))}
    world = World(**options)
    if chance.random() < 0.7:
        world = charging(trimmed=chance.random() < 0.3, **options)
    ticks, tick = 0, world.tick

    def counted(dt: float, **how: Any) -> None:
        nonlocal ticks
        ticks += 1
        tick(dt, **how)

    world.tick = counted
    history: list[tuple[Event, float]] = []
    try:
        for _ in range(EVENTS_EACH):
            history.append((event(chance), chance.choice(INTERVALS)))
            happen(world, history[-1][0])
            world.tick(history[-1][1])
    except AssertionError as error:
        last = '\n'.join(f'    {entry}' for entry in history[-12:])
        where = traceback.extract_tb(error.__traceback__)[-1].line
        return ticks, f'history {seed}, {options}: {error or "violated"}: {where}, after\n{last}'
    return ticks, ''


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--ticks', type=int, default=1_000_000)
    parser.add_argument('--registers', type=int, default=2000)
    parser.add_argument('--processes', type=int, default=min(2, os.cpu_count() or 1))
    arguments = parser.parse_args()
    begin = time.monotonic()
    ticks, violations = 0, []
    with multiprocessing.Pool(arguments.processes) as pool:
        for first in itertools.count(0, BATCH):
            for count, wrong in pool.imap_unordered(live, range(first, first + BATCH)):
                ticks += count
                if wrong:
                    violations.append(wrong)
                    print(wrong)
            if sys.stderr.isatty():
                print(f'\r{min(1.0, ticks / arguments.ticks):4.0%}, {len(violations)} violations',
                      end='', file=sys.stderr)
            if ticks >= arguments.ticks:
                break
        samples = 0
        for count, wrong in pool.imap_unordered(live_register, range(arguments.registers), BATCH):
            samples += count
            if wrong:
                violations.append(wrong)
                print(wrong)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f'{samples} samples of {arguments.registers} registers that lie')
    print(f'{ticks} ticks, {len(violations)} violations, {time.monotonic() - begin:.0f} s')
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(
            {'invariants.ticks': ticks, 'invariants.register_samples': samples,
             'invariants.violations': len(violations)}) + '\n')
    return 1 if violations else 0


if __name__ == '__main__':
    sys.exit(main())
