"""Register maps of meters: tables/*.yaml, read, checked and decoded.

A table is data. Top-level keys: ``model``, ``protocol`` (modbus), ``defaults`` (baudrate, parity,
stopbits, unit), ``quiet`` and ``answer_time`` (s), ``max_registers`` of one read, ``word_order``
(big: high word first, or little), ``blocks`` and ``values``.

A block is read with one request: ``function`` (3 or 4), ``address`` (0-based), ``count``, and
``every`` n-th cycle (1: makes a reading fresh), or ``once: true`` per connection.

A value has ``function``, ``address`` (or a list for L1..L3), ``type``, ``unit`` of the scaled
value, and may have ``scale`` (factor), ``not_available`` (raw integer that means "not measured"),
``tenfold_above`` (beyond it the device has sent the tenfold), ``scale_register`` (address of a
signed power of ten), ``sum_of`` (another value, whose phases are summed instead of reading this
address; the address is then for others). A ``text`` (serial numbers only) has a ``count`` of
registers. ``refresh`` of a table: s between new values in the device, where it is a slow one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NoReturn

from charger_control import yaml_input
from charger_control.drivers.codecs.register_values import TEXT, TYPES, Value
from charger_control.drivers.interfaces import DeviceError

__all__ = ['PER_PHASE', 'UNITS', 'Block', 'RegisterTable', 'Value', 'document', 'load', 'parse']

UNITS = {'voltage': 'V', 'amperage': 'A', 'phase_power': 'W', 'active_power': 'W',
         'frequency': 'Hz', 'energy_imported': 'kWh', 'serial_number': ''}
"""The values a table can have, with the unit each must be scaled to."""
PER_PHASE = ('voltage', 'amperage', 'phase_power')
_TABLE_KEYS = {'model', 'protocol', 'defaults', 'quiet', 'answer_time', 'max_registers',
               'word_order', 'blocks', 'values'}
_LINE_KEYS = {'baudrate', 'parity', 'stopbits', 'unit'}
_BLOCK_KEYS = {'name', 'function', 'address', 'count', 'every', 'once'}
_VALUE_KEYS = {'function', 'address', 'type', 'unit', 'scale', 'not_available', 'tenfold_above',
               'sum_of', 'scale_register', 'count'}


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that are read together; ``every`` counts cycles, 0: once per connection."""

    name: str
    function: int
    address: int
    count: int
    every: int

    def holds(self, function: int, address: int, count: int) -> bool:
        """Whether these registers come with the block."""
        return (function == self.function and self.address <= address
                and address + count <= self.address + self.count)


@dataclass(frozen=True, slots=True)
class RegisterTable:
    """A meter's table, checked; keys as in the module's text."""

    model: str
    defaults: Mapping[str, Any]
    quiet: float
    answer_time: float
    word_order: str
    blocks: tuple[Block, ...]
    values: Mapping[str, Value]
    refresh: float = 0.0

    def block_of(self, value: Value, address: int, count: int = 0) -> Block | None:
        """The block that brings the number at this address, or ``count`` registers from there."""
        return next((block for block in self.blocks
                     if block.holds(value.function, address, count or value.registers)), None)


def document(name: str) -> dict[str, Any]:
    """The content of tables/``name``.yaml."""
    text = (files('charger_control.drivers') / 'tables' / f'{name}.yaml').read_text('utf-8')
    loaded = yaml_input.load(text, f'{name}.yaml')
    assert isinstance(loaded, dict)
    return loaded


def load(name: str) -> RegisterTable:
    """The table tables/``name``.yaml. Raises DeviceError."""
    return parse(document(name), f'{name}.yaml')


def parse(content: Mapping[str, Any], source: str) -> RegisterTable:
    """Checks a table.

    Args:
        content: as in the module's text.
        source: its name, for the text of an error.

    Raises:
        DeviceError: what is wrong where, and what is allowed.
    """
    check = _Check(source)
    check.keys('table', content, _TABLE_KEYS | {'refresh'}, _TABLE_KEYS)
    check.one_of('protocol', content['protocol'], ('modbus',))
    check.one_of('word_order', content['word_order'], ('big', 'little'))
    check.one_of('max_registers', content['max_registers'], range(1, 126))
    check.keys('defaults', content['defaults'], _LINE_KEYS, _LINE_KEYS)
    for key in ('quiet', 'answer_time', 'refresh'):
        given = content.get(key, 0)
        if not isinstance(given, (int, float)) or not 0 <= given <= 10:
            check.refuse(key, given, '0..10 s')
    table = RegisterTable(
        model=content['model'], defaults=content['defaults'], quiet=content['quiet'],
        answer_time=content['answer_time'], word_order=content['word_order'],
        blocks=tuple(_block(check, entry, content['max_registers'])
                     for entry in content['blocks']),
        values={name: _value(check, name, entry) for name, entry in content['values'].items()},
        refresh=content.get('refresh', 0.0))
    _check_coverage(check, table)
    return table


class _Check:
    """Refuses what a table must not say, naming where."""

    def __init__(self, source: str) -> None:
        self._source = source

    def refuse(self, where: str, value: object, allowed: object) -> NoReturn:
        raise DeviceError(f'{self._source}: {where}: {value!r} (allowed: {allowed})')

    def keys(self, where: str, given: object, allowed: set[str], needed: Iterable[str]) -> None:
        if not isinstance(given, Mapping):
            self.refuse(where, given, 'a mapping')
        for key in given:
            if key not in allowed:
                self.refuse(f'{where}: unknown key', key, ', '.join(sorted(allowed)))
        for key in needed:
            if key not in given:
                self.refuse(f'{where}.{key}', None, 'must be given')

    def one_of(self, where: str, value: object, allowed: Sequence[Any]) -> None:
        if value not in allowed or isinstance(value, bool):
            self.refuse(where, value, f'{allowed[0]}..{allowed[-1]}' if isinstance(allowed, range)
                        else ', '.join(map(str, allowed)))


def _block(check: _Check, entry: Mapping[str, Any], max_registers: int) -> Block:
    where = f'blocks.{entry.get("name", "?")}'
    check.keys(where, entry, _BLOCK_KEYS, ('name', 'function', 'address', 'count'))
    check.one_of(f'{where}.function', entry['function'], (3, 4))
    check.one_of(f'{where}.address', entry['address'], range(0x10000))
    check.one_of(f'{where}.count', entry['count'], range(1, max_registers + 1))
    if ('every' in entry) == ('once' in entry) or entry.get('once', True) is not True:
        check.refuse(where, dict(entry), 'either every: n or once: true')
    if 'every' in entry:
        check.one_of(f'{where}.every', entry['every'], range(1, 1001))
    return Block(entry['name'], entry['function'], entry['address'], entry['count'],
                 entry.get('every', 0))


def _value(check: _Check, name: str, entry: Mapping[str, Any]) -> Value:
    where = f'values.{name}'
    check.one_of('values', name, tuple(UNITS))
    check.keys(where, entry, _VALUE_KEYS, ('function', 'address', 'type'))
    check.one_of(f'{where}.function', entry['function'], (3, 4))
    check.one_of(f'{where}.type', entry['type'], TYPES)
    if (entry['type'] == TEXT) != ('count' in entry) or (
            'count' in entry and name != 'serial_number'):
        check.refuse(where, dict(entry), 'a count of registers with a text, a text for '
                                         'serial_number only')
    if 'count' in entry:
        check.one_of(f'{where}.count', entry['count'], range(1, 33))
    if 'scale_register' in entry:
        check.one_of(f'{where}.scale_register', entry['scale_register'], range(0x10000))
    check.one_of(f'{where}.unit', entry.get('unit', ''), (UNITS[name],))
    given = entry['address']
    addresses = tuple(given) if isinstance(given, list) else (given,)
    most = 3 if name in PER_PHASE else 1
    if not 1 <= len(addresses) <= most:
        check.refuse(f'{where}.address', given, 'one' if most == 1 else 'a list of one to three')
    for address in addresses:
        check.one_of(f'{where}.address', address, range(0x10000))
    for key in ('scale', 'tenfold_above', 'not_available'):
        if key in entry and not isinstance(entry[key], (int, float)):
            check.refuse(f'{where}.{key}', entry[key], 'a number')
    return Value(entry['function'], addresses, entry['type'], entry.get('scale', 1.0),
                 entry.get('not_available'), entry.get('tenfold_above', math.inf),
                 entry.get('sum_of', ''), entry.get('scale_register'), entry.get('count', 0))


def _check_coverage(check: _Check, table: RegisterTable) -> None:
    """Every value comes with a block, and what is controlled on with one of every cycle."""
    if not any(block.every == 1 for block in table.blocks):
        check.refuse('blocks', [block.name for block in table.blocks], 'at least one with every: 1')
    for name, value in table.values.items():
        if value.sum_of:
            check.one_of(f'values.{name}.sum_of', value.sum_of,
                         [key for key in PER_PHASE if key in table.values])
            continue
        for address in value.addresses:
            block = table.block_of(value, address)
            if block is None:
                check.refuse(f'values.{name}.address', address, 'one that a block brings')
            factor = value.scale_register
            if factor is not None and table.block_of(value, factor, 1) is None:
                check.refuse(f'values.{name}.scale_register', factor, 'one that a block brings')
            if name == 'amperage' and block.every != 1:
                check.refuse(f'values.{name}.address', address, 'one in a block with every: 1')
