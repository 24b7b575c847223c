"""Where things are: the package's own config files, the state and run-time folders of a charger."""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)

PACKAGE = 'charger_control'


def share() -> Path:
    """The installed package's share folder (config/, launch/)."""
    try:
        return Path(get_package_share_directory(PACKAGE))
    except PackageNotFoundError:  # run from the source tree
        return Path(__file__).resolve().parents[3]


def executables() -> Path:
    """The folder of the installed package's nodes, and of `charger`."""
    return Path(get_package_prefix(PACKAGE)) / 'lib' / PACKAGE


def runtime_dir(namespace: str) -> Path:
    """A private folder for sockets and links of a running charger, made if it is missing."""
    base = Path(os.environ.get('XDG_RUNTIME_DIR') or f'/tmp/charger-{os.getuid()}')
    folder = base / PACKAGE / (namespace.strip('/') or 'default')
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
