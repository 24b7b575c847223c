"""The graph as a command sees it: a short-lived node, messages as core values."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.node import Node

from charger_control.core.heard import Heard
from charger_control.ros.convert import from_message
from charger_control.ros.interfaces import ServiceRow, Topic


@contextmanager
def visitor(namespace: str) -> Iterator[tuple[Node, EventsExecutor]]:
    """A node in ``namespace`` with its executor, gone afterwards."""
    rclpy.init(args=[])
    try:
        node = rclpy.create_node(f'charger_cli_{os.getpid()}', namespace=f'/{namespace.strip("/")}')
        executor = EventsExecutor()
        executor.add_node(node)
        yield node, executor
        node.destroy_node()
    finally:
        rclpy.try_shutdown()


def listen(node: Node, topics: Sequence[Topic], heard: dict[str, Heard[Any]]) -> None:
    """Keeps the last value of each topic in ``heard``, by topic name."""
    for topic in topics:
        def callback(message: Any, name: str = topic.name) -> None:
            heard[name] = Heard(from_message(message), time.monotonic())

        node.create_subscription(topic.type, topic.name, callback, topic.qos)


def ask(namespace: str, row: ServiceRow, request: Any, timeout: float) -> Any:
    """Calls a service once; the answer, or None if none came within ``timeout`` s."""
    with visitor(namespace) as (node, executor):
        client = node.create_client(row.type, row.name)
        deadline = time.monotonic() + timeout
        while not client.service_is_ready():
            if time.monotonic() > deadline:
                return None
            executor.spin_once(timeout_sec=0.05)
        future = client.call_async(request)
        while not future.done():
            if time.monotonic() > deadline:
                return None
            executor.spin_once(timeout_sec=0.05)
        return future.result()
