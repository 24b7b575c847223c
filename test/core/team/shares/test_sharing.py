"""Sharing over time: rotation, hysteresis, who draws less gives away (docs/team.md)."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

from charger_control.core.team import MemberState, Sharing, SharingOptions


class Site:
    """Members whose vehicles draw what they are given, or less; one step a second."""

    def __init__(self, budget: float, *members: MemberState, options: SharingOptions | None = None,
                 step: float = 1.0) -> None:
        self.sharing = Sharing(options or SharingOptions())
        self.members = {m.member: m for m in members}
        self.budget = [budget] * 3
        self.most = {m.member: math.inf for m in members}   # what the vehicle can draw
        self.now, self.step = 0.0, step
        self.given = {m.member: 0.0 for m in members}
        self.reasons: dict[str, str] = {}
        self.started = {m.member: -math.inf for m in members}

    def run(self, seconds: float, watch: Callable[[], None] = lambda: None) -> dict[str, float]:
        end = self.now + seconds
        while self.now < end:
            shares = self.sharing.step(self.now, list(self.members.values()), self.budget, {})
            for name, (amperage, reason) in shares.items():
                if amperage > 0.0 and self.given[name] == 0.0:
                    self.started[name] = self.now
                self.given[name], self.reasons[name] = amperage, reason
                drawn = min(amperage, self.most[name])
                old = self.members[name]
                self.members[name] = replace(
                    old, allocated_amperage=amperage, amperage=(drawn, drawn, drawn),
                    energy=old.energy + drawn * 0.69 * self.step / 3600.0,
                    waiting_since=self.now if amperage > 0.0 else old.waiting_since)
            watch()
            self.now += self.step
        return {name: round(amperage, 3) for name, amperage in self.given.items()}


def car(name: str, requested: float = 16.0, **fields: object) -> MemberState:
    return MemberState(name, requested, phases=(1, 2, 3), **fields)  # type: ignore[arg-type]


class TestDrawsLess:
    """Rule (d)."""

    def test_one_that_draws_less_for_60_s_is_lowered_to_what_it_draws_and_3_a(self) -> None:
        site = Site(20.0, car('a'), car('b'))
        site.most['a'] = 4.0
        assert site.run(60.0) == {'a': 10.0, 'b': 10.0}
        assert site.run(2.0) == {'a': 7.0, 'b': 13.0}
        assert site.reasons['a'] == 'draws less: the rest above 7.0 A is given away'

    def test_not_below_its_minimum(self) -> None:
        site = Site(20.0, car('a'), car('b'))
        site.most['a'] = 0.0
        assert site.run(70.0) == {'a': 6.0, 'b': 14.0}

    def test_a_dip_shorter_than_60_s_changes_nothing(self) -> None:
        site = Site(20.0, car('a'), car('b'))
        for _ in range(5):
            site.most['a'] = 0.0
            assert site.run(50.0) == {'a': 10.0, 'b': 10.0}
            site.most['a'] = 16.0
            assert site.run(3.0) == {'a': 10.0, 'b': 10.0}

    def test_what_counts_is_the_most_it_drew_in_that_time(self) -> None:
        site = Site(24.0, car('a'), car('b'))
        for k in range(62):
            site.most['a'] = 5.0 if k % 2 else 2.0
            site.run(1.0)
        assert site.run(1.0) == {'a': 8.0, 'b': 16.0}

    def test_one_that_draws_up_to_its_allocation_gets_its_share_back(self) -> None:
        site = Site(20.0, car('a'), car('b'))
        site.most['a'] = 4.0
        site.run(70.0)
        site.most['a'] = 6.5
        assert site.run(3.0) == {'a': 10.0, 'b': 10.0}

    def test_a_little_more_than_before_is_not_enough_to_ask_it_back(self) -> None:
        site = Site(20.0, car('a'), car('b'))
        site.most['a'] = 4.0
        site.run(70.0)
        site.most['a'] = 5.5
        assert site.run(30.0) == {'a': 7.0, 'b': 13.0}

    def test_nobody_is_lowered_while_nobody_lacks_anything(self) -> None:
        site = Site(63.0, car('a'), car('b'))
        site.most['a'] = 4.0
        assert site.run(120.0) == {'a': 16.0, 'b': 16.0}
        assert site.sharing.needs(site.members['a']) == 7.0  # so much is asked of a larger team

    def test_what_is_not_measured_is_not_lowered(self) -> None:
        sharing = Sharing()
        members = [car('a', allocated_amperage=10.0), car('b', allocated_amperage=10.0)]
        for now in range(200):
            shares = sharing.step(float(now), members, [20.0] * 3, {})
        assert shares['a'].allocated_amperage == 10.0


class TestWhoIsLetIn:
    """Rules (b) and (g)."""

    def test_rotation_every_900_s_serves_all_in_turn(self) -> None:
        site = Site(13.0, *(car(n) for n in 'abcde'), step=5.0)
        changes: list[tuple[float, str]] = []

        def watch() -> None:
            inside = ''.join(n for n, a in site.given.items() if a > 0.0)
            assert len(inside) == 2
            if not changes or changes[-1][1] != inside:
                changes.append((site.now, inside))
        site.run(4600.0, watch)
        assert [at for at, _ in changes] == [0.0, 900.0, 1800.0, 2700.0, 3600.0, 4500.0]
        energy = [m.energy for m in site.members.values()]
        assert min(energy) > 0.6 * max(energy)

    def test_nobody_rotates_while_nobody_waits(self) -> None:
        site = Site(20.0, car('a'), car('b'), step=5.0)
        site.run(5000.0)
        assert site.started == {'a': 0.0, 'b': 0.0}

    def test_only_those_make_room_whose_phase_somebody_waits_for(self) -> None:
        one = car('on L1', 10.0)
        site = Site(13.0, replace(one, phases=(1,)), replace(one, member='also on L1', phases=(1,)),
                    replace(one, member='waits for L1', phases=(1,), energy=5.0),
                    replace(one, member='on L2', phases=(2,)), step=5.0)
        site.run(2000.0)
        assert site.started['on L2'] == 0.0
        assert site.started['waits for L1'] == 900.0

    def test_one_that_makes_nothing_of_little_is_offered_its_share_at_the_next_rotation(self
                                                                                        ) -> None:
        site = Site(20.0, car('a'), car('b'))
        site.most['a'] = 0.0                # asleep, or in need of 8 A and once left with less
        site.run(100.0)
        assert site.given['a'] == 6.0
        drawn = []

        def needs_8_a() -> None:
            site.most['a'] = 16.0 if site.given['a'] >= 8.0 else 0.0
            drawn.append(site.given['a'] if site.most['a'] else 0.0)
        site.run(900.0, needs_8_a)
        assert drawn[-1] == 10.0

    def test_one_that_never_draws_cannot_starve_the_others(self) -> None:
        site = Site(6.0, car('full 1'), car('full 2'), car('needs it', energy=30.0), step=5.0)
        site.most.update({'full 1': 0.0, 'full 2': 0.0})
        waited = [0.0]

        def watch() -> None:
            waited[0] = 0.0 if site.given['needs it'] > 0.0 else waited[0] + site.step
            assert waited[0] < 3600.0 + 3 * 900.0
        site.run(20_000.0, watch)
        assert site.members['needs it'].energy > 30.5

    def test_one_just_let_in_is_not_stopped_for_a_higher_priority_within_210_s(self) -> None:
        site = Site(6.0, car('a'))
        site.run(10.0)
        site.members['vip'] = car('vip', priority=1)
        site.given['vip'], site.most['vip'], site.started['vip'] = 0.0, math.inf, -math.inf
        assert site.run(199.0) == {'a': 6.0, 'vip': 0.0}
        assert site.run(3.0) == {'a': 0.0, 'vip': 6.0}

    def test_when_the_budget_falls_the_least_important_is_stopped_and_waits_210_s(self) -> None:
        site = Site(18.0, car('a', energy=9.0), car('b', energy=3.0), car('c', priority=1))
        site.run(300.0)
        site.budget = [13.0] * 3
        assert site.run(1.0) == {'a': 0.0, 'b': 6.5, 'c': 6.5}
        site.budget = [18.0] * 3
        assert site.run(209.0) == {'a': 0.0, 'b': 9.0, 'c': 9.0}
        assert 'starts again in' in site.reasons['a']
        assert site.run(2.0) == {'a': 6.0, 'b': 6.0, 'c': 6.0}

    def test_priority_decides_who_is_stopped_even_among_those_just_let_in(self) -> None:
        site = Site(12.0, car('old', priority=1))
        site.run(300.0)
        site.members['new'] = car('new')
        site.given['new'], site.most['new'], site.started['new'] = 0.0, math.inf, -math.inf
        site.run(10.0)
        site.budget = [6.0] * 3
        assert site.run(1.0) == {'old': 6.0, 'new': 0.0}

    def test_one_displaced_by_rotation_starts_as_soon_as_there_is_room(self) -> None:
        site = Site(6.0, car('a'), car('b'))
        site.run(905.0)
        assert site.given == {'a': 0.0, 'b': 6.0}
        site.members['b'] = replace(site.members['b'], requested_amperage=0.0)
        assert site.run(1.0) == {'a': 6.0, 'b': 0.0}

    def test_a_leader_that_takes_over_leaves_those_in_that_are_in(self) -> None:
        running = car('z', energy=50.0, allocated_amperage=6.0)
        shares = Sharing().step(0.0, [car('a'), running], [6.0] * 3, {})
        assert shares['z'].allocated_amperage == 6.0
        assert shares['a'].allocated_amperage == 0.0

    def test_those_that_are_in_stay_in_at_less_than_the_admission_amperage(self) -> None:
        site = Site(18.0, car('a'), car('b'), options=SharingOptions(admission_amperage=9.0))
        assert site.run(1.0) == {'a': 9.0, 'b': 9.0}
        site.budget = [14.0] * 3
        assert site.run(1.0) == {'a': 7.0, 'b': 7.0}
        fresh = Site(14.0, car('a'), car('b'), options=SharingOptions(admission_amperage=9.0))
        assert fresh.run(1.0) == {'a': 14.0, 'b': 0.0}

    def test_what_is_held_for_a_member_is_not_given_away_and_costs_it_nothing(self) -> None:
        members = [car('a'), car('b')]
        shares = Sharing().step(0.0, members, [12.0] * 3, {'b': 6.0})
        assert [s.allocated_amperage for s in shares.values()] == [6.0, 6.0]
        shares = Sharing().step(0.0, members, [11.0] * 3, {'b': 6.0})
        assert [s.allocated_amperage for s in shares.values()] == [0.0, 11.0]

    def test_reset_forgets(self) -> None:
        site = Site(12.0, car('a'), car('b'))
        site.run(1.0)
        site.budget = [6.0] * 3
        site.run(1.0)
        site.budget = [12.0] * 3
        site.sharing.reset()
        assert min(site.run(1.0).values()) == 6.0


def test_random_histories_keep_to_the_budget_and_toggle_nobody() -> None:
    """Budgets move, cars come and go; a stop is for the budget, a priority or the rotation."""
    for seed in range(20):
        rng = random.Random(seed)
        site = Site(rng.uniform(6.0, 60.0), *(
            replace(car(f'cp{i}', rng.choice((6.0, 16.0, 32.0)), priority=rng.choice((0, 0, 1))),
                    phases=rng.choice(((1, 2, 3), (1,), (2,), (3,), ())))
            for i in range(rng.randrange(1, 7))), step=rng.choice((1.0, 10.0)))
        running: dict[str, float] = {}
        fell = [-math.inf]

        def watch(site: Site = site, running: dict[str, float] = running,
                  fell: list[float] = fell, seed: int = seed) -> None:
            for p in range(3):
                used = sum(a for n, a in site.given.items()
                           if not site.members[n].phases or p + 1 in site.members[n].phases)
                assert used <= site.budget[p] + 1e-6, seed
            for name, amperage in site.given.items():
                member = site.members[name]
                assert amperage == 0.0 or 6.0 - 1e-9 <= amperage <= max(
                    6.0, member.requested_amperage) + 1e-9, seed
                if amperage > 0.0:
                    running.setdefault(name, site.now)
                elif name in running:
                    on_time = site.now - running.pop(name)
                    assert (member.requested_amperage == 0.0 or on_time >= 210.0
                            or site.now == fell[0]), f'seed {seed}: {name} toggled'
        for _ in range(25):
            before = list(site.budget)
            site.budget = [max(0.0, b + rng.choice((0.0, 0.0, rng.uniform(-9.0, 9.0))))
                           for b in before]
            if any(a < b for a, b in zip(site.budget, before, strict=True)):
                fell[0] = site.now
            name = rng.choice(list(site.members))
            site.most[name] = rng.choice((math.inf, 0.0, 7.0))
            if rng.random() < 0.3:
                member = site.members[name]
                site.members[name] = replace(member, requested_amperage=rng.choice((0.0, 16.0)))
                fell[0] = site.now
            site.run(rng.choice((10.0, 100.0)), watch)
