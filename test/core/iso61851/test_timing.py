"""Every row of data/iso61851_timing.yaml, played against the blocks. The file says how."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from current_world import CurrentWorld, looser
from raw_world import Load, RawWorld

from charger_control.core.iso61851.faults import FaultConfig
from charger_control.core.iso61851.raw.sequence import PhaseConfig
from charger_control.core.iso61851.wake import WakeUpConfig

ROWS = yaml.safe_load((Path(__file__).parents[1] / 'data' / 'iso61851_timing.yaml').read_text())
CASES = [pytest.param(row, case, id=f'{row["row"]}-{number}')
         for row in ROWS for number, case in enumerate(row['cases'], 1)]
OURS = [pytest.param(row, case, id=f'{row["row"]}-{number}') for row in ROWS
        if row['current_pilot'] == 'ours' for number, case in enumerate(row['cases'], 1)
        if case.get('for') != 'raw_pilot']
"""What is ours with a board too."""
OWNERS = {'ours', "the board's", "nobody's"}
OBSERVED = {'contactor': 'contactor', 'pilot': 'pilot', 'signaled': 'signaled', 'fault': 'fault',
            'state': 'status', 'phases': 'phases', 'event': 'event'}
AFTER_STOP = 10.0


def world_of(changes):
    changes = dict(changes)
    config = {
        'faults': FaultConfig(ventilation=changes.pop('ventilation', False)),
        'wake_up': WakeUpConfig(attempts=changes.pop('wake_up_attempts', 2)),
        'phases': PhaseConfig(possible=changes.get('switchable', False)),
    }
    phases = changes.pop('start_phases', 0)
    world = RawWorld(**config, **changes)
    world.phases_wished = phases
    return world


def begin(world, start):
    world.run(1.0)
    if start == 'empty':
        return
    world.plug('B')
    if start == 'waiting':
        world.run(5.0)
        return
    world.offer = 16.0
    world.until(lambda: world.seen['pilot'] == 'X2', 10.0)
    world.run(1.0)
    if start == 'offered':
        return
    world.vehicle.letter, world.vehicle.wanted = 'C', 15.0
    world.until(lambda: world.plant.contactor.closed, 4.0)
    world.run(8.0)
    if start == 'charging':
        return
    assert start == 'stopped'
    world.offer = 0.0
    world.run(1.0)
    world.vehicle.letter = 'B'
    world.run(AFTER_STOP)


def happen(world, step):
    (name, value), = step.items()
    if name == 'after':
        world.run(value)
    elif name == 'vehicle':
        world.plant.pilot_shorted = value == 'E'
        if value == 'A':
            world.unplug()
        elif world.vehicle is None:
            world.plug(value)
        elif value != 'E':
            world.vehicle.letter = value
    elif name == 'level':
        world.levels = value and tuple(float(volts) for volts in value)
    elif name == 'offer':
        world.offer = float(value)
    elif name == 'draws':
        world.vehicle.wanted = float(value)
    elif name == 'diode':
        world.vehicle.parameters.diode_shorted = value == 'shorted'
    elif name == 'phases':
        world.phases_wished = value
    elif name == 'silent':
        world.quiet.add('block' if value == 'orders' else value)
    else:
        assert step == {'feedback': 'stuck'}
        stuck = world.plant.contactor.feedback
        world.plant.contactor.step = partial_step(world.plant.contactor, stuck)


def partial_step(contactor, stuck):
    """The contactor's step with an auxiliary contact that stays where it is."""
    move = type(contactor).step

    def step(now):
        move(contactor, now)
        contactor.feedback = stuck

    return step


def found_at(world, name, value, since):
    if name == 'event':
        return next((event.at for event in world.events
                     if event.kind.name == value and event.at >= since), math.inf)
    return world.first(OBSERVED[name], value, since)


def judge(world, expectations, start):
    """All lines that are not kept, in words."""
    wrong, last = [], start
    for line in expectations:
        name = next(key for key in line if key in OBSERVED)
        value = line[name]
        if 'stays' in line:
            since = max(start, last) + line.get('settle', 0.0)
            if not world.was_only(OBSERVED[name], value, since, since + line['stays']):
                wrong.append(f'{line}: {history(world, OBSERVED[name], start)}')
            continue
        origin, (low, high) = (last, line['after']) if 'after' in line else (start, line['between'])
        at = found_at(world, name, value, origin + min(low, 0.0))
        if not low - 1e-6 <= at - origin <= high + 1e-6:
            wrong.append(f'{line}: after {at - origin:.3f} s; {history(world, name, start)}')
            continue
        last = at
    return wrong


def history(world, name, start):
    return [(round(at - start, 3), value) for at, changed, value in world.changes
            if changed == OBSERVED.get(name, name) and at >= start]


def duration(expectations):
    """s to play after the last thing that happened."""
    return sum(max(line.get('after', (0.0, 0.0))[1], 0.0) for line in expectations) + max(
        max(line.get('between', (0.0, 0.0))[1], line.get('stays', 0.0)) for line in expectations
    ) + 1.0


@pytest.mark.parametrize(('row', 'case'), CASES)
def test_row(row, case):
    world = world_of(case.get('set', {}))
    begin(world, case['start'])
    for step in case['then']:
        happen(world, step)
    start = world.now
    world.turn = 0.005
    world.run(duration(case['expect']))
    wrong = judge(world, case['expect'], start)
    assert not wrong, f'{row["row"]}:\n' + '\n'.join(wrong)


@pytest.mark.parametrize(('row', 'case'), OURS)
def test_row_with_a_board(row, case):
    world = CurrentWorld()
    begin(world, case['start'])
    for step in case['then']:
        happen(world, step)
    start = world.now
    expect = [looser(line) for line in case['expect']]
    world.run(duration(expect) + 1.0)
    wrong = judge(world, expect, start)
    assert not wrong, f'{row["row"]}:\n' + '\n'.join(wrong)


@pytest.mark.parametrize('row', ROWS, ids=[row['row'] for row in ROWS])
def test_a_row_is_complete(row):
    """What nobody keeps has a reason; what is ours has a case."""
    assert {'row', 'limit', 'source', 'raw_pilot', 'current_pilot', 'cases'} <= row.keys()
    assert {row['raw_pilot'], row['current_pilot']} <= OWNERS
    assert row['cases'] or row['raw_pilot'] != 'ours'
    if row['raw_pilot'] == "nobody's":
        assert row['note']


def test_the_judge_notices():
    """What every row leans on: a contactor that opens 1 ms late is not taken for one in time."""
    world = RawWorld().charging()
    start, world.vehicle.letter = world.now, 'B'
    world.run(1.0)
    took = world.first('contactor', 'open', start) - start
    assert 0.0 < took < 0.1
    assert not judge(world, [{'contactor': 'open', 'between': [0.0, took]}], start)
    assert judge(world, [{'contactor': 'open', 'between': [0.0, took - 0.001]}], start)
    assert judge(world, [{'contactor': 'closed', 'stays': 1.0}], start)
    assert judge(world, [{'fault': 'EvNotStopping', 'between': [0.0, 1.0]}], start)
    assert isinstance(world.vehicle, Load)
