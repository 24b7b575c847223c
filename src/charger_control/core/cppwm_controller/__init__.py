"""CPPWM controller: from all limits and the team's answer to what the vehicle may be offered."""

from charger_control.core.cppwm_controller.config import ControllerConfig
from charger_control.core.cppwm_controller.controller import Controller
from charger_control.core.cppwm_controller.reach import (
    EVERYWHERE,
    Reach,
    ReachConfig,
    Reached,
    wired_phases,
)
from charger_control.core.cppwm_controller.result import Result
from charger_control.core.cppwm_controller.start_stop import StartStopConfig
from charger_control.core.cppwm_controller.types import Allocation
from charger_control.core.cppwm_controller.wish import WishConfig, Wishes

__all__ = ['EVERYWHERE', 'Allocation', 'Controller', 'ControllerConfig', 'Reach', 'ReachConfig',
           'Reached', 'Result', 'StartStopConfig', 'WishConfig', 'Wishes', 'wired_phases']
