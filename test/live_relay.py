"""One charger in a DDS domain of its own, and a relay of its team's topics that can be cut.

So a partition is what it is on a site: messages do not come any more, all processes live on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.node import Node

from charger_control.ros.interfaces import (
    TEAM_ALLOCATION,
    TEAM_REQUEST,
    VCSE_BUDGET,
    VCSE_REQUEST,
    Topic,
)

Filter = Callable[[Any], bool]


class Relay:
    """Carries a team's topics between the domain of all and that of one member.

    Attributes:
        cut: nothing is carried while it is set.
    """

    def __init__(self, namespace: str, member: str, of_all: int, of_one: int) -> None:
        """``namespace``: of the team; ``of_all``, ``of_one``: domains."""
        self.cut = False
        self._contexts = [rclpy.Context(), rclpy.Context()]
        self._nodes: list[Node] = []
        self._executors = []
        for context, domain in zip(self._contexts, (of_all, of_one), strict=True):
            context.init(args=[], domain_id=domain)
            self._nodes.append(Node(f'relay_{domain}', namespace=f'/{namespace}', context=context))
            self._executors.append(EventsExecutor(context=context))
            self._executors[-1].add_node(self._nodes[-1])
        # what a side says itself goes over, so nothing comes back
        self._carry(0, TEAM_REQUEST, lambda m: m.member != member)
        self._carry(0, TEAM_ALLOCATION, lambda m: m.leader != member)
        self._carry(0, VCSE_BUDGET, lambda m: True)
        self._carry(1, TEAM_REQUEST, lambda m: m.member == member)
        self._carry(1, TEAM_ALLOCATION, lambda m: m.leader == member)
        self._carry(1, VCSE_REQUEST, lambda m: m.accepted_leader == member)
        self._going = True
        self._threads = [threading.Thread(target=self._turn, args=(executor,))
                         for executor in self._executors]
        for thread in self._threads:
            thread.start()

    def _carry(self, side: int, topic: Topic, goes_over: Filter) -> None:
        publisher = self._nodes[1 - side].create_publisher(topic.type, topic.name, topic.qos)

        def carry(message: Any) -> None:
            if not self.cut and goes_over(message):
                publisher.publish(message)
        self._nodes[side].create_subscription(topic.type, topic.name, carry, topic.qos)

    def _turn(self, executor: EventsExecutor) -> None:
        while self._going:
            executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._going = False
        for thread in self._threads:
            thread.join()
        for node, context in zip(self._nodes, self._contexts, strict=True):
            node.destroy_node()
            context.try_shutdown()
