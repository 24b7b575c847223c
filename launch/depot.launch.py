"""Several chargers that share one supply: one process per charger, one each for team and vcse.

The parameter file names the chargers (`team.members`); each is a namespace. Each charger's process
holds its board, so it runs under `charger guard`. Everything is respawned with a back-off.

    ros2 launch charger_control depot.launch.py params_file:=my-depot.yaml
    ros2 launch charger_control depot.launch.py sim:=true chargers:=3
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, TimerAction
from launch.substitutions import LaunchConfiguration

from charger_control.cli.places import PACKAGE, runtime_dir, share
from charger_control.ros.launching import Kept, simulator_command
from charger_control.ros.params_file import values_of
from charger_control.ros.processes import (
    CHARGER_BLOCKS,
    TEAM_BLOCKS,
    WITH_STATE,
    overrides_file,
    program,
    ros_arguments,
    simulated,
    team_remaps,
    with_grid_meter,
)

ARGUMENTS = {
    'namespace': ('depot', 'ROS namespace of team and vcse'),
    'params_file': ('', 'parameter file; empty: config/depot.yaml of the package'),
    'sim': ('false', 'run against simulated devices, one line per charger (adds config/sim.yaml)'),
    'chargers': ('', 'with sim:=true: so many, cp01 and on; empty: those of the parameter file'),
    'scenario': ('', 'scenario of the simulated devices'),
    'port': ('', "port of the first charger's web bridge, the others' follow; empty: no bridges"),
    'state_dir': ('', 'where limits and sessions are kept; empty: as in the parameter file'),
    'stagger': ('0.5', 's between the starts of two chargers'),
    'use_sim_time': ('false', 'follow /clock'),
    'log_level': ('info', 'debug, info, warn, error'),
    'respawn': ('true', 'start again what ended, with a back-off'),
}
SIM_AMPERAGE = 10.0
"""A per charger and phase of a simulated supply that no file sizes: there is something to share."""


class Depot:
    """What the arguments and the parameter file say of the depot."""

    def __init__(self, context: LaunchContext) -> None:
        value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
        on = {name: value[name].lower() in ('true', '1', 'yes') for name in
              ('sim', 'use_sim_time', 'respawn')}
        self.value, self.simulated, self.respawn = value, on['sim'], on['respawn']
        self.namespace = value['namespace'].strip('/')
        self.place = Path(get_package_prefix(PACKAGE)) / 'lib' / PACKAGE
        own = Path(value['params_file'] or share() / 'config' / 'depot.yaml').absolute()
        self.sim_file = share() / 'config' / 'sim.yaml'
        self.files = [own, self.sim_file] if on['sim'] else [own]
        self.use_sim_time = on['use_sim_time']
        team = values_of([own], 'team', self.namespace)
        self.name = str(team.get('team') or self.namespace)
        self.candidate = str(team.get('name') or self.namespace)
        self.candidates = list(team.get('candidates') or [self.candidate])
        self.members = [str(name) for name in team.get('members') or ()]
        if value['chargers']:
            if not self.simulated:
                raise ValueError('chargers is for simulated ones: add sim:=true, or name the '
                                 f'chargers in {own} ({self.namespace}/team, members)')
            self.members = [f'cp{number:02}' for number in range(1, int(value['chargers']) + 1)]
        if not self.members:
            raise ValueError(f'{own}: {self.namespace}/team has no members: name the chargers')
        self.fuse = values_of([own], 'vcse', self.namespace).get('fuse')

    def team(self) -> list[Kept]:
        """Team and vcse, and the grid meter where there is one: one process each."""
        overrides: dict[str, dict[str, object]] = {
            'team': {'team': self.name, 'name': self.candidate, 'members': self.members,
                     'candidates': self.candidates, **self._state()},
            'vcse': {'team': self.name}}
        if self.simulated:
            amperage = SIM_AMPERAGE * len(self.members)
            overrides['vcse']['fuse'] = self.fuse or [amperage] * 3
        files, arguments = self._arguments(self.namespace, overrides)
        return [self._kept(blocks, self.namespace, files, arguments) for blocks in
                [(block,) for block in with_grid_meter(TEAM_BLOCKS, files, self.namespace)]]

    def charger(self, number: int) -> list[Kept]:
        """One charger: its control process, its bridge and its simulated devices, if any."""
        name = self.members[number]
        overrides: dict[str, dict[str, object]] = {
            node: self._state() for node in WITH_STATE if node in CHARGER_BLOCKS}
        overrides['cppwm_controller'] |= {'team.name': self.name, 'team.member': name,
                                          'team.size': len(self.members)}
        if self.value['port']:
            overrides['bridge'] = {'port': int(self.value['port']) + number}
        hardware = None
        if self.simulated:
            line = runtime_dir(name) / 'line'
            for node, values in simulated(self.sim_file, line).items():
                overrides[node] = {**overrides.get(node, {}), **values}
            hardware = Kept(f'{name}/sim', simulator_command(
                self.place, line, self.value['scenario']), self.respawn)
        remaps = team_remaps(self.namespace)
        files, arguments = self._arguments(name, overrides, remaps)
        kept = [self._kept(CHARGER_BLOCKS, name, files, arguments, hardware)]
        if self.value['port']:
            kept.append(self._kept(('bridge',), name, files, arguments))
        return ([hardware] if hardware else []) + kept

    def _state(self) -> dict[str, object]:
        return {'state_dir': self.value['state_dir']} if self.value['state_dir'] else {}

    def _arguments(self, namespace: str, overrides: dict[str, dict[str, object]],
                   remaps: dict[str, str] | None = None) -> tuple[list[Path], list[str]]:
        files = [*self.files, overrides_file(runtime_dir(namespace) / 'launch.yaml', namespace,
                                             overrides)]
        return files, ros_arguments(files, namespace, self.value['log_level'], remaps,
                                    self.use_sim_time)

    def _kept(self, blocks: tuple[str, ...], namespace: str, files: list[Path],
              arguments: list[str], hardware: Kept | None = None) -> Kept:
        one = program(blocks, self.place, files, namespace, arguments)
        return Kept(f'{namespace}/{one.name}', one.command, self.respawn, hardware)


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The processes, once the arguments are known."""
    depot = Depot(context)
    stagger = float(depot.value['stagger'])

    def charger(number: int) -> list[LaunchDescriptionEntity]:
        return [entity for one in depot.charger(number) for entity in one.start()]

    # a moment apart: the start of a process costs about a second of a core
    return [entity for one in depot.team() for entity in one.start()] + [
        TimerAction(period=number * stagger, actions=[
            OpaqueFunction(function=lambda _, number=number: charger(number))])
        for number in range(len(depot.members))]


def generate_launch_description() -> LaunchDescription:
    """Arguments, then processes."""
    return LaunchDescription([
        *[DeclareLaunchArgument(name, default_value=default, description=about)
          for name, (default, about) in ARGUMENTS.items()],
        OpaqueFunction(function=start),
    ])
