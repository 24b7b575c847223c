"""A second voice on a topic of a running graph: what is published there beside its own node."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.node import Node

from charger_control.ros.convert import to_message
from charger_control.ros.interfaces import Topic


@contextmanager
def talking(namespace: str, said: dict[Topic, Any], rate: float = 50.0) -> Iterator[None]:
    """Publishes these core values, or messages as they are, at ``rate`` Hz until it is left."""
    context = rclpy.Context()
    context.init(args=[])
    node = Node('talker', namespace=f'/{namespace}', context=context)
    publishers = {topic: node.create_publisher(topic.type, topic.name, topic.qos)
                  for topic in said}
    over = threading.Event()

    def talk() -> None:
        while not over.wait(1.0 / rate):
            for topic, value in said.items():
                is_message = type(value) is topic.type
                publishers[topic].publish(value if is_message else to_message(
                    value, node.get_clock().now().to_msg()))

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        node.destroy_node()
        context.try_shutdown()
