"""Register tables: what they may say, and the numbers in registers."""

import copy
import math

import pytest

from charger_control.drivers.codecs import register_table
from charger_control.drivers.codecs.register_table import Value
from charger_control.drivers.interfaces import DeviceError


@pytest.mark.parametrize(('type_', 'registers', 'number'), [
    ('float32', [0x4366, 0x8000], 230.5),
    ('float32', [0xC178, 0x0000], -15.5),
    ('float32', [0x7FC0, 0x0000], math.nan),
    ('float32', [0x7F80, 0x0000], math.nan),     # infinite
    ('float64', [0x4093, 0x4A00, 0, 0], 1234.5),
    ('int16', [0xFFFF], -1),
    ('uint16', [0xFFFF], 65535),
    ('int32', [0xFFFF, 0xFFFE], -2),
    ('uint32', [0x0140, 0xE55A], 21030234),
    ('int64', [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFD], -3),
    ('uint64', [0, 1, 0, 2], 4294967298),
])
def test_numbers_with_the_high_word_first(type_, registers, number):
    value = Value(4, (0,), type_)
    assert value.decode(registers, 'big') == pytest.approx(number, nan_ok=True)
    assert value.decode(registers[::-1], 'little') == pytest.approx(number, nan_ok=True)


def test_scale_not_available_and_tenfold():
    assert Value(3, (0,), 'uint32', scale=0.1).decode([0, 2305], 'big') == pytest.approx(230.5)
    absent = Value(3, (0,), 'int16', not_available=0x7FFF)
    assert math.isnan(absent.decode([0x7FFF], 'big'))
    assert absent.decode([0x7FFE], 'big') == 32766
    frequency = Value(4, (0,), 'float32', tenfold_above=100)
    assert frequency.decode([0x43FA, 0], 'big') == pytest.approx(50.0)   # 500.0
    assert frequency.decode([0x4248, 0], 'big') == pytest.approx(50.0)   # 50.0


@pytest.fixture
def table():
    return copy.deepcopy(register_table.document('sdm630'))


def test_the_table_of_the_sdm630_is_sound(table):
    parsed = register_table.parse(table, 'sdm630.yaml')
    assert parsed.values['amperage'].addresses == (6, 8, 10)
    assert parsed.block_of(parsed.values['energy_imported'], 0x48).name == 'slow'
    assert register_table.load('sdm630') == parsed


def change(table, path, value):
    for key in path[:-1]:
        table = table[key]
    if value is None:
        del table[path[-1]]
    else:
        table[path[-1]] = value


@pytest.mark.parametrize(('path', 'value', 'words'), [
    (('protocol',), 'sml', r"protocol: 'sml' \(allowed: modbus\)"),
    (('quiet',), None, r'table\.quiet: None \(allowed: must be given\)'),
    (('quiet',), -1, r'quiet: -1 \(allowed: 0\.\.10 s\)'),
    (('word_order',), 'middle', r"word_order: 'middle' \(allowed: big, little\)"),
    (('colour',), 'red', r"table: unknown key: 'colour'"),
    (('defaults', 'unit'), None, r'defaults\.unit'),
    (('blocks', 0, 'count'), 81, r'blocks\.fast\.count: 81 \(allowed: 1\.\.80\)'),
    (('blocks', 0, 'function'), 6, r'blocks\.fast\.function: 6 \(allowed: 3, 4\)'),
    (('blocks', 0, 'every'), 0, r'blocks\.fast\.every: 0'),
    (('blocks', 0, 'every'), 2, 'at least one with every: 1'),
    (('blocks', 1, 'once'), True, 'either every: n or once: true'),
    (('blocks', 0, 'count'), 10, r'values\.amperage\.address: 10 \(allowed: one that a block'),
    (('values', 'colour'), {}, r"values: 'colour' \(allowed: voltage, "),
    (('values', 'amperage', 'type'), 'float31', r"values\.amperage\.type: 'float31'"),
    (('values', 'amperage', 'unit'), 'mA', r"values\.amperage\.unit: 'mA' \(allowed: A\)"),
    (('values', 'amperage', 'address'), 70000, r'70000 \(allowed: 0\.\.65535\)'),
    (('values', 'amperage', 'address'), [6, 8, 10, 12], 'a list of one to three'),
    (('values', 'amperage', 'address'), 0x46, r'values\.amperage\.address: 70 .+every: 1'),
    (('values', 'amperage', 'scale'), 'x', r"values\.amperage\.scale: 'x' \(allowed: a number\)"),
    (('values', 'active_power', 'sum_of'), 'frequency', r'values\.active_power\.sum_of'),
])
def test_a_table_that_cannot_be_is_refused_in_words(table, path, value, words):
    change(table, path, value)
    with pytest.raises(DeviceError, match='^sdm630.yaml: .*' + words):
        register_table.parse(table, 'sdm630.yaml')
