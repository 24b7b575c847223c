"""Options of the core tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# the fakes are modules of their own, and test folders are no packages
sys.path.insert(0, str(Path(__file__).parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--cases', metavar='FILE.json',
        help='charging-profile cases to run instead of test/core/data/ocpp_cases.json')
