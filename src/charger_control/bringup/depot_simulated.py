"""What ``charger up --depot`` starts: the processes of ``bringup/depot.py`` and, simulated, their
file.

A simulated depot is the one of the parameter file with what its hardware would bring: a grid meter,
a fuse, the wiring of the chargers, a second candidate so that there is one to take over.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from charger_control import yaml_input
from charger_control.bringup.depot import SIM_AMPERAGE, Depot, Options, Part
from charger_control.bringup.places import executables, runtime_dir, share
from charger_control.bringup.processes import (
    GRID_METER,
    PILOT,
    overrides_file,
    program,
    ros_arguments,
)
from charger_control.bringup.supervisor import Spec
from charger_control.ros.parameters import ParameterError
from charger_control.ros.params_file import PARAMETERS, load, values_of
from charger_control.sim.depot.depot import DepotCharger
from charger_control.sim.depot.grid import METER_UNIT
from charger_control.sim.plant.ev_parameters import Phases

MOST_CHARGERS = 64
"""The most chargers that `--chargers` starts on one machine."""
SIM_OTHER_LOADS = 0.4
"""Share of a simulated fuse that other loads are counted at while the grid meter is lost."""
STAGGER = 0.7
"""s between the starts of two chargers: each costs about a second of a core."""
BEAT = 5.0
"""s without a beat of a process that holds no pilot until it is killed; leases last 10 s."""
CHARGER_STAGE, TEAM_STAGE = 1, 2
NAME = 'CHARGER_PROCESS'
"""Environment of a child: its name in the depot; the scenario that kills it knows it by that."""
SIM, TEAM = 'sim', 'team'


@dataclass(frozen=True, slots=True)
class Said:
    """What the command line says.

    Attributes:
        file: parameter file of the depot.
        namespace: of team and vcse.
        simulated: with simulated devices.
        chargers: so many simulated ones, cp01 and on; 0: those of the file.
        log_level: of all nodes.
        state_dir: where limits and sessions are kept; None: as the file says.
        port: of the bridge; None: as the file says.
        bridge: whether there is one.
    """

    file: Path
    namespace: str = 'depot'
    simulated: bool = False
    chargers: int = 0
    log_level: str = 'info'
    state_dir: Path | None = None
    port: int | None = None
    bridge: bool = True


class DepotPlan:
    """Who there is, and their processes.

    Attributes:
        namespace: of team and vcse.
        members: names of the chargers; each is a namespace.
        candidates: names of those that may lead.
        fuse: A on L1 L2 L3 at the point of supply, as far as the file says; else zeros.

    Raises:
        ParameterError: the file cannot be used for this, in words.
    """

    def __init__(self, said: Said) -> None:
        self._said = said
        self.namespace = said.namespace.strip('/')
        self._file = said.file.absolute()
        if said.simulated:
            self._file = _simulated(self._file, self.namespace, said.chargers)
        options = Options(
            executables(), runtime_dir, share() / 'config' / 'sim.yaml' if said.simulated else None,
            state_dir=str(said.state_dir.absolute()) if said.state_dir else '',
            log_level=said.log_level)
        try:
            self._depot = Depot(self._file, self.namespace, options)
            below = [depot.namespace for depot in self._depot.below()]
        except ValueError as error:
            raise ParameterError(str(error)) from error
        if said.simulated and below:
            raise ParameterError(f'{said.file}: {", ".join(below)}: depots below this one cannot '
                                 'be simulated with it; use depot.launch.py')
        self.members, self.candidates = self._depot.members, self._depot.candidates
        vcse = values_of([self._file], 'vcse', self.namespace)
        grid = vcse.get('grid_fuse') or [0.0]
        self.fuse: Phases = _three(said.file, grid if any(grid) else vcse.get('fuse', [0.0] * 3))

    @property
    def grid_link(self) -> Path:
        """The simulated grid meter's line."""
        return _grid_link(self.namespace)

    def chargers(self) -> tuple[DepotCharger, ...]:
        """The simulated chargers, with their wiring."""
        return tuple(DepotCharger(name, runtime_dir(name) / 'line', self._phase_map(name))
                     for name in self.members)

    def _phase_map(self, name: str) -> tuple[int, ...]:
        values = values_of([self._file], 'cppwm_controller', name)
        return tuple(values.get('team.phase_map') or (1, 2, 3))

    def state_dirs(self) -> dict[str, set[str]]:
        """By namespace, where its nodes keep what outlives a restart."""
        return self._depot.state_dirs()

    def specs(self) -> list[Spec]:
        """All processes, in the order in which they end: chargers, bridge, team and vcse."""
        chargers: list[Spec] = []
        others: list[Spec] = []
        for number, parts in enumerate(self._depot.parts()):
            for part in parts:
                if PILOT in part.program.blocks:
                    chargers.append(self._charger(part, number * STAGGER))
                else:
                    name = '+'.join(part.program.blocks)
                    if part.namespace != self.namespace:
                        name = f'{part.namespace}/{name}'
                    others.append(Spec(name, part.program.command, {NAME: name}, beat_timeout=BEAT,
                                       stage=TEAM_STAGE))
        return chargers + ([self._bridge()] if self._said.bridge else []) + others

    def _charger(self, part: Part, delay: float) -> Spec:
        """A charger's control process, under a guard of its own that withdraws its offer."""
        return Spec(f'{part.namespace}/guard', part.program.command, {NAME: part.namespace},
                    stop_time=13.0, delay=delay, stage=CHARGER_STAGE)

    def _bridge(self) -> Spec:
        """One for all chargers, in the depot's namespace."""
        values: dict[str, object] = {'chargers': self.members}
        if self._said.port is not None:
            values['port'] = self._said.port
        files = [self._file, overrides_file(runtime_dir(self.namespace) / 'bridge.yaml',
                                            self.namespace, {'bridge': values})]
        arguments = ros_arguments(files, self.namespace, self._said.log_level)
        one = program(('bridge',), executables(), files, self.namespace, arguments)
        return Spec('bridge', one.command, {NAME: 'bridge'}, stop_time=5.0, helps=True)


def _grid_link(namespace: str) -> Path:
    return runtime_dir(namespace) / 'grid_line'


def _simulated(file: Path, namespace: str, chargers: int) -> Path:
    """Writes the simulated depot's parameter file; every caller writes the same."""
    load(file)      # says what is wrong with it
    document: dict[str, Any] = yaml_input.load(file.read_text(), str(file)) or {}
    team = values_of([file], 'team', namespace)
    vcse = values_of([file], 'vcse', namespace)
    members = [str(name) for name in team.get('members') or ()]
    if chargers:
        members = [f'cp{number:02}' for number in range(1, chargers + 1)]
    own = str(team.get('name') or namespace)
    fuse = vcse.get('fuse') or [SIM_AMPERAGE * len(members)] * 3
    most = SIM_OTHER_LOADS * min(_three(file, fuse))
    _set(document, namespace, 'team', {
        'members': members, 'candidates': team.get('candidates') or [own, *members[:1]]})
    _set(document, namespace, 'vcse', {
        'fuse': fuse, 'grid_meter': True, 'other_loads_max': vcse.get('other_loads_max', most)})
    _node(document, namespace, GRID_METER)[PARAMETERS] = {
        'device': {'driver': 'sdm630', 'unit': METER_UNIT, 'port': str(_grid_link(namespace))},
        'max_amperage': 10_000.0, 'max_power': 1e7}
    for number, name in enumerate(members):
        wiring = values_of([file], 'cppwm_controller', name).get('team.phase_map')
        _set(document, name, 'cppwm_controller', {
            'random_delay': 0.0,    # who simulates wants to see what comes after an outage
            'team.phase_map': wiring or [(number + phase) % 3 + 1 for phase in range(3)]})
    path = runtime_dir(namespace) / 'simulated.yaml'
    beside = path.with_name(f'{path.name}.{os.getpid()}')
    beside.write_text(yaml.dump(document, Dumper=_Plain, sort_keys=False))
    beside.replace(path)
    return path


def _set(document: dict[str, Any], namespace: str, node: str, values: Mapping[str, object]) -> None:
    _node(document, namespace, node).setdefault(PARAMETERS, {}).update(values)


def _node(document: dict[str, Any], namespace: str, node: str) -> dict[str, Any]:
    """The section of a node, made if it is missing."""
    key = next((key for key in document if key.strip('/') == namespace), f'/{namespace}')
    section: dict[str, Any] = document.setdefault(key, {})
    found: dict[str, Any] = section.setdefault(node, {})
    return found


class _Plain(yaml.SafeDumper):
    """Without aliases: rcl refuses them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _three(file: Path, values: Any) -> Phases:
    try:
        one, two, three = (float(a) for a in values)
    except (TypeError, ValueError):
        raise ParameterError(f'{file}: vcse fuse, grid_fuse: {values!r} (allowed: three numbers of '
                             'A)') from None
    return one, two, three
