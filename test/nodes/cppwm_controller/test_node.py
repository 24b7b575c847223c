"""The cppwm_controller node: its parameters, one truth for each default, and what it keeps."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

from charger_control.core.cppwm_controller import ControllerConfig
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Flags
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.pi import PiConfig
from charger_control.nodes.cppwm_controller.node import PARAMS, CppwmController, config_of
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import AVAILABLE, CHARGING, CONTROL_PILOT, DECISION, METER
from charger_control.store import store_file

DEFAULTS = {param.name: param.default for param in PARAMS}


def test_the_defaults_of_the_parameters_are_those_of_the_controller():
    assert config_of(DEFAULTS) == ControllerConfig(sources=('hw', 'smart_charging', 'api'))


def test_every_figure_of_the_regulator_is_a_parameter_and_arrives():
    for field in fields(PiConfig):
        config = config_of(DEFAULTS | {f'pi.{field.name}': 0.875})
        assert getattr(config.pi, field.name) == 0.875


def test_charging_keeps_its_rate_however_often_a_sample_comes(graph: Any, tmp_path: Path) -> None:
    """15 a second with a meter at 5 Hz; every sample still steps the control."""
    charging, available = graph.hear(CHARGING), graph.hear(AVAILABLE)
    node = graph.start(CppwmController, state_dir=str(tmp_path), sources=['hw'],
                       **{'team.managed': False})
    graph.until(lambda: charging)
    before, stepped = len(charging), len(available)
    begin = node.now()
    for _ in range(40):
        graph.say(METER, MeterReading((230.0,) * 3, (0.0,) * 3))
        graph.turn(0.05)
    expected = (node.now() - begin) * 10.0
    assert len(charging) - before <= expected + 2.0
    assert len(available) - stepped > expected + 10.0


class Charger:
    """The node, with a board whose contactor the test moves."""

    def __init__(self, graph: Any, folder: Path) -> None:
        self.graph, self.folder = graph, folder
        self.decisions = graph.hear(DECISION)
        self.start()

    def start(self) -> None:
        self.node = self.graph.start(
            CppwmController, state_dir=str(self.folder), sources=['hw'], closings_per_hour=3,
            **{'team.managed': False})

    def contactor(self, closed: bool) -> None:
        """The board says so, and it has been heard."""
        self.graph.say(CONTROL_PILOT, ControlPilot('B', 'B1', 0.0, contactor_feedback=closed))
        self.graph.until(lambda: self.node._controller.closings.closed is closed)

    @property
    def stops(self) -> bool:
        self.decisions.clear()
        self.graph.until(lambda: self.decisions)
        return bool(self.decisions[-1].flags & Flags.TOO_MANY_CLOSINGS)

    def health(self) -> Health:
        return next(h for h in self.node.health() if h.task == 'store')


def test_closings_within_an_hour_are_counted_over_restarts(graph: Any, tmp_path: Path) -> None:
    """Each restart forgot them: 55 in an hour where 12 are allowed."""
    charger = Charger(graph, tmp_path)
    for end in (graph.stop, graph.kill, graph.stop):
        assert not charger.stops
        charger.contactor(True)
        charger.contactor(False)
        graph.until(lambda: charger.node._closings.is_written)
        end(charger.node)
        charger.start()
    assert charger.stops
    assert charger.health().level is Level.OK


def test_closings_that_cannot_be_read_leave_one_and_are_said(graph: Any, tmp_path: Path) -> None:
    charger = Charger(graph, tmp_path)
    charger.contactor(True)
    graph.stop(charger.node)
    with closing(sqlite3.connect(store_file(str(tmp_path)), isolation_level=None)) as store:
        store.execute("UPDATE value SET body = '{}' WHERE key = 'closings'")
    charger.start()
    assert not charger.stops
    charger.contactor(True)
    assert charger.stops
    assert (charger.health().level, 'closings' in charger.health().message) == (Level.WARN, True)
