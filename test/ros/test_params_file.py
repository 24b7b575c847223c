"""Files mean to us what they mean to rcl: the guard writes to the board that the node opens."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.node import Node

from charger_control.bringup.processes import overrides_file, ros_arguments
from charger_control.ros.params_file import values_of

PATTERNS = ('/**', '/**/iso61851', '/*/iso61851', '/cp01/iso61851', '/cp02/iso61851',
            '/**/hw_limit', '/cp01/**', '/cp01/*')
NAMES = ('a', 'b', 'c', 'group.d')


def taken_by_rcl(files: list[Path], namespace: str) -> dict[str, object]:
    """What a node gets from rcl."""
    context = rclpy.Context()
    context.init(args=['test', *ros_arguments(files, namespace, 'warn')])
    try:
        node = Node('iso61851', context=context)
        found = {name: p.value for name, p in node._parameter_overrides.items()}
        node.destroy_node()
    finally:
        context.try_shutdown()
    return found


def some_file(path: Path, number: random.Random) -> Path:
    """Sections in any order, nested or flat, one key after the other."""
    tree: dict[str, dict[str, object]] = {}
    for pattern in number.sample(PATTERNS, number.randint(1, 4)):
        parameters = {'ros__parameters': {name: number.randint(0, 99) for name in
                                          number.sample(NAMES, number.randint(1, len(NAMES)))}}
        first, _, last = pattern.rpartition('/')
        if first and number.random() < 0.5:
            tree.setdefault(first, {})[last] = parameters
        else:
            tree.setdefault(pattern, {}).update(parameters)
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path


@pytest.mark.parametrize('seed', range(25))
def test_what_files_give_is_what_rcl_gives(tmp_path: Path, seed: int) -> None:
    number = random.Random(seed)
    files = [some_file(tmp_path / f'{i}.yaml', number) for i in range(number.randint(1, 3))]
    assert values_of(files, 'iso61851', 'cp01') == taken_by_rcl(files, 'cp01'), \
        '\n---\n'.join(f.read_text() for f in files)


@pytest.mark.parametrize('namespace', ['cp01', '', 'depot/cp01'])
def test_overrides_win_over_whatever_key_a_file_uses(tmp_path: Path, namespace: str) -> None:
    files = []
    for i, pattern in enumerate((f'/{namespace}/iso61851'.replace('//', '/'), '/**/iso61851',
                                 '/**')):
        files.append(tmp_path / f'{i}.yaml')
        files[-1].write_text(yaml.safe_dump({pattern: {'ros__parameters': {
            'device': {'port': '/dev/ttyUSB0', 'driver': f'of {pattern}'}}}}))
    files.append(overrides_file(tmp_path / 'o.yaml', namespace,
                                {'iso61851': {'device.port': '/tmp/line'}, 'hw_limit': {}}))
    for found in (values_of(files, 'iso61851', namespace), taken_by_rcl(files, namespace)):
        assert found == {'device.port': '/tmp/line', 'device.driver': 'of /**'}
