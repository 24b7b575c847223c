"""A single-board computer as a folder, with a vehicle on its pilot, for real processes on it.

A thread of the test is the hardware: it makes the pilot's levels of the duty cycle and the vehicle,
and moves the contactor as the line says.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from live_charger import CHARGER, Process

sys.path[:0] = [str(Path(__file__).parent / 'drivers'),
                str(Path(__file__).parent / 'drivers' / 'fake_computer')]

import file_lines  # noqa: E402  after the path to it
from linux_tree import CONFIG, CONTACTOR, FEEDBACK, Computer  # noqa: E402

from charger_control.bringup.processes import BLOCKS, ros_arguments  # noqa: E402
from charger_control.sim.plant.ev import Ev  # noqa: E402
from charger_control.sim.plant.ev_parameters import vehicle_of  # noqa: E402
from charger_control.sim.plant.plant import Plant  # noqa: E402

PERIOD = 0.004
"""s between two looks of the hardware."""
STATE = ('api', 'session', 'iso61851', 'cppwm_controller', 'smart_charging', 'team', 'vcse')


class LiveComputer:
    """The hardware, and `charger guard` with the control process on it.

    Attributes:
        history: (s, closed), whenever the contactor's line has changed.
        duties: (s, ratio), whenever the duty cycle has.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / 'root'
        self.computer = Computer(self.root)
        (self.root / 'gpio').mkdir()
        (self.root / 'gpio' / f'{FEEDBACK}.in').write_text('0\n')
        (self.root / 'dev' / 'gpiochip0').touch()
        self.namespace = f'sbc{os.getpid()}'
        self.plant = Plant(now=time.monotonic())
        self.history: list[tuple[float, bool]] = []
        self.duties: list[tuple[float, float]] = []
        self.process: Process | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    # -- the hardware ----------------------------------------------------------------------------
    def _live(self) -> None:
        feedback, was_closed = False, None
        while not self._done.wait(PERIOD):
            duty, closed = self.computer.duty, file_lines.line(self.root, CONTACTOR)[1]
            now = time.monotonic()
            if closed != was_closed:
                was_closed = closed
                self.history.append((now, closed))
            if not self.duties or self.duties[-1][1] != duty:
                self.duties.append((now, duty))
            with self._lock:
                self.plant.duty = duty
                self.plant.contactor.command(closed, now)
                self.plant.step(now)
                self.computer.set_levels(*self.plant.pilot_levels)
                if self.plant.contactor.feedback != feedback:
                    feedback = self.plant.contactor.feedback
                    (self.root / 'gpio' / f'{FEEDBACK}.in').write_text(f'{int(feedback)}\n')

    def plug_in(self, **changes: Any) -> None:
        with self._lock:
            now = time.monotonic()
            self.plant.plug_in(Ev(vehicle_of({'preset': 'ideal', **changes}), now), now)

    def unplug(self) -> None:
        with self._lock:
            self.plant.unplug(time.monotonic())

    def short(self, shorted: bool) -> float:
        """Shorts pilot and earth, or ends it; when."""
        with self._lock:
            self.plant.pilot_shorted = shorted
            return time.monotonic()

    @property
    def closed(self) -> bool:
        return bool(self.history) and self.history[-1][1]

    @property
    def offered(self) -> float:
        """A on the pilot; as the vehicle would read it below 51 A."""
        duty = self.duties[-1][1] if self.duties else 1.0
        return 60.0 * duty if 0.0 < duty < 1.0 else 0.0

    def opened(self, since: float) -> float:
        """s from ``since`` until the line was first seen open."""
        return next(at for at, closed in self.history if at >= since and not closed) - since

    def withdrawn(self, since: float) -> float:
        """s from ``since`` until the pilot was first seen at constant +12 V."""
        return next(at for at, duty in self.duties if at >= since and duty == 1.0) - since

    # -- the processes ---------------------------------------------------------------------------
    def start(self, parameters: Mapping[str, Mapping[str, Any]]) -> Process:
        """Starts the control process, all blocks but a meter's, under its guard."""
        nodes: dict[str, dict[str, Any]] = {name: {} for name in STATE}
        for name, values in parameters.items():
            nodes.setdefault(name, {}).update(values)
        for name in STATE:
            nodes[name]['state_dir'] = str(self.folder / 'state')
        nodes['iso61851'].update({f'device.{name}': value for name, value in {
            **CONFIG, 'feedback_line': FEEDBACK}.items()})
        config = self.folder / 'charger.yaml'
        config.write_text(yaml.safe_dump(
            {'/**': {name: {'ros__parameters': values} for name, values in nodes.items()}}))
        here = str(Path(file_lines.__file__).parent)
        self.process = Process(
            [*CHARGER, 'guard', '--config', str(config), '--namespace', self.namespace, '--name',
             'control', '--', sys.executable, '-m', 'charger_control.bringup.container',
             *(block for block in BLOCKS if block != 'fiscal_meter'),
             *ros_arguments([config], self.namespace, 'info')],
            {'CHARGER_FAKE_ROOT': str(self.root),
             'PYTHONPATH': os.pathsep.join([here, os.environ.get('PYTHONPATH', '')])})
        return self.process

    def pid(self) -> int:
        """Of the control process that runs now."""
        assert self.process is not None
        return int(next(line.rsplit(' ', 1)[1] for line in reversed(self.process.lines)
                        if 'control: started, pid' in line))

    def close(self) -> None:
        """Ends processes and hardware."""
        if self.process is not None:
            self.process.end()
        self._done.set()
        self._thread.join()
