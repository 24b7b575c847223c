"""Who gets in."""

from __future__ import annotations

import base64
import hmac
import socket
import statistics
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
import yaml

from charger_control.bridges.graph.errors import RequestError
from charger_control.bridges.web.access import credentials
from charger_control.bridges.web.access import gate as gate_module
from charger_control.bridges.web.access.credentials import (
    ENVIRONMENT,
    Credential,
    hash_secret,
    matches,
)
from charger_control.bridges.web.access.gate import Gate
from charger_control.bridges.web.routes.dimming import Supply
from charger_control.bridges.web.web import Web, WebConfig, WebConfigError
from charger_control.core.api.types import SetLimits

CHEAP = (16, 8, 1)
SECRET = {'reader': 'r-secret', 'writer': 'w-secret', 'both': 'b-secret'}
RIGHTS = {'reader': 'read', 'writer': 'write', 'both': 'read,write'}
FILE = '\n'.join(f'{name} {RIGHTS[name]} {hash_secret(SECRET[name], CHEAP)}' for name in SECRET)


def basic(name: str, secret: str) -> str:
    return 'Basic ' + base64.b64encode(f'{name}:{secret}'.encode()).decode()


@pytest.fixture
def credentials_file(tmp_path: Path) -> str:
    path = tmp_path / 'credentials'
    path.write_text(FILE)
    path.chmod(0o600)
    return str(path)


# -- Host and Origin ------------------------------------------------------------------------------
class Request:
    """A gate and one request at it."""

    def __init__(self, address: str = '127.0.0.1', **options: Any) -> None:
        self.gate = Gate(address, options.pop('credentials', {}), time.monotonic, **options)

    def __call__(self, method: str = 'GET', **headers: str) -> str:
        environ = {'REQUEST_METHOD': method, 'REMOTE_ADDR': '10.0.0.9',
                   **{f'HTTP_{name.upper()}': value for name, value in headers.items()}}
        try:
            self.gate.admit(environ)
        except RequestError as error:
            return error.code
        return 'in'


@pytest.mark.parametrize(('host', 'answer'), [
    ('127.0.0.1:8080', 'in'), ('localhost', 'in'), ('LOCALHOST:80', 'in'), ('[::1]:8080', 'in'),
    ('127.1.2.3', 'in'), ('', 'in'), ('charger.example', 'in'), ('charger.example:1', 'in'),
    ('evil.example', 'UnknownHost'), ('evil.example:8080', 'UnknownHost'),
    ('localhost.evil.example', 'UnknownHost'), ('127.0.0.1.evil.example', 'UnknownHost'),
    ('192.168.1.5', 'UnknownHost'), ('[fe80::1]', 'UnknownHost'),
    ('localhost:80:80', 'UnknownHost'),
    ('127.0.0.1@evil.example', 'UnknownHost'), ('[', 'UnknownHost'), (':8080', 'UnknownHost'),
])
def test_hosts_on_loopback(host: str, answer: str) -> None:
    assert Request(allowed_hosts=('charger.example',))(host=host) == answer


@pytest.mark.parametrize(('host', 'answer'), [
    ('192.168.1.5:8080', 'in'), ('[2001:db8::1]:8080', 'in'), (socket.gethostname(), 'in'),
    (f'{socket.gethostname()}.local:8080', 'in'), ('evil.example', 'UnknownHost')])
def test_hosts_of_an_open_bridge_in_a_network(host: str, answer: str) -> None:
    assert Request('0.0.0.0')(host=host) == answer


def test_host_does_not_matter_where_credentials_do() -> None:
    known = {'a': Credential('a', frozenset({'read'}), hash_secret('x', CHEAP))}
    assert Request('0.0.0.0', credentials=known)(host='anything.example') == 'Unauthorized'


@pytest.mark.parametrize(('origin', 'host', 'answer'), [
    ('', 'localhost:8080', 'in'), ('http://localhost:8080', 'localhost:8080', 'in'),
    ('HTTP://LocalHost:8080', 'localhost:8080', 'in'), ('http://localhost', 'localhost', 'in'),
    ('http://localhost', 'localhost:80', 'in'), ('https://localhost', 'localhost', 'in'),
    ('https://home.example', 'localhost:8080', 'in'),   # allowed
    ('http://localhost:8081', 'localhost:8080', 'ForeignOrigin'),
    ('http://127.0.0.1:8080', 'localhost:8080', 'ForeignOrigin'),
    ('http://evil.example', 'localhost:8080', 'ForeignOrigin'),
    ('null', 'localhost:8080', 'ForeignOrigin'), ('http://', 'localhost', 'ForeignOrigin'),
    ('file://', '', 'ForeignOrigin'), ('http://evil.example', '', 'ForeignOrigin'),
])
def test_origins(origin: str, host: str, answer: str) -> None:
    request = Request(allowed_origins=('https://home.example',))
    assert request('PUT', host=host, origin=origin) == answer
    assert request('GET', host=host, origin=origin, upgrade='WebSocket') == answer
    assert request('GET', host=host, origin=origin) == 'in', 'without CORS a page cannot read it'


# -- what starts at all ---------------------------------------------------------------------------
def refusal(**config: Any) -> str:
    with pytest.raises(WebConfigError) as refused:
        Web(WebConfig(**{'port': 0, **config}), [], Supply(lambda: 0.0), lambda c, r: None)
    return str(refused.value)


def test_another_address_needs_credentials(monkeypatch: pytest.MonkeyPatch, serve: Any,
                                           credentials_file: str) -> None:
    for host in ('0.0.0.0', '::'):
        text = refusal(host=host)
        assert f'bridge.host {host}' in text
        assert ENVIRONMENT in text
        assert "auth: 'none'" in text
    assert 'bridge.auth is required' in refusal(auth='required')
    assert serve(host='0.0.0.0', auth='none').web.credentials == {}
    assert set(serve(host='0.0.0.0', credentials_file=credentials_file).web.credentials) == set(
        SECRET)
    monkeypatch.setenv(ENVIRONMENT, FILE)
    assert set(serve(auth='required').web.credentials) == set(SECRET)
    assert set(serve().web.credentials) == set(SECRET), 'what is given counts on loopback, too'


def test_credentials_that_cannot_be_used_do_not_open_the_door(tmp_path: Path) -> None:
    assert 'cannot be read' in refusal(credentials_file=str(tmp_path / 'none'))


def test_port_in_use(served: Any) -> None:
    text = refusal(port=served.web.port)
    assert f'127.0.0.1:{served.web.port}' in text
    assert 'another program listens there' in text
    assert 'bridge.port' in text


def test_an_address_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert '192.0.2.1:0' in refusal(host='192.0.2.1')
    assert 'bridge.host' in refusal(host='192.0.2.1')
    assert 'bridge.host' in refusal(host='x' * 300)
    assert 'bridge.host' in refusal(host=''), "'' would be every address"

    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')

    monkeypatch.setattr(socket, 'getaddrinfo', unknown)
    assert 'no.such.host:0 (Name or service not known)' in refusal(host='no.such.host')


# -- every path with every credential -------------------------------------------------------------
CONTRACT = yaml.safe_load(files('charger_control.bridges.web').joinpath('openapi.yaml').read_text())
DOCUMENTED = [(method.upper(), path.replace('{name}', 'charger')) for path, item in
              CONTRACT['paths'].items() for method in item]
MOUNTED = [(method, f'/chargers/charger{path}') for method, path in DOCUMENTED] + [
    (method, path.replace('/v1/', '/v1/chargers/charger/')) for method, path in DOCUMENTED
    if path.startswith('/api/v1/')]
OTHER = [('GET', '/'), ('GET', '/api'), ('GET', '/static/page.js'), ('GET', '/nothing'),
         ('GET', '/chargers/charger'), ('GET', '/chargers/other/api/v1/limits'),
         ('GET', '/api/v1/chargers/charger/ws'), ('HEAD', '/api/v1/charging'),
         ('OPTIONS', '/api/v1/limits'), ('POST', '/api/v1/limits'), ('DELETE', '/nothing'),
         ('TRACE', '/api/v1/charging')]
PATHS = DOCUMENTED + MOUNTED + OTHER
BODIES = {'/transaction': '{"ocppTransactionId": 1}', '/profiles': '{}', '/dimming': '{"power": 1}'}
WHO = ['nobody', 'wrong', 'unknown', *SECRET]


def header(who: str, scheme: str) -> dict[str, str]:
    if who == 'nobody':
        return {}
    name, secret = {'wrong': ('both', 'no'), 'unknown': ('other', 'b-secret')}.get(
        who, (who, SECRET.get(who, '')))
    bearer = f'Bearer {name}.{secret}'
    return {'Authorization': basic(name, secret) if scheme == 'basic' else bearer}


def test_every_route_is_among_them(served: Any) -> None:
    rules = {rule.rule.replace('<name>', 'charger') for rule in served.web.app.url_map.iter_rules()}
    rules -= {'/api/v1/<any(configuration,limits,transaction,charging):topic>',
              '/static/<path:filename>'}   # of which there are some
    assert rules <= {path for _, path in PATHS}


@pytest.mark.parametrize('host', ['127.0.0.1', '0.0.0.0'])
def test_every_path(serve: Any, credentials_file: str, host: str,
                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, 'FAILURE_BURST', 1000.0)
    one = serve(host=host, credentials_file=credentials_file)
    url = f'http://127.0.0.1:{one.web.port}'
    session = requests.Session()
    for method, path in PATHS:
        one.hear_all()
        safe = method in ('GET', 'HEAD', 'OPTIONS')
        body = next((b for end, b in BODIES.items() if path.endswith(end)), '{"enabled": true}')
        for who in WHO:
            for scheme in ('basic', 'bearer') if (method, path) in DOCUMENTED else ('basic',):
                answer = session.request(method, url + path, headers=header(who, scheme), timeout=5,
                                         data=None if safe else body, allow_redirects=False)
                what = f'{method} {path} {who} {scheme}: {answer.status_code}'
                if who not in SECRET:
                    assert answer.status_code == 401, what
                    assert 'Basic' in answer.headers['WWW-Authenticate']
                    assert 'Bearer' in answer.headers['WWW-Authenticate']
                elif ('read' if safe else 'write') not in RIGHTS[who]:
                    assert answer.status_code == 403, what
                else:
                    assert answer.status_code in (200, 204, 308, 404, 405, 426, 503), what
    asked = {c.client.partition('@')[0] for c in one.written if isinstance(c, SetLimits)}
    assert asked == {'writer', 'both'}


@pytest.mark.parametrize('given', [
    'Basic', 'Basic !!!', 'Basic ' + base64.b64encode(b'both').decode(), 'Basic Ym90aA=', 'Bearer',
    'Bearer both', 'Bearer b-secret', 'Digest both:b-secret', 'both:b-secret', 'Basic ü',
    'Basic ' + base64.b64encode(b'\xff\xfe:x').decode(), 'x' * 5000])
def test_odd_headers_are_not_let_in(serve: Any, credentials_file: str, given: str,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, 'FAILURE_BURST', 1000.0)
    one = serve(credentials_file=credentials_file)
    answer = one.get('/api/v1/health', headers={'Authorization': given.encode().decode('latin-1')})
    assert answer.status_code == 401


def test_websocket_rights(serve: Any, credentials_file: str) -> None:
    one = serve(credentials_file=credentials_file)
    one.hear_all()
    for who in ('nobody', 'wrong', 'writer'):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            one.connect(header=header(who, 'basic'))
        assert refused.value.status_code == (403 if who == 'writer' else 401)
    reader = one.connect(header=header('reader', 'basic'))
    reader.next('charging')
    reader.send('setEnabled\nfalse')
    assert reader.next('error')['code'] == 'Forbidden'
    assert one.written == []
    # as evcc does: host: user:password@address
    both = one.connect(header={'Authorization': basic('both', SECRET['both'])})
    both.send('setEnabled\nnonsense')
    assert both.next('error')['code'] == 'OutOfRange'
    both.send('setEnabled\nfalse')
    while not one.written:
        both.next('', within=2.0)
        one.clock.advance(1.0)
    assert one.written[0].client == 'both@127.0.0.1 (WebSocket)'


def test_a_page_of_another_origin_neither_reads_nor_writes(served: Any) -> None:
    with requests.Session() as session:
        for method, path in DOCUMENTED + MOUNTED:
            headers = {'Origin': 'http://evil.example'}
            if path.endswith('/ws'):
                headers |= {'Upgrade': 'websocket', 'Connection': 'Upgrade'}
            answer = session.request(method, served.url + path, headers=headers, data='{}',
                                     timeout=5)
            if method != 'GET' or path.endswith('/ws'):
                assert answer.json()['error']['code'] == 'ForeignOrigin', path
            # a browser shows a page of another origin an answer only where these headers allow it
            allowing = [n for n in answer.headers if n.lower().startswith('access-control')]
            assert not allowing, path
    assert {call.service for call in served.written} == {'get_composite_schedule'}, 'a GET'


def test_a_page_of_another_origin(served: Any) -> None:
    answer = served.put('{"enabled": false}', headers={'Origin': 'http://evil.example'})
    assert answer.status_code == 403
    assert served.written == []
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        served.connect(suppress_origin=False, origin='http://evil.example')
    assert refused.value.status_code == 403
    preflight = requests.options(served.url + '/api/v1/limits', timeout=5, headers={
        'Origin': 'http://evil.example', 'Access-Control-Request-Method': 'PUT'})
    assert not [h for h in preflight.headers if h.startswith('Access-Control')]
    rebound = served.get('/api/v1/charging', headers={'Host': 'evil.example'})
    assert (rebound.status_code, rebound.json()['error']['code']) == (403, 'UnknownHost')
    served.connect(suppress_origin=False, origin=served.url).next('charging')


# -- guessing -------------------------------------------------------------------------------------
def test_guessing_is_slowed_and_does_not_lock_out_who_is_known(serve: Any,
                                                               credentials_file: str) -> None:
    one = serve(credentials_file=credentials_file)
    known = {'headers': header('both', 'basic')}
    assert one.get('/api/v1/health', **known).status_code == 503
    answers = [one.get('/api/v1/health', headers={'Authorization': basic('both', str(i))})
               for i in range(15)]
    assert [a.status_code for a in answers] == [401] * 10 + [429] * 5
    assert answers[-1].headers['Retry-After'] == '10'
    assert one.get('/api/v1/health', **known).status_code == 503, 'health, not a refusal'
    assert one.get('/api/v1/health', headers=header('reader', 'basic')).status_code == 429
    one.clock.advance(7.0)
    assert one.get('/api/v1/health', headers=header('reader', 'basic')).status_code == 503


def test_credentials_are_verified_once(serve: Any, credentials_file: str,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    matches = gate_module.matches
    monkeypatch.setattr(gate_module, 'matches', lambda s, h: verified.append(s) or matches(s, h))
    one = serve(credentials_file=credentials_file)
    for scheme in ('basic', 'bearer') * 3:
        assert one.get('/', headers=header('both', scheme)).status_code == 200
    assert len(verified) == 2


def test_a_comparison_tells_nothing_of_how_much_was_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared are digests of one length, and by a function made for it."""
    compared: list[tuple[bytes, bytes]] = []
    right = hmac.compare_digest

    def compare(got: bytes, wanted: bytes) -> bool:
        compared.append((got, wanted))
        return right(got, wanted)

    monkeypatch.setattr(credentials.hmac, 'compare_digest', compare)
    hashed = hash_secret('a-long-secret', CHEAP)
    for guess in ('', 'a', 'a-long-secre', 'a-long-secret', 'a-long-secret-and-more', 'x' * 5000):
        assert matches(guess, hashed) == (guess == 'a-long-secret')
    assert [(len(got), len(wanted)) for got, wanted in compared] == [(32, 32)] * 6
    # a guess that shares a beginning with the secret shares nothing with what is compared
    almost = compared[2][0]
    assert sum(a == b for a, b in zip(almost, compared[3][1], strict=True)) < 16


def test_what_was_verified_is_looked_up_by_a_keyed_digest(serve: Any, credentials_file: str
                                                          ) -> None:
    """So that the table of those who are known tells neither secrets nor how near a guess is."""
    one = serve(credentials_file=credentials_file)
    one.get('/', headers=header('both', 'basic'))
    verified = one.web._gate._verified
    assert [len(key) for key in verified] == [32]
    assert not any(SECRET['both'].encode() in key for key in verified)


def test_time_does_not_tell_which_names_are_known() -> None:
    known = {'a': Credential('a', frozenset({'read'}), hash_secret('x', (8192, 8, 1)))}
    one = Request(credentials=known)
    took: dict[str, list[float]] = {'a': [], 'b': []}
    for i in range(12):
        for name, times in took.items():
            start = time.perf_counter()
            assert one(authorization=basic(name, f'wrong{i}')) == 'Unauthorized'
            times.append(time.perf_counter() - start)
            one.gate._failures.clear()
    one.gate.close()
    medians = [statistics.median(times) for times in took.values()]
    assert max(medians) < 1.5 * min(medians)
