"""What both launch files share: which blocks share a process, and respawn with a back-off.

Imported by launch/*.launch.py only: ``launch`` comes with a ROS 2 installation, not with wheels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from launch import LaunchDescriptionEntity
from launch.actions import EmitEvent, ExecuteProcess, LogInfo, RegisterEventHandler, TimerAction
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown

from charger_control.ros.params_file import values_of

EXIT_CONFIG = 2
BACK_OFF = (1.0, 60.0)
"""s until a process is started again: first, and at the most; doubled each time."""
HEALTHY = 60.0
"""s of running after which the back-off starts from its first value again."""
DEVICES = ('iso61851', 'fiscal_meter', 'grid_meter')


def processes(files: Sequence[Path], namespace: str, blocks: Sequence[str]
              ) -> list[tuple[str, ...]]:
    """The blocks by process: one each, but those whose devices share a port together."""
    ports = {block: values_of(files, block, namespace).get('device.port', f'of {block}')
             for block in DEVICES if block in blocks}
    shared = [tuple(b for b in ports if ports[b] == port) for port in dict.fromkeys(ports.values())]
    return shared + [(block,) for block in blocks if block not in ports]


def overrides_file(folder: Path, overrides: Mapping[str, Mapping[str, object]]) -> Path:
    """Overrides by node as a parameter file in ``folder``, which is made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / 'overrides.yaml'
    path.write_text(yaml.safe_dump({'/**': {node: {'ros__parameters': dict(values)}
                                            for node, values in overrides.items() if values}}))
    return path


def respawned(make: Callable[[], ExecuteProcess], name: str, respawn: bool = True
              ) -> list[LaunchDescriptionEntity]:
    """A process that is started again when it ends, 1 s later, then 2 s, up to 60 s.

    Its exit code 2, a parameter that cannot be taken, ends the launch: a restart would not help.
    """
    wait = [BACK_OFF[0]]

    def start() -> list[LaunchDescriptionEntity]:
        action = make()
        started = time.monotonic()

        def on_exit(event: Any, context: Any) -> list[LaunchDescriptionEntity] | None:
            if context.is_shutdown:
                return None
            if event.returncode == EXIT_CONFIG:
                return [EmitEvent(event=Shutdown(reason=f'{name}: bad configuration'))]
            if not respawn:
                return None
            if time.monotonic() - started > HEALTHY:
                wait[0] = BACK_OFF[0]
            delay, wait[0] = wait[0], min(2.0 * wait[0], BACK_OFF[1])
            return [LogInfo(msg=f'{name} ended ({event.returncode}), starts again in {delay:g} s'),
                    TimerAction(period=delay, actions=start())]

        return [RegisterEventHandler(OnProcessExit(target_action=action, on_exit=on_exit)), action]

    return start()


def ros_process(name: str, command: Sequence[str], *, namespace: str, files: Sequence[Path],
                log_level: str, use_sim_time: bool, remaps: Mapping[str, str] | None = None,
                guarded: bool = False) -> ExecuteProcess:
    """One process with its --ros-args; ``guarded``: under `charger guard` (it holds the pilot)."""
    arguments = [*command, '--ros-args', '-r', f'__ns:=/{namespace.strip("/")}',
                 '--log-level', log_level]
    for source, target in (remaps or {}).items():
        arguments += ['-r', f'{source}:={target}']
    for path in files:
        arguments += ['--params-file', str(path)]
    if use_sim_time:
        arguments += ['-p', 'use_sim_time:=true']
    if guarded:
        guard = [str(Path(command[0]).with_name('charger')), 'guard', '--namespace', namespace]
        for path in files:
            guard += ['--config', str(path)]
        arguments = [*guard, '--', *arguments]
    return ExecuteProcess(cmd=arguments, name=name, output='screen', emulate_tty=False,
                          sigterm_timeout='12')
