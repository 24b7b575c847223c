"""Parameters: a bad one is one clear line with name, value and what is allowed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from charger_control.ros.parameters import Param, ParameterError, Required, check
from charger_control.ros.params_file import load, matches, values_of

PARAMS = (
    Param('fuse', Required(float), 'what the fuse carries', 'A', low=6.0, high=80.0),
    Param('cable', math.nan, 'rating', 'A', low=6.0, high=80.0, nan=True),
    Param('mode', 'a', 'which', choices=('a', 'b')),
    Param('count', 3, 'how many', low=1, high=5),
    Param('names', ['a'], 'which', choices=('a', 'b')),
    Param('on', True, 'whether'),
)


def test_defaults_are_filled_in() -> None:
    values = check(PARAMS, {'fuse': 16.0}, 'hw')
    assert values['fuse'] == 16.0 and values['mode'] == 'a' and math.isnan(values['cable'])


@pytest.mark.parametrize(('given', 'words'), [
    ({}, ['hw.fuse is not set', 'from 6 to 80 A']),
    ({'fuse': 16}, ['hw.fuse = 16', 'write 16.0']),
    ({'fuse': 5.9}, ['hw.fuse = 5.9', 'from 6 to 80 A']),
    ({'fuse': math.nan}, ['hw.fuse = nan']),
    ({'fuse': math.inf}, ['hw.fuse = inf']),
    ({'fuse': '16'}, ["hw.fuse = '16'", 'a number like 16.0']),
    ({'fuse': True}, ['hw.fuse = True']),
    ({'fuse': 16.0, 'mode': 'c'}, ["hw.mode = 'c'", "'a' | 'b'"]),
    ({'fuse': 16.0, 'count': 6}, ['hw.count = 6', 'an integer from 1 to 5']),
    ({'fuse': 16.0, 'names': ['a', 'z']}, ["'a' | 'b'"]),
    ({'fuse': 16.0, 'on': 1}, ['hw.on = 1', 'true or false']),
    ({'fuse': 16.0, 'fuze': 1.0}, ['hw.fuze', 'no such parameter', 'fuse']),
])
def test_a_bad_value_is_one_line(given: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        check(PARAMS, given, 'hw')
    text = str(caught.value)
    assert '\n' not in text
    for word in words:
        assert word in text


@pytest.mark.parametrize(('pattern', 'name', 'meant'), [
    ('/**', '/cp01/hw_limit', True), ('/**/hw_limit', '/cp01/hw_limit', True),
    ('/**/hw_limit', '/hw_limit', True), ('/**/hw_limit', '/a/b/hw_limit', True),
    ('/cp01/hw_limit', '/cp02/hw_limit', False), ('/*/hw_limit', '/cp01/hw_limit', True),
    ('hw_limit', '/hw_limit', True), ('/**/hw', '/cp01/hw_limit', False)])
def test_wildcards_mean_what_they_mean_to_rcl(pattern: str, name: str, meant: bool) -> None:
    assert matches(pattern, name) is meant


def test_later_files_win_and_groups_are_flat(tmp_path: Path) -> None:
    first, second = tmp_path / 'a.yaml', tmp_path / 'b.yaml'
    first.write_text('/**:\n  iso61851:\n    ros__parameters:\n'
                     '      device: {driver: x, port: y}\n')
    second.write_text('/**/iso61851:\n  ros__parameters:\n    device.port: z\n')
    assert values_of([first, second], 'iso61851', 'cp01') == {
        'device.driver': 'x', 'device.port': 'z'}


@pytest.mark.parametrize(('text', 'words'), [
    ('a: [', 'not YAML'), ('- 1', 'mapping'), ('hw_limit: 3', 'ros__parameters')])
def test_a_file_that_is_none_says_so(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / 'bad.yaml'
    path.write_text(text)
    with pytest.raises(ParameterError, match=words):
        load(path)
