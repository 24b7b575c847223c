"""``make run ARGS='...'``: simulated devices unless real ones are named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(shutil.which('make') is None, reason='make is not installed')
@pytest.mark.parametrize(('arguments', 'command'), [
    ('', '--sim'), ('--port 9000', '--sim --port 9000'), ('--sim --speed 5', '--sim --speed 5'),
    ('--config my.yaml', '--config my.yaml'), ('--config=my.yaml', '--config=my.yaml'),
    ('--depot --sim', '--depot --sim'), ('--help', '--help')])
def test_arguments(arguments: str, command: str) -> None:
    outside = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MAKELEVEL')}
    said = subprocess.run(['make', '-n', 'run', f'ARGS={arguments}'], cwd=ROOT, check=True,
                          env=outside, capture_output=True, text=True).stdout
    assert ' '.join(said.split()).endswith(f'exec charger up {command}')


def test_without_devices_it_is_said_which_option_names_them(tmp_path: Path) -> None:
    said = subprocess.run([sys.executable, '-m', 'charger_control.cli.main', 'up', '--namespace',
                           f'none{tmp_path.name}'], capture_output=True, text=True, timeout=30.0,
                          check=False)
    assert said.returncode == 2
    assert 'no board is named' in said.stderr and '--sim' in said.stderr
    assert 'Traceback' not in said.stderr
