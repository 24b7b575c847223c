"""config/charger.service: what systemd does with it, done to a live charger.

systemd itself is not run: what it does when a main process dies, when it is told to stop, and when
the control group is killed as a whole, is done here with what the unit file says.
"""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_charger import CHARGER, LiveCharger, boottime, drawn, wait_until
from live_unit import MARK, Unit

from charger_control.bringup.supervisor import EXIT_CONFIG

STANDS = 2.0
"""s that an offer may stand after any kill (architecture.md, invariant 6)."""
FILE = Path(__file__).parents[3] / 'config' / 'charger.service'
START_TIME = 2.0
"""s that a busy machine takes to start the interpreter of `charger withdraw`."""


class UnitFile:
    """The directives of [Service]; the last of one name wins."""

    def __init__(self) -> None:
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read(FILE)
        self.service = dict(parser['Service'])

    def arguments(self, directive: str) -> list[str]:
        """What its `charger` is called with."""
        words = shlex.split(shlex.split(self.service[directive])[-1])
        return words[words.index('charger') + 1:]


class Served(LiveCharger):
    """A charger as a unit; its simulated devices are outside of it."""

    def __init__(self, folder: Path, unit: Unit) -> None:
        super().__init__(folder)
        self.unit = unit


@pytest.fixture
def charger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """One that charges."""
    live = Served(tmp_path, Unit(monkeypatch))
    try:
        with pytest.MonkeyPatch.context() as without:
            without.delenv(MARK)
            live.start_sim()
        with live.unit:
            live.start()
            live.charge()
            wait_until(lambda: live.offers(6.0), 20.0, 'an offer')
            yield live
    finally:
        live.stop()


def stop(charger: Served, unit: UnitFile) -> subprocess.CompletedProcess[str]:
    """What systemd does once the main process has ended, or `systemctl stop` was called."""
    assert unit.service['KillMode'] == 'control-group'
    charger.unit.send(signal.SIGTERM)
    charger.unit.send(signal.SIGCONT)
    try:
        wait_until(lambda: not charger.unit.alive(), float(unit.service['TimeoutStopSec']),
                   'all ended')
    finally:
        charger.unit.send(signal.SIGKILL)
    return stop_post(charger, unit)


def stop_post(charger: Served, unit: UnitFile) -> subprocess.CompletedProcess[str]:
    arguments = [str(charger.config) if word.endswith('.yaml') else word
                 for word in unit.arguments('ExecStopPost')]
    return subprocess.run([*CHARGER, *arguments, '--namespace', charger.namespace], timeout=30.0,
                          capture_output=True, text=True, check=False)


def no_offer(charger: Served, since: float, within: float = STANDS) -> None:
    wait_until(lambda: charger.offer_stood(since) < 60.0, 15.0, 'the offer is withdrawn')
    print(f'offer stood {charger.offer_stood(since):.2f} s')
    assert charger.offer_stood(since) <= within


def test_the_supervisor_is_killed(charger: Served) -> None:
    assert charger.up is not None
    since = boottime()
    charger.up.process.kill()
    charger.up.process.wait()
    answer = stop(charger, UnitFile())
    no_offer(charger, since)
    assert answer.returncode == 0 and '"no offer" written' in answer.stdout, answer.stderr
    charger.start()     # Restart=always
    charger.wait_for(lambda c: drawn(c) > 5.0, 40.0, 'draws again')


def test_all_are_killed_at_once(charger: Served) -> None:
    """As the kernel does that is out of memory: nobody is left to withdraw but ExecStopPost."""
    since = boottime()
    while charger.unit.alive():
        charger.unit.send(signal.SIGKILL)
    assert charger.offers(6.0), 'the board goes on by itself'
    answer = stop_post(charger, UnitFile())
    assert answer.returncode == 0, answer.stderr
    no_offer(charger, since, STANDS + START_TIME)


def test_it_is_stopped_while_a_process_hangs(charger: Served) -> None:
    os.kill(charger.pid_of('control'), signal.SIGSTOP)
    since = boottime()
    answer = stop(charger, UnitFile())
    no_offer(charger, since)
    assert answer.returncode == 0, answer.stderr


def test_a_running_charger_is_not_interfered_with(charger: Served) -> None:
    assert charger.up is not None
    since = boottime()
    answer = stop_post(charger, UnitFile())
    assert answer.returncode == 1
    assert f'(pid {charger.up.process.pid})' in answer.stderr
    assert all(e['amperage'] > 0.0 for e in charger.events('offer', since))


def test_the_unit_keeps_what_the_docs_promise() -> None:
    unit = UnitFile()
    assert float(unit.service['TimeoutStopSec']) >= 15.0
    assert unit.service['RuntimeDirectoryMode'] == '0700'
    assert unit.service['Restart'] == 'always'
    assert unit.arguments('ExecStart')[0] == 'up'


def test_a_file_without_a_board_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'empty.yaml').write_text('')
    answer = subprocess.run([*CHARGER, 'withdraw', '--config', str(tmp_path / 'empty.yaml')],
                            capture_output=True, text=True, timeout=20.0, check=False)
    assert answer.returncode == EXIT_CONFIG
    assert 'iso61851 names no device' in answer.stderr and 'Traceback' not in answer.stderr
