"""A single-board computer's pilot: `python bench/raw_pilot.py [--json FILE] [--trials N]`.

The driver of RawPilot runs on its thread over a tree of files instead of /sys. A vehicle goes from
C to B again and again; measured is the time from the first sample of the new level to the write
that opens the contactor, the rate of samples, and what the thread costs. Alone; with a busy process
on every core; and with a thread in the same interpreter that never rests as well (which nothing of
ours does; it counts for no budget). The last part (--graph 0 leaves it out) runs every node of the
control graph in the same process, with busy cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / 'test' / 'drivers')]
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))

from linux_tree import CONFIG, CONTACTOR, Computer  # noqa: E402

from charger_control.core.iso61851.raw.types import RawOrder  # noqa: E402
from charger_control.drivers.lines.bus import Buses  # noqa: E402
from charger_control.drivers.options import checked  # noqa: E402
from charger_control.drivers.pilots.linux import factory as linux_factory  # noqa: E402
from charger_control.drivers.pilots.linux.driver import LinuxPilot  # noqa: E402

BUDGET = 0.1
"""s, from the first sample to the write (domain.md 1.6)."""
CLK = os.sysconf('SC_CLK_TCK')


class Rig:
    """A pilot over files, with the moments that matter noted."""

    def __init__(self, root: Path) -> None:
        self.computer = Computer(root)
        values = checked(CONFIG, linux_factory.options(), 'linux_pilot')
        self.pilot: LinuxPilot = linux_factory.open_pilot(values, Buses(), root)
        self.pilot._lines._gpiod = self.computer.gpio
        self.seen_at: float | None = None
        self._plain = self.pilot._levels.sample
        self.pilot._levels.sample = self._sample  # type: ignore[method-assign]

    def _sample(self) -> tuple[float, float]:
        at = time.monotonic()
        high, low = self._plain()
        if high > 8.0 and self.seen_at is None:
            self.seen_at = at
        elif high <= 8.0:
            self.seen_at = None
        return high, low

    @property
    def closed(self) -> bool:
        return bool(self.computer.gpio.level.get(CONTACTOR))

    def samples(self) -> int:
        return self.pilot.latest().counters['samples']

    def cpu_seconds(self) -> float:
        """Of the driver's thread."""
        thread = self.pilot._thread
        assert thread is not None
        fields = Path(f'/proc/self/task/{thread.native_id}/stat').read_text().rsplit(') ', 1)[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / CLK

    def open_once(self, wait: Callable[[Callable[[], bool], float], bool]) -> tuple[float, float]:
        """From C to B; s from the first sample, and from the change itself, to the write."""
        self.computer.set_levels(6.0, -12.0)
        assert wait(lambda: self.closed, 20.0), self.pilot.latest()
        wait(lambda: False, random.uniform(0.05, 0.15))
        history = self.computer.gpio.history
        del history[:]
        changed = time.monotonic()
        self.computer.set_levels(9.0, -12.0)
        assert wait(lambda: bool(history), 5.0), 'the contactor stays closed'
        written = next(at for at, line, active in history if line == CONTACTOR and not active)
        assert self.seen_at is not None
        return written - self.seen_at, written - changed


def wait(condition: Callable[[], bool], timeout: float) -> bool:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def fed(rig: Rig) -> Iterator[None]:
    """The pilot's thread runs, and gets its orders at 20 Hz as the node would give them."""
    done = threading.Event()

    def feed() -> None:
        while not done.wait(0.05):
            reading = rig.pilot.latest().value
            trips = reading.trips if reading else 0
            rig.pilot.order(RawOrder(duty=16 / 60, close_in='C', trips=trips))

    rig.computer.set_levels(9.0, -12.0)
    rig.pilot.start()
    thread = threading.Thread(target=feed)
    thread.start()
    try:
        time.sleep(1.0)
        yield
    finally:
        done.set()
        thread.join()
        rig.pilot.close()


def burn(stop: Any) -> None:
    while not stop.is_set():
        sum(range(20_000))


@contextmanager
def load(processes: int, threads: int) -> Iterator[None]:
    """Busy processes, and busy threads in this interpreter."""
    context = multiprocessing.get_context('spawn')
    stop, stop_here = context.Event(), threading.Event()
    burners = [context.Process(target=burn, args=(stop,), daemon=True) for _ in range(processes)]
    busy = [threading.Thread(target=burn, args=(stop_here,), daemon=True) for _ in range(threads)]
    for each in (*burners, *busy):
        each.start()
    try:
        time.sleep(1.0 if processes else 0.0)
        yield
    finally:
        stop.set()
        stop_here.set()
        for each in (*burners, *busy):
            each.join()


def p(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def measure(rig: Rig, trials: int,
            wait: Callable[[Callable[[], bool], float], bool] = wait) -> dict[str, float]:
    samples, cpu, start = rig.samples(), rig.cpu_seconds(), time.monotonic()
    times = [rig.open_once(wait) for _ in range(trials)]
    elapsed = time.monotonic() - start
    from_sample, from_change = ([1000.0 * pair[i] for pair in times] for i in (0, 1))
    return {
        'sample_rate_hz': round((rig.samples() - samples) / elapsed, 1),
        'cpu_percent': round(100.0 * (rig.cpu_seconds() - cpu) / elapsed, 2),
        'open_p50_ms': round(p(from_sample, 50), 2), 'open_p99_ms': round(p(from_sample, 99), 2),
        'open_max_ms': round(max(from_sample), 2),
        'open_from_change_p99_ms': round(p(from_change, 99), 2),
    }


def in_graph(trials: int) -> dict[str, float]:
    """With every node of the control graph on one executor, which is how `charger up` runs them.

    ``available`` is said by us: the controller allows 12 closings an hour, not one in 3 s.
    """
    import rclpy  # noqa: PLC0415
    from charger_interfaces.msg import AvailableAmperage  # noqa: PLC0415
    from rclpy.experimental import EventsExecutor  # noqa: PLC0415
    from rclpy.parameter import Parameter  # noqa: PLC0415

    from charger_control.nodes.api import Api  # noqa: PLC0415
    from charger_control.nodes.cppwm_controller.node import CppwmController  # noqa: PLC0415
    from charger_control.nodes.hw_limit import HwLimit  # noqa: PLC0415
    from charger_control.nodes.iso61851 import Iso61851  # noqa: PLC0415
    from charger_control.nodes.session import Session  # noqa: PLC0415
    from charger_control.nodes.smart_charging.node import SmartCharging  # noqa: PLC0415
    from charger_control.nodes.team import Team  # noqa: PLC0415
    from charger_control.nodes.vcse import Vcse  # noqa: PLC0415
    from charger_control.ros.convert import duration  # noqa: PLC0415
    from charger_control.ros.interfaces import AVAILABLE  # noqa: PLC0415

    def parameters(**values: Any) -> list[Parameter]:
        return [Parameter(name, value=value) for name, value in values.items()]

    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder) / 'root')
        rig.computer.set_levels(9.0, -12.0)
        state = {'state_dir': f'{folder}/state'}
        rclpy.init(args=[])
        nodes = [
            HwLimit(parameter_overrides=parameters(fuse=16.0, phases=3, cable=32.0)),
            Vcse(parameter_overrides=parameters(fuse=[20.0, 20.0, 20.0])),
            *(node(parameter_overrides=parameters(**state)) for node in (
                Api, Team, Session, SmartCharging)),
            CppwmController(cli_args=['--ros-args', '-r', 'available:=available/unused'],
                            parameter_overrides=parameters(closed_loop=False, **state)),
            Iso61851(driver=rig.pilot, parameter_overrides=parameters(
                present_hold=0.0, **{'device.driver': 'linux_pilot', **state, **{
                    f'device.{name}': value for name, value in CONFIG.items()}}))]
        executor = EventsExecutor()
        for node in nodes:
            executor.add_node(node)
        probe = rclpy.create_node('probe')
        executor.add_node(probe)
        publisher = probe.create_publisher(AVAILABLE.type, AVAILABLE.name, AVAILABLE.qos)
        message = AvailableAmperage(commanded_amperage=16.0, available_amperage=16.0, enable=True,
                                    valid_for=duration(1.0))
        probe.create_timer(0.1, lambda: publisher.publish(message))

        def turn(condition: Callable[[], bool], timeout: float) -> bool:
            end = time.monotonic() + timeout
            while not condition():
                if time.monotonic() > end:
                    return False
                executor.spin_once(timeout_sec=0.02)
            return True

        try:
            turn(lambda: False, 3.0)
            return measure(rig, trials, turn)
        finally:
            for node in nodes:
                node.close()
            rclpy.try_shutdown()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=Path)
    parser.add_argument('--trials', type=int, default=40, help='openings in each part')
    parser.add_argument('--graph', type=int, default=80, help='openings with the whole graph')
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    parts: dict[str, dict[str, float]] = {}
    for name, processes, threads in (('alone', 0, 0), ('busy cores', cores, 0),
                                     ('busy cores and interpreter', cores, 1)):
        with tempfile.TemporaryDirectory() as folder:
            rig = Rig(Path(folder))
            with load(processes, threads), fed(rig):
                parts[name] = measure(rig, arguments.trials)
    if arguments.graph:
        with load(cores, 0):
            parts['busy cores, whole graph'] = in_graph(arguments.graph)
    one, five, _ = os.getloadavg()
    print(f'{cores} cores, load average at the end {one:.1f} (1 min), {five:.1f} (5 min)')
    print(f'{"":<28}samples/s   CPU %   open p50    p99    max ms   from change p99')
    for name, figures in parts.items():
        print(f'{name:<28}{figures["sample_rate_hz"]:9.1f}{figures["cpu_percent"]:8.2f}'
              f'{figures["open_p50_ms"]:11.2f}{figures["open_p99_ms"]:7.2f}'
              f'{figures["open_max_ms"]:10.2f}{figures["open_from_change_p99_ms"]:18.2f}')
    hog = parts.pop('busy cores and interpreter')     # no state of ours: where it ends
    loaded = [figures for name, figures in parts.items() if name != 'alone']
    result = {
        'raw_pilot.open_p99_ms': max(figures['open_p99_ms'] for figures in loaded),
        'raw_pilot.open_from_change_p99_ms': max(
            figures['open_from_change_p99_ms'] for figures in loaded),
        'raw_pilot.sample_rate_hz': parts['alone']['sample_rate_hz'],
        'raw_pilot.sample_rate_loaded_hz': min(figures['sample_rate_hz'] for figures in loaded),
        'raw_pilot.cpu_percent': parts['alone']['cpu_percent'],
        'raw_pilot.open_busy_interpreter_p99_ms': hog['open_p99_ms'],
    }
    if arguments.graph:
        graph = parts['busy cores, whole graph']
        result |= {f'raw_pilot.graph_{name}': graph[name] for name in (
            'open_p50_ms', 'open_p99_ms', 'open_max_ms', 'open_from_change_p99_ms')}
    result['load_average'] = round(one, 1)
    for name, value in result.items():
        print(f'{name} = {value}')
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + '\n')
    return 0 if result['raw_pilot.open_p99_ms'] <= 1000.0 * BUDGET else 1


if __name__ == '__main__':
    sys.exit(main())
