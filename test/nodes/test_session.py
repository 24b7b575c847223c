"""The session node in a real graph, with a real store under it, killed in the middle too."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.nodes.session import PARAMS, Session
from charger_control.ros.diagnostics import Level
from charger_control.ros.interfaces import (
    BIND_TRANSACTION,
    CONFIGURATION,
    CONTROL_PILOT,
    DECISION,
    LIMIT_HW,
    METER,
    TRANSACTION,
)
from charger_control.ros.parameters import ParameterError, check
from charger_control.store import Reader, store_file

FAST = {'max_power': 1e6, 'save_period': 1.0}
"""A register that runs fast enough to be seen running."""


class Plant:
    """The rest of the graph: speaks with every turn."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.letter, self.offer, self.charging = 'A', 0.0, False
        self.register = 100.0
        self.decision = Decision(limit_source='api', commanded_amperage=16.0,
                                 effective_amperage_limit=10.0)
        self.transactions = graph.hear(TRANSACTION)
        self.configurations = graph.hear(CONFIGURATION)
        self._last = time.monotonic()

    @property
    def now(self) -> Any:
        """The last transaction that was heard."""
        return self.transactions[-1]

    def speak(self) -> None:
        now = time.monotonic()
        if self.charging:
            self.register += (now - self._last) * 0.1  # kWh/s: 360 kW
        self._last = now
        amperage = (16.0, 16.0, 0.0) if self.charging else (0.0,) * 3
        self.graph.say(DECISION, self.decision)
        self.graph.say(LIMIT_HW, AmperageLimit(16.0, valid_for=5.0, lost_amperage=0.0))
        self.graph.say(METER, MeterReading((230.0,) * 3, amperage, 50.0, 0.0,
                                           round(self.register, 3), 'SN1'))
        digit = '2' if self.offer else '1'
        self.graph.say(CONTROL_PILOT, ControlPilot(self.letter, self.letter + digit, self.offer))

    def set(self, letter: str, *, offer: float = 0.0, charging: bool = False) -> None:
        self.letter, self.offer, self.charging = letter, offer, charging

    def until(self, condition: Any, within: float = 10.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f'it did not come about: {self.now}'
            self.speak()
            self.graph.turn(0.05)

    def go_on(self, time_span: float) -> None:
        end = time.monotonic() + time_span
        self.until(lambda: time.monotonic() >= end)


@pytest.fixture
def plant(graph: Any) -> Iterator[Plant]:
    yield Plant(graph)


def sessions(folder: Path) -> list[Any]:
    return Reader(store_file(str(folder))).sessions()


def test_a_session_from_plug_in_to_unplug(graph: Any, plant: Plant, tmp_path: Path) -> None:
    node = graph.start(Session, state_dir=str(tmp_path), power_domain_name='depot',
                       has_phase_shutoff=True, **FAST)
    plant.until(lambda: plant.transactions and plant.now.state == 'Idle')
    assert plant.now.session_id == ''

    plant.set('B')
    plant.until(lambda: plant.now.state == 'EVConnected')
    session_id = plant.now.session_id
    assert str(uuid.UUID(session_id)) == session_id
    assert plant.now.meter_start == 100.0
    assert abs(plant.now.started_time - time.time()) < 5.0
    plant.until(lambda: plant.configurations[-1].session_id == session_id)
    assert plant.configurations[-1].power_domain_name == 'depot'
    assert plant.configurations[-1].controller_name == 'charger'
    assert plant.configurations[-1].effective_amperage_limit == 16.0
    assert plant.configurations[-1].has_phase_shutoff
    plant.until(lambda: len(sessions(tmp_path)) == 1)

    plant.set('C', offer=16.0, charging=True)
    plant.until(lambda: plant.now.state == 'Charging')
    assert plant.now.allocation_source_name == 'API'
    plant.decision = Decision(limit_source='team', commanded_amperage=10.0)
    plant.until(lambda: plant.now.allocation_source_name == 'Team', within=0.5)
    plant.until(lambda: plant.now.used_phases_session == '110')
    plant.go_on(1.5)
    plant.set('B', offer=16.0)
    plant.until(lambda: plant.now.state == 'SuspendedEV')
    plant.set('A')
    plant.until(lambda: plant.now.state == 'Idle')

    assert plant.now.stop_reason == 'EVDisconnected'
    assert plant.now.meter_stop - plant.now.meter_start == pytest.approx(plant.register - 100.0,
                                                                         abs=0.001)
    (record,) = sessions(tmp_path)
    assert record.transaction.meter_stop == plant.now.meter_stop
    assert math.isfinite(record.transaction.ended_time)
    assert {h.level for h in node.health()} == {Level.OK}


NODE = """
import sys
from charger_control.nodes.session import main
sys.exit(main())
"""


def process(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, '-c', NODE, '--ros-args', '-p',
                             f'state_dir:={folder}', '-p', 'max_power:=1000000.0', '-p',
                             'save_period:=1.0'])


def test_energy_after_kill_in_the_middle(graph: Any, plant: Plant, tmp_path: Path) -> None:
    running = process(tmp_path)
    try:
        plant.until(lambda: plant.transactions and plant.now.state == 'Idle', within=20.0)
        plant.set('B')
        plant.until(lambda: plant.now.state == 'EVConnected')
        session_id = plant.now.session_id
        plant.set('C', offer=16.0, charging=True)
        plant.until(lambda: plant.now.meter_stop > 100.1)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        (record,) = sessions(tmp_path)
        assert record.transaction.session_id == session_id
        heard = len(plant.transactions)
        running = process(tmp_path)
        plant.until(lambda: len(plant.transactions) > heard and plant.now.state == 'Charging',
                    within=20.0)
        assert plant.now.session_id == session_id
        assert plant.now.meter_start == 100.0
        plant.go_on(0.5)
        plant.set('A')
        plant.until(lambda: plant.now.state == 'Idle')
        assert plant.now.meter_stop - plant.now.meter_start == pytest.approx(
            plant.register - 100.0, abs=0.001)
        running.terminate()
        assert running.wait(10) == 0
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
    (record,) = sessions(tmp_path)
    assert record.transaction.stop_reason == 'EVDisconnected'


def test_an_orderly_end_writes_the_last_register(graph: Any, plant: Plant, tmp_path: Path) -> None:
    node = graph.start(Session, state_dir=str(tmp_path), max_power=1e6)
    plant.set('C', offer=16.0, charging=True)
    plant.until(lambda: plant.transactions and plant.now.meter_stop > 100.2)
    graph.stop(node)
    (record,) = sessions(tmp_path)
    assert record.transaction.meter_stop == pytest.approx(plant.now.meter_stop, abs=0.2)
    assert record.transaction.meter_stop > 100.1  # the periodic record came before that
    assert math.isnan(record.transaction.ended_time)


def test_the_session_goes_on_without_a_store_and_is_written_when_it_is_back(
        graph: Any, plant: Plant, tmp_path: Path) -> None:
    (tmp_path / 'taken').write_text('')
    folder = tmp_path / 'taken'
    node = graph.start(Session, state_dir=str(folder), **FAST)
    plant.set('C', offer=16.0, charging=True)
    plant.until(lambda: plant.transactions and plant.now.state == 'Charging')
    assert node.health()[1].level is Level.ERROR
    assert str(folder) in node.health()[1].message
    plant.set('A')
    plant.until(lambda: plant.now.state == 'Idle')
    folder.unlink()
    plant.until(lambda: store_file(str(folder)).exists() and len(sessions(folder)) == 1)
    assert sessions(folder)[0].transaction.stop_reason == 'EVDisconnected'
    plant.until(lambda: node.health()[1].values['unsaved'] == 0)


def test_a_store_that_is_held_does_not_hold_the_node(graph: Any, plant: Plant, tmp_path: Path
                                                    ) -> None:
    graph.start(Session, state_dir=str(tmp_path), **FAST)
    plant.until(lambda: plant.transactions and plant.now.state == 'Idle')
    with closing(sqlite3.connect(store_file(str(tmp_path)), isolation_level=None)) as other:
        other.execute('BEGIN IMMEDIATE')
        plant.set('B')
        plant.until(lambda: plant.now.state == 'EVConnected')
        plant.set('C', offer=16.0, charging=True)
        plant.until(lambda: plant.now.state == 'Charging')
        other.execute('ROLLBACK')
    plant.until(lambda: len(sessions(tmp_path)) == 1)


def test_the_id_of_the_csms_is_bound_and_on_the_disk_before_the_answer(
        graph: Any, plant: Plant, tmp_path: Path) -> None:
    node = graph.start(Session, state_dir=str(tmp_path), **FAST)
    plant.until(lambda: plant.transactions and plant.now.state == 'Idle')

    def bind(ocpp_transaction_id: str) -> Any:
        future = graph.call(BIND_TRANSACTION, ocpp_transaction_id=ocpp_transaction_id)
        plant.until(future.done)
        return future.result()

    answer = bind('77')
    assert (answer.success, answer.code, 'no charging session' in answer.message) == (
        False, 'NoTransaction', True)
    plant.set('B')
    plant.until(lambda: plant.now.state == 'EVConnected')
    assert (bind('77').success, bind('77').code) == (True, 'OK')
    assert sessions(tmp_path)[0].transaction.ocpp_transaction_id == '77'
    plant.until(lambda: plant.now.ocpp_transaction_id == '77')
    for bad in ('x' * 37, 'a\nb'):
        answer = bind(bad)
        assert (answer.success, answer.code) == (False, 'OutOfRange')
    with closing(sqlite3.connect(store_file(str(tmp_path)), isolation_level=None)) as other:
        other.execute('BEGIN IMMEDIATE')
        future = graph.call(BIND_TRANSACTION, ocpp_transaction_id='78')
        plant.until(lambda: plant.now.ocpp_transaction_id == '78')
        assert not future.done(), 'not before it is on the disk'
        other.execute('ROLLBACK')
    plant.until(future.done)
    graph.kill(node)
    heard = len(plant.transactions)
    graph.start(Session, state_dir=str(tmp_path), **FAST)
    plant.until(lambda: len(plant.transactions) > heard and plant.now.state == 'EVConnected')
    assert plant.now.ocpp_transaction_id == '78'
    assert bind('').success
    plant.until(lambda: plant.now.ocpp_transaction_id == '')


def test_an_id_that_cannot_be_written_holds_until_restart(graph: Any, plant: Plant, tmp_path: Path
                                                          ) -> None:
    (tmp_path / 'taken').write_text('')
    graph.start(Session, state_dir=str(tmp_path / 'taken'), **FAST)
    plant.set('B')
    plant.until(lambda: plant.transactions and plant.now.state == 'EVConnected')
    future = graph.call(BIND_TRANSACTION, ocpp_transaction_id='77')
    plant.until(future.done)
    assert (future.result().success, future.result().code) == (True, 'UntilRestart')
    assert str(tmp_path / 'taken') in future.result().message
    plant.until(lambda: plant.now.ocpp_transaction_id == '77')


def test_the_pilot_falls_silent(graph: Any, plant: Plant, tmp_path: Path) -> None:
    graph.start(Session, state_dir=str(tmp_path), pilot_silence=1.0)
    plant.set('B')
    plant.until(lambda: plant.transactions and plant.now.state == 'EVConnected')
    graph.until(lambda: plant.now.state == 'Faulted')
    assert plant.now.vehicle_status == 'F'
    plant.until(lambda: plant.now.state == 'EVConnected')


def test_parameters_are_checked() -> None:
    assert check(PARAMS, {}, 'session')['max_gap'] == 300.0
    with pytest.raises(ParameterError, match='max_power'):
        check(PARAMS, {'max_power': 0.0}, 'session')
