"""What a set of values allows from now on: the means to tell raising from lowering."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from charger_control.core.units import NAN


def lower(first: float, second: float) -> float:
    """The lower of two limits in A; NaN is no opinion."""
    if math.isnan(first):
        return second
    return first if math.isnan(second) else min(first, second)


@dataclass(frozen=True, slots=True)
class Course:
    """A limit, when it ends, and what counts then.

    Attributes:
        amperage: A per phase now; NaN: no opinion.
        one_phase: only one phase may be used now.
        until: s, the ``now`` at which this ends; inf: it does not.
        after: A per phase from then on; NaN: no opinion.
    """

    amperage: float = NAN
    one_phase: bool = False
    until: float = math.inf
    after: float = NAN

    def at(self, now: float) -> tuple[float, bool]:
        """The limit at ``now``: A per phase (NaN: none) and whether only one phase may be used."""
        return (self.amperage, self.one_phase) if now < self.until else (self.after, False)

    def raises(self, before: Course, now: float) -> bool:
        """Whether this allows more than ``before`` at any time from ``now`` on."""
        for instant in (now, self.until, before.until):
            if not now <= instant < math.inf:
                continue
            (amperage, one_phase), (had, had_one_phase) = self.at(instant), before.at(instant)
            if not math.isnan(had) and not amperage <= had:
                return True
            if had_one_phase and not one_phase and amperage != 0.0:
                return True
        return False


def lowest(courses: Sequence[Course], now: float) -> Course:
    """The course that allows no more than any of ``courses``, nor when the first of them ends."""
    until = min(course.until for course in courses)
    amperage, after, one_phase = NAN, NAN, False
    for course in courses:
        present, one = course.at(now)
        amperage = lower(amperage, present)
        after = lower(after, course.at(until)[0])
        one_phase = one_phase or one
    return Course(amperage, one_phase, until, after)
