"""Chargers that share one supply: one process per charger, one each for team and vcse.

The parameter file names the chargers (`team.members`); each is a namespace. A member whose vcse has
this team as its `parent` is a depot of its own and is started with all that is below it. A charger
that is one of `team.candidates` may lead: its process runs `team` too. Each charger's process holds
its board, so it runs under `charger guard`. Everything is respawned with a back-off.

    ros2 launch charger_control depot.launch.py params_file:=my-depot.yaml
    ros2 launch charger_control depot.launch.py params_file:=my-depot.yaml only:=cp01
    ros2 launch charger_control depot.launch.py sim:=true chargers:=3
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, TimerAction
from launch.substitutions import LaunchConfiguration

from charger_control.bringup.depot import Depot, Options, Part
from charger_control.bringup.launching import DISCOVERY, Claimed, Kept
from charger_control.bringup.places import PACKAGE, runtime_dir, share

ARGUMENTS = {
    'namespace': ('depot', 'ROS namespace of team and vcse'),
    'params_file': ('', 'parameter file; empty: config/depot.yaml of the package'),
    'only': ('', 'names of the chargers and depots to start on this machine, like cp01,cp02; '
             'empty: all'),
    'sim': ('false', 'run against simulated devices, one line per charger (adds config/sim.yaml)'),
    'chargers': ('', 'with sim:=true: so many, cp01 and on; empty: those of the parameter file'),
    'scenario': ('', 'scenario of the simulated devices'),
    'port': ('', "port of the first charger's web bridge, the others' follow; empty: no bridges"),
    'state_dir': ('', 'where limits and sessions are kept; empty: as in the parameter file'),
    'stagger': ('0.5', 's between the starts of two chargers'),
    'use_sim_time': ('false', 'follow /clock'),
    'discovery_range': DISCOVERY,
    'log_level': ('info', 'debug, info, warn, error'),
    'respawn': ('true', 'start again what ended, with a back-off'),
}


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The processes, once the arguments are known."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    on = {name: value[name].lower() in ('true', '1', 'yes') for name in
          ('sim', 'use_sim_time', 'respawn')}
    claimed = Claimed()
    begin = claimed.begin(value['discovery_range'])
    depot = Depot(
        Path(value['params_file'] or share() / 'config' / 'depot.yaml').absolute(),
        value['namespace'],
        Options(Path(get_package_prefix(PACKAGE)) / 'lib' / PACKAGE, runtime_dir,
                share() / 'config' / 'sim.yaml' if on['sim'] else None,
                int(value['chargers'] or 0),
                tuple(name.strip() for name in value['only'].split(',') if name.strip()),
                value['scenario'], int(value['port'] or 0), value['state_dir'],
                value['log_level'], on['use_sim_time']))

    for namespace in depot.namespaces():
        claimed.claims.graph(namespace)
    for namespace, folders in depot.state_dirs().items():
        claimed.claims.store(namespace, folders)

    def entities(parts: list[Part]) -> list[LaunchDescriptionEntity]:
        kept = []
        for part in parts:
            hardware = None
            if part.simulator:
                hardware = Kept(f'{part.namespace}/sim', part.simulator, on['respawn'])
                kept.append(hardware)
            kept.append(Kept(f'{part.namespace}/{part.program.name}', part.program.command,
                             on['respawn'], hardware))
        return [entity for one in kept for entity in one.start()]

    # a moment apart: the start of a process costs about a second of a core
    return begin + [TimerAction(period=number * float(value['stagger']), actions=[
        OpaqueFunction(function=lambda _, parts=parts: entities(parts))])
        for number, parts in enumerate(depot.parts())]


def generate_launch_description() -> LaunchDescription:
    """Arguments, then processes."""
    return LaunchDescription([
        *[DeclareLaunchArgument(name, default_value=default, description=about)
          for name, (default, about) in ARGUMENTS.items()],
        OpaqueFunction(function=start),
    ])
