"""terminals.py: a loose terminal is found, and a house that switches its loads is not one."""

from __future__ import annotations

import json
import math
import random

import pytest

from charger_control.core.heard import Heard
from charger_control.core.hw_limit import HwLimitConfig, step
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.terminals import FEW_STEPS, STEPS, TerminalWatch
from charger_control.core.units import Phases
from charger_control.sim.plant.mains import MainsParameters
from charger_control.sim.plant.plant import Plant, PlantParameters

PERIOD = 0.2
THREE, ONE = (1.0, 1.0, 1.0), (1.0, 0.0, 0.0)


class House:
    """A supply, a vehicle that is switched, a meter, and who watches."""

    def __init__(self, resistance: float | Phases = 0.25, neutral: float = 0.0, noise: float = 0.0,
                 seed: int = 1) -> None:
        self.plant = Plant(PlantParameters(MainsParameters(voltage_noise=noise)), seed=seed)
        self.resistance, self.neutral = resistance, neutral
        self.watch = TerminalWatch(3)
        self.now, self.drawn = 0.0, (0.0, 0.0, 0.0)
        self.loads = (0.0, 0.0, 0.0)
        self.run(3.0)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD)):
            self.now += PERIOD
            self.plant.step(self.now)
            each = (self.resistance if isinstance(self.resistance, tuple)
                    else (self.resistance,) * 3)
            total = [a + load for a, load in zip(self.drawn, self.loads, strict=True)]
            # the neutral carries what the phases do not balance, nearly
            unbalance = [a - sum(total) / 3.0 for a in total]
            one, two, three = (
                v - r * a - self.neutral * 1.5 * u
                for v, r, a, u in zip(self.plant.voltage, each, total, unbalance, strict=True))
            self.watch.hear(Heard(MeterReading((one, two, three), self.drawn), self.now))

    def draw(self, amperage: float, phases: Phases = THREE) -> None:
        """The vehicle goes there within a second and a half, and stays for a while."""
        goal = [amperage * p for p in phases]
        start = self.drawn
        for share in (0.3, 0.7, 1.0):
            one, two, three = (a + share * (b - a) for a, b in zip(start, goal, strict=True))
            self.drawn = (one, two, three)
            self.run(0.4)
        self.run(4.0)

    def sessions(self, count: int, amperage: float = 16.0, phases: Phases = THREE) -> None:
        for _ in range(count):
            self.draw(amperage, phases)
            self.draw(0.0, phases)


def test_the_resistance_of_the_supply_is_found() -> None:
    house = House((0.2, 0.3, 0.4))
    house.sessions(STEPS // 2 + 1)
    found = {each['phase']: each['baseline'] for each in house.watch.stored()['known']}
    assert found == pytest.approx({0: 0.2, 1: 0.3, 2: 0.4})
    assert house.watch.loose() == ''


@pytest.mark.parametrize('added', [0.1, 0.15])
def test_0_1_ohm_more_are_a_loose_terminal_after_a_few_steps(added: float) -> None:
    house = House((0.25, 0.25, 0.25))
    house.sessions(20)
    house.resistance = (0.25, 0.25 + added, 0.25)
    steps = 0
    while not house.watch.loose():
        house.draw(16.0 if steps % 2 == 0 else 0.0)
        steps += 1
        assert steps <= STEPS
    assert steps >= STEPS // 2 + 1
    assert house.watch.loose().startswith('L2 + ')


def test_much_more_is_one_after_four() -> None:
    house = House(0.25)
    house.sessions(20)
    house.resistance = (0.25, 0.25, 0.75)
    for step_ in range(FEW_STEPS):
        assert not house.watch.loose()
        house.draw(0.0 if step_ % 2 else 10.0)
    assert house.watch.loose().startswith('L3 + 0.50')
    house.resistance = (0.25, 0.25, 0.45)
    house.sessions(2)
    assert house.watch.loose(), 'one that is a little less does not lift it'


def test_less_is_none_and_a_tightened_one_is_none_any_more() -> None:
    house = House(0.25)
    house.sessions(20)
    house.resistance = 0.33
    house.sessions(20)
    assert not house.watch.loose()
    house.resistance = 0.40
    house.sessions(9)
    assert house.watch.loose()
    house.resistance = 0.33     # still more than it was
    house.sessions(10)
    assert house.watch.loose()
    house.resistance = 0.25
    house.sessions(9)
    assert not house.watch.loose()


def test_a_vehicle_on_one_phase_is_compared_with_its_like() -> None:
    """It sees the neutral as well: 0.5 ohm where one on three phases sees 0.25."""
    house = House(0.25, neutral=0.25)
    house.sessions(12, phases=THREE)
    for _ in range(12):
        house.sessions(1, phases=ONE)
        house.sessions(1, phases=THREE)
    assert not house.watch.loose()
    known = {(e['phase'], e['phases']): e['baseline'] for e in house.watch.stored()['known']}
    assert known[0, 3] == pytest.approx(0.25)
    assert known[0, 1] == pytest.approx(0.5)


@pytest.mark.parametrize('seed', range(6))
def test_a_house_that_switches_its_loads_is_no_loose_terminal(seed: int) -> None:
    """400 sessions of 10 to 16 A, loads up to 16 A that come and go, 0.5 V of noise, 0.3 ohm."""
    chance = random.Random(seed)
    house = House(0.3, noise=0.5, seed=seed)
    for _ in range(400):
        for amperage in (chance.uniform(10.0, 16.0), 0.0):
            if chance.random() < 0.15:       # in the middle of the step
                house.loads = tuple(  # type: ignore[assignment]
                    chance.choice((0.0, 3.0, 10.0, 16.0)) for _ in range(3))
            house.draw(amperage)
            if chance.random() < 0.5:
                house.loads = tuple(  # type: ignore[assignment]
                    chance.choice((0.0, 3.0, 10.0, 16.0)) for _ in range(3))
            house.run(chance.uniform(0.0, 10.0))
            assert not house.watch.loose()


def test_a_team_that_makes_room_for_an_oven_teaches_no_wrong_baseline() -> None:
    """The oven pulls the voltage down, 2 s later the vehicle gives way: the sum stays the same."""
    house = House(0.3, noise=0.2)
    for _ in range(60):
        house.draw(16.0)
        house.loads = (10.0, 10.0, 10.0)
        house.run(2.0)
        house.draw(6.0)
        house.loads = (0.0, 0.0, 0.0)
        house.run(12.0)
        house.draw(16.0)
        house.draw(0.0)
        assert not house.watch.loose()
    known = {each['phase']: each['baseline'] for each in house.watch.stored()['known']}
    assert known == pytest.approx({0: 0.3, 1: 0.3, 2: 0.3}, abs=0.04)
    house.resistance = 0.5
    house.sessions(9)
    assert house.watch.loose()


def test_found_in_noise_too() -> None:
    for seed in range(10):
        house = House(0.25, noise=0.5, seed=seed)
        house.sessions(20)
        house.resistance = 0.45
        house.sessions(9)
        assert house.watch.loose(), seed


def test_a_silence_of_the_meter_is_no_step() -> None:
    house = House(0.25)
    house.sessions(20)
    before = house.watch.version
    for voltage in (200.0, 240.0) * 20:
        house.now += 60.0
        house.plant.mains = MainsParameters(voltage=(voltage,) * 3, voltage_noise=0.0)
        house.drawn = (0.0, 0.0, 0.0) if house.drawn[0] else (16.0, 16.0, 16.0)
        house.run(3.0)
    assert house.watch.version == before


def test_steps_that_differ_from_phase_to_phase_say_nothing() -> None:
    house = House(0.25)
    house.sessions(10, phases=(1.0, 0.6, 0.0))
    assert house.watch.version == 0


def test_a_meter_without_voltages_says_nothing() -> None:
    watch = TerminalWatch(3)
    for second in range(100):
        drawn = 16.0 if second // 10 % 2 else 0.0
        watch.hear(Heard(MeterReading((math.nan,) * 3, (drawn,) * 3), float(second)))
    assert watch.version == 0


def test_it_goes_on_after_a_restart() -> None:
    house = House(0.25)
    house.sessions(20)
    for resistance, loose in ((0.25, False), (0.45, True)):
        house.resistance = resistance
        house.sessions(9)
        stored = json.loads(json.dumps(house.watch.stored()))
        house.watch = TerminalWatch(3)
        house.watch.restore(stored)
        assert bool(house.watch.loose()) is loose


@pytest.mark.parametrize('stored', [
    {}, {'known': None}, {'known': [{}]},
    {'known': [{'phase': 3, 'phases': 3, 'baseline': 0.1, 'steps': [], 'is_loose': False}]},
    {'known': [{'phase': 0, 'phases': 3, 'baseline': 99.0, 'steps': [], 'is_loose': False}]},
    {'known': [{'phase': 0, 'phases': 3, 'baseline': 0.1, 'steps': ['x'], 'is_loose': False}]}])
def test_what_is_no_record_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(ValueError, match='cannot be read'):
        TerminalWatch(3).restore(stored)


def test_a_loose_terminal_leaves_16_a() -> None:
    config = HwLimitConfig(fuse=32.0, phases=3, cable=32.0)
    assert step(config, 0.0, None).amperage == 32.0
    limited = step(config, 0.0, None, 'L2 + 0.15 ohm')
    assert limited.amperage == 16.0
    assert 'loose terminal? L2 + 0.15 ohm' in limited.reason
    small = HwLimitConfig(fuse=10.0, phases=3, cable=32.0)
    assert step(small, 0.0, None, 'L2 + 0.15 ohm').amperage == 10.0
