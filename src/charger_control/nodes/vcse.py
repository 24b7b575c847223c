"""The vcse node: what the team may draw together, from fuse, other loads and what is above it."""

from __future__ import annotations

import math
from typing import Any

from charger_control.core import voices
from charger_control.core.heard import Heard
from charger_control.core.messages.budget import Dimming, TeamBudget
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamAllocation, TeamRequest
from charger_control.core.senders import Voices
from charger_control.core.units import Phases
from charger_control.core.vcse import Vcse as Budgeter
from charger_control.core.vcse import VcseConfig
from charger_control.core.vcse.grid_watch import DRAWN_TIMEOUT
from charger_control.nodes import team_parent
from charger_control.nodes.team_member import first_sequence
from charger_control.nodes.team_parent import ParentTeam
from charger_control.ros.convert import duration
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import (
    GRID_METER,
    PARENT_ALLOCATION,
    PARENT_REQUEST,
    SET_DIMMING,
    VCSE_BUDGET,
    VCSE_REQUEST,
)
from charger_control.ros.node import Answer, BlockNode
from charger_control.ros.parameters import Param, Required
from charger_control.ros.runner import run
from charger_control.store.place import store_file
from charger_control.store.store import Store

LISTEN = 5.0
"""s after its start in which a reading of the grid meter waits for what the team draws, and the
budget for the reading: until then the team has the budget of before."""
NOTABLE = 0.1
"""A by which a budget must have fallen to be said before its turn (`rate`): the team answers each
fall with a list and a request, so a slow one would go round a hundred times a second."""
LOOK = 10.0
"""Hz at which is looked whether a request to the team above is due."""

PARAMS = (
    Param('team', 'team', 'the team whose supply this is'),
    Param('fuse', Required(list), "what the team's supply carries on L1 L2 L3 for ever: its rating "
          'after derating for temperature and for others beside it', 'A', low=0.0,
          high=10_000.0, length=3),
    Param('grid_meter', False, 'a grid meter (a second fiscal_meter) is there and counts'),
    Param('grid_fuse', [0.0, 0.0, 0.0], 'what the point of supply carries on L1 L2 L3; zeros: as '
          'fuse', 'A', low=0.0, high=10_000.0, length=3),
    Param('grid_meter_has_team', True, 'the grid meter counts the team too, not only other loads'),
    Param('feed_in', True, 'something behind the grid meter may feed in (sun, battery, generator): '
          'then its total power alone guards no fuse; false only where nothing can'),
    Param('margin', 1.0, 'kept free on each phase beside the other loads', 'A', low=0.0,
          high=100.0),
    Param('other_loads_max', float('nan'), 'what the other loads are counted at while the grid '
          'meter is silent; .nan: all of grid_fuse', 'A', low=0.0, high=10_000.0, nan=True),
    Param('other_loads_rise', 10.0, 'how long the other loads must have risen before that counts; '
          'one that leads above the fuse counts as soon as a second reading agrees', 's', low=0.0,
          high=60.0),
    Param('other_loads_fall', 30.0, 'how long they must have fallen before that counts; a load '
          'that comes and goes counts as on for longer each time, up to 900 s', 's', low=0.0,
          high=900.0),
    Param('vehicle_fall_time', 6.0, 'time that a vehicle may take to obey a lower signal', 's',
          low=0.5, high=30.0),
    Param('grid_meter_silent', 3.0, 'silence of the grid meter until the budget does not rise',
          's', low=0.5, high=60.0),
    Param('grid_meter_lost', 10.0, 'silence of the grid meter until other_loads_max counts', 's',
          low=1.0, high=300.0),
    Param('dimming', False, 'a power limit from outside is expected (service set_dimming), with a '
          'heartbeat'),
    Param('dimming_timeout', 120.0, 'time without a heartbeat until dimming_failsafe_power counts',
          's', low=1.0, high=3600.0),
    Param('dimming_failsafe_power', 4200.0, 'what the team may draw together without a heartbeat, '
          'also before the first', 'W', low=0.0, high=10_000_000.0),
    *team_parent.PARAMS,
    Param('valid_for', 10.0, 'how long a budget holds', 's', low=2.0, high=60.0),
    Param('rate', 1.0, 'how often the budget is repeated', 'Hz', low=0.5, high=10.0),
    Param('state_dir', '', 'where the number of starts is kept, with a parent; empty: '
          '~/.local/state/charger_control/<namespace>'),
)


def config_of(values: dict[str, Any]) -> VcseConfig:
    """The block's configuration from the parameters; ValueError for a bad combination."""
    if values['grid_meter_lost'] < values['grid_meter_silent']:
        raise ValueError(f'vcse.grid_meter_lost = {values["grid_meter_lost"]} must not be below '
                         f'vcse.grid_meter_silent = {values["grid_meter_silent"]}')
    most = values['other_loads_max']
    return VcseConfig(
        team=values['team'], fuse=_phases(values['fuse']), margin=values['margin'],
        grid_meter=values['grid_meter'],
        grid_fuse=_phases(values['grid_fuse']) if any(values['grid_fuse']) else None,
        grid_meter_has_team=values['grid_meter_has_team'], feed_in=values['feed_in'],
        other_loads_max=most if most >= 0.0 else None,
        other_loads_rise=values['other_loads_rise'], other_loads_fall=values['other_loads_fall'],
        vehicle_fall_time=values['vehicle_fall_time'],
        grid_meter_silent=values['grid_meter_silent'], grid_meter_lost=values['grid_meter_lost'],
        dimming=values['dimming'], dimming_timeout=values['dimming_timeout'],
        dimming_failsafe_power=values['dimming_failsafe_power'], parent=values['parent'],
        fall_time=values['fall_time'], valid_for=values['valid_for'])


def _phases(values: Any) -> Phases:
    first, second, third = (float(v) for v in values)
    return first, second, third


class Vcse(BlockNode):
    """Publishes vcse/budget at its rate, and at once when a phase falls."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('vcse', PARAMS, **kwargs)
        self._config = self.checked(config_of)
        self._vcse = Budgeter(self._config)
        self._budget: TeamBudget | None = None
        self._request: Heard[TeamRequest] | None = None
        self._grid_at = -math.inf
        self._listen_until = self.now() + LISTEN if self._config.grid_meter else -math.inf
        self._dimming_voices = Voices(voices.dimming(self._config.dimming_timeout))
        self._dimmed_by = ''
        self._publish = self.publisher(VCSE_BUDGET)
        self.hear(VCSE_REQUEST, self._on_request)
        if self._config.grid_meter or self._config.dimming:
            self.hear(GRID_METER, self._on_grid)
        self.serve(SET_DIMMING, self._on_dimming)
        self._parent = self._join() if self._config.parent else None
        self.every(self.values['rate'], self._step)
        self._step()

    def _join(self) -> ParentTeam:
        store = Store(store_file(self.values['state_dir'], self.get_namespace()))
        sequence = first_sequence(store, self.wall(), team_parent.ROOM)
        store.close()
        self.hear(PARENT_ALLOCATION, self._on_parent)
        self.every(LOOK, self._ask)
        return ParentTeam(self.values, self.now(), sequence, self.publisher(PARENT_REQUEST))

    # -- inputs ----------------------------------------------------------------------------------
    def _on_request(self, heard: Heard[TeamRequest]) -> None:
        if heard.value.member != self._config.team:
            return
        before = self._request
        if before is not None and before.silence(heard.at) <= DRAWN_TIMEOUT and (
                heard.value.accepted_term < before.value.accepted_term):
            return  # of a leader that does not know yet that it leads no more
        self._request = heard
        self._vcse.hear_team(heard)
        self._look()

    def _on_grid(self, heard: Heard[MeterReading]) -> None:
        if (heard.at < self._listen_until and self._config.grid_meter_has_team
                and self._request is None):
            return
        if not self._vcse.hear_grid(heard):
            self._grid_at = heard.at
        self._look()

    def _on_parent(self, heard: Heard[TeamAllocation]) -> None:
        if self._parent is not None and self._parent.hear(heard):
            self._step()

    def _on_dimming(self, request: Any, reply: Answer) -> None:
        """A heartbeat. What is refused is silence: the last one runs out."""
        if not self._config.dimming:
            reply(success=False, code='NotConfigured', message='vcse.dimming is false: no power '
                  'limit is expected here. Set it to true, then the failsafe counts too')
            return
        word = Heard(Dimming(request.power), self.now(), request.client)
        why = self._vcse.hear_dimming(self._dimming_voices.hear(word) or word)
        said = f'{request.client or "?"}: ' + (
            'no limit' if math.isnan(request.power) else f'{request.power:g} W')
        if why:
            self.get_logger().warning(f'dimming refused, {said}: {why}')
            reply(success=False, code='OutOfRange', message=why)
            return
        if said != self._dimmed_by:
            self._dimmed_by = said
            self.get_logger().info(f'dimming, {said}')
        self._step()
        reply(success=True, code='OK', message=f'holds for {self._config.dimming_timeout:g} s',
              timeout=duration(self._config.dimming_timeout))

    # -- the step --------------------------------------------------------------------------------
    def _look(self) -> None:
        """Steps where a phase has fallen since the last word; by less, at its turn."""
        if self._budget is None or self._next().fell(self._budget.amperage, NOTABLE):
            self._step()

    def _next(self) -> TeamBudget:
        now = self.now()
        return self._vcse.step(now, self._parent and self._parent.lends(now))

    def _step(self) -> None:
        if self.now() < self._listen_until and not self._vcse.knows_others:
            return
        self._budget = self._next()
        self._publish(self._budget)
        self._ask()

    def _ask(self) -> None:
        if self._parent is not None:
            self._parent.ask(self.now(), self._vcse, self._request)

    def health(self) -> list[Health]:
        """The budget and what bounds it."""
        if self._budget is None:
            return [Health('budget', Level.WARN, 'no step yet')]
        reason, silence = self._budget.reason, self.now() - self._grid_at
        level = Level.OK
        if 'no dimming heartbeat' in reason or 'no answer from the team' in reason:
            level = Level.WARN
        if self._config.grid_meter and silence > self._config.grid_meter_silent:
            level = Level.WARN
            if 'grid meter' not in reason:  # the fuse is lower still
                reason += f'; grid meter silent for {silence:.0f} s'
        return [Health('budget', level, reason, {
            'amperage': ' '.join(f'{a:.1f}' for a in self._budget.amperage),
            'dimming': self._dimmed_by or 'never heard', 'parent': self._config.parent or 'none',
            'refused': self._vcse.refused, 'last_refusal': self._vcse.last_refusal})]


def main() -> int:
    """Runs the node in its own process."""
    return run([Vcse])
