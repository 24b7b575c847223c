"""The memory of the board that outlives a power cut."""

from __future__ import annotations

import json
from pathlib import Path


class Eeprom:
    """Registers that keep their values; in a file if one is given, so that a killed process counts
    as a power cut and not as a new board.

    Args:
        factory: the values as delivered, by register.
        path: file that holds them; read at once if it is there.

    Attributes:
        writes: how often it was written since the start: an EEPROM wears out.

    Raises:
        ValueError: the file is not such a memory.
    """

    def __init__(self, factory: dict[int, int], path: Path | None = None) -> None:
        self._factory = dict(factory)
        self._values = dict(factory)
        self._path = path
        self.writes = 0
        if path and path.exists():
            self._load(path)

    def __getitem__(self, register: int) -> int:
        return self._values.get(register, 0)

    def write(self, register: int, value: int) -> None:
        """Changes one register for good."""
        self._values[register] = value
        self.writes += 1
        self._save()

    def restore_factory(self) -> None:
        """As delivered."""
        self._values = dict(self._factory)
        self._save()

    def _load(self, path: Path) -> None:
        try:
            stored = json.loads(path.read_text(encoding='utf-8'))
            self._values.update({int(key): int(value) for key, value in stored.items()})
        except (ValueError, AttributeError, TypeError) as error:
            raise ValueError(f'{path}: not the memory of a simulated board ({error}); remove it to '
                             'begin with a board as delivered') from error

    def _save(self) -> None:
        if self._path:
            beside = self._path.with_name(f'{self._path.name}.new')
            beside.write_text(json.dumps(self._values), encoding='utf-8')
            beside.replace(self._path)
