"""What can be done to the simulated charge point: one vocabulary for scenarios and for the control
channel, with what each action takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from charger_control.sim.lines.device_tables import device_table
from charger_control.sim.lines.faults import KINDS
from charger_control.sim.plant.ev_parameters import vehicle_of
from charger_control.sim.plant.plant import CABLE_RATINGS

Check = Callable[[Any], Any]
DEVICES = ('meter', 'pilot', 'all')
SET_UP_REGISTERS: Mapping[str, int] = {
    name: address for name, address in device_table('evse_din')['registers'].items()
    if address >= 2000}
"""Address of each register of the board that keeps its value, by name."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done.

    Attributes:
        says: what happens, for people.
        takes: a check for each argument; it returns the value to use or raises ValueError with
            what is allowed.
        needs: the arguments that must be there.
    """

    says: str
    takes: Mapping[str, Check]
    needs: tuple[str, ...] = ()


def number(low: float, high: float) -> Check:
    """Checks for a number in a range."""
    def check(value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise ValueError(f'a number, {low:g} to {high:g}')
        return float(value)
    return check


def integer(low: int, high: int) -> Check:
    """Checks for a whole number in a range."""
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f'a whole number, {low} to {high}')
        return value
    return check


def one_of(*choices: Any) -> Check:
    """Checks for one of some values."""
    def check(value: Any) -> Any:
        if isinstance(value, bool) is not isinstance(choices[0], bool) or value not in choices:
            raise ValueError(', '.join(str(choice).lower() for choice in choices))
        return value
    return check


def _phases(most: float, unit: str) -> Check:
    def check(value: Any) -> tuple[float, float, float]:
        values = value if isinstance(value, list | tuple) else [value] * 3
        if len(values) != 3:
            raise ValueError(f'one number or three, 0 to {most:g} {unit}')
        one, two, three = (number(0.0, most)(each) for each in values)
        return one, two, three
    return check


_voltages, _ohms, _loads = _phases(500.0, 'V'), _phases(10.0, 'ohm'), _phases(500.0, 'A')


class _Told(ValueError):  # noqa: N818  no error of its own, only one with a whole text
    """What is wrong, said in full."""


def _vehicle(value: Any) -> Any:
    if not isinstance(value, str | Mapping):
        raise ValueError("a preset's name, or parameters by name")
    try:
        vehicle_of(value)
    except ValueError as problem:
        raise _Told(str(problem)) from None
    return value


def _changes(value: Any) -> Any:
    if not isinstance(value, Mapping) or not value or 'preset' in value:
        raise ValueError('vehicle parameters by name')
    return _vehicle(value)


def _mapping(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError('names with values')
    return value


_SECONDS = number(0.0, 1e6)
_SWITCH = one_of(True, False)
_FAULT: dict[str, Check] = {
    'device': one_of(*DEVICES), 'active': _SWITCH, 'for': _SECONDS, 'count': integer(1, 10**9),
    'probability': number(0.0, 1.0)}

ACTIONS: Mapping[str, Action] = {
    'plug_in': Action('a vehicle is plugged in (absent: the one that was there last)',
                      {'vehicle': _vehicle, 'cable': one_of(*CABLE_RATINGS[1:])}),
    'unplug': Action('the plug is pulled', {}),
    'set_vehicle': Action('parameters of the vehicle change while it is there',
                          {'vehicle': _changes}, ('vehicle',)),
    'short_pilot': Action('pilot and earth are shorted (state E)', {'active': _SWITCH}),
    'weld': Action('the main contactor sticks once closed', {'active': _SWITCH}),
    'set_mains': Action("the supply changes (V, Hz, ohm), the house's loads (A) and the neutral",
                        {'voltage': _voltages, 'frequency': number(40.0, 70.0),
                         'source_resistance': _ohms, 'loads': _loads, 'neutral': _SWITCH}),
    'set_meter': Action('the meter changes: register (kWh), gain, refresh (s), serial number',
                        {'energy_imported': number(0.0, 1e8), 'gain': number(0.0, 10.0),
                         'refresh': number(0.01, 3600.0), 'amperage_noise': number(0.0, 10.0),
                         'serial_number': integer(0, 2**32 - 1)}),
    'reset_board': Action('the pilot board loses power for a moment', {}),
    'lose_fine_steps': Action('the pilot board loses configuration bit 7 (0.01 A steps)', {}),
    'factory_board': Action('the pilot board is as delivered: 32 A after boot, whole amperes', {}),
    'set_register': Action('a register 2000..2017 of the board gets another value',
                           {'register': one_of(*SET_UP_REGISTERS), 'value': integer(0, 65535)},
                           ('register', 'value')),
    'cable_out': Action('the serial cable is pulled: the pty is gone', {'for': _SECONDS}),
    'cable_in': Action('the serial cable is back: a new pty under the same link', {}),
    'burst': Action('random bytes on the line, once', {'bytes': integer(1, 1000)}),
    **{kind: Action(says, dict(_FAULT)) for kind, says in KINDS.items()},
    'late': Action(KINDS['late'], {**_FAULT, 'delay': number(0.0, 3600.0)}),
    'exception': Action(KINDS['exception'], {**_FAULT, 'code': integer(1, 255)}),
    'clear_faults': Action('all faults of the devices end', {'device': one_of(*DEVICES)}),
    'put_limits': Action('PUT of this body to /api/v1/limits of the charger (needs --api)',
                         {'body': _mapping}, ('body',)),
    'end': Action('the simulated charger ends', {}),
}
"""Every action by name."""


def checked(name: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an action, checked.

    Raises:
        ValueError: no such action, an unknown or missing argument, a value that is not allowed.
    """
    action = ACTIONS.get(name) if isinstance(name, str) else None
    if action is None:
        raise ValueError(f'do: {name!r} (allowed: {", ".join(ACTIONS)})')
    values = {}
    for argument, value in arguments.items():
        check = action.takes.get(argument)
        if check is None:
            known = ', '.join(action.takes) or 'nothing'
            raise ValueError(f'{name}: unknown argument {argument!r} (it takes: {known})')
        try:
            values[argument] = check(value)
        except _Told as problem:
            raise ValueError(f'{name}: {problem}') from None
        except ValueError as allowed:
            raise ValueError(f'{name}.{argument}: {value!r} (allowed: {allowed})') from None
    for argument in action.needs:
        if argument not in values:
            raise ValueError(f'{name}: needs {argument!r}')
    return values


def fault_end(arguments: Mapping[str, Any], now: float) -> float:
    """s, when something with an argument ``for`` ends by itself; infinity without it."""
    return now + float(arguments.get('for', math.inf))
