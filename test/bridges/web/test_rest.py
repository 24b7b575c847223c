"""REST over a real connection to the real server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
import requests

from charger_control.bridges.graph import asking
from charger_control.bridges.graph.asking import Answer
from charger_control.core.api.types import SetLimits
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.decision import Decision

DOCUMENTS = ('charging', 'configuration', 'transaction', 'limits')


def test_the_seeds_answer(served: Any) -> None:
    answer = served.get('/api/v1/charging')
    assert answer.status_code == 200
    assert answer.headers['Content-Type'] == 'application/json'
    assert answer.headers['Age'] == '0'
    assert answer.headers['Cache-Control'] == 'no-store'
    assert answer.json() == {
        'voltage': [234.160507, 234.081802, 234.205261], 'amperage': [8.13, 8.2, 8.09],
        'allocatedAmperage': 16, 'commandedAmperage': 16, 'availableAmperage': 18,
        'signaledAmperage': 18, 'frequency': 49.930336, 'energyImported': 0.308,
        'lastActivePower': 2036.600098}


def test_nothing_was_heard_yet(serve: Callable[..., Any]) -> None:
    one = serve()
    for document in DOCUMENTS:
        answer = one.get(f'/api/v1/{document}')
        assert answer.status_code == 503
        assert answer.json()['error']['code'] == 'NotKnown'
        assert 'not heard yet' in answer.json()['error']['detail']
        assert answer.headers['Retry-After'] == '1'


def test_silence_ages_then_is_unavailable(served: Any) -> None:
    served.clock.advance(4.0)
    answer = served.get('/api/v1/charging')
    assert (answer.status_code, answer.headers['Age']) == (200, '4')
    assert answer.json()['commandedAmperage'] is None
    assert served.get('/api/v1/transaction').json()['vehicleStatus'] == 'F'
    served.clock.advance(7.0)
    for document in DOCUMENTS:
        answer = served.get(f'/api/v1/{document}')
        assert answer.status_code == 503
        assert 'silent for 11 s' in answer.json()['error']['detail']
    served.hear_all()
    assert served.get('/api/v1/charging').json()['commandedAmperage'] == 16


def test_get_limits(served: Any) -> None:
    served.state.put('limits', Limits(False, 10.0, expires_in=100.0))
    found = served.get('/api/v1/limits').json()
    assert 99_000 < found.pop('expiresIn') <= 100_000
    assert found == {'enabled': False, 'amperageLimit': 10, 'powerLimit': None, 'timeout': 300000,
                     'onePhaseLimit': False, 'phaseRotation': False, 'persistent': True}


def test_put_asks_the_api_node_once_and_answers_204(served: Any) -> None:
    answer = served.put('{"amperageLimit": 10, "timeout": 60000}')
    assert (answer.status_code, answer.content) == (204, b'')
    change, = served.written
    assert change.client == '127.0.0.1 (REST)'
    assert (change.set_amperage_limit, change.amperage_limit) == (True, 10.0)
    assert (change.set_timeout, change.timeout) == (True, 60.0)
    assert not (change.set_enabled or change.set_power_limit or change.set_one_phase_limit)


@pytest.mark.parametrize('kind', ['application/json', 'application/x-www-form-urlencoded',
                                  'text/plain', 'multipart/form-data; boundary=x', None])
def test_any_content_type(served: Any, kind: str | None) -> None:
    assert served.put('{"enabled": NaN}', headers={'Content-Type': kind}).status_code == 204
    assert served.written[0].give_enabled_back


@pytest.mark.parametrize(('body', 'status', 'code'), [
    ('', 400, 'InvalidJson'), ('x=1', 400, 'InvalidJson'), ('[]', 400, 'NotAnObject'),
    ('{"amperageLimit": 99}', 400, 'OutOfRange'), ('{"amperageLimit": 1e308}', 400, 'OutOfRange'),
    ('{"amperageLimit": Infinity}', 400, 'OutOfRange'), ('{"foo": 1}', 400, 'UnknownField'),
    ('{"enabled": true, "timeout": -1}', 400, 'OutOfRange'), ('[' * 60000, 400, 'InvalidJson'),
    ('{"a":' * 10000, 400, 'InvalidJson'), (b'\x00\xff' * 100, 400, 'InvalidJson'),
    ('{"amperageLimit": 10' + ' ' * 65536 + '}', 413, 'TooLarge'),
    (b'x' * 2_000_000, 413, 'TooLarge'),
])
def test_bad_bodies_change_nothing(served: Any, body: str | bytes, status: int, code: str) -> None:
    answer = served.put(body)
    assert answer.status_code == status
    assert answer.json()['error']['code'] == code
    assert answer.headers['Content-Type'] == 'application/json'
    assert served.written == []
    assert served.put('{"enabled": true}').status_code == 204, 'the server goes on'


@pytest.mark.parametrize(('answer', 'status'), [
    (Answer(False, 'OutOfRange', 'amperage_limit = 99'), 400),
    (Answer(False, 'NothingSet', 'nothing'), 400),
    (Answer(False, 'NotSupported', 'cannot switch to one phase'), 409),
    (Answer(False, 'StoreFailed', 'disk full'), 507),
    (Answer(False, 'Whatever', 'it broke'), 500),
])
def test_refusals_of_the_api_node(served: Any, answer: Answer, status: int) -> None:
    served.answer = lambda change: answer
    got = served.put('{"amperageLimit": 10}')
    assert got.status_code == status
    assert got.json() == {'error': {'code': answer.code, 'detail': answer.message}}


def test_a_warning_is_an_answer(served: Any) -> None:
    served.answer = lambda change: Answer(True, 'UntilRestart', 'holds until restart')
    got = served.put('{"amperageLimit": 10}')
    assert (got.status_code, got.json()) == (200, {'warning': 'holds until restart'})


def test_no_answer_is_503_within_its_time(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asking.DEADLINE == 2.0
    monkeypatch.setattr(asking, 'DEADLINE', 0.3)
    served.silent = True
    start = time.monotonic()
    answer = served.put('{"amperageLimit": 10}')
    assert 0.3 <= time.monotonic() - start < 1.0
    assert answer.status_code == 503
    assert answer.json()['error']['code'] == 'NoAnswer'
    assert served.put('{"amperageLimit": 10}').json()['error']['code'] == 'Busy', 'fails at once'
    assert served.get('/api/v1/charging').status_code == 200
    served.silent = False
    served.clock.advance(asking.COOL_DOWN)
    assert served.put('{"amperageLimit": 10}').status_code == 204


def test_an_api_node_that_is_just_starting_is_waited_for(served: Any) -> None:
    asked: list[SetLimits] = []

    def starting(change: SetLimits) -> Answer | None:
        asked.append(change)
        return Answer(True, 'OK', '') if len(asked) == 3 else None

    served.answer = starting
    assert served.put('{"amperageLimit": 10}').status_code == 204
    assert len(asked) == 3


def test_no_api_node_at_all(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, 'DEADLINE', 0.3)
    served.answer = lambda change: None
    answer = served.put('{"amperageLimit": 10}')
    assert (answer.status_code, answer.json()['error']['code']) == (503, 'NotRunning')


def test_a_slow_write_holds_nobody_up(served: Any) -> None:
    served.silent = True
    with socket.create_connection(('127.0.0.1', served.web.port), timeout=5) as slow:
        slow.sendall(b'PUT /api/v1/limits HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18\r\n\r\n'
                     b'{"enabled": false}')
        start = time.monotonic()
        assert served.get('/api/v1/charging').status_code == 200
        assert time.monotonic() - start < 1.0


# -- HTTP -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(('method', 'path', 'status', 'code', 'allow'), [
    ('GET', '/api/v1/nothing', 404, 'NotFound', None),
    ('GET', '/api/v1/charging/x', 404, 'NotFound', None),
    ('GET', '/static/../app.py', 404, 'NotFound', None),
    ('GET', '/static/%2e%2e/app.py', 404, 'NotFound', None),
    ('POST', '/api/v1/charging', 405, 'MethodNotAllowed', {'GET', 'HEAD', 'OPTIONS'}),
    ('PUT', '/api/v1/charging', 405, 'MethodNotAllowed', {'GET', 'HEAD', 'OPTIONS'}),
    ('POST', '/api/v1/limits', 405, 'MethodNotAllowed', {'GET', 'HEAD', 'OPTIONS', 'PUT'}),
    ('DELETE', '/api/v1/limits', 405, 'MethodNotAllowed', {'GET', 'HEAD', 'OPTIONS', 'PUT'}),
    ('BREW', '/api/v1/limits', 405, 'MethodNotAllowed', {'GET', 'HEAD', 'OPTIONS', 'PUT'}),
    ('GET', '/api/ws', 426, 'UpgradeRequired', None),
])
def test_errors_are_json(served: Any, method: str, path: str, status: int, code: str,
                         allow: set[str] | None) -> None:
    request = requests.Request(method, served.url + path).prepare()
    request.url = served.url + path   # as written
    with requests.Session() as session:
        answer = session.send(request, timeout=10)
    assert answer.status_code == status
    assert answer.headers['Content-Type'] == 'application/json'
    assert answer.json()['error']['code'] == code
    if allow is not None:
        assert set(answer.headers['Allow'].split(', ')) == allow


def test_head_and_options(served: Any) -> None:
    head = requests.head(served.url + '/api/v1/charging', timeout=5)
    assert (head.status_code, head.content) == (200, b'')
    assert head.headers['Content-Length'] == str(len(served.get('/api/v1/charging').content))
    options = requests.options(served.url + '/api/v1/limits', timeout=5)
    assert options.json() == {'allow': ['GET', 'HEAD', 'OPTIONS', 'PUT']}
    assert options.headers['Allow'] == 'GET, HEAD, OPTIONS, PUT'
    assert 'Access-Control-Allow-Origin' not in options.headers


def test_trailing_slash_is_the_same(served: Any) -> None:
    assert served.get('/api/v1/charging/', allow_redirects=False).status_code == 200


def raw(served: Any, data: bytes) -> bytes:
    """Sends bytes and reads until the server closes."""
    with socket.create_connection(('127.0.0.1', served.web.port), timeout=10) as connection:
        connection.sendall(data)
        found = b''
        while part := connection.recv(65536):
            found += part
        return found


@pytest.mark.parametrize(('request_', 'status', 'code'), [
    (b'GET\r\n\r\n', b'400', b'BadRequest'),
    (b'\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', b'400', b'BadRequest'),
    (b'GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n', b'400', b'BadRequest'),
    (b'GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n', b'400', b'BadRequest'),
    (b'GET / HTTP/1.1\r\n' + b'X: y\r\n' * 200 + b'\r\n', b'400', b'BadRequest'),
    (b'PUT /api/v1/limits HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
     b'12\r\n{"enabled": false}\r\n0\r\n\r\n', b'411', b'LengthRequired'),
    (b'PUT /api/v1/limits HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n',
     b'413', b'TooLarge'),
])
def test_bad_requests_are_answered_and_closed(served: Any, request_: bytes, status: bytes,
                                              code: bytes) -> None:
    head, _, body = raw(served, request_).partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 ' + status)
    assert code in body
    assert b'Connection: close' in head
    assert served.written == []


def test_a_request_that_never_ends_is_ended(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('charger_control.bridges.web.server.handler.REQUEST_TIMEOUT', 0.3)
    start = time.monotonic()
    assert raw(served, b'GET /api/v1/charging HTTP/1.1\r\nHost: loc') == b''
    assert b'408' in raw(served, b'PUT /api/v1/limits HTTP/1.1\r\nHost: localhost\r\n'
                                 b'Content-Length: 100\r\n\r\n{"enabled"')
    monkeypatch.setattr('charger_control.bridges.web.server.handler.KEEP_ALIVE', 0.3)
    assert raw(served, b'') == b''
    assert time.monotonic() - start < 5.0
    assert served.written == []


@pytest.mark.parametrize(('method', 'path'), [
    ('PUT', '/api/v1/limits'), ('PUT', '/api/v1/transaction'), ('POST', '/api/v1/profiles'),
    ('DELETE', '/api/v1/profiles'), ('PUT', '/api/v1/vcse/dimming')])
def test_a_body_that_ends_early(served: Any, method: str, path: str) -> None:
    with socket.create_connection(('127.0.0.1', served.web.port), timeout=10) as connection:
        connection.sendall(f'{method} {path} HTTP/1.1\r\nHost: localhost\r\n'
                           'Content-Length: 100\r\n\r\n{"enabled": false}'.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert answer.startswith(b'HTTP/1.1 400 ')
    assert b'"Incomplete"' in answer
    assert served.written == []


def test_keep_alive(served: Any) -> None:
    with requests.Session() as session:
        for _ in range(20):
            assert session.get(served.url + '/api/v1/charging', timeout=5).status_code == 200
        start = time.monotonic()
        for _ in range(50):
            session.get(served.url + '/api/v1/charging', timeout=5)
        assert time.monotonic() - start < 1.5, 'TCP_NODELAY is off: 44 ms an answer'


# -- what else there is ---------------------------------------------------------------------------
def test_health(served: Any) -> None:
    health = served.get('/api/v1/health')
    assert health.status_code == 200
    assert health.json()['status'] == 'degraded', 'decision was not heard'
    assert health.json()['silentNodes'] == ['cppwm_controller']
    served.state.put('decision', Decision(reason='limit of the API', limit_source='api'))
    health = served.get('/api/v1/health').json()
    assert (health['status'], health['stale'], health['silentNodes']) == ('ok', False, [])
    assert health['decision']['reason'] == 'limit of the API'
    assert health['sentence'].startswith('A limit set on the page or by another program allows')
    served.clock.advance(3.0)
    health = served.get('/api/v1/health')
    assert (health.status_code, health.json()['status'], health.json()['stale']) == (503, 'down',
                                                                                    True)
    assert 'cppwm_controller) was not heard for 3 s' in health.json()['sentence']
    assert health.json()['topics']['charging'] == pytest.approx({'age': 3.0, 'stale': True},
                                                                abs=0.5)


def test_page_and_contract(served: Any) -> None:
    page = served.get('/')
    assert page.status_code == 200
    assert page.headers['Content-Type'].startswith('text/html')
    assert 'http://' not in page.text, 'nothing from elsewhere'
    assert 'https://' not in page.text
    for asset in ('page.js', 'page.css'):
        assert f'static/{asset}' in page.text
        assert served.get(f'/static/{asset}').status_code == 200
    assert served.get('/api').url.endswith('/api/docs')
    assert '../static/docs.js' in served.get('/api/docs').text
    contract = served.get('/api/openapi.yaml')
    contents = files('charger_control.bridges.web').joinpath('openapi.yaml').read_text()
    assert contract.text == contents
