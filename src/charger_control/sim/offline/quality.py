"""How well a vehicle draws what was commanded: every measure, defined once.

For the benchmark and for ``charger simulate``; all of them judge the true current of the highest
phase, not the measured one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from charger_control.sim.plant.ev import Ev
from charger_control.sim.plant.ev_parameters import EvParameters
from charger_control.sim.plant.pilot_line import MIN_OFFER, duty_of_amperage

TOLERANCE = 0.2
"""A, a draw this near to what was commanded has settled."""
ABOVE = 0.5
"""A above commanded from which a draw counts as too much."""
GRACE = 6.0
"""s that the charge point may take beyond what the vehicle takes itself."""
COARSE = 0.5
"""A: a board with such steps is judged as a quantum of its own."""
_LIVE = (230.0, 230.0, 230.0)
_TICK = 0.05
_NEAR = 0.05


@dataclass(frozen=True, slots=True)
class Task:
    """One set-point and what can be asked for with this vehicle and this board.

    Attributes:
        commanded: A.
        falls: it is less than the one before.
        settling: s, T: what the vehicle alone takes from the change of the signal until its
            current stays within TOLERANCE of where it ends.
        can_follow: whether any signal within reach makes it draw what is commanded.
        quantum: A by which it may stay below: its own step, and what a coarse board's step makes.
    """

    commanded: float
    falls: bool
    settling: float
    can_follow: bool
    quantum: float

    def budget(self, meter_period: float) -> float:
        """s until it must have settled: T, a correction, T again, and one meter period."""
        return 2.0 * self.settling + GRACE + meter_period


@dataclass(frozen=True, slots=True)
class Quality:
    """How one set-point went.

    Attributes:
        steady_error: A, the largest error within the last part: what is above commanded, or below
            commanded less the quantum.
        settled_after: s from the set-point until that error stays within TOLERANCE.
        overshoot: A, the most above commanded; after a fall from when it has arrived there, or
            from T + GRACE on.
        above: s in all of more than ABOVE above commanded.
        longest_above: s, the longest such time without a break.
        changes: of the signal within the last part.
    """

    steady_error: float
    settled_after: float
    overshoot: float
    above: float
    longest_above: float
    changes: int


def judge(task: Task, drawn: Sequence[float], signaled: Sequence[float], tick: float,
          last_part: float) -> Quality:
    """Judges one set-point.

    Args:
        task: what was asked for.
        drawn: A of the highest phase, each ``tick`` s from the set-point on.
        signaled: A offered at the same times.
        tick: s.
        last_part: s at the end that count as steady state.
    """
    errors = [max(a - task.commanded, task.commanded - a - task.quantum, 0.0) for a in drawn]
    tail = max(1, round(last_part / tick))
    unsettled = next((i for i in range(len(errors) - 1, -1, -1) if errors[i] > TOLERANCE), -1)
    since = 0
    if task.falls:
        late = round((task.settling + GRACE) / tick)
        since = next((i for i, a in enumerate(drawn[:late]) if a <= task.commanded), late)
    longest = run = above = 0
    for amperage in drawn:
        run = run + 1 if amperage > task.commanded + ABOVE else 0
        above += run > 0
        longest = max(longest, run)
    window = signaled[-tail:]
    return Quality(
        steady_error=max(errors[-tail:]), settled_after=(unsettled + 1) * tick,
        overshoot=max(a - task.commanded for a in (*drawn[since:], task.commanded)),
        above=above * tick, longest_above=longest * tick,
        changes=sum(a != b for a, b in pairwise(window)))


def quantum_of(vehicle: EvParameters, board_step: float) -> float:
    """A by which this vehicle on this board may stay below what is commanded."""
    return vehicle.quantum + (board_step * vehicle.gain if board_step >= COARSE else 0.0)


def can_follow(vehicle: EvParameters, soc: float, commanded: float, board_step: float,
               most: float) -> bool:
    """Whether a signal from 6 A to ``most`` A makes it draw ``commanded`` A, less the quantum."""
    grid = board_step if board_step >= COARSE else 0.01
    low = commanded - quantum_of(vehicle, board_step) - _NEAR
    signals = range(math.ceil(MIN_OFFER / grid - 1e-6), math.floor(most / grid + 1e-6) + 1)
    return any(drawn > 0.0 and low <= drawn <= commanded + _NEAR
               for drawn in (vehicle.drawn(n * grid, soc) for n in signals))


def settling_times(vehicle: EvParameters, commands: Sequence[float], board_step: float
                   ) -> list[float]:
    """T for each of these set-points, one after the other, in s; nobody corrects anything.

    The first includes neither the delay of S2 nor that of the start.
    """
    ev = Ev(replace(vehicle, inrush_amperage=0.0))
    start = vehicle.s2_delay + vehicle.start_delay
    now = before = 0.0
    result: list[float] = []
    for commanded in commands:
        offer = max(MIN_OFFER, math.floor(commanded / board_step + 1e-6) * board_step)
        duty = duty_of_amperage(offer)
        longest = (vehicle.reaction_delay + 6.0 * vehicle.time_constant + 2.0
                   + 1.5 * abs(offer - before) / min(vehicle.ramp_up, vehicle.ramp_down))
        before = offer
        drawn = []
        for _ in range(round((longest if result else longest + start) / _TICK)):
            now += _TICK
            ev.step(now, duty, _LIVE)
            drawn.append(max(ev.amperage))
        last = next((i for i in range(len(drawn) - 1, -1, -1)
                     if abs(drawn[i] - drawn[-1]) > TOLERANCE), -1)
        settling = (last + 1) * _TICK
        result.append(settling if result else max(0.0, settling - start))
    return result
