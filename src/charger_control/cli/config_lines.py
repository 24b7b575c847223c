"""Where in which file a parameter is said: for messages about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from charger_control.ros.params_file import matches, sections_of


def where_said(paths: Sequence[Path], node: str, namespace: str, name: str) -> str:
    """'FILE, line N: ' of the place that counts for a node's parameter.

    Args:
        paths: the files, later ones over earlier ones.
        node: its name.
        namespace: of it.
        name: of the parameter, flat; '': of the section of the node itself.

    Returns:
        The files alone, if none of them says it.
    """
    full = f'/{namespace.strip("/")}/{node}'
    order: dict[str, None] = {}
    said: dict[str, tuple[Path, int]] = {}
    for path in paths:
        for section in sections_of(path):
            if not matches(section.pattern, full):
                continue
            order.setdefault(section.pattern)
            if not name and section.pattern.endswith(f'/{node}'):
                said[section.pattern] = path, section.line
            elif name in section.parameters:
                said[section.pattern] = path, section.parameters[name][1]
    for pattern in reversed(order):     # the one that appears first in any file counts least
        if pattern in said:
            path, line = said[pattern]
            return f'{path}, line {line}: '
    return f'{", ".join(map(str, paths))}: '


def located(paths: Sequence[Path], node: str, namespace: str, values: Mapping[str, Any],
            message: str) -> str:
    """A message with the place of the parameter that it is about: of those that it names the one
    that is named in full, else by the last part of its name."""
    def named(name: str) -> bool:
        return re.search(rf'(?<![\w.]){re.escape(name)}(?![\w.])', message) is not None

    for spelling in (lambda name: f'{node}.{name}', str, lambda name: name.rpartition('.')[2]):
        for name in sorted(values, key=len, reverse=True):
            if named(spelling(name)):
                return where_said(paths, node, namespace, name) + message
    inner = [name for name in values if name.startswith('device.') and '.device' in message]
    return where_said(paths, node, namespace, inner[0] if inner else '\0') + message
