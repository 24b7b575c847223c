"""One vehicle through a row of set-points, under one rule or under our controller."""

from __future__ import annotations

import random
from dataclasses import dataclass

from charger_control.core.cppwm_controller import ControllerConfig
from charger_control.core.pi import PiConfig
from charger_control.sim.meters.register_device import MeterParameters
from charger_control.sim.offline.links import LinkParameters
from charger_control.sim.offline.loop import TICK, Loop, LoopParameters, Station
from charger_control.sim.offline.quality import (
    Quality,
    Task,
    can_follow,
    judge,
    quantum_of,
    settling_times,
)
from charger_control.sim.plant.ev_parameters import EvParameters
from charger_control.sim.plant.population import population
from regulation.rules import RULES

OURS = 'ours'
WINDOW = 30.0
"""s of steady state that are judged after each step."""
WARM_UP = 40.0
"""s beyond the vehicle's own delays before the first step."""
BOARD_STEPS = (0.01, 0.01, 0.06, 1.0)
LIMITS = (32.0, 32.0, 32.0, 20.0, 16.0)
"""A, min(HW limit, cable), drawn by lot; the smaller of the two is the cable every other time."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to do.

    Attributes:
        vehicle: which of the population.
        seed: of the population and of all luck.
        steps: set-points after the first.
        period: s between two values of the meter.
        trim: A that our regulator may add.
        rules: names in RULES, or OURS.
        gains: parameters of our regulator that are not at their default.
        noise: A, standard deviation of what the meter says.
    """

    vehicle: int
    seed: int
    steps: int
    period: float
    trim: float
    rules: tuple[str, ...]
    gains: tuple[tuple[str, float], ...] = ()
    noise: float = 0.01


@dataclass(frozen=True, slots=True)
class Run:
    """A vehicle through all its set-points under one rule.

    Attributes:
        kind: of vehicle, in a word.
        steps: each with what was asked for and how it went.
        above_limit: s for which more than min(HW limit, cable) was signaled.
        simulated: s.
    """

    rule: str
    order: Order
    board_step: float
    kind: str
    steps: list[tuple[Task, Quality]]
    above_limit: float
    simulated: float


class Trial:
    """The vehicle of an order, its charge point and its set-points: the same for every rule."""

    def __init__(self, order: Order) -> None:
        chance = random.Random(f'control/{order.seed}/{order.vehicle}')
        self.order = order
        self.vehicle = population(1, order.seed * 100_003 + order.vehicle)[0]
        self.board_step = chance.choice(BOARD_STEPS)
        self.most = chance.choice(LIMITS)
        by_cable = self.most == 20.0 and chance.random() < 0.5
        self.parameters = LoopParameters(
            hw_amperage=32.0 if by_cable else self.most,
            cable_amperage=20.0 if by_cable else 32.0,
            board_step=self.board_step,
            controller=ControllerConfig(own_trim=order.trim, pi=PiConfig(**dict(order.gains))),
            links=LinkParameters(meter_lag=chance.uniform(0.05, 0.5)),
            meter=MeterParameters(refresh=order.period, amperage_noise=order.noise),
            seed=order.vehicle)
        self.commands = [round(chance.uniform(6.0, self.most), chance.choice((0, 1, 1, 2)))
                         for _ in range(order.steps + 1)]
        self.settling = settling_times(self.vehicle, self.commands, self.board_step)

    def run(self, rule: str) -> Run:
        """All set-points under one rule."""
        drive = (_Ours(self.parameters) if rule == OURS
                 else _Theirs(self.parameters, rule, self.most))
        station = drive.station
        drive.command(self.commands[0])
        vehicle = station.plug_in(self.vehicle)
        start = self.vehicle.s2_delay + self.vehicle.start_delay + WARM_UP + 2 * self.settling[0]
        for _ in range(round(start / TICK)):
            drive.step()
        steps: list[tuple[Task, Quality]] = []
        above_limit = 0.0
        for before, commanded, settling in zip(self.commands, self.commands[1:],
                                               self.settling[1:], strict=False):
            drive.command(commanded)
            drawn, signaled = [], []
            hold = Task(commanded, False, settling, True, 0.0).budget(self.order.period) + WINDOW
            for _ in range(round(hold / TICK)):
                drive.step()
                drawn.append(max(station.amperage))
                signaled.append(station.signaled)
            most = min(self.most, commanded + self.order.trim)
            task = Task(commanded, commanded < before, settling,
                        can_follow(self.vehicle, vehicle.soc, commanded, self.board_step, most),
                        quantum_of(self.vehicle, self.board_step))
            steps.append((task, judge(task, drawn, signaled, TICK, WINDOW)))
            above_limit += TICK * sum(a > self.most + 1e-6 for a in signaled)
        return Run(rule, self.order, self.board_step, kind_of(self.vehicle), steps, above_limit,
                   station.now)


def kind_of(vehicle: EvParameters) -> str:
    """How it obeys, in a word: ranges of sim/plant/population.py."""
    if vehicle.quantum:
        return 'whole A'
    if vehicle.gain > 1.0:
        return 'over-draws'
    if vehicle.offset <= -0.5:
        return 'offset'
    return 'exact' if vehicle.gain >= 0.98 and not vehicle.offset else '92..98 %'


class _Ours:
    def __init__(self, parameters: LoopParameters) -> None:
        self._loop = Loop(parameters)
        self.station = self._loop.station
        self.step = self._loop.step

    def command(self, amperage: float) -> None:
        self._loop.limit = amperage


class _Theirs:
    def __init__(self, parameters: LoopParameters, rule: str, most: float) -> None:
        self.station = Station(parameters)
        self._rule = RULES[rule](most)
        self._sampled_at = -1.0
        self.command = self._rule.command

    def step(self) -> None:
        station = self.station
        station.step()
        sample = station.meter.latest()
        if sample is not None:
            is_new = sample.at > self._sampled_at
            self._sampled_at = sample.at
            self._rule.step(station.now, sample.value.amperage, is_new)
        station.board.offer(self._rule.set_amperage, station.now)


def carry_out(order: Order) -> list[Run]:
    """For a pool of processes."""
    trial = Trial(order)
    return [trial.run(rule) for rule in order.rules]
