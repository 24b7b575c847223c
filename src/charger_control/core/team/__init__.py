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
from charger_control.core.team.types import LeaseTimes, MemberState, lease_times

__all__ = ['Diagnosis', 'InForce', 'Leader', 'LeaseTimes', 'Member', 'MemberConfig',
           'MemberState', 'Role', 'Share', 'Sharing', 'SharingOptions', 'Step', 'TeamConfig',
           'allocate', 'lease_times']
