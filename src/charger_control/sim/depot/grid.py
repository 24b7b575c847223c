"""The point of supply of a simulated depot, and the meter there.

What flows there: all vehicles, on the supply's phases by the wiring of each charger, and what else
the site draws.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from charger_control.sim.lines.device_tables import device_table
from charger_control.sim.lines.faults import Faults
from charger_control.sim.lines.rtu_line import BusDevice, RtuLine
from charger_control.sim.meters.sdm630 import MeterParameters, Sdm630
from charger_control.sim.plant.ev import NO_PHASES
from charger_control.sim.plant.ev_parameters import Phases

METER_UNIT = 2
"""Modbus unit of the grid meter."""



class GridSupply:
    """The supply where the meter sits.

    Attributes:
        voltage: V of L1 L2 L3.
        frequency: Hz.
        amperage: A on L1 L2 L3, vehicles and other loads.
        other_loads: A on L1 L2 L3 that the rest of the site draws.
        power: W.
        energy_imported: kWh, the meter's register.
    """

    def __init__(self, now: float, other_loads: Phases = NO_PHASES) -> None:
        self.voltage: Phases = (230.0, 230.0, 230.0)
        self.frequency = 50.0
        self.other_loads = other_loads
        self.amperage = other_loads
        self.power = 0.0
        self.energy_imported = 52_345.678
        self._at = now
        self._ramp = (now, now, other_loads, other_loads)

    def set_other_loads(self, amperage: Phases, over: float, now: float) -> None:
        """From now on they move to ``amperage`` A, in ``over`` s."""
        self._ramp = (now, now + over, self.other_loads, amperage)

    def step(self, now: float, vehicles: Phases) -> None:
        """``vehicles``: A that all vehicles together draw on the supply's phases now."""
        self.energy_imported += self.power * max(0.0, now - self._at) / 3.6e6
        self._at = now
        begin, end, before, after = self._ramp
        share = 1.0 if now >= end else (now - begin) / (end - begin)
        self.other_loads = _phases(b + share * (a - b) for a, b in zip(after, before, strict=True))
        self.amperage = _phases(a + b for a, b in zip(vehicles, self.other_loads, strict=True))
        self.power = sum(v * a for v, a in zip(self.voltage, self.amperage, strict=True))


def loads_of(arguments: Mapping[str, Any], fuse: Phases) -> Phases:
    """The A that a step `other_loads` means: so many, or so much of the fuse."""
    if 'amperage' in arguments:
        return _phases(arguments['amperage'])
    return _phases(f * p / 100.0 for f, p in zip(fuse, arguments['percent'], strict=True))


def on_supply(amperage: Phases, phase_map: Sequence[int]) -> Phases:
    """What a charger's L1 L2 L3 are on the supply's.

    Args:
        amperage: A on the charger's phases.
        phase_map: supply phase (1..3) that feeds each of them.
    """
    drawn = [0.0, 0.0, 0.0]
    for phase, amperes in zip(phase_map, amperage, strict=False):
        drawn[phase - 1] += amperes
    return drawn[0], drawn[1], drawn[2]


class GridMeter:
    """An SDM630 at the point of supply, on a serial line of its own, without the cable.

    Attributes:
        line: the RS-485 line as the meter sees it.
        faults: what is wrong with it now.
    """

    def __init__(self, supply: GridSupply, now: float, baudrate: int = 9600, seed: int = 0) -> None:
        table = device_table('sdm630')
        self.faults = Faults(random.Random(seed), lambda at, kind, active: None)
        self._meter = Sdm630(supply, table, now=now, seed=seed,
                             parameters=MeterParameters(serial_number=20231999))
        self.line = RtuLine([BusDevice('meter', lambda: METER_UNIT, self._meter, self.faults,
                                       quiet=table['quiet'], answer_delay=0.02)], baudrate)

    def due(self) -> float:
        """s, when ``step`` is to be called at the latest."""
        return min(self._meter.due(), self.line.due(), self.faults.next_end())

    def step(self, now: float) -> bytes:
        """Lives on until ``now`` s; returns what it sends."""
        self._meter.step(now)
        self.faults.step(now)
        return self.line.step(now)


def _phases(values: Iterable[float]) -> Phases:
    one, two, three = values
    return one, two, three
