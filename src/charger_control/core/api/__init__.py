"""API: the limits that clients set, how long they hold, and what they mean in amperes."""

from charger_control.core.api.block import Answer, Api, Write
from charger_control.core.api.course import Course
from charger_control.core.api.types import ApiConfig, RefusedError, SetLimits
from charger_control.core.api.values import Values

__all__ = ['Answer', 'Api', 'ApiConfig', 'Course', 'RefusedError', 'SetLimits', 'Values', 'Write']
