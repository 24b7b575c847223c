"""Who may import whom (docs/architecture.md): walks every import of the package."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = 'charger_control'
SOURCE = Path(__file__).parents[1] / 'src' / PACKAGE
FILES = sorted(SOURCE.rglob('*.py'))
HELPERS = {'yaml_input', 'nearest'}
"""Single files beside the floors, for every floor but core."""

FLOORS: dict[str, set[str]] = {
    'core': set(),
    'drivers': {'core'},
    'sim': {'core'},
    'store': {'core'},
    'ros': {'core', 'store'},
    'nodes': {'core', 'drivers', 'store', 'ros'},
    'bridges': {'core', 'ros'},
    'bringup': {'core', 'drivers', 'sim', 'store', 'ros', 'nodes'},
    'cli': {'core', 'drivers', 'sim', 'store', 'ros', 'nodes', 'bridges', 'bringup'},
    'bridge': {'cli'},   # the old name of `charger credentials`, for scripts
}
"""Floor -> floors that it may import, beside itself."""

SHARED = ['units', 'heard moment chance', 'energy_register messages senders', 'limits',
          'power voices terminals']
"""What all blocks of core share, from the lowest: each row knows those before it."""
BLOCKS = {'fiscal_meter', 'hw_limit', 'api', 'cppwm_controller', 'pi', 'session', 'team', 'vcse',
          'iso61851', 'smart_charging'}
ABOVE = {'words'}
"""What knows all blocks, and no block knows it."""
CALLS = {('cppwm_controller', 'pi')}
"""Blocks that may import another one."""

ROOMS: dict[str, dict[str, set[str]]] = {
    'drivers': {
        'interfaces': set(), 'options': set(),
        'codecs': {'interfaces'},
        'lines': {'interfaces', 'options'},
        'meters': {'interfaces', 'options', 'codecs', 'lines'},
        'pilots': {'interfaces', 'options', 'codecs', 'lines'},
        'dump': {'codecs', 'meters'},
        'registry': {'interfaces', 'options', 'lines', 'meters', 'pilots'},
        'probe': {'interfaces', 'codecs', 'lines', 'meters', 'pilots'},
    },
    'sim': {
        'plant': set(),
        'lines': set(),
        'boards': {'plant', 'lines'},
        'meters': {'plant', 'lines'},
        'charge_point': {'plant', 'lines', 'boards', 'meters'},
        'depot': {'plant', 'lines', 'boards', 'meters', 'charge_point'},
        'offline': {'plant', 'lines', 'boards', 'meters', 'charge_point', 'depot'},
    },
    'bridges': {
        'graph': set(),
        'web': {'graph'},
    },
    'bridges/web': {
        'access': set(),
        'server': {'access'},
        'routes': {'access', 'server'},
        'app': {'access', 'server', 'routes'},
        'web': {'access', 'server', 'routes', 'app'},
        'node': {'server', 'routes', 'web'},
        'config_check': {'server', 'node'},
    },
}
"""Folder -> room in it -> rooms of the same folder that it may import, beside itself."""

WEB = {'flask', 'flask_sock', 'werkzeug', 'wsproto', 'simple_websocket', 'gevent'}
YET = {'bridges/graph/asking.py': {'gevent'}, 'bridges/graph/history.py': {'gevent'}}
"""Files of bridges/graph that still wait with the web server's means."""


def room_of(path: Path, folder: str = '') -> str:
    """The first part of a file's path in a folder, '' outside it."""
    inner = SOURCE / folder
    return path.relative_to(inner).parts[0].removesuffix('.py') if inner in path.parents else ''


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


def ours(path: Path, folder: str = '') -> Iterator[tuple[str, int]]:
    """What a file imports of a folder, by its first part there, with line numbers."""
    start = '.'.join([PACKAGE, *filter(None, folder.split('/'))]) + '.'
    for name, line in imported(path):
        if name.startswith(start):
            yield name.removeprefix(start).split('.')[0], line


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize('path', FILES, ids=named)
def test_a_floor_imports_only_what_its_row_names(path: Path) -> None:
    floor = room_of(path)
    if floor in ('__init__', *HELPERS):
        assert not list(ours(path))
        return
    allowed = {floor, *FLOORS[floor], *(set() if floor == 'core' else HELPERS)}
    breaches = [f'{path}:{line}: {floor} imports {other}' for other, line in ours(path)
                if other not in allowed]
    assert not breaches, '\n'.join(breaches)


@pytest.mark.parametrize('folder', ROOMS)
def test_a_room_imports_only_what_its_row_names(folder: str) -> None:
    breaches = []
    for path in FILES:
        room = room_of(path, folder)
        if not room or room == '__init__':
            continue
        assert room in ROOMS[folder], f'{path}: {folder} has no room {room}: give it a row'
        breaches += [f'{path}:{line}: {room} imports {other}' for other, line in ours(path, folder)
                     if other not in {room, *ROOMS[folder][room]}]
    assert not breaches, '\n'.join(breaches)


@pytest.mark.parametrize('path', [p for p in FILES if room_of(p) == 'core'], ids=named)
def test_core_imports_upwards_only_and_no_block_another(path: Path) -> None:
    below: dict[str, set[str]] = {}
    known: set[str] = set()
    for row in SHARED:
        for name in row.split():
            below[name] = set(known)
        known |= set(row.split())
    own = room_of(path, 'core')
    if own == '__init__':
        return
    assert own in {*below, *BLOCKS, *ABOVE}, f'{path}: neither shared nor a block: give it a place'
    allowed = {own, *below.get(own, known)} | {b for a, b in CALLS if a == own}
    allowed |= BLOCKS if own in ABOVE else set()
    breaches = [f'{path}:{line}: {own} imports {other}' for other, line in ours(path, 'core')
                if other not in allowed]
    assert not breaches, '\n'.join(breaches)


@pytest.mark.parametrize('path', [p for p in FILES if room_of(p) == 'core'], ids=named)
def test_core_is_standard_library_and_numpy_without_clock_or_io(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, 'numpy', PACKAGE}
    impure = {'time', 'socket', 'subprocess', 'threading', 'asyncio', 'random', 'sqlite3', 'os',
              'selectors', 'multiprocessing', 'io', 'pathlib', 'logging'}
    for name, line in imported(path):
        root = name.split('.')[0]
        assert root in allowed, f'{path}:{line}: core imports {name}'
        assert root not in impure, f'{path}:{line}: core imports {name}'
    source = path.read_text()
    calls = re.findall(r'(?<![\w.])(?:open|print|input)\(|\.(?:now|today|utcnow)\(\)', source)
    assert not calls, f'{path}: core calls {calls}'


@pytest.mark.parametrize('path', [p for p in FILES if room_of(p, 'bridges') == 'graph'], ids=named)
def test_what_any_client_needs_of_the_graph_knows_no_web_server(path: Path) -> None:
    used = {name.split('.')[0] for name, _ in imported(path)} & WEB
    assert used == YET.get(named(path), set())


def test_only_convert_knows_messages_and_core() -> None:
    knows = []
    for path in FILES:
        names = [name for name, _ in imported(path)]
        messages = any(n.startswith('charger_interfaces.msg') for n in names)
        core = any(n.startswith(f'{PACKAGE}.core') for n in names)
        if messages and core:
            knows.append(named(path))
    assert knows == ['ros/convert.py']


def test_no_import_goes_in_a_circle() -> None:
    modules = {'.'.join([PACKAGE, *p.relative_to(SOURCE).with_suffix('').parts])
               .removesuffix('.__init__'): p for p in FILES}
    knows = {module: {found for name, _ in imported(path)
                      if (found := name if name in modules else name.rpartition('.')[0]) in modules
                      and found != module}
             for module, path in modules.items()}
    while True:   # whoever knows nobody that is left is in no circle
        free = {module for module, others in knows.items() if not others & knows.keys()}
        if not free:
            break
        for module in free:
            del knows[module]
    assert not knows, f'in a circle, or above one: {", ".join(sorted(knows))}'


def test_no_file_is_longer_than_about_300_lines() -> None:
    long = {named(p): n for p in FILES if (n := len(p.read_text().splitlines())) > 310}
    assert not long


def test_no_folder_has_more_than_14_files() -> None:
    files = Counter(p.parent for p in SOURCE.rglob('*') if p.is_file() and p.suffix != '.pyc')
    assert not {str(folder.relative_to(SOURCE)): n for folder, n in files.items() if n > 14}
