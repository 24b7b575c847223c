"""The vcse node: what the team may draw together, from fuse, other loads and what is above it."""

from __future__ import annotations

import math
from typing import Any

from charger_control.core.fiscal_meter import MeterReading
from charger_control.core.heard import Heard
from charger_control.core.limits import UNKNOWN_PHASES, Phases
from charger_control.core.team import TeamRequest
from charger_control.core.vcse import TeamBudget, VcseConfig
from charger_control.core.vcse import Vcse as Budgeter
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import GRID_METER, VCSE_BUDGET, VCSE_REQUEST
from charger_control.ros.node import BlockNode
from charger_control.ros.parameters import Param, Required
from charger_control.ros.runner import run

DRAWN_TIMEOUT = 5.0
"""s for which what the team says it draws counts; after that its draw counts as other loads."""

PARAMS = (
    Param('team', 'team', 'the team whose supply this is'),
    Param('fuse', Required(list), "what the team's supply carries on L1 L2 L3", 'A', low=0.0,
          high=10_000.0, length=3),
    Param('grid_meter', False, 'a grid meter (a second fiscal_meter) is there and counts'),
    Param('grid_fuse', [0.0, 0.0, 0.0], 'what the point of supply carries on L1 L2 L3; zeros: as '
          'fuse', 'A', low=0.0, high=10_000.0, length=3),
    Param('grid_meter_has_team', True, 'the grid meter counts the team too, not only other loads'),
    Param('margin', 1.0, 'kept free on each phase beside the other loads', 'A', low=0.0,
          high=100.0),
    Param('other_loads_max', float('nan'), 'what the other loads are counted at while the grid '
          'meter is silent; .nan: all of grid_fuse', 'A', low=0.0, high=10_000.0, nan=True),
    Param('grid_meter_silent', 3.0, 'silence of the grid meter until the budget does not rise',
          's', low=0.5, high=60.0),
    Param('grid_meter_lost', 10.0, 'silence of the grid meter until other_loads_max counts', 's',
          low=1.0, high=300.0),
    Param('valid_for', 10.0, 'how long a budget holds', 's', low=2.0, high=60.0),
    Param('rate', 1.0, 'how often the budget is repeated', 'Hz', low=0.5, high=10.0),
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
        grid_meter_has_team=values['grid_meter_has_team'],
        other_loads_max=most if most >= 0.0 else None,
        grid_meter_silent=values['grid_meter_silent'], grid_meter_lost=values['grid_meter_lost'],
        valid_for=values['valid_for'])


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
        self._publish = self.publisher(VCSE_BUDGET)
        self.hear(VCSE_REQUEST, self._on_request)
        if self._config.grid_meter:
            self.hear(GRID_METER, self._on_grid)
        self.every(self.values['rate'], self._step)
        self._step()

    def _on_request(self, heard: Heard[TeamRequest]) -> None:
        if heard.value.team == self._config.team:
            self._request = heard

    def _on_grid(self, heard: Heard[MeterReading]) -> None:
        if not heard.value.error:
            self._grid_at = heard.at
        drawn = UNKNOWN_PHASES
        if self._request is not None and self._request.silence(heard.at) <= DRAWN_TIMEOUT:
            drawn = self._request.value.amperage
        self._vcse.hear_grid(heard, drawn)
        before = self._budget
        after = self._vcse.step(self.now())
        if before is None or any(a < b for a, b in zip(after.amperage, before.amperage,
                                                       strict=True)):
            self._step()

    def _step(self) -> None:
        self._budget = self._vcse.step(self.now())
        self._publish(self._budget)

    def health(self) -> list[Health]:
        """The budget and what bounds it."""
        if self._budget is None:
            return [Health('budget', Level.WARN, 'no step yet')]
        reason, silence = self._budget.reason, self.now() - self._grid_at
        level = Level.WARN if 'no dimming heartbeat' in reason else Level.OK
        if self._config.grid_meter and silence > self._config.grid_meter_silent:
            level = Level.WARN
            if 'grid meter' not in reason:  # the fuse is lower still
                reason += f'; grid meter silent for {silence:.0f} s'
        return [Health('budget', level, reason, {
            'amperage': ' '.join(f'{a:.1f}' for a in self._budget.amperage),
            'refused': self._vcse.refused, 'last_refusal': self._vcse.last_refusal})]


def main() -> int:
    """Runs the node in its own process."""
    return run([Vcse])
