"""Chargers with the real controller and lease, vehicles that change phases, one supply.

Everything in steps of TICK. A vehicle rises at once and falls as late as it may (OBEYS s after the
signal fell); a meter's sample is METER_LAG s old. The supply knows what flows on each phase, and
how warm its breaker is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from charger_control.core.cppwm_controller import Controller, ControllerConfig
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.team import Leader, TeamConfig
from charger_control.core.units import FOREVER
from charger_control.nodes.team_member import PARAMS, Membership

TICK = 0.1
OBEYS = 5.9
METER_PERIOD, METER_LAG = 0.2, 1.0
TRIPS_AT = 1.277
"""Of the thermal state, (I / In) squared: 1.13 In for ever."""
TAU = 4.6


@dataclass
class Vehicle:
    """Draws what is signaled, up to its own most, on some of its three phases."""

    phases: tuple[int, ...] = (0, 1, 2)
    most: float = 32.0
    plugged: bool = True


class Charger:
    """One charge point: board, meter, controller, member."""

    def __init__(self, depot: Depot, name: str, phase_map: tuple[int, ...], number: int) -> None:
        self.depot, self.name, self.phase_map = depot, name, phase_map
        self.beat = number
        self.vehicle = Vehicle()
        self.values = {p.name: p.default for p in PARAMS} | {
            'team.size': depot.size, 'team.phase_map': list(phase_map), 'team.name': 'depot',
            'team.failsafe_amperage': depot.failsafe}
        self.cut = self.deaf = False
        self.starts = 0
        self.start()
        self.signaled = 0.0
        self.signals: deque[float] = deque([0.0] * round(OBEYS / TICK))
        self.flows: deque[tuple[float, ...]] = deque([(0.0,) * 3] * (round(METER_LAG / TICK) + 1))
        self.now_flows: tuple[float, ...] = (0.0,) * 3

    def start(self) -> None:
        """A process begins: nothing is remembered."""
        config = ControllerConfig(sources=('hw',), own_trim=0.0)
        self.controller = Controller(config)
        self.starts += 1
        self.membership = Membership(self.values, self.name, self.depot.now,
                                     self.starts * 1_000_000, self._publish)

    def _publish(self, request: object) -> None:
        if not self.cut:
            self.depot.requests.append(request)

    def step(self, k: int) -> None:
        """One tick of this charger."""
        now, vehicle = self.depot.now, self.vehicle
        letter = 'A' if not vehicle.plugged else 'C' if self.signaled else 'B'
        pilot = ControlPilot(letter, 'C2', self.signaled, contactor_feedback=None)
        self.controller.hear_pilot(Heard(pilot, now))
        self.controller.hear_limit('hw', Heard(AmperageLimit(32.0, 0, FOREVER, 0.0), now))
        self.flows.append(self.now_flows)
        sample = self.flows.popleft()
        if k % round(METER_PERIOD / TICK) == 0:
            l1, l2, l3 = sample
            self.controller.hear_meter(Heard(MeterReading((230.0,) * 3, (l1, l2, l3)), now))
        result = self.controller.step(now, self.membership.allocation(now))
        self.signaled = result.available.available_amperage
        self.membership.ask(now, result, pilot)
        self.signals.append(self.signaled)
        self.signals.popleft()
        drawn = min(max(self.signals), vehicle.most) if vehicle.plugged else 0.0
        self.now_flows = tuple(drawn if p in vehicle.phases else 0.0 for p in range(3))


class Depot:
    """The supply, its leader and its chargers."""

    def __init__(self, fuse: float, maps: Sequence[tuple[int, ...]], config: TeamConfig | None
                 = None, failsafe: float = 0.0) -> None:
        self.now, self.fuse, self.size, self.failsafe = 0.0, fuse, len(maps), failsafe
        self.requests: list[object] = []
        names = tuple(f'cp{i}' for i in range(len(maps)))
        self.config = config or TeamConfig('depot', names, (names[0],), failsafe_amperage=failsafe)
        self.leader = Leader(self.config, names[0], 0.0)
        self.chargers = [Charger(self, n, m, i) for i, (n, m) in enumerate(
            zip(names, maps, strict=True))]
        self.load = [0.0, 0.0, 0.0]
        self.most = 0.0
        self.above = self.longest = 0.0
        self.heat = [0.0, 0.0, 0.0]
        self.hottest = 0.0
        self._k = 0

    def preload(self) -> None:
        """The breaker has carried its rated current for long."""
        self.heat = [1.0, 1.0, 1.0]

    def forget(self) -> None:
        """Figures count from here on."""
        self.most = self.above = self.longest = self.hottest = 0.0

    def run(self, seconds: float, watch: Callable[[], None] = lambda: None) -> None:
        """So many seconds."""
        for _ in range(round(seconds / TICK)):
            for charger in self.chargers:
                charger.step(self._k)
            self._lead()
            self._measure()
            watch()
            self._k += 1
            self.now = self._k * TICK

    def _lead(self) -> None:
        due = self._k % round(1.0 / TICK) == 0
        requests, self.requests = self.requests, []
        for request in requests:
            due |= self.leader.hear_request(self.now, request)  # type: ignore[arg-type]
        if not due:
            return
        budget = Heard(TeamBudget('depot', (self.fuse,) * 3, 10.0), self.now)
        step = self.leader.step(self.now, budget)
        if step.persist is not None:
            self.leader.persisted(self.now, step.persist)
        if step.allocation is not None:
            for charger in self.chargers:
                if not (charger.cut or charger.deaf):
                    charger.membership.hear(Heard(step.allocation, self.now))

    def _measure(self) -> None:
        load = [0.0, 0.0, 0.0]
        for charger in self.chargers:
            for own, amperage in enumerate(charger.now_flows):
                load[(charger.phase_map or (1, 2, 3))[own] - 1 if own < len(
                    charger.phase_map or (1, 2, 3)) else own] += amperage
        self.load = load
        self.most = max(self.most, *load)
        self.above = self.above + TICK if max(load) > self.fuse + 1e-6 else 0.0
        self.longest = max(self.longest, self.above)
        for p in range(3):
            self.heat[p] += (1.0 - math.exp(-TICK / TAU)) * (
                (load[p] / self.fuse)**2 - self.heat[p])
            self.hottest = max(self.hottest, self.heat[p])

    @property
    def drawn(self) -> list[float]:
        """A that each vehicle draws."""
        return [max(c.now_flows) for c in self.chargers]
