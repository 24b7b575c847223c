"""Who may import whom (docs/architecture.md): walks every import of the package."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / 'src' / 'charger_control'
RANK = {'core': 0, 'drivers': 1, 'sim': 1, 'store': 1, 'ros': 2, 'nodes': 3, 'bridges': 3,
        'bringup': 4, 'cli': 5, 'bridge': 6}
FILES = sorted(SOURCE.rglob('*.py'))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix('.py')


def imported(path: Path) -> list[tuple[str, int]]:
    """Absolute names of everything a file imports, also within functions, with line numbers."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}:{node.lineno}: relative import'
            names += [(f'{node.module}.{alias.name}', node.lineno) for alias in node.names]
    return names


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_what_lies_to_its_right(path: Path) -> None:
    room = room_of(path)
    if room not in RANK:  # the package's own __init__
        return
    breaches = []
    for name, line in imported(path):
        parts = name.split('.')
        if parts[0] != 'charger_control' or len(parts) < 2:
            continue
        other = parts[1]
        if other not in RANK:
            continue
        # a console script's module may name its own room; everything else goes down
        if other != room and RANK[other] >= RANK[room]:
            breaches.append(f'{path}:{line}: {room} imports {name}')
    assert not breaches, '\n'.join(breaches)


@pytest.mark.parametrize('path', [p for p in FILES if room_of(p) == 'core'],
                         ids=lambda p: str(p.relative_to(SOURCE)))
def test_core_is_standard_library_and_numpy_without_clock_or_io(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, 'numpy', 'charger_control'}
    impure = {'time', 'socket', 'subprocess', 'threading', 'asyncio', 'random', 'sqlite3', 'os',
              'selectors', 'multiprocessing', 'io', 'pathlib', 'logging'}
    for name, line in imported(path):
        root = name.split('.')[0]
        assert root in allowed, f'{path}:{line}: core imports {name}'
        assert root not in impure, f'{path}:{line}: core imports {name}'
    source = path.read_text()
    calls = re.findall(r'(?<![\w.])(?:open|print|input)\(|\.(?:now|today|utcnow)\(\)', source)
    assert not calls, f'{path}: core calls {calls}'


@pytest.mark.parametrize('block', [p for p in FILES if room_of(p) == 'core'
                                   and p.stem != '__init__'],
                         ids=lambda p: str(p.relative_to(SOURCE)))
def test_blocks_of_core_use_types_only(block: Path) -> None:
    """Core modules use each other's types and do not call each other: classes, never functions of
    another block; the exception is cppwm_controller -> pi. heard, limits, moment belong to all."""
    own = block.relative_to(SOURCE / 'core').parts[0].removesuffix('.py')
    for name, line in imported(block):
        parts = name.split('.')
        if parts[:2] != ['charger_control', 'core'] or len(parts) < 4:
            continue
        other, what = parts[2], parts[-1]
        allowed = {own, 'heard', 'limits', 'moment'}
        if other in allowed or (own, other) == ('cppwm_controller', 'pi'):
            continue
        assert what[0].isupper(), f'{block}:{line}: {own} calls {other}.{what}'


def test_only_convert_knows_messages_and_core() -> None:
    knows = []
    for path in FILES:
        names = [name for name, _ in imported(path)]
        messages = any(n.startswith('charger_interfaces.msg') for n in names)
        core = any(n.startswith('charger_control.core') for n in names)
        if messages and core:
            knows.append(str(path.relative_to(SOURCE)))
    assert knows == ['ros/convert.py']


def test_no_file_is_longer_than_about_300_lines() -> None:
    long = {str(p.relative_to(SOURCE)): n for p in FILES
            if (n := len(p.read_text().splitlines())) > 310}
    assert not long
