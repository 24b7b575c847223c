"""CPPWM controller: from all limits and the team's answer to what the vehicle may be offered."""

from charger_control.core.cppwm_controller.config import ControllerConfig
from charger_control.core.cppwm_controller.controller import Controller, Result
from charger_control.core.cppwm_controller.start_stop import StartStopConfig
from charger_control.core.cppwm_controller.types import (
    Allocation,
    AvailableAmperage,
    Charging,
    Decision,
    Flags,
)

__all__ = ['Allocation', 'AvailableAmperage', 'Charging', 'Controller', 'ControllerConfig',
           'Decision', 'Flags', 'Result', 'StartStopConfig']
