"""Where a vehicle can draw: phases that are given to others, and come back (docs/team.md)."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from charger_control.core.messages.team import MemberAllocation, TeamAllocation, TeamRequest
from charger_control.core.team import (
    Member,
    MemberConfig,
    MemberState,
    SharingOptions,
    TeamConfig,
    allocate,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

from team_depot import TRIPS_AT, Depot, Vehicle

TURNED = [(1, 2, 3), (2, 3, 1), (3, 1, 2)]


def one_phase(fuse: float, count: int = 2, options: SharingOptions | None = None) -> Depot:
    """Vehicles that charge on L1 of their charge points, each another phase of the supply."""
    names = tuple(f'cp{i}' for i in range(count))
    config = TeamConfig('depot', names, names[:1], options=options or SharingOptions())
    depot = Depot(fuse, TURNED[:count], config)
    for charger in depot.chargers:
        charger.vehicle = Vehicle((0,))
    return depot


@pytest.mark.parametrize('fuse', [20.0, 32.0, 63.0])
def test_a_vehicle_that_goes_from_one_phase_to_three_keeps_within_seconds_and_the_factor(
        fuse: float) -> None:
    """(a): it was 64 A on 32 A."""
    depot = one_phase(fuse)
    depot.run(300.0)
    assert min(depot.drawn) > 0.55 * min(fuse, 56.0), 'the phases are not used'
    depot.forget()
    depot.preload()
    depot.chargers[0].vehicle.phases = (0, 1, 2)
    depot.run(60.0)
    assert depot.most <= 1.13 * fuse + 1e-6
    assert depot.longest <= 10.0
    assert depot.hottest < TRIPS_AT
    assert min(depot.drawn) >= 6.0 if fuse > 20.0 else sum(depot.drawn) > 0.0


def test_it_comes_down_by_itself_without_its_team() -> None:
    depot = one_phase(32.0)
    depot.run(300.0)
    depot.forget()
    depot.chargers[0].cut = depot.chargers[0].deaf = True
    depot.chargers[0].vehicle.phases = (0, 1, 2)
    depot.run(60.0)
    assert depot.most <= 1.13 * 32.0 + 1e-6
    assert depot.longest <= 10.0
    assert depot.drawn[0] == 0.0


def test_what_is_left_beside_the_others_is_kept_at_once() -> None:
    """One of three phases comes back where the others leave it 20 A: no stop."""
    depot = one_phase(32.0)
    depot.chargers[1].vehicle = Vehicle((0,), most=10.0)
    depot.run(300.0)
    least = [32.0]

    def watch() -> None:
        least[0] = min(least[0], depot.chargers[0].signaled)
    depot.chargers[0].vehicle.phases = (0, 1)
    depot.run(60.0, watch)
    assert least[0] >= 6.0
    assert depot.longest <= 10.0


def test_a_silent_member_has_its_failsafe_on_every_phase_it_is_wired_to() -> None:
    """(b): it was 24 A on 18 A, as long as the silence lasted."""
    names = ('cp0', 'cp1', 'cp2')
    depot = Depot(18.0, [(1, 2, 3), (2,), (2,)], TeamConfig(
        'depot', names, names[:1], failsafe_amperage=6.0), 6.0)
    for charger in depot.chargers:
        charger.vehicle = Vehicle((0,))
    depot.run(200.0)
    depot.chargers[0].cut = depot.chargers[0].deaf = True
    depot.chargers[0].vehicle.plugged = False       # swapped, and nobody hears of it
    depot.run(3.0)
    depot.chargers[0].vehicle = Vehicle((0, 1, 2))
    depot.forget()
    depot.run(120.0)
    assert depot.drawn == [6.0, 6.0, 6.0]
    assert depot.most <= 18.0 + 1e-6


@pytest.mark.parametrize(('fuse', 'factor'), [(10.0, 1.45), (10.7, 1.13), (13.0, 1.13),
                                              (16.0, 1.13)])
def test_three_waiting_vehicles_of_one_phase_all_charge(fuse: float, factor: float) -> None:
    """(c): it was one of three, for as long as it drew. 12 A / factor is the least fuse."""
    depot = one_phase(fuse, 3, SharingOptions(short_time_factor=factor))
    depot.run(500.0)
    assert min(depot.drawn) >= 6.0
    assert depot.most <= fuse + 1e-6


def test_below_12_a_by_the_factor_only_one_can_charge() -> None:
    depot = one_phase(10.0, 3)
    depot.run(500.0)
    assert sorted(depot.drawn) == [0.0, 0.0, 10.0]


def test_a_trial_of_a_vehicle_of_three_phases_stops_nobody_and_is_over_at_once() -> None:
    depot = one_phase(13.0, 2)
    depot.chargers[0].vehicle.plugged = False
    depot.chargers[1].vehicle = Vehicle((0, 1, 2))
    depot.chargers[0].vehicle = Vehicle((0,))
    depot.chargers[1].vehicle.plugged = False
    depot.run(150.0)
    depot.chargers[1].vehicle.plugged = True
    assert depot.drawn[0] == 13.0
    depot.forget()

    def watch() -> None:
        assert depot.drawn[0] >= 6.0
    depot.run(400.0, watch)
    assert depot.most <= 1.13 * 13.0 + 1e-6
    assert depot.longest <= 10.0
    assert depot.chargers[0].vehicle.plugged


def test_two_may_come_back_at_once_where_that_is_configured() -> None:
    depot = one_phase(32.0, 3, SharingOptions(phases_back_at_once=2))
    depot.run(500.0)
    assert min(depot.drawn) >= 6.0
    depot.forget()
    for charger in depot.chargers[1:]:
        charger.vehicle.phases = (0, 1, 2)
    depot.run(60.0)
    assert depot.most <= 1.13 * 32.0 + 1e-6
    assert depot.longest <= 10.0


def test_a_slow_meter_gives_no_phase_away() -> None:
    depot = one_phase(32.0)
    for charger in depot.chargers:
        charger.controller._reach._config = replace(
            charger.controller._reach._config, meter_delay=2.1)
    depot.run(200.0)
    assert depot.drawn == pytest.approx([16.0, 16.0])


class TestShares:
    """The allocator alone."""

    @staticmethod
    def car(name: str, *phases: int, amperage: float = 32.0) -> MemberState:
        return MemberState(name, amperage, phases=phases, last_heard=0.0, returning=tuple(
            p for p in (1, 2, 3) if p not in phases))

    def test_what_may_come_back_fits_into_the_factor(self) -> None:
        shares = allocate(0.0, [self.car('a', 1), self.car('b', 2), self.car('c', 3)],
                          (20.0, 20.0, 20.0))
        assert [s.allocated_amperage for s in shares.values()] == pytest.approx([11.3] * 3)
        assert 'must carry what may come back there' in shares['a'].reason

    def test_those_who_want_less_leave_the_rest_to_the_others(self) -> None:
        shares = allocate(0.0, [self.car('a', 1, amperage=8.0), self.car('b', 2)],
                          (20.0, 20.0, 20.0))
        assert [s.allocated_amperage for s in shares.values()] == pytest.approx([8.0, 14.6])

    def test_two_on_one_phase_share_it_all(self) -> None:
        shares = allocate(0.0, [self.car('a', 1), self.car('b', 1)], (20.0, 20.0, 20.0))
        assert [s.allocated_amperage for s in shares.values()] == pytest.approx([10.0, 10.0])

    def test_one_for_which_there_is_no_room_when_others_come_back_waits(self) -> None:
        shares = allocate(0.0, [self.car('a', 1), self.car('b', 2)], (10.0, 10.0, 10.0))
        assert sorted(s.allocated_amperage for s in shares.values()) == [0.0, 10.0]


@pytest.mark.parametrize(('late', 'kept'), [(0.5, 8.0), (2.9, 8.0), (3.1, 0.0), (9.0, 0.0)])
def test_what_may_be_kept_is_as_old_as_the_request_that_was_answered(late: float, kept: float
                                                                     ) -> None:
    """A list that was under way for long is no fresh word: others may have the room since."""
    member = Member(MemberConfig('depot', 'a'), 0.0)
    request = member.request(100.0, TeamRequest(phase_map=(1, 2, 3), phases_in_use=1))
    member.hear(100.0 + late, TeamAllocation('depot', 'a', 1, 1, 10.0, (MemberAllocation(
        'a', request.sequence, 16.0, phases=1, return_amperage=8.0),)))
    assert member.in_force(100.0 + late).return_amperage == kept
    assert member.in_force(100.0 + late).amperage == 16.0
    assert member.request(103.5, replace(request, phases_in_use=7)).allocated_amperage == 0.0
