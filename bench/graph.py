"""Cost and latency of one charger: `python bench/graph.py [--json FILE] [--seconds N]`.

Part 1 runs `charger up` against the simulated devices and reads CPU and memory of each process from
/proc, idle (no vehicle) and charging. Part 2 runs the same control graph in this process, with
the driver's hand-over and the publication of `available` time-stamped, on the same simulated line.
Part 3 runs one process per node, as charger.launch.py does: sums over the nodes' processes and the
guard (not bridge and simulator, which are processes of their own in part 1 too).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / 'test'))
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))

from live_charger import LiveCharger, boottime, live_charger, wait_until
from live_nodes import live_nodes
from live_topics import topics_of

TICK = os.sysconf('SC_CLK_TCK')
CHILDREN = ('control', 'bridge', 'sim')


def cpu_seconds(pid: int) -> float:
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_mb(pid: int) -> float:
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) / 1024
    return 0.0


def usage(pids: dict[str, int], seconds: float) -> dict[str, tuple[float, float]]:
    """CPU percent of one core and MB, by name, over ``seconds``."""
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    start = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - start
    return {name: (100.0 * (cpu_seconds(pid) - before[name]) / elapsed, rss_mb(pid))
            for name, pid in pids.items()}


def p(values: list[float], percent: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


def processes(seconds: float) -> dict[str, float]:
    """Part 1."""
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, live_charger(Path(folder)) as charger:
        assert charger.sim is not None and charger.up is not None
        pids = {'control': charger.pid_of('control'), 'bridge': charger.pid_of('bridge'),
                'simulator': charger.sim.process.pid, 'supervisor': charger.up.process.pid}
        for phase in ('idle', 'charging'):
            if phase == 'charging':
                charger.charge()
            table = usage(pids, seconds)
            print(f'\n{phase}, {seconds:.0f} s:\n  process      CPU %   MB')
            for name, (cpu, memory) in table.items():
                print(f'  {name:<11} {cpu:6.2f} {memory:6.1f}')
                suffix = '' if phase == 'charging' else '_idle'
                result[f'{name}.cpu_percent{suffix}'] = round(cpu, 2)
                result[f'{name}.rss_mb{suffix}'] = round(memory, 1)
    return result


class Instrumented:
    """The control graph in this process, with the moments that matter noted."""

    def __init__(self, charger: LiveCharger) -> None:
        import rclpy  # noqa: PLC0415
        from rclpy.experimental import EventsExecutor  # noqa: PLC0415

        from charger_control.bringup.processes import ros_arguments  # noqa: PLC0415
        from charger_control.drivers.lines.bus import Buses  # noqa: PLC0415
        from charger_control.nodes.cppwm_controller.node import CppwmController  # noqa: PLC0415
        from charger_control.nodes.fiscal_meter import FiscalMeter  # noqa: PLC0415
        from charger_control.nodes.hw_limit import HwLimit  # noqa: PLC0415
        from charger_control.nodes.iso61851 import Iso61851  # noqa: PLC0415

        rclpy.init(args=['bench', *ros_arguments([charger.config], charger.namespace, 'warn')])
        self.offers: list[tuple[float, float]] = []
        self.lags: list[float] = []
        self.ticks: list[float] = []
        buses = Buses()
        pilot, controller = Iso61851(buses=buses), CppwmController()
        self.nodes = [FiscalMeter(buses=buses), HwLimit(), controller, pilot]
        self._note_offers(pilot)
        self._note_samples(controller)
        controller.every(10.0, lambda: self.ticks.append(time.monotonic()))
        self._executor = EventsExecutor()
        for node in self.nodes:
            self._executor.add_node(node)
        self._going = True
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self) -> None:
        while self._going:
            self._executor.spin_once(timeout_sec=0.1)

    def _note_offers(self, pilot: Any) -> None:
        offer = pilot._driver.offer

        def noted(amperage: float | None) -> None:
            offer(amperage)
            if not self.offers or self.offers[-1][1] != (amperage or 0.0):
                self.offers.append((boottime(), amperage or 0.0))

        pilot._driver.offer = noted

    def _note_samples(self, controller: Any) -> None:
        hear, publish = controller._controller.hear_meter, controller._publish_available
        waiting: list[float] = []

        def heard(value: Any) -> None:
            hear(value)
            waiting.append(value.at - value.value.age)

        def published(value: Any) -> None:
            publish(value)
            self.lags += [boottime() - at for at in waiting]
            waiting.clear()

        controller._controller.hear_meter = heard
        controller._publish_available = published

    def close(self) -> None:
        import rclpy  # noqa: PLC0415

        self._going = False
        self._thread.join()
        for node in self.nodes:
            node.stop()
            node.close()
        rclpy.try_shutdown()


class Client:
    """The api block's place, in a context of its own: publishes limits/api."""

    def __init__(self, namespace: str) -> None:
        import rclpy  # noqa: PLC0415
        from rclpy.context import Context  # noqa: PLC0415

        from charger_control.ros.interfaces import LIMIT_API  # noqa: PLC0415

        self.context = Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('bench_api', namespace=f'/{namespace}', context=self.context)
        self.publisher = self.node.create_publisher(LIMIT_API.type, LIMIT_API.name, LIMIT_API.qos)

    def say(self, amperage: float) -> float:
        from charger_control.core.messages.amperage_limit import AmperageLimit  # noqa: PLC0415
        from charger_control.ros.convert import to_message  # noqa: PLC0415

        message = to_message(AmperageLimit(amperage, valid_for=60.0, reason='bench'))
        at = boottime()
        self.publisher.publish(message)
        return at

    def close(self) -> None:
        self.node.destroy_node()
        self.context.try_shutdown()


def first_after(find: Callable[[], list[tuple[float, float]]], since: float, below: float,
                timeout: float = 3.0) -> float:
    """When a value at or below ``below`` first appears after ``since``."""
    found = wait_until(lambda: [t for t, a in find() if t >= since and a <= below], timeout,
                       f'an offer of at most {below} A')
    return float(found[0])


def latencies(rounds: int) -> dict[str, float]:
    """Part 2."""
    handover, acknowledged = [], []
    with tempfile.TemporaryDirectory() as folder, \
            live_charger(Path(folder), {'cppwm_controller': {
                'sources': ['hw', 'api'], 'team.managed': False}}, start=False) as charger:
        graph, client = Instrumented(charger), Client(charger.namespace)
        try:
            client.say(16.0)
            assert charger.board is not None
            charger.board.do('plug_in')

            def board_offers() -> list[tuple[float, float]]:
                return [(e['t'], e['amperage']) for e in charger.events('offer')]

            def is_back_up() -> bool:
                # the board alone does not tell: it starts with an offer of its own
                return bool(graph.offers) and graph.offers[-1][1] > 15.0 and charger.offers(15.0)

            for number in range(rounds):
                print(f'\r  decrease {number + 1}/{rounds}', end='', flush=True)
                client.say(16.0)
                wait_until(is_back_up, 30.0, 'the offer back up')
                at = client.say(8.0)
                handover.append(first_after(lambda: graph.offers, at, 8.0) - at)
                acknowledged.append(first_after(board_offers, at, 8.0) - at)
            print()
        finally:
            graph.close()
            client.close()
        intervals = [b - a - 0.1 for a, b in zip(graph.ticks, graph.ticks[1:], strict=False)]
    jitter = [abs(i) for i in intervals]
    result = {
        'decrease_handover_p99_ms': p(handover, 99), 'decrease_ack_p99_ms': p(acknowledged, 99),
        'sample_to_available_p99_ms': p(graph.lags, 99), 'tick_jitter_p99_ms': p(jitter, 99)}
    medians = (handover, acknowledged, graph.lags, jitter)
    print('\n  latency                          p50 ms  p99 ms')
    for (name, value), values in zip(result.items(), medians, strict=True):
        print(f'  {name:<30} {1000 * statistics.median(values):8.1f} {1000 * value:7.1f}   '
              f'n = {len(values)}')
    return {name: round(1000 * value, 2) for name, value in result.items()}


def seconds_of(stamp: Any) -> float:
    return float(stamp.sec + stamp.nanosec * 1e-9)


def sample_lags(meters: Sequence[Any], available: Sequence[Any], charging: Sequence[Any]
                ) -> list[float]:
    """s from the sample to the `available` that was published for it.

    The controller publishes `available`, then `charging` with the reading it ticked on: the first
    `charging` that carries a new reading tells which `available` is the reading's.
    """
    def values(message: Any) -> tuple[float, ...]:
        return (*message.voltage, *message.amperage, message.frequency)

    stamps = [seconds_of(m.header.stamp) for m in available]
    lags = []
    for before, meter in itertools.pairwise(meters):
        if meter.error or values(meter) == values(before):
            continue
        at = seconds_of(meter.header.stamp)
        told = next((seconds_of(c.header.stamp) for c in charging
                     if seconds_of(c.header.stamp) >= at and values(c) == values(meter)), None)
        if told is not None:
            lags.append(max(t for t in stamps if t <= told) - (at - seconds_of(meter.age)))
    return lags


def per_node(seconds: float) -> dict[str, float]:
    """Part 3."""
    from charger_control.ros.interfaces import AVAILABLE, CHARGING, METER  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder, live_nodes(Path(folder)) as charger:
        charger.charge()
        pids = {name: kept.pids[-1] for name, kept in charger.kept.items() if name != 'bridge'}
        pids['guard'] = charger.of('iso61851').runs[-1].process.pid
        table = usage(pids, seconds)
        with topics_of(charger.namespace, METER, AVAILABLE, CHARGING, raw=True) as topics:
            time.sleep(max(seconds, 10.0))
            heard = [topics.all(topic) for topic in (METER, AVAILABLE, CHARGING)]
    print(f'\none process per node, charging, {seconds:.0f} s:')
    print('  process                CPU %   MB')
    for name, (cpu, memory) in table.items():
        print(f'  {name:<21} {cpu:6.2f} {memory:6.1f}')
    lags = sample_lags(*heard)
    result = {'processes.cpu_percent': round(sum(cpu for cpu, _ in table.values()), 2),
              'processes.rss_mb': round(sum(memory for _, memory in table.values()), 1),
              'processes.sample_to_available_p99_ms': round(1000 * p(lags, 99), 2)}
    print(f'  {"together":<21} {result["processes.cpu_percent"]:6.2f} '
          f'{result["processes.rss_mb"]:6.1f}\n\n  sample to available: p50 '
          f'{1000 * statistics.median(lags):.1f} ms, p99 {1000 * p(lags, 99):.1f} ms, '
          f'n = {len(lags)}')
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=Path, metavar='FILE', help='write flat {name: number}')
    parser.add_argument('--seconds', type=float, default=15.0, help='per phase of part 1')
    parser.add_argument('--rounds', type=int, default=60, help='decreases in part 2')
    options = parser.parse_args()
    result = {**processes(options.seconds), **latencies(options.rounds),
              **per_node(options.seconds)}
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
