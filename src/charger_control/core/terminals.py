"""Loose terminals, seen as a source resistance that has grown.

Each step of the vehicle's current pulls the voltage of its phase down by what the supply's
resistance makes of it. A terminal that has come loose adds to that: + 0.1 ohm are about 100 W at
32 A, in one spot. What is compared are medians over several steps: one may have met a load of the
house that was switched in the same second. A neutral counts twice for a vehicle on one phase and
not at all for one on three, so each number of phases has figures of its own.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from charger_control.core.heard import Heard
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import Phases

ADDED = 0.1
"""Ohm above the baseline from which a terminal counts as loose."""
CLEARED = 0.05
"""Ohm above the baseline below which it counts as tightened."""
MUCH_ADDED = 0.3
"""Ohm that need a few steps only."""
STEPS, FEW_STEPS = 15, 4
"""Steps of which the baseline and what is compared with it are the medians; those of MUCH_ADDED."""
LEAST_STEP = 5.0
"""A, a smaller step says too little: a supply's noise of 0.5 V would be 0.1 ohm and more."""
EQUAL = 0.2
"""Ratio by which the steps of the phases may differ and still be one step of the vehicle."""
STILL_TIME = 1.0
"""s for which current and voltage must stand still before and after."""
STILL_AMPERAGE, STILL_VOLTAGE = 0.5, 1.0
"""A, V: the most that they may spread then."""
MOVE_TIME = 4.0
"""s that a step may take: what lies between is as old as that, and other loads have moved."""
SAMPLE_PERIOD = 0.02
"""s, samples closer than that are one, published again."""
MOST = 5.0
"""Ohm beyond which an estimate is no resistance of a supply."""
ROUNDING = 1e-3


@dataclass(slots=True)
class Resistance:
    """What is known of one phase, for one number of phases that the vehicle uses.

    Attributes:
        baseline: ohm, NaN until it is known.
        steps: ohm, the newest estimates; those of the baseline until it is known.
        is_loose: it has grown.
    """

    baseline: float = math.nan
    steps: deque[float] = field(default_factory=lambda: deque(maxlen=STEPS))
    is_loose: bool = False

    def add(self, estimate: float) -> None:
        """Takes the estimate of one step, ohm."""
        self.steps.append(estimate)
        if math.isnan(self.baseline):
            if len(self.steps) == STEPS:
                self.baseline = statistics.median(self.steps)
            return
        few = list(self.steps)[-FEW_STEPS:]
        if len(few) == FEW_STEPS and min(few) >= self.baseline + MUCH_ADDED - ROUNDING:
            if not self.is_loose:
                self.is_loose = True
                self.steps = deque(few, STEPS)  # what was before says nothing of it
        elif len(self.steps) == STEPS:
            added = self.added
            self.is_loose = added >= (CLEARED if self.is_loose else ADDED) - ROUNDING
            if added <= -ADDED:     # a supply that got better
                self.baseline = statistics.median(self.steps)

    @property
    def added(self) -> float:
        """Ohm above the baseline, as the newest steps say; NaN while that is not known."""
        return statistics.median(self.steps) - self.baseline if self.steps else math.nan


class TerminalWatch:
    """Estimates the source resistance of each phase from the vehicle's own steps.

    Attributes:
        version: grows with each change of what is to be stored.
    """

    def __init__(self, phases: int) -> None:
        """``phases``: connected, 1..3."""
        self._phases = phases
        self._samples: deque[tuple[float, Phases, Phases]] = deque()
        self._before: tuple[float, Phases, Phases] | None = None
        self._known: dict[tuple[int, int], Resistance] = {}
        self.version = 0

    def hear(self, heard: Heard[MeterReading]) -> None:
        """Takes a reading; one with an error, absurd, or published again, says nothing."""
        reading, at = heard.value, heard.at - max(0.0, heard.value.age)
        if reading.error or reading.absurd():
            return
        if self._samples and at - self._samples[-1][0] < SAMPLE_PERIOD:
            return
        if self._samples and at - self._samples[-1][0] > STILL_TIME + 0.5:
            self._samples.clear()   # nothing is known of what lies between
            self._before = None
        self._samples.append((at, reading.amperage, reading.voltage))
        while at - self._samples[0][0] > STILL_TIME and at - self._samples[1][0] >= STILL_TIME:
            self._samples.popleft()
        still = self._still()
        if still is None:
            return
        if self._before is not None and at - self._before[0] <= MOVE_TIME + STILL_TIME:
            self._compare(self._before, still)
        self._before = still

    def loose(self) -> str:
        """The phases whose terminals are loose, for a person; '' for none."""
        worst: dict[int, float] = {}
        for (phase, _), resistance in self._known.items():
            if resistance.is_loose:
                worst[phase] = max(worst.get(phase, 0.0), resistance.added)
        return ', '.join(f'L{phase + 1} + {added:.2f} ohm'
                         for phase, added in sorted(worst.items()))

    # -- how it is kept --------------------------------------------------------------------------
    def stored(self) -> dict[str, Any]:
        """What is to be kept over restarts, as JSON can carry it."""
        return {'known': [
            {'phase': phase, 'phases': count,
             'baseline': None if math.isnan(r.baseline) else r.baseline,
             'steps': list(r.steps), 'is_loose': r.is_loose}
            for (phase, count), r in sorted(self._known.items())]}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Goes on after a restart; ValueError if that is not what ``stored`` gives."""
        known = {}
        try:
            for each in stored['known']:
                steps = [float(step) for step in each['steps']]
                baseline = math.nan if each['baseline'] is None else float(each['baseline'])
                if not (all(0.0 <= s <= MOST for s in steps) and each['phase'] in (0, 1, 2)
                        and each['phases'] in (1, 2, 3) and not baseline > MOST):
                    raise ValueError('a figure that cannot be')
                known[each['phase'], each['phases']] = Resistance(
                    baseline, deque(steps, STEPS), bool(each['is_loose']))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'the stored source resistances cannot be read ({error!r}): '
                             f'{stored}') from error
        self._known = known

    # -- parts -----------------------------------------------------------------------------------
    def _still(self) -> tuple[float, Phases, Phases] | None:
        """Time of the newest sample, mean A and V, where they stand still; else None."""
        at, first = self._samples[-1][0], self._samples[0][0]
        if len(self._samples) < 2 or at - first < STILL_TIME - ROUNDING:
            return None
        means = []
        for which, most in ((1, STILL_AMPERAGE), (2, STILL_VOLTAGE)):
            for phase in range(3):
                values = [float(sample[which][phase]) for sample in self._samples]  # type: ignore[index]
                if phase < self._phases and not max(values) - min(values) <= most:
                    return None     # NaN is not still
                means.append(statistics.fmean(values))
        a1, a2, a3, v1, v2, v3 = means
        return at, (a1, a2, a3), (v1, v2, v3)

    def _compare(self, before: tuple[float, Phases, Phases],
                 after: tuple[float, Phases, Phases]) -> None:
        steps = [after[1][p] - before[1][p] for p in range(self._phases)]
        moved = [p for p in range(self._phases) if abs(steps[p]) >= LEAST_STEP]
        if not moved:
            return
        largest = max((steps[p] for p in moved), key=abs)
        if any(abs(steps[p] - largest) > EQUAL * abs(largest) for p in moved) or any(
                abs(steps[p]) > STILL_AMPERAGE for p in range(self._phases) if p not in moved):
            return
        for phase in moved:
            estimate = (before[2][phase] - after[2][phase]) / steps[phase]
            # a load of the house in the same second may make it negative: that counts, too
            self._known.setdefault((phase, len(moved)), Resistance()).add(
                min(max(estimate, 0.0), MOST))
        self.version += 1
