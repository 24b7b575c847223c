"""What both launch files share: respawn with a back-off, and who ends before whom.

Imported by launch/*.launch.py only: ``launch`` comes with a ROS 2 installation, not with wheels.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import launch.logging
from launch import LaunchDescriptionEntity
from launch.actions import (
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events import matches_action
from launch.events.process import SignalProcess

from charger_control.bringup.discovery import RANGE, set_range
from charger_control.ros.machine import ancestors
from charger_control.ros.machine.claims import Claims

EXIT_CONFIG = 2
BACK_OFF = (1.0, 60.0)
"""s until a process is started again: first, and at the most; doubled each time."""
HEALTHY = 60.0
"""s of running after which the back-off starts from its first value again."""
END_TIME = 12.0
"""s after SIGINT until SIGTERM: the vehicle has 6 s to open S2, the process 8."""
UNINTERRUPTED = ('sh', '-c', 'trap "" INT; exec "$@"', 'sh')
"""Before a command that is to outlive Ctrl-C."""


DISCOVERY = ('', 'how far others find this charger and may command it: LOCALHOST, SUBNET, OFF or '
             'SYSTEM_DEFAULT; empty: $ROS_AUTOMATIC_DISCOVERY_RANGE, else LOCALHOST')
"""Argument `discovery_range` of both launch files: default and what it is."""


class Claimed:
    """The namespaces of one launch, which no other supervisor may have; given back at its end."""

    def __init__(self) -> None:
        self._logger = launch.logging.get_logger('launch')
        self.claims = Claims(self._logger.warning)

    def begin(self, discovery_range: str) -> list[LaunchDescriptionEntity]:
        """Says how far this launch is found, and sees to its end."""
        self._logger.info(set_range(discovery_range))
        return [RegisterEventHandler(OnShutdown(on_shutdown=lambda *_: self.claims.close()))]


class Kept:
    """A process that is started again when it ends, 1 s later, then 2 s, up to 60 s.

    Its exit code 2, a parameter that cannot be taken, is its end for good: a restart would not
    help. The others go on.

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
        self._environment = {**ancestors.environment(), **{  # of now: a scope of the launch may end
            name: os.environ[name] for name in (RANGE,) if name in os.environ}}
        if hardware is not None:
            hardware._command = [*UNINTERRUPTED, *hardware._command]

    def start(self) -> list[LaunchDescriptionEntity]:
        """What starts it and looks after it."""
        self._started = time.monotonic()
        self.action = ExecuteProcess(cmd=self._command, name=self.name, output='screen',
                                     emulate_tty=False, sigterm_timeout=str(END_TIME),
                                     additional_env=self._environment)
        return [RegisterEventHandler(OnProcessExit(target_action=self.action,
                                                   on_exit=self._on_exit)), self.action]

    def _on_exit(self, event: Any, context: Any) -> list[LaunchDescriptionEntity] | None:
        if context.is_shutdown:
            hardware = self._hardware and self._hardware.action
            return hardware and [EmitEvent(event=SignalProcess(
                signal_number=signal.SIGTERM, process_matcher=matches_action(hardware)))]
        if event.returncode == EXIT_CONFIG:
            return [LogInfo(msg=f'{self.name}: bad configuration, not started again')]
        if not self._respawn:
            return None
        if time.monotonic() - self._started > HEALTHY:
            self._back_off = BACK_OFF[0]
        delay, self._back_off = self._back_off, min(2.0 * self._back_off, BACK_OFF[1])
        return [LogInfo(msg=f'{self.name} ended ({event.returncode}), starts again in {delay:g} s'),
                TimerAction(period=delay,
                            actions=[OpaqueFunction(function=lambda _: self.start())])]
