"""The team node: a candidate that leads its team when nobody else does, and shares the budget."""

from __future__ import annotations

import math
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import TeamAllocation, TeamRequest
from charger_control.core.team import (
    Leader,
    Member,
    MemberConfig,
    Role,
    SharingOptions,
    TeamConfig,
    lease_times,
)
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import (
    TEAM_ALLOCATION,
    TEAM_REQUEST,
    VCSE_BUDGET,
    VCSE_REQUEST,
)
from charger_control.ros.node import BlockNode, member_name
from charger_control.ros.parameters import Param
from charger_control.ros.runner import run
from charger_control.store.place import store_file
from charger_control.store.store import Store

OPTIONS = ('admission_amperage', 'minimum_on_time', 'rotation_time', 'restart_time',
           'starving_time', 'yield_amperage', 'yield_time', 'reclaim_amperage',
           'short_time_factor', 'phases_back_at_once')
"""Parameters that are SharingOptions as they stand."""
BREAKER_FACTOR = 1.13
"""x its rated current is what any breaker carries for an hour (docs/sources.md)."""
ROOM, TERM = 'team', 'term'
"""Where the store keeps the last term."""
LOOK = 10.0
"""Hz at which is looked whether a term has reached the disk, or a cycle is due."""

PARAMS = (
    Param('team', 'team', 'name of the team'),
    Param('name', '', 'name of this candidate, unique in the team; empty: that of the namespace'),
    Param('members', [], 'names of all members of the team; empty: a team of one, this charger'),
    Param('candidates', [], 'names of those that may lead, the first to take over first; empty: '
          'all members'),
    Param('cycle', 1.0, 'time between two lists', 's', low=0.2, high=2.0),
    Param('failsafe_amperage', 0.0, 'reserved per phase for a member that was never heard', 'A',
          low=0.0, high=80.0),
    Param('fall_time', 6.0, "the longest that a member's vehicle may take to obey", 's', low=0.5,
          high=60.0),
    Param('admission_amperage', 0.0, 'what all admitted must still get before a further one is let '
          'in; 0: its minimum', 'A', low=0.0, high=80.0),
    Param('unbalance_limit', float('nan'), 'what the one-phase members of one phase may take above '
          'those of another; .nan: no limit', 'A', low=0.0, high=10_000.0, nan=True),
    Param('minimum_on_time', 210.0, 'one that was let in is not passed over for another before',
          's', low=0.0, high=3600.0),
    Param('rotation_time', 900.0, 'time after which one makes room for another that waits', 's',
          low=60.0, high=86_400.0),
    Param('restart_time', 210.0, 'how long one waits that was stopped because the budget fell', 's',
          low=0.0, high=3600.0),
    Param('starving_time', 3600.0, 'those that have waited longer come first', 's', low=60.0,
          high=86_400.0),
    Param('yield_amperage', 3.0, 'one that draws as much below its allocation gives the rest above '
          'drawn + yield_amperage away', 'A', low=0.5, high=32.0),
    Param('yield_time', 60.0, 'once it has drawn less for as long', 's', low=5.0, high=3600.0),
    Param('reclaim_amperage', 1.0, 'one that draws as near to its allocation asks its share back',
          'A', low=0.1, high=16.0),
    Param('short_time_factor', 1.13, 'what a phase carries for seconds, x what it carries: for '
          'vehicles that come back on a phase on which they did not draw (docs/team.md, Phases). '
          'Above 1.13 only with protection gG or curve', low=1.0, high=1.45),
    Param('protection', 'breaker', 'of the weakest fuse above this team: breaker (carries 1.13 for '
          "an hour), gG (a fuse), curve (a breaker, short_time_factor read from its maker's curve "
          'at 10 s)', choices=('breaker', 'gG', 'curve')),
    Param('phases_back_at_once', 1, 'how many vehicles may come back within 20 s on a phase on '
          'which they did not draw', low=1, high=100),
    Param('trim_amperage', float('nan'), 'the most trim a member is granted out of budget left '
          'over; .nan: 2 A for a team of one, else 0', 'A', low=0.0, high=6.0, nan=True),
    Param('state_dir', '', 'where the term is kept; empty: '
          '~/.local/state/charger_control/<namespace>'),
)


def config_of(values: dict[str, Any], name: str = '') -> TeamConfig:
    """The team from the parameters; ValueError for a bad combination.

    Args:
        values: of the parameters.
        name: of this candidate; '': that of the parameter, or still unknown.
    """
    trim, unbalance = values['trim_amperage'], values['unbalance_limit']
    if values['reclaim_amperage'] >= values['yield_amperage']:
        raise ValueError(f'team.reclaim_amperage = {values["reclaim_amperage"]} must be below '
                         f'team.yield_amperage = {values["yield_amperage"]}')
    if values['protection'] == 'breaker' and values['short_time_factor'] > BREAKER_FACTOR:
        raise ValueError(f'team.short_time_factor = {values["short_time_factor"]} with '
                         f'team.protection = breaker (allowed: up to {BREAKER_FACTOR}; more only '
                         "with protection gG, or curve where the breaker's maker states it)")
    name = name or values['name']
    members = tuple(values['members']) or (name or 'charger',)
    candidates = tuple(values['candidates'])
    if name and name not in (candidates or members):
        raise ValueError(f'team.name = {name!r} is not among team.candidates or team.members '
                         f'{list(candidates or members)}')
    return TeamConfig(values['team'], members, candidates,
                      failsafe_amperage=values['failsafe_amperage'],
                      fall_time=values['fall_time'],
                      trim_amperage=trim if trim >= 0.0 else None,
                      options=SharingOptions(
                          unbalance_limit=unbalance if unbalance >= 0.0 else math.inf,
                          **{option: values[option] for option in OPTIONS}))


class Team(BlockNode):
    """Hears requests and lists, steps the leader once a cycle and at once when somebody falls."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('team', PARAMS, **kwargs)
        self._name = name = member_name(self.values['name'], self.get_namespace())
        self._followed_at = -math.inf
        self._config = self.checked(lambda values: config_of(values, name))
        self._store = Store(store_file(self.values['state_dir'], self.get_namespace()))
        now = self.now()
        stored = self._store.recall(ROOM, TERM).get('number', 0)
        self._leader = Leader(self._config, name, now, int(stored))
        self._upward = Member(MemberConfig(f'{self._config.team}/vcse', self._config.team,
                                           times=lease_times(1)), now)
        self._budget: Heard[TeamBudget] | None = None
        # without a budget there is nothing to share: until the first one, or until no lease of
        # before this start can last, nobody is told anything, least of all to stop
        self._listen_until = now + self._config.lease.valid_for
        self._stepped_at = now - self.values['cycle']
        self._term_write: tuple[int, Future[None]] | None = None
        self._publish_list = self.publisher(TEAM_ALLOCATION)
        self._publish_total = self.publisher(VCSE_REQUEST)
        self.hear(TEAM_REQUEST, self._on_request)
        self.hear(TEAM_ALLOCATION, self._on_list)
        self.hear(VCSE_BUDGET, self._on_budget)
        self.every(LOOK, self._look)

    # -- inputs ----------------------------------------------------------------------------------
    def _on_request(self, heard: Heard[TeamRequest]) -> None:
        if self._leader.hear_request(heard.at, heard.value):
            self._step()

    def _on_list(self, heard: Heard[TeamAllocation]) -> None:
        if heard.value.team == self._config.team and heard.value.leader != self._name:
            self._followed_at = heard.at
        self._leader.hear_list(heard.at, heard.value)

    def _on_budget(self, heard: Heard[TeamBudget]) -> None:
        if heard.value.team != self._config.team:
            return
        before, self._budget = self._budget, heard
        if before is not None and heard.value.fell(before.value.amperage):
            self._step()

    # -- the cycle -------------------------------------------------------------------------------
    def _look(self) -> None:
        written = self._term_write is not None and self._term_write[1].done()
        if written or self.now() - self._stepped_at >= self.values['cycle'] - 0.01:
            self._step()

    def _step(self) -> None:
        now = self._stepped_at = self.now()
        if self._budget is None and now < self._listen_until:
            return
        if self._term_write is not None and self._term_write[1].done():
            term, future = self._term_write
            self._term_write = None
            # a term that is not on disk is never used, but where nobody else could use it
            if future.exception() is None or len(self._config.members) == 1:
                self._leader.persisted(now, term)
        step = self._leader.step(now, self._budget)
        if step.persist is not None and self._term_write is None:
            self._term_write = (step.persist, self._store.put(ROOM, TERM,
                                                              {'number': step.persist}))
        if step.allocation is not None:
            self._publish_list(step.allocation)
            if not math.isinf(self._leader.holding_for(now)):
                number, name = self._leader.term
                self._publish_total(replace(
                    self._upward.request(now, self._leader.total(now)),
                    accepted_term=number, accepted_leader=name))

    def close(self) -> None:
        """Closes the store."""
        self._store.close()

    def health(self) -> list[Health]:
        """Who leads, who is silent, who takes more than it was given."""
        diagnosis = self._leader.diagnosis
        number, leader = self._leader.term
        values = {'role': self._leader.role.name.lower(), 'term': number, 'leader': leader,
                  'members': len(self._config.members), 'namesakes': diagnosis.namesakes,
                  'refused_requests': diagnosis.refused_requests,
                  'last_refusal': diagnosis.last_refusal}
        leads = self._leader.role is Role.LEADING
        if leads and diagnosis.overdrawing:  # else it is of the time when this one led
            return [Health('team', Level.ERROR, 'drawing more than granted: '
                           + ', '.join(diagnosis.overdrawing), values)]
        now = self.now()
        if not leads and now - self._followed_at <= self._config.lease.valid_for:
            return [Health('team', Level.OK, 'following', values)]
        if not leads or math.isinf(self._leader.holding_for(now)):
            return [Health('team', Level.WARN, 'nobody leads: half of the members or more are '
                           'silent', values)]
        if diagnosis.silent:
            return [Health('team', Level.WARN, f'silent: {", ".join(diagnosis.silent)}', values)]
        return [Health('team', Level.OK, 'leading', values)]


def main() -> int:
    """Runs the node in its own process."""
    return run([Team])
