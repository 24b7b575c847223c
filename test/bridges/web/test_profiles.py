"""Charging profiles, composite schedule and the transaction's id over REST."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from charger_control.bridges.graph.asking import Answer, Call
from charger_control.bridges.web.access.credentials import ENVIRONMENT, hash_secret
from charger_control.bridges.web.node import request_of

V16 = {'connectorId': 0, 'csChargingProfiles': {'chargingProfileId': 1}}
V201 = {'evseId': 0, 'chargingProfile': {'id': 1}}
PROFILES = '/api/v1/profiles'


def ask(served: Any, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, served.url + path, timeout=10, **options)


def error(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()['error']['code']


# -- profiles --------------------------------------------------------------------------------------
@pytest.mark.parametrize(('payload', 'query', 'version'), [
    (V16, '', '1.6'), (V201, '', '2.0.1'), ({}, '', '1.6'), (V16, '?ocppVersion=2.0.1', '2.0.1'),
])
def test_post_hands_the_text_on_with_its_version(served: Any, payload: dict[str, Any], query: str,
                                                 version: str) -> None:
    body = json.dumps(payload)
    answer = ask(served, 'POST', PROFILES + query, data=body)
    assert (answer.status_code, answer.json()) == (200, {'status': 'Accepted'})
    assert served.written == [Call('set_charging_profile',
                                   {'ocpp_version': version, 'request_json': body})]


def test_what_holds_until_restart_is_said(served: Any) -> None:
    served.answer = lambda call: Answer(True, 'Accepted', 'in force until restart: disk full')
    assert ask(served, 'POST', PROFILES, json=V16).json() == {
        'status': 'Accepted', 'warning': 'in force until restart: disk full'}


@pytest.mark.parametrize(('code', 'status'), [
    ('ChargingSchedulePeriodsOutOfOrder', 400), ('FormatViolation', 400), ('EvseDoesNotExist', 404),
    ('TxProfileTransactionNotOnEvse', 409), ('DuplicateProfileOfOtherSource', 409),
    ('TooManyProfilesInstalled', 409), ('StoreFailed', 507), ('Busy', 503), ('InternalError', 500),
])
def test_a_rejection_has_code_and_sentence(served: Any, code: str, status: int) -> None:
    served.answer = lambda call: Answer(False, code, 'what is wrong (InvalidSchedule)')
    answer = ask(served, 'POST', PROFILES, json=V16)
    assert answer.status_code == status
    assert answer.json() == {'error': {'code': code, 'detail': 'what is wrong (InvalidSchedule)'}}
    assert ('Retry-After' in answer.headers) == (status == 503)


@pytest.mark.parametrize(('body', 'query', 'status', 'code'), [
    ('', '', 400, 'InvalidJson'), ('{"a"', '', 400, 'InvalidJson'), ('[]', '', 400, 'NotAnObject'),
    (b'\xff\xfe', '', 400, 'InvalidJson'), ('{}', '?ocppVersion=2.1', 400, 'OutOfRange'),
    ('{}', '?version=1.6', 400, 'UnknownField'), ('[' * 100_000, '', 400, 'InvalidJson'),
    (b' ' * (1024 * 1024 + 1), '', 413, 'TooLarge'),
])
def test_a_bad_body_is_not_handed_on(served: Any, body: str | bytes, query: str, status: int,
                                     code: str) -> None:
    assert error(ask(served, 'POST', PROFILES + query, data=body)) == (status, code)
    assert served.written == []


def test_a_profile_may_be_larger_than_other_bodies(served: Any) -> None:
    body = json.dumps(V16) + ' ' * 900_000
    assert ask(served, 'POST', PROFILES, data=body).status_code == 200
    assert ask(served, 'POST', PROFILES + '/', data=body).status_code == 200
    assert error(served.put(body)) == (413, 'TooLarge')


def test_get_lists_what_is_installed(served: Any) -> None:
    served.listing = Answer(True, 'Accepted', '', json.dumps(
        [{'ocppVersion': '1.6', 'source': 'csms', 'request': V16}]))
    answer = served.get(PROFILES)
    assert answer.headers['Content-Type'] == 'application/json'
    assert answer.json() == {'profiles': [{'ocppVersion': '1.6', 'source': 'csms', 'request': V16}]}
    assert served.listed == [Call('get_charging_profiles', {})]
    assert served.written == []


@pytest.mark.parametrize(('query', 'body', 'version', 'wanted'), [
    ('', '', '2.0.1', {}),
    ('?id=7', '', '2.0.1', {'chargingProfileId': 7}),
    ('?evse=0&stackLevel=2&purpose=TxProfile', '', '2.0.1', {'chargingProfileCriteria': {
        'chargingProfilePurpose': 'TxProfile', 'stackLevel': 2, 'evseId': 0}}),
    ('?purpose=ChargePointMaxProfile&evse=0', '', '1.6', {
        'connectorId': 0, 'chargingProfilePurpose': 'ChargePointMaxProfile'}),
    ('?id=7&ocppVersion=1.6', '', '1.6', {'id': 7}),
    ('', '{"id": 3}', '1.6', {'id': 3}),
    ('', '{"chargingProfileId": 3}', '2.0.1', {'chargingProfileId': 3}),
    ('?ocppVersion=2.0.1', '{}', '2.0.1', {}),
])
def test_delete_asks_to_clear(served: Any, query: str, body: str, version: str,
                              wanted: dict[str, Any]) -> None:
    answer = ask(served, 'DELETE', PROFILES + query, data=body)
    assert (answer.status_code, answer.json()) == (200, {'status': 'Accepted'})
    call, = served.written
    assert (call.service, call.fields['ocpp_version']) == ('clear_charging_profile', version)
    assert json.loads(call.fields['request_json']) == wanted


def test_delete_of_what_is_not_there(served: Any) -> None:
    served.answer = lambda call: Answer(False, 'Unknown', 'no profile matches')
    assert error(ask(served, 'DELETE', PROFILES + '?id=7')) == (404, 'Unknown')


@pytest.mark.parametrize(('query', 'body', 'code'), [
    ('?id=x', '', 'OutOfRange'), ('?id=1.5', '', 'OutOfRange'), ('?id=', '', 'OutOfRange'),
    ('?id=' + '9' * 11, '', 'OutOfRange'), ('?name=x', '', 'UnknownField'),
    ('?id=7', '{}', 'UnknownField'), ('?ocppVersion=3', '', 'OutOfRange'),
    ('', '[]', 'NotAnObject'),
])
def test_delete_that_says_nothing_clear_deletes_nothing(served: Any, query: str, body: str,
                                                        code: str) -> None:
    assert error(ask(served, 'DELETE', PROFILES + query, data=body)) == (400, code)
    assert served.written == []


# -- composite schedule ----------------------------------------------------------------------------
@pytest.mark.parametrize(('query', 'version', 'wanted'), [
    ('', '1.6', {'connectorId': 1, 'duration': 86400, 'chargingRateUnit': 'A'}),
    ('?duration=600&unit=W', '1.6', {'connectorId': 1, 'duration': 600, 'chargingRateUnit': 'W'}),
    ('?evse=0&ocppVersion=2.0.1', '2.0.1',
     {'evseId': 0, 'duration': 86400, 'chargingRateUnit': 'A'}),
])
def test_composite_schedule(served: Any, query: str, version: str, wanted: dict[str, Any]) -> None:
    served.answer = lambda call: Answer(True, 'Accepted', '', '{"status": "Accepted"}')
    answer = served.get('/api/v1/composite-schedule' + query)
    assert (answer.status_code, answer.json()) == (200, {'status': 'Accepted'})
    call, = served.written
    assert (call.service, call.fields['ocpp_version']) == ('get_composite_schedule', version)
    assert json.loads(call.fields['request_json']) == wanted


@pytest.mark.parametrize('query', ['?duration=long', '?duration=1e3', '?unit=kW', '?evse=one',
                                   '?length=5', '?ocppVersion=16'])
def test_bad_questions(served: Any, query: str) -> None:
    answer = served.get('/api/v1/composite-schedule' + query)
    assert answer.status_code == 400
    assert answer.json()['error']['allowed']
    assert served.written == []


@pytest.mark.parametrize(('code', 'status'), [('EvseDoesNotExist', 404), ('NotKnown', 503),
                                              ('ChargingScheduleInvalidDuration', 400)])
def test_no_composite_schedule(served: Any, code: str, status: int) -> None:
    served.answer = lambda call: Answer(False, code, 'why')
    assert error(served.get('/api/v1/composite-schedule')) == (status, code)


# -- the transaction -------------------------------------------------------------------------------
@pytest.mark.parametrize(('value', 'bound'), [('abc-1', 'abc-1'), (42, '42'), (None, ''),
                                              ('x' * 36, 'x' * 36)])
def test_put_transaction(served: Any, value: Any, bound: str) -> None:
    answer = ask(served, 'PUT', '/api/v1/transaction', json={'ocppTransactionId': value})
    assert (answer.status_code, answer.content) == (204, b'')
    assert served.written == [Call('bind_transaction', {'ocpp_transaction_id': bound})]


@pytest.mark.parametrize(('body', 'code'), [
    ('{"ocppTransactionId": ""}', 'OutOfRange'), ('{"ocppTransactionId": 1.5}', 'OutOfRange'),
    ('{"ocppTransactionId": true}', 'OutOfRange'), ('{"ocppTransactionId": []}', 'OutOfRange'),
    ('{"ocppTransactionId": "' + 'x' * 37 + '"}', 'OutOfRange'), ('{}', 'UnknownField'),
    ('{"id": 1}', 'UnknownField'), ('{"ocppTransactionId": 1, "x": 2}', 'UnknownField'),
    ('{"ocppTransactionId": 1, "ocppTransactionId": 2}', 'UnknownField'),
    ('', 'InvalidJson'), ('"x"', 'NotAnObject'),
])
def test_put_transaction_refused(served: Any, body: str, code: str) -> None:
    assert error(ask(served, 'PUT', '/api/v1/transaction', data=body)) == (400, code)
    assert served.written == []


def test_no_session_runs_and_until_restart(served: Any) -> None:
    served.answer = lambda call: Answer(False, 'NoTransaction', 'no charging session runs')
    assert error(ask(served, 'PUT', '/api/v1/transaction',
                     json={'ocppTransactionId': 1})) == (409, 'NoTransaction')
    served.answer = lambda call: Answer(True, 'UntilRestart', 'holds until restart')
    answer = ask(served, 'PUT', '/api/v1/transaction', json={'ocppTransactionId': 1})
    assert (answer.status_code, answer.json()) == (200, {'warning': 'holds until restart'})


def test_the_bound_id_is_shown(served: Any) -> None:
    assert served.get('/api/v1/transaction').json()['ocppTransactionId'] == ''


def test_calls_fit_their_services() -> None:
    for service, fields in (('set_charging_profile', ('ocpp_version', 'request_json')),
                            ('clear_charging_profile', ('ocpp_version', 'request_json')),
                            ('get_composite_schedule', ('ocpp_version', 'request_json')),
                            ('get_charging_profiles', ()),
                            ('bind_transaction', ('ocpp_transaction_id',))):
        request = request_of(Call(service, {name: f'a {name}' for name in fields}))
        assert [getattr(request, name) for name in fields] == [f'a {name}' for name in fields]


# -- the rest of the house -------------------------------------------------------------------------
def test_a_node_that_is_silent_is_the_other_ones_no_concern(
        served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('charger_control.bridges.graph.asking.DEADLINE', 0.3)
    served.silent = True
    assert error(served.get(PROFILES)) == (503, 'NoAnswer')
    assert 'smart_charging' in served.get(PROFILES).json()['error']['detail']
    served.silent = False
    assert served.put('{"enabled": true}').status_code == 204
    assert ask(served, 'PUT', '/api/v1/transaction',
               json={'ocppTransactionId': 1}).status_code == 204
    served.clock.advance(1.0)
    served.listing = None
    assert error(served.get(PROFILES)) == (503, 'NotRunning')


def test_rights_and_origin(serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, '\n'.join(
        f'{name} {rights} {hash_secret("secret", (2, 8, 1))}' for name, rights in
        (('reader', 'read'), ('writer', 'write'))))
    one = serve()
    changes = (('POST', PROFILES), ('DELETE', PROFILES), ('PUT', '/api/v1/transaction'))
    reads = (('GET', PROFILES), ('GET', '/api/v1/composite-schedule'))
    for method, path in (*changes, *reads):
        assert error(ask(one, method, path)) == (401, 'Unauthorized')
    for method, path in changes:
        assert error(ask(one, method, path, auth=('reader', 'secret'))) == (403, 'Forbidden')
        assert error(ask(one, method, path, auth=('writer', 'secret'), json=V16, headers={
            'Origin': 'https://elsewhere.example'})) == (403, 'ForeignOrigin')
    for method, path in reads:
        assert error(ask(one, method, path, auth=('writer', 'secret'))) == (403, 'Forbidden')
        assert ask(one, method, path, auth=('reader', 'secret')).status_code == 200
    assert ask(one, 'POST', PROFILES, auth=('writer', 'secret'), json=V16).status_code == 200


@pytest.mark.parametrize(('path', 'methods'), [
    (PROFILES, {'GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE'}),
    ('/api/v1/composite-schedule', {'GET', 'HEAD', 'OPTIONS'}),
    ('/api/v1/transaction', {'GET', 'HEAD', 'OPTIONS', 'PUT'}),
])
def test_methods(served: Any, path: str, methods: set[str]) -> None:
    answer = ask(served, 'PATCH', path)
    assert error(answer) == (405, 'MethodNotAllowed')
    assert set(answer.headers['Allow'].split(', ')) == methods
    assert set(ask(served, 'OPTIONS', path).json()['allow']) == methods
