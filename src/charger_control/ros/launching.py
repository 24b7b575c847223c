"""What both launch files share: respawn with a back-off, and who ends before whom.

Imported by launch/*.launch.py only: ``launch`` comes with a ROS 2 installation, not with wheels.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from typing import Any

from launch import LaunchDescriptionEntity
from launch.actions import (
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown, matches_action
from launch.events.process import SignalProcess

EXIT_CONFIG = 2
BACK_OFF = (1.0, 60.0)
"""s until a process is started again: first, and at the most; doubled each time."""
HEALTHY = 60.0
"""s of running after which the back-off starts from its first value again."""
END_TIME = 12.0
"""s after SIGINT until SIGTERM: the vehicle has 6 s to open S2, the process 8."""
UNINTERRUPTED = ('sh', '-c', 'trap "" INT; exec "$@"', 'sh')
"""Before a command that is to outlive Ctrl-C."""


class Kept:
    """A process that is started again when it ends, 1 s later, then 2 s, up to 60 s.

    Its exit code 2, a parameter that cannot be taken, ends the launch: a restart would not help.

    Args:
        name: for people.
        command: argv.
        respawn: False: only said, not started again.
        hardware: the process that simulates what this one talks to. It does not hear Ctrl-C and
            is ended when this one has ended: until then the vehicle is there to be stopped.
    """

    def __init__(self, name: str, command: Sequence[str], respawn: bool = True,
                 hardware: Kept | None = None) -> None:
        self.name = name
        self.action: ExecuteProcess | None = None
        self._command = list(command)
        self._respawn = respawn
        self._hardware = hardware
        self._back_off = BACK_OFF[0]
        self._started = 0.0
        if hardware is not None:
            hardware._command = [*UNINTERRUPTED, *hardware._command]

    def start(self) -> list[LaunchDescriptionEntity]:
        """What starts it and looks after it."""
        self._started = time.monotonic()
        self.action = ExecuteProcess(cmd=self._command, name=self.name, output='screen',
                                     emulate_tty=False, sigterm_timeout=str(END_TIME))
        return [RegisterEventHandler(OnProcessExit(target_action=self.action,
                                                   on_exit=self._on_exit)), self.action]

    def _on_exit(self, event: Any, context: Any) -> list[LaunchDescriptionEntity] | None:
        if context.is_shutdown:
            hardware = self._hardware and self._hardware.action
            return hardware and [EmitEvent(event=SignalProcess(
                signal_number=signal.SIGTERM, process_matcher=matches_action(hardware)))]
        if event.returncode == EXIT_CONFIG:
            return [EmitEvent(event=Shutdown(reason=f'{self.name}: bad configuration'))]
        if not self._respawn:
            return None
        if time.monotonic() - self._started > HEALTHY:
            self._back_off = BACK_OFF[0]
        delay, self._back_off = self._back_off, min(2.0 * self._back_off, BACK_OFF[1])
        return [LogInfo(msg=f'{self.name} ended ({event.returncode}), starts again in {delay:g} s'),
                TimerAction(period=delay,
                            actions=[OpaqueFunction(function=lambda _: self.start())])]
