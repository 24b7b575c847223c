"""Mends the two stale paths in the CMake files of the ROS 2 wheels.

The wheels hold the include paths of the machine that built them, and CMake refuses paths that do
not exist. Run once after the wheels are installed: ``patch_wheels.py VENV``.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy

STALE_NUMPY = re.compile(r'/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages/numpy/_core/'
                         r'include')
STALE_PYTHON = re.compile(r'/opt/python/cp\d+-cp\d+/include/python3\.\d+')


def patch(venv: Path) -> int:
    """Rewrites every CMake file below ``venv/share`` that needs it; returns how many did."""
    changed = 0
    for path in sorted(venv.glob('share/**/*.cmake')):
        text = path.read_text()
        mended = STALE_NUMPY.sub(numpy.get_include(), text)
        mended = STALE_PYTHON.sub(sysconfig.get_path('include'), mended)
        if mended != text:
            path.write_text(mended)
            changed += 1
    return changed


if __name__ == '__main__':
    print(f'      {patch(Path(sys.argv[1]))} CMake files of the wheels mended')
