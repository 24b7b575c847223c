"""The regulator against a fleet: the figures of bench/control.py, few of them, at every test."""

import random

import pytest

from charger_control.sim.meters.register_device import MeterParameters
from charger_control.sim.offline.loop import TICK, Loop, LoopParameters
from charger_control.sim.offline.quality import Task, can_follow, judge, quantum_of, settling_times
from charger_control.sim.plant.ev_parameters import PRESETS
from charger_control.sim.plant.population import population

WINDOW = 20.0


def course(vehicle, commands, board_step=0.01, period=1.0, seed=0):
    """(task, quality) of each set-point after the first."""
    loop = Loop(LoopParameters(board_step=board_step, meter=MeterParameters(refresh=period),
                               seed=seed))
    times = settling_times(vehicle, commands, board_step)
    loop.limit = commands[0]
    ev = loop.station.plug_in(vehicle)
    loop.run(40.0 + vehicle.s2_delay + vehicle.start_delay + 2.0 * times[0])
    result = []
    for before, commanded, settling in zip(commands, commands[1:], times[1:], strict=False):
        loop.limit = commanded
        drawn, signaled = [], []
        task = Task(commanded, commanded < before, settling,
                    can_follow(vehicle, ev.soc, commanded, board_step,
                               min(32.0, commanded + 2.0)), quantum_of(vehicle, board_step))
        for _ in range(round((task.budget(period) + WINDOW) / TICK)):
            loop.step()
            drawn.append(max(loop.station.amperage))
            signaled.append(loop.station.signaled)
            assert loop.station.signaled <= 32.0
        result.append((task, judge(task, drawn, signaled, TICK, WINDOW)))
    return result


def test_random_vehicles_draw_what_was_commanded():
    chance = random.Random(3)
    judged = []
    for vehicle in population(12, 11):
        commands = [round(chance.uniform(6.0, 32.0), 1) for _ in range(5)]
        judged += course(vehicle, commands, chance.choice((0.01, 0.06, 1.0)),
                         chance.choice((0.2, 1.0)))
    followed = [(task, quality) for task, quality in judged if task.can_follow]
    assert len(followed) > 25
    late = [(t, q) for t, q in followed if q.settled_after > t.budget(1.0)]
    off = [(t, q) for t, q in followed if q.steady_error > 0.2]
    assert len(late) <= 0.05 * len(followed), late
    assert len(off) <= 0.05 * len(followed), off
    assert all(q.longest_above <= t.settling + 6.0 for t, q in judged)


@pytest.mark.parametrize('period', [0.1, 1.0, 5.0])
@pytest.mark.parametrize('board_step', [0.01, 0.06, 1.0])
@pytest.mark.parametrize('preset', ['quantised', 'overdraw'])
def test_it_never_hunts_and_knows_the_vehicle_in_the_end(preset, board_step, period):
    vehicle = PRESETS[preset].changed({'reaction_delay': 6.0})
    steps = course(vehicle, [16.0, 11.3, 19.5, 9.4, 19.5], board_step, period)
    for task, quality in steps:
        assert quality.changes <= 1, task
    assert steps[-1][1].steady_error <= 0.2


def test_what_was_learned_is_signaled_at_once():
    """The third set-point needs no correction any more: it settles as fast as the vehicle can."""
    for preset in ('standard', 'minus_one', 'overdraw'):
        _, _, (task, quality) = course(PRESETS[preset], [10.0, 16.0, 9.0, 20.0])
        assert quality.settled_after < task.settling + 1.0, preset


@pytest.mark.parametrize('board_step', [0.01, 0.06, 1.0])
def test_a_vehicle_that_stops_below_8_a_is_left_there_after_the_second_time(board_step):
    loop = Loop(LoopParameters(board_step=board_step))
    loop.limit = 16.0
    loop.station.plug_in(PRESETS['overdraw'])
    loop.run(90.0)
    stops, was = 0, True
    for limit in (8.0, 12.0, 8.2, 8.0):
        loop.limit = limit
        for _ in range(round(180.0 / TICK)):
            loop.step()
            draws = max(loop.station.amperage) > 1.0
            stops, was = stops + (was and not draws), draws
    assert stops <= 2
    assert max(loop.station.amperage) == pytest.approx(8.64, abs=0.1)
