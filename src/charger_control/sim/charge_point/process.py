"""The simulated charger as a process of its own: signals, the line that says it is ready, exit."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from charger_control.sim.charge_point.simulator import Simulator, SimulatorOptions


def run_process(options: SimulatorOptions, say: Callable[[str], None]) -> None:
    """Runs until SIGTERM, SIGINT or the scenario's end, then removes symlink and socket.

    A signal that was ignored when the process started stays ignored.

    Args:
        options: as for the simulator.
        say: called with the one line that says that a driver may open the link now.

    Raises:
        OSError: the link, the log or the control socket cannot be made.
        ValueError: a step of the scenario needs what was not given.
    """
    simulator = Simulator(options)

    def end(number: int, frame: FrameType | None) -> None:
        simulator.stop(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # who started us wants it so
            signal.signal(number, end)
    where = f', control {options.control}' if options.control else ''
    name = simulator.port.name
    on = name if options.link is None else f'{options.link} ({name})'
    say(f'ready: simulated charger on {on}{where}')
    simulator.run()
