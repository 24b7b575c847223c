"""Finds what hangs on a serial port: line settings, units, and which known device each may be.

Asking is reading: nothing is written. A unit is there if it answers anything at all, a refusal
included; it is then read as each known device would be, and judged by what comes. A head is
listened to first, and asked last (heads.py).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from charger_control.drivers.codecs import register_table
from charger_control.drivers.codecs.register_table import Block, RegisterTable
from charger_control.drivers.codecs.register_values import TEXT, Value
from charger_control.drivers.interfaces import AnswerError, SettingsError
from charger_control.drivers.lines import rapi
from charger_control.drivers.lines.modbus_rtu import READ_HOLDING, READ_INPUT, ModbusLine
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.probe import boards as probe_boards
from charger_control.drivers.probe import heads as probe_heads

LINES = tuple(SerialSettings(*line) for line in (
    (9600, 'N', 1), (9600, 'E', 1), (19200, 'E', 1), (19200, 'N', 1), (115200, 'N', 1),
    (2400, 'N', 1), (38400, 'N', 1), (57600, 'N', 1)))
"""Tried in this order: what devices are delivered with comes first."""
UNITS = (1, 2, 3, 33, 42, 45)
QUIET = 0.1
"""s between two requests: what the slowest known device needs."""
FIRST_ANSWER_TIME = 0.15
"""s for the first sign of life."""
_SIGNS_OF_LIFE = ((READ_INPUT, 0x0000, 2), (READ_HOLDING, 1000, 1))
_VOLTAGE, _FREQUENCY = (80.0, 300.0), (45.0, 66.0)
"""V and Hz within which a reading is taken for one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A unit that answers.

    Attributes:
        settings: of its line.
        unit: its Modbus address.
        drivers: kind ('meter', 'pilot') and name of the drivers that it may be for, likeliest
            first; empty: it answers, and is nothing known.
        serial_number: '' where it gives none.
        options: what else its driver needs; a meter behind a head has no unit but these.
    """

    settings: SerialSettings
    unit: int
    drivers: tuple[tuple[str, str], ...]
    serial_number: str = ''
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_head(self) -> bool:
        """Whether it is a meter behind an optical head."""
        return self.unit == 0 and self.drivers[0][0] == 'meter'


@dataclass(frozen=True, slots=True)
class Refused:
    """A setting of the line with which the port cannot be run.

    Attributes:
        settings: the setting.
        why: in the port's words.
    """

    settings: SerialSettings
    why: str


def probe(port: str, tables: Sequence[str], lines: Sequence[SerialSettings] = LINES,
          units: Sequence[int] = UNITS, within: float = 60.0, heads: bool = False,
          clock: Callable[[], float] = time.monotonic) -> Iterator[Found | Refused | float]:
    """Searches a port. Yields the share of the work done (0..1), each unit that is found, and each
    setting that the port refuses.

    Args:
        port: device path; opened exclusively, for each of the line settings anew.
        tables: names of the meters to know.
        lines, units: to try. Units found on one setting are not looked for on the next.
        within: s after which it ends, at most one answer time later.
        heads: look for an optical head too: 4.5 s of listening before, 2 s of asking after.
        clock: s.

    Raises:
        DeviceError: the port cannot be opened, or is lost.
    """
    end = clock() + within
    known: set[int] = set()
    total, done = len(lines) * len(units), 0
    for news in _alone_on(port, rapi.SETTINGS in lines, heads, lambda: clock() >= end):
        yield news
        if isinstance(news, Found):
            yield 1.0
            return
    for settings in lines:
        line = ModbusLine(port, settings)
        try:
            line.open()
        except SettingsError as error:
            done += len(units)
            yield Refused(settings, str(error))
            yield done / total
            continue
        try:
            for unit in units:
                if clock() >= end:
                    return
                done += 1
                if unit not in known and _lives(line, unit):
                    known.add(unit)
                    yield _identified(line, unit, tables, lambda: clock() >= end)
                yield done / total
        finally:
            line.close()
    if heads and not known:
        asked = _tried(probe_heads.PULL, lambda: probe_heads.asked(port))
        if isinstance(asked, Refused):
            yield asked
        elif asked is not None:
            yield _behind(asked)


T = TypeVar('T')


def _alone_on(port: str, board: bool, heads: bool, is_over: Callable[[], bool]
              ) -> Iterator[Found | Refused]:
    """What has a port for itself and is quickly found: a head that pushes, an OpenEVSE."""
    if heads:
        heard = _tried(probe_heads.PUSH, lambda: probe_heads.listened(port, is_over))
        if heard is not None:
            yield heard if isinstance(heard, Refused) else _behind(heard)
    firmware = _tried(rapi.SETTINGS, lambda: probe_boards.openevse_on(port)) if board else ''
    if firmware and not isinstance(firmware, Refused):  # if it is, its turn comes later
        yield Found(rapi.SETTINGS, 0, (('pilot', 'openevse'),))


def _tried(settings: SerialSettings, search: Callable[[], T]) -> T | Refused:
    """What a search finds, or that the port cannot be run as it needs."""
    try:
        return search()
    except SettingsError as error:
        return Refused(settings, str(error))


def _behind(head: probe_heads.Head) -> Found:
    settings, driver, options, serial_number = head
    return Found(settings, 0, (('meter', driver),), serial_number, options)


def _lives(line: ModbusLine, unit: int) -> bool:
    for function, address, count in _SIGNS_OF_LIFE:
        try:
            line.read(unit, function, address, count, FIRST_ANSWER_TIME)
        except AnswerError as error:
            if error.kind == 'exceptions':
                return True
        else:
            return True
        finally:
            time.sleep(QUIET)
    return False


def _identified(line: ModbusLine, unit: int, tables: Sequence[str],
                is_over: Callable[[], bool]) -> Found:
    drivers: list[tuple[float, str, str]] = []
    serial_number = ''
    board = probe_boards.name_of(unit, lambda *what: _read(line, unit, *what))
    if board:
        drivers.append((1.0, 'pilot', board))
    for name in tables:
        if is_over() or (drivers and drivers[0][1] == 'pilot'):
            break
        score, number = _as_meter(line, unit, register_table.load(name))
        if score:
            drivers.append((score, 'meter', name))
            serial_number = serial_number or number
    drivers.sort(key=lambda driver: -driver[0])  # stable: the order of the tables breaks ties
    return Found(line.settings, unit, tuple((kind, name) for _, kind, name in drivers),
                 serial_number)


def _as_meter(line: ModbusLine, unit: int, table: RegisterTable) -> tuple[float, str]:
    """How well a unit fits a table, 0 for not, and its serial number if it gives one."""
    blocks: dict[Block, list[int] | None] = {}
    for block in table.blocks:
        registers = _read(line, unit, block.function, block.address, block.count,
                          table.answer_time)
        if registers is None and block.every:
            return 0.0, ''
        blocks[block] = registers

    def registers_of(value: Value, address: int, count: int = 0) -> list[int] | None:
        block = table.block_of(value, address, count)
        data = blocks.get(block) if block is not None else None
        if block is None or data is None:
            return None
        first = address - block.address
        return data[first:first + (count or value.registers)]

    def numbers(name: str) -> list[float]:
        value = table.values[name]
        found = []
        for address in value.addresses:
            data, at = registers_of(value, address), value.scale_register
            factor = None if at is None else registers_of(value, at, 1)
            found.append(math.nan if data is None
                         else value.decode(data, table.word_order, factor))
        return found

    voltage, frequency = numbers('voltage'), numbers('frequency')[0]
    low, high = _VOLTAGE
    if not _FREQUENCY[0] <= frequency <= _FREQUENCY[1] or not low <= voltage[0] <= high:
        return 0.0, ''
    fitting = sum(low <= v <= high for v in voltage) / len(voltage)
    value = table.values['serial_number']
    data = registers_of(value, value.addresses[0])
    if data is None:
        number = ''
    elif value.type == TEXT:
        number = value.decode_text(data)
    else:
        raw = value.decode(data, table.word_order)
        number = '' if math.isnan(raw) or not raw else str(int(raw))
    # a meter of three phases explains more than one of one
    return fitting + 0.1 * bool(number) + 0.01 * len(voltage), number


def _read(line: ModbusLine, unit: int, function: int, address: int, count: int,
          answer_time: float) -> list[int] | None:
    try:
        return line.read(unit, function, address, count, answer_time)
    except AnswerError:
        return None
    finally:
        time.sleep(QUIET)
