"""YAML as users write it: what YAML leaves open and a person gets wrong is an error with its line.

Of a key that stands twice in one mapping YAML's parsers keep the last without a word: `fuse: 16`,
and 20 lines below `fuse: 80`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

MERGE = 'tag:yaml.org,2002:merge'


class YamlError(ValueError):
    """A text is not YAML, or says the same thing twice.

    Attributes:
        line: where, from 1; 0: unknown.
        problem: what is wrong there.
    """

    def __init__(self, source: str, line: int, problem: str) -> None:
        self.line, self.problem = line, problem
        super().__init__(f'{source}{f", line {line}" if line else ""}: {problem}')


def load(text: str, source: str) -> Any:
    """The content of a text: plain data.

    Args:
        text: YAML, one document.
        source: where it is from, for errors.

    Raises:
        YamlError: it is not YAML, or a key stands twice in one mapping.
    """
    return compose(text, source)[1]


def compose(text: str, source: str) -> tuple[yaml.Node | None, Any]:
    """The tree of a text, which knows the line of each key, and its content; see ``load``."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        _check(loader, node, source, set())
        return node, loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        raise YamlError(source, mark.line + 1 if mark else 0, 'not YAML: '
                        f'{getattr(error, "problem", None) or error}') from None
    finally:
        loader.dispose()


def _check(loader: yaml.SafeLoader, node: yaml.Node | None, source: str, done: set[int]) -> None:
    if node is None or id(node) in done:    # an alias
        return
    done.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check(loader, item, source, done)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[Hashable, int] = {}
    for key, value in node.value:
        _check(loader, value, source, done)
        if key.tag == MERGE:
            continue
        name = loader.construct_object(key, deep=True)
        line = key.start_mark.line + 1
        if isinstance(name, Hashable):
            if name in seen:
                raise YamlError(source, line, f'{name} stands there twice, first in line '
                                f'{seen[name]}. Remove one')
            seen[name] = line
