"""One scenario in the live graph, in simulated or in real time, and in the offline loop."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import yaml
from live_charger import CHARGER, URL, Process, wait_until
from live_topics import topics_of

from charger_control.ros.interfaces import DIAGNOSTICS
from charger_control.sim.boards.board_log import Event, read_log
from charger_control.sim.charge_point.control import ControlClient
from charger_control.sim.charge_point.scenario import read_scenario
from charger_control.sim.offline.experiment import Experiment
from charger_control.sim.offline.loop import LoopParameters

STEPS: list[dict[str, Any]] = [
    {'at': 8, 'do': 'plug_in'},
    {'at': 70, 'do': 'put_limits', 'body': {'amperageLimit': 10}},
    {'at': 115, 'do': 'put_limits', 'body': {'amperageLimit': 13}},
    {'at': 160, 'do': 'unplug'}]
END = 165.0
"""s, simulated."""


def free_port() -> int:
    """Known before the bridge runs, for the scenario's own client."""
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return int(one.getsockname()[1])


class Run:
    """What one run of the live graph has left.

    Attributes:
        clock: what the simulated clock has told of itself; in real time nothing.
        took: s, real ones, for END simulated ones.
        energy: kWh.
    """

    def __init__(self, folder: Path, speed: float | None) -> None:
        """``speed``: simulated s in a real one; None: real time, on a serial line."""
        scenario = folder / 'scenario.yaml'
        # 8 % more than it is offered, 4 s to follow: it takes a regulator to get it right
        scenario.write_text(yaml.safe_dump({'vehicle': 'overdraw', 'steps': STEPS}))
        self.scenario = read_scenario(scenario)
        namespace = f'fast{os.getpid()}'
        home = folder / 'charger_control' / namespace
        state = folder / 'state'
        up = Process([*CHARGER, 'up', '--sim', '--namespace', namespace, '--port',
                      str(free_port()), '--scenario', str(scenario),
                      *(['--speed', str(speed)] if speed else ['--state-dir', str(state)])],
                     {'XDG_RUNTIME_DIR': str(folder)})
        try:
            up.wait_for(URL, 20.0)
            with topics_of(namespace, DIAGNOSTICS) as topics:
                self.log = home / ('fast/board.jsonl' if speed else 'sim.jsonl')
                self.start = self.events('start')[0]['t']
                began = time.monotonic()
                with ControlClient(home / 'sim.sock') as client:
                    wait_until(lambda: client.truth()['t'] - self.start > END, 2.0 * END,
                               'the end of the scenario')
                    self.energy = client.truth()['plant']['energy']
                self.took = time.monotonic() - began
                if speed:
                    wait_until(lambda: self._clock(topics.all(DIAGNOSTICS)), 5.0, 'it is told')
                self.clock = self._clock(topics.all(DIAGNOSTICS))
            self.code = up.end()
            self.lines = up.lines
        finally:
            up.end()

    @staticmethod
    def _clock(arrays: list[Any]) -> dict[str, str]:
        found = [status for array in arrays for status in array.status
                 if status.name.endswith('simulator: clock')]
        return {pair.key: pair.value for pair in found[-1].values} if found else {}

    def events(self, name: str) -> list[Event]:
        return [event for event in read_log(self.log) if event['event'] == name]

    def first(self, name: str, since: float = 0.0, **fields: Any) -> float:
        """s since the start, of the first such event."""
        return min(event['t'] for event in self.events(name) if fields.items() <= event.items()
                   and event['t'] - self.start >= since) - self.start

    def offered(self, at: float) -> float:
        """A on the pilot so many s after the start."""
        return [event['amperage'] for event in self.events('offer')
                if event['t'] - self.start <= at][-1]


class Offline:
    """The same in the offline loop."""

    def __init__(self, run: Run) -> None:
        experiment = Experiment(LoopParameters(hw_amperage=16.0), run.scenario)
        numbers = experiment.run(END).numbers
        self.times, self.signaled = list(numbers['time']), list(numbers['signaled'])
        self.drawn = [max(phases) for phases in zip(
            *(numbers[f'amperage_l{n}'] for n in (1, 2, 3)), strict=True)]
        self.energy = experiment.loop.station.plant.energy

    def offered(self, at: float) -> float:
        return self.signaled[round(at / 0.05) - 1]

    def first_offer(self, since: float, least: float, most: float) -> float:
        """s, when so many A were first offered."""
        return next(at for at, a in zip(self.times, self.signaled, strict=True)
                    if at >= since and least <= a <= most)
