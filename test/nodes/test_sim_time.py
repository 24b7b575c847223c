"""Nodes in simulated time: they wait for /clock, live by it, and count their ticks."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from rosgraph_msgs.msg import Clock

from charger_control.ros import node as block_node
from charger_control.ros.node import BlockNode, NoClockError, Ticks

BEGIN = 1_800_000_000.0


class Ticking(BlockNode):
    """Ticks at 20 Hz."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('ticking', (), **kwargs)
        self.made_at = self.now()
        self.seen: list[float] = []
        self.every(20.0, lambda: self.seen.append(self.now()))


def test_what_a_node_is_made_with_is_the_simulated_time(graph: Any) -> None:
    with graph.clock_at(BEGIN):
        node = graph.start(Ticking, use_sim_time=True)
    assert node.made_at == node.wall() == BEGIN


def test_a_timer_ticks_once_for_each_of_its_periods_and_no_faster(graph: Any) -> None:
    with graph.clock_at(BEGIN):
        node = graph.start(Ticking, use_sim_time=True)
    graph.turn(0.3)
    before = len(node.seen)     # real time goes on, simulated time does not
    publisher = graph.probe.create_publisher(Clock, '/clock', 10)
    graph.until(lambda: publisher.get_subscription_count() >= 1)
    for i in range(1, 101):
        message = Clock()
        nanoseconds = round(BEGIN * 1e9) + i * 50_000_000
        message.clock.sec, message.clock.nanosec = divmod(nanoseconds, 1_000_000_000)
        publisher.publish(message)
        graph.until(lambda now=nanoseconds * 1e-9: node.now() == pytest.approx(now, abs=1e-6))
        graph.turn(0.005)
        # the executor may call a timer twice for one message, and leaves the next call out then
        assert i - 1 <= len(node.seen) <= i + 1
    assert before == 0 and len(node.seen) == node.ticks[0].count
    assert node.ticks[0].due(node.now()) == 100 and node.ticks[0].missed(node.now()) == 0


def test_a_node_does_not_start_without_a_clock(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_node, 'CLOCK_TIMEOUT', 0.2)
    with pytest.raises(NoClockError, match='ticking: use_sim_time is true, but nobody has publ'):
        graph.start(Ticking, use_sim_time=True)


def test_a_process_that_is_ended_does_not_wait_for_it(graph: Any, monkeypatch: pytest.MonkeyPatch
                                                     ) -> None:
    ending = threading.Event()
    ending.set()
    monkeypatch.setattr(block_node, 'ENDING', ending)
    with pytest.raises(NoClockError, match='ended before /clock'):
        graph.start(Ticking, use_sim_time=True)


def test_in_real_time_nothing_waits_for_a_clock(graph: Any) -> None:
    node = graph.start(Ticking)
    graph.until(lambda: len(node.seen) >= 5, within=5.0)


@pytest.mark.parametrize(('after', 'count', 'missed'), [
    (10.0, 200, 0), (10.0, 199, 0), (10.0, 198, 1), (10.0, 100, 99), (0.0, 0, 0), (0.049, 1, 0)])
def test_missed_ticks(after: float, count: int, missed: int) -> None:
    assert Ticks(20.0, BEGIN, count).missed(BEGIN + after) == missed
