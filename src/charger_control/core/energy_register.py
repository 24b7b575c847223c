"""A meter's energy register: which of its values to believe, and how it goes on when it jumps.

A register only rises, and not faster than the charge point can carry. The reference that it is
judged by may itself be wrong (a first answer of 0, an exchanged or reset meter), so it expires:

* The first value counts when a second one agrees with it.
* A value that contradicts is not believed. A *course* of values that contradicts ours but is
  consistent in itself for ADOPT_TIME and ADOPT_SAMPLES is the meter's new one. It counts from its
  first value.
* Meanwhile energy is estimated from power.
* No consistent course within GIVE_UP: ``problem`` says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.units import NAN

ADOPT_TIME = 60.0
"""s for which a contradicting course must be consistent in itself."""
ADOPT_SAMPLES = 5
"""Values that it must have had in that time."""
GIVE_UP = 600.0
"""s of contradiction without a consistent course, after which the register is lost."""
LONGEST_STEP = 10.0
"""s between two samples over which power is still taken for constant."""
COUNTED = 0.5
"""Share of the energy estimated from power that a new course must have counted, but for slack."""
FLOWS = 0.005
"""kWh by power from which current flows: a register that stands still all that time is none."""


def energy_of(power: float, time: float) -> float:
    """kWh of ``power`` W over ``time`` s."""
    return power * time / 3_600_000.0


@dataclass(frozen=True, slots=True)
class _Point:
    """A value that counts.

    Attributes:
        value: kWh.
        at: s, when it was read.
        most: kWh, the most that it could have been then.
    """

    value: float
    at: float
    most: float


@dataclass(slots=True)
class _Rival:
    """A course of values that contradicts ours.

    Attributes:
        first: kWh, its first value.
        since: s, when that was read.
        last: its newest value.
        ours: kWh, what had been counted when it began.
        estimated: kWh by power since then.
        samples: how many values it had.
    """

    first: float
    since: float
    last: _Point
    ours: float
    estimated: float = 0.0
    samples: int = 1


class EnergyRegister:
    """The register of one meter.

    Attributes:
        at: s, when a value was last believed; -inf before the first.
        course: how often a new course was adopted.
        offset: kWh by which the present course lies above the one before: ``energy - offset`` goes
            on from what had been counted when it began. 0 for the first.
        began: kWh, the first value of a course that was adopted here; NaN else.
        refused: values not believed since the last that was.
        refusal: why the last of them was not; '' after a good one.
    """

    def __init__(self, max_power: float, slack: float, value: float = NAN, at: float = -math.inf
                 ) -> None:
        """Args:
            max_power: W, the most that can flow here.
            slack: kWh that a value may be ahead of that (the register's resolution, delays).
            value, at: kWh and s of a value that was believed before a restart; NaN: none.
        """
        self._max_power = max_power
        self._slack = slack
        self._ours = None if math.isnan(value) else _Point(value, at, value + slack)
        self._candidate: _Point | None = None
        self._rival: _Rival | None = None
        self._told = value
        self._estimate = 0.0
        self._sampled_at = at
        self._power = NAN
        self._contradicted_since: float | None = None
        self.at = at
        self.course = 0
        self.offset = 0.0
        self.began = NAN
        self.refused = 0
        self.refusal = ''

    @property
    def energy(self) -> float:
        """kWh counted: the register, or the last that was believed and what power says since."""
        if self._ours is None:
            return NAN
        return max(self._told, self._ours.value + self._estimate)

    @property
    def estimated(self) -> bool:
        """Whether part of ``energy`` comes from power, because the register contradicts."""
        return self._contradicted_since is not None

    def problem(self, now: float) -> str:
        """What a person must know: the register has been lost for GIVE_UP; '' else."""
        since = self._contradicted_since
        if since is None or now - since < GIVE_UP:
            return ''
        return (f'the energy register has not been consistent for {(now - since) / 60.0:.0f} min '
                f'({self.refusal}); energy is estimated from power, look at the meter')

    def take(self, at: float, value: float, power: float) -> bool:
        """Takes a sample.

        Args:
            at: s, when it was read; not before the last.
            value: kWh; NaN: this sample has no register.
            power: W that flow now; NaN: not measured.

        Returns:
            Whether the value is believed.
        """
        step = self._flowed(at, power)
        if self.estimated:
            self._estimate += step
            if self._rival is not None:
                self._rival.estimated += step
        if math.isnan(value):
            return False
        if math.isinf(value) or value < 0.0:
            self._refuse(f'register {value:g} kWh (allowed: 0 or more)')
            return False
        if self._ours is None:
            return self._first(at, value)
        if self._fits(self._ours, at, value):
            self._believe(at, value)
            return True
        if not self.estimated:
            self._contradicted_since, self._estimate = at, step
        low = self._ours.value
        self._refuse(f'register {value:g} kWh after {low:g} kWh: '
                     + ('ran backwards' if value < low else 'too fast'))
        return self._contradict(at, value)

    def fits(self, at: float, value: float) -> bool:
        """Whether ``value`` kWh at ``at`` s goes on from what was believed last."""
        return self._ours is not None and self._fits(self._ours, at, value)

    def follow(self, at: float, value: float, offset: float) -> None:
        """Goes over to a new course that whoever reads the meter has adopted.

        Args:
            at: s.
            value: kWh, a value of the new course.
            offset: see ``offset``.
        """
        self._adopt(at, value, offset, NAN)

    # -- parts -----------------------------------------------------------------------------------
    def _first(self, at: float, value: float) -> bool:
        candidate = self._candidate
        if candidate is not None and self._fits(candidate, at, value):
            self._ours = candidate
            self._believe(at, value)
            return True
        if candidate is not None:
            self._refuse(f'register {value:g} kWh after a first {candidate.value:g} kWh: they do '
                         'not agree')
        self._candidate = _Point(value, at, value + self._slack)
        return False

    def _contradict(self, at: float, value: float) -> bool:
        """Notes a value that contradicts; whether its course is the meter's new one."""
        rival = self._rival
        if rival is None or not self._fits(rival.last, at, value):
            self._rival = _Rival(value, at, _Point(value, at, value + self._slack), self.energy)
            return False
        rival.last = self._next(rival.last, at, value)
        rival.samples += 1
        counted = value - rival.first
        stands = counted == 0.0 and rival.estimated >= FLOWS
        if (at - rival.since < ADOPT_TIME or rival.samples < ADOPT_SAMPLES or stands
                or counted < COUNTED * rival.estimated - self._slack):
            return False
        self._adopt(at, value, rival.first - rival.ours, rival.first)
        return True

    def _adopt(self, at: float, value: float, offset: float, began: float) -> None:
        self.began = began
        self._ours = _Point(value, at, value + self._slack)
        self.course += 1
        self.offset = offset
        self._told = NAN
        self._believe(at, value)

    def _believe(self, at: float, value: float) -> None:
        assert self._ours is not None  # callers have just looked, or set it
        self._told = value if math.isnan(self._told) else max(self.energy, value)
        self._ours = self._next(self._ours, at, value)
        self._rival = self._contradicted_since = None
        self._estimate = 0.0
        self.at, self.refused, self.refusal = at, 0, ''

    def _fits(self, before: _Point, at: float, value: float) -> bool:
        return before.value <= value <= self._most(before, at)

    def _most(self, before: _Point, at: float) -> float:
        return before.most + energy_of(self._max_power, max(0.0, at - before.at))

    def _next(self, before: _Point, at: float, value: float) -> _Point:
        # the slack is granted once: a register that is always a little too fast uses it up
        return _Point(value, at, min(self._most(before, at), value + self._slack))

    def _flowed(self, at: float, power: float) -> float:
        """kWh since the last sample, by power; 0 where it was not measured or too long ago."""
        time, before = at - self._sampled_at, self._power
        self._sampled_at, self._power = at, power
        if not 0.0 < time <= LONGEST_STEP:
            return 0.0
        known = [p for p in (before, power) if math.isfinite(p)]
        mean = sum(known) / len(known) if known else 0.0
        return energy_of(min(max(0.0, mean), self._max_power), time)

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.refusal = why
