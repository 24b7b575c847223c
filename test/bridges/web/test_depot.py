"""Several chargers behind one bridge, without ROS."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from charger_control.bridges.graph.state import CHARGING, DECISION
from charger_control.bridges.web.access.credentials import ENVIRONMENT, hash_secret
from charger_control.core.messages.decision import Charging, Decision

NAMES = ('cp01', 'cp02', 'hall.cp03')
CHEAP = (16, 8, 1)
PREFIXES = ('/api/v1/chargers/{}', '/chargers/{}/api/v1')
DOCUMENTS = ('charging', 'configuration', 'transaction', 'limits', 'health', 'history')


@pytest.fixture
def depot(serve: Callable[..., Any]) -> Any:
    one = serve(names=NAMES)
    for number, name in enumerate(NAMES):
        one.hear_all(name)
        one.states[name].put(CHARGING, Charging(commanded_amperage=10.0 + number))
    return one


@pytest.mark.parametrize('prefix', PREFIXES)
def test_each_charger_has_the_whole_api(depot: Any, prefix: str) -> None:
    for number, name in enumerate(NAMES):
        for document in DOCUMENTS:
            answer = depot.get(f'{prefix.format(name)}/{document}')
            assert answer.status_code == 200, (name, document)
        answer = depot.get(f'{prefix.format(name)}/charging')
        assert answer.json()['commandedAmperage'] == 10.0 + number
        assert answer.headers['Age'] == '0'


def test_paths_without_a_name_are_the_default_ones(depot: Any) -> None:
    assert depot.get('/api/v1/charging').json()['commandedAmperage'] == 10.0
    assert depot.connect().next('charging')['commandedAmperage'] == 10.0
    assert depot.get('/api/v1/chargers').json()['default'] == 'cp01'


@pytest.mark.parametrize('path', ['/api/v1/chargers/cp02/ws', '/chargers/cp02/api/ws'])
def test_frames_and_commands_of_each(depot: Any, path: str) -> None:
    frames = depot.connect(path=path)
    assert frames.next('charging')['commandedAmperage'] == 11.0
    frames.send('setCurrentLimit\n9')
    depot.states['cp02'].put(CHARGING, Charging(commanded_amperage=9.0))
    depot.states['cp01'].put(CHARGING, Charging(commanded_amperage=1.0))
    frames.next('charging', lambda m: m['commandedAmperage'] == 9.0)
    assert depot.asked_of == ['cp02']


def test_a_write_reaches_its_charger_alone(depot: Any) -> None:
    for prefix, name in zip(PREFIXES, NAMES[1:], strict=True):
        answer = requests.put(f'{depot.url}{prefix.format(name)}/limits', data='{"enabled": false}',
                              timeout=5)
        assert answer.status_code == 204
    assert depot.asked_of == ['cp02', 'hall.cp03']


def test_one_that_is_silent_is_said_to_be(depot: Any) -> None:
    depot.states['cp01'].put(DECISION, Decision(limit_source='team', reason='its share'))
    depot.clock.advance(3.0)
    depot.hear_all('cp01')
    first, second, _ = depot.get('/api/v1/chargers').json()['chargers']
    assert (first['status'], first['state'], first['signaledAmperage']) == ('ok', 'Charging', 18.0)
    assert (first['limitSource'], first['reason']) == ('team', 'its share')
    assert first['sentence'] == 'The team of chargers allows no current: its share.'
    assert second['status'] == 'down'
    assert (second['vehicleStatus'], second['signaledAmperage']) == ('F', None)
    assert second['age'] == pytest.approx(3.0, abs=0.5)
    assert depot.get('/api/v1/chargers/cp01/health').status_code == 200
    assert depot.get('/api/v1/chargers/cp02/health').status_code == 503
    depot.clock.advance(8.0)
    assert depot.get('/api/v1/chargers/cp02/charging').status_code == 503


@pytest.mark.parametrize('path', [
    '/api/v1/chargers/cp99', '/api/v1/chargers/cp99/charging', '/chargers/cp99',
    '/chargers/cp99/', '/chargers/cp99/api/v1/limits', '/chargers/',
    '/api/v1/chargers/cp01/nothing', '/chargers/cp01/nothing', '/chargers/%0d%0ax: y',
    '/chargers/cp01/chargers/cp02/chargers/x/'])
def test_what_is_not_there(depot: Any, path: str) -> None:
    answer = depot.get(path, allow_redirects=False)
    assert answer.status_code == 404
    assert answer.json()['error']['code'] in ('NotFound', 'NoSuchCharger')


def test_one_at_a_glance(depot: Any) -> None:
    glance = depot.get('/api/v1/chargers/hall.cp03').json()
    assert glance == depot.get('/api/v1/chargers').json()['chargers'][2] | {
        'age': pytest.approx(glance['age'])}
    assert glance['href'] == '/chargers/hall.cp03/'
    assert glance['controllerName'] == 'garage'


def test_pages(depot: Any, served: Any) -> None:
    overview = depot.get('/').text
    assert 'overview.js' in overview
    redirected = depot.get('/chargers/cp02', allow_redirects=False)
    assert (redirected.status_code, redirected.headers['Location']) == (308, 'cp02/')
    assert 'page.js' in depot.get('/chargers/cp02').text
    assert 'page.js' in depot.get('/chargers/cp02/').text
    assert depot.get('/chargers/cp02/static/page.js').status_code == 200
    assert 'page.js' in served.get('/').text, 'one charger alone has no overview'


def test_rights_are_as_elsewhere(serve: Callable[..., Any],
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, f'ann read {hash_secret("secret", CHEAP)}')
    one = serve(names=NAMES)
    one.hear_all('cp02')
    for path in ('/api/v1/chargers', '/api/v1/chargers/cp02', '/api/v1/chargers/cp02/charging',
                 '/chargers/cp02/', '/api/v1/chargers/unknown', '/chargers/unknown/x'):
        assert one.get(path).status_code == 401, path
    auth = ('ann', 'secret')
    assert one.get('/api/v1/chargers/cp02/charging', auth=auth).status_code == 200
    for prefix in PREFIXES:
        refused = requests.put(f'{one.url}{prefix.format("cp02")}/limits', data='{"enabled": true}',
                               auth=auth, timeout=5)
        assert refused.status_code == 403
    foreign = requests.put(one.url + '/api/v1/chargers/cp02/limits', data='{"enabled": true}',
                           auth=auth, headers={'Origin': 'http://evil.example'}, timeout=5)
    assert foreign.json()['error']['code'] == 'ForeignOrigin'
    assert one.written == []


def test_the_limit_of_clients_is_for_all_together(serve: Callable[..., Any]) -> None:
    one = serve(names=NAMES, max_clients=2)
    for name in NAMES[:2]:
        one.hear_all(name)
        one.connect(path=f'/api/v1/chargers/{name}/ws').next()
    refused = one.get('/api/v1/chargers/hall.cp03/ws', headers={
        'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA=='})
    assert (refused.status_code, refused.json()['error']['code']) == (503, 'TooManyClients')


def test_bodies_are_bounded_as_elsewhere(depot: Any) -> None:
    body = '{}' + ' ' * 70_000
    for prefix in PREFIXES:
        put = requests.put(f'{depot.url}{prefix.format("cp02")}/limits', data=body, timeout=5)
        assert put.status_code == 413
        post = requests.post(f'{depot.url}{prefix.format("cp02")}/profiles', data=body, timeout=5)
        assert post.status_code == 200


def test_records_and_metrics_name_the_charger(serve: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / 'bridge.log'
    one = serve(names=NAMES, log_file=str(file))
    one.hear_all('cp02')
    requests.put(one.url + '/api/v1/chargers/cp02/limits', data='{"enabled": false}', timeout=5)
    text = one.get('/metrics').text
    assert 'charger_signaled_amperage{charger="cp02"} 18.0' in text
    assert 'charger_signaled_amperage{charger="cp01"} NaN' in text
    one.web.close()
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(w['charger'], w['what']) for w in written if w['kind'] == 'write'] == [
        ('cp02', 'limits')]
    assert next(w['path'] for w in written if w['kind'] == 'request') == (
        '/api/v1/chargers/cp02/limits')


def test_all_are_told_good_bye(depot: Any) -> None:
    clients = [depot.connect(path=f'/api/v1/chargers/{name}/ws') for name in NAMES]
    depot.web.stop()
    assert [one.close_code() for one in clients] == [1001] * 3
