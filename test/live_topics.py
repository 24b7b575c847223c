"""The topics of a running graph, kept as they come, by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from live_charger import wait_until
from rclpy.experimental import EventsExecutor
from rclpy.node import Node

from charger_control.core.heard import Heard
from charger_control.ros.convert import from_message
from charger_control.ros.interfaces import DIAGNOSTICS, Topic


class Topics:
    """Everything that came on some topics of a namespace: core values, or what has none as it is.

    ``node`` may be asked about the graph meanwhile. ``raw``: messages as they are.
    """

    def __init__(self, namespace: str, topics: Sequence[Topic], raw: bool = False) -> None:
        self._raw = raw
        self._heard: dict[str, list[Heard[Any]]] = {topic.name: [] for topic in topics}
        self._context = rclpy.Context()
        self._context.init(args=[])
        self.node = Node('watching', namespace=f'/{namespace}', context=self._context)
        for topic in topics:
            self.node.create_subscription(topic.type, topic.name, self._keeper(topic), topic.qos)
        self._executor = EventsExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._going = True
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def _keeper(self, topic: Topic) -> Any:
        kept = self._heard[topic.name]

        def keep(message: Any) -> None:
            now = self.node.get_clock().now().nanoseconds * 1e-9
            as_it_is = self._raw or topic is DIAGNOSTICS
            kept.append(Heard(message if as_it_is else from_message(message), now))
        return keep

    def _turn(self) -> None:
        while self._going:
            self._executor.spin_once(timeout_sec=0.1)

    def all(self, topic: Topic) -> list[Any]:
        """The values so far."""
        return [heard.value for heard in list(self._heard[topic.name])]

    def heard(self, topic: Topic) -> list[Heard[Any]]:
        """The same with when each came (s, wall clock)."""
        return list(self._heard[topic.name])

    def last(self, topic: Topic) -> Any:
        """The newest value; None before the first."""
        values = self._heard[topic.name]
        return values[-1].value if values else None

    def wait_for(self, topic: Topic, condition: Any, timeout: float, what: str,
                 new: bool = False) -> Any:
        """The first value, of those still to come and the newest one, that fulfils it.

        ``new``: the newest one does not count.
        """
        start = max(0, len(self._heard[topic.name]) - (0 if new else 1))

        def find() -> Any:
            return next((v for v in self.all(topic)[start:] if condition(v)), None)

        try:
            return wait_until(find, timeout, what)
        except AssertionError as error:
            raise AssertionError(f'{error}; now {self.last(topic)}') from error

    def close(self) -> None:
        self._going = False
        self._thread.join()
        self.node.destroy_node()
        self._context.try_shutdown()


@contextmanager
def topics_of(namespace: str, *topics: Topic, raw: bool = False) -> Iterator[Topics]:
    """What comes on these topics from now on."""
    watching = Topics(namespace, topics, raw)
    try:
        yield watching
    finally:
        watching.close()
