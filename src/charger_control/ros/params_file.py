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

from charger_control import yaml_input
from charger_control.ros.parameters import ParameterError

PARAMETERS = 'ros__parameters'


def load(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The sections of a file: node pattern ('/**/hw_limit') and flat parameters.

    Raises:
        ParameterError: the file cannot be read, is not a parameter file, or says a parameter twice.
    """
    return [(pattern, {name: value for name, (value, _) in parameters.items()})
            for pattern, parameters in load_lines(path)]


def load_lines(path: Path) -> list[tuple[str, dict[str, tuple[Any, int]]]]:
    """As ``load``, each value with its line."""
    try:
        node, document = yaml_input.compose(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f'{path}: cannot be read: '
                             f'{getattr(error, "strerror", None) or error}') from error
    except yaml_input.YamlError as error:
        raise ParameterError(str(error)) from error
    if document is None:
        return []
    if not isinstance(document, Mapping) or not isinstance(node, yaml.MappingNode):
        raise ParameterError(f'{path}: a mapping of node names is expected, this is a '
                             f'{type(document).__name__}')
    sections = list(_sections(path, '', node, document))
    said: dict[tuple[str, str], int] = {}
    for pattern, parameters in sections:
        for name, (_, line) in parameters.items():
            if (pattern, name) in said:
                raise ParameterError(f'{path}, line {line}: {pattern}, {name} stands there twice, '
                                     f'first in line {said[pattern, name]}. Remove one')
            said[pattern, name] = line
    return sections


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


def _sections(path: Path, prefix: str, node: yaml.MappingNode, tree: Mapping[Any, Any]
              ) -> Iterator[tuple[str, dict[str, tuple[Any, int]]]]:
    for (key, value), (key_node, value_node) in _pairs(path, node, tree):
        line = key_node.start_mark.line + 1
        if not isinstance(value, Mapping) or not isinstance(value_node, yaml.MappingNode):
            raise ParameterError(f'{path}, line {line}: {prefix}/{key} = {value!r}: below a node '
                                 f'name stands "{PARAMETERS}:"')
        if key == PARAMETERS:
            parameters: dict[str, tuple[Any, int]] = {}
            for name, one, at in _flat(path, '', value_node, value):
                if name in parameters:
                    raise ParameterError(f'{path}, line {at}: {prefix or "/**"}, {name} stands '
                                         f'there twice, first in line {parameters[name][1]}. '
                                         'Remove one')
                parameters[name] = one, at
            yield prefix or '/**', parameters
        else:
            yield from _sections(path, f'{prefix}/{str(key).strip("/")}', value_node, value)


def _flat(path: Path, prefix: str, node: yaml.MappingNode, tree: Mapping[Any, Any]
          ) -> Iterator[tuple[str, Any, int]]:
    for (key, value), (key_node, value_node) in _pairs(path, node, tree):
        if isinstance(value, Mapping) and isinstance(value_node, yaml.MappingNode):
            yield from _flat(path, f'{prefix}{key}.', value_node, value)
        else:
            yield f'{prefix}{key}', value, key_node.start_mark.line + 1


def _pairs(path: Path, node: yaml.MappingNode, tree: Mapping[Any, Any]
           ) -> Iterator[tuple[tuple[Any, Any], tuple[yaml.Node, yaml.Node]]]:
    """Keys and values with their places in the file."""
    if len(tree) != len(node.value):
        raise ParameterError(f'{path}, line {node.start_mark.line + 1}: a merge ("<<") is not '
                             'understood by ROS 2: write it out')
    return zip(tree.items(), node.value, strict=True)
