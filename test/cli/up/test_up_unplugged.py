"""The serial adapter vanishes while a vehicle charges and is back as another pty: 0.1 and 5 s."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_charger import LiveCharger, boottime, drawn, live_charger


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCharger]:
    with live_charger(tmp_path_factory.mktemp('unplugged')) as charger:
        charger.charge()
        yield charger


def test_for_a_tenth_of_a_second_the_vehicle_charges_on(charger: LiveCharger) -> None:
    assert charger.board is not None
    pid, since = charger.pid_of('control'), boottime()
    charger.board.do('cable_out')
    assert pty(charger) == ''
    time.sleep(0.1)
    charger.board.do('cable_in')    # another pty, but maybe of the same number
    assert pty(charger) != ''
    charger.wait_for(lambda c: drawn(c) > 10.0, 10.0, 'charges on')
    time.sleep(1.0)
    assert charger.events('offer', since)[-1:] == [] or (
        charger.events('offer', since)[-1]['amperage'] > 0.0)
    assert all(event['amperage'] <= 16.0 for event in charger.events('offer', since))
    assert charger.pid_of('control') == pid, 'nothing was restarted'


def test_for_five_seconds_the_fail_safe_rules_hold_and_it_heals(charger: LiveCharger) -> None:
    assert charger.board is not None
    pid, name = charger.pid_of('control'), pty(charger)
    before = charger.charging()
    assert before is not None
    pulled = time.monotonic()
    charger.board.do('cable_out')
    charger.wait_for(lambda c: c['commandedAmperage'] == 0.0, 4.0, 'commanded 0 A: no board')
    charger.wait_for(lambda c: c['frequency'] is None, 4.0, 'no meter value goes out as new')
    while time.monotonic() - pulled < 4.8:
        now = charger.charging()
        assert now is None or (now['commandedAmperage'] == 0.0 and now['frequency'] is None)
        time.sleep(0.1)
    back = boottime()
    with somebody_elses_pty():
        charger.board.do('cable_in')
        assert pty(charger) not in ('', name), 'another pty under the same name'
    healed = charger.wait_for(lambda c: drawn(c) > 10.0, 30.0, 'charges again')
    assert all(event['amperage'] <= 16.0 for event in charger.events('offer', back))
    assert charger.pid_of('control') == pid, 'nothing was restarted'
    assert healed['energyImported'] >= before['energyImported'], 'the register is continuous'


@contextmanager
def somebody_elses_pty() -> Iterator[None]:
    """Takes the number that has just become free, as another adapter would."""
    ends = os.openpty()
    try:
        yield
    finally:
        for end in ends:
            os.close(end)


def pty(charger: LiveCharger) -> str:
    """Which pty the port's name leads to; '' while there is none."""
    link = Path(charger.link)
    return str(link.readlink()) if link.is_symlink() else ''
