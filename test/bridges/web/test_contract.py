"""The contract in openapi.yaml against the running server: every path, every status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

from charger_control.bridges.graph import asking
from charger_control.bridges.graph.asking import Answer
from charger_control.bridges.graph.state import CHARGING, DECISION
from charger_control.bridges.web.access.credentials import ENVIRONMENT, hash_secret
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.decision import Charging, Decision

CONTRACT = yaml.safe_load(files('charger_control.bridges.web').joinpath('openapi.yaml').read_text())
CHEAP = (16, 8, 1)
PROFILE = {'connectorId': 0, 'csChargingProfiles': {'chargingProfileId': 1}}
UPGRADE = {'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Version': '13',
           'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA=='}
Recipe = Callable[[Any], None]


def parts(node: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """All parts of the contract with where they stand."""
    yield path, node
    inside = node.items() if isinstance(node, dict) else enumerate(
        node if isinstance(node, list) else ())
    for name, part in inside:
        yield from parts(part, f'{path}/{name}')


def test_the_contract_is_a_good_document_of_openapi_3_1() -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(CONTRACT).iter_errors()] == []
    broken = {**CONTRACT, 'paths': {'/charging': {'get': {'responses': {
        '200': {'content': {}}}}}}}   # an answer without a description
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_no_comma_in_a_description_has_made_a_key_of_its_own() -> None:
    """`{description: stored, without effect}` is two keys to YAML, one of them empty."""
    assert [path for path, part in parts(CONTRACT) if part is None
            and '/enum/' not in path] == []


def test_references_lead_to_components_which_generators_keep() -> None:
    references = [part['$ref'] for _, part in parts(CONTRACT)
                  if isinstance(part, dict) and '$ref' in part]
    assert references
    assert [r for r in references if r.count('/') != 3] == []


def well(served: Any) -> None:
    """All is heard, and every node does what it is asked."""
    served.silent = False
    served.answer = lambda call: Answer(True, 'OK', '', '{"status": "Accepted"}', timeout=120.0)
    served.listing = Answer(True, 'OK', '', '[]')
    served.hear_all()
    served.state.put(DECISION, Decision(limit_source='api', reason='because'))
    served.state.put(CHARGING, Charging(commanded_amperage=10.0))
    served.supply.put(TeamBudget('garage', (20.0, 20.0, float('nan')), 10.0, 'not dimmed'))


def refused(code: str) -> Recipe:
    def recipe(served: Any) -> None:
        well(served)
        served.answer = lambda call: Answer(False, code, 'because')
        served.listing = Answer(True, 'OK', '', '[]')
    return recipe


def warned(served: Any) -> None:
    well(served)
    served.answer = lambda call: Answer(True, 'UntilRestart', 'until restart')


def silent(served: Any) -> None:
    well(served)
    served.clock.advance(20.0)


def nobody(served: Any) -> None:
    well(served)
    served.answer = lambda call: None
    served.listing = None


def unlisted(served: Any) -> None:
    well(served)
    served.listing = Answer(False, 'Whatever', 'no')


LIMITS, TX, PROFILES, DIMMING = ('/api/v1/limits', '/api/v1/transaction', '/api/v1/profiles',
                                 '/api/v1/vcse/dimming')
SCHEDULE = '/api/v1/composite-schedule'
LIMIT = {'json': {'amperageLimit': 8}}
BIND = {'json': {'ocppTransactionId': 'a'}}
POST = {'json': PROFILE}
DIM = {'json': {'power': 4200}}
CASES: dict[tuple[str, str, int], tuple[Recipe, dict[str, Any]]] = {
    **{('get', f'/api/v1/{name}', status): (recipe, {}) for name in
       ('charging', 'configuration', 'transaction', 'limits', 'health')
       for status, recipe in ((200, well), (503, silent))},
    **{('get', path, 200): (well, {}) for path in
       ('/api/v1/history', '/api/v1/access', '/metrics', '/api/openapi.yaml', '/api/openapi.json',
        '/api/docs', '/api/v1/chargers')},
    ('get', '/api/v1/chargers/{name}', 200): (well, {'name': 'charger'}),
    ('get', '/api/v1/chargers/{name}', 404): (well, {'name': 'other'}),
    ('put', LIMITS, 204): (well, LIMIT), ('put', LIMITS, 200): (warned, LIMIT),
    ('put', LIMITS, 400): (well, {'json': {'amperageLimit': 99}}),
    ('put', LIMITS, 409): (refused('NotSupported'), {'json': {'onePhaseLimit': True}}),
    ('put', LIMITS, 413): (well, {'data': ' ' * 70_000}),
    ('put', LIMITS, 503): (nobody, LIMIT), ('put', LIMITS, 507): (refused('StoreFailed'), LIMIT),
    ('put', TX, 204): (well, BIND), ('put', TX, 200): (warned, BIND),
    ('put', TX, 400): (well, {'json': {}}), ('put', TX, 409): (refused('NoTransaction'), BIND),
    ('put', TX, 503): (nobody, BIND), ('put', TX, 507): (refused('StoreFailed'), BIND),
    ('get', PROFILES, 200): (well, {}), ('get', PROFILES, 400): (unlisted, {}),
    ('get', PROFILES, 503): (nobody, {}),
    ('post', PROFILES, 200): (warned, POST), ('post', PROFILES, 400): (well, {'data': '{'}),
    ('post', PROFILES, 404): (refused('EvseDoesNotExist'), POST),
    ('post', PROFILES, 409): (refused('TooManyProfilesInstalled'), POST),
    ('post', PROFILES, 413): (well, {'data': ' ' * 1_100_000}),
    ('post', PROFILES, 503): (refused('Busy'), POST),
    ('post', PROFILES, 507): (refused('StoreFailed'), POST),
    ('delete', PROFILES, 200): (well, {}), ('delete', PROFILES, 400): (well, {'query': '?id=x'}),
    ('delete', PROFILES, 404): (refused('Unknown'), {}), ('delete', PROFILES, 503): (nobody, {}),
    ('get', SCHEDULE, 200): (well, {}), ('get', SCHEDULE, 400): (well, {'query': '?unit=V'}),
    ('get', SCHEDULE, 404): (refused('EvseDoesNotExist'), {}),
    ('get', SCHEDULE, 503): (refused('NotKnown'), {}),
    ('get', DIMMING, 200): (well, {}), ('get', DIMMING, 503): (silent, {}),
    ('put', DIMMING, 200): (well, DIM), ('put', DIMMING, 400): (well, {'json': {'power': -1}}),
    ('put', DIMMING, 409): (refused('NotConfigured'), DIM), ('put', DIMMING, 503): (nobody, DIM),
    ('get', '/api/ws', 101): (well, {'headers': UPGRADE, 'stream': True}),
    ('get', '/api/ws', 426): (well, {}),
    ('get', '/api/ws', 503): (well, {'headers': UPGRADE, 'stream': True, 'full': True}),
}


@pytest.fixture(scope='module')
def long_served(serve_long: Callable[..., Any]) -> Iterator[Any]:
    one = serve_long(max_clients=1)
    well(one)
    return one


def test_every_status_that_is_documented_has_a_case() -> None:
    documented = {(method, path, int(status)) for path, item in CONTRACT['paths'].items()
                  for method, operation in item.items() for status in operation['responses']
                  if status != 'default'}
    assert documented == set(CASES)
    assert all('default' in operation['responses'] for item in CONTRACT['paths'].values()
               for operation in item.values())


@pytest.mark.parametrize(('method', 'path', 'status'), CASES)
def test_every_path_and_every_status(long_served: Any, monkeypatch: pytest.MonkeyPatch,
                                     method: str, path: str, status: int) -> None:
    recipe, given_options = CASES[method, path, status]
    options = dict(given_options)
    monkeypatch.setattr(asking, 'DEADLINE', 0.1)
    long_served.clock.advance(2.0)   # past the cool-down of the case before
    recipe(long_served)
    if options.pop('full', False):
        long_served.connect().next('charging')
    url = long_served.url + path.replace('{name}', options.pop('name', '')) + options.pop(
        'query', '')
    try:
        with requests.request(method, url, timeout=10, **options) as answer:
            conforms(answer, CONTRACT['paths'][path][method]['responses'], status)
    finally:
        for client in long_served.opened:
            client.socket.shutdown()
        long_served.opened.clear()


def conforms(answer: requests.Response, responses: dict[str, Any], status: int) -> None:
    assert answer.status_code == status, answer.text[:300]
    said = resolved(responses[str(status)] if str(status) in responses else responses['default'])
    for name in said.get('headers', {}):
        assert answer.headers[name].isdigit()
    if 'content' not in said:
        assert status == 101 or answer.content == b''
        return
    kind = answer.headers['Content-Type'].partition(';')[0]
    schema = said['content'][kind]['schema']
    if kind == 'application/json':
        Draft202012Validator({**schema, 'components': CONTRACT['components']}).validate(
            answer.json())


def resolved(thing: dict[str, Any]) -> dict[str, Any]:
    if '$ref' not in thing:
        return thing
    found: Any = CONTRACT
    for key in thing['$ref'].removeprefix('#/').split('/'):
        found = found[key]
    return dict(found)


def test_schemas_are_strict() -> None:
    """A document with a field that is not in the contract does not conform."""
    for name in ('Charging', 'Transaction', 'Limits', 'Configuration', 'Summary', 'Dimming',
                 'History'):
        assert CONTRACT['components']['schemas'][name]['additionalProperties'] is False


@pytest.mark.parametrize(('status', 'ask'), [
    (400, {'headers': {'Content-Length': 'x'}}), (401, {}), (401, {'auth': ('ann', 'wrong')}),
    (403, {'auth': ('ann', 'secret'), 'method': 'put', 'path': LIMITS}),
    (404, {'auth': ('ann', 'secret'), 'path': '/api/v1/nothing'}),
    (405, {'auth': ('bob', 'secret'), 'method': 'patch'}),
    (411, {'auth': ('ann', 'secret'), 'method': 'put', 'path': LIMITS, 'data': iter([b'{}'])}),
    (413, {'auth': ('ann', 'secret'), 'method': 'put', 'path': LIMITS, 'data': b' ' * 70_000}),
])
def test_what_any_request_can_be_answered(serve: Callable[..., Any], status: int,
                                          monkeypatch: pytest.MonkeyPatch,
                                          ask: dict[str, Any]) -> None:
    monkeypatch.setenv(ENVIRONMENT, f'ann read {hash_secret("secret", CHEAP)}\n'
                       f'bob read,write {hash_secret("secret", CHEAP)}')
    one = serve()
    options = dict(ask)
    answer = requests.request(options.pop('method', 'get'),
                              one.url + options.pop('path', '/api/v1/charging'), timeout=5,
                              **options)
    conforms(answer, {'default': {'$ref': '#/components/responses/Error'}}, status)


# -- what nobody thought of ------------------------------------------------------------------------
SCHEMA = schemathesis.openapi.from_dict(CONTRACT)
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
CHECKED = CHECKS.get_by_names(['status_code_conformance', 'content_type_conformance',
                               'response_schema_conformance', 'response_headers_conformance'])


@pytest.mark.parametrize('mode', GenerationMode)
@pytest.mark.parametrize('label', OPERATIONS)
def test_generated_requests(long_served: Any, label: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[label]
    well(long_served)
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
        mode = GenerationMode.POSITIVE   # there is nothing to get wrong

    @settings(max_examples=8, deadline=None, derandomize=True, database=None,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        answer = case.call(base_url=long_served.url, timeout=5)
        assert answer.status_code != 500
        case.validate_response(answer, checks=CHECKED)

    ask()
