"""Options of drivers as data: what can be set, unit, range and default; and their check."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from charger_control.nearest import did_you_mean


class OptionError(ValueError):
    """A configuration that cannot be used; one line with name, value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be set.

    Attributes:
        name: key in the configuration.
        type: str, bool, int or float.
        description: what it is, for people.
        default: None: must be given.
        unit: of the value, '' for none.
        minimum, maximum: of a number.
        choices: of a string; empty: any.
    """

    name: str
    type: type
    description: str
    default: Any = None
    unit: str = ''
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        if self.choices:
            return ' or '.join(self.choices)
        if self.type in (int, float):
            unit = f' {self.unit}' if self.unit else ''
            return f'{self.type.__name__} {self.minimum:g}..{self.maximum:g}{unit}'
        return {str: 'a text', bool: 'true or false'}[self.type]

    def check(self, value: Any) -> Any:
        """The value, of the right type. Raises OptionError."""
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        fits = isinstance(value, self.type) and (self.type is bool or not isinstance(value, bool))
        if fits and self.type in (int, float):
            fits = self.minimum <= value <= self.maximum
        elif fits and self.type is str:
            fits = bool(value) and (not self.choices or value in self.choices)
        if self.type is str and '...' in str(value):
            raise OptionError(f'{self.name}: {value!r}: "..." stands for the rest of a name; '
                              'ls /dev/serial/by-id shows it')
        if not fits:
            hint = " (YAML readers take a bare N for false: write 'N')" if (
                'N' in self.choices and isinstance(value, bool)) else ''
            raise OptionError(f'{self.name}: {value!r} (allowed: {self.allowed}){hint}')
        return value


def checked(config: Mapping[str, Any], options: Iterable[Option], driver: str) -> dict[str, Any]:
    """The value of every option, given or default.

    Args:
        config: what was set; ``driver`` is passed over.
        options: of the driver.
        driver: its name, for the text of an error.

    Raises:
        OptionError: an unknown name, a missing or impossible value.
    """
    known = {option.name: option for option in options}
    for name in config:
        if name not in known and name != 'driver':
            raise OptionError(f'{driver}: {name} = {config[name]!r}: no such option (allowed: '
                              f'{", ".join(known)}).{did_you_mean(name, known)}')
    values: dict[str, Any] = {}
    for option in known.values():
        value = config.get(option.name, option.default)
        if value is None:
            raise OptionError(f'{driver}: {option.name} must be set ({option.description}; '
                              f'allowed: {option.allowed})')
        try:
            values[option.name] = option.check(value)
        except OptionError as error:
            raise OptionError(f'{driver}: {error}') from None
    return values
