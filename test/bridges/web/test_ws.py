"""The WebSocket over a real connection to the real server."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket

from charger_control.bridges.graph.asking import Answer
from charger_control.bridges.web.routes import ws
from charger_control.bridges.web.server import fanout
from charger_control.bridges.web.server.fanout import text_frame
from charger_control.core.api.types import SetLimits
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Charging


def counted(one: Any) -> Callable[[], int]:
    """How many charging frames were published; call to publish another."""
    count = 0

    def publish() -> int:
        nonlocal count
        count += 1
        one.state.put('charging', Charging(frequency=float(count)))
        return count

    return publish


def eventually(condition: Callable[[], Any], within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, 'it did not come about'
        time.sleep(0.005)


def test_snapshot_of_each_within_200_ms(served: Any) -> None:
    start = time.monotonic()
    frames = served.connect()
    found: dict[str, Any] = {}
    while set(found) != {'charging', 'transaction', 'configuration', 'limits'}:
        frame = frames.socket.recv()
        found[frame.split('"')[3]] = frame
    assert time.monotonic() - start < 0.2
    for topic, frame in found.items():
        body = served.get(f'/api/v1/{topic}').text
        assert frame == f'{{"topic":"{topic}","message":{body}}}', 'the same object as REST'


def test_a_published_value_arrives_at_once(served: Any) -> None:
    frames = served.connect()
    frames.next('charging')
    publish, delays = counted(served), []
    for _ in range(20):
        start = time.monotonic()
        expected = publish()
        frames.next('charging', lambda m, e=expected: m['frequency'] == e)
        delays.append(time.monotonic() - start)
        time.sleep(max(0.0, 0.1 - delays[-1]))
    assert sorted(delays)[10] < 0.03


def test_ten_a_second(serve: Callable[..., Any]) -> None:
    one = serve()
    frames, publish = one.connect(), counted(one)
    got: list[float] = []
    stop = threading.Event()

    def graph() -> None:
        while not stop.wait(0.1):
            publish()

    thread = threading.Thread(target=graph)
    thread.start()
    deadline = time.monotonic() + 2.0
    while time.monotonic() < deadline:
        got.append(frames.next('charging')['frequency'] or 0.0)
    stop.set()
    thread.join()
    values = [v for v in got if v]
    assert 18 <= len(values) <= 21
    assert values == list(range(int(values[0]), int(values[-1]) + 1)), 'none left out'


def test_changes_come_once(served: Any) -> None:
    frames = served.connect()
    frames.next('charging')
    served.state.put('limits', Limits(amperage_limit=10.0, expires_in=300.0))
    assert frames.next('limits', lambda m: m['amperageLimit'])['amperageLimit'] == 10
    served.state.put('control_pilot', ControlPilot('A', 'A1', 0.0))
    assert frames.next('transaction', lambda m: m['vehicleStatus'] != 'C')['vehicleStatus'] == 'A'
    served.state.put('limits', Limits(amperage_limit=10.0, expires_in=299.9))
    served.state.put('limits', Limits(amperage_limit=12.0, expires_in=300.0))
    assert frames.next('limits')['amperageLimit'] == 12


def test_dead_graph_frames_go_on_and_say_f(served: Any) -> None:
    frames = served.connect()
    frames.next('charging')
    served.clock.advance(3.0)
    assert frames.next('transaction', lambda m: m['vehicleStatus'] == 'F')
    for _ in range(3):   # as long as it lasts
        assert frames.next('charging', within=1.5)['commandedAmperage'] is None
        served.clock.advance(1.0)
    served.hear_all()
    assert frames.next('transaction', lambda m: m['vehicleStatus'] == 'C')
    assert frames.next('charging', lambda m: m['commandedAmperage'])


# -- commands -------------------------------------------------------------------------------------
@pytest.mark.parametrize(('command', 'name', 'value'), [
    ('setEnabled\nfalse', 'enabled', False), ('setCurrentLimit\n8.5', 'amperage_limit', 8.5),
    ('setPowerLimit\n10000', 'power_limit', 10000.0), ('setTimeout\n10000', 'timeout', 10.0),
    ('setOnePhaseLimit\ntrue', 'one_phase_limit', True),
    ('setOnePhaseLimitActive\ntrue', 'one_phase_limit', True),
    ('set1p3p\ntrue', 'one_phase_limit', True), ('setPhaseRotation\ntrue', 'phase_rotation', True),
])
def test_commands_reach_the_api_node(served: Any, command: str, name: str, value: Any) -> None:
    frames = served.connect()
    frames.send(command)
    eventually(lambda: served.written)
    change, = served.written
    assert getattr(change, f'set_{name}') is True
    assert getattr(change, name) == value
    assert sum(getattr(change, f) is True for f in SetLimits.__slots__ if f[:4] == 'set_') == 1
    assert change.client == '127.0.0.1 (WebSocket)'


BAD_FRAMES: list[tuple[bytes | str, int, str]] = [
    ('', websocket.ABNF.OPCODE_TEXT, 'UnknownCommand'),
    ('nonsense', websocket.ABNF.OPCODE_TEXT, 'UnknownCommand'),
    ('{"amperageLimit": 10}', websocket.ABNF.OPCODE_TEXT, 'UnknownCommand'),
    ('setCurrentLimit', websocket.ABNF.OPCODE_TEXT, 'NoValue'),
    ('setCurrentLimit\nabc', websocket.ABNF.OPCODE_TEXT, 'OutOfRange'),
    ('setCurrentLimit\n1e308', websocket.ABNF.OPCODE_TEXT, 'OutOfRange'),
    ('setCurrentLimit\nInfinity', websocket.ABNF.OPCODE_TEXT, 'OutOfRange'),
    ('setCurrentLimit\n-1', websocket.ABNF.OPCODE_TEXT, 'OutOfRange'),
    ('setCurrentLimit\n' + '[' * 4000, websocket.ABNF.OPCODE_TEXT, 'OutOfRange'),
    ('setEnabled\n1', websocket.ABNF.OPCODE_TEXT, 'OutOfRange'),
    (b'setCurrentLimit\n10', websocket.ABNF.OPCODE_BINARY, 'Binary'),
    (b'\x00' * 100, websocket.ABNF.OPCODE_BINARY, 'Binary'),
    ('setCurrentLimit\n10' + ' ' * 5000, websocket.ABNF.OPCODE_TEXT, 'TooLong'),
    (b'x' * 500_000, websocket.ABNF.OPCODE_BINARY, 'TooLong'),
]


@pytest.mark.parametrize(('data', 'opcode', 'code'), BAD_FRAMES,
                         ids=[f'{b[2]}-{b[0][:20]!r}' for b in BAD_FRAMES])
def test_bad_frames_get_an_error_and_the_connection_stays(served: Any, data: bytes | str,
                                                          opcode: int, code: str) -> None:
    frames = served.connect()
    frames.socket.send(data, opcode)
    error = frames.next('error')
    assert error['code'] == code
    assert error['detail']
    assert served.written == []
    frames.send('setEnabled\ntrue')
    eventually(lambda: served.written)


def test_a_fragmented_command(served: Any) -> None:
    frames = served.connect()
    for part, opcode, last in (('setCurrent', 1, 0), ('Limit\n', 0, 0), ('9', 0, 1)):
        frames.socket.send_frame(websocket.ABNF(last, 0, 0, 0, opcode, 1, part))
    eventually(lambda: served.written)
    assert served.written[0].amperage_limit == 9.0


def test_an_endless_message_is_closed(served: Any) -> None:
    frames = served.connect()
    part = 'x' * 60_000
    frames.socket.send_frame(websocket.ABNF(0, 0, 0, 0, 1, 1, part))
    for _ in range(20):
        frames.socket.send_frame(websocket.ABNF(0, 0, 0, 0, 0, 1, part))
    assert frames.close_code() == ws.TOO_BIG
    assert served.written == []


def test_refusals_of_the_api_node_are_error_frames(served: Any) -> None:
    frames = served.connect()
    served.answer = lambda change: Answer(False, 'StoreFailed', 'disk full')
    frames.send('setCurrentLimit\n10')
    assert frames.next('error') == {'code': 'StoreFailed', 'detail': 'disk full'}


def test_commands_are_obeyed_in_order(served: Any) -> None:
    frames = served.connect()
    for amperage in range(6, 36):
        frames.send(f'setCurrentLimit\n{amperage}')
    eventually(lambda: len(served.written) == 30)
    assert [c.amperage_limit for c in served.written] == list(range(6, 36))


def test_a_flood_of_commands_is_refused_then_closed(served: Any) -> None:
    frames = served.connect()
    for _ in range(60):
        frames.send('setEnabled\ntrue')
    assert frames.next('error')['code'] == 'TooManyCommands'
    assert len(served.written) < 60
    served.clock.advance(10.0)   # patience comes back
    frames.send('setTimeout\n5000')
    eventually(lambda: any(change.set_timeout for change in served.written))
    for _ in range(1000):
        frames.send('setEnabled\ntrue')
    assert frames.close_code() == fanout.POLICY
    assert len(served.written) < 400


def test_a_flood_slows_nobody_else(served: Any) -> None:
    quiet, publish = served.connect(), counted(served)
    quiet.next('charging')
    with socket.create_connection(('127.0.0.1', served.web.port)) as flood:
        flood.sendall(HANDSHAKE)
        flood.recv(4096)
        # one endless message: every byte is read away
        flood.sendall(struct.pack('!BBQ', 0x81, 0xff, 10**12) + bytes(4))
        stop = threading.Event()

        def pour() -> None:
            try:
                while not stop.is_set():
                    flood.sendall(bytes(1 << 16))
            except OSError:
                return

        thread = threading.Thread(target=pour)
        thread.start()
        for _ in range(5):
            expected, start = publish(), time.monotonic()
            quiet.next('charging', lambda m, e=expected: m['frequency'] == e)
            assert time.monotonic() - start < 0.3
            time.sleep(0.1)
        stop.set()
        flood.shutdown(socket.SHUT_RDWR)
        thread.join()


# -- the connection itself ------------------------------------------------------------------------
HANDSHAKE = (b'GET /api/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n'
             b'Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
             b'Sec-WebSocket-Version: 13\r\n\r\n')


def test_compression_is_not_accepted(served: Any) -> None:
    frames = served.connect(header={'Sec-WebSocket-Extensions':
                                    'permessage-deflate; client_max_window_bits'})
    assert 'sec-websocket-extensions' not in frames.socket.getheaders()
    frames.next('charging')


@pytest.mark.parametrize('line', [b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
                                  b'Sec-WebSocket-Version: 13\r\n', b'Upgrade: websocket\r\n'])
def test_bad_handshakes_get_an_error(served: Any, line: bytes) -> None:
    with socket.create_connection(('127.0.0.1', served.web.port), timeout=5) as connection:
        connection.sendall(HANDSHAKE.replace(line, b''))
        answer = b''.join(iter(lambda: connection.recv(4096), b''))
    assert answer.split(b' ')[1] in (b'400', b'426')
    assert b'"error"' in answer


def test_ping_is_answered_and_a_deaf_client_is_dropped(served: Any) -> None:
    frames = served.connect()
    frames.socket.ping('hello')
    while True:
        opcode, frame = frames.socket.recv_data_frame(True)
        if opcode == websocket.ABNF.OPCODE_PONG:
            break
    assert frame.data == b'hello'
    side, = served.web.fanouts[0].clients
    served.clock.advance(3600.0)   # even a machine that slept asks before it drops anybody
    while True:   # recv_data_frame answers the ping
        opcode, frame = frames.socket.recv_data_frame(True)
        if opcode == websocket.ABNF.OPCODE_PING:
            break
    eventually(lambda: side._heard_at >= side._pinged_at)
    served.clock.advance(fanout.PING_PERIOD + 0.1)
    eventually(lambda: side._heard_at < side._pinged_at)   # pinged, and nobody reads here
    served.clock.advance(fanout.PONG_TIMEOUT + 0.1)
    eventually(lambda: side._closing_since is not None)
    served.clock.advance(fanout.CLOSE_TIMEOUT + 1.0)
    eventually(lambda: not served.web.fanouts[0].clients)
    assert frames.close_code() in (fanout.POLICY, 1006)


@pytest.mark.parametrize('path', ['/api/ws', '/api/ws/'])
def test_every_way_to_the_socket_is_bounded(serve: Callable[..., Any], path: str) -> None:
    one = serve(max_clients=1)
    url = one.url.replace('http', 'ws') + path
    offer = {'Sec-WebSocket-Extensions': 'permessage-deflate'}
    first = websocket.create_connection(url, timeout=5, header=offer)
    assert 'sec-websocket-extensions' not in first.getheaders()
    with pytest.raises(websocket.WebSocketBadStatusException):
        websocket.create_connection(url, timeout=5)
    first.shutdown()


def test_more_clients_than_allowed(serve: Callable[..., Any]) -> None:
    one = serve(max_clients=2)
    one.connect(), one.connect()
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        one.connect()
    assert refused.value.status_code == 503
    assert b'TooManyClients' in refused.value.resp_body
    one.opened[0].close()
    eventually(lambda: len(one.web.fanouts[0].clients) == 1)
    one.connect().next('limits')


def test_clients_are_told_when_the_bridge_ends(served: Any) -> None:
    clients = [served.connect() for _ in range(5)]
    for frames in clients:
        frames.next('charging')
    served.web.stop()
    assert [frames.close_code() for frames in clients] == [1001] * 5
    eventually(lambda: not served.web.running, 3.0)


def test_a_client_that_says_good_bye(served: Any) -> None:
    frames = served.connect()
    frames.next('charging')
    frames.socket.send_close(1000)
    assert frames.close_code() == 1000
    eventually(lambda: not served.web.fanouts[0].clients)


def test_text_that_is_not_utf_8_ends_the_connection(served: Any) -> None:
    frames = served.connect()
    frames.socket.send_frame(websocket.ABNF(1, 0, 0, 0, 1, 1, b'\xff\xfe'))
    assert frames.close_code() == 1007


# -- slow clients ---------------------------------------------------------------------------------
class Deaf:
    """A client that shakes hands and then reads nothing."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.connect(('127.0.0.1', port))
        self.socket.sendall(HANDSHAKE)
        self.socket.recv(200)

    def read(self) -> bytes:
        self.socket.settimeout(0.5)
        found = b''
        try:
            while part := self.socket.recv(65536):
                found += part
        except OSError:
            return found
        return found


@pytest.fixture
def deaf(serve: Callable[..., Any]) -> Any:
    """A fast server, one client that reads nothing, and the server's side of it, blocked."""
    one = serve(max_rate=1000.0)
    client = Deaf(one.web.port)
    eventually(lambda: one.web.fanouts[0].clients)
    side, = one.web.fanouts[0].clients
    publish = counted(one)
    deadline = time.monotonic() + 10.0
    while not (side.blocked and side.replaced > 20):
        assert time.monotonic() < deadline, 'the client never blocked'
        publish()
        time.sleep(0.0005)
    yield one, client, side, publish
    client.socket.close()


def test_a_client_that_stops_reading_keeps_only_the_latest(deaf: Any) -> None:
    _, client, side, publish = deaf
    assert len(side._values) <= 4
    assert len(side._control) <= fanout.WAITING_CONTROL
    last = publish()
    eventually(lambda: f'"frequency":{last}.0'.encode() in side._values.get('charging', b''))
    text = client.read()
    assert f'"frequency":{last}.0'.encode() in text, 'it gets the newest value'
    assert text.count(b'"frequency"') < last, 'and not all of the others'
    for chunk in text.split(text_frame(b'')[:1] + b'\x7e')[1:-1]:   # every frame is whole
        assert chunk[2:3] == b'{'
        assert chunk[-1:] == b'}'


def test_a_client_that_stops_reading_is_dropped_in_time(deaf: Any) -> None:
    one, client, side, _ = deaf
    assert not one.web.fanouts[0].frames_replaced
    one.clock.advance(fanout.SEND_TIMEOUT + 0.1)
    eventually(lambda: not one.web.fanouts[0].clients)
    assert one.web.fanouts[0].frames_replaced == side.replaced
    assert one.web.fanouts[0].clients_dropped == 1
    client.read()
    assert client.socket.recv(1) == b'', 'the connection is closed'


def test_a_client_that_stops_reading_slows_nobody(deaf: Any) -> None:
    one, _, side, publish = deaf
    frames = one.connect()
    delays = []
    for _ in range(50):
        expected, start = publish(), time.monotonic()
        frames.next('charging', lambda m, e=expected: m['frequency'] == e)
        delays.append(time.monotonic() - start)
    assert side.blocked
    assert sorted(delays)[45] < 0.05
    start = time.monotonic()
    assert one.get('/api/v1/charging').status_code == 200
    assert time.monotonic() - start < 0.5


def test_a_blocked_client_does_not_hold_the_end_up(deaf: Any) -> None:
    one, *_ = deaf
    start = time.monotonic()
    one.web.close()
    assert time.monotonic() - start < 2.5
    assert not one.web.running
