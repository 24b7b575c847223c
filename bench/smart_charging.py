"""What a charging-profile look-up costs: python bench/smart_charging.py [--json FILE].

The profiles recur daily, have 1,000 periods each, all purposes, both units, and active times
that leave gaps, so that lower stack levels are seen as well.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

from charger_control.core.smart_charging import (
    CompositeDefaults,
    Kind,
    Period,
    Profile,
    ProfileEngine,
    Purpose,
    RateUnit,
    Recurrency,
    Transaction,
    composite_schedule,
)

DAY = 86_400
START = 1_767_225_600  # 2026-01-01T00:00:00Z
TARGETS = {'instant_us': 50.0, 'composite_day_ms': 50.0, 'composite_week_ms': 250.0}
PURPOSES = (Purpose.TX_DEFAULT, Purpose.TX, Purpose.STATION_MAX, Purpose.EXTERNAL_CONSTRAINTS)
TRANSACTIONS = {1: Transaction(1, START - 3600, 't1')}
DEFAULTS = CompositeDefaults.of_hardware(32.0)
EVSE = 1


def profiles(count: int, periods: int = 1000) -> list[Profile]:
    """``count`` daily profiles; the higher its stack level, the shorter one is active."""
    chance = random.Random(1)
    made = []
    for number in range(count):
        unit = chance.choice(list(RateUnit))
        factor = 1.0 if unit is RateUnit.A else 690.0
        duration = chance.randrange(DAY // 24, DAY // 2) if number else DAY
        step = max(1, duration // periods)
        purpose = PURPOSES[number % len(PURPOSES)]
        made.append(Profile(
            profile_id=number, evse=1 if purpose is Purpose.TX else 0, purpose=purpose,
            kind=Kind.RECURRING, recurrency=Recurrency.DAILY, stack_level=number, unit=unit,
            start_schedule=START - chance.randrange(40 * DAY), duration=duration,
            transaction_id='t1' if purpose is Purpose.TX else '',
            periods=tuple(Period(i * step, factor * chance.randrange(60, 320) / 10.0,
                                 chance.choice((None, 1, 3))) for i in range(periods))))
    return made


def seconds_of(run: Callable[[], object], repeats: int) -> float:
    """The best of some runs, s."""
    best = float('inf')
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best


def instant_us(engine: ProfileEngine) -> float:
    chance = random.Random(2)
    instants = [START + chance.random() * DAY for _ in range(10_000)]
    engine.limit_at(EVSE, START)

    def ask() -> None:
        for at in instants:
            engine.limit_at(EVSE, at)

    return seconds_of(ask, 5) / len(instants) * 1e6


def composite_ms(installed: list[Profile], days: int) -> float:
    """A new engine each time: nothing is warm."""
    def ask() -> None:
        engine = ProfileEngine(installed, TRANSACTIONS)
        composite_schedule(engine, EVSE, START, START + days * DAY, RateUnit.A, DEFAULTS)

    return seconds_of(ask, 5) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, metavar='FILE')
    file: Path | None = parser.parse_args().json

    hundred = profiles(100)
    engine = ProfileEngine(hundred, TRANSACTIONS)
    warm_up = seconds_of(lambda: engine.limit_at(EVSE, START), 1)
    figures = {
        'instant_us': instant_us(engine),
        'composite_day_ms': composite_ms(hundred, 1),
        'composite_week_ms': composite_ms(hundred, 7),
    }
    day_ms = {}
    for count in (10, 100, 1000):
        installed = profiles(count)
        figures[f'instant_us_n{count}'] = instant_us(ProfileEngine(installed, TRANSACTIONS))
        day_ms[count] = composite_ms(installed, 1)

    print('100 daily profiles of 1,000 periods       measured    target')
    for name, target in TARGETS.items():
        print(f'  {name:<32} {figures[name]:>12.2f} {target:>9.0f}')
    print(f'  index of a day, made once (ms)   {warm_up * 1e3:>12.2f}')
    print('growth with the number of profiles   instant us  24 h composite ms')
    for count, composite in day_ms.items():
        print(f'  {count:>6} {figures[f"instant_us_n{count}"]:>33.2f} {composite:>18.2f}')
    if file is not None:
        file.write_text(json.dumps(figures, indent=1) + '\n')


if __name__ == '__main__':
    main()
