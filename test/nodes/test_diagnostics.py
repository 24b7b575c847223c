"""/diagnostics as ROS users expect it: every node, its tasks, levels that mean something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_charger import LiveCharger, live_charger, wait_until
from live_topics import Topics, topics_of

from charger_control.bringup.processes import BLOCKS
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamRequest
from charger_control.nodes.api import Api
from charger_control.nodes.hw_limit import HwLimit
from charger_control.nodes.team import Team
from charger_control.nodes.vcse import Vcse
from charger_control.ros import node as block_node
from charger_control.ros.interfaces import (
    DIAGNOSTICS,
    GRID_METER,
    TEAM_ALLOCATION,
    TEAM_REQUEST,
    VCSE_BUDGET,
)

OK, WARN, ERROR = range(3)
TASKS = {
    'fiscal_meter': {'device'}, 'hw_limit': {'limit', 'terminals', 'inputs'},
    'smart_charging': {'profiles', 'directory', 'store', 'inputs'},
    'api': {'limit', 'store', 'inputs'},
    'cppwm_controller': {'decision', 'store', 'inputs'},
    'iso61851': {'device', 'fault', 'inputs'}, 'team': {'team', 'inputs'}, 'vcse': {'budget'},
    'session': {'session', 'store', 'inputs'}, 'bridge': {'web', 'inputs'}}
"""What each node tells of."""
OF_THE_BUS = {'fiscal_meter: device', 'iso61851: device', 'cppwm_controller: decision'}
"""Tasks that are wrong while the cable of the serial bus is out."""


class Diagnostics:
    """The newest status of each task, '<node>: <task>' of one namespace."""

    def __init__(self, charger: LiveCharger, topics: Topics) -> None:
        self.charger, self._topics = charger, topics

    def statuses(self) -> dict[str, Any]:
        prefix = f'{self.charger.namespace}/'
        return {status.name.removeprefix(prefix): status
                for array in self._topics.all(DIAGNOSTICS) for status in array.status
                if status.name.startswith(prefix)}

    def levels(self) -> dict[str, int]:
        return {name: status.level[0] for name, status in self.statuses().items()}

    def text(self) -> str:
        return '\n'.join(f'{status.level[0]} {name}: {status.message}'
                         for name, status in self.statuses().items())

    def wait_for_levels(self, wrong: set[str], timeout: float = 20.0) -> None:
        """Waits until exactly these tasks are at ERROR, and all others at OK."""
        try:
            wait_until(lambda: self.levels() and all(
                level == (ERROR if name in wrong else OK)
                for name, level in self.levels().items()), timeout, f'ERROR of {wrong or "none"}')
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.text()}') from error


@pytest.fixture(scope='module')
def diagnostics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Diagnostics]:
    with live_charger(tmp_path_factory.mktemp('charger')) as charger, \
            topics_of(charger.namespace, DIAGNOSTICS) as topics:
        charger.charge()
        yield Diagnostics(charger, topics)


def test_every_node_tells_of_its_tasks(diagnostics: Diagnostics) -> None:
    expected = {f'{node}: {task}' for node, tasks in TASKS.items() for task in tasks}
    wait_until(lambda: set(diagnostics.statuses()) >= expected, 10.0, 'a word of each node')
    assert set(diagnostics.statuses()) == expected
    assert set(TASKS) == {*BLOCKS, 'bridge'}


def test_all_is_well_while_a_vehicle_charges(diagnostics: Diagnostics) -> None:
    diagnostics.wait_for_levels(set())
    assert all(status.message for status in diagnostics.statuses().values())


def test_hardware_ids_name_the_device_or_the_charger(diagnostics: Diagnostics) -> None:
    found = {name: status.hardware_id for name, status in diagnostics.statuses().items()}
    assert diagnostics.charger.board is not None
    assert found.pop('fiscal_meter: device') == '20231107', "the simulated meter's serial number"
    assert found.pop('iso61851: device') == str(diagnostics.charger.link)
    assert set(found.values()) == {diagnostics.charger.namespace}


def test_an_unplugged_bus_is_an_error_and_counted(diagnostics: Diagnostics) -> None:
    board = diagnostics.charger.board
    assert board is not None
    diagnostics.wait_for_levels(set())
    board.do('cable_out')
    try:
        wait_until(lambda: all(diagnostics.levels()[name] == ERROR for name in OF_THE_BUS), 10.0,
                   diagnostics.text())
        assert all(level < ERROR for name, level in diagnostics.levels().items()
                   if name not in OF_THE_BUS), diagnostics.text()
        assert 'is not there' in diagnostics.statuses()['iso61851: device'].message
    finally:
        board.do('cable_in')
    diagnostics.wait_for_levels(set(), 30.0)
    for name in ('fiscal_meter: device', 'iso61851: device'):
        counters = {v.key: v.value for v in diagnostics.statuses()[name].values}
        assert counters['reconnects'] == '1', counters


# -- one node at a time ------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that has been running for long."""
    monkeypatch.setattr(block_node, 'STARTING', 0.0)


def told(graph: Any, name: str) -> Any:
    """A function for the newest status of one task."""
    arrays: list[Any] = []
    graph.probe.create_subscription(DIAGNOSTICS.type, DIAGNOSTICS.name, arrays.append,
                                    DIAGNOSTICS.qos)

    def newest() -> Any:
        return next((status for array in reversed(arrays) for status in array.status
                     if status.name == name), None)
    return newest


def test_silent_members_are_a_warning(graph: Any, tmp_path: Path, at_once: None) -> None:
    """At first none is heard; then two of three, the majority, and the third is named."""
    members = ['cp01', 'cp02', 'cp03']
    graph.start(Team, state_dir=str(tmp_path), name='cp01', members=members)
    newest, lists = told(graph, 'team: team'), graph.hear(TEAM_ALLOCATION)
    graph.say(VCSE_BUDGET, TeamBudget('team', (16.0, 16.0, 16.0), 60.0))
    graph.until(lambda: newest() and newest().level[0] == WARN and 'half' in newest().message)
    for sequence in range(1, 200):  # the candidate listens for 5 s, then asks for a majority
        last = lists[-1] if lists else None
        for member in members[:2]:
            graph.say(TEAM_REQUEST, TeamRequest(
                team='team', member=member, sequence=sequence,
                **({} if last is None else {'accepted_leader': last.leader, 'accepted_term':
                                            last.term, 'accepted_sequence': last.sequence})))
        graph.turn(0.1)
        if newest().message == 'silent: cp03':
            break
    assert newest().level[0] == WARN and newest().message == 'silent: cp03'


def test_a_silent_grid_meter_is_a_warning(graph: Any, at_once: None) -> None:
    graph.start(Vcse, fuse=[35.0] * 3, grid_meter=True, grid_meter_has_team=False,
                grid_meter_silent=0.5)
    newest = told(graph, 'vcse: budget')
    graph.until(lambda: newest() and newest().level[0] == WARN)
    for _ in range(20):  # a reading a moment ago, until the next report
        graph.say(GRID_METER, MeterReading(voltage=(230.0,) * 3, amperage=(1.0,) * 3))
        graph.turn(0.1)
    assert newest().level[0] == OK, newest()
    graph.until(lambda: newest().level[0] == WARN and 'silent' in newest().message)


def test_a_store_that_cannot_be_used_is_an_error(graph: Any, tmp_path: Path, at_once: None) -> None:
    nowhere = tmp_path / 'file'
    nowhere.write_text('not a folder')
    graph.start(Api, state_dir=str(nowhere))
    newest = told(graph, 'api: store')
    graph.until(lambda: newest() and newest().level[0] == ERROR)
    assert str(nowhere) in newest().message


def test_a_node_that_has_just_started_warns_at_the_most(graph: Any, tmp_path: Path) -> None:
    nowhere = tmp_path / 'file'
    nowhere.write_text('not a folder')
    graph.start(Api, state_dir=str(nowhere))
    newest = told(graph, 'api: store')
    graph.until(newest)
    assert newest().level[0] == WARN and str(nowhere) in newest().message


def test_no_vehicle_needs_no_warning_but_no_limit_does(
        graph: Any, at_once: None, tmp_path: Path) -> None:
    graph.start(HwLimit, state_dir=str(tmp_path), fuse=16.0, phases=3, cable=float('nan'))
    newest = told(graph, 'hw_limit: limit')
    graph.until(lambda: newest() and newest().level[0] == WARN and 'cable' in newest().message)
