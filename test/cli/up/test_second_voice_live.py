"""A second publisher on what a charger obeys: on the board's log nothing is above what was meant.

What it is at each reader is in test/core/test_voices.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from live_charger import LiveCharger, boottime, live_charger, wait_until
from live_talker import talking
from live_topics import Topics, topics_of

from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.ros.interfaces import (
    AVAILABLE,
    CONTROL_PILOT,
    DIAGNOSTICS,
    LIMIT_API,
    LIMIT_HW,
    METER,
)

TALK = 6.0
"""s for which the second voice speaks: longer than any pace of the pilot."""
RAISED = AvailableAmperage(16.0, 16.0, True)
FORGED = AvailableAmperage(80.0, 80.0, True)


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCharger]:
    with live_charger(tmp_path_factory.mktemp('charger')) as live:
        live.charge()
        yield live


@pytest.fixture(scope='module')
def topics(charger: LiveCharger) -> Iterator[Topics]:
    with topics_of(charger.namespace, DIAGNOSTICS, CONTROL_PILOT, AVAILABLE, METER) as watching:
        yield watching


def offered(charger: LiveCharger, since: float) -> list[float]:
    return [e['amperage'] for e in charger.events('offer', since)]


def errors(topics: Topics) -> list[str]:
    return [f'{status.name}: {status.message}' for array in topics.all(DIAGNOSTICS)
            for status in array.status if status.level == b'\x02']


@pytest.fixture
def stopped(charger: LiveCharger) -> Iterator[float]:
    """A client has stopped the charge; since when nothing is offered."""
    assert charger.put(amperageLimit=0.0).status_code == 204
    wait_until(lambda: not charger.offers(), 10.0, 'no offer')
    time.sleep(1.0)
    yield boottime()
    assert charger.put(amperageLimit=None).status_code == 204
    wait_until(charger.offers, 30.0, 'an offer again')


def test_a_forged_available_raises_no_stopped_charge(charger: LiveCharger, topics: Topics,
                                                     stopped: float) -> None:
    with talking(charger.namespace, {AVAILABLE: RAISED}):
        time.sleep(TALK)
    assert offered(charger, stopped) == []
    wait_until(lambda: any('two speak on available' in e for e in errors(topics)), 5.0,
               'an ERROR that names the topic')


def test_a_forged_hw_limit_and_available_raise_nothing(charger: LiveCharger) -> None:
    wait_until(charger.offers, 30.0, 'an offer')
    time.sleep(3.0)
    since = boottime()
    before = charger.events('offer')[-1]['amperage']
    with talking(charger.namespace, {AVAILABLE: FORGED, LIMIT_HW: AmperageLimit(80.0)}):
        time.sleep(TALK)
    assert max(offered(charger, since), default=0.0) <= max(before, 16.0)


def test_a_forged_limit_raises_nothing_and_a_lower_one_acts(charger: LiveCharger) -> None:
    assert charger.put(amperageLimit=10.0).status_code == 204
    wait_until(lambda: charger.events('offer')[-1]['amperage'] <= 12.0, 10.0, 'the lower limit')
    since = boottime()
    try:
        with talking(charger.namespace, {LIMIT_API: AmperageLimit(16.0)}):
            time.sleep(TALK)
        assert max(offered(charger, since), default=0.0) <= 12.0
        with talking(charger.namespace, {LIMIT_API: AmperageLimit(7.0)}):
            wait_until(lambda: charger.events('offer')[-1]['amperage'] <= 9.0, 3.0, 'lower')
        wait_until(lambda: charger.events('offer')[-1]['amperage'] >= 9.5, 15.0,
                   'the true limit again')
    finally:
        assert charger.put(amperageLimit=None).status_code == 204


def test_a_forged_meter_that_reads_nothing_leaves_no_trim(charger: LiveCharger,
                                                          topics: Topics) -> None:
    assert charger.put(amperageLimit=10.0).status_code == 204
    try:
        wait_until(lambda: charger.events('offer')[-1]['amperage'] <= 12.0, 10.0, 'the limit')
        time.sleep(8.0)
        before = charger.events('offer')[-1]['amperage']
        since = boottime()
        with talking(charger.namespace, {METER: MeterReading(amperage=(3.0, 3.0, 3.0))}):
            time.sleep(TALK)
        assert max(offered(charger, since), default=0.0) <= before + 0.01
    finally:
        assert charger.put(amperageLimit=None).status_code == 204


def test_a_control_pilot_that_says_something_else_is_silence(charger: LiveCharger,
                                                             topics: Topics) -> None:
    wait_until(charger.offers, 30.0, 'an offer')
    pilot = topics.last(CONTROL_PILOT)
    other = replace(pilot, vehicle_status='B', charge_controller_status='B2')
    with talking(charger.namespace, {CONTROL_PILOT: other}):
        wait_until(lambda: topics.last(AVAILABLE).available_amperage == 0.0, 4.0, 'no offer')
    wait_until(lambda: any('two speak on control_pilot' in e for e in errors(topics)), 5.0,
               'an ERROR that names the topic')
    wait_until(charger.offers, 30.0, 'an offer again')
