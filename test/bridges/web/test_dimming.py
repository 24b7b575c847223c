"""The heartbeat of a grid operator or an energy manager over REST."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from charger_control.bridges.graph.asking import Answer
from charger_control.bridges.web.node import CALLS, request_of
from charger_control.core.messages.budget import TeamBudget

PATH = '/api/v1/vcse/dimming'


def put(served: Any, body: str | bytes, **options: Any) -> requests.Response:
    return requests.put(served.url + PATH, data=body, timeout=5, **options)


@pytest.fixture
def supplied(served: Any) -> Any:
    served.answer = lambda call: Answer(True, 'OK', '', timeout=120.0)
    served.supply.put(TeamBudget('garage', (18.2, 18.2, 18.2), 10.0, 'dimmed to 4200 W'))
    return served


@pytest.mark.parametrize(('body', 'power'), [
    ('{"power": 4200}', 4200.0), ('{"power": 0}', 0.0), ('{"power": 1.5e3}', 1500.0),
    ('{"power": null}', math.nan), ('{"power": NaN}', math.nan)])
def test_a_heartbeat_reaches_the_vcse_node(supplied: Any, body: str, power: float) -> None:
    answer = put(supplied, body)
    assert (answer.status_code, answer.json()) == (200, {'timeout': 120_000})
    call, = supplied.written
    assert supplied.asked_of == ['']
    assert (call.service, call.fields['client']) == ('set_dimming', '127.0.0.1 (REST)')
    assert call.fields['power'] == pytest.approx(power, nan_ok=True)
    request = request_of(call)
    assert request.power == pytest.approx(power, nan_ok=True)
    assert isinstance(request, CALLS['set_dimming'].type.Request)


@pytest.mark.parametrize(('body', 'code'), [
    ('', 'InvalidJson'), ('[]', 'NotAnObject'), ('4200', 'NotAnObject'), ('{}', 'UnknownField'),
    ('{"power": 1, "power": 2}', 'UnknownField'), ('{"watts": 1}', 'UnknownField'),
    ('{"power": 1, "x": 2}', 'UnknownField'), ('{"power": -1}', 'OutOfRange'),
    ('{"power": true}', 'OutOfRange'), ('{"power": "4200"}', 'OutOfRange'),
    ('{"power": Infinity}', 'OutOfRange'), ('{"power": 1e300}', 'OutOfRange'),
    ('{"power": [1]}', 'OutOfRange')])
def test_what_is_no_heartbeat(supplied: Any, body: str, code: str) -> None:
    answer = put(supplied, body)
    assert (answer.status_code, answer.json()['error']['code']) == (400, code)
    assert supplied.written == []


def test_refusals(supplied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    supplied.answer = lambda call: Answer(False, 'NotConfigured', 'vcse.dimming is false')
    answer = put(supplied, '{"power": 4200}')
    assert (answer.status_code, answer.json()['error']) == (409, {
        'code': 'NotConfigured', 'detail': 'vcse.dimming is false'})
    monkeypatch.setattr('charger_control.bridges.graph.asking.DEADLINE', 0.3)
    supplied.answer = lambda call: None
    assert put(supplied, '{"power": 4200}').json()['error']['code'] == 'NotRunning'


def test_what_is_in_force(supplied: Any) -> None:
    answer = supplied.get(PATH)
    assert answer.headers['Age'] == '0'
    assert answer.json() == {'power': None, 'expiresIn': 0, 'amperage': [18.2, 18.2, 18.2],
                             'reason': 'dimmed to 4200 W'}
    put(supplied, '{"power": 4200}')
    found = supplied.get(PATH).json()
    assert found['power'] == 4200
    assert 119_000 < found['expiresIn'] <= 120_000
    supplied.clock.advance(121.0)
    stale = supplied.get(PATH)
    assert (stale.status_code, stale.json()['error']['code']) == (503, 'NotKnown')
    assert 'vcse has been silent' in stale.json()['error']['detail']
    supplied.supply.put(TeamBudget('garage', (6.0,) * 3, 10.0, 'no dimming heartbeat: 4200 W'))
    found = supplied.get(PATH).json()
    assert (found['power'], found['expiresIn']) == (None, 0)


def test_never_heard(served: Any) -> None:
    answer = served.get(PATH)
    assert answer.status_code == 503
    assert 'was not heard yet' in answer.json()['error']['detail']


def test_it_is_recorded(serve: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / 'bridge.log'
    one = serve(log_file=str(file))
    one.answer = lambda call: Answer(True, 'OK', '', timeout=120.0)
    put(one, '{"power": 4200}')
    put(one, '{"power": null}')
    one.answer = lambda call: Answer(False, 'OutOfRange', 'no')
    put(one, '{"power": 1}')
    one.web.close()
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(k['what'], k['who'], k['old']['power'], k['new']['power'], k['outcome'])
            for k in kept if k['kind'] == 'write'] == [
        ('dimming', '127.0.0.1 (REST)', None, 4200.0, 'ok'),
        ('dimming', '127.0.0.1 (REST)', 4200.0, None, 'ok'),
        ('dimming', '127.0.0.1 (REST)', None, 1.0, 'OutOfRange')]


def test_what_profiles_and_transactions_change_is_recorded(serve: Callable[..., Any],
                                                           tmp_path: Path) -> None:
    file = tmp_path / 'bridge.log'
    one = serve(log_file=str(file))
    one.hear_all()
    profile = {'connectorId': 0, 'csChargingProfiles': {
        'chargingProfileId': 7, 'stackLevel': 1, 'chargingProfilePurpose': 'TxProfile'}}
    one.listing = Answer(True, 'Accepted', '', json.dumps(
        [{'ocppVersion': '1.6', 'source': 'csms', 'request': profile}]))
    seen = {'evse': 0, 'id': 7, 'purpose': 'TxProfile', 'stackLevel': 1}
    requests.post(one.url + '/api/v1/profiles', json=profile, timeout=5)
    requests.delete(one.url + '/api/v1/profiles?id=7', timeout=5)
    requests.put(one.url + '/api/v1/transaction', json={'ocppTransactionId': 5}, timeout=5)
    one.answer = lambda call: Answer(False, 'Unknown', 'nothing matches')
    requests.delete(one.url + '/api/v1/profiles', timeout=5)
    one.web.close()
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    post, delete, bind, refused = [k for k in kept if k['kind'] == 'write']
    assert (post['what'], post['old'], post['new']) == (
        'profiles', {'profiles': [seen]}, {'ocppVersion': '1.6', 'installed': seen})
    assert delete['new'] == {'ocppVersion': '2.0.1', 'cleared': '{"chargingProfileId": 7}'}
    assert (bind['what'], bind['new']) == ('transaction', {'ocppTransactionId': '5'})
    assert (refused['outcome'], refused['charger']) == ('Unknown', 'charger')
