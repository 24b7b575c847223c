"""A charging session goes on when its node is killed, and no energy is lost by it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from live_nodes import LiveNodes, live_nodes
from live_session import RESOLUTION, SCENARIO, Session
from live_topics import topics_of

from charger_control.cli.main import main
from charger_control.ros.interfaces import TRANSACTION


@pytest.fixture(scope='module')
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNodes]:
    with live_nodes(tmp_path_factory.mktemp('nodes'), scenario=SCENARIO) as charger:
        yield charger


def test_the_session_node_killed_in_the_middle(nodes: LiveNodes) -> None:
    assert nodes.board is not None
    with topics_of(nodes.namespace, TRANSACTION) as topics:
        session = Session(nodes, topics)
        session.comes_to('Idle')
        nodes.charge()
        charging = session.comes_to('Charging')
        pid = nodes.pid_of('session')
        nodes.of('session').send(signal.SIGKILL)
        nodes.started_again('session', pid)
        going_on = session.charges_on()
        assert going_on['sessionId'] == charging['sessionId']
        assert going_on['startedTime'] == charging['startedTime']
        # while nobody looks, the vehicle goes on drawing, stops and is unplugged
        pid = nodes.pid_of('session')
        nodes.of('session').send(signal.SIGKILL)
        nodes.board.do('unplug')
        nodes.started_again('session', pid)
        ended = session.comes_to('Idle', timeout=30.0, new=True)
        assert ended['sessionId'] == charging['sessionId']
        assert ended['stopReason'] == 'EVDisconnected'
        assert ended['meterStart'] == charging['meterStart']
        delivered = nodes.board.truth()['plant']['energy']
        assert ended['meterStop'] - ended['meterStart'] <= delivered + RESOLUTION


def test_its_energy_is_right_after_a_kill(nodes: LiveNodes) -> None:
    assert nodes.board is not None
    with topics_of(nodes.namespace, TRANSACTION) as topics:
        session = Session(nodes, topics)
        before = float(nodes.board.truth()['plant']['energy'])
        last = session.comes_to('Idle')['sessionId']
        nodes.charge()
        assert session.comes_to('Charging')['sessionId'] != last
        pid = nodes.pid_of('session')
        nodes.of('session').send(signal.SIGKILL)
        nodes.started_again('session', pid)
        session.charges_on()
        nodes.board.do('unplug')
        ended = session.comes_to('Idle', timeout=30.0, condition=lambda t: t.ended_time > 0.0)
        session.energy_is_that_into_the_vehicle(ended, before)


def test_sessions_are_on_record(nodes: LiveNodes) -> None:
    shown = CliRunner().invoke(main, ['session', '--namespace', nodes.namespace, '--state-dir',
                                      str(nodes.folder / 'state'), 'list', '--json'])
    assert shown.exit_code == 0, shown.output
    assert [row['stop_reason'] for row in json.loads(shown.output)] == ['EVDisconnected'] * 2
