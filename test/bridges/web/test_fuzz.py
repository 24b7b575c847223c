"""Requests, headers and frames that nobody should send: no 500, no hang, and others go on."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charger_control.bridges.web.access import gate as gate_module
from charger_control.bridges.web.access.credentials import ENVIRONMENT, hash_secret

STATUS_LINE = re.compile(rb'HTTP/1\.1 (\d{3}) ')
ALLOWED = {101, 200, 204, 308, 400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 416, 426, 429,
           503}
short = settings(max_examples=120, deadline=None, database=None,
                 suppress_health_check=list(HealthCheck))

paths = st.sampled_from(['/', '/api/v1/limits', '/api/v1/charging', '/api/v1/profiles',
                         '/api/v1/transaction', '/api/v1/vcse/dimming', '/api/ws', '/api/docs',
                         '/chargers/charger/api/v1/limits', '/api/v1/chargers/charger/profiles',
                         '/api/v1/composite-schedule', '/static/page.js']) | st.text(
    st.characters(min_codepoint=33, max_codepoint=255), max_size=30).map(lambda text: '/' + text)
methods = st.sampled_from(['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'x'])
names = st.sampled_from(['Host', 'Origin', 'Authorization', 'Content-Type', 'Connection', 'Upgrade',
                         'Expect', 'Range', 'If-None-Match', 'If-Modified-Since', 'Cookie',
                         'Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Accept-Encoding',
                         'Content-Length', 'Transfer-Encoding', 'X-Forwarded-For'])
values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40) | st.sampled_from(
    ['websocket', 'Upgrade', 'close', 'chunked', '0', '-1', '100-continue', 'bytes=0-', 'null'])
plain = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                         st.sampled_from(['power', 'amperageLimit', 'csChargingProfiles',
                                          'chargingProfile', 'ocppTransactionId', 'evseId', 'x']),
                         inner, max_size=3), max_leaves=6)
bodies = st.binary(max_size=60) | plain.map(lambda value: json.dumps(value).encode())


@pytest.fixture(scope='module')
def fuzzed(serve_long: Callable[..., Any]) -> Any:
    one = serve_long()
    one.hear_all()
    return one


def statuses(port: int, data: bytes) -> list[int]:
    """Of all answers to what was sent; the server has to end the connection in time."""
    with socket.create_connection(('127.0.0.1', port), timeout=5) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            found = b''
            while part := sock.recv(65536):
                found += part
        except (ConnectionError, OSError) as error:
            assert not isinstance(error, TimeoutError), f'no end within 5 s: {data!r}'
            return []
        return [int(status) for status in STATUS_LINE.findall(found)]


def goes_on(one: Any) -> None:
    one.hear_all()
    assert statuses(one.web.port, b'GET /api/v1/charging HTTP/1.1\r\nHost: localhost\r\n\r\n') == [
        200]


@short
@given(methods, paths, st.dictionaries(names, values, max_size=4), bodies)
def test_requests(fuzzed: Any, method: str, path: str, headers: dict[str, str], body: bytes
                  ) -> None:
    head = {'Host': 'localhost', 'Content-Length': str(len(body)), **headers}
    lines = [f'{method} {path} HTTP/1.1', *(f'{name}: {value}' for name, value in head.items())]
    data = '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + body
    assert set(statuses(fuzzed.web.port, data)) <= ALLOWED
    goes_on(fuzzed)


@short
@given(st.binary(max_size=200))
def test_bytes_that_are_no_request(fuzzed: Any, data: bytes) -> None:
    assert set(statuses(fuzzed.web.port, data)) <= ALLOWED
    goes_on(fuzzed)


@short
@given(st.sampled_from(['/api/v1/limits', '/api/v1/transaction', '/api/v1/vcse/dimming']), bodies)
def test_bodies(fuzzed: Any, path: str, body: bytes) -> None:
    data = (f'PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n'
            ).encode() + body
    status, *more = statuses(fuzzed.web.port, data)
    assert status in (200, 204, 400)
    assert set(more) <= {400}, 'of what followed the body'


lengths = st.integers(0, 2**63 - 1) | st.sampled_from([0, 125, 126, 65535, 65536, 2**32])


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A WebSocket frame, more or less."""
    first = draw(st.integers(0, 255) | st.sampled_from([0x81, 0x01, 0x80, 0x82, 0x88, 0x89, 0x8a]))
    payload = draw(st.binary(max_size=150) | st.sampled_from(
        [b'setCurrentLimit\n8', b'setEnabled\ntrue', b'\x03\xe8', b'x\n' * 60]))
    claimed = draw(st.just(len(payload)) | lengths)
    masked = draw(st.sampled_from([0x80, 0x80, 0x80, 0]))
    head = struct.pack('!BB', first, masked | min(claimed, 125 if claimed < 126 else 127))
    if claimed >= 126:
        head += struct.pack('!Q', claimed)
    return head + (b'\0\0\0\0' if masked else b'') + payload


UPGRADE = (b'GET /api/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n'
           b'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
           b'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')


@short
@given(st.lists(frames() | st.binary(max_size=30), min_size=1, max_size=5))
def test_frames(fuzzed: Any, sent: list[bytes]) -> None:
    assert statuses(fuzzed.web.port, UPGRADE + b''.join(sent))[:1] == [101]
    goes_on(fuzzed)


def test_nobody_is_left_behind(fuzzed: Any) -> None:
    """After all of it no client is kept whose connection has ended."""
    frames_ = fuzzed.connect()
    frames_.next('charging')
    assert len(fuzzed.web.fanouts[0].clients) == 1


@short
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)
       | st.binary(max_size=40).map(lambda data: 'Basic ' + data.hex()))
def test_authorization_headers(guarded: Any, given_: str) -> None:
    data = (f'GET /api/v1/charging HTTP/1.1\r\nHost: localhost\r\nAuthorization: {given_}\r\n\r\n'
            ).encode('latin-1')
    assert set(statuses(guarded.web.port, data)) <= {400, 401}


@pytest.fixture(scope='module')
def guarded(serve_long: Callable[..., Any]) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate_module, 'FAILURE_BURST', 1e9)
        patch.setenv(ENVIRONMENT, f'ann read {hash_secret("secret", (16, 8, 1))}')
        yield serve_long()
