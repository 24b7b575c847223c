"""evcc, as far as it is on the wire: what charger/pulsatrix.go of evcc does, step by step.

Dial without compression or Origin; ``setEnabled false`` first; a reader with 10 s for a frame; one
record into which the messages of all topics are merged, nulls leaving what was there; the record
is good for 15 s after any frame; ``setEnabled`` again every 3 minutes; a reader that fails
connects again.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket

from charger_control.bridges.graph.asking import Answer
from charger_control.core.api.types import SetLimits
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Charging

READ_TIMEOUT = 10.0
DATA_TIMEOUT = 15.0
SYNC_TRIES = 3


class Evcc:
    """The charger implementation of evcc, on the wire."""

    def __init__(self, url: str, pause: float = 1.0) -> None:
        self.uri = url.replace('http', 'ws') + '/api/ws'
        self.pause = pause   # evcc waits 1 s before it connects again
        self.record: dict[str, Any] = {'vehicleStatus': '', 'lastActivePower': 0.0,
                                       'voltage': [0.0] * 3, 'amperage': [0.0] * 3,
                                       'amperageLimit': 0.0, 'energyImported': 0.0}
        self.updated = -DATA_TIMEOUT
        self.connects = 0
        self.wanted = False   # what evcc believes of `enabled`
        self._ended = threading.Event()
        self.connect()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def connect(self) -> None:
        self.socket = websocket.create_connection(self.uri, timeout=READ_TIMEOUT,
                                                  suppress_origin=True)
        self.connects += 1
        for _ in range(SYNC_TRIES):
            try:
                self.enable(False)
            except OSError:
                continue
            return

    def _read(self) -> None:
        while not self._ended.is_set():
            try:
                opcode, data = self.socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    raise OSError('closed')
            except (OSError, websocket.WebSocketException):
                self._reconnect()
                continue
            if opcode == websocket.ABNF.OPCODE_TEXT:
                self._merge(data.replace(b':NaN', b':null'))

    def _merge(self, data: bytes) -> None:
        message = json.loads(data)['message']
        for name, before in self.record.items():
            value = message.get(name)
            if value is None:
                continue
            assert isinstance(value, type(before)) or (
                isinstance(before, float) and isinstance(value, int)), (name, value)
            if isinstance(value, list):
                value = [b if v is None else v for b, v in zip(before, value, strict=True)]
            self.record[name] = value
        self.updated = time.monotonic()

    def _reconnect(self) -> None:
        while not self._ended.wait(self.pause):
            try:
                self.connect()
            except (OSError, websocket.WebSocketException):
                continue
            return

    def status(self) -> str:
        assert time.monotonic() - self.updated < DATA_TIMEOUT, 'outdated'
        return str(self.record['vehicleStatus'])

    def enable(self, on: bool) -> None:
        self.socket.send(f'setEnabled\n{str(on).lower()}')
        self.wanted = on

    def heartbeat(self) -> None:
        """What the 3 minute ticker does."""
        self.enable(self.wanted)

    def max_current(self, amperage: float) -> None:
        self.socket.send(f'setCurrentLimit\n{amperage:g}')

    def phases(self, count: int) -> None:
        self.socket.send(f'set1p3p\n{str(count == 1).lower()}')

    def end(self) -> None:
        self._ended.set()
        self.socket.sock.shutdown(socket.SHUT_RDWR)   # wakes the reader
        self._reader.join()


def until(condition: Callable[[], Any], within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, 'it did not come about'
        time.sleep(0.01)


@pytest.fixture
def evcc(served: Any) -> Any:
    """evcc, against a charger whose api node keeps what it is told."""
    kept = Limits()

    def obey(change: SetLimits) -> Answer:
        nonlocal kept
        kept = Limits(
            change.enabled if change.set_enabled else kept.enabled,
            change.amperage_limit if change.set_amperage_limit else kept.amperage_limit,
            expires_in=300.0,
            one_phase_limit=(change.one_phase_limit if change.set_one_phase_limit
                             else kept.one_phase_limit))
        served.state.put('limits', kept)
        return Answer(True, 'OK', '')

    served.answer = obey
    client = Evcc(served.url, pause=0.1)
    until(lambda: client.updated > 0)
    yield client
    client.end()


def sent(served: Any, name: str) -> list[Any]:
    return [getattr(c, name) for c in served.written if getattr(c, f'set_{name}')]


def test_connect_and_sync(served: Any, evcc: Evcc) -> None:
    until(lambda: served.written)
    assert served.written[0].set_enabled, 'the first thing it says'
    assert sent(served, 'enabled') == [False]
    until(lambda: evcc.record['vehicleStatus'] == 'C' and evcc.record['energyImported'])
    assert evcc.status() == 'C'
    assert evcc.record == {
        'vehicleStatus': 'C', 'lastActivePower': 2036.600098,
        'voltage': [234.160507, 234.081802, 234.205261], 'amperage': [8.13, 8.2, 8.09],
        'amperageLimit': 0.0, 'energyImported': 0.308}


def test_current_phases_and_heartbeat(served: Any, evcc: Evcc) -> None:
    evcc.enable(True)
    for amperage in (6, 16, 8.5, 13.333333):
        evcc.max_current(amperage)
    evcc.phases(1)
    evcc.phases(3)
    evcc.heartbeat()
    until(lambda: len(served.written) == 9)
    assert sent(served, 'enabled') == [False, True, True]
    assert sent(served, 'amperage_limit') == [6.0, 16.0, 8.5, 13.3333]
    assert sent(served, 'one_phase_limit') == [True, False]
    until(lambda: evcc.record['amperageLimit'] == 13.3333)


def test_current_power_follows(served: Any, evcc: Evcc) -> None:
    served.state.put('charging', Charging((230.0,) * 3, (16.0, 0.0, 0.0), frequency=50.0,
                                          energy_imported=1.5, last_active_power=3680.0))
    until(lambda: evcc.record['lastActivePower'] == 3680.0)
    assert evcc.record['amperage'] == [16.0, 0.0, 0.0]


@pytest.mark.parametrize('letter', list('ABCDEF'))
def test_every_vehicle_status(served: Any, evcc: Evcc, letter: str) -> None:
    served.state.put('control_pilot', ControlPilot(letter, letter + '1', 0.0))
    until(lambda: evcc.status() == letter)


def test_dead_graph_is_an_error_not_a_silence(served: Any, evcc: Evcc) -> None:
    until(lambda: evcc.record['vehicleStatus'] == 'C')
    served.clock.advance(30.0)
    until(lambda: evcc.status() == 'F')
    for _ in range(3):   # a silence of 10 s would make it connect again and stop the vehicle
        before = evcc.updated
        until(lambda b=before: evcc.updated > b, 5.0)
    assert evcc.connects == 1
    assert sent(served, 'enabled') == [False]
    served.hear_all()
    until(lambda: evcc.status() == 'C')


def test_api_node_away_does_not_end_the_connection(served: Any, evcc: Evcc) -> None:
    until(lambda: served.written)
    served.silent = True
    evcc.max_current(10)
    evcc.max_current(11)
    time.sleep(0.1)
    served.silent = False
    before = evcc.updated
    served.state.put('charging', Charging(frequency=50.5))
    until(lambda: evcc.updated > before)
    assert evcc.connects == 1


def test_bridge_restart(served: Any, evcc: Evcc) -> None:
    until(lambda: evcc.record['vehicleStatus'] == 'C')
    port = served.web.port
    served.web.close()
    served.start(port=port)   # the same port, at once
    until(lambda: evcc.connects == 2)
    until(lambda: len(sent(served, 'enabled')) == 2)
    assert sent(served, 'enabled') == [False, False]
    served.state.put('control_pilot', ControlPilot('B', 'B1', 0.0))
    until(lambda: evcc.status() == 'B')
    evcc.max_current(12)
    until(lambda: evcc.record['amperageLimit'] == 12.0)
