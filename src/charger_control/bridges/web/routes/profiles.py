"""REST for a CSMS: charging profiles, the composite schedule, and the transaction's id."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Blueprint, Response, request

from charger_control.bridges.graph.asking import Answer, Call
from charger_control.bridges.graph.documents import Json
from charger_control.bridges.graph.errors import RequestError, echo
from charger_control.bridges.graph.json_input import JsonObject, kind_of, loads
from charger_control.bridges.graph.state import TRANSACTION
from charger_control.bridges.web.access.gate import IDENTITY
from charger_control.bridges.web.routes.answers import API, body_of_request, json_response
from charger_control.bridges.web.routes.chargers import asked
from charger_control.core.smart_charging import OcppVersion, version_of_request

DAY = 86_400
VERSIONS = tuple(version.value for version in OcppVersion)
WHOLE = re.compile(r'-?[0-9]{1,10}')
LONGEST_RECORD, MOST_RECORDED = 500, 50
"""Characters of criteria, and profiles that were there before, in the record of a write."""
MOST_READ = 256 * 1024
"""Characters of profiles that are read for a record; more would hold other clients up."""
LONGEST_ID = 36
"""Characters of a transaction id."""
STATUS = {
    'Unknown': 404, 'EvseDoesNotExist': 404,
    'TxProfileTransactionNotOnEvse': 409, 'TxProfileEvseHasNoActiveTransaction': 409,
    'TxProfileConflictingStackLevel': 409, 'DuplicateTxDefaultProfileFound': 409,
    'DuplicateProfileValidityPeriod': 409, 'DuplicateProfileOfOtherSource': 409,
    'ExistingChargingStationExternalConstraints': 409, 'TooManyProfilesInstalled': 409,
    'NoTransaction': 409, 'TooLarge': 413, 'InternalError': 500, 'Busy': 503, 'NotKnown': 503,
    'StoreFailed': 507,
}
"""HTTP status of the codes of the smart_charging and session nodes; others are 400."""


def make_blueprint() -> Blueprint:
    """The routes under API; what they take is what two nodes answer."""
    api = Blueprint('profiles', __name__, url_prefix=API)

    @api.get('/profiles')
    def get_profiles() -> Response:
        _query()
        answer = _read(Call('get_charging_profiles', {}))
        return _json(f'{{"profiles": {answer.document or "[]"}}}')

    @api.post('/profiles')
    def post_profile() -> Response:
        body = body_of_request()
        document = _object(body)
        version = _version(_query('ocppVersion'), document)
        return _write('set_charging_profile', version, body.decode('utf-8-sig'),
                      {'installed': _seen(document)})

    @api.delete('/profiles')
    def delete_profiles() -> Response:
        body = body_of_request()
        given = _query('ocppVersion', *(() if body else ('id', 'evse', 'purpose', 'stackLevel')))
        if body:
            version, text = _version(given, _object(body)), body.decode('utf-8-sig')
        else:
            version, text = _criteria(given)
        return _write('clear_charging_profile', version, text, {'cleared': text[:LONGEST_RECORD]})

    @api.get('/composite-schedule')
    def get_composite_schedule() -> Response:
        given = _query('duration', 'unit', 'evse', 'ocppVersion')
        version = _version(given, JsonObject())
        evse = 'connectorId' if version == OcppVersion.V16.value else 'evseId'
        wanted = {evse: _whole(given, 'evse', 1), 'duration': _whole(given, 'duration', DAY),
                  'chargingRateUnit': _one_of(given, 'unit', ('A', 'W'))}
        answer = _read(Call('get_composite_schedule', {
            'ocpp_version': version, 'request_json': json.dumps(wanted)}))
        return _json(answer.document or '{}')

    @api.put('/transaction')
    def put_transaction() -> Response:
        _query()
        given = _transaction_id(_object(body_of_request()))
        one = asked()
        old = one.state.plain(TRANSACTION, one.state.clock())['ocppTransactionId']
        answer = one.session(
            Call('bind_transaction', {'ocpp_transaction_id': given}), 'transaction', _who(),
            {'ocppTransactionId': old}, {'ocppTransactionId': given}, STATUS)
        return (json_response({'warning': answer.message}) if answer.message
                else Response(status=204))

    return api


# -- answers ---------------------------------------------------------------------------------------
def _read(call: Call) -> Answer:
    """The answer to a question; RequestError where it was refused."""
    answer = asked().smart_charging.ask(call)
    if not answer.success:
        status = STATUS.get(answer.code, 400)
        raise RequestError(status, answer.code, answer.message,
                           headers={'Retry-After': '1'} if status == 503 else None)
    return answer


def _write(service: str, version: str, text: str, new: Json) -> Response:
    smart_charging = asked().smart_charging
    before = smart_charging.ask(Call('get_charging_profiles', {}))
    known = before.success and len(before.document) <= MOST_READ
    installed = json.loads(before.document or '[]') if known else ()
    old = {'profiles': [_seen(one['request']) for one in installed[:MOST_RECORDED]]
           if known else None}
    answer = smart_charging(
        Call(service, {'ocpp_version': version, 'request_json': text}), 'profiles', _who(), old,
        {'ocppVersion': version, **new}, STATUS)
    warning = {'warning': answer.message} if answer.message else {}
    return json_response({'status': 'Accepted', **warning})


def _seen(message: Any) -> Json:
    """What tells one profile from another, for the record."""
    fields = dict(message)
    profile = fields.get('csChargingProfiles') or fields.get('chargingProfile')
    known = dict(profile) if isinstance(profile, dict | JsonObject) else {}
    return {name: echo(value) for name, value in {
        'evse': fields.get('connectorId', fields.get('evseId')),
        'id': known.get('chargingProfileId', known.get('id')),
        'purpose': known.get('chargingProfilePurpose'),
        'stackLevel': known.get('stackLevel')}.items()}


def _who() -> str:
    return f'{request.environ[IDENTITY]} (REST)'


def _json(text: str) -> Response:
    return Response(text, mimetype='application/json')


# -- questions -------------------------------------------------------------------------------------
def _query(*allowed: str) -> dict[str, str]:
    """The parameters of the URL; RequestError for one that is not allowed."""
    given = request.args.to_dict()
    for name in given:
        if name not in allowed:
            there_are = ', '.join(allowed) or 'none'
            raise RequestError(400, 'UnknownField', f'{str(echo(name))!r}: no such parameter; '
                               f'there are {there_are}', field=str(echo(name)),
                               value=given[name], allowed=there_are)
    return given


def _one_of(given: dict[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = given.get(name, allowed[0])
    if value not in allowed:
        raise _out_of_range(name, value, ', '.join(allowed))
    return value


def _whole(given: dict[str, str], name: str, default: int | None) -> int | None:
    value = given.get(name)
    if value is None:
        return default
    if not WHOLE.fullmatch(value):
        raise _out_of_range(name, value, 'a whole number')
    return int(value)


def _out_of_range(name: str, value: Any, allowed: str) -> RequestError:
    return RequestError(400, 'OutOfRange', f'{name} = {echo(value)!r}: allowed is {allowed}',
                        field=name, value=value, allowed=allowed)


def _object(body: bytes) -> JsonObject:
    """The body, which is to be a JSON object."""
    document = loads(body)
    if not isinstance(document, JsonObject):
        raise RequestError(400, 'NotAnObject', f'the body is {kind_of(document)}; it has to be a '
                           'JSON object')
    return document


def _version(given: dict[str, str], document: JsonObject) -> str:
    """The version that was asked for, else the one whose field names the body has."""
    if 'ocppVersion' in given:
        return _one_of(given, 'ocppVersion', VERSIONS)
    return version_of_request(dict(document)).value


def _criteria(given: dict[str, str]) -> tuple[str, str]:
    """Version and text of the ClearChargingProfile request that parameters amount to."""
    numbers = {name: _whole(given, name, None) for name in ('id', 'evse', 'stackLevel')}
    purpose = given.get('purpose')
    version = _one_of(given | {'ocppVersion': '1.6'} if purpose == 'ChargePointMaxProfile'
                      else given, 'ocppVersion', VERSIONS[::-1])
    criteria = {'chargingProfilePurpose': purpose, 'stackLevel': numbers['stackLevel']}
    if version == OcppVersion.V16.value:
        wanted: dict[str, Any] = {'id': numbers['id'], 'connectorId': numbers['evse'], **criteria}
    else:
        criteria['evseId'] = numbers['evse']
        wanted = {'chargingProfileId': numbers['id'],
                  'chargingProfileCriteria': _without_none(criteria) or None}
    return version, json.dumps(_without_none(wanted))


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _transaction_id(document: JsonObject) -> str:
    """The id as a text; null takes it back."""
    name = 'ocppTransactionId'
    fields = dict(document)
    if len(document) != 1 or name not in fields:
        unknown = next((field for field in fields if field != name), name)
        raise RequestError(400, 'UnknownField', f'the body has to be {{"{name}": …}}, and nothing '
                           'else', field=str(echo(unknown)), value=fields.get(unknown),
                           allowed=name)
    value = fields[name]
    if value is None:
        return ''
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise _out_of_range(name, value, f'a text of 1 to {LONGEST_ID} characters, a whole '
                            'number, or null to take it back')
    return value
