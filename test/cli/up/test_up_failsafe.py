"""Whatever dies, no offer stands longer than 2 s on the board's own log, and it heals by itself."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from live_charger import CHARGER, LiveCharger, boottime, drawn, live_charger, wait_until

from charger_control.sim.boards.board_log import longest_offer

SETTLED = 2.5
"""s for which an offer must have stood before a test begins: the one before is over then."""
STANDS = 2.0
"""s that an offer may stand after any kill (architecture.md, invariant 6)."""


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCharger]:
    with live_charger(tmp_path_factory.mktemp('charger')) as live:
        live.charge()
        yield live


@pytest.fixture(autouse=True)
def charging(charger: LiveCharger) -> Iterator[None]:
    def steadily() -> bool:
        offers = charger.events('offer')
        now = charger.charging()
        return (bool(offers) and 0.0 < offers[-1]['amperage'] <= 16.0
                and boottime() - offers[-1]['t'] > SETTLED and now is not None
                and drawn(now) > 10.0)

    wait_until(steadily, 60.0, 'charging steadily before the test')
    yield


def heals(charger: LiveCharger, since: float, timeout: float = 40.0) -> None:
    """Offers and draws again, after what happened at ``since`` had its effect."""
    try:
        wait_until(lambda: charger.offers() and charger.events('offer', since), timeout,
                   'an offer again')
    except AssertionError as error:
        assert charger.up is not None
        raise AssertionError(f'{error}\n' + '\n'.join(charger.up.lines[-30:])) from error
    charger.wait_for(lambda c: drawn(c) > 10.0, timeout, 'draws again')


def no_offer_for_long(charger: LiveCharger, since: float) -> None:
    wait_until(lambda: charger.offer_stood(since) < 60.0, 10.0, 'the offer is withdrawn')
    assert charger.offer_stood(since) <= STANDS


def test_control_process_killed(charger: LiveCharger) -> None:
    since = boottime()
    os.kill(charger.pid_of('control'), signal.SIGKILL)
    no_offer_for_long(charger, since)
    heals(charger, since)


def test_control_process_stopped(charger: LiveCharger) -> None:
    since = boottime()
    os.kill(charger.pid_of('control'), signal.SIGSTOP)
    no_offer_for_long(charger, since)
    heals(charger, since)


def test_bridge_killed_changes_nothing_for_the_vehicle(charger: LiveCharger) -> None:
    since = boottime()
    before = charger.pid_of('bridge')
    os.kill(before, signal.SIGKILL)
    assert charger.up is not None
    wait_until(lambda: charger.pid_of('bridge') != before, 10.0, 'the bridge starts again')
    charger.url = charger.up.wait_for(r'http://127\.0\.0\.1:(\d+)', 15.0, since=max(
        i for i, line in enumerate(charger.up.lines) if 'bridge: started' in line)).group(0)
    charger.wait_for(lambda c: drawn(c) > 10.0, 10.0, 'charges on')
    assert all(e['amperage'] > 0.0 for e in charger.events('offer', since))


def test_simulator_killed_and_back(charger: LiveCharger) -> None:
    assert charger.sim is not None
    since = boottime()
    os.kill(charger.sim.process.pid, signal.SIGKILL)
    charger.sim.process.wait()
    charger.wait_for(lambda c: c['commandedAmperage'] == 0.0, 5.0, 'commanded 0 A, board lost')
    charger.start_sim()
    assert charger.board is not None
    charger.board.do('plug_in')
    heals(charger, since)


def test_supervisor_killed(charger: LiveCharger) -> None:
    assert charger.up is not None
    since = boottime()
    os.kill(charger.up.process.pid, signal.SIGKILL)
    no_offer_for_long(charger, since)
    charger.up.process.wait()
    charger.start()  # as systemd does
    heals(charger, since)


def test_cable_of_the_bus_pulled(charger: LiveCharger) -> None:
    assert charger.board is not None
    charger.board.do('cable_out')
    charger.wait_for(lambda c: c['commandedAmperage'] == 0.0, 5.0, 'commanded 0 A')
    since = boottime()
    charger.board.do('cable_in')
    # the offer that stood on the unreachable board is withdrawn before anything else
    no_offer_for_long(charger, since)
    heals(charger, since)


def test_garbage_on_the_bus(charger: LiveCharger) -> None:
    assert charger.board is not None
    since = boottime()
    charger.board.do('garbage', **{'for': 5.0})
    charger.wait_for(lambda c: c['commandedAmperage'] == 0.0, 5.0, 'commanded 0 A')
    charger.board.do('clear_faults')
    heals(charger, since)


def test_meter_silent(charger: LiveCharger) -> None:
    assert charger.board is not None
    charger.board.do('silence', device='meter')
    charger.wait_for(lambda c: c['frequency'] is None, 6.0, 'nothing stale is published as new')
    charger.wait_for(lambda c: c['commandedAmperage'] == pytest.approx(6.0), 13.0, '6 A at 11 s')
    charger.board.do('clear_faults')
    charger.wait_for(lambda c: c['commandedAmperage'] == 16.0, 15.0, 'back with the meter')


def test_board_reset_with_32_a_after_boot(charger: LiveCharger) -> None:
    assert charger.board is not None
    charger.board.do('factory_board')
    since = boottime()
    charger.board.do('reset_board')
    heals(charger, since)
    # the offer of its own is over, however soon the vehicle drew from it
    wait_until(lambda: charger.events('offer', since)[-1]['amperage'] <= 16.0, 10.0,
               'what nobody offered is withdrawn')
    assert longest_offer(charger.events('offer'), since, boottime(), above=16.0) <= STANDS


def test_lost_fine_steps(charger: LiveCharger) -> None:
    assert charger.board is not None
    since = boottime()
    charger.board.do('lose_fine_steps')
    heals(charger, since)
    assert all(e['amperage'] <= 16.0 for e in charger.events('offer', since)
               if e['t'] > since + STANDS)


def test_a_second_charger_in_the_namespace_is_refused(charger: LiveCharger) -> None:
    since = boottime()
    second = subprocess.run([*CHARGER, 'up', '--config', str(charger.config), '--namespace',
                             charger.namespace], capture_output=True, text=True, timeout=20,
                            check=False)
    assert second.returncode == 2
    assert f'namespace /{charger.namespace} (pid ' in second.stderr
    charger.wait_for(lambda c: drawn(c) > 10.0, 5.0, 'the first one charges on')
    assert all(e['amperage'] > 0.0 for e in charger.events('offer', since))
