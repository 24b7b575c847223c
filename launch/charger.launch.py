"""One charger, one process per node.

Devices that share a serial line share a process, which runs under `charger guard`: when it dies or
hangs, "no offer" is written to the board. Everything is respawned with a back-off.

    ros2 launch charger_control charger.launch.py params_file:=my-charger.yaml
    ros2 launch charger_control charger.launch.py sim:=true
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from charger_control.cli.places import runtime_dir
from charger_control.ros.launching import overrides_file, processes, respawned, ros_process

PACKAGE = 'charger_control'
BLOCKS = ('fiscal_meter', 'hw_limit', 'smart_charging', 'api', 'cppwm_controller', 'iso61851',
          'team', 'vcse', 'session')
WITH_STATE = ('api', 'cppwm_controller', 'iso61851', 'smart_charging', 'team', 'session')
ARGUMENTS = {
    'namespace': ('charger', 'ROS namespace of the charger'),
    'params_file': ('', 'parameter file; empty: config/charger.yaml of the package'),
    'sim': ('false', 'run against simulated devices (adds config/sim.yaml)'),
    'scenario': ('', 'scenario of the simulated devices'),
    'port': ('', 'port of the web bridge; empty: bridge.port of the parameter file'),
    'state_dir': ('', 'where limits and sessions are kept; empty: as in the parameter file'),
    'bridge': ('true', 'start the web bridge'),
    'use_sim_time': ('false', 'follow /clock'),
    'log_level': ('info', 'debug, info, warn, error'),
    'respawn': ('true', 'start again what ended, with a back-off'),
}


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The processes, once the arguments are known."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    on = {name: value[name].lower() in ('true', '1', 'yes') for name in
          ('sim', 'bridge', 'use_sim_time', 'respawn')}
    namespace = value['namespace'].strip('/')
    share = Path(get_package_share_directory(PACKAGE))
    files = [Path(value['params_file'] or share / 'config' / 'charger.yaml').absolute()]
    overrides = {node: {} for node in (*WITH_STATE, 'bridge', 'fiscal_meter')}
    if value['port']:
        overrides['bridge']['port'] = int(value['port'])
    if value['state_dir']:
        for node in WITH_STATE:
            overrides[node]['state_dir'] = value['state_dir']
    actions = []
    if on['sim']:
        files.append(share / 'config' / 'sim.yaml')
        line = runtime_dir(namespace) / 'line'
        for node in ('fiscal_meter', 'iso61851'):
            overrides[node]['device.port'] = str(line)
        actions += simulator(line, value['scenario'], on['respawn'])
    files.append(overrides_file(runtime_dir(namespace) / 'launch', overrides))
    executables = Path(get_package_prefix(PACKAGE)) / 'lib' / PACKAGE
    common = {'namespace': namespace, 'files': files, 'log_level': value['log_level'],
              'use_sim_time': on['use_sim_time']}
    for blocks in processes(files, namespace, BLOCKS):
        command = ([str(executables / blocks[0])] if len(blocks) == 1
                   else [str(executables / 'control'), *blocks])
        actions += respawned(
            lambda blocks=blocks, command=command: ros_process(
                '+'.join(blocks), command, guarded='iso61851' in blocks, **common),
            '+'.join(blocks), on['respawn'])
    if on['bridge']:
        actions += respawned(lambda: ros_process('bridge', [str(executables / 'bridge')], **common),
                             'bridge', on['respawn'])
    return actions


def simulator(line: Path, scenario: str, respawn: bool) -> list[LaunchDescriptionEntity]:
    """The simulated devices on a serial line of their own."""
    charger = Path(get_package_prefix(PACKAGE)) / 'lib' / PACKAGE / 'charger'
    command = [str(charger), 'sim', '--link', str(line), '--control', f'{line}.sock',
               '--log', f'{line}.jsonl', '--eeprom', f'{line}.eeprom']
    if scenario:
        command += ['--scenario', scenario]
    return respawned(lambda: ExecuteProcess(cmd=command, name='sim', output='screen'), 'sim',
                     respawn)


def generate_launch_description() -> LaunchDescription:
    """Arguments, then processes."""
    return LaunchDescription([
        *[DeclareLaunchArgument(name, default_value=default, description=about)
          for name, (default, about) in ARGUMENTS.items()],
        OpaqueFunction(function=start),
    ])
