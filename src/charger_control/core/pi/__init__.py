"""PI(D): trims what is made available until the vehicle draws what was commanded.

The law, with its equations and figures, is in docs/tuning.md.
"""

from charger_control.core.pi.config import PiConfig
from charger_control.core.pi.regulator import Pi

__all__ = ['Pi', 'PiConfig']
