"""One vehicle and one rule (or our controller) through a row of set-points."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

from regulation.rules import RULES

from charger_control.core.cppwm_controller import ControllerConfig
from charger_control.sim.ev import Ev
from charger_control.sim.ev_parameters import EvParameters
from charger_control.sim.links import LinkParameters
from charger_control.sim.loop import TICK, Loop, LoopParameters, Station
from charger_control.sim.pilot_line import duty_of_amperage
from charger_control.sim.population import population
from charger_control.sim.sdm630 import MeterParameters

OURS = 'ours'
WINDOW = 30.0
"""s of steady state that are judged after each step."""
TOLERANCE = 0.2
ABOVE = 0.5
GRACE = 6.0
WHOLE = 0.5
"""A: boards with steps from here on are judged with a quantum."""
_LIVE = (230.0, 230.0, 230.0)


@dataclass(frozen=True, slots=True)
class Task:
    """What one process is to do: this vehicle, at this meter period, with each of the rules."""

    number: int
    seed: int
    steps: int
    period: float
    trim: float
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One set-point.

    Attributes:
        commanded: A.
        settling: s, T of the vehicle alone.
        can_follow: whether some signal within reach makes it draw that.
        quantum: A by which it may stay below: the vehicle's step, and the board's if it is coarse.
    """

    commanded: float
    settling: float
    can_follow: bool
    quantum: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One step as it went; see bench/control.py for what the figures mean."""

    step: Step
    steady_error: float
    settle_excess: float
    overshoot: float
    above: float
    above_excess: float


@dataclass(frozen=True, slots=True)
class Run:
    """A vehicle through all its steps under one rule."""

    rule: str
    task: Task
    board_step: float
    steps: list[Measured]
    changes_per_minute: float
    worst_window: int
    above_hw: float
    simulated: float


class Trial:
    """The vehicle of a task, its set-points, and how each rule fares with it."""

    def __init__(self, task: Task) -> None:
        chance = random.Random(f'control/{task.seed}/{task.number}')
        self.task = task
        self.vehicle = _vehicle(task)
        self.board_step = chance.choice((0.01, 0.01, 0.06, 1.0))
        self.most = chance.choice((32.0, 32.0, 32.0, 20.0, 16.0))
        self.parameters = LoopParameters(
            hw_amperage=self.most, cable_amperage=max(20.0, self.most) if self.most != 16.0 else 20.0,
            board_step=self.board_step,
            controller=ControllerConfig(own_trim=task.trim),
            links=LinkParameters(meter_lag=chance.uniform(0.05, 0.5)),
            meter=MeterParameters(refresh=task.period), seed=task.number)
        self.commands = [round(chance.uniform(6.0, self.most), chance.choice((0, 1, 1, 2)))
                         for _ in range(task.steps + 1)]
        self.settling = _settling(self.vehicle, self.commands, self.board_step)
        self.warm_up = (20.0 + self.vehicle.s2_delay + self.vehicle.start_delay + 20.0
                        + 2.0 * self.settling[0])

    def hold(self, number: int) -> float:
        """s for which a set-point stays."""
        return self._budget(number) + WINDOW

    def _budget(self, number: int) -> float:
        return 2.0 * self.settling[number] + GRACE + self.task.period

    def run(self, rule: str) -> Run:
        """All set-points under one rule."""
        if rule == OURS:
            drive: _Ours | _Theirs = _Ours(self.parameters)
        else:
            drive = _Theirs(self.parameters, rule, self.most)
        station = drive.station
        drive.command(self.commands[0])
        vehicle = station.plug_in(self.vehicle)
        for _ in range(round(self.warm_up / TICK)):
            drive.step()
        measured, changes, worst, above_hw, windows = [], 0, 0, 0.0, 0.0
        for number in range(1, len(self.commands)):
            drive.command(self.commands[number])
            drawn, signaled = [], []
            for _ in range(round(self.hold(number) / TICK)):
                drive.step()
                drawn.append(max(station.amperage))
                signaled.append(station.signaled)
            step = self._step(number, vehicle)
            measured.append(self._measure(number, step, drawn))
            window = signaled[-round(WINDOW / TICK):]
            count = sum(a != b for a, b in zip(window, window[1:], strict=False))
            changes += count
            worst = max(worst, count)
            windows += WINDOW
            above_hw += TICK * sum(s > self.most + 1e-6 for s in signaled)
        return Run(rule, self.task, self.board_step, measured, changes / windows * 60.0, worst,
                   above_hw, station.now)

    def _step(self, number: int, vehicle: Ev) -> Step:
        commanded = self.commands[number]
        grid = self.board_step if self.board_step >= WHOLE else 0.0
        quantum = self.vehicle.quantum + grid * self.vehicle.gain
        return Step(commanded, self.settling[number],
                    _can_follow(self.vehicle, vehicle.soc, commanded, quantum, self.board_step,
                                min(self.most, commanded + self.task.trim)), quantum)

    def _measure(self, number: int, step: Step, drawn: list[float]) -> Measured:
        commanded, quantum = step.commanded, step.quantum
        errors = [max(a - commanded, commanded - a - quantum, 0.0) for a in drawn]
        steady = max(errors[-round(WINDOW / TICK):])
        last = next((i for i in range(len(errors) - 1, -1, -1) if errors[i] > TOLERANCE), -1)
        settled = (last + 1) * TICK
        falls = commanded < self.commands[number - 1]
        since = round((step.settling + 0.5) / TICK) if falls else 0
        over = [a > commanded + ABOVE for a in drawn]
        longest = run = 0
        for is_over in over:
            run = run + 1 if is_over else 0
            longest = max(longest, run)
        return Measured(
            step, steady, settled - self._budget(number),
            max(0.0, max(a - commanded for a in drawn[since:])),
            sum(over) * TICK, longest * TICK - (step.settling + GRACE))


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


def _vehicle(task: Task) -> EvParameters:
    return population(1, task.seed * 100_003 + task.number)[0]


def _settling(vehicle: EvParameters, commands: list[float], board_step: float) -> list[float]:
    """T for each set-point: s from the change of the signal until it stays within 0.2 A."""
    ev = Ev(replace(vehicle, inrush_amperage=0.0))
    now, result = 0.0, []
    for commanded in commands:
        offer = max(6.0, math.floor(commanded / board_step + 1e-6) * board_step)
        duty = duty_of_amperage(offer)
        most = (vehicle.reaction_delay + 6.0 * vehicle.time_constant + 2.0
                + 32.0 / min(vehicle.ramp_up, vehicle.ramp_down))
        if not result:
            most += vehicle.s2_delay + vehicle.start_delay
        drawn = []
        for _ in range(round(most / TICK)):
            now += TICK
            ev.step(now, duty, _LIVE)
            drawn.append(max(ev.amperage))
        last = next((i for i in range(len(drawn) - 1, -1, -1)
                     if abs(drawn[i] - drawn[-1]) > TOLERANCE), -1)
        settling = (last + 1) * TICK
        result.append(settling if result else settling - vehicle.s2_delay - vehicle.start_delay)
    return result


def _can_follow(vehicle: EvParameters, soc: float, commanded: float, quantum: float,
                board_step: float, most: float) -> bool:
    """Whether a signal from 6 A to ``most`` A makes it draw what is commanded."""
    grid = board_step if board_step >= WHOLE else 0.01
    steps = range(math.ceil(6.0 / grid - 1e-6), math.floor(most / grid + 1e-6) + 1)
    tolerance = 0.05
    return any(
        drawn > 0.0 and commanded - quantum - tolerance <= drawn <= commanded + tolerance
        for drawn in (vehicle.drawn(n * grid, soc) for n in steps))


def run_task(task: Task) -> list[Run]:
    """For a pool of processes."""
    trial = Trial(task)
    return [trial.run(rule) for rule in task.rules]
