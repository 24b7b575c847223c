"""The iso61851 node serves both kinds of pilot hardware with the same topics."""

from __future__ import annotations

from functools import partial

import pytest

from charger_control.core.heard import Heard
from charger_control.core.iso61851 import PilotReading
from charger_control.core.iso61851.raw.guard import GuardConfig, PilotGuard
from charger_control.core.iso61851.raw.types import Levels, RawOrder
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.drivers.interfaces import CurrentPilot, RawPilot, Sample
from charger_control.nodes.iso61851 import PARAMS, Iso61851
from charger_control.ros.diagnostics import Level
from charger_control.ros.interfaces import AVAILABLE, CONTROL_PILOT, LIMIT_HW, METER, RESET_FAULT
from charger_control.ros.parameters import ParameterError, check
from charger_control.sim.plant.pilot_line import levels

SERIAL = {'device.driver': 'evse_din', 'device.port': '/dev/none'}
"""The injected driver counts, but what is named must be a configuration."""


class Hardware:
    """What both kinds have: a vehicle's letter, and the clock of the node."""

    timeout, step = 1.0, 0.01

    def __init__(self):
        self.letter, self.closed, self.started, self.node = 'A', False, False, None

    def start(self):
        self.started = True

    def close(self):
        self.closed = True


class Board(Hardware):
    """A CurrentPilot that does at once what it is told."""

    offered, opened = 0.0, 0

    def offer(self, amperage):
        self.offered = amperage or 0.0

    def open_contactor(self):
        self.opened += 1

    def latest(self):
        reading = PilotReading(self.letter, self.offered if self.letter != 'A' else 0.0,
                               contactor_closed=self.letter == 'C' and self.offered > 0.0)
        return Sample(reading, self.node.now() if self.node else 0.0)


class Bare(Hardware):
    """A RawPilot whose thread turns when it is looked at."""

    switches_phases = False

    def __init__(self):
        super().__init__()
        self.guard, self.ordered, self.out = PilotGuard(GuardConfig()), RawOrder(), None
        self.at = None

    @property
    def offered(self):
        duty = self.out.duty if self.out else 1.0
        return 60.0 * duty if 0.0 < duty < 1.0 else 0.0

    def order(self, order):
        self.ordered = order

    def latest(self):
        if self.node is None:
            return Sample(None)
        now = self.node.now()
        self.at = now - 0.05 if self.at is None else self.at
        while self.at < now:
            self.at = min(now, self.at + 0.005)
            high, low = levels(self.letter, self.out.duty if self.out else 1.0)
            self.out = self.guard.step(self.at, Levels(self.at, high, low),
                                       Heard(self.ordered, self.at), None)
        return Sample(self.guard.reading(None), now)


@pytest.fixture(params=[Board, Bare])
def hardware(request):
    return request.param()


@pytest.fixture
def pilot(graph, hardware, tmp_path):
    """The node with a vehicle in B, everything it needs being said at 20 Hz."""
    node = graph.start(partial(Iso61851, driver=hardware), present_hold=0.0,
                       state_dir=str(tmp_path), **SERIAL)
    hardware.node = node
    node.heard = graph.hear(CONTROL_PILOT)
    node.say = True

    def speak():
        if node.say:
            for topic, value in ((AVAILABLE, AvailableAmperage(16.0, 16.0, True)),
                                 (LIMIT_HW, AmperageLimit(32.0, valid_for=5.0)),
                                 (METER, MeterReading(amperage=(0.0, 0.0, 0.0)))):
                graph.say(topic, value)

    timer = graph.probe.create_timer(0.05, speak)
    yield node
    timer.cancel()


def test_both_kinds_are_what_they_are():
    assert isinstance(Board(), CurrentPilot) and isinstance(Bare(), RawPilot)


def test_from_plugging_in_to_the_end_the_topic_is_the_same(graph, pilot, hardware):
    graph.until(lambda: pilot.heard and pilot.heard[-1].charge_controller_status == 'A1')
    assert hardware.started
    hardware.letter = 'B'
    graph.until(lambda: pilot.heard[-1].charge_controller_status == 'B2')
    said = pilot.heard[-1]
    assert (said.vehicle_status, said.signaled_amperage, said.step) == ('B', 16.0, 0.01)
    assert said.duty_cycle == pytest.approx(16 / 60)
    hardware.letter = 'C'
    graph.until(lambda: pilot.heard[-1].contactor_commanded)
    assert pilot.heard[-1].charge_controller_status == 'C2' and pilot.heard[-1].fault == ''
    pilot.say = False       # nobody says any more what is available
    graph.until(lambda: hardware.offered == 0.0, within=3.0)
    hardware.letter = 'B'
    graph.until(lambda: pilot.heard[-1].charge_controller_status == 'B1')
    assert pilot.heard[-1].contactor_commanded is False


def test_a_lower_limit_acts_with_its_message_and_not_with_the_next_tick(graph, pilot, hardware):
    hardware.letter = 'B'
    graph.until(lambda: hardware.offered == pytest.approx(16.0))
    pilot._on_hw(Heard(AmperageLimit(8.0, valid_for=5.0), pilot.now()))
    told = 60.0 * hardware.ordered.duty if isinstance(hardware, Bare) else hardware.offered
    assert told == pytest.approx(8.0)


def test_the_end_withdraws_and_waits_for_the_vehicle(graph, pilot, hardware):
    hardware.letter = 'B'
    graph.until(lambda: pilot.heard and pilot.heard[-1].charge_controller_status == 'B2')
    hardware.letter = 'C'
    graph.until(lambda: pilot.heard[-1].contactor_commanded)
    pilot.stop()
    graph.turn(0.3)
    assert hardware.offered == 0.0
    if isinstance(hardware, Bare):
        assert not pilot.stopped(), 'the vehicle has not opened S2 yet'
    hardware.letter = 'B'
    graph.until(pilot.stopped)
    graph.stop(pilot)
    assert hardware.closed


def test_a_reset_without_a_fault_is_answered(graph, pilot):
    assert graph.ask(RESET_FAULT).code == 'NoFault'


def test_health_names_the_device(graph, pilot):
    graph.until(lambda: pilot.heard)
    device, fault = pilot.health()
    assert device.level is Level.OK and fault.message == 'none'


def test_a_single_board_computer_is_a_configuration():
    values = {'device.driver': 'linux_pilot', 'device.adc': 'ads1015', 'device.high_gain': 9.09,
              'device.high_offset': -15.0, 'device.contactor_line': 17}
    assert check(PARAMS, values, 'iso61851')['device']['contactor_line'] == 17
    with pytest.raises(ParameterError, match=r'contactor_line must be set \(line that closes'):
        check(PARAMS, {k: v for k, v in values.items() if 'contactor' not in k}, 'iso61851')


def test_a_block_that_raises_withdraws_and_goes_on_trying(graph, pilot, hardware, monkeypatch):
    """Without a word on control_pilot: its silence is the controller's fault to see."""
    hardware.letter = 'B'
    graph.until(lambda: pilot.heard and pilot.heard[-1].charge_controller_status == 'B2')
    hardware.letter = 'C'
    graph.until(lambda: pilot.heard[-1].contactor_commanded)
    control = pilot._drive.control
    with monkeypatch.context() as broken:
        broken.setattr(control, 'step', lambda *_: 1 / 0)
        graph.until(lambda: pilot.faults.count >= 3 and hardware.latest() and not hardware.offered,
                    1.0)
        if isinstance(hardware, Bare):
            assert hardware.out.contactor, 'the vehicle has its time to stop, as after any stop'
        hardware.letter = 'B'
        graph.turn(0.2)
        assert 'ZeroDivisionError' in pilot.faults.health()[0].message
    graph.until(lambda: hardware.latest() and hardware.offered == 16.0, 15.0)
    assert pilot.faults.health()[0].level is Level.OK
