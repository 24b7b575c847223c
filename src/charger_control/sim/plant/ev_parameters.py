"""What kind of vehicle is on the cable: its parameters, and named presets (domain.md 2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

Phases = tuple[float, float, float]
SIMPLIFIED_MAX_AMPERAGE = 10.0
"""A, a vehicle without S2 limits itself to this (domain.md 1.2)."""

_RESOLUTION = 0.05
"""A, no vehicle measures the duty cycle better than this."""

_RANGES: dict[str, tuple[float, float]] = {
    's2_delay': (0.0, 3600.0), 'start_delay': (0.0, 3600.0), 'reaction_delay': (0.0, 60.0),
    'stop_delay': (0.0, 2.5), 'ramp_up': (0.01, 1000.0), 'ramp_down': (0.01, 1000.0),
    'time_constant': (0.0, 60.0), 'gain': (0.0, 2.0), 'offset': (-32.0, 32.0),
    'minimum_amperage': (0.0, 80.0), 'maximum_amperage': (0.0, 200.0), 'quantum': (0.0, 16.0),
    'phases': (1, 3), 'capacity': (0.001, 10000.0), 'soc': (0.0, 1.0), 'efficiency': (0.01, 1.0),
    'taper_start': (0.0, 1.0), 'taper_amperage': (0.1, 80.0), 'inrush_amperage': (0.0, 500.0),
    'inrush_time': (0.0, 10.0), 'sleep_after': (0.0, math.inf), 'wake_time': (0.0, 3600.0),
}


@dataclass(frozen=True, slots=True)
class EvParameters:
    """How a vehicle behaves. The defaults are the vehicle of the default run.

    Attributes:
        s2_delay: s from the first pilot offer to closing S2 (B -> C).
        start_delay: s from voltage at the inlet to the first current; 10..40 typical, 1 at best.
        reaction_delay: s from a changed offer to the beginning of the change; 0.5..6.
        stop_delay: s from the end of the offer to the beginning of the ramp down.
        ramp_up, ramp_down: A/s per phase.
        time_constant: s, first-order lag of the current behind the ramp.
        gain: A drawn per A offered; 0.95 draws less, 1.08 more than offered.
        offset: A added to what the gain gives; -1 and -3 are known.
        minimum_amperage: A, an offer below this is not used (the vehicle stays in C at 0 A).
        maximum_amperage: A per phase of the on-board charger.
        quantum: A, the current is rounded down to a multiple of this; 0: continuous.
        phases: 1..3 on which it draws, L1 first.
        imbalance: factor for each of L1 L2 L3.
        power_factor: (A, power factor) points, linear between them, constant outside of them.
        capacity: kWh of the battery.
        soc: state of charge at the start, ratio 0..1.
        efficiency: energy into the battery per energy drawn, ratio.
        taper_start: state of charge from which the current falls linearly ...
        taper_amperage: ... to this many A at full; then S2 opens.
        inrush_amperage, inrush_time: A per phase on top at the first current, for so many s.
        asleep: ignores the pilot from plugging in until woken up.
        sleep_after: s without an offer after which it falls asleep.
        wake_time: s of no high level on the pilot (F, or disconnected) that wake it up.
        ignores_pwm_off: goes on drawing, S2 closed, when the offer ends.
        keeps_s2: stops drawing when the offer ends, but leaves S2 closed.
        diode_shorted: the diode in its pilot circuit is shorted.
        ventilation: asks for ventilation (D instead of C).
        simplified: has no S2: C from plugging in, never more than 10 A.
    """

    s2_delay: float = 1.0
    start_delay: float = 3.0
    reaction_delay: float = 1.0
    stop_delay: float = 0.5
    ramp_up: float = 3.0
    ramp_down: float = 10.0
    time_constant: float = 0.3
    gain: float = 0.95
    offset: float = 0.0
    minimum_amperage: float = 6.0
    maximum_amperage: float = 32.0
    quantum: float = 0.0
    phases: int = 3
    imbalance: Phases = (1.0, 1.0, 1.0)
    power_factor: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    capacity: float = 60.0
    soc: float = 0.3
    efficiency: float = 0.9
    taper_start: float = 0.9
    taper_amperage: float = 6.0
    inrush_amperage: float = 0.0
    inrush_time: float = 0.1
    asleep: bool = False
    sleep_after: float = math.inf
    wake_time: float = 3.0
    ignores_pwm_off: bool = False
    keeps_s2: bool = False
    diode_shorted: bool = False
    ventilation: bool = False
    simplified: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not _is_number(value) or not low <= value <= high:
                raise ValueError(f'vehicle.{name}: {value!r} (allowed: a number, {low} to {high})')
        if self.phases != int(self.phases):
            raise ValueError(f'vehicle.phases: {self.phases} (allowed: 1, 2, 3)')
        object.__setattr__(self, 'phases', int(self.phases))
        for field in fields(self):
            if field.type == 'bool' and not isinstance(getattr(self, field.name), bool):
                raise ValueError(f'vehicle.{field.name}: {getattr(self, field.name)!r} '
                                 '(allowed: true, false)')
        object.__setattr__(self, 'imbalance', _checked_imbalance(self.imbalance))
        object.__setattr__(self, 'power_factor', _checked_power_factor(self.power_factor))

    def drawn(self, offered: float, soc: float | None = None) -> float:
        """A per phase (before imbalance) that it comes to draw at a steady offer of so many A."""
        if offered < self.minimum_amperage - _RESOLUTION or offered <= 0.0:
            return 0.0
        most = self.limit(self.soc if soc is None else soc)
        amperage = min(self.gain * offered + self.offset, most)
        if self.quantum > 0.0:
            amperage = math.floor(amperage / self.quantum + 1e-9) * self.quantum
        return max(0.0, amperage)

    def limit(self, soc: float) -> float:
        """The most it takes at a state of charge, A per phase; 0 when full."""
        if soc >= 1.0:
            return 0.0
        most = self.maximum_amperage
        if self.simplified:
            most = min(most, SIMPLIFIED_MAX_AMPERAGE)
        if soc > self.taper_start:
            share = (soc - self.taper_start) / (1.0 - self.taper_start)
            most += share * (min(self.taper_amperage, most) - most)
        return most

    def power_factor_at(self, amperage: float) -> float:
        """Power factor at so many A per phase, ratio."""
        points = self.power_factor
        if amperage <= points[0][0]:
            return points[0][1]
        for (a, low), (b, high) in pairwise(points):
            if amperage <= b:
                return low + (high - low) * (amperage - a) / (b - a)
        return points[-1][1]

    def changed(self, values: Mapping[str, Any]) -> EvParameters:
        """The same vehicle with some parameters changed.

        Raises:
            ValueError: an unknown name or a value out of range, in words.
        """
        known = [field.name for field in fields(self)]
        for name in values:
            if name not in known:
                raise ValueError(f'vehicle.{name}: no such parameter (known: {", ".join(known)})')
        return replace(self, **values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked_imbalance(value: Any) -> Phases:
    if (not isinstance(value, list | tuple) or len(value) != 3
            or not all(_is_number(factor) and 0.0 <= factor <= 2.0 for factor in value)):
        raise ValueError(f'vehicle.imbalance: {value!r} (allowed: three numbers, 0 to 2)')
    return float(value[0]), float(value[1]), float(value[2])


def _checked_power_factor(value: Any) -> tuple[tuple[float, float], ...]:
    try:
        points = tuple((float(amperage), float(factor)) for amperage, factor in value)
    except (TypeError, ValueError):
        points = ()
    rising = all(a[0] < b[0] for a, b in pairwise(points))
    if not points or not rising or not all(0.0 < factor <= 1.0 for _, factor in points):
        raise ValueError(f'vehicle.power_factor: {value!r} (allowed: a list of [A, power factor], '
                         'rising A, power factors above 0 up to 1)')
    return points


PRESETS: Mapping[str, EvParameters] = {
    # what the default run plugs in
    'standard': EvParameters(),
    # follows at once and exactly: for tests of everything but regulation
    'ideal': EvParameters(s2_delay=0.2, start_delay=1.0, reaction_delay=0.5, stop_delay=0.1,
                          ramp_up=50.0, ramp_down=50.0, time_constant=0.0, gain=1.0),
    'slow': EvParameters(s2_delay=5.0, start_delay=40.0, reaction_delay=6.0, ramp_up=1.0,
                         ramp_down=5.0, time_constant=1.0, gain=1.0),
    # 16 A, three phases, 30 % of 60 kWh: the default vehicle of EVerest
    'family': EvParameters(maximum_amperage=16.0, start_delay=15.0, reaction_delay=3.0),
    # Corsa-e (OpenEVSE issue 855)
    'minus_three': EvParameters(gain=1.0, offset=-3.0, reaction_delay=3.0),
    'minus_one': EvParameters(gain=1.0, offset=-1.0, reaction_delay=3.0),
    # Zoe, Twingo: 8 % more than offered, nothing below 8 A, poor power factor at low current
    'overdraw': EvParameters(gain=1.08, minimum_amperage=8.0, start_delay=20.0, reaction_delay=4.0,
                             power_factor=((6.0, 0.07), (7.0, 0.45), (8.0, 0.95), (16.0, 0.99))),
    'quantised': EvParameters(quantum=1.0, reaction_delay=3.0),
    'one_phase': EvParameters(phases=1),
    'two_phases': EvParameters(phases=2, maximum_amperage=16.0),
    'imbalanced': EvParameters(imbalance=(1.0, 0.93, 0.88)),
    'inrush': EvParameters(inrush_amperage=20.0, inrush_time=0.2),
    'tapering': EvParameters(soc=0.89, capacity=10.0),
    'full': EvParameters(soc=1.0),
    'nearly_full': EvParameters(soc=0.999, capacity=10.0),
    'sleeping': EvParameters(asleep=True, wake_time=3.0),
    'hard_to_wake': EvParameters(asleep=True, wake_time=30.0),
    # Kona 1: stays in C when the PWM stops
    'ignores_off': EvParameters(ignores_pwm_off=True),
    'stays_in_c': EvParameters(keeps_s2=True),
    'diode_fault': EvParameters(diode_shorted=True),
    'ventilation': EvParameters(ventilation=True),
    'simplified': EvParameters(simplified=True, phases=1),
}


def vehicle_of(description: str | Mapping[str, Any]) -> EvParameters:
    """The parameters that a person describes: a preset's name, or parameters by name.

    In a mapping, ``preset`` names what the other entries change (``standard`` if absent).

    Raises:
        ValueError: unknown preset or parameter, or a value out of range, in words.
    """
    values = {'preset': description} if isinstance(description, str) else dict(description)
    preset = values.pop('preset', 'standard')
    if preset not in PRESETS:
        raise ValueError(f'vehicle preset {preset!r}: not known (known: {", ".join(PRESETS)})')
    return PRESETS[preset].changed(values)
