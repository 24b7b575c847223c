"""The api node in a real graph, with a real store under it."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from charger_control.core.messages.decision import Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.nodes import api
from charger_control.nodes.api import PARAMS, Api
from charger_control.ros.convert import duration
from charger_control.ros.diagnostics import Level
from charger_control.ros.interfaces import (
    DECISION,
    LIMIT_API,
    LIMITS_DOCUMENT,
    METER,
    SET_LIMITS,
)
from charger_control.ros.parameters import ParameterError, check
from charger_control.store import Reader, ReadOnlyError, store_file


@contextmanager
def store_is_held(folder: Path) -> Iterator[None]:
    """Another program holds the write lock of the store."""
    with closing(sqlite3.connect(store_file(str(folder)), isolation_level=None)) as other:
        other.execute('BEGIN IMMEDIATE')
        yield
        other.execute('ROLLBACK')


def started(graph: Any, folder: Path, **parameters: Any) -> tuple[Any, list[Any], list[Any]]:
    limits, documents = graph.hear(LIMIT_API), graph.hear(LIMITS_DOCUMENT)
    node = graph.start(Api, state_dir=str(folder), **parameters)
    graph.until(lambda: limits and documents)
    return node, limits, documents


def set_amperage(graph: Any, value: float, **more: Any) -> Any:
    return graph.ask(SET_LIMITS, set_amperage_limit=True, amperage_limit=value, client='test',
                     **more)


def stored(folder: Path) -> dict[str, Any]:
    return Reader(store_file(str(folder))).get('api', 'limits') or {}


def test_it_has_no_opinion_until_somebody_sets_something(graph: Any, tmp_path: Path) -> None:
    _, limits, documents = started(graph, tmp_path)
    assert math.isnan(limits[0].amperage)
    assert documents[0].enabled
    count = len(limits)
    graph.until(lambda: len(limits) >= count + 2, within=4.0)  # repeated


def test_a_limit_is_in_force_stored_and_answered(graph: Any, tmp_path: Path) -> None:
    _, limits, documents = started(graph, tmp_path)
    answer = set_amperage(graph, 10.0, set_timeout=True, timeout=duration(60.0))
    assert (answer.success, answer.code) == (True, 'OK')
    assert stored(tmp_path)['amperage'] == 10.0  # on disk when it is answered
    graph.until(lambda: limits[-1].amperage == 10.0 and documents[-1].amperage_limit == 10.0)
    assert 55.0 < limits[-1].valid_for <= 60.0
    assert 55.0 < documents[-1].expires_in <= 60.0
    assert documents[-1].persistent
    assert 'test' in limits[-1].reason


def test_a_bad_request_changes_nothing_and_says_why(graph: Any, tmp_path: Path) -> None:
    node, limits, _ = started(graph, tmp_path)
    answer = set_amperage(graph, 81.0, set_enabled=True, enabled=False)
    assert (answer.success, answer.code) == (False, 'OutOfRange')
    assert '81' in answer.message
    assert graph.ask(SET_LIMITS).code == 'NothingSet'
    graph.turn(0.2)
    assert math.isnan(limits[-1].amperage)
    assert stored(tmp_path) == {}
    assert node.health()[0].values['refused_requests'] == 2


def test_a_burst_of_requests_is_answered_each_and_in_order(graph: Any, tmp_path: Path) -> None:
    _, limits, documents = started(graph, tmp_path)
    for first in (6, 12, 8):  # as many at once as a service keeps
        futures = [graph.call(SET_LIMITS, set_amperage_limit=True, amperage_limit=first + 0.1 * n)
                   for n in range(10)]
        graph.until(lambda waiting=futures: all(f.done() for f in waiting))
        assert {f.result().code for f in futures} == {'OK'}
        last = pytest.approx(first + 0.9)
        assert stored(tmp_path)['amperage'] == last
        graph.until(lambda wanted=last: limits[-1].amperage == wanted
                    and documents[-1].amperage_limit == wanted)


def test_a_restart_goes_on_with_what_remained(graph: Any, tmp_path: Path) -> None:
    node, _, _ = started(graph, tmp_path)
    set_amperage(graph, 10.0, set_timeout=True, timeout=duration(60.0), set_power_limit=True,
                 power_limit=30_000.0)
    graph.kill(node)
    _, limits, documents = started(graph, tmp_path)
    assert limits[-1].amperage == 10.0  # the first word already
    assert 40.0 < limits[-1].valid_for < 60.0
    assert documents[-1].power_limit == 30_000.0
    assert documents[-1].timeout == 60.0


def test_a_slow_store_lets_lowering_act_at_once_and_raising_not_at_all(
        graph: Any, tmp_path: Path) -> None:
    node, limits, documents = started(graph, tmp_path, store_timeout=0.5)
    set_amperage(graph, 16.0)
    with store_is_held(tmp_path):
        lower = graph.call(SET_LIMITS, set_amperage_limit=True, amperage_limit=8.0)
        graph.until(lambda: limits[-1].amperage == 8.0, within=0.4)
        assert not lower.done()
        graph.until(lower.done)
        assert (lower.result().success, lower.result().code) == (True, 'UntilRestart')
        assert 'until restart' in lower.result().message
        assert 'slow' in lower.result().message
        graph.until(lambda: not documents[-1].persistent)
        raised = set_amperage(graph, 32.0)
        assert (raised.success, raised.code) == (False, 'StoreFailed')
        graph.turn(0.1)
        assert limits[-1].amperage == 8.0
        assert documents[-1].amperage_limit == 8.0
        assert node.health()[0].level is Level.WARN
    # when the store is there again, it is brought up to what is in force
    graph.until(lambda: documents[-1].persistent and stored(tmp_path)['amperage'] == 8.0)
    assert node.health()[0].level is Level.OK


def test_a_full_store(graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, limits, documents = started(graph, tmp_path)
    set_amperage(graph, 16.0)
    node = graph.nodes[0]
    database = node._store._database
    database._connection.execute('PRAGMA max_page_count = 1')
    with monkeypatch.context() as patch:
        # a row that needs another page, however often it is tried
        real = node._store.put
        patch.setattr(node._store, 'put', lambda room, key, value: real(
            room, key, dict(value) | {'client': 'x' * 20_000}))
        answer = set_amperage(graph, 8.0)
        assert (answer.success, answer.code) == (True, 'UntilRestart')
        assert 'full' in answer.message
        assert set_amperage(graph, 20.0).code == 'StoreFailed'
        graph.until(lambda: limits[-1].amperage == 8.0 and not documents[-1].persistent)
        assert node.health()[1].level is Level.ERROR
        assert 'free space' in node.health()[1].message
    graph.until(lambda: documents[-1].persistent)
    assert stored(tmp_path)['amperage'] == 8.0


def test_what_is_stored_but_cannot_be_read_holds_the_safe_value_until_it_can(
        graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node, _, _ = started(graph, tmp_path)
    set_amperage(graph, 12.0)
    graph.kill(node)
    with monkeypatch.context() as patch:
        def broken(*_: Any) -> None:
            raise ReadOnlyError('store: I/O error')

        patch.setattr(Reader, 'get', broken)
        patch.setattr(api, 'RETRY_PERIOD', 0.3)
        node, limits, _ = started(graph, tmp_path)
        assert limits[-1].amperage == 0.0
        assert 'cannot be read' in limits[-1].reason
        assert node.health()[1].level is Level.ERROR
        graph.turn(0.5)
        assert limits[-1].amperage == 0.0
    graph.until(lambda: limits[-1].amperage == 12.0)
    graph.until(lambda: node.health()[1].level is Level.OK)


def test_a_store_that_cannot_be_opened(graph: Any, tmp_path: Path) -> None:
    (tmp_path / 'taken').write_text('')
    node, limits, _ = started(graph, tmp_path / 'taken', unreadable_amperage=10.0)
    assert limits[-1].amperage == 10.0, 'nobody knows what is stored'
    answer = set_amperage(graph, 8.0)
    assert answer.code == 'UntilRestart'
    graph.until(lambda: limits[-1].amperage == 8.0)
    assert set_amperage(graph, 16.0).code == 'StoreFailed'
    assert str(tmp_path / 'taken') in node.health()[1].message


def test_a_corrupt_store_is_named_and_what_is_to_be_held_is_held(graph: Any, tmp_path: Path
                                                                ) -> None:
    file = store_file(str(tmp_path))
    file.write_bytes(b'rubbish' * 1000)
    node, limits, _ = started(graph, tmp_path, on_timeout_amperage=6.0)
    assert limits[-1].amperage == 6.0
    health = node.health()[1]
    assert health.level is Level.ERROR
    assert f'{file}.corrupt-' in health.message
    assert set_amperage(graph, 16.0).code == 'OK'


def test_a_store_that_is_deleted_gets_the_limits_again(graph: Any, tmp_path: Path) -> None:
    started(graph, tmp_path)
    set_amperage(graph, 10.0)
    for path in tmp_path.iterdir():
        path.unlink()
    # seen with the next write, whoever makes it
    assert set_amperage(graph, 9.0).code == 'OK'
    assert stored(tmp_path)['amperage'] == 9.0


def test_power_follows_the_meter_and_the_phases(graph: Any, tmp_path: Path) -> None:
    _, limits, _ = started(graph, tmp_path, has_phase_shutoff=True)
    graph.ask(SET_LIMITS, set_power_limit=True, power_limit=4600.0)
    graph.until(lambda: limits[-1].amperage == pytest.approx(4600 / 759))
    graph.say(METER, MeterReading((240.0,) * 3, (0.0,) * 3))
    graph.until(lambda: limits[-1].amperage == pytest.approx(4600 / 720), within=0.5)
    graph.say(DECISION, Decision(phases=1))
    graph.until(lambda: limits[-1].amperage == pytest.approx(4600 / 240), within=0.5)


KILLED = """
import os, signal, sys
import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.parameter import Parameter
from charger_control.nodes.api import Api
from charger_control.core.api import SetLimits
rclpy.init(args=[])
node = Api(parameter_overrides=[Parameter('state_dir', value=sys.argv[1])])
executor = EventsExecutor()
executor.add_node(node)
request = __import__('charger_interfaces.srv', fromlist=['SetLimits']).SetLimits.Request()
request.set_amperage_limit, request.amperage_limit, request.client = True, 11.0, 'killed'
def answered(**fields):
    print(fields['code'], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
node._on_set_limits(request, answered)
while True:
    executor.spin_once(timeout_sec=0.1)
"""


def test_what_was_accepted_survives_kill_at_the_moment_of_the_answer(graph: Any, tmp_path: Path
                                                                    ) -> None:
    killed = subprocess.run([sys.executable, '-c', textwrap.dedent(KILLED), str(tmp_path)],
                            capture_output=True, text=True, timeout=60, check=False)
    assert (killed.stdout, killed.returncode) == ('OK\n', -9), killed.stderr
    _, limits, _ = started(graph, tmp_path)
    assert limits[-1].amperage == 11.0
    assert 'killed' in limits[-1].reason


def test_parameters_are_checked() -> None:
    assert check(PARAMS, {}, 'api')['store_timeout'] < 2.0  # clients of the bridge wait 2 s
    with pytest.raises(ParameterError, match='on_timeout_amperage'):
        check(PARAMS, {'on_timeout_amperage': 81.0}, 'api')
    with pytest.raises(ParameterError, match='phases'):
        check(PARAMS, {'phases': 4}, 'api')


def test_one_phase_is_refused_where_nothing_can_switch_to_it(graph: Any, tmp_path: Path) -> None:
    _, limits, documents = started(graph, tmp_path)
    answer = graph.ask(SET_LIMITS, set_one_phase_limit=True, one_phase_limit=True,
                       set_amperage_limit=True, amperage_limit=8.0)
    assert (answer.success, answer.code) == (False, 'NotSupported')
    assert 'has_phase_shutoff is false' in answer.message
    graph.until(lambda: len(documents) > 1)
    assert (limits[-1].phases, documents[-1].one_phase_limit) == (0, False)
    assert math.isnan(limits[-1].amperage)
