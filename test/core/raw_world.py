"""A RawPilot's guard and block in a loop with the simulated charge point, in fake time."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace

from charger_control.core.heard import Heard
from charger_control.core.iso61851.raw.block import RawPilotConfig, RawPilotControl
from charger_control.core.iso61851.raw.guard import GuardConfig, PilotGuard
from charger_control.core.iso61851.raw.types import Levels, RawOrder
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.sim.plant.contactor import ContactorParameters
from charger_control.sim.plant.ev import Ev
from charger_control.sim.plant.ev_parameters import vehicle_of
from charger_control.sim.plant.pilot_line import levels
from charger_control.sim.plant.plant import Plant, PlantParameters

TICK = 0.05
"""s between two ticks of the block."""


class Load:
    """What loads the pilot as a test says, and draws what it says while there is voltage."""

    def __init__(self, letter='B', amperage=0.0):
        self.letter, self.wanted = letter, amperage
        self.parameters = SimpleNamespace(diode_shorted=False)
        self.amperage, self.power = (0.0, 0.0, 0.0), 0.0

    def plug_in(self, now):
        pass

    def step(self, now, duty, voltage):
        self.amperage = tuple(self.wanted if volts > 100.0 else 0.0 for volts in voltage)
        return self.letter, self.amperage


class RawWorld:
    """Thread turns every ``turn`` s, the block every TICK s. ``changes`` holds all that changed."""

    def __init__(self, *, turn=0.005, feedback=True, meter=True, switchable=False, noise=0.0,
                 guard=None, contactor=None, latched='', **config):
        self.now, self.turn, self.has_feedback, self.has_meter = 1000.0, turn, feedback, meter
        self.noise, self.random = noise, random.Random(7)
        self.plant = Plant(PlantParameters(contactor=contactor or ContactorParameters(
            close_time=0.02, open_time=0.01, feedback_delay=0.08)), now=self.now)
        self.guard = PilotGuard(guard or GuardConfig(phases=1 if switchable else 3))
        self.control = RawPilotControl(RawPilotConfig(**config), latched)
        self.order = Heard(RawOrder(), -math.inf)
        self.phases_wished, self.offer, self.hw = 0, 0.0, 32.0
        self.quiet = set()          # of 'available', 'hw', 'meter', 'block', 'samples'
        self.levels = None          # V, V instead of the plant's
        self.measured = None        # A on L1..L3 instead of the plant's
        self.reading, self.error, self.result, self.published = None, '', None, None
        self.events, self.changes, self.seen = [], [], {}
        self.ticked_at = -math.inf
        self.vehicle = None

    # -- the vehicle ---------------------------------------------------------------------------
    def plug(self, vehicle='ideal', **changes):
        """Plugs in a preset by name, or a Load by letter; returns it."""
        if len(vehicle) == 1:
            self.vehicle = Load(vehicle, **changes)
        else:
            self.vehicle = Ev(vehicle_of({'preset': vehicle, **changes}), self.now)
        self.plant.plug_in(self.vehicle, self.now)
        return self.vehicle

    def unplug(self):
        self.vehicle = None
        self.plant.unplug(self.now)

    # -- time ----------------------------------------------------------------------------------
    def run(self, seconds):
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.step()
        return self

    def until(self, condition, at_most):
        """Runs until ``condition()``; returns s that it took."""
        start = self.now
        while not condition():
            assert self.now - start <= at_most, f'not within {at_most} s: {self.seen}'
            self.step()
        return self.now - start

    def step(self):
        self.now = round(self.now + self.turn, 6)
        self.plant.step(self.now)
        feedback = self.plant.contactor.feedback if self.has_feedback else None
        out = self.guard.step(self.now, self._sample(), self.order, feedback)
        self.plant.duty = out.duty
        self.plant.contactor.command(out.contactor, self.now)
        self.plant.phases_on = out.phases
        self.plant.step(self.now)
        if 'samples' not in self.quiet:
            self.reading = Heard(self.guard.reading(feedback), self.now)
        if self.now - self.ticked_at >= TICK - 1e-9 and 'block' not in self.quiet:
            self.tick()
        self._note(commanded=out.contactor, pilot=self._pilot(out.duty), phases=out.phases,
                   contactor='closed' if self.plant.contactor.closed else 'open')

    def tick(self):
        self.ticked_at = self.now
        if 'available' not in self.quiet:
            self.control.hear_available(Heard(AvailableAmperage(
                self.offer, self.offer, self.offer > 0.0, self.phases_wished), self.now))
        if 'hw' not in self.quiet:
            self.control.hear_hw(Heard(AmperageLimit(self.hw), self.now))
        if self.has_meter and 'meter' not in self.quiet:
            self.control.hear_meter(Heard(MeterReading(
                amperage=self.measured or self.plant.amperage), self.now))
        self.result = self.control.step(self.now, self.reading, self.error)
        self.order = Heard(self.result.order, self.now)
        self.events += self.result.events
        if self.result.pilot is not None:
            self.published = self.result.pilot
            self._note(fault=self.published.fault, letter=self.published.vehicle_status,
                       status=self.published.charge_controller_status,
                       signaled=round(self.published.signaled_amperage, 3))

    # -- what is seen --------------------------------------------------------------------------
    def kinds(self):
        return [event.kind.name for event in self.events]

    def first(self, name, value, since=-math.inf):
        """When ``name`` first was ``value`` from ``since`` s on, inf for never."""
        holds = None
        for at, changed, now_is in self.changes:
            if changed != name:
                continue
            if at <= since:
                holds = now_is
            elif holds == value:
                break
            elif now_is == value:
                return at
        return since if holds == value else math.inf

    def was_only(self, name, value, since, until):
        """Whether ``name`` was ``value`` all the time."""
        return self.first(name, value, since) == since and not any(
            changed == name and since < at < until for at, changed, _ in self.changes)

    def _sample(self):
        if 'samples' in self.quiet:
            return None
        high, low = self.levels or self.plant.pilot_levels
        if self.noise:
            high, low = (v + self.random.gauss(0.0, self.noise) for v in (high, low))
        return Levels(self.now, high, low)

    def _note(self, **values):
        for name, value in values.items():
            if name not in self.seen or self.seen[name] != value:
                self.seen[name] = value
                self.changes.append((self.now, name, value))

    @staticmethod
    def _pilot(duty):
        return {1.0: 'X1', 0.0: 'F'}.get(duty, 'X2')

    # -- states to begin with ------------------------------------------------------------------
    def charging(self, amperage=15.0, offer=16.0):
        """A load in C, contactor closed, drawing for long."""
        self.run(0.5)
        self.offer = offer
        self.plug('B')
        self.run(1.0)
        self.vehicle.letter, self.vehicle.wanted = 'C', amperage
        self.until(lambda: self.plant.contactor.closed, 4.0)
        return self.run(8.0)


def shape(letter, duty=0.2667):
    """The plateaus of a state, V, V."""
    return levels(letter, duty)
