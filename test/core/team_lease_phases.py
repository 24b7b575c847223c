"""Vehicles that change phases and are swapped, in the model of the lease (team_lease_model.py).

What is promised (docs/team.md, Phases): above the budget only for up to 10 s after a vehicle came
back on a phase that it was not counted on, and then not above short_time_factor x budget.
"""

from __future__ import annotations

import random
from collections import deque

from team_lease_faults import World
from team_lease_model import BOUND, RULES, TICK, Episode, Machine, Mutation, TeamModel

from charger_control.core.cppwm_controller import (
    Allocation,
    Reach,
    ReachConfig,
    Reached,
    wired_phases,
)
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamRequest

FACTOR = 1.13
LONGEST = 10.0
"""s above the budget, the vehicle's own 6 s included."""
APART = 20.0
"""s between two vehicles that come back: phases_back_at_once is 1."""
SEEN_FROM = 1.0
"""A from which a meter sees a phase."""
PILOT_SILENT = 1.5
"""s after which a control pilot does not count any more: the vehicle may be swapped."""
STEADY = 2.0
"""s in place of 60, so that a schedule of a minute has it happen."""


class PhaseMachine(Machine):
    """A charge point whose vehicle draws on some of its phases, and may draw on others later."""

    def __init__(self, team: PhaseTeam, name: str, rng: random.Random) -> None:
        super().__init__(team, name, rng)
        if rng.random() < 0.7:
            self.phase_map = rng.choice(((1, 2, 3), (2, 3, 1), (3, 1, 2)))
            self.wish = TeamRequest(requested_amperage=BOUND, phase_map=self.phase_map)
        self.wired = wired_phases(self.phase_map)
        self.plugged = True
        self.vehicle = self.some_phases()
        self.samples: deque[tuple[float, ...]] = deque(
            [(0.0,) * 3] * 3, maxlen=rng.randrange(1, 4))
        self.last_look = 0.0
        self.reach, self.reached = self._new_reach(), Reached(self.wired, self.wired)
        self.counted = self.wired
        self.beyond = False
        self.may_come_back = False
        """This vehicle has changed its phases, or is tried: it may draw where it is not counted."""
        self.back_since = -1e9
        """When it began to, the last time."""

    def some_phases(self) -> int:
        """Bit mask of own phases on which a vehicle draws: the first, with or without others."""
        return self.wired & (1 | self.rng.choice((0, 0, 0, 2, 6)))

    def _new_reach(self) -> Reach:
        return self.team.mutation.reach(ReachConfig(steady_time=STEADY))

    def start_member(self, t: float) -> None:
        super().start_member(t)
        if t > 0.0:
            self.reach = self._new_reach()

    def plug(self, t: float, vehicle: int) -> None:
        """Another vehicle: it draws what is signaled from now on."""
        self.plugged, self.vehicle = True, vehicle
        self.may_come_back = t < self.suspended_until  # nobody there can see that it is another
        self.signals, self.recent = [0.0] * len(self.signals), 0.0

    def unplug(self, t: float) -> None:
        """Nothing is drawn any more."""
        self.plugged = False

    def tick(self, t: float, half: int) -> None:
        if t >= self.suspended_until:
            self._look(t)
        super().tick(t, half)
        self.samples.append(tuple(
            self.drawn() if self.drawing() & 1 << p else 0.0 for p in range(3)))
        if self.member is not None and t >= self.suspended_until:
            lease = self.member.in_force(t + self.offset)
            self.counted = lease.phases_in_use
            self.may_come_back |= lease.tries
        beyond = bool(self.drawing() & ~self.counted) and self.drawn() >= SEEN_FROM
        if beyond and not self.beyond and self.may_come_back:
            self.back_since = t
        self.beyond = beyond

    def drawn(self) -> float:
        """The most that it may be drawing on each phase it draws on, A."""
        return self.recent if self.plugged else 0.0

    def drawing(self) -> int:
        """Bit mask of own phases on which it draws."""
        return self.vehicle if self.plugged else 0

    def allowed(self, now: float) -> float:
        assert self.member is not None
        lease = self.member.in_force(now)
        held = self.reach.bounded(self.reached, Allocation(
            lease.amperage, lease.trim_amperage, phases=lease.phases_in_use, tries=lease.tries,
            return_amperage=lease.return_amperage))
        return held.amperage + held.trim_amperage

    def _look(self, t: float) -> None:
        """Control pilot and meter; the last sample is from 0.5 to 2 s ago."""
        letter = 'C' if self.plugged else 'A'
        pilot = ControlPilot(letter, 'C2', self.signal)
        if t - self.last_look > PILOT_SILENT:
            self.reached = self.reach.step(t + self.offset, None, None, self.wired)
        self.last_look = t
        l1, l2, l3 = self.samples[0]
        self.reached = self.reach.step(
            t + self.offset, pilot, MeterReading((230.0,) * 3, (l1, l2, l3)), self.wired)

    def _send_request(self, t: float, now: float) -> None:
        assert self.member is not None
        drawable = BOUND if t < self.unsure_until else max(
            self.recent, min(self.in_force * self.appetite, BOUND))
        reached = self.reached
        self.team.send(t, self, 'request', self.member.request(now, TeamRequest(
            requested_amperage=BOUND if self.plugged else 0.0,
            drawable_amperage=drawable, phase_map=self.phase_map, phases_in_use=reached.in_use,
            phases_possible=reached.possible, phases_untried=reached.untried,
            vehicle_status='C' if self.plugged else 'A', amperage=self.samples[-1])))


class PhaseTeam(TeamModel):
    """One team of such charge points."""

    machine = PhaseMachine

    above_since: float | None = None
    carried = 0.0
    """The highest load / budget that was seen."""

    def judge(self, t: float) -> None:
        judge(self, t, self.machines, self.amperage)


def judge(team: PhaseTeam, t: float, machines: list[PhaseMachine], budget: tuple[float, ...]
          ) -> None:
    """Notes the first breach of the promise."""
    load = [0.0, 0.0, 0.0]
    for machine in machines:
        drawn, phases = machine.drawn(), machine.drawing()
        team.outcome.served += drawn
        for own, p in enumerate(machine.phase_map or (1, 2, 3)):
            if phases & 1 << own:
                load[p - 1] += drawn
    share = max(a / b for a, b in zip(load, budget, strict=True))
    team.carried = max(team.carried, share)
    if share <= 1.0 + 1e-9:
        team.above_since = None
        return
    if team.above_since is None:
        team.above_since = t
    back = [t - m.back_since for m in machines]
    broken = (
        'nobody came back' if min(back) > LONGEST else
        f'above for {t - team.above_since + TICK:.1f} s' if t - team.above_since >= LONGEST else
        f'above the factor {FACTOR:g}'
        if share > FACTOR + 1e-9 and sum(b <= APART for b in back) == 1 else '')
    if broken and not team.outcome.violation:
        team.outcome.violation = (
            f't={t:.1f} s, team {team.name}: {broken}: '
            + ', '.join(f'{a:.2f} A of {b:.0f} A' for a, b in zip(load, budget, strict=True))
            + ': ' + ', '.join(f'{m.name} {m.drawn():.1f} on {m.drawing():03b} of {m.counted:03b}'
                               f' wired {m.phase_map}' for m in machines))


class PhaseWorld(World):
    """A schedule with vehicles that change phases and are swapped, beside all other faults."""

    team = PhaseTeam

    def __init__(self, seed: int, teams: int = 1, members: int = 3, mutation: Mutation = RULES,
                 greedy: bool = True) -> None:
        super().__init__(seed, teams, members, mutation, greedy)
        self.duration += 40.0
        self.changed_at = -APART
        self.changes = 0
        for team in self.teams:
            for _ in range(8):
                self._at(self.rng.uniform(0.0, self.duration), self._change(team))
            for _ in range(2):
                self._swap(team, self.rng.uniform(0.0, self.duration))

    def _change(self, team: TeamModel):  # type: ignore[no-untyped-def]
        choice = self.rng.random()

        def change(t: float) -> None:
            """One at a time: no other vehicle draws, or could, where it is not counted.

            One that is not counted on all comes back on all, as long as there is one.
            """
            machines = [m for team in self.teams for m in team.machines]
            if t - self.changed_at < APART or any(m.vehicle & ~m.counted for m in machines):
                return
            less = [m for m in team.machines if m.counted != m.wired and m.drawn() >= SEEN_FROM]
            machine = (less or team.machines)[int(choice * len(less or team.machines))]
            self.changed_at = t
            self.changes += 1
            machine.vehicle = machine.wired if less else machine.some_phases()
            machine.may_come_back = True
            if machine.drawn() >= SEEN_FROM:
                machine.back_since = t
            if self.rng.random() < 0.4:
                self._cut(team, machine, t, t + 30.0)
        return change

    def _cut(self, team: TeamModel, machine: PhaseMachine, start: float, end: float) -> None:
        for one, links in team.links.items():
            for other, episodes in links.items():
                if machine in (one, other):
                    episodes.append(Episode(start, end))

    def _swap(self, team: TeamModel, start: float) -> None:
        machine = self.rng.choice(team.machines)
        if self.rng.random() < 0.5:
            self._cut(team, machine, start - 2.0, start + 30.0)
        gone = self.rng.choice((1.0, 3.0, 8.0))
        if gone > PILOT_SILENT and self.rng.random() < 0.5:  # and nobody there sees it

            def sleep(t: float) -> None:
                machine.suspended_until = max(machine.suspended_until, t + gone + 2.0)
            self._at(start - 1.0, sleep)
        self._at(start, machine.unplug)
        self._at(start + gone, lambda t: machine.plug(t, machine.some_phases()))

    def _plan(self, team: TeamModel) -> None:
        """In half of the schedules the network works: there vehicles come to charge."""
        if self.rng.random() < 0.5:
            super()._plan(team)
