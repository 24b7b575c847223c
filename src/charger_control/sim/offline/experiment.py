"""A scenario in an offline loop, with a record of all that happened. What tuning is done with."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from charger_control.sim.charge_point.actions import fault_end
from charger_control.sim.charge_point.scenario import Scenario, Step
from charger_control.sim.offline.loop import TICK, Loop, LoopParameters
from charger_control.sim.offline.quality import (
    Quality,
    Task,
    can_follow,
    judge,
    quantum_of,
    settling_times,
)
from charger_control.sim.plant.ev import Ev
from charger_control.sim.plant.ev_parameters import EvParameters, vehicle_of

COLUMNS = ('time', 'commanded', 'available', 'signaled', 'amperage_l1', 'amperage_l2',
           'amperage_l3', 'trim')
"""Numbers of each 50 ms: s, then A; the amperages are true, not measured."""
DRAWING = 1.0
"""A from which a vehicle charges."""
_STEADY_SHARE = 0.3
_LEAST = 10.0
"""s, what ended sooner is not judged."""
_LIMIT_KEYS = ('amperageLimit', 'enabled')


@dataclass(frozen=True, slots=True)
class SetPoint:
    """One set-point of an experiment, and how it went.

    Attributes:
        at: s, from when it is judged: when it was set, or the vehicle began to draw.
        until: s.
    """

    at: float
    until: float
    task: Task
    quality: Quality


class Record:
    """All that happened.

    Attributes:
        numbers: one column for each name in COLUMNS.
        states: (s, state of the pilot, fault, reason of the decision), whenever one changes.
        limits: (s, A) as set by the client.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, array[float]] = {name: array('d') for name in COLUMNS}
        self.states: list[tuple[float, str, str, str]] = []
        self.limits: list[tuple[float, float]] = []

    def take(self, loop: Loop) -> None:
        """The present 50 ms."""
        decision, available = loop.result.decision, loop.result.available
        row = (loop.now, decision.commanded_amperage, available.available_amperage,
               loop.station.signaled, *loop.station.amperage, decision.trim)
        for column, value in zip(self.numbers.values(), row, strict=True):
            column.append(value)
        pilot = loop.pilot
        state = ('', '') if pilot is None else (pilot.charge_controller_status, pilot.fault)
        if not self.states or self.states[-1][1:] != (*state, decision.reason):
            self.states.append((loop.now, *state, decision.reason))
        if not self.limits or repr(self.limits[-1][1]) != repr(loop.limit):
            self.limits.append((loop.now, loop.limit))

    def highest(self) -> list[float]:
        """A of the highest phase, each 50 ms."""
        return [max(phases) for phases in zip(*(self.numbers[name] for name in COLUMNS[4:7]),
                                              strict=True)]


class Experiment:
    """A loop that plays a scenario.

    Attributes:
        loop: the loop; its time is that of the scenario.
        record: what happened so far.
    """

    def __init__(self, parameters: LoopParameters, scenario: Scenario,
                 limits: Sequence[tuple[float, float]] = ()) -> None:
        """Args:
            parameters: of the loop.
            scenario: its steps; those that need a serial line cannot be played.
            limits: (s, A) that a client sets.

        Raises:
            ValueError: a step cannot be played offline, in words.
        """
        self._parameters = parameters
        self._actions: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            'plug_in': self._plug_in, 'unplug': self._unplug, 'set_vehicle': self._set_vehicle,
            'short_pilot': self._short_pilot, 'weld': self._weld, 'set_mains': self._set_mains,
            'set_meter': self._set_meter, 'reset_board': self._reset_board,
            'silence': self._silence, 'put_limits': self._put_limits, 'end': self._end}
        for step in scenario.steps:
            self._check(step)
        moments = [(step.at, step.action, step.arguments) for step in scenario.steps]
        moments += [(at, 'put_limits', {'body': {'amperageLimit': a}}) for at, a in limits]
        self._moments = sorted(moments, key=lambda moment: moment[0])
        self._scenario = scenario
        self._vehicle: Ev | None = None
        self._limit, self._enabled, self._ended = math.nan, True, False
        self.loop = Loop(parameters)
        self.record = Record()
        self._set_mains(scenario.mains)
        self._set_meter(scenario.meter)

    def run(self, duration: float, progress: Callable[[float], None] | None = None) -> Record:
        """Plays ``duration`` s, or up to the step ``end``; ``progress`` is told of each s."""
        told = 0.0
        while self.loop.now < duration - TICK / 2 and not self._ended:
            while self._moments and self._moments[0][0] <= self.loop.now + TICK / 2:
                _, action, arguments = self._moments.pop(0)
                self._actions[action](arguments)
            self.loop.step()
            self.record.take(self.loop)
            if progress is not None and self.loop.now - told >= 1.0:
                progress(self.loop.now - told)
                told = self.loop.now
        return self.record

    # -- the steps -------------------------------------------------------------------------------
    def _check(self, step: Step) -> None:
        where = f'line {step.line}: ' if step.line else ''
        if step.action not in self._actions:
            raise ValueError(f'{where}{step.action}: not in an offline simulation (allowed: '
                             f'{", ".join(self._actions)}); use `charger sim`')
        for key in step.arguments.get('body', {}):
            if key not in _LIMIT_KEYS:
                raise ValueError(f'{where}put_limits.{key}: not in an offline simulation '
                                 f'(allowed: {", ".join(_LIMIT_KEYS)})')

    def _plug_in(self, arguments: Mapping[str, Any]) -> None:
        station = self.loop.station
        if station.plant.vehicle is not None:
            raise ValueError(f'at {self.loop.now:g} s: plug_in: a vehicle is plugged in already')
        if 'vehicle' in arguments or self._vehicle is None:
            described = arguments.get('vehicle', self._scenario.vehicle)
            self._vehicle = station.plug_in(vehicle_of(described))
        else:
            station.plug_in(self._vehicle)

    def _unplug(self, arguments: Mapping[str, Any]) -> None:
        self.loop.station.plant.unplug(self.loop.now)

    def _set_vehicle(self, arguments: Mapping[str, Any]) -> None:
        if self._vehicle is not None:
            self._vehicle.change(arguments['vehicle'])

    def _short_pilot(self, arguments: Mapping[str, Any]) -> None:
        self.loop.station.plant.pilot_shorted = arguments.get('active', True)

    def _weld(self, arguments: Mapping[str, Any]) -> None:
        self.loop.station.plant.contactor.weld(arguments.get('active', True), self.loop.now)

    def _set_mains(self, arguments: Mapping[str, Any]) -> None:
        plant = self.loop.station.plant
        plant.mains = replace(plant.mains, **arguments)

    def _set_meter(self, arguments: Mapping[str, Any]) -> None:
        values, plant, meter = dict(arguments), self.loop.station.plant, self.loop.station.meter
        plant.energy_imported = values.pop('energy_imported', plant.energy_imported)
        plant.meter_gain = values.pop('gain', plant.meter_gain)
        meter.parameters = replace(meter.parameters, **values)

    def _reset_board(self, arguments: Mapping[str, Any]) -> None:
        self.loop.station.board.board.reset(self.loop.now, 'reset')

    def _silence(self, arguments: Mapping[str, Any]) -> None:
        station, device = self.loop.station, arguments.get('device', 'all')
        until = fault_end(arguments, self.loop.now) if arguments.get('active', True) else -math.inf
        for name, link in (('pilot', station.board), ('meter', station.meter)):
            if device in (name, 'all'):
                link.down_until = until

    def _put_limits(self, arguments: Mapping[str, Any]) -> None:
        body = arguments['body']
        self._enabled = body.get('enabled', self._enabled)
        limit = body.get('amperageLimit', self._limit)
        self._limit = math.nan if limit is None else float(limit)
        self.loop.limit = self._limit if self._enabled else 0.0

    def _end(self, arguments: Mapping[str, Any]) -> None:
        self._ended = True

    # -- how well it went ------------------------------------------------------------------------
    def set_points(self) -> list[SetPoint]:
        """Every set-point at which a vehicle charged, as far as its offer went."""
        if self._vehicle is None:
            return []
        commanded = self.record.numbers['commanded']
        changes = [i for i in range(1, len(commanded))
                   if abs(commanded[i] - commanded[i - 1]) > 1e-6]
        runs: list[list[tuple[int, int]]] = [[]]    # of one set-point after another
        for start, end in pairwise([0, *changes, len(commanded)]):
            if commanded[start] > 0.0:
                runs[-1].append((start, end))
            else:
                runs.append([])
        return [point for run in runs for point in self._judged(run)]

    def _judged(self, run: Sequence[tuple[int, int]]) -> Iterator[SetPoint]:
        vehicle = EvParameters() if self._vehicle is None else self._vehicle.parameters
        numbers, drawn = self.record.numbers, self.record.highest()
        signaled, commands = numbers['signaled'], [numbers['commanded'][i] for i, _ in run]
        settling = settling_times(vehicle, commands, self._parameters.board_step)
        for number, (start, end) in enumerate(run):
            begin = next((i for i in range(start, end) if drawn[i] >= DRAWING), end)
            stop = next((i for i in range(begin, end) if signaled[i] <= 0.0), end)
            if (stop - begin) * TICK < _LEAST:
                continue
            task = self._task(vehicle, commands[number], commands[number - 1] if number else 0.0,
                              settling[number])
            yield SetPoint(begin * TICK, stop * TICK, task, judge(
                task, drawn[begin:stop], signaled[begin:stop], TICK,
                _STEADY_SHARE * (stop - begin) * TICK))

    def _task(self, vehicle: EvParameters, commanded: float, before: float, settling: float
              ) -> Task:
        parameters = self._parameters
        most = min(parameters.hw_amperage, parameters.cable_amperage,
                   commanded + parameters.controller.own_trim)
        soc = vehicle.soc if self._vehicle is None else self._vehicle.soc
        return Task(commanded, commanded < before, settling,
                    can_follow(vehicle, soc, commanded, parameters.board_step, most),
                    quantum_of(vehicle, parameters.board_step))
