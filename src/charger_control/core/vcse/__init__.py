"""VCSE, the team seen as one charging station: what it may draw together, and why.

Per phase the least of: the fuse, the supply's fuse less the other loads, an external dimming, and
what a parent team allocates. Every input has an expiry, and none that is lost means "unlimited".
"""

from charger_control.core.vcse.block import Vcse
from charger_control.core.vcse.config import VcseConfig, check_no_cycle
from charger_control.core.vcse.types import ParentAllocation

__all__ = ['ParentAllocation', 'Vcse', 'VcseConfig', 'check_no_cycle']
