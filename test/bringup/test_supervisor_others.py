"""guard.py: a bad configuration ends its own process for good, and never another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from live_charger import wait_until

from charger_control.bringup import supervisor
from charger_control.bringup.supervisor import EXIT_CONFIG, Guard, Spec


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, 'BACK_OFF', (0.05, 0.2))


def script(name: str, text: str, **how: Any) -> Spec:
    return Spec(name, ['sh', '-c', text], stop_time=2.0, **how)


def guarded(specs: list[Spec], condition: Any) -> tuple[int, list[str]]:
    """Runs until ``condition`` holds, then SIGTERM; the exit code and what was said."""
    said: list[str] = []
    seen: list[Any] = []

    def end() -> None:
        try:
            seen.append(wait_until(lambda: condition(said), 10.0, 'what is waited for'))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    thread = threading.Thread(target=end)
    thread.start()
    try:
        code = Guard(specs, said.append).run()
    finally:
        thread.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert seen, said
    return code, said


def test_the_others_go_on_beside_one_with_a_bad_configuration(tmp_path: Path, quick: None) -> None:
    log, ended = tmp_path / 'starts', tmp_path / 'ended'
    code, said = guarded([
        script('charger', f'trap "touch {ended}; exit 0" TERM; while :; do sleep 0.02; done'),
        script('bridge', f'echo x >> {log}; exit 2', helps=True),
        script('marker', 'exit 1')],
        lambda said: sum('marker: started' in line for line in said) >= 5)
    assert code == 0
    assert log.read_text() == 'x\n', 'it is not started again'
    assert ended.exists(), 'the charger was there until the signal'
    assert any('bridge: bad configuration, not started again' in line for line in said)


def test_what_can_be_otherwise_later_is_tried_again_with_a_back_off(tmp_path: Path, quick: None
                                                                    ) -> None:
    _, said = guarded([script('charger', 'exec sleep 60'), script('bridge', 'exit 1', helps=True)],
                      lambda said: sum('bridge: started' in line for line in said) >= 4)
    assert sum('charger: started' in line for line in said) == 1


def test_without_any_that_is_of_use_all_ends_and_says_why(tmp_path: Path, quick: None) -> None:
    program = f'''
import sys
sys.path[:] = {sys.path!r}
from charger_control.bringup.supervisor import Guard, Spec
sys.exit(Guard([Spec('control', ['sh', '-c', 'exit 2']),
                Spec('bridge', ['sh', '-c', 'exec sleep 60'], helps=True)]).run())
'''
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == EXIT_CONFIG
    assert 'control: bad configuration' in done.stderr
