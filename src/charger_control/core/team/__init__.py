"""Team: shares a common supply among its members so that no phase is ever overloaded.

``Member`` is the charge point's side of the lease, ``Leader`` the other one; ``allocate`` shares a
budget with no history.
"""

from charger_control.core.team.config import TeamConfig
from charger_control.core.team.election import Role
from charger_control.core.team.leader import Diagnosis, Leader, Step
from charger_control.core.team.member import InForce, Member, MemberConfig
from charger_control.core.team.shares.allocator import Share, SharingOptions, allocate
from charger_control.core.team.shares.sharing import Sharing
from charger_control.core.team.types import (
    LeaseTimes,
    MemberAllocation,
    MemberState,
    TeamAllocation,
    TeamRequest,
    lease_times,
)

__all__ = ['Diagnosis', 'InForce', 'Leader', 'LeaseTimes', 'Member', 'MemberAllocation',
           'MemberConfig', 'MemberState', 'Role', 'Share', 'Sharing', 'SharingOptions', 'Step',
           'TeamAllocation', 'TeamConfig', 'TeamRequest', 'allocate', 'lease_times']
