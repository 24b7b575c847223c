"""A whole charger on this machine for tests: simulated devices, `charger up`, and the web side.

The simulator is started apart from the charger, so that it and its log outlive whatever a test
kills. Waiting is for events: lines of the supervisor, events of the board, values of the API.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from charger_control.sim.boards.board_log import Event, offer_stood, read_log
from charger_control.sim.charge_point.control import ControlClient

CHARGER = [sys.executable, '-m', 'charger_control.cli.main']
URL = re.compile(r'http://127\.0\.0\.1:(\d+)')
STARTED = re.compile(r'(\w+): started, pid (\d+)')
QUICK = {
    'hw_limit': {'fuse': 16.0, 'phases': 3, 'cable': 32.0},
    'vcse': {'fuse': [20.0, 20.0, 20.0]},
    'cppwm_controller': {'start_hold': 0.5, 'restart_hold': 1.0, 'steady_time': 1.0,
                         'present_hold': 1.0, 'pi.rest': 1.5, 'pi.pace': 1.0},
    'iso61851': {'present_hold': 1.0, 'pace': 1.0, 'clear_time': 2.0},
}
"""Parameters with long waits scaled down; safety times are the real ones."""


def drawn(charging: Mapping[str, Any]) -> float:
    """The highest phase current of an answer of /charging; -1 while none is known."""
    return max((a for a in charging['amperage'] if a is not None), default=-1.0)


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_until(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    """Polls until the condition is true; its value. AssertionError with ``what`` otherwise."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f'not within {timeout:g} s: {what}'
        time.sleep(0.02)


class Process:
    """A child whose lines are read as they come."""

    def __init__(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, 'PYTHONUNBUFFERED': '1', **(environment or {})})
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self._new.put(line)
        self._new.put(None)

    def wait_for(self, pattern: str | re.Pattern[str], timeout: float, since: int = 0
                 ) -> re.Match[str]:
        """The first line from number ``since`` on that matches."""
        expression = re.compile(pattern)

        def find() -> re.Match[str] | None:
            for line in self.lines[since:]:
                if match := expression.search(line):
                    return match
            assert self.process.poll() is None, 'ended:\n' + '\n'.join(self.lines)
            return None

        try:
            found: re.Match[str] = wait_until(find, timeout, f'a line like {pattern!r}')
        except AssertionError as error:
            raise AssertionError(f'{error}\n' + '\n'.join(self.lines[-40:])) from error
        return found

    def end(self, number: int = signal.SIGTERM, timeout: float = 15.0) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError('did not end:\n' + '\n'.join(self.lines[-40:])) from None
        return self.process.returncode


class LiveCharger:
    """One charger with its simulated devices in a folder of its own."""

    def __init__(self, folder: Path, parameters: Mapping[str, Mapping[str, Any]] | None = None,
                 scenario: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.link, self.log = folder / 'line', folder / 'board.jsonl'
        self.socket, self.eeprom = folder / 'control', folder / 'eeprom'
        self.config = folder / 'charger.yaml'
        self.namespace = f'cp{os.getpid()}'
        self.scenario = folder / 'scenario.yaml'
        self.scenario.write_text(yaml.safe_dump(dict(scenario or {'vehicle': 'ideal',
                                                                  'steps': []})))
        self._write_config(parameters or {})
        self.sim: Process | None = None
        self.up: Process | None = None
        self.board: ControlClient | None = None
        self.url = ''

    def _write_config(self, parameters: Mapping[str, Mapping[str, Any]]) -> None:
        nodes: dict[str, dict[str, Any]] = {
            'fiscal_meter': {'device.driver': 'sdm630', 'device.port': str(self.link),
                             'device.unit': 2},
            'iso61851': {'device.driver': 'evse_din', 'device.port': str(self.link),
                         'device.fine_steps': True},
            'bridge': {'port': 0},
        }
        for source in (QUICK, parameters):
            for node, values in source.items():
                nodes.setdefault(node, {}).update(values)
        for node in ('api', 'session', 'iso61851', 'cppwm_controller', 'smart_charging', 'team'):
            nodes.setdefault(node, {}).setdefault('state_dir', str(self.folder / 'state'))
        self.config.write_text(yaml.safe_dump(
            {'/**': {name: {'ros__parameters': values} for name, values in nodes.items()}}))

    # -- processes -------------------------------------------------------------------------------
    def start_sim(self, **options: str) -> None:
        command = [*CHARGER, 'sim', '--link', str(self.link), '--log', str(self.log),
                   '--control', str(self.socket), '--eeprom', str(self.eeprom),
                   '--scenario', str(self.scenario)]
        for name, value in options.items():
            command += [f'--{name}', value]
        self.sim = Process(command)
        self.sim.wait_for('^ready', 10.0)
        self.board = ControlClient(self.socket)

    def start(self, *arguments: str) -> None:
        """`charger up`, until its API answers with live values of the meter."""
        self.up = Process([*CHARGER, 'up', '--config', str(self.config), '--namespace',
                           self.namespace, *arguments])
        self.url = self.up.wait_for(URL, 20.0).group(0)
        self.wait_for(lambda c: c['frequency'], 20.0, 'a live meter')

    def pid_of(self, child: str) -> int:
        assert self.up is not None
        return int([m.group(2) for line in self.up.lines
                    if (m := STARTED.search(line)) and m.group(1) == child][-1])

    def stop(self) -> None:
        for process in (self.up, self.sim):
            if process is not None:
                process.end()

    # -- the web side ----------------------------------------------------------------------------
    def get(self, path: str) -> requests.Response:
        return requests.get(f'{self.url}/api/v1/{path}', timeout=5)

    def put(self, **limits: Any) -> requests.Response:
        return requests.put(f'{self.url}/api/v1/limits', json=limits, timeout=5)

    def charging(self) -> dict[str, Any] | None:
        try:
            answer = self.get('charging')
        except requests.RequestException:
            return None
        return answer.json() if answer.status_code == 200 else None

    def wait_for(self, condition: Callable[[dict[str, Any]], Any], timeout: float, what: str
                 ) -> dict[str, Any]:
        """The first answer of /charging that fulfils the condition."""
        def check() -> dict[str, Any] | None:
            charging = self.charging()
            return charging if charging and condition(charging) else None

        try:
            found: dict[str, Any] = wait_until(check, timeout, what)
        except AssertionError as error:
            tail = '\n'.join(self.up.lines[-25:]) if self.up else ''
            raise AssertionError(f'{error}; now {self.charging()}\n{tail}') from error
        return found

    # -- the board's own log ---------------------------------------------------------------------
    def events(self, name: str = '', since: float = 0.0) -> list[Event]:
        return [e for e in read_log(self.log) if (not name or e['event'] == name)
                and e['t'] >= since]

    def offer_stood(self, since: float) -> float:
        """s from ``since`` until the board offered nothing."""
        return offer_stood(read_log(self.log), since)

    def offer_stood_above(self, since: float, above: float) -> float:
        """s from ``since`` until the board offered no more than so many A."""
        return offer_stood(read_log(self.log), since, above)

    def offers(self, above: float = 0.0) -> bool:
        """Whether the board offers more than that now."""
        offers = self.events('offer')
        return bool(offers) and offers[-1]['amperage'] > above

    def charge(self, timeout: float = 30.0) -> None:
        """Plugs in, and waits until current flows."""
        assert self.board is not None
        self.board.do('plug_in')
        self.wait_for(lambda c: drawn(c) > 5.0, timeout, 'the vehicle draws current')


@contextmanager
def live_charger(folder: Path, parameters: Mapping[str, Mapping[str, Any]] | None = None,
                 start: bool = True, **options: Any) -> Iterator[LiveCharger]:
    """A charger with its devices, ended afterwards however the test ends."""
    charger = LiveCharger(folder, parameters, **options)
    try:
        charger.start_sim()
        if start:
            charger.start()
        yield charger
    finally:
        charger.stop()
