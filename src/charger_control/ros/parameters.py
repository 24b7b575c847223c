"""Parameters as a declared, documented artefact: one table per node, checked whenever set.

A table is data (no rclpy needed to read it), so ``charger config check`` and the documentation are
made from the same rows that the nodes declare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from charger_control.nearest import did_you_mean

if TYPE_CHECKING:
    from rclpy.node import Node

Value = bool | int | float | str | list[str] | list[int] | list[float]


OF_ROS = ('use_sim_time', 'qos_overrides.', 'start_type_description_service')
"""Parameters that every node has from rclpy."""
OF_ALL = ('state_dir', 'phases', 'has_phase_shutoff')
"""Facts of the charge point that a file may say once to all nodes; some have no use for them."""


class ParameterError(Exception):
    """A parameter cannot be taken: one line with name, value, what is allowed."""


@dataclass(frozen=True, slots=True)
class Required:
    """Stands in the place of a default where there must not be one."""

    type: type


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter.

    Attributes:
        name: snake_case, dotted groups.
        default: its value when nobody sets it; ``Required(type)`` for none. The type of the
            default is the type of the parameter. An empty list means a list of strings.
        about: what it does, for a person.
        unit: 'A', 'V', 's', ...
        low, high: inclusive range, for numbers.
        nan: whether NaN ("not set", "none") is allowed.
        choices: the strings that are allowed, if not all.
        length: of a list; None: any. ``low`` and ``high`` bound each of its numbers.
        fixed: True: only read at start; False: may be set while the node runs.
    """

    name: str
    default: Value | Required
    about: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    nan: bool = False
    choices: tuple[str, ...] = ()
    length: int | None = None
    fixed: bool = True

    @property
    def type(self) -> type:
        """bool, int, float, str or list."""
        return self.default.type if isinstance(self.default, Required) else type(self.default)

    def allowed(self) -> str:
        """What is allowed, in words."""
        kind = {bool: 'true or false', int: 'an integer', float: 'a number like 16.0',
                str: 'a text', list: 'a list'}[self.type]
        if self.type is list and self.low is not None:
            kind = f'a list of {self.length or "some"} numbers like 16.0, each'
        unit = f' {self.unit}' if self.unit else ''
        if self.choices:
            return ' | '.join(repr(c) for c in self.choices)
        if self.low is not None and self.high is not None:
            kind += f' from {self.low:g} to {self.high:g}{unit}'
        elif self.low is not None:
            kind += f' of {self.low:g}{unit} or more'
        elif self.high is not None:
            kind += f' up to {self.high:g}{unit}'
        else:
            kind += unit
        return kind + (', or .nan' if self.nan else '')

    def refusal(self, value: Any) -> str:
        """Why ``value`` cannot be taken, in words; '' for a good one."""
        if self._fits(value):
            return ''
        hint = ''
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            hint = f' (write {value}.0)'
        return f'{self.name} = {value!r}: allowed is {self.allowed()}{hint}'

    def _fits(self, value: Any) -> bool:
        if self.type is not type(value) and not (self.type is list
                                                 and isinstance(value, Sequence)
                                                 and not isinstance(value, str)):
            return False
        if self.length is not None and len(value) != self.length:
            return False
        entries = value if self.type is list else [value]
        if self.choices:
            return all(entry in self.choices for entry in entries)
        if self.type in (int, float) or (self.type is list and self.low is not None):
            return all(self._in_range(entry) for entry in entries)
        return True

    def _in_range(self, number: Any) -> bool:
        if not isinstance(number, int | float) or isinstance(number, bool):
            return False
        if math.isnan(number):
            return self.nan
        return (math.isfinite(number) and (self.low is None or number >= self.low)
                and (self.high is None or number <= self.high))


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters whose names a driver knows, not the node: all below ``name.``, passed on as given.

    Attributes:
        name: the group, e.g. 'device'.
        about: what it is, for a person.
        check: refuses the group's values by a ValueError in words.
    """

    name: str
    about: str
    check: Callable[[Mapping[str, Any]], object]

    def of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The group's values by the names that the driver knows."""
        prefix = f'{self.name}.'
        return {name.removeprefix(prefix): value for name, value in values.items()
                if name.startswith(prefix)}


def check(params: Sequence[Param | Group], values: Mapping[str, Any], node: str) -> dict[str, Any]:
    """Checks a mapping of values against a table, without ROS.

    Returns:
        Every parameter's value, defaults filled in; a group's as a dict under its name.

    Raises:
        ParameterError: naming the first parameter that is unknown, missing or not allowed.
    """
    groups = [p for p in params if isinstance(p, Group)]
    rows = [p for p in params if isinstance(p, Param)]
    known = {p.name for p in rows}
    for name in values:
        if not (name in known or name in OF_ALL or name.startswith(OF_ROS)
                or any(name.startswith(f'{g.name}.') for g in groups)):
            raise ParameterError(f'{node}.{name} = {values[name]!r}: there is no such parameter.'
                                 f'{did_you_mean(name, known)} There are '
                                 f'{", ".join(sorted(known))}')
    result: dict[str, Any] = {}
    # rcl reads an empty list of a file as "not set", which is what None is here
    values = {name: value for name, value in values.items() if value is not None}
    for param in rows:
        if param.name in values:
            why = param.refusal(values[param.name])
            if why:
                raise ParameterError(f'{node}.{why}')
            result[param.name] = values[param.name]
        elif isinstance(param.default, Required):
            raise ParameterError(f'{node}.{param.name} is not set: it has no default, allowed is '
                                 f'{param.allowed()} ({param.about})')
        else:
            result[param.name] = param.default
    for group in groups:
        result[group.name] = group.of(values)
        try:
            group.check(result[group.name])
        except ValueError as error:
            raise ParameterError(f'{node}.{group.name}: {error}') from error
    return result


def declare(node: Node, params: Sequence[Param | Group],
            changed: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """Declares a table on a node and returns the values.

    Args:
        node: on which to declare.
        params: the table.
        changed: called with all values after a run-time change of those that are not ``fixed``;
            it may raise ValueError to refuse a combination (then nothing is changed).

    Raises:
        ParameterError: the node must not start.
    """
    from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult  # noqa: PLC0415
    from rclpy.parameter import Parameter  # noqa: PLC0415

    overrides = {name: p.value for name, p in node._parameter_overrides.items()}
    values = check(params, overrides, node.get_name())
    known = {p.name: p for p in params if isinstance(p, Param)}
    for param in known.values():
        unit = f' [{param.unit}]' if param.unit else ''
        # dynamic typing, because our own check says more than the type error of rclpy
        node.declare_parameter(param.name, values[param.name], ParameterDescriptor(
            description=param.about + unit, read_only=param.fixed,
            additional_constraints=param.allowed(), dynamic_typing=True))
    for group in (p for p in params if isinstance(p, Group)):
        for name, value in values[group.name].items():
            node.declare_parameter(f'{group.name}.{name}', value, ParameterDescriptor(
                description=group.about, read_only=True, dynamic_typing=True))

    def on_set(changes: list[Parameter]) -> SetParametersResult:
        proposed = dict(values)
        for change in changes:
            if change.name not in known:
                continue
            why = known[change.name].refusal(change.value)
            if why:
                return SetParametersResult(successful=False, reason=f'{node.get_name()}.{why}')
            proposed[change.name] = change.value
        if changed is not None and proposed != values:
            try:
                changed(proposed)
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
            values.update(proposed)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)
    return values
