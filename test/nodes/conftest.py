"""For node tests: real nodes and a probe on one executor, turned by the test itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

from charger_control.ros.convert import from_message, to_message
from charger_control.ros.interfaces import ServiceRow, Topic
from charger_control.ros.node import BlockNode


class Graph:
    """Nodes under test, and a probe that publishes to them, hears them and calls them."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        self.context.init(args=[])
        self.probe = Node('probe', context=self.context)
        self.executor = EventsExecutor(context=self.context)
        self.executor.add_node(self.probe)
        self.nodes: list[BlockNode] = []
        self._publishers: dict[str, Any] = {}
        self._clients: dict[str, Any] = {}

    def start(self, maker: Callable[..., BlockNode], **parameters: Any) -> Any:
        """Makes a node with these parameters and has it turned."""
        node = maker(context=self.context, parameter_overrides=[
            Parameter(name, value=value) for name, value in parameters.items()])
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def stop(self, node: BlockNode) -> None:
        """Ends a node in order."""
        self._remove(node)
        node.close()
        node.destroy_node()

    def kill(self, node: BlockNode) -> None:
        """Takes a node away without its good-bye; only its store's thread stays, idle."""
        self._remove(node)
        node.destroy_node()

    def _remove(self, node: BlockNode) -> None:
        self.executor.remove_node(node)
        self.nodes.remove(node)
        # only now it lets go of the node: else publishers would live on, and latched topics speak
        self.executor.spin_once(timeout_sec=0.0)

    def hear(self, topic: Topic) -> list[Any]:
        """A list that grows by every value that comes on ``topic``."""
        heard: list[Any] = []
        self.probe.create_subscription(topic.type, topic.name,
                                       lambda m: heard.append(from_message(m)), topic.qos)
        return heard

    def say(self, topic: Topic, value: Any) -> None:
        """Publishes a core value, once somebody listens."""
        if topic.name not in self._publishers:
            self._publishers[topic.name] = self.probe.create_publisher(topic.type, topic.name,
                                                                       topic.qos)
        publisher = self._publishers[topic.name]
        self.until(lambda: publisher.get_subscription_count() > 0)
        publisher.publish(to_message(value, self.probe.get_clock().now().to_msg()))

    def call(self, row: ServiceRow, **fields: Any) -> Any:
        """Calls a service; returns the future of its answer."""
        if row.name not in self._clients:
            self._clients[row.name] = self.probe.create_client(row.type, row.name)
        client = self._clients[row.name]
        self.until(client.service_is_ready)
        request = row.type.Request()
        for name, value in fields.items():
            setattr(request, name, value)
        return client.call_async(request)

    def ask(self, row: ServiceRow, **fields: Any) -> Any:
        """Calls a service and waits for its answer."""
        future = self.call(row, **fields)
        self.until(future.done)
        return future.result()

    def until(self, condition: Callable[[], Any], within: float = 10.0) -> None:
        """Turns the nodes until ``condition`` holds."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, 'it did not come about'
            self.executor.spin_once(timeout_sec=0.02)

    def turn(self, time_span: float) -> None:
        """Turns the nodes for that many s."""
        deadline = time.monotonic() + time_span
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.02)

    @contextmanager
    def clock_at(self, when: float) -> Iterator[None]:
        """/clock says ``when``, unix s, again and again: nodes in simulated time wait for it."""
        publisher = self.probe.create_publisher(Clock, '/clock', 10)
        message, over = Clock(), threading.Event()
        message.clock.sec, message.clock.nanosec = int(when), round(when % 1 * 1e9)

        def say() -> None:
            while not over.wait(0.02):
                publisher.publish(message)

        thread = threading.Thread(target=say)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.probe.destroy_publisher(publisher)

    def close(self) -> None:
        """Ends all."""
        for node in list(self.nodes):
            self.stop(node)
        self.executor.shutdown()
        self.probe.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def graph() -> Iterator[Graph]:
    one = Graph()
    try:
        yield one
    finally:
        one.close()
