"""The bridge in a real graph: rclpy publishers and an api node that stand in for the others."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
import requests
import websocket
from rclpy.experimental import EventsExecutor
from rclpy.parameter import Parameter

from charger_control.bridges.graph import asking
from charger_control.bridges.web.node import PARAMS, BridgeNode, request_of
from charger_control.bridges.web.server.server import listen
from charger_control.core.api.types import SetLimits
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Charging, Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Configuration, Transaction
from charger_control.ros import interfaces
from charger_control.ros.convert import duration, seconds
from charger_control.ros.faults import EndProcessError, StartError
from charger_control.ros.node import Answer, BlockNode
from charger_control.ros.parameters import ParameterError, check
from charger_control.ros.runner import EXIT_CONFIG


class Others(BlockNode):
    """The rest of the graph, as far as the bridge hears it."""

    def __init__(self, namespace: str, context: rclpy.Context) -> None:
        super().__init__('others', (), namespace=namespace, context=context)
        self.asked: list[Any] = []
        self.silent = False
        self.say = {topic: self.publisher(topic) for topic in (
            interfaces.CHARGING, interfaces.METER, interfaces.CONTROL_PILOT, interfaces.DECISION,
            interfaces.LIMITS_DOCUMENT, interfaces.TRANSACTION, interfaces.CONFIGURATION)}
        self.amperage = 0.0
        self.serve(interfaces.SET_LIMITS, self._answer)
        self.every(1.0, self._repeat)
        self.every(10.0, self._step)

    def _repeat(self) -> None:
        self.say[interfaces.LIMITS_DOCUMENT](Limits(amperage_limit=10.0, expires_in=300.0))
        self.say[interfaces.TRANSACTION](Transaction(state='Charging'))
        self.say[interfaces.CONFIGURATION](Configuration('home', 'garage', 'id', 16.0))
        self.say[interfaces.DECISION](Decision(reason='because'))

    def _step(self) -> None:
        self.say[interfaces.METER](MeterReading((230.0,) * 3, (8.0,) * 3))
        self.say[interfaces.CONTROL_PILOT](ControlPilot('C', 'C2', 16.0))
        self.say[interfaces.CHARGING](Charging(commanded_amperage=self.amperage))

    def _answer(self, request: Any, reply: Answer) -> None:
        self.asked.append(request)
        if self.silent:
            return
        if request.set_amperage_limit and request.amperage_limit == 66.0:
            reply(success=False, code='StoreFailed', message='disk full')
        else:
            reply(success=True, code='OK', message='')


class Supply(BlockNode):
    """In the place of a team's vcse node."""

    def __init__(self, namespace: str, context: rclpy.Context) -> None:
        super().__init__('vcse', (), namespace=namespace, context=context)
        self.asked: list[Any] = []
        self._say = self.publisher(interfaces.VCSE_BUDGET)
        self.serve(interfaces.SET_DIMMING, self._answer)
        self.every(10.0, lambda: self._say(TeamBudget('team', (16.0,) * 3, 10.0, 'not dimmed')))

    def _answer(self, request: Any, reply: Answer) -> None:
        self.asked.append(request)
        reply(success=True, code='OK', message='', timeout=duration(120.0))


class Graph:
    """A bridge and the others on one executor, turned by a thread."""

    def __init__(self, namespace: str = '/charger', chargers: tuple[str, ...] = ()) -> None:
        self.context = rclpy.Context()
        self.context.init(args=[])
        self.bridge = BridgeNode(
            namespace=namespace, context=self.context, parameter_overrides=[
                Parameter('port', value=0),
                *([Parameter('chargers', value=list(chargers))] if chargers else [])])
        self.every = [Others(f'/{name}', self.context) for name in chargers] or [
            Others(namespace, self.context)]
        self.others = self.every[0]
        self.supply = Supply(namespace, self.context)
        self.executor = EventsExecutor(context=self.context)
        for node in (self.bridge, *self.every, self.supply):
            self.executor.add_node(node)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self) -> None:
        while not self._ended.is_set():
            self.executor.spin_once(timeout_sec=0.1)

    @property
    def url(self) -> str:
        return self.bridge.web.url

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self.bridge.close()
        self.context.try_shutdown()


@pytest.fixture(scope='module')
def graph() -> Iterator[Graph]:
    one = Graph()
    try:
        until(lambda: requests.get(one.url + '/api/v1/health', timeout=5).json()['status'] == 'ok')
        yield one
    finally:
        one.end()


@pytest.fixture
def depot() -> Iterator[Graph]:
    one = Graph('/depot', ('cp01', 'cp02', 'hall/cp03'))
    try:
        until(lambda: all(c['status'] == 'ok' for c in requests.get(
            one.url + '/api/v1/chargers', timeout=5).json()['chargers']))
        yield one
    finally:
        one.end()


def until(condition: Callable[[], Any], within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, 'it did not come about'
        time.sleep(0.02)


def test_every_document_comes_from_its_topic(graph: Graph) -> None:
    def get(name: str) -> Any:
        return requests.get(f'{graph.url}/api/v1/{name}', timeout=5).json()

    assert get('charging')['commandedAmperage'] == 0.0
    assert get('limits')['amperageLimit'] == 10.0
    assert get('transaction')['state'] == 'Charging'
    assert get('transaction')['vehicleStatus'] == 'C'
    assert get('configuration')['controllerName'] == 'garage'
    assert get('health')['decision']['reason'] == 'because'


def test_a_message_reaches_a_client_as_a_frame(graph: Graph) -> None:
    client = websocket.create_connection(graph.url.replace('http', 'ws') + '/api/ws', timeout=5)
    graph.others.amperage = 13.25
    until(lambda: '"commandedAmperage":13.25' in client.recv(), 2.0)
    start, frames = time.monotonic(), 0
    while time.monotonic() - start < 1.0:
        frames += '"charging"' in client.recv()
    assert 8 <= frames <= 12, '10 a second, and 2 that the machine held up'
    client.close()


def test_limits_reach_the_api_node(graph: Graph) -> None:
    graph.others.asked.clear()
    url = graph.url + '/api/v1/limits'
    body = '{"amperageLimit": NaN, "timeout": 1500, "enabled": null, "onePhaseLimit": true}'
    assert requests.put(url, data=body, timeout=5).status_code == 204
    request, = graph.others.asked
    assert (request.set_amperage_limit, request.amperage_limit != request.amperage_limit) == (
        True, True)
    assert (request.set_timeout, seconds(request.timeout)) == (True, 1.5)
    assert (request.set_enabled, request.give_enabled_back) == (True, True)
    assert (request.set_one_phase_limit, request.one_phase_limit) == (True, True)
    assert not request.set_power_limit
    assert request.client == '127.0.0.1 (REST)'
    refused = requests.put(url, data='{"amperageLimit": 66}', timeout=5)
    assert (refused.status_code, refused.json()['error']['detail']) == (507, 'disk full')


def test_many_writers_at_once(graph: Graph) -> None:
    graph.others.asked.clear()
    results: list[int] = []

    def write(amperage: int) -> None:
        with requests.Session() as session:
            body = f'{{"amperageLimit": {amperage}}}'
            results.extend(session.put(graph.url + '/api/v1/limits', timeout=5,
                                       data=body).status_code for _ in range(10))

    threads = [threading.Thread(target=write, args=(6 + i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [204] * 80
    assert len(graph.others.asked) == 80


def test_an_api_node_that_hangs(graph: Graph) -> None:
    graph.others.silent = True
    try:
        start = time.monotonic()
        answer = requests.put(graph.url + '/api/v1/limits', data='{"enabled": true}', timeout=5)
        assert asking.DEADLINE <= time.monotonic() - start < asking.DEADLINE + 0.5
        assert (answer.status_code, answer.json()['error']['code']) == (503, 'NoAnswer')
    finally:
        graph.others.silent = False
    until(lambda: requests.put(graph.url + '/api/v1/limits', data='{"enabled": true}',
                               timeout=5).status_code == 204)


def test_health_for_diagnostics(graph: Graph) -> None:
    assert requests.put(graph.url + '/api/v1/limits', data='{"enabled": true}',
                        timeout=5).status_code == 204
    health, = graph.bridge.health()
    assert health.message == 'OK'
    assert health.values['url'] == graph.url
    assert health.values['limits written'] >= 1


def test_a_web_side_that_fails_ends_the_process(graph: Graph,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    assert not graph.bridge.web.failed
    graph.bridge._look()
    with monkeypatch.context() as patch:
        patch.setattr(type(graph.bridge.web), 'running', False)
        with pytest.raises(EndProcessError, match='web server'):   # which the runner lets through
            BridgeNode._look(graph.bridge)


def test_bad_configuration_is_a_parameter_error(graph: Graph) -> None:
    with listen('127.0.0.1', 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f'127.0.0.1:{port}'):  # it may be free later
            BridgeNode(namespace='/other', context=graph.context,
                       parameter_overrides=[Parameter('port', value=port)])
    with pytest.raises(ParameterError, match='credentials'):
        BridgeNode(namespace='/other', context=graph.context, parameter_overrides=[
            Parameter('port', value=0), Parameter('host', value='0.0.0.0')])
    with pytest.raises(ParameterError, match=r'bridge\.auth'):
        BridgeNode(namespace='/other', context=graph.context,
                   parameter_overrides=[Parameter('auth', value='off')])


def test_every_parameter_has_words_and_a_default() -> None:
    assert check(PARAMS, {}, 'bridge')['host'] == '127.0.0.1'
    assert all(param.about for param in PARAMS)
    assert not [p.name for p in PARAMS if 'password' in p.name or 'secret' in p.name]


def test_request_of_sets_every_field() -> None:
    change = SetLimits(True, False, False, True, 10.0, True, 2000.0, True, 60.0, True, True, True,
                       True, 'me')
    request = request_of(change)
    for name in SetLimits.__slots__:
        value = getattr(request, name)
        assert (seconds(value) if name == 'timeout' else value) == getattr(change, name)


def test_a_heartbeat_reaches_the_vcse_node(graph: Graph) -> None:
    url = graph.url + '/api/v1/vcse/dimming'
    until(lambda: requests.get(url, timeout=5).status_code == 200)
    assert requests.put(url, data='{"power": 4200}', timeout=5).json() == {'timeout': 120_000}
    asked, = graph.supply.asked
    assert (asked.power, asked.client) == (4200.0, '127.0.0.1 (REST)')
    assert requests.get(url, timeout=5).json()['reason'] == 'not dimmed'


def test_chargers_of_several_namespaces(depot: Graph) -> None:
    names = ('cp01', 'cp02', 'hall.cp03')
    for number, others in enumerate(depot.every):
        others.amperage = 10.0 + number

    def commanded(name: str) -> float:
        answer = requests.get(f'{depot.url}/api/v1/chargers/{name}/charging', timeout=5)
        return float(answer.json()['commandedAmperage'])

    until(lambda: [commanded(name) for name in names] == [10.0, 11.0, 12.0])
    for number, name in enumerate(names):
        url = f'{depot.url}/api/v1/chargers/{name}'
        assert requests.put(f'{url}/limits', data=f'{{"amperageLimit": {6 + number}}}',
                            timeout=5).status_code == 204
        client = websocket.create_connection(url.replace('http', 'ws') + '/ws', timeout=5)
        until(lambda c=client, n=number: f'"commandedAmperage":{10 + n}' in c.recv())
        client.close()
    assert [[r.amperage_limit for r in others.asked] for others in depot.every] == [
        [6.0], [7.0], [8.0]]
    assert requests.put(f'{depot.url}/api/v1/vcse/dimming', data='{"power": null}',
                        timeout=5).status_code == 200
    health, = depot.bridge.health()
    assert (health.message, health.values['limits written']) == ('OK', 3)


@pytest.mark.parametrize('chargers', [['cp01', '/cp01'], ['cp 1'], [''], ['a' * 65]])
def test_chargers_that_cannot_be_served(graph: Graph, chargers: list[str]) -> None:
    with pytest.raises(ParameterError, match=r'bridge\.chargers'):
        BridgeNode(namespace='/other', context=graph.context, parameter_overrides=[
            Parameter('port', value=0), Parameter('chargers', value=chargers)])


def test_the_process_from_start_to_good_bye() -> None:
    bridge = subprocess.Popen(
        [sys.executable, '-m', 'charger_control.bridges.web.node', '--ros-args', '-p', 'port:=0'],
        stderr=subprocess.PIPE, text=True)
    try:
        assert bridge.stderr is not None
        line = next(line for line in bridge.stderr if 'serving' in line)
        url, = re.findall(r'serving (http://127\.0\.0\.1:\d+)/', line)
        assert requests.get(url + '/api/v1/charging', timeout=5).status_code == 503
        client = websocket.create_connection(url.replace('http', 'ws') + '/api/ws', timeout=5)
        bridge.send_signal(signal.SIGTERM)
        code = None
        while code is None:
            opcode, frame = client.recv_data_frame(True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                code = int.from_bytes(frame.data[:2], 'big')
        assert code == 1001
        assert bridge.wait(5.0) == 0
    finally:
        bridge.kill()
        bridge.communicate()


def test_the_process_that_must_not_start() -> None:
    bridge = subprocess.run(
        [sys.executable, '-m', 'charger_control.bridges.web.node', '--ros-args', '-p', 'port:=0',
         '-p', 'host:=0.0.0.0'], capture_output=True, text=True, timeout=30, check=False)
    assert bridge.returncode == EXIT_CONFIG
    assert 'no credentials' in bridge.stderr
    assert 'Traceback' not in bridge.stderr
    assert len(bridge.stderr.splitlines()) == 1
