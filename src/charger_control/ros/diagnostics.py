"""/diagnostics, as ROS users expect it: one DiagnosticArray per node, a status per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from charger_control.ros.interfaces import DIAGNOSTICS


class Level(IntEnum):
    """Levels of a DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True, slots=True)
class Health:
    """How one task of a node does.

    Attributes:
        task: what it is, e.g. 'device', 'limits'.
        level: OK, WARN, ERROR or STALE.
        message: one line for a person.
        values: counters and figures.
        hardware_id: serial number or port of the device concerned; '': the charger itself.
    """

    task: str
    level: Level = Level.OK
    message: str = 'OK'
    values: Mapping[str, Any] = field(default_factory=dict)
    hardware_id: str = ''


class Reporter:
    """Publishes a node's health, and logs each change of level once."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DIAGNOSTICS.type, DIAGNOSTICS.name,
                                                DIAGNOSTICS.qos)
        self._levels: dict[str, tuple[Level, str]] = {}

    def publish(self, healths: Sequence[Health]) -> None:
        """Publishes one array."""
        name = self._node.get_fully_qualified_name().lstrip('/')
        charger = self._node.get_namespace().strip('/') or self._node.get_name()
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        for health in healths:
            self._log_change(health)
            array.status.append(DiagnosticStatus(
                level=bytes([health.level]), name=f'{name}: {health.task}',
                message=health.message, hardware_id=health.hardware_id or charger,
                values=[KeyValue(key=str(k), value=str(v)) for k, v in health.values.items()]))
        self._publisher.publish(array)

    def _log_change(self, health: Health) -> None:
        before = self._levels.get(health.task, (Level.OK, ''))
        if before[0] == health.level:
            return
        self._levels[health.task] = (health.level, health.message)
        logger = self._node.get_logger()
        text = f'{health.task}: {health.message}'
        # one call site per severity: rclpy refuses a site that changes it
        if health.level is Level.OK:
            logger.info(text)
        elif health.level is Level.WARN:
            logger.warning(text)
        else:
            logger.error(text)
