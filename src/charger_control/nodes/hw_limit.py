"""The hw_limit node: the most that fuse, cable, phases, temperature and terminals allow."""

from __future__ import annotations

import math
from typing import Any

from charger_control.core.heard import Heard
from charger_control.core.hw_limit import HwLimitConfig, step
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.terminals import TerminalWatch
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import CONTROL_PILOT, LIMIT_HW, METER
from charger_control.ros.node import BlockNode
from charger_control.ros.parameters import Param, Required
from charger_control.ros.runner import run
from charger_control.store import Store, StoreError, store_file

ROOM, KEY = 'hw_limit', 'source_resistance'
REWRITE_PERIOD = 60.0
"""s between two writes of what was learned of the terminals."""

PARAMS = (
    Param('fuse', Required(float), 'the least of fuse, wiring and contactor, per phase', 'A',
          low=6.0, high=80.0, fixed=False),
    Param('phases', Required(int), 'phases connected to this charge point', low=1, high=3),
    Param('cable', Required(float), 'rating of the tethered cable; .nan for a socket, where the '
          'proximity pilot tells it', 'A', low=6.0, high=80.0, nan=True, fixed=False),
    Param('derating_from', float('nan'), 'board temperature from which the limit falls; .nan: no '
          'sensor', 'degrees C', low=-40.0, high=150.0, nan=True, fixed=False),
    Param('derating_to', float('nan'), 'board temperature at which 6 A are left, above it 0',
          'degrees C', low=-40.0, high=150.0, nan=True, fixed=False),
    Param('rate', 1.0, 'how often the limit is repeated', 'Hz', low=0.5, high=20.0),
    Param('state_dir', '', 'where the source resistance is kept; empty: '
          '~/.local/state/charger_control/<namespace>'),
)


def config_of(values: dict[str, Any]) -> HwLimitConfig:
    """The block's configuration from the parameters; ValueError for a bad combination."""
    return HwLimitConfig(values['fuse'], values['phases'], values['cable'],
                         values['derating_from'], values['derating_to'])


class HwLimit(BlockNode):
    """Publishes limits/hw at its rate, and at once when the limit falls."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('hw_limit', PARAMS, **kwargs)
        self._config = self.checked(config_of)
        self._pilot: Heard[ControlPilot] | None = None
        self._last = AmperageLimit(0.0)
        self._terminals = TerminalWatch(self.values['phases'])
        self._store = Store(store_file(self.values['state_dir'], self.get_namespace()))
        self._trouble = self._recall()
        self._written, self._write_at = self._terminals.version, -math.inf
        self._publish = self.publisher(LIMIT_HW)
        self.hear(CONTROL_PILOT, self._on_pilot)
        self.hear(METER, self._on_meter)
        self.every(self.values['rate'], self._step)

    def parameters_changed(self, values: dict[str, Any]) -> None:
        """Takes new figures at once."""
        self._config = config_of(values)
        self._step()

    def _on_pilot(self, heard: Heard[ControlPilot]) -> None:
        self._pilot = heard
        if self._limit().amperage != self._last.amperage:
            self._step()

    def _on_meter(self, heard: Heard[MeterReading]) -> None:
        version = self._terminals.version
        self._terminals.hear(heard)
        if version != self._terminals.version:
            self._trouble = ''
            self._step()

    def _recall(self) -> str:
        """What was learned before the last end; returns what stands in the way, '' for nothing."""
        try:
            stored = self._store.get(ROOM, KEY)
            if stored is not None:
                self._terminals.restore(stored)
        except (StoreError, ValueError) as error:
            return f'the source resistance is learned anew: {error}'
        return ''

    def _limit(self) -> AmperageLimit:
        return step(self._config, self.now(), self._pilot, self._terminals.loose())

    def _step(self) -> None:
        now, version = self.now(), self._terminals.version
        self._last = self._limit()
        self._publish(self._last)
        if version != self._written and now >= self._write_at:
            self._written, self._write_at = version, now + REWRITE_PERIOD
            self._store.put(ROOM, KEY, self._terminals.stored())

    def close(self) -> None:
        """Has what was learned written, closes the store."""
        if self._terminals.version != self._written:
            self._store.put(ROOM, KEY, self._terminals.stored())
        self._store.close()

    def make_safe(self, why: str) -> None:
        """Nothing is allowed."""
        self._last = AmperageLimit(0.0, reason=why)
        self._publish(self._last)

    def health(self) -> list[Health]:
        """The limit and what bounds it."""
        level = Level.OK if self._last.amperage > 0.0 else Level.WARN
        loose = self._terminals.loose()
        words = f'loose terminal? {loose}: have it looked at' if loose else (
            self._trouble or self._store.problem())
        return [Health('limit', level, self._last.reason or 'no step yet',
                       {'amperage': f'{self._last.amperage:g}'}),
                Health('terminals', Level.WARN if words else Level.OK, words or 'OK',
                       {'file': self._store.file})]


def main() -> int:
    """Runs the node in its own process."""
    return run([HwLimit])
