"""Fakes for the core tests: blocks whose inputs are renewed until told otherwise, and a board.

Ticks are powers of two of a second, so that times add up exactly and edges can be hit.
"""

from __future__ import annotations

from dataclasses import replace

from charger_control.core.cppwm_controller import Controller, ControllerConfig, Result
from charger_control.core.heard import Heard
from charger_control.core.iso61851 import PilotReading
from charger_control.core.iso61851.current_pilot import (
    CurrentPilotConfig,
    CurrentPilotControl,
    PilotResult,
)
from charger_control.core.iso61851.faults import FaultConfig, Faults
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import NAN

HW = AmperageLimit(32.0, valid_for=5.0, lost_amperage=0.0, reason='fuse 32 A')
NO_OPINION = AmperageLimit(NAN)


def control_pilot(letter, signaled=0.0, **fields):
    """A state of the control pilot as iso61851 publishes it."""
    digit = '2' if signaled and letter in 'BCD' else '1'
    return ControlPilot(letter, letter + digit, signaled, **fields)


class ControllerDesk:
    """A controller at 8 Hz. ``None`` for an input silences it; a change holds until the next.

    The board follows at once: signaled is what was available in the tick before.
    """

    TICK = 0.125

    def __init__(self, letter='A', now=1000.0, **config):
        config.setdefault('sources', ('hw', 'smart_charging', 'api'))
        self.config = ControllerConfig(**config)
        self.controller = Controller(self.config)
        self.now = now
        self.limits = dict.fromkeys(self.config.sources, NO_OPINION)
        self.limits['hw'] = HW
        self.letter = letter
        self.board = {}
        self.pilot_alive = True
        self.meter: MeterReading | None = MeterReading(amperage=(0.0, 0.0, 0.0))
        self.gain = 0.0
        self.allocation = None
        self.result: Result | None = None

    def tick(self):
        """One tick later."""
        self.now += self.TICK
        return self.step()

    def step(self):
        """Inputs, then the decision, at the time that it is."""
        for name, limit in self.limits.items():
            if limit is not None:
                self.controller.hear_limit(name, Heard(limit, self.now))
        if self.pilot_alive:
            signaled = self.result.available.available_amperage if self.result else 0.0
            pilot = control_pilot(self.letter, signaled)
            self.controller.hear_pilot(Heard(replace(pilot, **self.board), self.now))
            if self.gain:  # a vehicle that draws this share of the signal
                self.meter = MeterReading(amperage=(signaled * self.gain,) * 3)
        if self.meter is not None:
            self.controller.hear_meter(Heard(self.meter, self.now))
        self.result = self.controller.step(self.now, self.allocation)
        return self.result.decision

    def run(self, seconds):
        """The decision after ``seconds``."""
        for _ in range(round(seconds / self.TICK)):
            self.tick()
        return self.result.decision

    def until(self, amperage, limit=600.0):
        """s until something (or nothing, for 0) is commanded."""
        start = self.now
        while (self.tick().commanded_amperage > 0.0) != (amperage > 0.0):
            assert self.now - start < limit, f'not within {limit} s'
        return self.now - start

    def charging(self, **fields):
        """Brings it to charging, past all holds."""
        self.letter = 'A'
        self.run(1.0)
        self.letter = 'C'
        self.run(6.0)
        assert self.result.decision.commanded_amperage > 0.0
        for name, value in fields.items():
            setattr(self, name, value)
        return self


class PilotDesk:
    """The iso61851 block at 16 Hz over a board that does as told at once."""

    TICK = 0.0625

    def __init__(self, letter='C', now=1000.0, latched='', **config):
        self.control = CurrentPilotControl(CurrentPilotConfig(**config), latched)
        self.now = now
        self.board = PilotReading(letter, 0.0)
        self.obeys = True
        self.board_alive = True
        self.hw = replace(HW)
        self.available = AvailableAmperage(16.0, 16.0, True)
        self.amperage = None
        self.error = ''
        self.result: PilotResult | None = None

    def set(self, **fields):
        """Changes what the board says."""
        self.board = replace(self.board, **fields)
        return self

    def tick(self):
        """One tick later."""
        self.now += self.TICK
        return self.step()

    def step(self):
        """Inputs, then the decision, at the time that it is."""
        if self.obeys and self.result is not None:
            self.set(signaled_amperage=self.result.offer or 0.0)
        if self.board_alive:
            self._reading = Heard(self.board, self.now)
        if self.available is not None:
            self.control.hear_available(Heard(self.available, self.now))
        if self.hw is not None:
            self.control.hear_hw(Heard(self.hw, self.now))
        if self.amperage is not None:
            self.control.hear_meter(Heard(MeterReading(amperage=self.amperage), self.now))
        self.result = self.control.step(self.now, getattr(self, '_reading', None), self.error)
        return self.result

    def run(self, seconds):
        """The decision after ``seconds``."""
        for _ in range(round(seconds / self.TICK)):
            self.tick()
        return self.result

    def offering(self):
        """Past the hold after a start: the board offers, the vehicle charges."""
        letter = self.board.letter
        self.set(letter='A').run(1.0)
        self.set(letter=letter).run(1.0)
        assert self.result.offer == 16.0
        return self

    @property
    def fault(self):
        """The fault in force."""
        return self.result.pilot.fault


class FaultsDesk:
    """Faults at 8 Hz over a board and a meter that say what they were last set to."""

    TICK = 0.125

    def __init__(self, letter='C', signaled=16.0, closed=True, drawn=0.0, latched='', **config):
        self.it = Faults(FaultConfig(**config), latched)
        self.now, self.cause, self.meter_lag, self.board_lag = 1000.0, '', 0.0, 0.0
        self.letter, self.signaled, self.closed, self.drawn = letter, signaled, closed, drawn
        self.fault = ''

    def tick(self, **changes):
        for name, value in changes.items():
            setattr(self, name, value)
        self.now += self.TICK
        amperage = None if self.drawn is None else Heard(
            (self.drawn, 0.0, NAN), self.now - self.meter_lag)
        self.fault = self.it.step(
            self.now, self.now - self.board_lag, letter=self.letter, signaled=self.signaled,
            contactor_closed=self.closed, cause=self.cause, amperage=amperage)
        return self.fault

    def run(self, seconds, **changes):
        for name, value in changes.items():
            setattr(self, name, value)
        for _ in range(round(seconds / self.TICK)):
            self.tick()
        return self.fault
