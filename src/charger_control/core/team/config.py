"""A team as it is configured, the same for all its members and candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from charger_control.core.team.shares.allocator import DEFAULT_OPTIONS, SharingOptions
from charger_control.core.team.types import LEASE_TIMES, LeaseTimes, lease_times

OWN_TRIM = 2.0
"""A of trim that a team of one is granted by default."""


@dataclass(frozen=True, slots=True)
class TeamConfig:
    """A team.

    Attributes:
        team: its name.
        members: names of all members; the majority is counted on them.
        candidates: names of those that may lead, the first to take over first; empty: all members.
        failsafe_amperage: A per phase reserved for a member that was never heard.
        fall_time: s, the longest that a member's vehicles may take to obey. A member that is
            itself a team takes 18 s.
        trim_amperage: A per phase of trim, out of budget left over; None: 2 A for a team of one,
            else 0.
        options: how the budget is shared.
        times: of the lease; None: the standard ones. ``fall_time`` there is not used.
    """

    team: str
    members: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    failsafe_amperage: float = 0.0
    fall_time: float = LEASE_TIMES.fall_time
    trim_amperage: float | None = None
    options: SharingOptions = DEFAULT_OPTIONS
    times: LeaseTimes | None = None

    def __post_init__(self) -> None:
        if not self.team or not self.members:
            raise ValueError(f'team {self.team!r}, members {list(self.members)}: a team has a name '
                             'and at least one member')
        for what, names in (('members', self.members), ('candidates', self.candidates)):
            if len(set(names)) < len(names) or '' in names:
                raise ValueError(f'{what} {list(names)} of team {self.team!r}: every name once, '
                                 'none empty')
        for name, value in (('failsafe_amperage', self.failsafe_amperage),
                            ('fall_time', self.fall_time), ('trim_amperage', self.trim)):
            if not 0.0 <= value < math.inf:
                raise ValueError(f'{name} {value} of team {self.team!r} '
                                 '(allowed: a number, 0 or more)')

    @property
    def trim(self) -> float:
        """The most trim a member is granted, A per phase."""
        if self.trim_amperage is not None:
            return self.trim_amperage
        return OWN_TRIM if len(self.members) == 1 else 0.0

    @property
    def lease(self) -> LeaseTimes:
        """The times of this team's lease."""
        return replace(self.times or lease_times(len(self.members)), fall_time=self.fall_time)

    @property
    def electable(self) -> tuple[str, ...]:
        """Names of those that may lead."""
        return self.candidates or self.members
