"""A charger of one process per node, started and kept as charger.launch.py does, without launch.

The commands are those of the launch file (bringup/processes.py makes them for both); what ends is
started again with its back-off, the pilot's process by `charger guard`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_prefix
from live_charger import URL, LiveCharger, Process, wait_until

from charger_control.bringup.processes import (
    BLOCKS,
    PILOT,
    Program,
    one_each,
    program,
    ros_arguments,
    with_grid_meter,
)
from charger_control.cli.graph import ask
from charger_control.ros.interfaces import SET_CHARGING_PROFILE

BACK_OFF = (1.0, 60.0)
"""s until a process is started again: first, and at the most; as in bringup/launching.py."""
GUARDED = re.compile(r'control: started, pid (\d+)')


class Kept:
    """One program, started again when it ends."""

    def __init__(self, one: Program) -> None:
        self.program = one
        self.runs: list[Process] = []
        self._wait = BACK_OFF[0]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    @property
    def guarded(self) -> bool:
        return PILOT in self.program.blocks

    def start(self) -> None:
        self.runs.append(Process(list(self.program.command)))
        self._thread.start()

    def _keep(self) -> None:
        while True:
            self.runs[-1].process.wait()
            if self._end.wait(self._wait):
                return
            self._wait = min(2.0 * self._wait, BACK_OFF[1])
            self.runs.append(Process(list(self.program.command)))

    @property
    def pids(self) -> list[int]:
        """Of the nodes' process, one a start, the running one last; of a guarded one the guard's
        child's."""
        if not self.guarded:
            return [run.process.pid for run in self.runs]
        return [int(match.group(1)) for run in self.runs for line in list(run.lines)
                if (match := GUARDED.search(line))]

    def send(self, number: int) -> None:
        os.kill(self.pids[-1], number)

    def leave(self) -> None:
        """Starts it no more."""
        self._end.set()

    def kill(self) -> None:
        """Ends it, and its guard, as a power loss does."""
        self.leave()
        running = {self.runs[-1].process.pid, *self.pids[-1:]}
        for pid in sorted(running):
            if _alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.runs[-1].process.wait()
        for pid in running:  # the guard's child is init's then
            wait_until(lambda pid=pid: not _alive(pid), 5.0, f'the end of {pid}')

    def join(self, timeout: float = 15.0) -> int:
        self._thread.join(0.0)
        return self.runs[-1].end(timeout=timeout)


def _alive(pid: int) -> bool:
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rsplit(') ', 1)[1][0]
    except OSError:
        return False
    return state != 'Z'


class LiveNodes(LiveCharger):
    """One charger, one process per node, with its simulated devices."""

    def __init__(self, folder: Path, parameters: Mapping[str, Mapping[str, Any]] | None = None,
                 **options: Any) -> None:
        self.kept: dict[str, Kept] = {}
        super().__init__(folder, parameters, **options)

    # the newest bridge's, which has another port after each start
    @property
    def url(self) -> str:
        lines = self.kept['bridge'].runs[-1].lines if 'bridge' in self.kept else []
        return next((match.group(0) for line in reversed(list(lines))
                     if (match := URL.search(line))), '')

    @url.setter
    def url(self, value: str) -> None:
        """Set by nobody but the base class's beginning."""

    def programs(self) -> list[Program]:
        """As the launch file has them."""
        files = [self.config]
        place = Path(get_package_prefix('charger_control')) / 'lib' / 'charger_control'
        arguments = ros_arguments(files, self.namespace, 'info')
        groups = one_each(with_grid_meter(BLOCKS, files, self.namespace), files, self.namespace)
        return [program(blocks, place, files, self.namespace, arguments)
                for blocks in [*groups, ('bridge',)]]

    def start(self, *_: str, order: Sequence[str] = (),
              between: Callable[[], float] = lambda: 0.0) -> None:
        """Starts all, until the API answers with live values of the meter.

        Args:
            order: names of programs; default: that of the launch file.
            between: s to wait between two starts.
        """
        self.kept = {one.name: Kept(one) for one in self.programs()}
        for name in order or self.kept:
            self.kept[name].start()
            time.sleep(between())
        self.wait_for(lambda c: c['frequency'], 30.0, 'a live meter')

    def of(self, block: str) -> Kept:
        """The process in which a block runs."""
        return next(k for k in self.kept.values() if block in k.program.blocks)

    def pid_of(self, child: str) -> int:
        return self.of(child).pids[-1]

    def started_again(self, block: str, than: int, timeout: float = 20.0) -> None:
        """Waits until the process of ``block`` is another one than the pid ``than``."""
        wait_until(lambda: self.pid_of(block) != than, timeout, f'{block} is started again')

    def tail(self) -> str:
        lines = [f'{name}: {line}' for name, kept in self.kept.items() for run in kept.runs[-1:]
                 for line in run.lines[-6:]]
        return '\n'.join(lines)

    def kill_all(self) -> None:
        """Everything is gone at once, guards too."""
        for kept in self.kept.values():
            kept.leave()
        for kept in self.kept.values():
            kept.kill()

    def stop(self) -> None:
        for kept in self.kept.values():
            kept.leave()
            if kept.runs and kept.pids and _alive(kept.pids[-1]):
                kept.send(signal.SIGCONT)
        for kept in self.kept.values():
            if kept.runs and kept.runs[-1].process.poll() is None:
                kept.runs[-1].process.terminate()
        for kept in self.kept.values():
            if kept.runs:
                kept.join()
        super().stop()

    def wait_for(self, condition: Callable[[dict[str, Any]], Any], timeout: float, what: str
                 ) -> dict[str, Any]:
        try:
            return super().wait_for(condition, timeout, what)
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.tail()}') from error


def install(charger: LiveCharger, *periods: tuple[int, float]) -> None:
    """Installs a charging profile that begins now: (start in s, limit in A) ..."""
    request = SET_CHARGING_PROFILE.type.Request()
    request.ocpp_version = '2.0.1'
    request.request_json = json.dumps({'evseId': 1, 'chargingProfile': {
        'id': 1, 'stackLevel': 0, 'chargingProfilePurpose': 'TxDefaultProfile',
        'chargingProfileKind': 'Absolute', 'chargingSchedule': [{
            'id': 1, 'startSchedule': datetime.now(UTC).isoformat(), 'chargingRateUnit': 'A',
            'chargingSchedulePeriod': [{'startPeriod': start, 'limit': limit}
                                       for start, limit in periods]}]}})
    answer = ask(charger.namespace, SET_CHARGING_PROFILE, request, 10.0)
    assert answer is not None and answer.success, answer


@contextmanager
def live_nodes(folder: Path, parameters: Mapping[str, Mapping[str, Any]] | None = None,
               **options: Any) -> Iterator[LiveNodes]:
    """A charger of one process per node, ended afterwards however the test ends."""
    charger = LiveNodes(folder, parameters, **options)
    try:
        charger.start_sim()
        charger.start()
        yield charger
    finally:
        charger.stop()
