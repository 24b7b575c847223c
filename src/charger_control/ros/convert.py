"""Messages to core types and back. The only place that knows both.

A core type has the fields of its message by name, so one walk over the fields serves all. What
differs in kind: Duration <-> float seconds, uint8 with 255 <-> ``None``, arrays <-> tuples. A test
holds every pair to having the same fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, get_type_hints

import charger_interfaces.msg as msgs
from builtin_interfaces.msg import Duration, Time

from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import AvailableAmperage, Charging, Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Configuration, Transaction
from charger_control.core.messages.team import MemberAllocation, TeamAllocation, TeamRequest
from charger_control.core.units import FOREVER

T = TypeVar('T')
UNKNOWN = 255
"""uint8 in a message for what is ``None`` in core."""

PAIRS: dict[type, Any] = {
    MeterReading: msgs.MeterReading,
    AmperageLimit: msgs.AmperageLimit,
    ControlPilot: msgs.ControlPilot,
    Decision: msgs.Decision,
    AvailableAmperage: msgs.AvailableAmperage,
    Charging: msgs.Charging,
    Limits: msgs.Limits,
    Transaction: msgs.Transaction,
    Configuration: msgs.Configuration,
    TeamRequest: msgs.TeamRequest,
    TeamAllocation: msgs.TeamAllocation,
    MemberAllocation: msgs.MemberAllocation,
    TeamBudget: msgs.TeamBudget,
}
CORE_OF = {message: core for core, message in PAIRS.items()}


def duration(seconds: float) -> Duration:
    """Seconds to a Duration message; clipped to what it can carry, NaN and less than 0 to 0."""
    if not seconds > 0.0:
        return Duration()
    clipped = min(seconds, FOREVER)
    whole = int(clipped)
    return Duration(sec=whole, nanosec=min(999_999_999, int((clipped - whole) * 1e9)))


def seconds(message: Duration) -> float:
    """A Duration message in seconds."""
    return float(message.sec) + message.nanosec * 1e-9


def _identity(value: Any) -> Any:
    return value


def _optional_to_message(value: bool | None) -> int:
    return UNKNOWN if value is None else int(value)


def _optional_from_message(value: int) -> bool | None:
    return None if value == UNKNOWN else bool(value)


def _many_from_message(value: Any) -> Any:
    return tuple(from_message(v) for v in value)


def _many_to_message(value: Any) -> Any:
    return [to_message(v) for v in value]


def _array_from_message(value: Any) -> tuple[Any, ...]:
    return tuple(value.tolist() if hasattr(value, 'tolist') else value)


Converter = Callable[[Any], Any]


@cache
def _plan(core: type) -> tuple[tuple[str, Converter, Converter], ...]:
    """For every field of a pair: name, core -> message, message -> core."""
    hints = get_type_hints(core)
    plan: list[tuple[str, Converter, Converter]] = []
    for name, kind in PAIRS[core].get_fields_and_field_types().items():
        if name == 'header':
            continue
        to, back = _identity, _identity
        if kind == 'builtin_interfaces/Duration':
            to, back = duration, seconds
        elif kind.startswith('sequence<charger_interfaces/'):
            to, back = _many_to_message, _many_from_message
        elif kind.endswith(']') or kind.startswith('sequence<'):
            to, back = list, _array_from_message
        elif kind == 'uint8' and hints[name] == (bool | None):
            to, back = _optional_to_message, _optional_from_message
        elif kind == 'double':
            to = float
        plan.append((name, to, back))
    return tuple(plan)


def to_message(value: Any, stamp: Time | None = None, sender: str = '') -> Any:
    """A core value as its message; ``stamp`` and ``sender`` go into the header, if there is one."""
    message = PAIRS[type(value)]()
    for name, to, _ in _plan(type(value)):
        setattr(message, name, to(getattr(value, name)))
    if stamp is not None:
        message.header.stamp = stamp
        message.header.frame_id = sender
    return message


def from_message(message: Any) -> Any:
    """A message as its core value."""
    core = CORE_OF[type(message)]
    return core(**{name: back(getattr(message, name)) for name, _, back in _plan(core)})


def fields(core: type) -> set[str]:
    """Names of the fields of a core type."""
    return {f.name for f in dataclasses.fields(core)}
