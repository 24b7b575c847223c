"""The table of topics is whole and both ends of every topic fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rclpy.qos import DurabilityPolicy, QoSCompatibility, qos_check_compatible

from charger_control.ros import interfaces
from charger_control.ros.interfaces import TOPICS, Kind, Topic

ARCHITECTURE = Path(__file__).parents[2] / 'docs' / 'architecture.md'


@pytest.mark.parametrize('topic', TOPICS, ids=lambda t: t.name)
def test_publisher_meets_subscriber(topic: Topic) -> None:
    compatibility, reason = qos_check_compatible(topic.qos, topic.qos)
    assert compatibility == QoSCompatibility.OK, reason


def test_kinds_have_the_qos_of_the_architecture() -> None:
    latched = interfaces.qos_of(Kind.LATCHED)
    assert latched.durability == DurabilityPolicy.TRANSIENT_LOCAL and latched.depth == 1
    assert interfaces.qos_of(Kind.STATE).durability == DurabilityPolicy.VOLATILE
    assert interfaces.qos_of(Kind.FAN_IN).depth >= interfaces.LARGEST_TEAM


def test_names_are_relative_and_one_node_publishes_each() -> None:
    names = [t.name for t in TOPICS]
    assert len(set(names)) == len(names)
    for topic in TOPICS:
        assert topic is interfaces.DIAGNOSTICS or not topic.name.startswith('/')
        assert len(topic.publishers) == 1


def test_the_table_is_that_of_the_architecture() -> None:
    """Every topic of docs/architecture.md is in the table, with its type, and the reverse."""
    rows = re.findall(r'^\| ([^|]+) \| ([^|]+) \| [^|]* \| ([^|]+) \|$',
                      ARCHITECTURE.read_text(), re.MULTILINE)
    named = {n.strip(): kind for names, _, kind in rows for n in names.split(',') if n.strip(' …')}
    for topic in TOPICS:
        assert topic.name in named, f'{topic.name} is not in docs/architecture.md'
        assert named[topic.name].strip() == topic.kind.value, topic.name
