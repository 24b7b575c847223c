"""What befalls one part of a charger leaves the others as they are, on the board's own log."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from live_charger import LiveCharger, boottime, live_charger, wait_until
from live_talker import talking
from live_topics import topics_of

from charger_control.core.messages.team import TeamAllocation
from charger_control.ros.interfaces import CONTROL_PILOT, TEAM_ALLOCATION

NEVER = 2**64 - 1


def free_port() -> int:
    """One that is free now: with 0 the bridge would take another one each time."""
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCharger]:
    with live_charger(tmp_path_factory.mktemp('charger'),
                      {'bridge': {'port': free_port()}}) as live:
        live.charge()
        yield live


def undisturbed(charger: LiveCharger, since: float) -> None:
    """The board has offered current all the time since then."""
    assert all(e['amperage'] > 0.0 for e in charger.events('offer', since))
    assert charger.offers()


def binds(one: socket.socket, port: int) -> bool:
    try:
        one.bind(('127.0.0.1', port))
    except OSError:
        return False
    return True


def lines(charger: LiveCharger, text: str) -> int:
    assert charger.up is not None
    return sum(text in line for line in charger.up.lines)


def test_a_taken_web_port_keeps_only_the_bridge_away(charger: LiveCharger) -> None:
    since, control = boottime(), charger.pid_of('control')
    port = int(charger.url.rsplit(':', 1)[1])
    served = lines(charger, f'serving {charger.url}')
    tried = lines(charger, 'bridge: started')
    os.kill(charger.pid_of('bridge'), signal.SIGKILL)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_until(lambda: binds(taken, port), 1.0, 'its port, before the next bridge has it')
        taken.listen()
        wait_until(lambda: lines(charger, 'another program listens there') >= 2, 30.0,
                   'two tries, each said')
        assert charger.charging() is None
        undisturbed(charger, since)
    wait_until(lambda: lines(charger, f'serving {charger.url}') > served, 30.0, 'it serves again')
    charger.wait_for(lambda c: c['frequency'], 20.0, 'live values again')
    assert lines(charger, 'bridge: started') >= tried + 3
    assert charger.pid_of('control') == control
    undisturbed(charger, since)


def test_an_absurd_term_ends_nothing(charger: LiveCharger) -> None:
    since, control = boottime(), charger.pid_of('control')
    said = {TEAM_ALLOCATION: TeamAllocation('team', 'x', NEVER, NEVER, 10.0)}
    with topics_of(charger.namespace, CONTROL_PILOT) as topics, talking(charger.namespace, said):
        time.sleep(15.0)     # longer than a takeover, and than a lease
        undisturbed(charger, since)
        topics.wait_for(CONTROL_PILOT, lambda _: True, 5.0, 'the pilot speaks', new=True)
    assert charger.pid_of('control') == control
    undisturbed(charger, since)
