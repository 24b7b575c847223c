"""Where things are: the package's own config files and executables, the run-time folder of a
charger."""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)

from charger_control.ros.machine.runtime_dir import PACKAGE, runtime_dir

__all__ = ['PACKAGE', 'executables', 'runtime_dir', 'share']


def share() -> Path:
    """The installed package's share folder (config/, launch/)."""
    try:
        return Path(get_package_share_directory(PACKAGE))
    except PackageNotFoundError:  # run from the source tree
        return Path(__file__).resolve().parents[3]


def executables() -> Path:
    """The folder of the installed package's nodes, and of `charger`."""
    return Path(get_package_prefix(PACKAGE)) / 'lib' / PACKAGE

