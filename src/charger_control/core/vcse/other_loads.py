"""What else hangs on the supply, seen by a grid meter that counts the team too.

The other loads are the difference of two measurements that were made at different instants, by
different meters. So it is taken only where it means something:

* **Aligned**: what the team draws is known before and after the instant of a grid reading, and what
  it changed by in between is left out of the difference. A rise counts once it has lasted (`rise`),
  a fall much later (`fall`).
* **A rise that leads above the fuse** counts as soon as a second reading agrees, and is remembered:
  as long as the load comes back within its memory it counts as if it were on. Each time it comes
  back after it was forgotten the memory doubles, from `fall` to MEMORY.
* **A ramp** is followed: a rise that has lasted over several readings counts as far as it will
  have gone when the vehicles obey.
* **A sum above the fuse** lowers the team at once, by the excess of that reading, whoever causes
  it. The next reading tells the same excess again, because the vehicles are still coming down: it
  lowers once more only if the excess has grown, or has outlasted them. This is no opinion about the
  other loads, and ends when they are known.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from charger_control.core.heard import RecentMaximum
from charger_control.core.units import NAN, Phases

PHASES = 3
MEMORY = 900.0
"""s, the longest for which a load that comes and goes is counted as on."""
FORGIVEN = 2.0
"""Times its own memory that a load must stay away until its memory begins anew."""
SAME_LOAD = 1.0
"""A by which a load may differ from itself."""
MOST_LOADS = 8
"""Loads remembered on a phase; the lowest go first."""
STILL = 1.0
"""A by which what the team draws may change between two of its reports and still be one value."""
STILL_FOR = 5.0
"""s without such a change: then the team goes on so, and need not be waited for."""
LONGEST_GAP = 3.0
"""s between two reports that are still neighbours, and that a reading waits for the next one."""
KEPT = 30.0
"""s of what the team drew that is kept."""
RAMP_READINGS = 4
"""Readings over which a rise must have lasted to be a ramp."""
RAMP_APART = 0.8
"""s between two of them at the least. Between two reports of the team, 1 s apart, what it draws is
a guess, and a fast meter sees the error of that guess rise like a ramp."""
RAMP_LEAST, RAMP_LARGEST = 0.03, 0.6
"""Shares of such a rise that lie between two of them: with less it has paused, more is a step."""
RAMP_LASTS = 10.0
"""s after its last reading for which it is expected to go on."""
RAMP_STEP = 0.05
"""A/s, less is no ramp."""


class Drawn:
    """What the team draws, report by report, each at the instant of its measurement."""

    def __init__(self) -> None:
        self._reports: deque[tuple[float, Phases]] = deque(maxlen=400)

    def hear(self, at: float, amperage: Phases) -> None:
        """Takes a report: A on each supply phase at ``at`` s; NaN and less than 0 count as 0."""
        if self._reports and at <= self._reports[-1][0]:
            return
        l1, l2, l3 = (a if a > 0.0 else 0.0 for a in amperage)
        self._reports.append((at, (l1, l2, l3)))
        while self._reports[0][0] < at - KEPT:
            self._reports.popleft()

    def at(self, at: float, phase: int) -> tuple[float, float, float] | None:
        """A at ``at`` s by the reports around it, and the two; None where one is missing."""
        before: tuple[float, Phases] | None = None
        for report in self._reports:
            if report[0] >= at:
                if before is None or report[0] - before[0] > LONGEST_GAP:
                    return None
                share = (at - before[0]) / (report[0] - before[0])
                low, high = before[1][phase], report[1][phase]
                return low + share * (high - low), low, high
            before = report
        return None

    def last(self, at: float, silence: float) -> Phases | None:
        """The last report not after ``at`` s; None where it is older than ``silence`` s."""
        for report in reversed(self._reports):
            if report[0] <= at:
                return report[1] if at - report[0] <= silence else None
        return None

    def still(self, at: float, phase: int) -> float:
        """A that the team has drawn for STILL_FOR until ``at`` s, the most; NaN: it changes."""
        recent = [a[phase] for t, a in self._reports if at - STILL_FOR <= t <= at]
        begun = bool(self._reports) and self._reports[0][0] <= at - STILL_FOR
        if not begun or not recent or max(recent) - min(recent) > STILL:
            return NAN
        return max(recent)


@dataclass(slots=True)
class _Load:
    """A load that has led above the fuse.

    Attributes:
        amperage: A of all other loads while it is on.
        memory: s for which it is counted as on after it was.
        seen_at: s, when it was on last.
    """

    amperage: float
    memory: float
    seen_at: float

    def see(self, at: float) -> None:
        """It is on at ``at`` s: one that comes back soon after it was forgotten is kept longer."""
        away = at - self.seen_at
        if away > self.memory * (1.0 + FORGIVEN):
            return
        if away > self.memory:
            self.memory = min(MEMORY, 2.0 * self.memory)
        self.seen_at = at


class OtherLoads:
    """The other loads on one phase."""

    def __init__(self, rise: float, fall: float, reaction: float) -> None:
        """Args:
            rise: s that a rise must have lasted until it counts, where it does not lead above the
                fuse.
            fall: s that a fall must have lasted until it counts.
            reaction: s from a lower budget until the vehicles have obeyed.
        """
        self._fall, self._reaction = fall, reaction
        self._most_negative = RecentMaximum(rise)
        self._lasting = RecentMaximum(fall)
        self._loads: list[_Load] = []
        self._recent: deque[tuple[float, float]] = deque(maxlen=RAMP_READINGS)
        self._ramp = RecentMaximum(reaction)
        self._counted = 0.0
        self._before = math.inf

    def hear(self, at: float, others: float, leads_above: bool, least: float | None = None
             ) -> None:
        """Takes what the other loads drew at an instant.

        Args:
            at: s.
            others: A, the best that is known.
            leads_above: with them the fuse was exceeded.
            least: A that they drew for certain, where ``others`` is not; it ends nothing.
        """
        if not self._recent or at - self._recent[-1][0] >= RAMP_APART:
            self._recent.append((at, others))
        certain = least is None
        others = others if least is None else least
        agreed = min(others, self._before)
        self._before = others
        if certain:
            lasting = -self._most_negative.update(at, -others)
            self._counted = self._lasting.update(at, lasting)
        for load in self._loads:
            # what has come back is on, even if this time the team had made room for it
            if others >= load.amperage - SAME_LOAD:
                load.see(at)
        if leads_above and agreed > self.counted(at) + 1e-9:
            self._remember(at, agreed)

    def counted(self, now: float, most_ahead: float = math.inf) -> float:
        """A to count on at ``now`` s.

        ``most_ahead``: A that a ramp may count for before it is there.
        """
        remembered = [load.amperage for load in self._loads if now - load.seen_at <= load.memory]
        ramp = self._ramp.update(now, self._ahead(now))
        return max([self._counted, min(ramp, most_ahead), *remembered])

    def _ahead(self, now: float) -> float:
        """A that a ramp will have reached when the vehicles have obeyed; 0 where none lasts."""
        if len(self._recent) < RAMP_READINGS:
            return 0.0
        rises = [b - a for (_, a), (_, b) in pairwise(self._recent)]
        (begin, first), (at, last) = self._recent[0], self._recent[-1]
        rate = (last - first) / (at - begin)
        if (min(rises) <= max(0.0, RAMP_LEAST * (last - first))
                or max(rises) > RAMP_LARGEST * (last - first) or rate <= RAMP_STEP
                or now - at > RAMP_LASTS):
            return 0.0
        return last + rate * (now - at + self._reaction)

    def _remember(self, at: float, amperage: float) -> None:
        same = [one for one in self._loads if abs(one.amperage - amperage) <= SAME_LOAD]
        memory = max([self._fall, *(one.memory for one in same if one.seen_at == at)])
        self._loads = [one for one in self._loads if one not in same]
        self._loads.append(_Load(amperage, memory, at))
        self._loads.sort(key=lambda load: load.amperage)
        del self._loads[:-MOST_LOADS]


class Excess:
    """What a sum above the fuse takes off one phase, until the other loads are known."""

    def __init__(self, fall_time: float) -> None:
        """``fall_time``: s that a vehicle may take to obey."""
        self._fall_time = fall_time
        self._limit = math.inf
        self._worst = 0.0
        self._at = -math.inf
        self._age = 0.0

    def hear(self, now: float, at: float, excess: float, base: float) -> None:
        """Takes a reading.

        Args:
            now: s.
            at: s, when it was measured.
            excess: A above the fuse.
            base: A that the team may be drawing.
        """
        if excess <= 0.0:
            return
        self._age = max(0.0, now - at)
        if now > self._ends:
            self._limit, self._worst = max(0.0, base - excess), excess
        elif excess > self._worst:
            self._limit = max(0.0, self._limit - (excess - self._worst))
            self._worst = excess
        else:
            return
        self._at = now

    def limit(self, now: float) -> float:
        """A that the team may have; infinite where nothing is exceeded."""
        return self._limit if now <= self._ends else math.inf

    @property
    def _ends(self) -> float:
        return self._at + self._fall_time + self._age
