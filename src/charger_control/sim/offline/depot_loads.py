"""A team beside other loads on one fuse, offline, with every message as old as in the graph.

Core's members, leader and VCSE, simulated vehicles that obey late, a grid meter. What is judged:
how often, how long and by how much the fuse is exceeded, and what the vehicles get.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from charger_control.core.heard import Heard
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.team import Leader, TeamConfig
from charger_control.core.vcse import Vcse, VcseConfig
from charger_control.sim.depot.grid import on_supply
from charger_control.sim.offline.depot_charger import OfflineCharger

TICK, CYCLE = 0.1, 1.0
"""s of a step of the world; of the team, and of the VCSE's budgets."""
TOLERANCE = 0.05
"""A above the fuse that is not counted."""
SETTLED = 60.0
"""s after the start from which what the vehicles get is judged."""
SLOW = {'reaction_delay': 3.0, 'ramp_down': 6.0, 'gain': 1.0}
"""A vehicle that obeys late: up to 5.5 s for 15 A."""
MAPS = ((1, 2, 3), (2, 3, 1), (3, 1, 2))

Load = Callable[[float], float]
"""A of the other loads, the same on each phase, at s."""


@dataclass(frozen=True, slots=True)
class LoadCase:
    """One supply and what hangs on it.

    Attributes:
        name: of the row.
        fuse: A.
        load: A of the other loads at s, the same on each phase.
        room: A that the vehicles could have beside them all the time; NaN: not judged.
        seconds: how long.
        chargers: how many.
        period: s of the grid meter.
        phases: of the vehicles.
        first: phases of the first vehicle, where they differ.
        later: (s, phases): what the first vehicle changes to.
        tells: what the grid meter tells: amperage, phase_power or active_power; nothing feeds in.
    """

    name: str
    fuse: float
    load: Load
    room: float
    seconds: float = 600.0
    chargers: int = 1
    period: float = 1.0
    phases: int = 3
    first: int | None = None
    later: tuple[float, int] = (math.inf, 3)
    tells: str = 'amperage'


@dataclass(slots=True)
class LoadFigures:
    """Figures of one case, of the phase with the most above the fuse."""

    above: float = 0.0
    times: int = 0
    longest: float = 0.0
    worst: float = 0.0
    stops: int = 0
    least: float = math.inf
    used: float = 0.0
    _since: list[float] = field(default_factory=lambda: [math.nan] * 3)

    def see(self, now: float, sums: tuple[float, float, float], fuse: float) -> None:
        """Takes what flows at ``now`` s on L1 L2 L3, A."""
        for p, amperage in enumerate(sums):
            if amperage > fuse + TOLERANCE:
                if math.isnan(self._since[p]):
                    self._since[p] = now
                    self.times += p == 0
                self.longest = max(self.longest, now - self._since[p] + TICK)
                self.worst = max(self.worst, amperage - fuse)
                self.above += TICK * (p == 0)
            else:
                self._since[p] = math.nan


class LoadWorld:
    """The case, tick by tick."""

    def __init__(self, case: LoadCase, seed: int) -> None:
        self.case, self.random = case, random.Random(seed)
        names = tuple(f'cp{k}' for k in range(case.chargers))
        self.chargers = [OfflineCharger(n, 'team', len(names), MAPS[k % 3], amperage=32.0)
                         for k, n in enumerate(names)]
        self.leader = Leader(TeamConfig('team', names), names[0], 0.0)
        self.vcse = Vcse(VcseConfig('team', (case.fuse,) * 3, grid_meter=True,
                                    feed_in=case.tells != 'active_power'))
        self.budget = self.vcse.step(0.0)
        self.heard_budget = Heard(self.budget, 0.0)
        self.due = {name: self.random.uniform(0.0, CYCLE) for name in (*names, 'team', 'vcse',
                                                                         'grid')}
        self.late: list[tuple[float, MeterReading]] = []
        self.past: list[tuple[float, tuple[float, float, float]]] = []
        self.found = LoadFigures()
        self.offering = [False] * len(names)

    def run(self) -> LoadFigures:
        """Lives through the case."""
        case, found = self.case, self.found
        for k, charger in enumerate(self.chargers):
            phases = case.phases if k or case.first is None else case.first
            charger.do('plug_in', {'vehicle': {**SLOW, 'phases': phases}}, 0.0)
        room = used = 0.0
        for k in range(1, round(case.seconds / TICK)):
            now = k * TICK
            if now - TICK < case.later[0] <= now:
                self.chargers[0].do('set_vehicle', {'vehicle': {'phases': case.later[1]}}, now)
            for charger in self.chargers:
                charger.step(now)
            drawn = [on_supply(c.amperage, c.phase_map) for c in self.chargers]
            team = tuple(sum(d[p] for d in drawn) for p in range(3))
            others = case.load(now)
            sums = (team[0] + others, team[1] + others, team[2] + others)
            self.past = [*self.past[-20:], (now, sums)]
            found.see(now, sums, case.fuse)
            for i, charger in enumerate(self.chargers):
                offers = charger.offered > 0.0
                found.stops += self.offering[i] and not offers
                self.offering[i] = offers
                if now > SETTLED:
                    found.least = min(found.least, charger.offered)
            if now > SETTLED and not math.isnan(case.room):
                room, used = room + case.room, used + team[0]
            self._talk(now)
        found.used = used / room if room else math.nan
        return found

    def _is_due(self, what: str, now: float, period: float = CYCLE) -> bool:
        if now < self.due[what]:
            return False
        self.due[what] += period
        return True

    def _talk(self, now: float) -> None:
        for entry in [entry for entry in self.late if entry[0] <= now]:
            self.late.remove(entry)
            self._grid(now, entry[1])
        for charger in self.chargers:
            if self._is_due(charger.name, now):
                request = charger.request(now)
                if request is not None and self.leader.hear_request(now, request):
                    self._lead(now)
        if self._is_due('team', now):
            self._lead(now)
        if self._is_due('grid', now, self.case.period):
            at, amperage = self.past[max(0, len(self.past) - 3)]
            self.late.append((now + 0.05, self._reading(amperage, now - at)))
        if self._is_due('vcse', now):
            self._budget(now)

    def _reading(self, amperage: tuple[float, float, float], age: float) -> MeterReading:
        """What the grid meter tells, ``age`` s after A on L1 L2 L3 were measured."""
        l1, l2, l3 = (230.0 * a for a in amperage)
        reading = MeterReading(voltage=(230.0,) * 3, age=age)
        if self.case.tells == 'amperage':
            return replace(reading, amperage=amperage)
        if self.case.tells == 'phase_power':
            return replace(reading, phase_power=(l1, l2, l3))
        return replace(reading, active_power=l1 + l2 + l3)

    def _lead(self, now: float) -> None:
        step = self.leader.step(now, self.heard_budget)
        if step.persist is not None:
            self.leader.persisted(now, step.persist)
            step = self.leader.step(now, self.heard_budget)
        if step.allocation is not None:
            for charger in self.chargers:
                charger.hear(now, step.allocation)
            self.vcse.hear_team(Heard(self.leader.total(now), now))
            self._look(now)

    def _grid(self, now: float, reading: MeterReading) -> None:
        self.vcse.hear_grid(Heard(reading, now))
        self._look(now)

    def _look(self, now: float) -> None:
        """A budget that has fallen goes out at once."""
        after = self.vcse.step(now)
        if any(a < b for a, b in zip(after.amperage, self.budget.amperage, strict=True)):
            self._budget(now)
            self._lead(now)

    def _budget(self, now: float) -> None:
        self.budget = self.vcse.step(now)
        self.heard_budget = Heard(self.budget, now)


def cycling(base: float, load: float, on: float, off: Callable[[random.Random], float],
            seed: int = 1) -> Load:
    """``load`` A beside ``base``, on for ``on`` s and then off, from 90 s on."""
    draw = random.Random(seed)
    edges = [90.0]
    while edges[-1] < 4000.0:
        edges += [edges[-1] + on]
        edges += [edges[-1] + off(draw)]

    def at(now: float) -> float:
        passed = sum(1 for edge in edges if edge <= now) if now < 4000.0 else 0
        return base + (load if passed % 2 else 0.0)
    return at


def ramp(base: float, load: float, over: float) -> Load:
    """``load`` A more than ``base`` within ``over`` s, from 120 s on."""
    return lambda now: base + load * min(1.0, max(0.0, (now - 120.0) / over))


def steps(base: float, load: float, edges: tuple[float, ...]) -> Load:
    """``load`` A beside ``base``, switched on and off at ``edges`` s."""
    return lambda now: base + (load if sum(edge <= now for edge in edges) % 2 else 0.0)
