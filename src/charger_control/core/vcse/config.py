"""The supply of a team as it is configured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from charger_control.core.units import Phases


@dataclass(frozen=True, slots=True)
class VcseConfig:
    """The supply of a team. Amperages in A per phase, times in s.

    Attributes:
        team: whose budget this is.
        fuse: what the team's supply carries on each phase.
        margin: kept free on each phase where a grid meter is used.
        grid_meter: whether there is one at the point of supply.
        grid_fuse: what the point of supply carries on each phase, with a grid meter; None: fuse.
        grid_meter_has_team: the meter counts the team too; else the other loads only.
        feed_in: something behind the grid meter may feed in: then its total power alone guards no
            fuse (grid_current.py).
        other_loads_max: what the other loads may reach, counted while the meter is silent; None:
            all of ``grid_fuse``, so that nothing is left.
        other_loads_rise: how long the other loads must have risen before that counts: longer than
            the team takes to say what it draws, a takeover included. One that leads above the fuse
            counts as soon as a second reading agrees.
        other_loads_fall: how long they must have fallen before that counts; a load that comes and
            goes is counted as on for longer each time, up to 15 min (``other_loads.py``).
        vehicle_fall_time: how long a vehicle may take to obey a lower signal.
        grid_meter_silent: after that the budget does not rise.
        grid_meter_lost: after that ``other_loads_max`` counts.
        dimming: whether a power limit with a heartbeat is expected.
        dimming_timeout: without a heartbeat for as long, the failsafe power counts.
        dimming_failsafe_power: W; also until the first heartbeat.
        parent: name of the team that this one is a member of; '' for none.
        fall_time: how long the team may take to obey a lower budget, towards its parent: valid_for
            of its leases, fall_time of its vehicles, margin.
        valid_for: how long a budget holds.
    """

    team: str
    fuse: Phases
    margin: float = 1.0
    grid_meter: bool = False
    grid_fuse: Phases | None = None
    grid_meter_has_team: bool = True
    feed_in: bool = True
    other_loads_max: float | None = None
    other_loads_rise: float = 10.0
    other_loads_fall: float = 30.0
    vehicle_fall_time: float = 6.0
    grid_meter_silent: float = 3.0
    grid_meter_lost: float = 10.0
    dimming: bool = False
    dimming_timeout: float = 120.0
    dimming_failsafe_power: float = 4200.0
    parent: str = ''
    fall_time: float = 18.0
    valid_for: float = 10.0

    def __post_init__(self) -> None:
        if self.parent == self.team:
            raise ValueError(f'parent {self.parent!r} of team {self.team!r}: a team cannot supply '
                             'itself; name the team above it, or none')
        fuses = (*self.fuse, *(self.grid_fuse or ()))
        for name, values in (
                ('fuse, grid_fuse', fuses), ('margin', (self.margin,)),
                ('other_loads_max', () if self.other_loads_max is None else (
                    self.other_loads_max,)),
                ('other_loads_rise, other_loads_fall', (self.other_loads_rise,
                                                        self.other_loads_fall)),
                ('dimming_failsafe_power', (self.dimming_failsafe_power,))):
            if not all(0.0 <= value < math.inf for value in values):
                raise ValueError(f'{name} {list(values)} of team {self.team!r} '
                                 '(allowed: numbers, 0 or more)')


def check_no_cycle(parents: Mapping[str, str]) -> None:
    """Refuses teams that supply each other in a circle.

    Args:
        parents: for each team the team that it is a member of; '' or absent for none.

    Raises:
        ValueError: names the circle.
    """
    for start in parents:
        path = [start]
        while above := parents.get(path[-1], ''):
            if above in path:
                circle = ' -> '.join([*path[path.index(above):], above])
                raise ValueError(f'teams supply each other in a circle: {circle}; '
                                 'one of them must have no parent')
            path.append(above)
