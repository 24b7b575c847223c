"""Random garbage on every topic: no block raises, none ends, and afterwards all is as before."""

from __future__ import annotations

import math
import random
from functools import partial
from typing import Any

import pytest
from builtin_interfaces.msg import Duration, Time

from charger_control.drivers.interfaces import Sample
from charger_control.nodes.api import Api
from charger_control.nodes.cppwm_controller.node import CppwmController
from charger_control.nodes.hw_limit import HwLimit
from charger_control.nodes.iso61851 import Iso61851
from charger_control.nodes.session import Session
from charger_control.nodes.smart_charging.node import SmartCharging
from charger_control.nodes.team import Team
from charger_control.nodes.vcse import Vcse
from charger_control.ros import interfaces
from charger_control.ros.convert import from_message
from charger_control.ros.diagnostics import Level

FLOATS = (math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 5e-324, 1.0, 6.0, 16.0, 80.1, 1e9, 1e308,
          -1e308)
STRINGS = ('', 'a', 'C', 'team', 'charger', 'B2', 'x' * 5000, '\u0001', '\u202e', '1e400', '{',
           "'; --")
MESSAGES = 400
"""A topic and seed."""


def integer(chance: random.Random, low: int, high: int) -> int:
    return chance.choice((low, high, 0, 1, 3, chance.randint(low, high)))


RANGES = {'octet': (0, 255), 'uint8': (0, 255), 'int8': (-128, 127),
          'uint16': (0, 2**16 - 1), 'int16': (-2**15, 2**15 - 1), 'uint32': (0, 2**32 - 1),
          'int32': (-2**31, 2**31 - 1), 'uint64': (0, 2**64 - 1), 'int64': (-2**63, 2**63 - 1)}


def garbage(kind: type, chance: random.Random) -> Any:
    """A message of this type whose fields are all that its type allows, the odd ones first."""
    message = kind()
    for name, field in kind.get_fields_and_field_types().items():
        setattr(message, name, value(field, chance))
    return message


SIMPLE = {
    'double': lambda chance: chance.choice(FLOATS), 'float': lambda chance: chance.choice(FLOATS),
    'string': lambda chance: chance.choice(STRINGS),
    'boolean': lambda chance: chance.random() < 0.5,
    'builtin_interfaces/Duration': lambda chance: Duration(
        sec=integer(chance, *RANGES['int32']), nanosec=chance.choice((0, 2**32 - 1))),
    'builtin_interfaces/Time': lambda chance: Time(sec=integer(chance, *RANGES['int32']))}


def value(field: str, chance: random.Random) -> Any:
    if field in SIMPLE:
        return SIMPLE[field](chance)
    if field in RANGES:
        return integer(chance, *RANGES[field])
    if field.endswith(']'):
        element, _, size = field[:-1].partition('[')
        return [value(element, chance) for _ in range(int(size))]
    if field.startswith('sequence<'):
        element = field[len('sequence<'):-1].partition(',')[0]
        return [value(element, chance) for _ in range(chance.choice((0, 1, 3, 40)))]
    package, _, name = field.partition('/')
    module = __import__(f'{package}.msg', fromlist=[name])
    return garbage(getattr(module, name), chance)


class Board:
    """A board without a vehicle."""

    timeout, step, identity, counters = 1.0, 0.01, {}, {}

    def __init__(self) -> None:
        self.offered: float | None = None

    def offer(self, amperage: float | None) -> None:
        self.offered = amperage

    def start(self) -> None: ...
    def close(self) -> None: ...
    def open_contactor(self) -> None: ...

    def latest(self) -> Any:
        return Sample(None, 0.0, 'no answer')


@pytest.fixture
def blocks(graph: Any, tmp_path: Any) -> list[Any]:
    state = str(tmp_path)
    board = partial(Iso61851, driver=Board())
    return [
        graph.start(HwLimit, fuse=16.0, phases=3, cable=32.0),
        graph.start(Api, state_dir=state), graph.start(SmartCharging, state_dir=state),
        graph.start(CppwmController, state_dir=state),
        graph.start(board, state_dir=state, **{'device.driver': 'evse_din',
                                               'device.port': '/dev/none'}),
        graph.start(Session, state_dir=state), graph.start(Team, state_dir=state),
        graph.start(Vcse, fuse=[16.0, 16.0, 16.0], grid_meter=True, dimming=True, parent='above',
                    state_dir=state)]


TOPICS = [t for t in (*interfaces.TOPICS, interfaces.PARENT_ALLOCATION)
          if t is not interfaces.DIAGNOSTICS]


@pytest.mark.parametrize('seed', range(3))
def test_garbage_on_every_topic_moves_no_block_to_an_exception(graph: Any, blocks: list[Any],
                                                               seed: int) -> None:
    chance = random.Random(f'topics/{seed}')
    publishers = {topic.name: graph.probe.create_publisher(topic.type, topic.name, topic.qos)
                  for topic in TOPICS}
    ticks = [node.ticks[0].count for node in blocks]
    for _ in range(MESSAGES):
        for topic in TOPICS:
            publishers[topic.name].publish(garbage(topic.type, chance))
        for _ in range(20):
            graph.executor.spin_once(timeout_sec=0.0)
    graph.turn(2.0)
    for node, before in zip(blocks, ticks, strict=True):
        raised = [fault.message for fault in node.faults.health()]
        assert node.faults.count == 0, f'{node.get_name()}: {raised}'
        assert node.ticks[0].count > before, f'{node.get_name()} ticks no more'
        assert all(h.level in tuple(Level) for h in node.health())


def test_garbage_is_what_the_types_allow() -> None:
    chance = random.Random(0)
    for topic in TOPICS:
        seen = [from_message(garbage(topic.type, chance)) for _ in range(50)]
        assert len({repr(one) for one in seen}) > 40, topic.name
