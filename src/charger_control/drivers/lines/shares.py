"""Which device of a process has what of a line: an address on it, or all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charger_control.drivers.options import OptionError


class Shares:
    """What the devices of one process have taken."""

    def __init__(self) -> None:
        self._taken: dict[str, tuple[str, int | None, str]] = {}

    def take(self, values: Mapping[str, Any], who: str, driver: str) -> None:
        """Notes what a device takes of its line: one address, or, without one, all of it.

        Args:
            values: checked options of its driver.
            who: the block that has it; what it had before is free again.
            driver: its name. Two blocks may read one and the same device.

        Raises:
            OptionError: another device of this process has it.
        """
        self._taken.pop(who, None)
        if 'port' not in values:
            return
        host, unit = values.get('host'), values.get('unit')
        where = f'{host}:{values["port"]}' if host else str(values['port'])
        for other, (line, taken, theirs) in self._taken.items():
            if line != where or (unit is not None and (driver, unit) == (theirs, taken)):
                continue
            if unit is None or taken is None:
                alone = who if unit is None else other
                raise OptionError(f'port: {where}: the devices of {who} and {other} cannot be on '
                                  f'one line: that of {alone} has it for itself')
            if unit == taken:
                raise OptionError(f'unit: {unit} on {where} is the address of {other} already: '
                                  f'give the device of {who} another one')
        self._taken[who] = where, unit, driver
