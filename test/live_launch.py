"""A launch file as `ros2 launch` runs it, in a process of its own, with simulated devices."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from live_charger import Process

from charger_control.sim.boards.board_log import Event, offer_stood, read_log
from charger_control.sim.charge_point.control import ControlClient

NO_LAUNCH = ('the ROS 2 package `launch` is not installed: it comes with a ROS 2 installation and '
             'is in no package index')
FILES = Path(__file__).parents[1] / 'launch'
RUNNER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [argument.split(':=', 1) for argument in sys.argv[2:]]
service = LaunchService(argv=sys.argv[2:], noninteractive=True)  # as without a terminal
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)]))
sys.exit(service.run())
"""
SCENARIO = {'vehicle': 'ideal', 'board': {'power_on_current': 0},
            'steps': [{'at': 1, 'do': 'plug_in'}]}


class Launched:
    """One running launch file, with its run-time folder, state and logs in ``folder``."""

    def __init__(self, folder: Path, file: str, sections: Mapping[str, Any],
                 **arguments: object) -> None:
        """``sections``: the parameter file; ``arguments``: further arguments of the launch file."""
        self.folder = folder
        params = folder / 'params.yaml'
        params.write_text(yaml.safe_dump(dict(sections), sort_keys=False))
        scenario = folder / 'scenario.yaml'
        scenario.write_text(yaml.safe_dump(SCENARIO))
        given = {'params_file': params, 'sim': 'true', 'scenario': scenario,
                 'state_dir': folder / 'state', **arguments}
        self.process = Process(
            [sys.executable, '-c', RUNNER, str(FILES / file),
             *[f'{name}:={value}' for name, value in given.items()]],
            {'XDG_RUNTIME_DIR': str(folder), 'ROS_LOG_DIR': str(folder / 'log')})

    def line(self, namespace: str) -> Path:
        """The simulated serial line of a charger; its log and socket lie beside it."""
        return self.folder / 'charger_control' / namespace / 'line'

    def events(self, namespace: str, name: str = '', since: float = 0.0) -> list[Event]:
        log = self.line(namespace).with_name('line.jsonl')
        return [e for e in (read_log(log) if log.exists() else [])
                if (not name or e['event'] == name) and e['t'] >= since]

    def offered(self, namespace: str) -> float:
        """A that the board offers now."""
        offers = self.events(namespace, 'offer')
        return float(offers[-1]['amperage']) if offers else 0.0

    def offer_stood(self, namespace: str, since: float) -> float:
        """s from ``since`` until that board offered nothing."""
        return offer_stood(self.events(namespace), since)

    def drawn(self, namespace: str) -> float:
        """A, the highest phase of the vehicle there."""
        with ControlClient(self.line(namespace).with_name('line.sock')) as board:
            return float(max(board.truth()['plant']['amperage']))

    def pids(self, pattern: str) -> list[int]:
        """Of the lines that match; the first group is the pid."""
        return [int(match.group(1)) for line in list(self.process.lines)
                if (match := re.search(pattern, line))]

    def end(self) -> int:
        """Ctrl-C, as `ros2 launch` gets it; its exit code."""
        return self.process.end(signal.SIGINT, 25.0)

    def lines(self, word: str) -> list[str]:
        return [line for line in list(self.process.lines) if word in line]


@contextmanager
def launched(folder: Path, file: str, sections: Mapping[str, Any], **arguments: object
             ) -> Iterator[Launched]:
    """A running launch file, ended however the test ends."""
    one = Launched(folder, file, sections, **arguments)
    try:
        yield one
    finally:
        if one.process.process.poll() is None:
            one.end()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
