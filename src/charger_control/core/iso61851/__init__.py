"""ISO 61851: duty cycle, control-pilot states, what is signaled, and the faults of the pilot."""

from charger_control.core.iso61851.types import PilotReading

__all__ = ['PilotReading']
