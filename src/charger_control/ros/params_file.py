"""ROS 2 parameter files, read without rclpy: for the supervisor and for ``charger config check``.

Understands what rcl does with the files of ``config/``: keys are node names with or without a
namespace, nested or joined by '/', with the wildcards ``/**`` and ``/*``. Later files win where
they say something to the same key; of different keys that mean a node, the one that appears first
in any file counts least.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    return [(section.pattern, {name: value for name, (value, _) in section.parameters.items()})
            for section in sections_of(path)]


@dataclass(frozen=True, slots=True)
class Section:
    """What a file says to the nodes of one pattern.

    Attributes:
        pattern: '/**/hw_limit'.
        line: of the name of the node.
        parameters: value and line by flat name.
    """

    pattern: str
    line: int
    parameters: dict[str, tuple[Any, int]]


def sections_of(path: Path) -> list[Section]:
    """As ``load``, with the lines."""
    try:
        text = path.read_text()
        node, document = yaml_input.compose(text, str(path))
        alias = next((token for token in yaml.scan(text) if isinstance(token, yaml.AliasToken)),
                     None)
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f'{path}: cannot be read: '
                             f'{getattr(error, "strerror", None) or error}') from error
    except yaml_input.YamlError as error:
        raise ParameterError(str(error)) from error
    if alias is not None:
        raise ParameterError(f'{path}, line {alias.start_mark.line + 1}: *{alias.value} repeats '
                             'something: ROS 2 does not understand that. Write it out')
    if document is None:
        return []
    if not isinstance(document, Mapping) or not isinstance(node, yaml.MappingNode):
        raise ParameterError(f'{path}: a mapping of node names is expected, this is a '
                             f'{type(document).__name__}')
    sections = list(_sections(path, '', 1, node, document))
    said: dict[tuple[str, str], int] = {}
    for section in sections:
        for name, (_, line) in section.parameters.items():
            if (section.pattern, name) in said:
                raise ParameterError(f'{path}, line {line}: {section.pattern}, {name} stands there '
                                     f'twice, first in line {said[section.pattern, name]}. Remove '
                                     'one')
            said[section.pattern, name] = line
    return sections


def values_of(paths: Sequence[Path], node: str, namespace: str = '') -> dict[str, Any]:
    """The parameters that files together give to one node, flat ('device.port')."""
    name = '/' + '/'.join(part for part in (namespace.strip('/'), node) if part)
    sections: dict[str, dict[str, Any]] = {}
    for path in paths:
        if namespace.strip('/'):
            refuse_bare(path)
        for pattern, parameters in load(path):
            sections.setdefault(pattern, {}).update(parameters)
    values: dict[str, Any] = {}
    for pattern, parameters in sections.items():
        if matches(pattern, name):
            values.update(parameters)
    return values


def refuse_bare(path: Path) -> None:
    """Refuses a file that names nodes without a namespace: they mean no node of a charger.

    Raises:
        ParameterError: naming the first one, and where it belongs.
    """
    for section in sections_of(path):
        name = section.pattern.strip('/')
        if '/' not in name and '*' not in name:
            raise ParameterError(f'{path}, line {section.line}: {name} stands outside of any '
                                 'namespace, where no charger has nodes: the section reaches '
                                 'nobody. Indent it below "/**:" (every charger) or below the name '
                                 'of one, like "/charger:"')


def matches(pattern: str, name: str) -> bool:
    """Whether a node pattern of a file means the node with this full name."""
    expression = re.escape(pattern if pattern.startswith('/') else '/' + pattern)
    expression = expression.replace(r'/\*\*', '(/[^/]+)*').replace(r'/\*', '/[^/]+')
    return re.fullmatch(expression, name) is not None


def _sections(path: Path, prefix: str, above: int, node: yaml.MappingNode,
              tree: Mapping[Any, Any]) -> Iterator[Section]:
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
            if any(isinstance(other, Mapping) for other in list(tree.values())[
                    list(tree).index(key) + 1:]):
                raise ParameterError(f'{path}, line {line}: nodes stand below "{PARAMETERS}:" of '
                                     f'{prefix}, which ROS 2 cannot read: write those of all '
                                     f'nodes as a section of their own, "{prefix}/*:"')
            yield Section(prefix or '/**', above, parameters)
        else:
            yield from _sections(path, f'{prefix}/{str(key).strip("/")}', line, value_node, value)


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
