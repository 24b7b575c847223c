"""When which frame is due, on a clock that is set."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from charger_control.bridges.graph.bucket import Bucket
from charger_control.bridges.graph.feed import Feed
from charger_control.bridges.graph.state import (
    CHARGING,
    CONFIGURATION,
    LIMITS,
    PILOT,
    TRANSACTION,
    State,
)
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Charging
from charger_control.core.messages.session import Configuration, Transaction


class Bench:
    """A state and its feed, stepped by hand."""

    def __init__(self, max_rate: float = 10.0) -> None:
        self.now = 1000.0
        self.state = State(lambda: self.now)
        self.feed = Feed(self.state, max_rate)

    def due(self) -> dict[str, dict[str, Any]]:
        found = {}
        for topic, text in self.feed.due(self.now):
            frame = json.loads(text)
            assert frame['topic'] == topic
            found[topic] = frame['message']
        return found

    def run(self, seconds: float, step: float = 0.05) -> list[tuple[float, str]]:
        """Time and topic of the frames of the next seconds."""
        frames = []
        start = self.now
        for i in range(1, round(seconds / step) + 1):
            self.now = start + i * step
            frames += [(self.now - start, topic) for topic in self.due()]
        return frames


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_charging_goes_out_at_the_graphs_rate(bench: Bench) -> None:
    bench.due()
    times = []
    for i in range(100):
        bench.now = 1000.1 + i * 0.1
        bench.state.put(CHARGING, Charging(frequency=float(i)))
        found = bench.due()
        assert found[CHARGING]['frequency'] == i, 'the newest value, at once'
        times.append(bench.now)
        bench.now += 0.05
        assert not bench.due(), 'once only'
    assert len(times) == 100


def test_a_faster_graph_is_thinned_to_the_newest_values(bench: Bench) -> None:
    bench.due()
    seen = []
    for i in range(1000):
        bench.now = 1000.0 + i * 0.01
        bench.state.put(CHARGING, Charging(frequency=float(i)))
        if CHARGING in (found := bench.due()):
            seen.append(found[CHARGING]['frequency'])
            assert seen[-1] == i
    assert 99 <= len(seen) <= 103, '10 s at 10 a second'


def test_the_last_of_a_burst_is_held_back_no_longer_than_needed(bench: Bench) -> None:
    bench.due()
    for i in range(5):
        bench.state.put(CHARGING, Charging(frequency=float(i)))
        bench.due()
    held = bench.feed.held_back(bench.now)
    assert 0.0 < held <= 0.1
    bench.now += held + 1e-9
    assert bench.due()[CHARGING]['frequency'] == 4.0
    assert bench.feed.held_back(bench.now) == float('inf')


def test_silence_never_lasts(bench: Bench) -> None:
    bench.state.put(CHARGING, Charging(frequency=50.0))
    bench.state.put(PILOT, ControlPilot('C', 'C2', 16.0))
    assert bench.due()[TRANSACTION]['vehicleStatus'] == 'C'
    frames = bench.run(60.0)
    times = [0.0, *(at for at, topic in frames if topic == CHARGING), 60.0]
    assert max(b - a for a, b in pairwise(times[1:])) <= 1.1
    assert times[1] <= 2.1, 'the first one when the controller is taken for silent'
    gone = next(at for at, topic in frames if topic == TRANSACTION)
    assert 2.0 <= gone <= 2.1


def test_vehicle_status_f_as_soon_as_the_pilot_is_silent(bench: Bench) -> None:
    bench.state.put(PILOT, ControlPilot('C', 'C2', 16.0))
    bench.due()
    bench.now += 1.9
    assert TRANSACTION not in bench.due()
    bench.now += 0.2
    assert bench.due()[TRANSACTION]['vehicleStatus'] == 'F'
    bench.now += 1.0
    assert TRANSACTION not in bench.due()
    bench.state.put(PILOT, ControlPilot('B', 'B1', 0.0))
    assert bench.due()[TRANSACTION]['vehicleStatus'] == 'B'


def test_the_others_only_when_they_change(bench: Bench) -> None:
    for topic, value in ((TRANSACTION, Transaction(state='Idle')),
                         (CONFIGURATION, Configuration('home')), (LIMITS, Limits())):
        bench.state.put(topic, value)
        assert bench.due()[topic]
        bench.now += 1.0
        bench.state.put(topic, value)   # latched topics are repeated at 1 Hz
        assert topic not in bench.due()
    bench.state.put(TRANSACTION, Transaction(state='EVConnected'))
    assert bench.due()[TRANSACTION]['state'] == 'EVConnected'
    bench.state.put(CONFIGURATION, Configuration('home', session_id='new'))
    assert bench.due()[CONFIGURATION]['sessionId'] == 'new'


def test_limits_at_a_change_a_renewal_and_the_lapse_not_while_they_run(bench: Bench) -> None:
    def heard(expires_in: float, amperage: float = 10.0) -> bool:
        bench.state.put(LIMITS, Limits(amperage_limit=amperage, timeout=60.0,
                                       expires_in=expires_in))
        return LIMITS in bench.due()

    assert heard(60.0)
    for left in range(59, 29, -1):
        bench.now += 1.003   # the repetition drifts
        assert not heard(float(left) - 0.02)
    assert heard(60.0), 'renewed'
    bench.now += 1.0
    assert heard(59.0, amperage=12.0), 'changed'
    bench.now += 59.0
    assert heard(0.0, amperage=12.0), 'lapsed'
    bench.now += 1.0
    assert not heard(0.0, amperage=12.0)
    assert heard(60.0, amperage=12.0), 'set again'


def test_bucket() -> None:
    bucket = Bucket(rate=2.0, burst=3.0, now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(0.4)
    assert bucket.take(0.5)
    assert not bucket.take(0.5)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    bucket.give()
    assert bucket.take(100.0)
