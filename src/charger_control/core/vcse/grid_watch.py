"""The grid meter's readings beside what the team draws: what the other loads leave of it."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from charger_control.core.heard import RecentMaximum
from charger_control.core.units import MIN_AMPERAGE, Phases
from charger_control.core.vcse.config import VcseConfig
from charger_control.core.vcse.other_loads import (
    LONGEST_GAP,
    PHASES,
    STILL,
    STILL_FOR,
    Drawn,
    Excess,
    OtherLoads,
)

DRAWN_TIMEOUT = 10.0
"""s for which what the team says it draws counts; after that its draw counts as other loads. Longer
than a takeover, during which nobody says it, and nobody is raised."""
MOST_WAITING = 100
"""Readings that wait for the team's next report."""
CYCLE = 1.0
"""s of the team: between two reports, and until a lower budget has reached its members."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A reading of the grid meter: A on each phase at ``at`` s, heard at ``heard_at`` s.

    ``together``: of all phases; ``given``: A on each that the team might draw when it was heard.
    """

    at: float
    heard_at: float
    amperage: Phases
    together: bool = False
    given: Phases | None = None


class GridWatch:
    """The other loads on the three phases, and what a sum above the fuse asks for."""

    def __init__(self, config: VcseConfig) -> None:
        self._has_team = config.grid_meter_has_team
        self._fuse = config.grid_fuse or config.fuse
        reaction = config.vehicle_fall_time + CYCLE
        self._loads = [OtherLoads(config.other_loads_rise, config.other_loads_fall, reaction)
                       for _ in range(PHASES)]
        self._excess = [Excess(config.vehicle_fall_time + CYCLE) for _ in range(PHASES)]
        self._reaction = reaction
        # what is only expected stops nobody
        self._most_ahead = [fuse - config.margin - MIN_AMPERAGE for fuse in self._fuse]
        self._last, self._raised_at = [0.0] * PHASES, [-math.inf] * PHASES
        self._given = [RecentMaximum(reaction) for _ in range(PHASES)]
        self._drawn = Drawn()
        self._waiting: deque[_Reading] = deque(maxlen=MOST_WAITING)
        self._known = False

    @property
    def known(self) -> bool:
        """Whether the other loads have been seen at all."""
        return self._known

    def hear_team(self, at: float, amperage: Phases) -> None:
        """Takes what the team drew at ``at`` s: A on each supply phase; NaN: not known."""
        self._drawn.hear(at, amperage)

    def hear_grid(self, now: float, at: float, amperage: Phases, given: Phases | None,
                  together: bool = False) -> None:
        """Takes a reading.

        Args:
            now: s.
            at: s, when it was measured; not before the last.
            amperage: A on each phase.
            given: A on each phase that the team may draw now; None: it was told nothing yet.
            together: each is that of all phases, the team's included: how much of it may be on one
                is known only beside what the team draws.
        """
        together = together and self._has_team
        if given is not None and not together:
            self._lower(now, at, amperage, given)
        self._waiting.append(_Reading(at, now, amperage, together, given))
        self._settle(now)

    def _lower(self, now: float, at: float, amperage: Phases, given: Phases) -> None:
        """Takes what a sum above the fuse asks for."""
        last = self._drawn.last(now, DRAWN_TIMEOUT) or (0.0, 0.0, 0.0)
        for p in range(PHASES):
            total = amperage[p] if self._has_team else amperage[p] + last[p]
            if given[p] > self._last[p] + STILL:
                self._raised_at[p] = now
            self._last[p] = given[p]
            base = self._given[p].update(now, given[p])  # it may still be coming down
            still = self._drawn.still(now, p)
            # a team that was given more may be on its way up
            if not math.isnan(still) and now - self._raised_at[p] > STILL_FOR + self._reaction:
                base = min(base, still + STILL)
            self._excess[p].hear(now, at, total - self._fuse[p], base)

    def others(self, now: float) -> Phases:
        """A of the other loads to count on at ``now`` s."""
        self._settle(now)
        l1, l2, l3 = (load.counted(now, most) for load, most in zip(
            self._loads, self._most_ahead, strict=True))
        return l1, l2, l3

    def limits(self, now: float) -> Phases:
        """A that the team may have on each phase because the sum is above the fuse; else inf."""
        l1, l2, l3 = (excess.limit(now) for excess in self._excess)
        return l1, l2, l3

    def _settle(self, now: float) -> None:
        """Takes the differences that can be taken by now."""
        while self._waiting:
            reading = self._waiting[0]
            around = self._drawn.at(reading.at, 0)
            last = self._drawn.last(now, DRAWN_TIMEOUT)
            if (self._has_team and around is None and last is not None
                    and now - reading.heard_at < LONGEST_GAP):
                return  # the team's next report is on its way
            self._waiting.popleft()
            self._known = True
            if reading.together:
                self._take_together(now, reading)
                continue
            for p in range(PHASES):
                self._take(reading, p, last)

    def _take_together(self, now: float, reading: _Reading) -> None:
        """A reading of all phases: what the team does not draw of it may be on any one of them."""
        then, most = [0.0] * PHASES, [0.0] * PHASES
        known = self._drawn.last(reading.at, DRAWN_TIMEOUT) or (0.0, 0.0, 0.0)
        for p in range(PHASES):
            drawn = self._drawn.at(reading.at, p)
            then[p], before, after = drawn or (known[p],) * 3
            most[p] = max(before, after) if abs(before - after) > STILL else then[p]
        everything = reading.amperage[0]
        others, certain = (max(0.0, everything - sum(team)) for team in (then, most))
        l1, l2, l3 = (certain + a for a in most)
        if reading.given is not None:
            self._lower(now, reading.at, (l1, l2, l3), reading.given)
        for load, total, fuse in zip(self._loads, (l1, l2, l3), self._fuse, strict=True):
            load.hear(reading.at, others, total > fuse, None if most == then else certain)

    def _take(self, reading: _Reading, phase: int, last: Phases | None) -> None:
        total, load = reading.amperage[phase], self._loads[phase]
        if not self._has_team:
            beside = 0.0 if last is None else last[phase]
            load.hear(reading.at, max(0.0, total), total + beside > self._fuse[phase])
            return
        leads_above = total > self._fuse[phase]
        drawn = self._drawn.at(reading.at, phase)
        if drawn is None:
            known = self._drawn.last(reading.at, DRAWN_TIMEOUT)
            load.hear(reading.at, max(0.0, total - (known[phase] if known else 0.0)), leads_above)
            return
        then, before, after = drawn
        least: float | None = None
        if abs(before - after) > STILL:  # the team's own change: what is beyond it is certain
            least = max(0.0, total - max(before, after))
        load.hear(reading.at, max(0.0, total - then), leads_above, least)
