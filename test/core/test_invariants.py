"""Invariants 1 and 2 of architecture.md over random histories (the oracle: charge_world.py).

Invariant 5, the register, is in test_fiscal_meter.py.
"""

import itertools
import math
from dataclasses import replace

from charge_world import INPUTS, SOURCES, World, charging
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from charger_control.core.cppwm_controller import Allocation
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import FOREVER

NAN, INF = math.nan, math.inf
SPOKEN = (*SOURCES, 'available', 'meter', 'control_pilot')
"""Topics on which a second voice may speak."""
AMPERAGES = (NAN, -INF, INF, -1.0, -0.0, 0.0, 5.94, 5.95, 5.97, 6.0, 6.4999, 6.5, 10.0, 10.01, 13.0,
             16.0, 32.0, 80.0, 81.0, 1e308)

limits = st.builds(
    AmperageLimit, st.sampled_from(AMPERAGES), st.sampled_from([0, 0, 0, 1, 3, 2]),
    st.sampled_from([FOREVER, 900.0, 5.0, 1.0, 0.0, 60.0, NAN, INF, -1.0]),
    st.sampled_from([NAN, 0.0, 6.0, 16.0, INF, -1.0]))
good_limits = st.builds(AmperageLimit, st.sampled_from([6.0, 6.4, 6.5, 10.0, 12.0, 16.0, 32.0]))
phase = st.sampled_from([0.0, 0.5, 5.8, 9.5, 10.4, 15.2, 16.0, 16.6, 18.0, 40.0, NAN])
readings = st.builds(MeterReading, amperage=st.tuples(phase, phase, phase)) | st.sampled_from([
    MeterReading(), MeterReading(amperage=(16.0, 16.0, 16.0), error='no answer'),
    MeterReading(amperage=(INF, 0.0, 0.0)), MeterReading(amperage=(1e9, 0.0, 0.0)),
    MeterReading(amperage=(-5.0, 0.0, 0.0)), MeterReading(amperage=(16.0, 16.0, 16.0), age=NAN),
    MeterReading(amperage=(16.0, 16.0, 16.0), age=5.0),
    MeterReading(amperage=(0.0, 0.0, 0.0), age=30.0)])
availables = st.builds(AvailableAmperage, st.sampled_from(AMPERAGES), st.sampled_from(AMPERAGES),
                       st.booleans(), st.sampled_from([0, 0, 1, 3, 2]),
                       st.sampled_from([FOREVER, 1.0, 0.0, NAN, -1.0]))
LIES = ({'vehicle_status': 'A', 'charge_controller_status': 'A1'},
        {'vehicle_status': 'C', 'charge_controller_status': 'C2'}, {'signaled_amperage': 80.0},
        {'signaled_amperage': NAN}, {'cable_amperage': 80.0}, {'cable_amperage': NAN},
        {'fault': '', 'error': ''}, {'error': 'no answer'}, {'age': NAN}, {})
lies = st.sampled_from(LIES)
allocations = st.none() | st.builds(Allocation, st.sampled_from(AMPERAGES),
                                    st.sampled_from([0.0, 0.5, 2.0, NAN, -1.0, INF]))
boards = st.sampled_from([
    {'letter': letter, 'contactor_closed': closed}
    for letter, closed in itertools.product(('A', 'B', 'C', 'D', 'E', 'F', 'S', 'R', 'X'),
                                            (None, False, True))] + [
    {'letter': 'A', 'contactor_closed': False}, {'letter': 'B', 'contactor_closed': False},
    {'letter': 'C', 'contactor_closed': True}, {'letter': 'C', 'contactor_closed': True},
    {'signaled_amperage': NAN}, {'signaled_amperage': 32.0}, {'signaled_amperage': 0.0},
    {'signaled_amperage': -1.0}, {'unsafe': True}, {'unsafe': False},
    {'error_cause': 'BoardFault'}, {'error_cause': ''}, {'cable_amperage': NAN},
    {'cable_amperage': 13.0}, {'cable_amperage': 0.0}, {'cable_amperage': 63.0}])
events = st.one_of(
    st.tuples(st.just('limit'), st.sampled_from(SOURCES), limits),
    st.tuples(st.just('limit'), st.sampled_from(SOURCES), good_limits),
    st.tuples(st.just('second'), st.sampled_from(SOURCES), limits | good_limits),
    st.tuples(st.just('second'), st.just('available'), availables),
    st.tuples(st.just('second'), st.just('meter'), readings),
    st.tuples(st.just('second'), st.just('control_pilot'), lies),
    st.tuples(st.just('alone'), st.sampled_from(SPOKEN), st.none()),
    st.tuples(st.just('quiet'), st.sampled_from(INPUTS), st.none()),
    st.tuples(st.just('speak'), st.sampled_from(INPUTS), st.none()),
    st.tuples(st.just('hw for the pilot alone'), st.none(), limits | good_limits),
    st.tuples(st.just('meter'), st.none(), readings),
    st.tuples(st.just('draws'), st.none(), st.sampled_from([0.9, 0.95, 1.0, 1.08])),
    st.tuples(st.just('board'), st.none(), boards),
    st.tuples(st.just('obeys'), st.none(), st.booleans()),
    st.tuples(st.just('allocation'), st.none(), allocations),
    st.tuples(st.just('jump'), st.none(), st.sampled_from([0.5, 2.5, 6.0, 61.0, 3601.0])),
    st.tuples(st.just('restart'), st.sampled_from(['controller', 'pilot', 'both']), st.none()),
    st.tuples(st.just('reset fault'), st.none(), st.none()),
    st.tuples(st.just('wait'), st.none(), st.integers(1, 8)))
intervals = st.sampled_from([0.0, 0.05, 0.1, 0.1, 0.9, 1.0, 2.1, 5.0, 5.1, 10.1, 60.1])
histories = st.lists(st.tuples(events, intervals), min_size=1, max_size=30)
options = st.fixed_dictionaries({
    'socket': st.booleans(), 'step': st.sampled_from([0.01, 0.06, 1.0]),
    'delay': st.sampled_from([0.0, 0.3])})


def happen(world, event):
    """Changes the world; the tick that follows shows what the blocks make of it."""
    kind, name, value = event
    if kind == 'limit':
        world.limits[name] = value
    elif kind == 'second':
        world.second[name] = value
    elif kind == 'alone':
        world.second.pop(name, None)
    elif kind == 'quiet':
        world.quiet.add(name)
    elif kind == 'speak':
        world.quiet.discard(name)
    elif kind == 'hw for the pilot alone':
        world.quiet.discard('hw@pilot')
        world.pilot_hears_hw(value)
        world.quiet.add('hw@pilot')
    elif kind == 'meter':
        world.meter = value
    elif kind == 'draws':
        world.draws(value)
    elif kind == 'board':
        world.board = replace(world.board, **value)
    elif kind == 'obeys':
        world.obeys = value
    elif kind == 'allocation':
        world.allocation = value
    elif kind == 'jump':
        world.tick(value, asleep=True)
    elif kind == 'reset fault':
        world.latch = ''
        world.pilot.faults.reset()
    elif kind == 'wait':
        for _ in range(value):
            world.tick(1.0)
    if name in {'controller', 'both'}:
        world.restart_controller()
    if name in {'pilot', 'both'}:
        world.restart_pilot()


RANDOM = settings(deadline=None, suppress_health_check=list(HealthCheck))


def live(world, history):
    for event, interval in history:
        happen(world, event)
        world.tick(interval)


@settings(RANDOM, max_examples=1200)
@given(options, histories)
def test_while_charging_whatever_happens(option, history):
    live(charging(**option), history)


@settings(RANDOM, max_examples=300)
@given(options, histories)
@example({'socket': False, 'step': 1.0, 'delay': 0.0}, [
    (('obeys', None, False), 0.0), (('limit', 'hw', AmperageLimit(32.0)), 0.0),
    (('draws', None, 1.0), 0.0)])
def test_while_charging_with_a_trim_whatever_happens(option, history):
    live(charging(trimmed=True, **option), history)


@settings(RANDOM, max_examples=500)
@given(options, histories)
def test_from_a_start_whatever_happens(option, history):
    live(World(**option), history)


def test_the_world_charges_and_its_oracle_would_notice():
    world = charging()
    assert world.decision.commanded_amperage == 16.0
    assert world.allowed() == (16.0, 32.0)
    world.limits['api'] = AmperageLimit(10.0)
    world.tick(0.1)
    assert (world.offer, world.allowed()[0]) == (10.0, 10.0)
    world.limits['api'] = AmperageLimit(12.0)
    world.tick(5.0)
    assert world.offer == 12.0
    world.quiet.add('hw')
    world.tick(5.1)
    assert world.allowed()[0] == 0.0
    assert world.offer == 0.0
