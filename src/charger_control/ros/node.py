"""What every node of the graph shares: one clock, topics from the table, one timer, diagnostics.

A block's node is thin: it stores what it hears, and one timer calls its core. It never decides.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.service import Service

from charger_control.core.heard import Heard
from charger_control.core.senders import START_MARK, Voices
from charger_control.ros.convert import from_message, to_message
from charger_control.ros.diagnostics import Health, Level, Reporter
from charger_control.ros.faults import Faults, StartError
from charger_control.ros.interfaces import SERVICE_QOS, ServiceRow, Topic
from charger_control.ros.machine.claims import Claims
from charger_control.ros.parameters import Group, Param, ParameterError, declare
from charger_control.ros.rules import RULES

T = TypeVar('T')

STARTING = 5.0
"""s after its start in which a node that lacks something warns: all others may be starting too."""

CLOCK_TIMEOUT = 20.0
"""s, real ones, that a node which follows /clock waits for its first message."""

ENDING = threading.Event()
"""Set by the runner when the process is asked to end: what waits at its start gives up."""

@dataclass(slots=True)
class Claimed:
    """Who claims the names of nodes for this process; None in tests that make nodes alone."""

    by: Claims | None = None


CLAIMED = Claimed()
"""Set by the runner."""

DEFERRED = object()
"""What a service callback returns when the answer comes later through ``Answer``."""


class NoClockError(StartError):
    """A node follows /clock, and there is none."""


@dataclass(slots=True)
class Ticks:
    """What has become of a timer.

    Attributes:
        rate: Hz.
        since: s, when it was started.
        count: how often it has ticked.
    """

    rate: float
    since: float
    count: int = 0

    def due(self, now: float) -> int:
        """How often it should have ticked until ``now`` s."""
        return int((now - self.since) * self.rate + 1e-3)

    def missed(self, now: float) -> int:
        """How many ticks are missing at ``now`` s; the one that is due may still come."""
        return max(0, self.due(now) - self.count - 1)


class BlockNode(Node):
    """A node of one block.

    Subclasses call ``hear`` and ``publisher`` with rows of the table, ``every`` once, and implement
    ``health``. ``stop`` is called once on SIGTERM or SIGINT; the process ends when every node says
    ``stopped`` (or at the runner's deadline).
    """

    def __init__(self, name: str, params: Sequence[Param | Group], **kwargs: Any) -> None:
        """Declares ``params`` into ``self.values``; ParameterError if one cannot be taken."""
        super().__init__(name, **kwargs)
        self.values = declare(self, params, self.parameters_changed)
        if CLAIMED.by is not None:
            CLAIMED.by.node(name, self.get_namespace(), self.values.get('state_dir'))
        self._simulated = bool(self.get_parameter('use_sim_time').value)
        self._tick_clock = self.get_clock() if self._simulated else Clock(
            clock_type=ClockType.STEADY_TIME)
        self._sender = (f'{self.get_fully_qualified_name()}{START_MARK}{secrets.token_hex(4)}')
        self._voices: dict[str, Voices[Any]] = {}
        self.faults = Faults(self.get_logger(), self.now, self.make_safe)
        self.ticks: list[Ticks] = []
        if self._simulated:
            self._wait_for_clock()
        self._reporter = Reporter(self)
        self._starting_until = self.now() + STARTING
        self.create_timer(1.0, lambda: self.faults.run('diagnostics', self._report),
                          clock=self._tick_clock)

    def checked(self, config_of: Callable[[dict[str, Any]], T], group: str = '') -> T:
        """What ``config_of`` makes of the parameters; ParameterError if it refuses their
        combination, with the group that it is about."""
        try:
            return config_of(self.values)
        except ValueError as error:
            where = f'{self.get_name()}.{group}: ' if group else ''
            raise ParameterError(f'{where}{error}') from error

    # -- time ------------------------------------------------------------------------------------
    def now(self) -> float:
        """s on a clock that only moves forward and counts through suspend, or simulated time."""
        if self._simulated:
            return float(self.get_clock().now().nanoseconds) * 1e-9
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> float:
        """Unix s, for stamps and schedules only."""
        return float(self.get_clock().now().nanoseconds) * 1e-9 if self._simulated else time.time()

    def _wait_for_clock(self) -> None:
        """Until /clock has spoken: what is decided at a start needs to know when it was."""
        end = time.monotonic() + CLOCK_TIMEOUT
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(self)
        try:
            while not self.get_clock().now().nanoseconds:
                if ENDING.is_set():
                    raise NoClockError(f'{self.get_name()}: ended before /clock has spoken')
                if time.monotonic() > end:
                    raise NoClockError(f'{self.get_name()}: use_sim_time is true, but nobody has '
                                       f'published /clock for {CLOCK_TIMEOUT:g} s: start what '
                                       'does, or set it to false')
                executor.spin_once(timeout_sec=0.05)
        finally:
            executor.remove_node(self)
            executor.shutdown()

    # -- topics ----------------------------------------------------------------------------------
    def publisher(self, topic: Topic) -> Callable[[Any], None]:
        """A function that publishes a core value on ``topic``, stamped now, in its own name."""
        publisher: Publisher = self.create_publisher(topic.type, topic.name, topic.qos)

        def publish(value: Any) -> None:
            publisher.publish(to_message(value, self.get_clock().now().to_msg(), self._sender))

        return publish

    def hear(self, topic: Topic, heard: Callable[[Heard[Any]], None]) -> None:
        """Calls ``heard`` with the core value and the time of receipt of each message; where
        several speak, with what counts of it (ros/rules.py)."""
        voices: Voices[Any] | None = None
        if topic.name in RULES:
            voices = self._voices[topic.name] = Voices(RULES[topic.name])

        def take(message: Any) -> None:
            word: Heard[Any] | None = Heard(from_message(message), self.now(),
                                            message.header.frame_id,
                                            subscription.get_publisher_count() > 1)
            if voices is not None and word is not None:
                word = voices.hear(word)
            if word is not None:
                heard(word)

        place = f'what came on {topic.name}'
        subscription = self.create_subscription(
            topic.type, topic.name, lambda message: self.faults.run(place, lambda: take(message)),
            topic.reader_qos)

    def serve(self, row: ServiceRow, answer: Callable[[Any, Answer], None]) -> Service:
        """Answers a service at any later time: ``answer(request, reply)``, then ``reply(...)``.

        rclpy's events executor has no coroutine services, so the reply is held back here.
        """
        pending: list[Answer] = []

        def callback(request: Any, response: Any) -> Any:
            pending.append(Answer(response))
            reply = pending[-1]
            raised = self.faults.run(f'service {row.name}', lambda: answer(request, reply))
            if raised:
                reply(success=False, code='Internal', message=raised)
            return DEFERRED

        service = self.create_service(row.type, row.name, callback, qos_profile=SERVICE_QOS)
        send = service.send_response

        def send_or_hold(response: Any, header: Any) -> None:
            if response is DEFERRED:
                pending.pop().bind(lambda given: send(given, header))
            else:
                send(response, header)

        service.send_response = send_or_hold  # type: ignore[method-assign]
        return service

    # -- the one timer ---------------------------------------------------------------------------
    def every(self, rate: float, step: Callable[[], None]) -> None:
        """Calls ``step`` at ``rate`` Hz, on the steady clock or on simulated time."""
        ticks = Ticks(rate, self.now())
        self.ticks.append(ticks)

        def tick() -> None:
            ticks.count += 1
            self.faults.run('its tick', step, safe=True)

        self.create_timer(1.0 / rate, tick, clock=self._tick_clock)

    def _report(self) -> None:
        healths = [*self.health(), *self._second_voices(), *self.faults.health()]
        if self.now() < self._starting_until:
            healths = [replace(h, level=min(h.level, Level.WARN)) for h in healths]
        self._reporter.publish(healths)

    def _second_voices(self) -> list[Health]:
        """Whether each topic that is obeyed has one voice."""
        if not self._voices:
            return []
        now = self.now()
        contested = {topic: senders for topic, voices in self._voices.items()
                     if (senders := voices.contested(now))}
        if not contested:
            return [Health('inputs', message='one voice on each topic')]
        said = '; '.join(f'two speak on {topic}: {", ".join(senders)}'
                         for topic, senders in contested.items())
        return [Health('inputs', Level.ERROR, f'{said}. The cautious value counts: end what should '
                       'not publish there (ros2 topic info --verbose)')]

    # -- for subclasses --------------------------------------------------------------------------
    def health(self) -> Sequence[Health]:
        """What ``/diagnostics`` says of this node, one entry per task."""
        return [Health('state')]

    def parameters_changed(self, values: dict[str, Any]) -> None:
        """Takes new values of parameters that may change; ValueError refuses them all."""

    def make_safe(self, why: str) -> None:
        """Says the block's safe value: its tick has failed. Nothing: silence is the safe value."""

    def stop(self) -> None:
        """Begins to end: withdraw what was offered."""

    def stopped(self) -> bool:
        """Whether this node may be destroyed now."""
        return True

    def close(self) -> None:
        """Frees devices and files. Called once, also after an exception."""


class Answer:
    """The answer of one service call, given once, from any thread."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._given = False
        self._send: Callable[[Any], None] | None = None
        self._lock = threading.Lock()

    def bind(self, send: Callable[[Any], None]) -> None:
        """Called by the executor when it wants to send."""
        with self._lock:
            self._send = send
            due = self._given
        if due:
            send(self._response)

    def __call__(self, **fields: Any) -> None:
        """Sends the response with these fields; a second answer is not sent."""
        with self._lock:
            if self._given:
                return
            for name, value in fields.items():
                setattr(self._response, name, value)
            self._given = True
            send = self._send
        if send is not None:
            send(self._response)


def member_name(name: str, namespace: str) -> str:
    """A member's name: the given one, or that of its namespace."""
    return name or namespace.strip('/').replace('/', '.') or 'charger'
