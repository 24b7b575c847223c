"""Teams of teams: what all vehicles of a site may draw stays within the site's budget."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.team import (
    Leader,
    Member,
    MemberConfig,
    TeamConfig,
)
from charger_control.core.vcse import Vcse

sys.path.insert(0, str(Path(__file__).parents[1]))

from team_lease_faults import World
from team_lease_model import RULES, TICK, GreedySharing, TeamModel
from team_site import Site, Supply
from team_wire import Wire


def test_the_sites_budget_holds_through_losses_restarts_and_takeovers() -> None:
    used = []
    for seed in range(60):
        site = Site(seed)
        outcome = site.run()
        assert not outcome.violation, f'seed {seed}: {outcome.violation}'
        used.append(site.most / site.budget)
    assert sum(share > 0.6 for share in used) > 30, 'the model is idle'


def calm(seed: int) -> Site:
    """A site where nothing fails and the current moves from team to team every 7 s."""
    site = Site(seed)
    site.loss = site.late = site.duplicates = site.rashness = 0.0
    site.cuts, site.trouble = [], {}
    site._actions.clear()
    for team in site.teams:
        for episodes in site._links(team):
            episodes.clear()
    site.leader = Leader(site.config, site.config.members[0], 0.0, 0, GreedySharing(site.rng))
    return site


def test_the_model_finds_a_supply_that_does_not_say_what_its_team_may_draw(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Current that is asked back is free at once: seen the first time that it moves."""
    assert not any(calm(seed).run().violation for seed in range(4))
    rule = Vcse.wish
    monkeypatch.setattr(Vcse, 'wish', lambda self, now, total: replace(
        rule(self, now, total), drawable_amperage=0.0))
    assert any(calm(seed).run().violation for seed in range(4))


def test_a_budget_from_above_reaches_the_vehicles_and_its_loss_takes_it_back() -> None:
    upper = TeamConfig('site', ('north',), fall_time=18.0)
    site = Leader(upper, 'north', 0.0)
    member = Member(MemberConfig('site', 'north', times=upper.lease), 0.0)
    wire = Wire(3, start=0.0)
    budget = Heard(TeamBudget('site', (30.0,) * 3, 10.0), 0.0)

    def exchange(*, connected: bool) -> None:
        request = member.request(wire.now, wire.leaders['cp0'].total(wire.now))
        if connected:
            site.hear_request(wire.now, request)
            step = site.step(wire.now, replace(budget, at=wire.now))
            if step.persist is not None:
                site.persisted(wire.now, step.persist)
            if step.allocation is not None:
                member.hear(wire.now, step.allocation)
        wire.budget = member.in_force(wire.now).amperage
    wire.budget = 0.0
    wire.run(60.0, lambda: exchange(connected=True))
    assert wire.amperages() == pytest.approx([10.0, 10.0, 10.0])
    assert site.accounts['north'].claim(wire.now).reserved == pytest.approx(30.0)
    wire.run(12.0, lambda: exchange(connected=False))
    assert wire.amperages() == [0.0, 0.0, 0.0]
    # the supply keeps its share as long as the slowest vehicle of the team may take
    assert site.accounts['north'].claim(wire.now).reserved == pytest.approx(30.0)
    assert site.accounts['north'].claim(wire.now + 20.0).reserved == 0.0


def test_two_levels_share_evenly_by_vehicle() -> None:
    """A team of one and a team of two behind 36 A: the weight of a team is that of its vehicles."""
    site = Site(1)
    assert site.config.lease.fall_time == 18.0
    rng = random.Random(0)
    world = World(0, teams=2, members=1)
    big, small = TeamModel(world, 'big', 2, rng, RULES, False), world.teams[0]
    for team in (big, small):
        team.carries_failsafe = False
        team.config = replace(team.config, failsafe_amperage=0.0)
        for machine in team.machines:
            machine.phase_map, machine.failsafe = (1, 2, 3), 0.0
            machine.start_member(0.0)
            machine.start_leader(0.0)
            machine.wish = replace(machine.wish, phase_map=(1, 2, 3))
    config = TeamConfig('site', ('big', 'a'), ('big',), fall_time=18.0)
    leader = Leader(config, 'big', 0.0)
    supplies = [Supply(big, 0.0), Supply(small, 0.0)]
    for k in range(200):
        t = k * TICK
        for team in (big, small):
            team.links = {m: {o: [] for o in team.machines if o is not m} for m in team.machines}
        for receiver, kind, message in world.queue.pop(k, ()):
            receiver.inbox.append((kind, message))
        for supply in supplies:
            request = supply.step(t)
            if request is not None:
                leader.hear_request(t, request)
        step = leader.step(t, Heard(TeamBudget('site', (36.0,) * 3, 10.0), t))
        if step.persist is not None:
            leader.persisted(t, step.persist)
        for supply in supplies if step.allocation is not None else ():
            supply.member.hear(t, step.allocation)
        for team in (big, small):
            team.tick(t, k & 1)
    given = [m.in_force for team in (big, small) for m in team.machines]
    assert given == pytest.approx([12.0, 12.0, 12.0])
