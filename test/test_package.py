"""The package as it is installed without links: every file of src is in it and can be imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / 'src'


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob('*')
            if path.is_file() and path.suffix != '.pyc' and '.egg-info' not in str(path)}


@pytest.fixture(scope='module')
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, built as `colcon build` without --symlink-install builds it."""
    place = tmp_path_factory.mktemp('package')
    for name in ('src', 'launch', 'config', 'resource'):
        shutil.copytree(ROOT / name, place / name,
                        ignore=shutil.ignore_patterns('__pycache__', '*.egg-info'))
    for name in ('setup.py', 'setup.cfg', 'package.xml'):
        shutil.copy(ROOT / name, place)
    subprocess.run([sys.executable, 'setup.py', '-q', 'build', '--build-base', 'made', 'egg_info',
                    '--egg-base', 'made'], cwd=place, check=True, capture_output=True)
    return place / 'made' / 'lib'


def test_every_file_of_the_sources_is_in_the_package(built: Path) -> None:
    assert files_of(built) == files_of(SOURCE)


def run(built: Path, script: str) -> str:
    """Runs a script that finds the built package before the linked one."""
    path = os.pathsep.join([str(built), os.environ.get('PYTHONPATH', '')])
    done = subprocess.run([sys.executable, '-c', script], cwd=built, text=True, check=False,
                          capture_output=True, env={**os.environ, 'PYTHONPATH': path})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pages_contract_and_tables_are_found_in_it(built: Path) -> None:
    said = run(built, 'from charger_control.drivers import registry\n'
                      'from charger_control.bridges.web.routes import views\n'
                      'print(registry.__file__, len(registry.METERS["sdm630"].options()))\n'
                      'assert (views.HERE / views.CONTRACT).is_file()\n'
                      'assert (views.HERE / "static" / "index.html").is_file()\n')
    place, options = said.split()
    assert Path(place).is_relative_to(built)
    assert int(options) > 3


def test_every_executable_has_its_function(built: Path) -> None:
    points = ConfigParser()
    points.read(built.parent / 'charger_control.egg-info' / 'entry_points.txt')
    programs = dict(points['console_scripts'])
    assert set(programs) == {'charger', 'bridge', 'control', 'fiscal_meter', 'hw_limit',
                             'smart_charging', 'api', 'cppwm_controller', 'iso61851', 'team',
                             'vcse', 'session'}
    run(built, 'from importlib import import_module\n'
               f'for place in {list(programs.values())!r}:\n'
               '    module, name = place.split(":")\n'
               '    assert callable(getattr(import_module(module), name)), place\n')
