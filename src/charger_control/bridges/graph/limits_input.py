"""From what a client wrote to a checked change of the limits: one table for REST and WebSocket.

Lenient in: bare ``NaN`` or ``null`` gives a value back, several spellings of a field, any content
type. Strict in what it means: an unknown field, a wrong type or a value out of range refuses the
whole request.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from charger_control.bridges.graph.errors import RequestError, echo
from charger_control.bridges.graph.json_input import JsonObject, kind_of, loads
from charger_control.core.api.types import MAX_POWER, TIMEOUTS, SetLimits
from charger_control.core.units import MAX_AMPERAGE


class _RefusedValueError(ValueError):
    """A value that is not allowed; the caller knows the field's name."""


def _number(low: float, high: float, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _RefusedValueError
    if not low <= value <= high:   # also true of NaN; an int of any size is compared exactly
        raise _RefusedValueError
    return float(value) + 0.0


def _or_back(low: float, high: float, value: Any) -> float:
    return math.nan if _is_nothing(value) else _number(low, high, value)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _flag(value: Any) -> bool:
    if _is_nothing(value):   # giving a wish back is not having it
        return False
    if not isinstance(value, bool):
        raise _RefusedValueError
    return value


def _put_enabled(change: SetLimits, value: Any) -> SetLimits:
    if _is_nothing(value):
        return replace(change, set_enabled=True, give_enabled_back=True)
    return replace(change, set_enabled=True, enabled=_flag(value))


def _put_amperage(change: SetLimits, value: Any) -> SetLimits:
    return replace(change, set_amperage_limit=True,
                   amperage_limit=_or_back(0.0, MAX_AMPERAGE, value))


def _put_power(change: SetLimits, value: Any) -> SetLimits:
    return replace(change, set_power_limit=True, power_limit=_or_back(0.0, MAX_POWER, value))


def _put_timeout(change: SetLimits, value: Any) -> SetLimits:
    low, high = (limit * 1e3 for limit in TIMEOUTS)
    return replace(change, set_timeout=True, timeout=_number(low, high, value) / 1e3)


def _put_one_phase(change: SetLimits, value: Any) -> SetLimits:
    return replace(change, set_one_phase_limit=True, one_phase_limit=_flag(value))


def _put_rotation(change: SetLimits, value: Any) -> SetLimits:
    return replace(change, set_phase_rotation=True, phase_rotation=_flag(value))


@dataclass(frozen=True, slots=True)
class Field:
    """One value that clients can set.

    Attributes:
        spellings: the documented one first; REST takes them all.
        commands: names of the WebSocket command.
        allowed: what is allowed, in words.
        put: the change with this value in it, or _RefusedValueError.
    """

    spellings: tuple[str, ...]
    commands: tuple[str, ...]
    allowed: str
    put: Callable[[SetLimits, Any], SetLimits]


FIELDS = (
    Field(('enabled', 'setEnabled'), ('setEnabled',),
          'true or false; null or NaN to give it back', _put_enabled),
    Field(('amperageLimit', 'setAmperageLimit'), ('setCurrentLimit',),
          f'0 to {MAX_AMPERAGE:g} (A); null or NaN to give it back', _put_amperage),
    Field(('powerLimit', 'setPowerLimit', 'sePowerLimit'), ('setPowerLimit',),
          f'0 to {MAX_POWER:g} (W); null or NaN to give it back', _put_power),
    Field(('timeout', 'setTimeout'), ('setTimeout',),
          f'{TIMEOUTS[0] * 1e3:.0f} to {TIMEOUTS[1] * 1e3:.0f} (ms)', _put_timeout),
    Field(('onePhaseLimit', 'setOnePhaseLimit', 'setOnePhaseLimitActive'),
          ('setOnePhaseLimit', 'setOnePhaseLimitActive', 'set1p3p'),
          'true or false; null or NaN to give it back', _put_one_phase),
    Field(('phaseRotation', 'setPhaseRotation'), ('setPhaseRotation',),
          'true or false; null or NaN to give it back', _put_rotation),
)
BY_SPELLING = {spelling: field for field in FIELDS for spelling in field.spellings}
BY_COMMAND = {command: field for field in FIELDS for command in field.commands}


def parse_body(body: bytes) -> SetLimits:
    """The change that a PUT body asks for.

    Raises:
        RequestError: 400; nothing of the body may be applied.
    """
    document = loads(body)
    if not isinstance(document, JsonObject):
        raise RequestError(400, 'NotAnObject', f'the body is {kind_of(document)}; it has to be a '
                           'JSON object like {"amperageLimit": 10}')
    names = [name for name, _ in document]
    unknown = [name for name in names if name not in BY_SPELLING]
    if unknown:
        raise RequestError(400, 'UnknownField', f'{_listed(unknown)}: no such field; there are '
                           f'{_listed(f.spellings[0] for f in FIELDS)}',
                           field=str(echo(unknown[0])), value=dict(document)[unknown[0]],
                           allowed=_listed(f.spellings[0] for f in FIELDS))
    if not names:
        raise RequestError(400, 'NothingSet', 'the body sets nothing; there are '
                           f'{_listed(f.spellings[0] for f in FIELDS)}')
    change = SetLimits()
    seen: dict[Field, str] = {}
    for name, value in document:
        field = BY_SPELLING[name]
        if field in seen:
            raise RequestError(400, 'SetTwice', f'{name} sets what {seen[field]} sets already; '
                               'give it once', field=name, value=value, allowed='once')
        seen[field] = name
        change = _put(field, name, change, value)
    return change


def parse_command(text: str) -> SetLimits:
    """The change that a WebSocket command asks for, ``"<command>\\n<value>"``.

    Raises:
        RequestError: the frame changes nothing.
    """
    command, newline, value = text.partition('\n')
    command = command.strip()
    field = BY_COMMAND.get(command)
    if field is None:
        raise RequestError(400, 'UnknownCommand', f'{echo(command)!r}: no such command; there are '
                           f'{_listed(BY_COMMAND)}')
    if not newline:
        raise RequestError(400, 'NoValue', f'{command}: the value is missing; write the command, '
                           'a line feed, the value', field=command, value=None,
                           allowed=field.allowed)
    try:
        parsed = loads(value.encode())
    except RequestError:
        raise _out_of_range(command, value, field) from None
    return _put(field, command, SetLimits(), parsed)


def _put(field: Field, name: str, change: SetLimits, value: Any) -> SetLimits:
    try:
        return field.put(change, value)
    except _RefusedValueError:
        raise _out_of_range(name, value, field) from None


def _out_of_range(name: str, value: Any, field: Field) -> RequestError:
    return RequestError(400, 'OutOfRange', f'{name} = {echo(value)!r}: allowed is {field.allowed}',
                        field=name, value=value, allowed=field.allowed)


def _listed(names: Iterable[str]) -> str:
    shown = [str(echo(name)) for name in names]
    return ', '.join(shown[:10]) + (', …' if len(shown) > 10 else '')


def as_json(change: SetLimits) -> dict[str, Any]:
    """What a change sets, by the names of the limits document; None: given back."""
    values: dict[str, Any] = {}
    for field, name in zip(FIELDS, ('enabled', 'amperage_limit', 'power_limit', 'timeout',
                                    'one_phase_limit', 'phase_rotation'), strict=True):
        if getattr(change, f'set_{name}'):
            value = getattr(change, name)
            back = change.give_enabled_back if name == 'enabled' else math.isnan(value)
            values[field.spellings[0]] = (None if back else value * 1e3 if name == 'timeout'
                                          else value)
    return values
