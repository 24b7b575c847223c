"""Which processes a depot is, as its parameter file names them. Without rclpy and without launch.

A depot is a namespace with `team` and `vcse`, and `team.members`: chargers, or depots of their own,
whose `vcse.parent` is this team. Shared by depot.launch.py and `charger up --depot`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from charger_control.bringup.processes import (
    CHARGER_BLOCKS,
    TEAM_BLOCKS,
    WITH_STATE,
    Program,
    overrides_file,
    parent_remaps,
    program,
    ros_arguments,
    simulated,
    simulator_command,
    state_dirs,
    team_remaps,
    with_grid_meter,
)
from charger_control.core.vcse import check_no_cycle
from charger_control.ros.params_file import load, values_of

Values = dict[str, object]
SIM_AMPERAGE = 10.0
"""A per charger and phase of a simulated supply that no file sizes: there is something to share."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a command line says of a depot.

    Attributes:
        place: folder of the executables.
        runtime_dir: the private folder of a namespace, for sockets and generated files.
        sim_file: config/sim.yaml: all devices are simulated; None: they are real.
        chargers: with simulated devices: so many, cp01 and on; 0: those of the parameter file.
        only: names of the chargers and depots to start on this machine; empty: all.
        scenario: file of the simulated devices; '': a vehicle is plugged in after 2 s.
        port: of the first charger's web bridge, the others' follow; 0: no bridges.
        state_dir: where limits, terms and sessions are kept; '': as in the parameter file.
        log_level, use_sim_time: of all nodes.
    """

    place: Path
    runtime_dir: Callable[[str], Path]
    sim_file: Path | None = None
    chargers: int = 0
    only: tuple[str, ...] = ()
    scenario: str = ''
    port: int = 0
    state_dir: str = ''
    log_level: str = 'info'
    use_sim_time: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One process of a depot.

    Attributes:
        namespace: of its nodes.
        program: the process.
        simulator: command of the simulated devices that it needs; empty: none.
        files: its parameter files.
    """

    namespace: str
    program: Program
    simulator: tuple[str, ...] = ()
    files: tuple[Path, ...] = field(default=(), repr=False)


class Depot:
    """One team: its own processes, and those of its members.

    Attributes:
        name: of the team.
        members: names of the chargers and of the depots below.
        candidates: names of those that may lead; a charger among them runs `team` itself.
    """

    def __init__(self, file: Path, namespace: str, options: Options) -> None:
        """ValueError in words for a file that is no depot's."""
        self.namespace = namespace.strip('/')
        self.options = options
        self._own = file
        self._files = [file, *([options.sim_file] if options.sim_file else [])]
        self._team: Values = {**values_of([file], 'team', self.namespace)}
        self._vcse: Values = {**values_of([file], 'vcse', self.namespace)}
        self.name = str(self._team.get('team') or self.namespace)
        self.members = _names(self._team.get('members'))
        if options.chargers:
            if options.sim_file is None:
                raise ValueError('chargers is for simulated ones: add sim:=true, or name the '
                                 f'chargers in {file} ({self.namespace}/team, members)')
            self.members = [f'cp{number:02}' for number in range(1, options.chargers + 1)]
        if not self.members:
            raise ValueError(f'{file}: {self.namespace}/team has no members: name the chargers')
        self._own_candidate = str(self._team.get('name') or self.namespace)
        self.candidates = _names(self._team.get('candidates')) or [self._own_candidate]
        check_no_cycle(parents([file]))

    def below(self) -> list[Depot]:
        """The depots among the members."""
        options = replace(self.options, chargers=0)
        return [Depot(self._own, member, options) for member in self.members
                if values_of([self._own], 'vcse', member).get('parent') == self.name]

    def parts(self) -> Iterator[list[Part]]:
        """What to start: team and vcse first, then charger by charger, a moment apart."""
        if not self.options.only or self.namespace in self.options.only:
            yield self.supply()
        below = {depot.namespace: depot for depot in self.below()}
        for number, member in enumerate(self.members):
            if member in below:
                yield from below[member].parts()
            elif not self.options.only or member in self.options.only:
                yield self.charger(number)

    def namespaces(self) -> list[str]:
        """Of all that is started here."""
        only, below = self.options.only, {depot.namespace: depot for depot in self.below()}
        own = [self.namespace] if not only or self.namespace in only else []
        for member in self.members:
            if member in below:
                own += below[member].namespaces()
            elif not only or member in only:
                own.append(member)
        return own

    def state_dirs(self) -> dict[str, set[str]]:
        """By namespace of what is started here, where its nodes keep what outlives a restart."""
        found: dict[str, set[str]] = {}
        for part in (part for parts in self.parts() for part in parts):
            found.setdefault(part.namespace, set()).update(state_dirs(part.files, part.namespace))
        return found

    def supply(self) -> list[Part]:
        """Team and vcse, and the grid meter where there is one: one process each."""
        vcse: Values = {'team': self.name, **self._state()}
        if self.options.sim_file is not None:
            vcse['fuse'] = self._vcse.get('fuse') or [SIM_AMPERAGE * len(self.members)] * 3
        overrides: dict[str, Values] = {'vcse': vcse}
        blocks: tuple[str, ...] = TEAM_BLOCKS
        if self._own_candidate in self.candidates:
            overrides['team'] = {'name': self._own_candidate, **self._candidate()}
        else:
            blocks = ('vcse',)
        parent = str(self._vcse.get('parent') or '')
        remaps = parent_remaps(self._namespace_of(parent)) if parent else {}
        files, arguments = self._arguments(self.namespace, overrides, remaps)
        return [Part(self.namespace, program((block,), self.options.place, files, self.namespace,
                                             arguments), files=tuple(files))
                for block in with_grid_meter(blocks, files, self.namespace)]

    def charger(self, number: int) -> list[Part]:
        """One charger: its control process, which may lead the team, and its bridge."""
        name, options = self.members[number], self.options
        blocks = CHARGER_BLOCKS
        overrides: dict[str, Values] = {
            node: self._state() for node in WITH_STATE if node in CHARGER_BLOCKS}
        overrides['cppwm_controller'] |= {'team.name': self.name, 'team.member': name,
                                          'team.size': len(self.members)}
        if name in self.candidates:
            blocks = (*blocks, 'team')
            overrides['team'] = {**self._team, 'name': name, **self._candidate()}
        if options.port:
            overrides['bridge'] = {'port': options.port + number}
        simulator: tuple[str, ...] = ()
        if options.sim_file is not None:
            line = options.runtime_dir(name) / 'line'
            for node, values in simulated(options.sim_file, line).items():
                overrides[node] = {**overrides.get(node, {}), **values}
            simulator = tuple(simulator_command(options.place, line, options.scenario))
        files, arguments = self._arguments(name, overrides, team_remaps(self.namespace))
        parts = [Part(name, program(blocks, options.place, files, name, arguments), simulator,
                      tuple(files))]
        if options.port:
            parts.append(Part(name, program(('bridge',), options.place, files, name, arguments),
                              files=tuple(files)))
        return parts

    def _candidate(self) -> Values:
        return {'team': self.name, 'members': self.members, 'candidates': self.candidates,
                **self._state()}

    def _state(self) -> Values:
        return {'state_dir': self.options.state_dir} if self.options.state_dir else {}

    def _namespace_of(self, team: str) -> str:
        """Where the team above is: its name says, unless the file says otherwise."""
        for namespace in _namespaces([self._own], 'team'):
            if values_of([self._own], 'team', namespace).get('team') == team:
                return namespace
        return team

    def _arguments(self, namespace: str, overrides: dict[str, Values], remaps: dict[str, str]
                   ) -> tuple[list[Path], list[str]]:
        path = self.options.runtime_dir(namespace) / 'depot.yaml'
        files = [*self._files, overrides_file(path, namespace, overrides)]
        return files, ros_arguments(files, namespace, self.options.log_level, remaps,
                                    self.options.use_sim_time)


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, Sequence) else []


def _namespaces(files: Sequence[Path], node: str) -> list[str]:
    """The namespaces for which files have a section of this node, by name."""
    patterns = [pattern for file in files for pattern, _ in load(file)]
    return list(dict.fromkeys(
        prefix.strip('/') for prefix, _, last in (p.rpartition('/') for p in patterns)
        if last == node and prefix and '*' not in prefix))


def parents(files: Sequence[Path]) -> dict[str, str]:
    """For each team of these files the one above it."""
    return {str(values_of(files, 'team', namespace).get('team') or namespace): str(
        values_of(files, 'vcse', namespace).get('parent') or '')
        for namespace in _namespaces(files, 'vcse')}


def failsafes(files: Sequence[Path]) -> list[tuple[str, str, str, str]]:
    """Members whose failsafe is another than their team reserves for them.

    Node, namespace and parameter of each, and what is wrong in words.
    """
    found = []
    teams = _namespaces(files, 'team')
    named = {m for n in teams for m in _names(values_of(files, 'team', n).get('members'))}
    alone = [n for n in _namespaces(files, 'cppwm_controller') if n not in named]
    for namespace in dict.fromkeys((*teams, *alone)):
        team = values_of(files, 'team', namespace)
        reserved = float(team.get('failsafe_amperage') or 0.0)
        name = str(team.get('team') or namespace)
        for member in _names(team.get('members')) or ([namespace] if namespace in alone else []):
            vcse = values_of(files, 'vcse', member)
            node, key = 'cppwm_controller', 'team.failsafe_amperage'
            if vcse.get('parent') == name:
                node, key = 'vcse', 'parent_failsafe_amperage'
            taken = values_of(files, node, member).get(key)
            if taken is None and member not in _namespaces(files, node):
                continue
            if float(taken or 0.0) != reserved:
                found.append((node, f'/{member}', key, (
                    f'/{member}/{node}.{key} = {float(taken or 0.0):g} (allowed: {reserved:g}, as '
                    f'/{namespace}/team.failsafe_amperage: what a member takes in a silence is '
                    'what its team reserves for it. Set both the same)')))
    return found
