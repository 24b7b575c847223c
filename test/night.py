"""A charge point through a night: vehicles come and go, devices fail, and a witness keeps count."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace

from charger_control.core.cppwm_controller import Allocation
from charger_control.core.heard import Heard
from charger_control.core.moment import Moment
from charger_control.core.session import Session
from charger_control.core.session.types import SessionConfig, SessionRecord
from charger_control.sim.meters.register_device import MeterParameters
from charger_control.sim.offline.loop import QUIET_MAINS, Loop, LoopParameters
from charger_control.sim.plant.ev import Ev
from charger_control.sim.plant.population import random_vehicle

METER_CLASS = 0.01
"""Ratio: class B (EN 50470-3)."""
RESOLUTION = 0.001
"""kWh, of the register."""
WALL = 1_767_225_600.0
SESSION_EVERY = 5
OBEYED_WITHIN = 1.0
"""s in which a lower limit must be signaled: two ticks, a write of the board, and a poll."""


@dataclass
class Visit:
    """What truly happened between plug-in and unplug: times in s, the vehicle's own kWh."""

    plugged_at: float
    vehicle: Ev
    unplugged_at: float = math.nan
    causes: set[str] = field(default_factory=set)


class Night:
    """One charge point, seeded."""

    def __init__(self, seed: int, *, pace: float = 1.0) -> None:
        """``pace``: how much more often than in a quiet night something happens."""
        self.chance = random.Random(f'night/{seed}')
        self.pace = pace
        # the meter's error takes most of its class
        gain = 1.0 + self.chance.uniform(-0.8, 0.8) * METER_CLASS
        self.loop = Loop(LoopParameters(
            board_step=self.chance.choice((0.01, 0.06, 1.0)), plant=replace(
                QUIET_MAINS, meter_gain=gain),
            meter=MeterParameters(refresh=self.chance.choice((0.2, 1.0)), resolution=RESOLUTION),
            seed=seed))
        self.loop.limit = 16.0
        self.session = Session(SessionConfig(), lambda: str(len(self.visits)))
        self.visits: list[Visit] = []
        self.records: dict[str, SessionRecord] = {}
        self.events = 0
        self.above_limit = 0.0
        self._limits: list[tuple[float, float]] = []    # s, A of min(HW limit, cable)
        self._heard: tuple[object, object] = (None, None)
        self._next = self._pause(60.0)
        self._next_visit = 5.0
        self._shorted_until = self._unreliable_until = -math.inf

    def run(self, duration: float) -> Night:
        """``duration`` s later, and the last vehicle unplugged."""
        while self.loop.now < duration:
            self.tick()
        self._shorted_until = self.loop.now
        while self.loop.now < self._quiet_from() + 5.0:
            self.tick(eventful=False)
        if self.loop.station.plant.vehicle is not None:
            self._unplug()
        end = self.loop.now + 30.0
        while self.loop.now < end:
            self.tick(eventful=False)
        return self

    def tick(self, *, eventful: bool = True) -> None:
        now = self.loop.now
        if now >= self._shorted_until:
            self.loop.station.plant.pilot_shorted = False
        if eventful and now >= self._next:
            self._next = now + self._pause(120.0)
            self._happen()
        if eventful and now >= self._next_visit and now >= self._quiet_from():
            self._come_or_go()
        self.loop.step()
        self._tell_session()
        self._witness()

    # -- what happens ----------------------------------------------------------------------------
    def _pause(self, usual: float) -> float:
        return self.chance.expovariate(self.pace / usual)

    def _quiet_from(self) -> float:
        """s from when board and pilot can be heard again."""
        station = self.loop.station
        return max(station.board.down_until, self._shorted_until, self._unreliable_until) + 3.0

    def _come_or_go(self) -> None:
        self.events += 1
        if self.loop.station.plant.vehicle is None:
            vehicle = self.loop.station.plug_in(random_vehicle(self.chance, oddity=0.1))
            self.visits.append(Visit(self.loop.now, vehicle))
            self._next_visit = self.loop.now + 120.0 + self._pause(5400.0)
        else:
            self._unplug()
            self._next_visit = self.loop.now + 20.0 + self._pause(600.0)

    def _unplug(self) -> None:
        self.loop.station.plant.unplug(self.loop.now)
        self.visits[-1].unplugged_at = self.loop.now

    def _happen(self) -> None:
        self.events += 1
        loop, chance, now = self.loop, self.chance, self.loop.now
        kind = chance.choice(('limit', 'limit', 'limit', 'stop', 'hw', 'trim', 'meter', 'meter',
                              'board', 'short', 'reset', 'derated'))
        if kind == 'limit':
            loop.limit = round(chance.uniform(6.0, 32.0), 1)
        elif kind == 'stop':
            loop.limit = chance.choice((0.0, math.nan))
        elif kind == 'hw':
            loop.hw_amperage = chance.choice((32.0, 32.0, 25.0, 16.0, 10.0))
        elif kind == 'trim':
            loop.allocation = chance.choice((None, Allocation(chance.uniform(6.0, 32.0), 1.0),
                                             Allocation(32.0, chance.uniform(0.0, 3.0))))
        elif kind == 'meter':
            loop.station.meter.down_until = now + chance.choice((1.0, 4.0, 15.0, 70.0))
        elif kind == 'board':
            loop.station.board.down_until = now + chance.choice((0.5, 1.5, 4.0, 20.0))
        elif kind == 'short' and now >= self._quiet_from() and loop.station.plant.vehicle:
            self._shorted_until = now + chance.uniform(1.0, 10.0)
            loop.station.plant.pilot_shorted = True
            self.visits[-1].causes.add('CpShortCircuit')
        elif kind == 'reset':
            loop.station.board.board.reset(now, 'reset')
            self._unreliable_until = now + 1.0
        elif loop.station.plant.vehicle is not None:
            loop.station.plant.vehicle.change(
                {'maximum_amperage': chance.choice((0.0, 10.0, 16.0, 32.0))})

    # -- who listens -----------------------------------------------------------------------------
    def _tell_session(self) -> None:
        loop, now = self.loop, self.loop.now
        pilot, reading = self._heard
        if loop.pilot is not None and loop.pilot is not pilot:
            self.session.hear_pilot(Heard(loop.pilot, now))
        if loop.reading is not None and loop.reading is not reading:
            self.session.hear_meter(loop.reading)
        self._heard = (loop.pilot, loop.reading)
        if loop.station.ticks % SESSION_EVERY:
            return
        self.session.hear_decision(Heard(loop.result.decision, now))
        for record in self.session.step(Moment('boot', now, WALL + now, True)):
            self.records[record.transaction.session_id] = record

    def _witness(self) -> None:
        """Counts the time for which more is signaled than was ever allowed in the last second."""
        loop, station = self.loop, self.loop.station
        self._limits.append((loop.now, min(loop.hw_amperage, 32.0)))
        while self._limits[0][0] < loop.now - OBEYED_WITHIN:
            self._limits.pop(0)
        heard = loop.now > max(station.board.down_until, self._unreliable_until) + OBEYED_WITHIN
        if heard and station.signaled > max(a for _, a in self._limits) + 1e-6:
            self.above_limit += 0.05

    # -- the reckoning ---------------------------------------------------------------------------
    def faults(self) -> list[str]:
        """What the record has lost or got wrong, in words; [] in a good night."""
        wrong = []
        if len(self.records) != len(self.visits):
            wrong.append(f'{len(self.visits)} visits, {len(self.records)} sessions on record')
        for visit, record in zip(self.visits, self.records.values(), strict=False):
            transaction = record.transaction
            where = f'visit from {visit.plugged_at:.1f} to {visit.unplugged_at:.1f} s'
            for name, told, true in (('began', transaction.started_time, visit.plugged_at),
                                     ('ended', transaction.ended_time, visit.unplugged_at)):
                if not 0.0 <= told - WALL - true <= 2.0:
                    wrong.append(f'{where}: {name} at {told - WALL:.1f} s')
            if transaction.stop_reason != 'EVDisconnected':
                wrong.append(f'{where}: stop_reason {transaction.stop_reason}')
            if visit.causes and transaction.recent_error_cause == '':
                wrong.append(f'{where}: {visit.causes} is not on record')
            error = self.energy_error(visit, record)
            if error > 1.0:
                wrong.append(f'{where}: energy {error:.2f} of what is allowed')
        if self.above_limit > 0.0:
            wrong.append(f'signaled above min(HW limit, cable) for {self.above_limit:.2f} s')
        return wrong

    @staticmethod
    def energy_error(visit: Visit, record: SessionRecord) -> float:
        """The error of the session's energy against the vehicle's, as a share of what is allowed:
        the meter's class, one step of the register at each end."""
        told = record.transaction.meter_stop - record.transaction.meter_start
        true = visit.vehicle.energy
        return abs(told - true) / (METER_CLASS * true + 2.0 * RESOLUTION)
