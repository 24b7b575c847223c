"""A random population of vehicles, from a seed: ranges of domain.md 2.3, mixed as on the road.

Where the sources give a range but no distribution, the choice stands here with its reason.
"""

from __future__ import annotations

import random

from charger_control.sim.plant.ev_parameters import EvParameters, Phases

_ODDITIES: tuple[dict[str, object], ...] = (
    {'asleep': True, 'wake_time': 3.0},
    {'sleep_after': 120.0, 'wake_time': 3.0},
    {'ignores_pwm_off': True},
    {'keeps_s2': True},
    {'simplified': True, 'phases': 1},
    {'ventilation': True},
    {'diode_shorted': True},
    {'soc': 1.0},
)
"""Rare behaviour: not all of these ever charge."""


def population(count: int, seed: int) -> list[EvParameters]:
    """So many vehicles that charge; the same for the same seed, and the first of a larger one."""
    return [random_vehicle(random.Random(f'{seed}/{number}')) for number in range(count)]


def random_vehicle(chance: random.Random, *, oddity: float = 0.0) -> EvParameters:
    """One vehicle.

    Args:
        chance: where its luck comes from.
        oddity: probability that it is also one of the rare ones (asleep, simplified, diode
            shorted, full ...).
    """
    gain, offset, minimum = _obedience(chance)
    vehicle = EvParameters(
        s2_delay=chance.uniform(0.2, 5.0),
        start_delay=_between(chance, 1.0, 10.0, 40.0),
        reaction_delay=_between(chance, 0.5, 3.5, 6.0),     # 3-5 s usual, some 6 s
        stop_delay=chance.uniform(0.1, 2.0),
        ramp_up=_of_any_size(chance, 0.7, 20.0),            # "slow ramp up", no figure published
        ramp_down=_of_any_size(chance, 2.0, 30.0),
        time_constant=chance.choice((0.0, chance.uniform(0.1, 1.0))),
        gain=gain, offset=offset, minimum_amperage=minimum,
        maximum_amperage=chance.choice((16.0, 16.0, 20.0, 24.0, 32.0, 32.0, 32.0)),
        quantum=1.0 if chance.random() < 0.15 else 0.0,
        phases=chance.choices((1, 2, 3), (35, 10, 55))[0],
        imbalance=_imbalance(chance),
        capacity=chance.uniform(20.0, 100.0),
        soc=chance.uniform(0.1, 0.85) if chance.random() < 0.9 else chance.uniform(0.88, 0.95),
        taper_start=chance.uniform(0.86, 0.95), taper_amperage=chance.uniform(6.0, 10.0),
        inrush_amperage=chance.uniform(2.0, 20.0) if chance.random() < 0.2 else 0.0,
        inrush_time=chance.uniform(0.05, 2.0))
    if chance.random() < oddity:
        return vehicle.changed(chance.choice(_ODDITIES))
    return vehicle


def _obedience(chance: random.Random) -> tuple[float, float, float]:
    """Gain, offset in A, and the least current in A: how it translates the offer."""
    kind = chance.random()
    if kind < 0.2:                                          # exactly, or nearly
        return chance.uniform(0.98, 1.0), 0.0, 6.0
    if kind < 0.6:                                          # about 95 %
        return chance.uniform(0.92, 0.98), 0.0, 6.0
    if kind < 0.75:                                         # 1 A less, up to 3 A less
        return 1.0, chance.uniform(-3.0, -0.5), 6.0
    if kind < 0.85:                                         # both
        return chance.uniform(0.94, 1.0), chance.uniform(-1.0, 0.0), 6.0
    return chance.uniform(1.01, 1.08), 0.0, chance.choice((6.0, 8.0))   # more than offered


def _between(chance: random.Random, low: float, usual: float, high: float) -> float:
    return chance.triangular(low, high, usual)


def _of_any_size(chance: random.Random, low: float, high: float) -> float:
    """All orders of magnitude are alike."""
    return float(low * (high / low) ** chance.random())


def _imbalance(chance: random.Random) -> Phases:
    """One phase carries the most, the others up to 12 % less; half of them are balanced."""
    factors = [1.0, 1.0, 1.0]
    if chance.random() < 0.5:
        factors = [1.0, chance.uniform(0.88, 1.0), chance.uniform(0.88, 1.0)]
    return factors[0], factors[1], factors[2]
