"""What is true at the charge point: pilot line, contactor, cable, mains, energy. Explicit time.

A pilot (the simulated board, or a controller in an offline loop) sets ``duty`` and commands the
contactor, then calls ``step(now)``; what it reads back is what a real one could measure.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from charger_control.sim.plant.contactor import Contactor, ContactorParameters
from charger_control.sim.plant.ev import NO_PHASES, Ev
from charger_control.sim.plant.ev_parameters import Phases
from charger_control.sim.plant.mains import MainsParameters
from charger_control.sim.plant.pilot_line import NO_OFFER_DUTY, UNAVAILABLE_DUTY, levels

MAX_STEP = 0.05
"""s, longer steps are cut into such pieces unless the caller says otherwise."""
NO_CABLE = 0.0
"""A, the rating of no cable."""
_CABLE_OHMS = {13.0: 1500.0, 20.0: 680.0, 32.0: 220.0, 63.0: 100.0, NO_CABLE: math.inf}
CABLE_RATINGS = tuple(sorted(_CABLE_OHMS))
"""A, what a proximity resistor can say; 0 is no cable (domain.md 1.9)."""
_WANDER_TIME = 5.0

Listener = Callable[[float, str, dict[str, object]], None]
"""Called with the time in s, the event's name and its fields, at the moment it happens."""


@dataclass(frozen=True, slots=True)
class PlantParameters:
    """The charge point.

    Attributes:
        mains: the supply as it begins.
        contactor: its times.
        energy_imported: kWh, the meter's register as it begins.
        meter_gain: what the register counts per true kWh (its class error), ratio.
    """

    mains: MainsParameters = field(default_factory=MainsParameters)
    contactor: ContactorParameters = field(default_factory=ContactorParameters)
    energy_imported: float = 1234.567
    meter_gain: float = 1.0


class Plant:
    """One charge point and the vehicle that may be plugged into it.

    Attributes:
        duty: ratio 0..1, the pilot's duty cycle as generated; 1 constant +12 V, 0 constant -12 V.
        pilot_connected: whether the generator is switched through to the plug.
        pilot_shorted: pilot and earth are shorted: state E.
        phases_on: 1 or 3 phases that the contactor switches.
        mains: the supply; replace it to change it.
        cable_amperage: A, rating of the cable in the socket, one of CABLE_RATINGS.
        contactor: the main contactor.
        vehicle: what is plugged in, or None.
        voltage: V of L1 L2 L3 at the meter.
        frequency: Hz.
        amperage: A true on L1 L2 L3, positive towards the vehicle.
        power: W true.
        energy: kWh true into the vehicle since the start.
        energy_imported: kWh, the meter's register.
        meter_gain: register kWh per true kWh.
    """

    def __init__(self, parameters: PlantParameters | None = None, *, now: float = 0.0,
                 seed: int = 0, listener: Listener | None = None) -> None:
        parameters = parameters or PlantParameters()
        self.duty = NO_OFFER_DUTY
        self.pilot_connected = True
        self.pilot_shorted = False
        self.phases_on = 3
        self.mains = parameters.mains
        self.cable_amperage = NO_CABLE
        self.contactor = Contactor(parameters.contactor)
        self.vehicle: Ev | None = None
        self.voltage: Phases = parameters.mains.voltage
        self.frequency = parameters.mains.frequency
        self.amperage: Phases = NO_PHASES
        self.power = 0.0
        self.energy = 0.0
        self.energy_imported = parameters.energy_imported
        self.meter_gain = parameters.meter_gain
        self._at = now
        self._random = random.Random(seed)
        self._wander = [0.0, 0.0, 0.0, 0.0]
        self._tell = listener or (lambda now, event, fields: None)
        self._was_closed = False
        self._was_letter = 'A'

    @property
    def at(self) -> float:
        """s, the time of the last step."""
        return self._at

    @property
    def letter(self) -> str:
        """How the pilot line is loaded now: A B C D by the vehicle, E when shorted."""
        if self.pilot_shorted:
            return 'E'
        return self.vehicle.letter if self.vehicle else 'A'

    @property
    def pilot_levels(self) -> tuple[float, float]:
        """Upper and lower plateau of the pilot in V, at the generator."""
        if not self.pilot_connected:
            return levels('A', self.duty)
        shorted = self.vehicle is not None and self.vehicle.parameters.diode_shorted
        return levels(self.letter, self.duty, diode_shorted=shorted)

    @property
    def proximity(self) -> float:
        """Ohm between proximity contact and earth; infinite without a cable."""
        return _CABLE_OHMS[self.cable_amperage]

    @property
    def inlet_voltage(self) -> Phases:
        """V on L1 L2 L3 behind the contactor."""
        if not self.contactor.closed:
            return NO_PHASES
        one, two, three = self.voltage
        return (one, two, three) if self.phases_on == 3 else (one, 0.0, 0.0)

    def plug_in(self, vehicle: Ev, now: float, cable_amperage: float = 32.0) -> None:
        """Plugs a vehicle in, with a cable of so many A (one of CABLE_RATINGS)."""
        if cable_amperage not in _CABLE_OHMS:
            raise ValueError(f'cable {cable_amperage} A (allowed: {CABLE_RATINGS})')
        self.step(now)
        self.cable_amperage = cable_amperage
        self.vehicle = vehicle
        vehicle.plug_in(now)
        self.step(now)

    def unplug(self, now: float) -> Ev | None:
        """Pulls the plug at ``now`` s, under load or not; returns the vehicle that was there."""
        self.step(now)
        gone, self.vehicle = self.vehicle, None
        self.cable_amperage = NO_CABLE
        self.step(now)
        return gone

    def step(self, now: float, piece: float = MAX_STEP) -> None:
        """Lives on until ``now`` s, in pieces of at most ``piece`` s, exactly to each switching.

        Called again with the same ``now`` it takes in what was changed since.
        """
        while True:
            until = min(now, self._at + piece)
            change = self.contactor.next_change()
            self._advance(max(self._at, min(until, change)))
            if self._at >= now and self.contactor.next_change() > now:
                return

    def _advance(self, now: float) -> None:
        dt = now - self._at
        energy = self.power * dt / 3.6e6
        self.energy += energy
        self.energy_imported += energy * self.meter_gain
        self._at = now
        self._move_mains(dt)
        load = max(self.amperage)
        self.contactor.step(now)
        if self.vehicle:
            can_hear = self.pilot_connected and not self.pilot_shorted
            duty = self.duty if can_hear else UNAVAILABLE_DUTY
            self.vehicle.step(now, duty, self.inlet_voltage)
            self.amperage, self.power = self.vehicle.amperage, self.vehicle.power
        else:
            self.amperage, self.power = NO_PHASES, 0.0
        self._tell_changes(now, load)

    def _move_mains(self, dt: float) -> None:
        mains = self.mains
        if dt > 0.0 and (mains.voltage_noise > 0.0 or mains.frequency_noise > 0.0):
            keep = math.exp(-dt / _WANDER_TIME)
            push = math.sqrt(1.0 - keep * keep)
            gauss = self._random.gauss
            self._wander = [keep * x + push * gauss(0.0, 1.0) for x in self._wander]
        one, two, three = (volts + mains.voltage_noise * x if volts > 0.0 else 0.0
                           for volts, x in zip(mains.voltage, self._wander, strict=False))
        self.voltage = mains.loaded((one, two, three), self.amperage)
        self.frequency = mains.frequency + mains.frequency_noise * self._wander[3]

    def _tell_changes(self, now: float, load: float) -> None:
        if self.contactor.closed != self._was_closed:
            self._was_closed = self.contactor.closed
            self._tell(now, 'contactor', {'closed': self._was_closed, 'amperage': round(load, 3)})
        letter = self.letter
        if letter != self._was_letter:
            self._tell(now, 'letter', {'letter': letter, 'was': self._was_letter})
            self._was_letter = letter
