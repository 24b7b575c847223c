"""Fields of a JSON object, read with their type: whatever is not allowed is named and refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

from charger_control.core.smart_charging.ocpp.rejections import ProfileRejected, Reason

Json = Mapping[str, Any]
E = TypeVar('E', bound=Enum)

YEARS = range(1970, 9999)
"""In which a schedule can start: room for its recurrence on both sides."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799
_FIRST = -62_135_596_800


def expect(condition: bool, reason: Reason, message: str) -> None:
    """Refuses unless ``condition`` holds."""
    if not condition:
        raise ProfileRejected(reason, message)


def shown(value: object) -> str:
    """A value for a message, not at length."""
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


def required(source: Json, name: str) -> Any:
    """A field that must be there; null is not."""
    value = source.get(name)
    expect(value is not None, Reason.MISSING_FIELD, f'{name} is missing')
    return value


def integer(source: Json, name: str) -> int:
    """A whole number, as OCPP has them: 32 bits."""
    value = required(source, name)
    expect(isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31,
           Reason.WRONG_TYPE, f'{name} {shown(value)} (allowed: a whole number below 2^31)')
    return int(value)


def optional_integer(source: Json, name: str) -> int | None:
    """A whole number, None where there is none."""
    return None if source.get(name) is None else integer(source, name)


def number(source: Json, name: str) -> float:
    """A number, finite or not: whether it may be is a matter of the profile's rules."""
    value = required(source, name)
    expect(isinstance(value, int | float) and not isinstance(value, bool), Reason.WRONG_TYPE,
           f'{name} {shown(value)} (allowed: a number)')
    try:
        return float(value)
    except OverflowError:  # a whole number beyond any float: refused as not finite
        return math.inf


def as_object(value: object, name: str) -> Json:
    """``value``, which is to be a JSON object; ``name`` says of what."""
    if not isinstance(value, Mapping):
        raise ProfileRejected(Reason.WRONG_TYPE, f'{name} {shown(value)} (allowed: an object)')
    return value


def object_in(source: Json, name: str) -> Json:
    """A field that is an object."""
    return as_object(required(source, name), name)


def list_in(source: Json, name: str) -> list[Any]:
    """A field that is a list."""
    value = required(source, name)
    if not isinstance(value, list):
        raise ProfileRejected(Reason.WRONG_TYPE, f'{name} {shown(value)} (allowed: a list)')
    return value


def enum_in(source: Json, name: str, kind: type[E], reason: Reason = Reason.UNKNOWN_VALUE) -> E:
    """A field that is one of the values of ``kind``."""
    value = required(source, name)
    for member in kind:
        if member.value == value:
            return member
    allowed = ', '.join(member.value for member in kind)
    raise ProfileRejected(reason, f'{name} {shown(value)} (allowed: {allowed})')


def time_in(source: Json, name: str, years: range | None = None) -> int | None:
    """A time as unix s, floored; None where there is none.

    One without an offset is UTC, which OCPP recommends; one beyond the calendar is its end.
    """
    value = source.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ProfileRejected(
            Reason.WRONG_TYPE, f'{name} {shown(value)} (allowed: a time such as '
            '2026-01-31T18:00:00Z)') from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    expect(years is None or moment.year in years, Reason.UNKNOWN_VALUE,
           f'{name} {shown(value)} (allowed: the years {YEARS.start} to {YEARS.stop - 1})')
    return min(max((moment - _EPOCH) // timedelta(seconds=1), _FIRST), _LAST)


def time_text(at: int | None) -> str | None:
    """Unix s as a time in UTC."""
    return None if at is None else (
        _EPOCH + timedelta(seconds=at)).isoformat().replace('+00:00', 'Z')


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """The object without the fields that are None: OCPP leaves those out."""
    return {name: value for name, value in values.items() if value is not None}
