from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charger_control.bridges.graph.errors import RequestError
from charger_control.bridges.graph.limits_input import (
    BY_COMMAND,
    BY_SPELLING,
    as_json,
    parse_body,
    parse_command,
)
from charger_control.core.api.types import SetLimits

NAN = math.nan


def same(first: SetLimits, second: SetLimits) -> bool:
    return repr(first) == repr(second)   # NaN equals NaN


@pytest.mark.parametrize(('body', 'expected'), [
    ('{"enabled": false}', SetLimits(set_enabled=True, enabled=False)),
    ('{"enabled": null}', SetLimits(set_enabled=True, give_enabled_back=True)),
    ('{"enabled": NaN}', SetLimits(set_enabled=True, give_enabled_back=True)),
    ('{"amperageLimit": 10}', SetLimits(set_amperage_limit=True, amperage_limit=10.0)),
    ('{"amperageLimit": 0}', SetLimits(set_amperage_limit=True, amperage_limit=0.0)),
    ('{"amperageLimit": -0.0}', SetLimits(set_amperage_limit=True, amperage_limit=0.0)),
    ('{"amperageLimit": 80}', SetLimits(set_amperage_limit=True, amperage_limit=80.0)),
    ('{"amperageLimit": 8.5}', SetLimits(set_amperage_limit=True, amperage_limit=8.5)),
    ('{"amperageLimit": NaN}', SetLimits(set_amperage_limit=True, amperage_limit=NAN)),
    ('{"amperageLimit": null}', SetLimits(set_amperage_limit=True, amperage_limit=NAN)),
    ('{"setAmperageLimit": 10}', SetLimits(set_amperage_limit=True, amperage_limit=10.0)),
    ('{"powerLimit": 55200}', SetLimits(set_power_limit=True, power_limit=55200.0)),
    ('{"sePowerLimit": NaN}', SetLimits(set_power_limit=True, power_limit=NAN)),
    ('{"setPowerLimit": 1e3}', SetLimits(set_power_limit=True, power_limit=1000.0)),
    ('{"timeout": 1000}', SetLimits(set_timeout=True, timeout=1.0)),
    ('{"setTimeout": 86400000}', SetLimits(set_timeout=True, timeout=86400.0)),
    ('{"onePhaseLimit": true}', SetLimits(set_one_phase_limit=True, one_phase_limit=True)),
    ('{"setOnePhaseLimit": false}', SetLimits(set_one_phase_limit=True)),
    ('{"onePhaseLimit": null}', SetLimits(set_one_phase_limit=True)),
    ('{"phaseRotation": true}', SetLimits(set_phase_rotation=True, phase_rotation=True)),
    ('\ufeff {"setAmperageLimit":NaN,"sePowerLimit":NaN,"setTimeout":300000,'
     '"setOnePhaseLimit":true,"setPhaseRotation":true}\n',
     SetLimits(set_amperage_limit=True, amperage_limit=NAN, set_power_limit=True, power_limit=NAN,
               set_timeout=True, timeout=300.0, set_one_phase_limit=True, one_phase_limit=True,
               set_phase_rotation=True, phase_rotation=True)),
])
def test_good_bodies(body: str, expected: SetLimits) -> None:
    assert same(parse_body(body.encode()), expected)
    expected.check()   # what we let through, the api node takes


HUGE = '9' * 400
BAD_BODIES = [
    # body, code, what the detail must name
    (b'', 'InvalidJson', 'column 1'),
    (b'{', 'InvalidJson', 'line 1'),
    (b'{"amperageLimit": 10', 'InvalidJson', 'column'),
    (b'amperageLimit=10', 'InvalidJson', 'column 1'),
    (b"{'amperageLimit': 10}", 'InvalidJson', 'column'),
    (b'{"amperageLimit": nan}', 'InvalidJson', 'column'),
    (b'{"amperageLimit": \xff}', 'InvalidJson', 'UTF-8'),
    (b'{"amperageLimit": ' + b'9' * 5000 + b'}', 'InvalidJson', 'too long'),
    (b'[' * 60000, 'InvalidJson', 'deep'),
    (b'{"amperageLimit":' * 3000 + b'1' + b'}' * 3000, 'InvalidJson', 'deep'),
    (b'{"x":' + b'[' * 800 + b']' * 800 + b'}', 'UnknownField', 'x'),
    (b'{"amperageLimit":' + b'[' * 800 + b']' * 800 + b'}', 'OutOfRange', 'a list'),
    (b'10', 'NotAnObject', 'a number'),
    (b'null', 'NotAnObject', 'null'),
    (b'NaN', 'NotAnObject', 'a number'),
    (b'"x"', 'NotAnObject', 'a text'),
    (b'[{"amperageLimit": 10}]', 'NotAnObject', 'a list'),
    (b'{}', 'NothingSet', 'amperageLimit'),
    (b'{"amperagelimit": 10}', 'UnknownField', 'amperagelimit'),
    (b'{"amperageLimit": 10, "foo": 1, "bar": 2}', 'UnknownField', 'foo, bar'),
    (b'{"expiresIn": 0}', 'UnknownField', 'expiresIn'),
    (b'{"": 1}', 'UnknownField', 'amperageLimit'),
    (b'{"amperageLimit": 10, "amperageLimit": 12}', 'SetTwice', 'amperageLimit'),
    (b'{"amperageLimit": 10, "setAmperageLimit": 10}', 'SetTwice', 'setAmperageLimit'),
    (b'{"amperageLimit": "10"}', 'OutOfRange', "amperageLimit = '10': allowed is 0 to 80 (A)"),
    (b'{"amperageLimit": true}', 'OutOfRange', 'amperageLimit = True'),
    (b'{"amperageLimit": [10]}', 'OutOfRange', 'a list'),
    (b'{"amperageLimit": {"a": 1}}', 'OutOfRange', 'an object'),
    (b'{"amperageLimit": -0.001}', 'OutOfRange', '-0.001'),
    (b'{"amperageLimit": 80.001}', 'OutOfRange', '80.001'),
    (b'{"amperageLimit": 1e308}', 'OutOfRange', '1e+308'),
    (b'{"amperageLimit": 1e999}', 'OutOfRange', 'inf'),
    (b'{"amperageLimit": Infinity}', 'OutOfRange', 'inf'),
    (b'{"amperageLimit": -Infinity}', 'OutOfRange', 'inf'),
    (b'{"setAmperageLimit": 81}', 'OutOfRange', 'setAmperageLimit = 81'),
    (f'{{"amperageLimit": {HUGE}}}'.encode(), 'OutOfRange', '53 bits'),
    (b'{"powerLimit": 55201}', 'OutOfRange', 'powerLimit = 55201: allowed is 0 to 55200 (W)'),
    (b'{"powerLimit": -1}', 'OutOfRange', 'powerLimit'),
    (b'{"timeout": 999}', 'OutOfRange', 'timeout = 999: allowed is 1000 to 86400000 (ms)'),
    (b'{"timeout": 86400001}', 'OutOfRange', 'timeout'),
    (b'{"timeout": null}', 'OutOfRange', 'timeout = None'),
    (b'{"timeout": NaN}', 'OutOfRange', 'timeout'),
    (b'{"enabled": 1}', 'OutOfRange', 'enabled = 1: allowed is true or false'),
    (b'{"enabled": "true"}', 'OutOfRange', "enabled = 'true'"),
    (b'{"enabled": 0.0}', 'OutOfRange', 'enabled'),
    (b'{"onePhaseLimit": "yes"}', 'OutOfRange', 'onePhaseLimit'),
    (b'{"phaseRotation": 0}', 'OutOfRange', 'phaseRotation'),
    # all or nothing: the good half of a bad body is not returned either
    (b'{"enabled": true, "amperageLimit": 10, "timeout": 5}', 'OutOfRange', 'timeout'),
    (('{"amperageLimit": "' + 'x' * 60000 + '"}').encode(), 'OutOfRange', '…'),
]


@pytest.mark.parametrize(('body', 'code', 'named'), BAD_BODIES,
                         ids=[b[0][:40].decode('latin-1') for b in BAD_BODIES])
def test_bad_bodies(body: bytes, code: str, named: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_body(body)
    assert refused.value.status == 400
    assert refused.value.code == code
    assert named in refused.value.detail
    assert len(refused.value.detail) < 400
    json.dumps(refused.value.document(), allow_nan=False)


def test_error_of_a_value_names_field_value_and_allowed() -> None:
    with pytest.raises(RequestError) as refused:
        parse_body(b'{"amperageLimit": 99}')
    assert refused.value.document() == {
        'code': 'OutOfRange', 'field': 'amperageLimit', 'value': 99,
        'allowed': '0 to 80 (A); null or NaN to give it back',
        'detail': 'amperageLimit = 99: allowed is 0 to 80 (A); null or NaN to give it back'}


@pytest.mark.parametrize(('text', 'expected'), [
    ('setEnabled\nfalse', SetLimits(set_enabled=True, enabled=False)),
    ('setEnabled\ntrue', SetLimits(set_enabled=True, enabled=True)),
    ('setEnabled\nNaN', SetLimits(set_enabled=True, give_enabled_back=True)),
    ('setCurrentLimit\n8.5', SetLimits(set_amperage_limit=True, amperage_limit=8.5)),
    ('setCurrentLimit\nNaN', SetLimits(set_amperage_limit=True, amperage_limit=NAN)),
    ('setCurrentLimit\n 16 \r\n', SetLimits(set_amperage_limit=True, amperage_limit=16.0)),
    ('setPowerLimit\n1e+04', SetLimits(set_power_limit=True, power_limit=10000.0)),
    ('setTimeout\n10000', SetLimits(set_timeout=True, timeout=10.0)),
    ('setOnePhaseLimit\ntrue', SetLimits(set_one_phase_limit=True, one_phase_limit=True)),
    ('setOnePhaseLimitActive\ntrue', SetLimits(set_one_phase_limit=True, one_phase_limit=True)),
    ('set1p3p\ntrue', SetLimits(set_one_phase_limit=True, one_phase_limit=True)),
    ('set1p3p\nfalse', SetLimits(set_one_phase_limit=True, one_phase_limit=False)),
    ('setPhaseRotation\ntrue', SetLimits(set_phase_rotation=True, phase_rotation=True)),
])
def test_good_commands(text: str, expected: SetLimits) -> None:
    assert same(parse_command(text), expected)


BAD_COMMANDS = [
    ('', 'UnknownCommand', 'setCurrentLimit'),
    ('hello', 'UnknownCommand', "'hello'"),
    ('{"amperageLimit": 10}', 'UnknownCommand', 'setCurrentLimit'),
    ('setcurrentlimit\n10', 'UnknownCommand', 'setcurrentlimit'),
    ('amperageLimit\n10', 'UnknownCommand', 'amperageLimit'),
    ('x' * 4000, 'UnknownCommand', '…'),
    ('setCurrentLimit', 'NoValue', 'setCurrentLimit'),
    ('setCurrentLimit 10', 'UnknownCommand', 'setCurrentLimit 10'),
    ('setCurrentLimit\n', 'OutOfRange', 'setCurrentLimit'),
    ('setCurrentLimit\nabc', 'OutOfRange', "'abc'"),
    ('setCurrentLimit\n10\n12', 'OutOfRange', 'setCurrentLimit'),
    ('setCurrentLimit\n"10"', 'OutOfRange', "'10'"),
    ('setCurrentLimit\n81', 'OutOfRange', '0 to 80'),
    ('setCurrentLimit\n-1', 'OutOfRange', '-1'),
    ('setCurrentLimit\n+Inf', 'OutOfRange', '+Inf'),
    ('setCurrentLimit\nInfinity', 'OutOfRange', 'inf'),
    ('setCurrentLimit\n1e308', 'OutOfRange', '1e+308'),
    ('setCurrentLimit\ntrue', 'OutOfRange', 'True'),
    ('setCurrentLimit\n' + '[' * 4000, 'OutOfRange', 'setCurrentLimit'),
    ('setEnabled\n1', 'OutOfRange', 'setEnabled'),
    ('setEnabled\nTrue', 'OutOfRange', "'True'"),
    ('setTimeout\n10', 'OutOfRange', '1000 to 86400000'),
    ('set1p3p\n3', 'OutOfRange', 'set1p3p'),
]


@pytest.mark.parametrize(('text', 'code', 'named'), BAD_COMMANDS,
                         ids=[repr(b[0][:30]) for b in BAD_COMMANDS])
def test_bad_commands(text: str, code: str, named: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_command(text)
    assert refused.value.code == code
    assert named in refused.value.detail
    json.dumps(refused.value.document(), allow_nan=False)


plain_values = (st.none() | st.booleans() | st.integers() | st.floats()
                | st.sampled_from(['', '10', [], [1], {}, {'a': 1}]))
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(st.dictionaries(st.sampled_from([*BY_SPELLING, 'other']), plain_values, max_size=4))
def test_any_object_is_refused_or_fits_the_api(document: dict[str, Any]) -> None:
    try:
        change = parse_body(json.dumps(document).encode())
    except RequestError as error:
        json.dumps(error.document(), allow_nan=False)
    else:
        change.check()
        assert as_json(change)


@unhurried
@given(st.binary(max_size=200))
def test_any_body_is_refused_or_parsed(body: bytes) -> None:
    try:
        parse_body(body).check()
    except RequestError as error:
        assert error.status == 400


@unhurried
@given(st.sampled_from([*BY_COMMAND, 'x']), st.text(max_size=20))
def test_any_command_is_refused_or_parsed(command: str, value: str) -> None:
    try:
        parse_command(f'{command}\n{value}').check()
    except RequestError as error:
        assert error.status == 400


@pytest.mark.parametrize(('change', 'values'), [
    (SetLimits(set_amperage_limit=True, amperage_limit=10.0), {'amperageLimit': 10.0}),
    (SetLimits(set_amperage_limit=True), {'amperageLimit': None}),
    (SetLimits(set_enabled=True, enabled=False, set_timeout=True, timeout=10.0),
     {'enabled': False, 'timeout': 10_000.0}),
    (SetLimits(set_enabled=True, give_enabled_back=True), {'enabled': None}),
    (SetLimits(set_one_phase_limit=True, one_phase_limit=True), {'onePhaseLimit': True}),
])
def test_what_a_change_sets_by_the_names_of_the_document(change: SetLimits,
                                                         values: dict[str, Any]) -> None:
    assert as_json(change) == values
