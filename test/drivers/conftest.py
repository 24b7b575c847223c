import sys
from pathlib import Path

import pytest

# the fakes are modules of their own, and test folders are no packages
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def link(tmp_path):
    """Where a fake serial port is found: a symlink, as udev's by-id names are."""
    return tmp_path / 'ttyFAKE'
