"""ROS 2 parameter files, read without rclpy: for the supervisor and for ``charger config check``.

Understands what rcl does with the files of ``config/``: keys are node names with or without a
namespace, nested or joined by '/', with the wildcards ``/**`` and ``/*``. Later files win where
they say something to the same key; of different keys that mean a node, the one that appears first
in any file counts least.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from charger_control.ros.parameters import ParameterError

PARAMETERS = 'ros__parameters'


def load(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The sections of a file: node pattern ('/**/hw_limit') and flat parameters.

    Raises:
        ParameterError: the file cannot be read, or is not a parameter file.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ParameterError(f'{path}: {error.strerror}') from error
    except yaml.YAMLError as error:
        raise ParameterError(f'{path}: not YAML: {error}') from error
    if document is None:
        return []
    if not isinstance(document, Mapping):
        raise ParameterError(f'{path}: a mapping of node names is expected, this is a '
                             f'{type(document).__name__}')
    return list(_sections(path, '', document))


def values_of(paths: Sequence[Path], node: str, namespace: str = '') -> dict[str, Any]:
    """The parameters that files together give to one node, flat ('device.port')."""
    name = '/' + '/'.join(part for part in (namespace.strip('/'), node) if part)
    sections: dict[str, dict[str, Any]] = {}
    for path in paths:
        for pattern, parameters in load(path):
            sections.setdefault(pattern, {}).update(parameters)
    values: dict[str, Any] = {}
    for pattern, parameters in sections.items():
        if matches(pattern, name):
            values.update(parameters)
    return values


def matches(pattern: str, name: str) -> bool:
    """Whether a node pattern of a file means the node with this full name."""
    expression = re.escape(pattern if pattern.startswith('/') else '/' + pattern)
    expression = expression.replace(r'/\*\*', '(/[^/]+)*').replace(r'/\*', '/[^/]+')
    return re.fullmatch(expression, name) is not None


def _sections(path: Path, prefix: str, tree: Mapping[str, Any]
              ) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in tree.items():
        if not isinstance(value, Mapping):
            raise ParameterError(f'{path}: {prefix}/{key} = {value!r}: below a node name stands '
                                 f'"{PARAMETERS}:"')
        if key == PARAMETERS:
            yield prefix or '/**', dict(_flat('', value))
        else:
            yield from _sections(path, f'{prefix}/{str(key).strip("/")}', value)


def _flat(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(f'{prefix}{key}.', value)
        else:
            yield f'{prefix}{key}', value
