"""However `ros2 launch` ends, its processes notice, withdraw, end: seen on the board's log."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from live_charger import QUICK, boottime, wait_until
from live_launch import NO_LAUNCH, Launched, launched
from live_unit import Unit

pytest.importorskip('launch.actions', reason=NO_LAUNCH)

STANDS = 2.0
"""s that an offer may stand once its launch is gone (architecture.md, invariant 6)."""
ENDED = 20.0
"""s until the last process has ended: 8 for the graph, then the simulated devices."""
SECTIONS = {'/**': {node: {'ros__parameters': values} for node, values in QUICK.items()}}


def charges(one: Launched, namespace: str) -> None:
    try:
        wait_until(lambda: one.offered(namespace) > 6.0 and one.drawn(namespace) > 5.0, 60.0,
                   'the vehicle draws')
    except AssertionError as error:
        raise AssertionError(f'{error}\n' + '\n'.join(one.process.lines[-40:])) from error


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_no_offer_outlives_the_launch(tmp_path: Path, number: signal.Signals,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = f'killed{number}x{os.getpid()}'
    with Unit(monkeypatch) as unit, launched(tmp_path, 'charger.launch.py', SECTIONS,
                                             namespace=namespace, port=0) as one:
        charges(one, namespace)
        since = boottime()
        one.process.process.send_signal(number)
        wait_until(lambda: one.offer_stood(namespace, since) < 60.0, 10.0,
                   'the offer is withdrawn')
        stood = one.offer_stood(namespace, since)
        print(f'{number.name}: offer stood {stood:.2f} s')
        assert stood <= STANDS
        wait_until(lambda: not unit.alive(), ENDED, 'the end of every process')
        print(f'{number.name}: all ended {boottime() - since:.1f} s later')
        contactor = one.events(namespace, 'contactor')[-1]
        assert not contactor['closed'] and contactor['amperage'] == 0.0, 'opened without load'
