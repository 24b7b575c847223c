"""A whole night of a depot offline: core's leaders, VCSE and members with simulated vehicles.

Explicit time, one cycle of the team a step, no processes, no ROS. Messages arrive at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamAllocation
from charger_control.core.team import Leader, TeamConfig
from charger_control.core.vcse import Vcse, VcseConfig
from charger_control.sim.depot.grid import GridSupply, loads_of, on_supply
from charger_control.sim.depot.grid_log import LogRow
from charger_control.sim.depot.scenario import DepotScenario, DepotStep, told
from charger_control.sim.offline.depot_charger import RESTART, OfflineCharger
from charger_control.sim.plant.ev_parameters import Phases

TEAM = 'depot'
CANDIDATES = ('team', 'standby')
"""Those that may lead; `kill` with process: team is the first."""


@dataclass(frozen=True, slots=True)
class NightParameters:
    """How the depot is built.

    Attributes:
        members: names of the chargers.
        phase_maps: supply phase (1..3) of L1 L2 L3 of each.
        fuse: A on L1 L2 L3 of the supply, for the team and the other loads together.
        scenario: with names of these members.
        other_loads_max: A, what the other loads are counted at while the grid meter is lost; None:
            all there is.
        step: s, one cycle of the team.
    """

    members: tuple[str, ...]
    phase_maps: tuple[tuple[int, ...], ...]
    fuse: Phases
    scenario: DepotScenario
    other_loads_max: float | None = None
    step: float = 1.0


class DepotNight:
    """The depot; ``step`` is one cycle later.

    Attributes:
        now: s since the start.
        chargers: all of them, by name.
        supply: the point of supply.
        budget: what the team may draw together now.
    """

    def __init__(self, parameters: NightParameters, say: Callable[[str], None]) -> None:
        self._parameters = parameters
        self._say = say
        self._steps = list(parameters.scenario.steps)
        self.now = 0.0
        self.supply = GridSupply(0.0, parameters.scenario.other_loads)
        self.chargers = {
            name: OfflineCharger(name, TEAM, len(parameters.members), wiring)
            for name, wiring in zip(parameters.members, parameters.phase_maps, strict=True)}
        self._config = TeamConfig(TEAM, parameters.members, CANDIDATES)
        self._leaders: dict[str, Leader | None] = {
            name: Leader(self._config, name, 0.0) for name in CANDIDATES}
        self._returns: dict[str, tuple[float, int]] = {}
        self._vcse = Vcse(VcseConfig(
            TEAM, parameters.fuse, grid_meter=True, other_loads_max=parameters.other_loads_max))
        self._meter_silent_until = -1.0
        self._events: list[str] = []
        self.budget: TeamBudget = self._vcse.step(0.0)
        self.ended = False

    def step(self) -> LogRow:
        """One cycle later; what flows now."""
        now = self.now = self.now + self._parameters.step
        while self._steps and self._steps[0].at <= now:
            self._do(self._steps.pop(0))
        flows = []
        for charger in self.chargers.values():
            charger.step(now)
            flows.append(on_supply(charger.amperage, charger.phase_map))
        self.supply.step(now, _sum(flows))
        if now >= self._meter_silent_until:
            self._vcse.hear_grid(Heard(MeterReading(
                voltage=self.supply.voltage, amperage=self.supply.amperage), now))
        self.budget = self._vcse.step(now)
        self._share(now)
        events, self._events = '; '.join(self._events), []
        return LogRow(now, self.supply.amperage, self.supply.other_loads,
                      {name: max(c.amperage) for name, c in self.chargers.items()}, events)

    def _share(self, now: float) -> None:
        for name, (at, term) in list(self._returns.items()):
            if now >= at:
                del self._returns[name]
                self._leaders[name] = Leader(self._config, name, now, term)
        leaders = [leader for leader in self._leaders.values() if leader is not None]
        for charger in self.chargers.values():
            request = charger.request(now)
            if request is not None:
                for leader in leaders:
                    leader.hear_request(now, request)
        budget = Heard(self.budget, now)
        for leader in leaders:
            step = leader.step(now, budget)
            if step.persist is not None:
                leader.persisted(now, step.persist)
                step = leader.step(now, budget)
            if step.allocation is not None:
                self._vcse.hear_team(Heard(leader.total(now), now))
                self._tell(now, step.allocation, leaders)

    def _tell(self, now: float, allocation: TeamAllocation, leaders: Sequence[Leader]) -> None:
        for charger in self.chargers.values():
            charger.hear(now, allocation)
        for leader in leaders:
            leader.hear_list(now, allocation)

    def _do(self, step: DepotStep) -> None:
        values, now = step.arguments, self.now
        try:
            if step.chargers:
                for name in map(str, step.chargers):
                    self.chargers[name].do(step.action, values, now)
            elif step.action == 'other_loads':
                self.supply.set_other_loads(loads_of(values, self._parameters.fuse),
                                            values.get('over', 0.0), now)
            elif step.action == 'lose_grid_meter':
                self._meter_silent_until = now + values.get('for', float('inf'))
            elif step.action == 'kill':
                self._kill(values['process'])
            else:
                self.ended = True
        except ValueError as error:
            self._say(f'scenario line {step.line}: {error}')
            return
        self._events.append(told(step))

    def _kill(self, process: str) -> None:
        leader = self._leaders.get(process)
        if leader is None:
            raise ValueError(f'kill: there is no process {process!r} now (offline there are '
                             f'{", ".join(name for name, one in self._leaders.items() if one)})')
        self._returns[process] = (self.now + RESTART, leader.term[0])
        self._leaders[process] = None


def _sum(phases: Sequence[Phases]) -> Phases:
    return (sum(p[0] for p in phases), sum(p[1] for p in phases), sum(p[2] for p in phases))
