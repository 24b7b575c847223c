"""What is counted and kept of requests and writes, and TLS."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
from prometheus_client.parser import text_string_to_metric_families

from charger_control.bridges.graph.asking import Answer
from charger_control.bridges.graph.history import COLUMNS, SPAN, History
from charger_control.bridges.graph.records import Change, Records
from charger_control.bridges.graph.state import CHARGING, State
from charger_control.bridges.web.access.credentials import ENVIRONMENT, hash_secret
from charger_control.bridges.web.routes.dimming import Supply
from charger_control.bridges.web.server import tls
from charger_control.bridges.web.web import Web, WebConfig, WebConfigError
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.decision import Charging

NO_SUPPLY = Supply(lambda: 0.0)


def lines(file: Path, kind: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in file.read_text().splitlines()]
    return [record for record in records if record['kind'] == kind]


def test_every_request_is_kept(serve: Callable[..., Any], tmp_path: Path,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, f'ann read {hash_secret("secret", (16, 8, 1))}')
    file = tmp_path / 'bridge.log'
    one = serve(log_file=str(file))
    one.hear_all()
    one.get('/api/v1/charging', auth=('ann', 'secret'))   # the short cut
    one.get('/api/v1/health?token=secret', auth=('ann', 'secret'))   # Flask
    one.get('/api/v1/charging')
    one.put(b'{}', auth=('ann', 'secret'))
    one.get('/api/v1/charging', headers={'Transfer-Encoding': 'chunked'})
    one.web.close()
    found = [(r['user'], r['method'], r['path'], r['status']) for r in lines(file, 'request')]
    assert found == [('ann', 'GET', '/api/v1/charging', 200), ('ann', 'GET', '/api/v1/health', 200),
                     ('', 'GET', '/api/v1/charging', 401), ('', 'PUT', '/api/v1/limits', 403),
                     ('', 'GET', '/api/v1/charging', 411)]
    assert 'secret' not in file.read_text()
    assert all(r['address'] == '127.0.0.1' and r['ms'] >= 0 for r in lines(file, 'request'))


def test_every_write_is_kept_with_old_and_new(serve: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / 'bridge.log'
    one = serve(log_file=str(file))
    one.hear_all()
    one.state.put('limits', Limits(amperage_limit=10.0, expires_in=100.0))
    one.put('{"amperageLimit": 8, "timeout": 60000}')
    one.answer = lambda change: Answer(False, 'StoreFailed', 'disk full')
    one.connect().send('setCurrentLimit\nnull')
    one.opened[0].next('error')
    one.web.close()
    rest, socket = lines(file, 'write')
    assert rest['who'] == '127.0.0.1 (REST)'
    assert rest['old'] == {'amperageLimit': 10.0, 'timeout': 300000}
    assert rest['new'] == {'amperageLimit': 8.0, 'timeout': 60000.0}
    assert (rest['outcome'], socket['outcome']) == ('ok', 'StoreFailed')
    assert socket['new'] == {'amperageLimit': None}


def test_a_log_file_that_cannot_be_written() -> None:
    with pytest.raises(WebConfigError, match=r'log_file.*/no/such'):
        Web(WebConfig(port=0, log_file='/no/such/file'), [], NO_SUPPLY, lambda c, r: None)


def test_without_a_file_nothing_is_kept() -> None:
    records = Records('')
    records.change(Change('', 'limits', 'me', {}, {}, 'ok'))
    records.close()
    assert records.lost == 0


def test_metrics(served: Any) -> None:
    for _ in range(3):
        served.get('/api/v1/charging')
    served.put('{"amperageLimit": 8}')
    served.connect().next('charging')
    text = served.get('/metrics').text
    samples = {(s.name, *s.labels.values()): s.value
               for family in text_string_to_metric_families(text) for s in family.samples}
    assert samples['charger_bridge_requests_total', 'GET', '200'] == 3
    assert samples['charger_bridge_requests_total', 'PUT', '204'] == 1
    assert samples['charger_bridge_request_seconds_count',] == 4
    assert samples['charger_bridge_clients',] == 1
    assert samples['charger_bridge_limits_written_total',] == 1
    assert samples['charger_signaled_amperage', 'charger'] == 18.0
    assert samples['charger_amperage', 'charger', 'L2'] == 8.2
    assert samples['charger_bridge_topic_age_seconds', 'charger', 'decision'] == float('inf')
    served.clock.advance(4.0)
    assert 'charger_signaled_amperage{charger="charger"} NaN' not in text
    stale = served.get('/metrics').text
    assert 'charger_commanded_amperage{charger="charger"} NaN' in stale


def test_made_up_methods_make_no_series(served: Any) -> None:
    requests.request('BREW', served.url + '/', timeout=5)
    assert 'method="other",status="405"' in served.get('/metrics').text
    assert 'BREW' not in served.get('/metrics').text


def test_history_is_bounded_and_says_what_was_not_known() -> None:
    now = 0.0
    state = State(lambda: now)
    history = History(state)
    assert json.loads(history.body(now)) == {name: [] for name in COLUMNS}
    state.put(CHARGING, Charging(commanded_amperage=10.004, amperage=(1.0, 2.0, float('nan'))))
    for _ in range(3):
        history.take(now)
        now += 1.5
    found = json.loads(history.body(now))
    assert found['age'] == [4.5, 3.0, 1.5]
    assert found['commandedAmperage'] == [10.0, 10.0, None]   # stale after 2 s
    assert (found['amperage2'][0], found['amperage3'][0]) == (2.0, None)
    for _ in range(5000):
        history.take(now)
        now += 1.0
    assert len(json.loads(history.body(now))['age']) == SPAN
    assert json.loads(history.body(now + 2 * SPAN))['age'] == []


def test_who_may_what(served: Any) -> None:
    assert served.get('/api/v1/access').json() == {'name': '', 'rights': ['read', 'write']}


@pytest.fixture(scope='module')
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return made(tmp_path_factory.mktemp('tls'), 'localhost')


def made(folder: Path, name: str) -> tuple[str, str]:
    """A certificate and its key."""
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
         '-nodes', '-days', '2', '-subj', f'/CN={name}', '-addext',
         'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', str(folder / 'key.pem'), '-out',
         str(folder / 'cert.pem')], check=True, capture_output=True)
    return str(folder / 'cert.pem'), str(folder / 'key.pem')


def test_tls(serve: Callable[..., Any], certificate: tuple[str, str]) -> None:
    cert, key = certificate
    one = serve(certificate_file=cert, key_file=key)
    one.hear_all()
    assert one.url.startswith('https://')
    with pytest.raises(requests.ConnectionError):   # plain HTTP gets nothing
        requests.get(one.url.replace('https', 'http'), timeout=5)
    assert one.get('/api/v1/charging', verify=cert).json()['signaledAmperage'] == 18
    frames = one.connect(sslopt={'ca_certs': cert})
    for amperage in (9.0, 10.0, 11.0):
        one.state.put(CHARGING, Charging(commanded_amperage=amperage))
        frames.next('charging', lambda m, a=amperage: m['commandedAmperage'] == a)
    frames.send('setCurrentLimit\nabc')
    assert frames.next('error')['code'] == 'OutOfRange'
    one.web.stop()
    assert frames.close_code() == 1001


def test_a_renewed_certificate_is_served_without_a_restart(
        serve: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, 'LOOK_PERIOD', 0.05)
    made(tmp_path, 'first')
    cert, key = tmp_path / 'cert.pem', tmp_path / 'key.pem'
    one = serve(certificate_file=str(cert), key_file=str(key))

    def served_name() -> str:
        pem = ssl.get_server_certificate(('127.0.0.1', one.web.port), timeout=5)
        return subprocess.run(['openssl', 'x509', '-noout', '-subject'], input=pem, text=True,
                              capture_output=True, check=True).stdout

    assert 'first' in served_name()
    cert.write_text('half a certificate')   # the other half is on its way
    time.sleep(0.2)
    assert 'first' in served_name(), 'what cannot be used leaves the old one in force'
    made(tmp_path, 'second')
    deadline = time.monotonic() + 5.0
    while 'second' not in served_name():
        assert time.monotonic() < deadline


def test_a_tls_client_that_does_not_read_holds_nobody_up(
        serve: Callable[..., Any], certificate: tuple[str, str]) -> None:
    cert, key = certificate
    one = serve(certificate_file=cert, key_file=key, max_rate=1000.0)
    one.hear_all()
    one.connect(sslopt={'ca_certs': cert})   # is not read
    reader = one.connect(sslopt={'ca_certs': cert})
    for i in range(3000):
        one.state.put(CHARGING, Charging(commanded_amperage=float(i)))
        if i % 100 == 0:
            reader.next('charging')
    reader.next('charging', lambda m: m['commandedAmperage'] == 2999.0)


@pytest.mark.parametrize(('names', 'said'), [
    (('/no/cert.pem', ''), r'/no/cert\.pem'), (('cert', '/no/key.pem'), r'/no/key\.pem'),
    (('cert', ''), 'PEM'), (('', 'key'), 'certificate_file')])
def test_certificates_that_are_of_no_use(names: tuple[str, str], said: str,
                                         certificate: tuple[str, str]) -> None:
    cert, key = (dict(zip(('cert', 'key'), certificate, strict=True)).get(n, n) for n in names)
    with pytest.raises(WebConfigError, match=said):
        Web(WebConfig(port=0, certificate_file=cert, key_file=key), [], NO_SUPPLY,
            lambda c, r: None)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    cert, key = made(tmp_path, 'localhost')
    Path(key).chmod(0o644)
    with pytest.raises(WebConfigError, match=rf'{key} holds the key .*0644.*chmod 600'):
        Web(WebConfig(port=0, certificate_file=cert, key_file=key), [], NO_SUPPLY,
            lambda c, r: None)


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_versions_before_1_2_are_refused(serve: Callable[..., Any],
                                         certificate: tuple[str, str]) -> None:
    one = serve(certificate_file=certificate[0], key_file=certificate[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate[0])
    context.set_ciphers('ALL:@SECLEVEL=0')
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError, match=r'(?i)ssl|tls|reset'):
        websocket.create_connection(one.url.replace('https', 'wss') + '/api/ws', timeout=5,
                                    sslopt={'context': context})
