"""The supply: its voltages with and without load, and without its neutral."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

from charger_control.sim.plant.ev_parameters import Phases

NOMINAL = 230.0
"""V at which a load of the house is given."""
_TURN = tuple(cmath.exp(-2j * math.pi * phase / 3.0) for phase in range(3))


@dataclass(frozen=True, slots=True)
class MainsParameters:
    """The supply.

    Attributes:
        voltage: V of L1 L2 L3 without load.
        voltage_noise: V, standard deviation of its slow wander.
        source_resistance: ohm per phase, what a load pulls the voltage down by.
        frequency: Hz.
        frequency_noise: Hz, standard deviation of its slow wander.
        loads: A at 230 V that the house draws on L1 L2 L3, as resistors.
        neutral: whether the neutral is there.
    """

    voltage: Phases = (230.0, 230.0, 230.0)
    voltage_noise: float = 0.5
    source_resistance: float | Phases = 0.03
    frequency: float = 50.0
    frequency_noise: float = 0.01
    loads: Phases = (0.0, 0.0, 0.0)
    neutral: bool = True

    def loaded(self, voltage: Phases, amperage: Phases) -> Phases:
        """V of L1 L2 L3 where they are ``voltage`` without load, and a vehicle draws ``amperage``.

        Without a neutral the star point goes where the loads pull it; a vehicle counts as what it
        draws at 230 V.
        """
        total = [load * volts / NOMINAL + amperes for load, volts, amperes in zip(
            self.loads, voltage, amperage, strict=True)]
        if not self.neutral and sum(total) > 0.0:
            sources = [volts * turn for volts, turn in zip(voltage, _TURN, strict=True)]
            star = sum(s * a for s, a in zip(sources, total, strict=True)) / sum(total)
            one, two, three = (abs(source - star) for source in sources)
            return one, two, three
        resistance = self.source_resistance
        each = resistance if isinstance(resistance, tuple) else (resistance,) * 3
        one, two, three = (max(0.0, volts - ohm * amperes) if volts > 0.0 else 0.0
                           for volts, ohm, amperes in zip(voltage, each, total, strict=True))
        return one, two, three
