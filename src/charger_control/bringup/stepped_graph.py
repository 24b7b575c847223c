"""The control graph and the simulated devices in one process, in simulated time: ``charger up
--sim --speed N`` starts it.

The clock goes on by a fixed step: the devices live on, the drivers read them, then /clock tells the
nodes. The next step waits until they have ticked: a machine that is too slow slows the clock down,
and no tick is left out.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import click
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock

from charger_control.bringup import container
from charger_control.bringup.stepped_line import SteppedBuses
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.node import BlockNode
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import ScenarioError, scenario_of
from charger_control.sim.charge_point.simulator import Simulator, SimulatorOptions

STEP = 50_000_000
"""ns of the clock's step: the period of the fastest timers."""
START_PERIOD = 0.05
"""s, real ones, between messages of a clock that stands still until all nodes are there."""
CLOCK_QOS = QoSProfile(depth=10)
LOOKS = 2
"""Looks in the real time of a step, whether it is time for the next."""
ARREARS = 4
"""Steps that the clock may be late and still catch up with."""
PATIENCE = 0.1
"""s, real ones, that a step waits for a node that does not tick."""
SLOW = 0.5
"""Share of the wanted speed below which the clock is late."""
LOST = 0.01
"""Share of ticks that may be missed."""


class World:
    """The simulated devices, their lines, and the time that they live in.

    Attributes:
        nanoseconds: unix time, simulated.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.nanoseconds = time.time_ns() // STEP * STEP
        self.simulator = Simulator(options, self.now)
        self.buses = SteppedBuses(self.simulator, self.now)

    def now(self) -> float:
        """s, simulated."""
        return self.nanoseconds * 1e-9

    def step(self) -> None:
        """STEP later: the devices have lived on, and their drivers have read them."""
        self.nanoseconds += STEP
        self.simulator.poll()
        self.buses.step()


class SimulatedTime(BlockNode):
    """Moves the world on, and tells the time. Made first; the clock stands still until it turns."""

    def __init__(self, world: World, speed: float) -> None:
        """Args:
            world: what lives in that time.
            speed: simulated s in a real one.
        """
        # its own clock is the real one
        super().__init__('simulator', (), parameter_overrides=[Parameter('use_sim_time',
                                                                         value=False)])
        self._world, self._speed = world, speed
        self._time = self.create_publisher(Clock, '/clock', CLOCK_QOS)
        self._started_at: float | None = None
        self._begun = world.nanoseconds
        self._due_at = self._stepped_at = 0.0
        self._lost = 0
        self._all_there = threading.Event()
        self._standing = threading.Thread(target=self._stand_still, daemon=True)
        self._standing.start()
        self.every(LOOKS * speed * 1e9 / STEP, self._look)

    def _stand_still(self) -> None:
        while not self._all_there.wait(START_PERIOD):
            self._tell()

    def _tell(self) -> None:
        message = Clock()
        seconds, rest = divmod(self._world.nanoseconds, 1_000_000_000)
        message.clock.sec, message.clock.nanosec = seconds, rest
        self._time.publish(message)

    def _look(self) -> None:
        now = time.monotonic()
        if self._started_at is None:
            self._started_at = self._due_at = now
            self._all_there.set()
            self._standing.join()
        impatient = now - self._stepped_at > PATIENCE
        if now < self._due_at or (self._behind() > self._lost and not impatient):
            return
        period = STEP * 1e-9 / self._speed
        self._due_at = max(self._due_at, now - ARREARS * period) + period
        self._stepped_at = now
        self._lost = self._behind()
        self._world.step()
        self._tell()

    def _blocks(self) -> list[BlockNode]:
        executor = self.executor
        return [node for node in (executor.get_nodes() if executor else ())
                if isinstance(node, BlockNode) and node is not self]

    def _behind(self) -> int:
        """Ticks that have not come yet, or never will, of what /clock has said so far."""
        now = self._world.now()
        return sum(t.due(now) - t.count for node in self._blocks() for t in node.ticks)

    @property
    def reached(self) -> float:
        """Simulated s in a real one, since the start."""
        if self._started_at is None:
            return 0.0
        real = max(1e-3, time.monotonic() - self._started_at)
        return (self._world.nanoseconds - self._begun) * 1e-9 / real

    def missed(self) -> dict[str, tuple[int, int]]:
        """Ticks that are missing, and all that should have been, of each node."""
        now = self._world.now()
        return {node.get_name(): (sum(t.missed(now) for t in node.ticks),
                                  sum(t.due(now) for t in node.ticks)) for node in self._blocks()}

    def health(self) -> list[Health]:
        """How fast the clock goes, and which ticks the nodes have missed."""
        reached, missed = self.reached, self.missed()
        slow = self._started_at is not None and reached < SLOW * self._speed
        lost, due = (sum(pair[i] for pair in missed.values()) for i in (0, 1))
        return [Health('clock', Level.WARN if slow or lost > LOST * due else Level.OK,
                       f'{reached:.1f} of {self._speed:g} times as fast as real time, {lost} of '
                       f'{due} ticks missed',
                       {'speed': f'{reached:.2f}', 'ticks': due, 'missed': lost,
                        **{f'missed.{name}': lost for name, (lost, _) in missed.items()}})]

    def close(self) -> None:
        """Ends the world."""
        self._all_there.set()
        self._world.simulator.stop('end of the process')
        self._world.simulator.close()


@click.command()
@click.option('--speed', type=click.FloatRange(0.1, 50.0), default=10.0)
@click.option('--scenario', type=click.Path(path_type=Path))
@click.option('--vehicle')
@click.option('--control', 'socket', type=click.Path(path_type=Path))
@click.option('--log', type=click.Path(path_type=Path))
@click.option('--api', default='')
@click.argument('blocks', nargs=-1)
def _options(speed: float, scenario: Path | None, vehicle: str | None, socket: Path | None,
             log: Path | None, api: str, blocks: tuple[str, ...]
             ) -> tuple[SimulatorOptions, float, tuple[str, ...]]:
    """Of this process; `charger up` gives them."""
    # a line that is called needs no time; what the devices need between two calls they still need
    charge_point = ChargePointParameters(scenario=scenario_of(scenario, vehicle), baudrate=0,
                                         answer_delay=0.0)
    options = SimulatorOptions(charge_point=charge_point, log=log, control=socket, api=api)
    return options, speed, blocks


def main(argv: list[str]) -> int:
    """Runs the named blocks with the devices."""
    split = argv.index('--ros-args') if '--ros-args' in argv else len(argv)
    try:
        options, speed, blocks = _options.main(argv[1:split], standalone_mode=False)
        world = World(options)
    except (click.ClickException, ScenarioError, OSError, ValueError) as error:
        print(f'{argv[0]}: {error}', file=sys.stderr)
        return container.EXIT_CONFIG
    return container.main([argv[0], *blocks, *argv[split:]], world.buses,
                        lambda: SimulatedTime(world, speed))


if __name__ == '__main__':
    sys.exit(main(sys.argv))
