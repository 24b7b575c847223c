"""The serial line of simulated time: the real drivers on it, and no thread but the test's."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from charger_control.bringup.stepped_line import SteppedBuses
from charger_control.drivers.registry import open_meter, open_pilot
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import Simulator, SimulatorOptions

STEP = 0.05
START = 1.8e9
"""s, unix time: floats are coarse there."""


class World:
    """Devices and drivers on a clock that the test moves."""

    def __init__(self) -> None:
        self.ticks = 0
        self.simulator = Simulator(SimulatorOptions(charge_point=ChargePointParameters(
            scenario=Scenario(vehicle='ideal', steps=()), baudrate=0, answer_delay=0.0)), self.now)
        self.buses = SteppedBuses(self.simulator, self.now)
        self.board: Any = open_pilot({'driver': 'evse_din', 'port': 'line', 'fine_steps': True},
                                     self.buses)
        self.meter = open_meter({'driver': 'sdm630', 'port': 'line', 'unit': 2}, self.buses)
        self.offered: float | None = None
        self.board.start()
        self.meter.start()

    def now(self) -> float:
        return START + self.ticks * STEP

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.ticks += 1
            self.simulator.poll()
            self.buses.step()
            self.board.offer(self.offered)

    def violations(self) -> list[Any]:
        return self.simulator.log.events('violation')


@pytest.fixture
def world() -> World:
    return World()


def test_a_vehicle_is_charged_and_read_without_a_thread(world: World) -> None:
    before = threading.active_count()
    world.simulator.do('plug_in')
    world.offered = 13.25
    world.run(10.0)
    reading, measured = world.board.latest(), world.meter.latest()
    assert (reading.error, measured.error) == ('', '')
    assert reading.value.letter == 'C' and reading.value.signaled_amperage == 13.25
    assert measured.value.amperage == pytest.approx([13.25] * 3, abs=0.1)
    assert world.now() - reading.at <= 0.2 + STEP and world.now() - measured.at <= 0.2 + STEP
    assert threading.active_count() == before


def test_polls_come_at_the_drivers_own_rate(world: World) -> None:
    world.run(5.0)
    answers = [world.board.latest().counters['answers'], world.meter.latest().counters['answers']]
    world.run(10.0)
    for before, sample in zip(answers, (world.board.latest(), world.meter.latest()), strict=True):
        assert 45 <= sample.counters['answers'] - before <= 75     # 5 Hz, and what is read seldom
    assert world.violations() == []


def test_a_lower_offer_is_on_the_board_in_the_same_tick(world: World) -> None:
    world.simulator.do('plug_in')
    world.offered = 16.0
    world.run(10.0)
    world.offered = None
    world.run(STEP)
    world.run(0.1)      # the silence that the board needs between two requests
    assert world.simulator.truth()['board']['offered'] == 0.0


def test_without_orders_the_driver_s_dead_man_withdraws(world: World) -> None:
    world.simulator.do('plug_in')
    world.offered = 16.0
    world.run(10.0)
    since = world.now()
    for _ in range(40):
        world.ticks += 1
        world.simulator.poll()
        world.buses.step()
    stood = [e['t'] - since for e in world.simulator.log.events('offer', amperage=0.0)
             if e['t'] > since]
    assert stood and 1.0 <= stood[0] <= 1.3


def test_a_pulled_cable_is_said_and_comes_back(world: World) -> None:
    world.run(5.0)
    world.simulator.do('cable_out')
    world.run(2.0)
    assert 'cable' in world.board.latest().error and 'cable' in world.meter.latest().error
    world.simulator.do('cable_in')
    world.run(15.0)
    assert (world.board.latest().error, world.meter.latest().error) == ('', '')


@pytest.mark.parametrize(('fault', 'counter'), [('silence', 'timeouts'), ('bad_crc', 'crc_errors')])
def test_faults_of_the_line_are_what_they_are_on_a_real_one(world: World, fault: str, counter: str
                                                            ) -> None:
    world.run(5.0)
    world.simulator.do(fault, device='meter')
    world.run(3.0)
    sample = world.meter.latest()
    assert sample.error and sample.counters[counter] > 0
    assert world.board.latest().error == ''
