"""A depot on this machine for tests: all hardware in one simulated depot, one process per charger.

The processes are those of depot.launch.py (bringup/depot.py makes them for both), kept as a launch
does. The judge is the log of the simulated point of supply: what flows there, five times a second.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import get_package_prefix
from live_charger import CHARGER, QUICK, Process, boottime, wait_until
from live_nodes import Kept
from live_topics import Topics

from charger_control.bringup.depot import Depot, Options
from charger_control.bringup.places import runtime_dir, share
from charger_control.ros.interfaces import (
    DIAGNOSTICS,
    SERVICE_QOS,
    SET_DIMMING,
    TEAM_ALLOCATION,
    TEAM_REQUEST,
    VCSE_BUDGET,
)
from charger_control.sim.boards.board_log import Event, read_log
from charger_control.sim.charge_point.control import ControlClient
from charger_control.sim.depot.grid import METER_UNIT
from charger_control.sim.depot.grid_log import Night, read_night

WIRINGS = ([1, 2, 3], [2, 3, 1], [3, 1, 2])
RUNTIME = 'XDG_RUNTIME_DIR'


class LiveDepot:
    """Chargers that share a supply, with their simulated hardware, in a folder of their own.

    Attributes:
        members: names of the chargers; each is a namespace.
        kept: their processes by name, and those of the supply by block.
        hardware: the parameter file of the simulated hardware: that of the depot.
        unplugged: the member whose vehicle was unplugged; '' when every charger has one.
    """

    def __init__(self, folder: Path, count: int, fuse: float, candidates: int = 3,
                 grid_fuse: float = 0.0,
                 parameters: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """``parameters``: of all chargers; of team and vcse under 'team' and 'vcse'."""
        self.folder, self.fuse = folder, fuse
        self.namespace = f'd{os.getpid()}'
        self.members = [f'{self.namespace}cp{number:02}' for number in range(1, count + 1)]
        self.candidates = self.members[:candidates]
        self.log, self._control = folder / 'grid.csv', folder / 'control'
        self._runtime = os.environ.get(RUNTIME)
        os.environ[RUNTIME] = str(folder)
        self.file = folder / 'depot.yaml'
        self.file.write_text(yaml.safe_dump(self._sections(grid_fuse, parameters or {}),
                                            sort_keys=False))
        self.hardware = self.file
        self.kept: dict[str, Kept] = {}
        self.sim: Process | None = None
        self.topics: Topics | None = None
        self._dimmer: Any = None
        self.unplugged = ''
        self.started_at = boottime()

    def _sections(self, grid_fuse: float, parameters: Mapping[str, Mapping[str, Any]]
                  ) -> dict[str, Any]:
        everyone = {node: {**values, **parameters.get(node, {})} for node, values in QUICK.items()
                    if node != 'vcse'}
        supply: dict[str, dict[str, Any]] = {
            'team': {'members': self.members, 'candidates': self.candidates,
                     **parameters.get('team', {})},
            'vcse': {'fuse': [self.fuse] * 3, 'grid_meter': True,
                     'grid_fuse': [grid_fuse or self.fuse + 10.0] * 3, 'dimming': True,
                     'dimming_timeout': 900.0,
                     **parameters.get('vcse', {})},
            'grid_meter': {'device.driver': 'sdm630', 'device.unit': METER_UNIT,
                           'device.port': str(runtime_dir(self.namespace) / 'grid_line'),
                           'max_amperage': 10_000.0, 'max_power': 1e7}}
        sections: dict[str, Any] = {'/**': _parameters(everyone), f'/{self.namespace}':
                                    _parameters(supply)}
        for number, member in enumerate(self.members):
            sections[f'/{member}'] = _parameters({'cppwm_controller': {
                'team.phase_map': list(WIRINGS[number % 3])}})
        return sections

    # -- processes -------------------------------------------------------------------------------
    def plan(self) -> Depot:
        """The processes, as depot.launch.py starts them."""
        place = Path(get_package_prefix('charger_control')) / 'lib' / 'charger_control'
        return Depot(self.file, self.namespace, Options(
            place, runtime_dir, share() / 'config' / 'sim.yaml',
            state_dir=str(self.folder / 'state')))

    def start(self, plugged_in: bool = True, absent: Sequence[str] = (),
              environment: Mapping[str, Sequence[str]] | None = None) -> None:
        """Everything, until somebody leads.

        Args:
            plugged_in: a vehicle is at every charger.
            absent: members whose process is not started.
            environment: 'NAME=value' for the process of a member.
        """
        extra = environment or {}
        self.sim = Process([*CHARGER, 'depot', 'sim', '--config', str(self.hardware), '--namespace',
                            self.namespace, '--log', str(self.log), '--control',
                            str(self._control)])
        self.sim.wait_for('ready', 20.0)
        self.topics = Topics(self.namespace, [TEAM_ALLOCATION, TEAM_REQUEST, VCSE_BUDGET,
                                              DIAGNOSTICS])
        if plugged_in:
            self.do('plug_in', charger='all', vehicle='ideal')
        for parts in self.plan().parts():
            for part in parts:
                name = part.namespace
                if name not in self.members:
                    above = '' if name == self.namespace else f'{name}/'
                    name = above + part.program.blocks[0]
                if name in absent:
                    continue
                command = ('env', *extra.get(name, ()), *part.program.command)
                self.kept[name] = Kept(replace(part.program, command=command))
                self.kept[name].start()
        self.dim(math.nan)
        wait_until(lambda: self.topics.last(TEAM_ALLOCATION), 30.0 + 2.0 * len(self.members),
                   'a list of a leader')

    def stop(self) -> None:
        for kept in self.kept.values():
            kept.leave()
        running = [kept for kept in self.kept.values()
                   if kept.runs and kept.runs[-1].process.poll() is None]
        for kept in running:
            kept.runs[-1].process.terminate()
        for kept in running:
            kept.join(30.0)
        if self.topics is not None:
            self.topics.close()
        if self.sim is not None:
            self.sim.end()
        if self._runtime is None:
            os.environ.pop(RUNTIME, None)
        else:
            os.environ[RUNTIME] = self._runtime

    def tail(self) -> str:
        """The last lines of every process, for a failure."""
        return '\n'.join(f'{name}: {line}' for name, kept in self.kept.items()
                         for run in kept.runs[-1:] for line in run.lines[-4:])

    # -- what is done ----------------------------------------------------------------------------
    def do(self, action: str, **arguments: Any) -> None:
        """A step of a depot's scenario, now."""
        with ControlClient(self._control) as control:
            control.do(action, **arguments)
        if action in {'plug_in', 'unplug'}:
            self.unplugged = str(arguments['charger']) if action == 'unplug' else ''

    def dim(self, power: float) -> Any:
        """A heartbeat of a client that has long been there; NaN: no limit."""
        assert self.topics is not None
        if self._dimmer is None:
            self._dimmer = self.topics.node.create_client(
                SET_DIMMING.type, SET_DIMMING.name, qos_profile=SERVICE_QOS)
        client = self._dimmer
        try:
            wait_until(client.service_is_ready, 30.0 + 2.0 * len(self.members), 'a vcse')
            request = SET_DIMMING.type.Request()
            request.power, request.client = power, 'test'
            answer = client.call_async(request)
            wait_until(answer.done, 5.0, 'an answer of the vcse')
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.tail()}') from error
        assert answer.result().success, answer.result()
        return answer.result()

    # -- what is seen ----------------------------------------------------------------------------
    @property
    def leader(self) -> str:
        """Whose list came last."""
        assert self.topics is not None
        heard = self.topics.last(TEAM_ALLOCATION)
        return heard.leader if heard is not None else ''

    def events(self, member: str, name: str, since: float = 0.0) -> list[Event]:
        """Of the log of that board."""
        log = runtime_dir(member) / 'line.jsonl'
        return [e for e in read_log(log) if e['event'] == name and e['t'] >= since]

    def offered(self, member: str) -> float:
        """A that the board offers now."""
        offers = self.events(member, 'offer')
        return float(offers[-1]['amperage']) if offers else 0.0

    def at_most(self, member: str, amperage: float, since: float) -> float:
        """s from ``since`` until that board offered no more; infinite: not yet."""
        before = [e for e in self.events(member, 'offer') if e['t'] < since]
        if before and before[-1]['amperage'] <= amperage:
            return 0.0
        return next((e['t'] - since for e in self.events(member, 'offer', since)
                     if e['amperage'] <= amperage), math.inf)

    def wait_for_offers(self, amperage: float, members: Sequence[str], timeout: float,
                        within: float = 0.15) -> None:
        """Until each of these is offered that much."""
        try:
            wait_until(lambda: all(abs(self.offered(m) - amperage) <= within for m in members),
                       timeout, f'{amperage:g} A for {len(members)}')
        except AssertionError as error:
            now = {m: self.offered(m) for m in self.members}
            raise AssertionError(f'{error}; now {now}\n{self.tail()}') from error

    def night(self) -> Night:
        """The log of the point of supply so far."""
        return read_night(self.log)

    def most_drawn(self, since: float = 0.0) -> float:
        """A, the most that all vehicles together drew on a phase, from ``since`` s (BOOTTIME)."""
        night = self.night()
        shift = self.sim_start
        return max((a - b for p in range(3) for t, a, b in zip(
            night.time, night.amperage[p], night.other_loads[p], strict=True)
            if t + shift >= since), default=0.0)

    @property
    def sim_start(self) -> float:
        """BOOTTIME at which the log of the point of supply begins."""
        row = self.log.read_text().split('\n')[1].split(',')
        return float(row[1]) - float(row[0])

    def diagnosis(self, task: str) -> list[tuple[int, str]]:
        """Levels and words so far of a task '<namespace>/<node>: <task>'."""
        assert self.topics is not None
        return [(status.level[0], status.message) for array in self.topics.all(DIAGNOSTICS)
                for status in array.status if status.name == task]


def _parameters(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {node: {'ros__parameters': dict(values)} for node, values in nodes.items()}


@contextmanager
def live_depot(folder: Path, count: int, fuse: float, absent: Sequence[int] = (),
               environment: Mapping[int, Sequence[str]] | None = None,
               kind: type[LiveDepot] = LiveDepot, **options: Any) -> Iterator[LiveDepot]:
    """A running depot with a vehicle at every charger, ended however the test ends.

    ``absent``, ``environment``: see ``LiveDepot.start``, members by index.
    """
    depot = kind(folder, count, fuse, **options)
    names = depot.members
    try:
        depot.start(absent=[names[i] for i in absent], environment={
            names[i]: extra for i, extra in (environment or {}).items()})
        yield depot
    finally:
        depot.stop()
