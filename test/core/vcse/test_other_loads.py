"""Other loads beside a team: the oven, cycling loads, ramps, and a vehicle's own rise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.vcse.config import VcseConfig
from charger_control.core.vcse.grid_watch import GridWatch
from charger_control.core.vcse.other_loads import MEMORY, Drawn, Excess, OtherLoads
from charger_control.sim.offline.depot_loads import Load, LoadCase, LoadWorld, cycling, ramp, steps

LONGEST = 7.0
"""s: the vehicle's fall time and one period of the grid meter."""


def oven(seed: int) -> Load:
    return cycling(6.0, 10.0, 15.0, lambda draw: draw.uniform(27.0, 33.0), seed)


@pytest.mark.parametrize('seed', [1, 2, 3])
@pytest.mark.parametrize('period', [1.0, 3.0])
def test_an_oven_beside_one_car_stops_it_never(seed: int, period: float) -> None:
    """13 stops an hour, a quarter of the room: the car's own rise was counted as another load."""
    case = LoadCase('oven', 25.0, oven(seed), 8.0, 600.0, period=period)
    found = LoadWorld(case, seed).run()
    assert (found.stops, found.least >= 7.5, found.used >= 0.95) == (0, True, True), found
    # with a slow meter the team's own cycle shows: a member is lowered in answer to its request
    assert found.longest <= 6.0 + period + (1.0 if period > 1.0 else 0.0), found


CYCLES = [(20.0, 3.0, 7.0, 40.0), (12.0, 3.0, 3.0, 32.0), (12.0, 10.0, 10.0, 32.0),
          (12.0, 30.0, 30.0, 32.0)]


@pytest.mark.parametrize(('load', 'on', 'off', 'fuse'), CYCLES)
def test_a_load_that_cycles_exceeds_the_fuse_once(load: float, on: float, off: float, fuse: float
                                                  ) -> None:
    """15 times in 600 s."""
    case = LoadCase('cycles', fuse, cycling(4.0, load, on, lambda _: off), 15.0, 600.0)
    found = LoadWorld(case, 1).run()
    assert (found.times, found.stops, found.longest <= LONGEST) == (1, 0, True), found


@pytest.mark.parametrize(('load', 'over'), [(30.0, 60.0), (20.0, 20.0), (15.0, 30.0)])
def test_a_ramp_is_followed(load: float, over: float) -> None:
    """50 s without a break above the fuse."""
    found = LoadWorld(LoadCase('ramp', 40.0, ramp(2.0, load, over), math.nan, 240.0), 1).run()
    assert found.longest <= 1.0, found


def test_a_step_is_above_the_fuse_for_the_fall_time_and_a_period() -> None:
    case = LoadCase('steps', 40.0, steps(4.0, 15.0, (120.0, 250.0, 360.0)), math.nan, 420.0)
    found = LoadWorld(case, 1).run()
    assert (found.times, found.stops, found.longest <= LONGEST) == (2, 0, True), found


@pytest.mark.parametrize('fuse', [63.0, 50.0])
def test_a_vehicle_that_goes_from_one_to_three_phases_is_no_other_load(fuse: float) -> None:
    """Every car stood at 0 A afterwards."""
    case = LoadCase('phases', fuse, lambda now: 6.0, math.nan, 300.0, chargers=3, first=1,
                    later=(150.0, 3))
    world = LoadWorld(case, 1)
    found = world.run()
    assert (found.stops, found.least >= 6.0) == (0, True), found
    room = (fuse - 6.0 - 1.0) / 3.0
    assert [c.offered for c in world.chargers] == pytest.approx([min(32.0, room)] * 3, abs=0.5)


@pytest.mark.parametrize('rate', [0.5, 0.9, 2.9, 8.0, -2.9, -8.0, -100.0])
@pytest.mark.parametrize('begins', [tenth / 10.0 for tenth in range(10)])
def test_beside_a_fast_meter_a_vehicle_that_ramps_is_no_other_load(rate: float, begins: float
                                                                   ) -> None:
    """Five readings between two reports: 2.4 A were counted as 13, and another car stopped."""
    watch = GridWatch(VcseConfig(team='team', fuse=(20.0,) * 3, grid_meter=True))

    def car(now: float) -> float:
        way = max(0.0, now - 20.0 - begins) * abs(rate)
        return min(8.0, way) if rate > 0.0 else max(0.0, 8.0 - way)

    for step in range(250):
        now = step * 0.2
        if step % 5 == 0:
            watch.hear_team(now, (7.9 + car(now),) * 3)
        watch.hear_grid(now + 0.13, now + 0.03, (2.4 + 7.9 + car(now + 0.03),) * 3, (17.6,) * 3)
        assert watch.others(now + 0.13)[0] <= 2.5


# -- the parts -------------------------------------------------------------------------------------

def test_what_the_team_drew_is_known_between_two_reports_and_not_beyond() -> None:
    drawn = Drawn()
    drawn.hear(10.0, (6.0, math.nan, -1.0))
    assert drawn.at(10.5, 0) is None
    drawn.hear(11.0, (16.0, 1.0, 0.0))
    assert drawn.at(10.25, 0) == (8.5, 6.0, 16.0)
    assert drawn.at(10.25, 1) == (0.25, 0.0, 1.0)
    drawn.hear(20.0, (16.0, 1.0, 0.0))
    assert drawn.at(15.0, 0) is None, 'too far apart'
    assert drawn.last(29.0, 10.0) == (16.0, 1.0, 0.0)
    assert drawn.last(31.0, 10.0) is None


def test_the_excess_lowers_once_then_by_its_growth_then_after_the_fall_time() -> None:
    excess = Excess(7.0)
    excess.hear(0.0, -0.2, 9.0, 18.0)
    assert excess.limit(0.0) == 9.0
    excess.hear(1.0, 0.8, 9.0, 18.0)        # still coming down
    assert excess.limit(1.0) == 9.0
    excess.hear(2.0, 1.8, 10.5, 18.0)
    assert excess.limit(2.0) == 7.5
    assert excess.limit(9.2) == 7.5
    assert excess.limit(9.3) == math.inf
    excess.hear(10.0, 9.8, 1.0, 8.0)
    assert excess.limit(10.0) == 7.0


def test_the_memory_of_a_load_doubles_each_time_it_comes_back_after_it_was_forgotten() -> None:
    loads, now, held = OtherLoads(10.0, 30.0, 7.0), 0.0, []
    for now in range(12):
        loads.hear(float(now), 5.0, leads_above=False)
    for _ in range(8):
        for _ in range(3):
            now += 1.0
            loads.hear(now, 20.0, leads_above=loads.counted(now) < 20.0)
        begin = now
        while loads.counted(now) == 20.0:
            now += 1.0
            loads.hear(now, 5.0, leads_above=False)
        held.append(now - begin)
        now += 1.0
    assert held == pytest.approx([31.0, 61.0, 121.0, 241.0, 481.0, 901.0, 901.0, 901.0], abs=1.5)
    assert held[-1] <= MEMORY + 1.5
    now += 3.0 * MEMORY
    loads.hear(now, 20.0, leads_above=True)
    loads.hear(now + 1.0, 20.0, leads_above=True)
    loads.hear(now + 33.0, 5.0, leads_above=False)
    assert loads.counted(now + 33.0) < 20.0, 'long away: a new one'


def test_one_reading_alone_is_no_load() -> None:
    loads = OtherLoads(10.0, 30.0, 7.0)
    for now, others in enumerate((5.0, 40.0, 5.0, 5.0)):
        loads.hear(float(now), others, leads_above=others > 30.0)
    assert loads.counted(3.0) == 5.0


@given(st.lists(st.tuples(st.floats(0.1, 40.0), st.floats(0.0, 60.0), st.booleans(),
                          st.none() | st.floats(0.0, 60.0)), max_size=80))
def test_what_counts_is_never_less_than_what_lasted(samples) -> None:
    """Not less than the least of the last 10 s, whatever came before."""
    loads, now, recent = OtherLoads(10.0, 30.0, 7.0), 0.0, []
    for time, others, leads, least in samples:
        now += time
        loads.hear(now, others, leads, None if least is None else min(others, least))
        recent = [(t, a) for t, a in recent if now - t <= 10.0]
        if least is None:
            recent.append((now, others))
            assert loads.counted(now) >= min(a for _, a in recent) - 1e-9
