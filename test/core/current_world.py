"""A CurrentPilot's block in a loop with a simulated EVSE-DIN board, seen as raw_world.py is."""

from __future__ import annotations

import math

from raw_world import Load, RawWorld

from charger_control.core.heard import Heard
from charger_control.core.iso61851.current_pilot import CurrentPilotConfig, CurrentPilotControl
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.sim.boards.evse_din import BoardParameters
from charger_control.sim.offline.links import BoardLink, LinkParameters
from charger_control.sim.plant.plant import Plant

TICK = 0.05
"""s between two ticks of the block, and of everything else."""
LAG = 0.6
"""s by which a board that is asked five times a second, and decides by itself, may be later."""


class CurrentWorld:
    """What iso61851/test_timing.py needs of a RawWorld, for a board with its own contactor."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.turn = TICK
        self.plant = Plant(now=self.now)
        # it leaves to us what it could do by itself
        self.board = BoardLink(self.plant, 0.01, LinkParameters(), self.now,
                               BoardParameters(stop_time=math.inf))
        self.control = CurrentPilotControl(CurrentPilotConfig())
        self.offer = 0.0
        self.quiet: set[str] = set()
        self.vehicle: Load | None = None
        self.events, self.changes, self.seen = [], [], {}

    def plug(self, letter: str) -> None:
        self.vehicle = Load(letter)
        self.plant.plug_in(self.vehicle, self.now)

    def unplug(self) -> None:
        self.vehicle = None
        self.plant.unplug(self.now)

    run, until, first, was_only, _note = (
        RawWorld.run, RawWorld.until, RawWorld.first, RawWorld.was_only, RawWorld._note)

    def step(self) -> None:
        self.now = round(self.now + TICK, 6)
        self.plant.step(self.now)
        self.board.step(self.now)
        control = self.control
        if 'available' not in self.quiet:
            control.hear_available(Heard(AvailableAmperage(
                self.offer, self.offer, self.offer > 0.0), self.now))
        control.hear_hw(Heard(AmperageLimit(32.0), self.now))
        control.hear_meter(Heard(MeterReading(amperage=self.plant.amperage), self.now))
        if 'block' not in self.quiet:
            result = control.step(self.now, self.board.latest(), '')
            self.board.offer(result.offer, self.now)
            if result.open_contactor:
                self.board.open_contactor(self.now)
            if result.pilot is not None:
                self._note(fault=result.pilot.fault, status=result.pilot.charge_controller_status,
                           signaled=round(result.pilot.signaled_amperage, 3))
        self._note(pilot={1.0: 'X1', 0.0: 'F'}.get(self.plant.duty, 'X2'),
                   contactor='closed' if self.plant.contactor.closed else 'open')


def looser(line: dict[str, object]) -> dict[str, object]:
    """An expectation with the board's own time in it; what must not be earlier still must not."""
    for name in ('between', 'after'):
        if name in line:
            low, high = line[name]
            return {**line, name: [low - (TICK if low > 0.0 else 0.0), high + LAG]}
    return {**line, 'stays': max(0.0, line['stays'] - LAG), 'settle': LAG}
