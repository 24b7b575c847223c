"""The register tables of the drivers, read as data: the one thing shared with the other side."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml


def device_table(name: str) -> dict[str, Any]:
    """The table ``drivers/tables/<name>.yaml`` as plain data."""
    text = files('charger_control').joinpath('drivers', 'tables', f'{name}.yaml').read_text('utf-8')
    table: dict[str, Any] = yaml.safe_load(text)
    return table
