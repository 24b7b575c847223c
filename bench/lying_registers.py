"""Histories of an energy register that lies, for invariants.py: what is counted stays what flowed.

A vehicle charges with a course of power; the meter tells it right, and its register with lies: a
first value that is none, zeros for a while, single absurd values, values of yesterday, a new course
(reset or exchanged meter). After each lie the register is consistent for two and a half minutes. A
new course begins 2 kWh or more away: one that is back at the old value within the minute that it
takes to believe it (a meter that had counted 0.3 kWh, and was reset) cannot be told from it.
"""

from __future__ import annotations

import math
import random

from charger_control.core.energy_register import EnergyRegister, energy_of

STEP = 1.0
"""s between two samples."""
MAX_POWER = 22_000.0
"""W that this charge point carries."""
SLACK = 0.1
"""kWh, as of the fiscal meter by default."""
TOLERANCE = 0.01
"""kWh by which a history's energy may be off for each lie (its resolution, power over a step)."""
CALM = 150
"""Samples without a lie after each: more than the 60 s in which a new course is adopted."""
LIES = ('zeros', 'spike', 'yesterday', 'course', 'none')


def live_register(seed: int) -> tuple[int, str]:
    """One history: samples, and what went wrong, '' for nothing."""
    chance = random.Random(f'registers/{seed}')
    register = EnergyRegister(MAX_POWER, SLACK)
    base, true, at, lies, offsets, course = chance.choice((0.0, 532.0, 1234.5)), 0.0, 0.0, 0, 0.0, 0
    told = math.nan
    began: float | None = None
    power = 11_000.0
    script: list[str] = [chance.choice(('a first of zeros', 'a first spike', 'none')), 'calm']
    for _ in range(chance.randint(2, 6)):
        script += [chance.choice(LIES), 'calm']
    samples = 0
    for part in script:
        power = power or 11_000.0
        lies += part not in ('calm', 'none')
        if part == 'course':
            far = chance.uniform(2.0, 400.0)
            base += -far if far < base + true and chance.random() < 0.5 else far
        for _ in range({'calm': CALM, 'a first of zeros': chance.randint(1, 50),
                        'a first spike': 1, 'zeros': chance.randint(1, 50), 'spike': 1,
                        'yesterday': chance.randint(1, 50)}.get(part, 0)):
            at += STEP
            samples += 1
            if chance.random() < 0.02:
                power = chance.choice((1400.0, 4140.0, 11_000.0, 22_000.0))
            if part is script[0]:
                power = 0.0      # what flows before a first value nobody can know
            true += energy_of(power, STEP)
            value = base + true
            if part.endswith('zeros'):
                value = 0.0
            elif part.endswith('spike'):
                value = chance.choice((9999.0, 1e12, -1.0, math.inf))
            elif part == 'yesterday':
                value = max(0.0, base - 3.0)
            register.take(at, value, power)
            energy = register.energy
            if math.isnan(energy):
                continue
            slack = 1e-9
            if register.course != course:     # what power said is corrected by what the meter says
                offsets, course, slack = offsets + register.offset, register.course, TOLERANCE
            counted = energy - offsets
            if began is None:
                began = counted - true
            elif counted < told - slack:
                return samples, f'history {seed}: {told:.4f} kWh, then {counted:.4f}: backwards'
            told = counted
    if began is None:
        return samples, f'history {seed}: {script}: no value was ever believed'
    off = abs(told - began - true)
    if off > TOLERANCE * max(1, lies):
        return samples, f'history {seed}: {script}: {off:.4f} kWh off after {true:.2f} kWh'
    return samples, ''
