"""One charger, one process per node.

Devices that share a serial line share a process, which runs under `charger guard`: when it dies or
hangs, "no offer" is written to the board. Everything is respawned with a back-off.

    ros2 launch charger_control charger.launch.py params_file:=my-charger.yaml
    ros2 launch charger_control charger.launch.py sim:=true
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from charger_control.bringup.launching import DISCOVERY, Claimed, Kept
from charger_control.bringup.places import PACKAGE, runtime_dir, share
from charger_control.bringup.processes import (
    BLOCKS,
    PILOT,
    WITH_STATE,
    one_each,
    overrides_file,
    program,
    ros_arguments,
    simulated,
    simulator_command,
    state_dirs,
    with_grid_meter,
)

ARGUMENTS = {
    'namespace': ('charger', 'ROS namespace of the charger'),
    'params_file': ('', 'parameter file; empty: config/charger.yaml of the package'),
    'sim': ('false', 'run against simulated devices (adds config/sim.yaml)'),
    'scenario': ('', 'scenario of the simulated devices'),
    'port': ('', 'port of the web bridge; empty: bridge.port of the parameter file'),
    'state_dir': ('', 'where limits and sessions are kept; empty: as in the parameter file'),
    'bridge': ('true', 'start the web bridge'),
    'use_sim_time': ('false', 'follow /clock'),
    'discovery_range': DISCOVERY,
    'log_level': ('info', 'debug, info, warn, error'),
    'respawn': ('true', 'start again what ended, with a back-off'),
}


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The processes, once the arguments are known."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    on = {name: value[name].lower() in ('true', '1', 'yes') for name in
          ('sim', 'bridge', 'use_sim_time', 'respawn')}
    namespace = value['namespace'].strip('/')
    claimed = Claimed()
    begin = claimed.begin(value['discovery_range'])
    claimed.claims.graph(namespace)  # before its files are written anew
    place = Path(get_package_prefix(PACKAGE)) / 'lib' / PACKAGE
    files = [Path(value['params_file'] or share() / 'config' / 'charger.yaml').absolute()]
    overrides = {'bridge': {'port': int(value['port'])} if value['port'] else {}}
    if value['state_dir']:
        overrides |= {node: {'state_dir': value['state_dir']} for node in WITH_STATE}
    hardware = None
    if on['sim']:
        files.append(share() / 'config' / 'sim.yaml')
        line = runtime_dir(namespace) / 'line'
        for node, values in simulated(files[-1], line).items():
            overrides[node] = {**overrides.get(node, {}), **values}
        hardware = Kept('sim', simulator_command(place, line, value['scenario']), on['respawn'])
    files.append(overrides_file(runtime_dir(namespace) / 'launch.yaml', namespace, overrides))
    claimed.claims.store(namespace, state_dirs(files, namespace))
    arguments = ros_arguments(files, namespace, value['log_level'],
                              use_sim_time=on['use_sim_time'])
    groups = one_each(with_grid_meter(BLOCKS, files, namespace), files, namespace)
    kept = []
    for blocks in groups + ([('bridge',)] if on['bridge'] else []):
        one = program(blocks, place, files, namespace, arguments)
        kept.append(Kept(one.name, one.command, on['respawn'],
                         hardware if PILOT in blocks else None))
    kept = [hardware, *kept] if hardware else kept
    return begin + [entity for one in kept for entity in one.start()]


def generate_launch_description() -> LaunchDescription:
    """Arguments, then processes."""
    return LaunchDescription([
        *[DeclareLaunchArgument(name, default_value=default, description=about)
          for name, (default, about) in ARGUMENTS.items()],
        OpaqueFunction(function=start),
    ])
