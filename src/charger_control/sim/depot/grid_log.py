"""The log of a depot's point of supply, a CSV file: the judge of tests, and what plots show.

True values of the simulation, not what the meter's line says. Columns: LOG_COLUMNS, one column per
charger (A on its highest phase), and `event`, what the scenario did since the row before.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from charger_control.sim.plant.ev import NO_PHASES
from charger_control.sim.plant.ev_parameters import Phases

LOG_COLUMNS = ('time', 'boottime', 'l1', 'l2', 'l3', 'other_l1', 'other_l2', 'other_l3', 'fuse_l1',
               'fuse_l2', 'fuse_l3')
"""s since the start and on CLOCK_BOOTTIME; A on L1 L2 L3: in all, not by vehicles, the fuse."""
EVENT = 'event'


@dataclass(frozen=True, slots=True)
class LogRow:
    """One moment.

    Attributes:
        time: s since the start.
        amperage: A at the point of supply.
        other_loads: A of it that is not the vehicles'.
        chargers: A on the highest phase of each charger, by name.
        event: what the scenario did since the row before; '' nothing.
        boottime: s on CLOCK_BOOTTIME, as in the boards' logs; NaN offline.
    """

    time: float
    amperage: Phases
    other_loads: Phases
    chargers: Mapping[str, float]
    event: str = ''
    boottime: float = math.nan


class GridLog:
    """Writes a CSV file, a row at a time; a row is whole, or not there.

    Args:
        path: of the file, replaced.
        fuse: A on L1 L2 L3 at the point of supply.
        chargers: their names.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path, fuse: Phases, chargers: Sequence[str]) -> None:
        self._file = path.open('w', encoding='utf-8', newline='', buffering=1)
        self._writer = csv.writer(self._file, lineterminator='\n')
        self._fuse = [f'{a:g}' for a in fuse]
        self._chargers = list(chargers)
        self._writer.writerow([*LOG_COLUMNS, *self._chargers, EVENT])

    def write(self, row: LogRow) -> None:
        """Adds a row."""
        boottime = '' if math.isnan(row.boottime) else f'{row.boottime:.3f}'
        self._writer.writerow([
            f'{row.time:.3f}', boottime, *(f'{a:.2f}' for a in row.amperage),
            *(f'{a:.2f}' for a in row.other_loads), *self._fuse,
            *(f'{row.chargers[name]:.2f}' for name in self._chargers), row.event])

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class LogError(ValueError):
    """A log cannot be read; the text names file, line and what is expected."""


@dataclass
class Night:
    """What a log tells.

    Attributes:
        fuse: A on L1 L2 L3.
        time: s since the start.
        amperage: A at the point of supply, by phase 0..2.
        other_loads: A of it that is not the vehicles', by phase.
        chargers: A on the highest phase of each charger, by name.
        events: s and what happened.
    """

    fuse: Phases
    time: list[float] = field(default_factory=list)
    amperage: tuple[list[float], ...] = field(default_factory=lambda: ([], [], []))
    other_loads: tuple[list[float], ...] = field(default_factory=lambda: ([], [], []))
    chargers: dict[str, list[float]] = field(default_factory=dict)
    events: list[tuple[float, str]] = field(default_factory=list)

    def above_fuse(self) -> tuple[float, float]:
        """The most A by which a phase was above its fuse, and for how many s any was."""
        most = duration = 0.0
        for i, at in enumerate(self.time):
            over = max(a[i] - f for a, f in zip(self.amperage, self.fuse, strict=True))
            most = max(most, over)
            if over > 0.0 and i + 1 < len(self.time):
                duration += self.time[i + 1] - at
        return most, duration


def read_night(path: Path) -> Night:
    """The log in a file.

    Raises:
        LogError: it cannot be read, or is not such a log. A last line cut short is left out.
    """
    try:
        lines = path.read_text(encoding='utf-8').split('\n')[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f'{path}: cannot be read ({error})') from None
    rows = list(csv.reader(lines))
    if not rows or tuple(rows[0][:len(LOG_COLUMNS)]) != LOG_COLUMNS or rows[0][-1] != EVENT:
        raise LogError(f'{path}: not a log of a depot (its first line begins with '
                       f'{",".join(LOG_COLUMNS[:5])},...)')
    names = rows[0][len(LOG_COLUMNS):-1]
    if len(rows) < 2:
        raise LogError(f'{path}: no row in it yet')
    night = Night(NO_PHASES, chargers={name: [] for name in names})
    for line, row in enumerate(rows[1:], 2):
        try:
            values = [float(value) for value in (row[0], *row[2:-1])]
            _take(night, values, names, row[-1])
        except (ValueError, IndexError):
            raise LogError(f'{path} line {line}: {",".join(row)!r} (expected: '
                           f'{len(rows[0])} columns of numbers, the last one text)') from None
    return night


def _take(night: Night, values: Sequence[float], names: Sequence[str], event: str) -> None:
    if len(values) != len(LOG_COLUMNS) - 1 + len(names):
        raise ValueError(values)
    night.time.append(values[0])
    for i in range(3):
        night.amperage[i].append(values[1 + i])
        night.other_loads[i].append(values[4 + i])
    night.fuse = (values[7], values[8], values[9])
    for name, value in zip(names, values[10:], strict=True):
        night.chargers[name].append(value)
    if event:
        night.events.append((values[0], event))
