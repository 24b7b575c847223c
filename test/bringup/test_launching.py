"""What the launch files do with processes: respawn, back-off, and who ends before whom."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from live_launch import NO_LAUNCH

pytest.importorskip('launch.actions', reason=NO_LAUNCH)

from launch import LaunchDescription, LaunchService
from launch.actions import OpaqueFunction, Shutdown, TimerAction

from charger_control.bringup import launching
from charger_control.bringup.launching import Kept

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, 'BACK_OFF', (0.05, 0.2))


def run(*kept: Kept, until: Callable[[], bool] = lambda: False, timeout: float = 15.0) -> int:
    """Runs the launch until it ends by itself, or ``until`` holds."""
    def look(_: Any) -> list[Any]:
        nonlocal timeout
        timeout -= 0.05
        if until() or timeout <= 0.0:
            return [Shutdown(reason='seen')]
        return [TimerAction(period=0.05, actions=[OpaqueFunction(function=look)])]

    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription(
        [entity for one in kept for entity in one.start()] + [OpaqueFunction(function=look)]))
    code = service.run()
    assert timeout > 0.0, 'it did not come about'
    return code


def script(text: str) -> list[str]:
    return ['sh', '-c', text]


def test_what_ends_is_started_again_later_each_time(tmp_path: Path) -> None:
    log = tmp_path / 'starts'
    kept = Kept('x', [sys.executable, '-c', 'import sys, time\n'
                      f'print(time.monotonic(), file=open({str(log)!r}, "a"))\nsys.exit(1)'])
    run(kept, until=lambda: log.exists() and len(log.read_text().split()) >= 4)
    assert kept._back_off == 0.2, 'doubled up to the most'


def test_a_bad_configuration_ends_its_process_for_good_and_no_other(tmp_path: Path) -> None:
    log, other = tmp_path / 'starts', tmp_path / 'other'
    bad = Kept('x', script(f'echo 1 >> {log}; exit 2'))
    good = Kept('y', script(f'trap "touch {other}; exit 0" INT; while :; do sleep 0.05; done'))
    began = time.monotonic()
    run(bad, good, until=lambda: time.monotonic() > began + 1.0)   # twenty first back-offs
    assert log.read_text().count('1') == 1
    assert other.exists(), 'it was still there to be asked'


def test_without_respawn_the_launch_ends_when_all_have_ended(tmp_path: Path) -> None:
    log = tmp_path / 'starts'
    kept = Kept('x', script(f'echo 1 >> {log}; exit 1'), respawn=False)
    run(kept, until=lambda: log.exists() and not _alive(kept))
    assert log.read_text().count('1') == 1


def _alive(kept: Kept) -> bool:
    return kept.action is not None and kept.action.return_code is None


def test_simulated_hardware_outlives_who_talks_to_it(tmp_path: Path) -> None:
    log = tmp_path / 'ends'
    hardware = Kept('sim', script(f'trap "echo sim >> {log}; exit 0" TERM; '
                                  f'touch {tmp_path}/a; while :; do sleep 0.05; done'))
    pilot = Kept('pilot', script(f'trap "sleep 0.5; echo pilot >> {log}; exit 0" INT; '
                                 f'touch {tmp_path}/b; while :; do sleep 0.05; done'),
                 hardware=hardware)
    run(hardware, pilot, until=lambda: (tmp_path / 'a').exists() and (tmp_path / 'b').exists())
    assert log.read_text().split() == ['pilot', 'sim']
