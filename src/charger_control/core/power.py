"""W to A: the voltages and the phases that a power limit is divided by, one rule for every block.

architecture.md, What is commanded, 6. Whatever is not known is counted so that the power drawn
stays within its limit: all phases, and the highest voltage that there may be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.heard import Heard, RecentMaximum
from charger_control.core.limits import SILENCE
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import MIN_AMPERAGE, NAN, Phases

PHASE_ACTIVE_AMPERAGE = 1.0
"""A, from here on a phase counts as used (domain.md 2.2, evcc)."""
LOWEST_VOLTAGE = 207.0
"""V, 230 V - 10 % (EN 50160, docs/sources.md): a meter that says less is not believed here."""
UNKNOWN_VOLTAGE = 253.0
"""V, 230 V + 10 % (EN 50160, docs/sources.md): counted at least where none is measured."""
HIGHEST_VOLTAGE = 300.0
"""V, the most that is counted: more is a fault of the supply or of the meter."""
VOLTAGE_WINDOW = 60.0
"""s of which the highest voltage counts: longer than what loads nearby make it swing."""
VOLTAGE_STEP = 0.5
"""V, about three standard deviations of a good meter on a quiet line."""
VOLTAGE_MEMORY = 3600.0
"""s for which the highest confirmed voltage counts where none is measured any more."""
CONFIRMING_SAMPLES = 3
"""Samples in a row that confirm a voltage for VOLTAGE_MEMORY: one may be a mistake."""
SAMPLE_PERIOD = 0.05
"""s, samples closer than that are one, published again."""
STOP_AMPERAGE, START_AMPERAGE = 5.95, 6.5
"""A, below the one charging stops, from the other on it starts at once (What is commanded, 2):
4140 W at 231 V are still meant to be 6 A."""
PHASE_SETTLE_TIME = 10.0
"""s of less than PHASE_ACTIVE_AMPERAGE before a phase counts as unused."""
METER_TIMEOUT = 11.0
"""s for which what a meter said counts (architecture.md, When something is silent)."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a power limit is divided by, now.

    Attributes:
        volts: V, the voltages of one, two and three phases together: W for each A per phase.
        phases: how many count now, 1..3.
        switches: this charge point can go to one phase.
        on_one: it was told to.
    """

    volts: Phases = (UNKNOWN_VOLTAGE, 2 * UNKNOWN_VOLTAGE, 3 * UNKNOWN_VOLTAGE)
    phases: int = 3
    switches: bool = False
    on_one: bool = False

    def amperage(self, power: float, phases: int = 0) -> float:
        """A per phase that ``power`` W amount to; NaN stays NaN.

        ``phases``: 1..3, or 0 for those that count now.
        """
        return power / self.volts[(phases or self.phases) - 1]

    def better_on_one(self, power: float) -> bool:
        """Whether ``power`` W charge on one phase and would not on all: then one is to be used.

        Back to all only where they have START_AMPERAGE: each change stops the vehicle for a while.
        """
        if not self.switches or not self.amperage(power, 1) >= MIN_AMPERAGE:
            return False
        if self.on_one:
            return self.amperage(power, 3) < START_AMPERAGE
        return self.amperage(power) < STOP_AMPERAGE

    @property
    def mean_voltage(self) -> float:
        """V of one of the phases that count, for a person."""
        return self.volts[self.phases - 1] / self.phases


class PhaseVoltage:
    """The V that one phase counts with: the highest of VOLTAGE_WINDOW, rounded up.

    A power limit thereby holds whatever the voltage does, and its noise moves no amperage.
    """

    def __init__(self, timeout: float = METER_TIMEOUT) -> None:
        """``timeout``: s for which a sample counts."""
        self._timeout = timeout
        self._peak = RecentMaximum(VOLTAGE_WINDOW)
        self._confirmed = RecentMaximum(VOLTAGE_MEMORY)
        self._last: tuple[float, ...] = ()
        self._value = NAN
        self._at = self._sampled_at = -math.inf

    def hear(self, at: float, voltage: float) -> None:
        """Takes a sample in V of the time ``at``, s; one below LOWEST_VOLTAGE, or NaN, is none."""
        if not voltage >= LOWEST_VOLTAGE:
            self._last = ()
            return
        counted = min(_rounded_up(voltage), HIGHEST_VOLTAGE)
        self._value = self._peak.update(at, counted)
        if at - self._sampled_at >= SAMPLE_PERIOD:
            self._sampled_at = at
            self._last = (*self._last, counted)[-CONFIRMING_SAMPLES:]
        self._at = at
        if len(self._last) == CONFIRMING_SAMPLES and min(self._last) > UNKNOWN_VOLTAGE:
            self._confirmed.update(at, min(self._last))

    def now(self, now: float) -> float:
        """V; NaN where it is not measured, or was not for too long."""
        return self._value if now - self._at <= self._timeout else NAN

    def most(self, now: float) -> float:
        """V, the most that it may have while it is not measured."""
        return self._confirmed.update(now, UNKNOWN_VOLTAGE)


class PhaseVoltages:
    """What L1..L3 count with, each measured or as high as it may be."""

    def __init__(self, timeout: float = METER_TIMEOUT) -> None:
        """``timeout``: s for which a sample counts."""
        self._phases = tuple(PhaseVoltage(timeout) for _ in range(3))
        self._at = -math.inf

    def hear(self, heard: Heard[MeterReading]) -> None:
        """A reading of the meter; one with an error, or older than the last, says nothing."""
        at = heard.at - max(0.0, heard.value.age)
        if heard.value.error or not heard.value.age >= 0.0 or not at >= self._at:
            return
        self._at = at
        for phase, voltage in zip(self._phases, heard.value.voltage, strict=True):
            phase.hear(at, voltage)

    def now(self, now: float) -> Phases:
        """V of L1..L3, each from LOWEST_VOLTAGE to HIGHEST_VOLTAGE."""
        measured = [phase.now(now) for phase in self._phases]
        # a phase that is not measured has what the others have, or more
        most = max([phase.most(now) for phase in self._phases]
                   + [v for v in measured if not math.isnan(v)])
        one, two, three = (most if math.isnan(v) else v for v in measured)
        return one, two, three


class PhasesInUse:
    """Which phases the vehicle draws on, for W -> A (architecture.md, What is commanded, 6).

    All connected phases count until measured; fewer after PHASE_SETTLE_TIME of less than
    PHASE_ACTIVE_AMPERAGE on the others while at least one carries that; back at once when one
    carries it again. A vehicle that pauses keeps its phases: else a one-phase one under a limit of
    3.7 kW would be left with less than the minimum of three, and never start again.
    """

    def __init__(self, connected: int = 3) -> None:
        """``connected``: phases wired to this charge point, 1..3 (L1 first)."""
        self._connected = connected
        self._last_active = [0.0, 0.0, 0.0]
        self._active_at = 0.0
        self._is_measured = False

    def update(self, now: float, amperage: Phases, *, is_same_vehicle: bool = False) -> None:
        """Takes the measured A of L1..L3; unmeasured (NaN) phases say nothing.

        Args:
            now: s.
            amperage: of L1..L3.
            is_same_vehicle: the vehicle has been connected without a break, as far as is known.
        """
        active = [a >= PHASE_ACTIVE_AMPERAGE for a in amperage[:self._connected]]
        if not any(active):
            self._is_measured &= is_same_vehicle
            return
        if not self._is_measured:
            self._is_measured = True
            self._last_active = [now, now, now]
        elif now - self._active_at > PHASE_SETTLE_TIME:     # a pause says nothing of any phase
            self._last_active = [at + now - self._active_at for at in self._last_active]
        self._active_at = now
        for phase, is_active in enumerate(active):
            if is_active or math.isnan(amperage[phase]):
                self._last_active[phase] = now

    def reset(self) -> None:
        """Forgets what was measured: another vehicle, or phases were switched."""
        self._is_measured = False

    def count(self, switched_on: int = 3) -> int:
        """Number of phases to divide a power by, 1..3; ``switched_on``: phases on the contactor."""
        return max(1, len(self._used(switched_on)))

    def which(self, switched_on: int = 3) -> tuple[int, ...]:
        """The phases that ``count`` counts, 0..2 for L1..L3; empty where that is not known."""
        used = self._used(switched_on)
        return used if self._is_measured or len(used) == self._connected else ()

    def _used(self, switched_on: int) -> tuple[int, ...]:
        connected = range(min(self._connected, switched_on))
        return tuple(p for p in connected if not self._is_measured
                     or self._active_at - self._last_active[p] < PHASE_SETTLE_TIME)


class Supply:
    """Voltage and phases of this charge point, as far as they are known."""

    def __init__(self, phases: int, *, switches: bool, timeout: float = METER_TIMEOUT) -> None:
        """What is installed.

        Args:
            phases: connected, 1..3.
            switches: it can go to one phase.
            timeout: s for which what the meter said counts.
        """
        self._connected = phases
        self._switches = switches
        self._switched_on = 3
        self._timeout = timeout
        self._in_use = PhasesInUse(phases)
        self._voltages = PhaseVoltages(timeout)
        self._connected_at = -math.inf
        self._meter: Heard[MeterReading] | None = None

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """A reading of the meter; one with an error, or of no known age, says nothing."""
        if heard.value.error or not heard.value.age >= 0.0:
            return
        self._meter = heard
        self._voltages.hear(heard)
        self._in_use.update(heard.at, heard.value.amperage,
                            is_same_vehicle=heard.at - self._connected_at <= SILENCE)

    def hear_decision(self, at: float, phases: int, requested: float) -> None:
        """What the controller decided.

        Args:
            at: s, when it was heard.
            phases: on how many it wants to charge: 0 (no opinion), 1 or 3.
            requested: A, 0 with no vehicle.
        """
        self._switched_on = phases if self._switches and phases else 3
        if requested > 0.0:
            self._connected_at = at
        else:
            self._connected_at = -math.inf
            self._in_use.reset()

    def conversion(self, now: float) -> Conversion:
        """What a power is divided by now.

        What is switched on counts only while nothing flows: a phase that carries current is
        counted, whatever the contactor should be.
        """
        voltages = self._voltages.now(now)
        meter = self._meter
        if meter is None or meter.silence(now) > self._timeout:
            phases = min(self._connected, self._switched_on)
            counted = tuple(range(phases)) if phases == self._connected else ()
        else:
            carrying = any(a >= PHASE_ACTIVE_AMPERAGE for a in meter.value.amperage)
            switched_on = 3 if carrying else self._switched_on
            phases, counted = self._in_use.count(switched_on), self._in_use.which(switched_on)
        switches = self._switches and self._connected > 1
        return Conversion(_volts(voltages, counted), phases, switches,
                          switches and self._switched_on == 1)


def _volts(voltages: Phases, counted: tuple[int, ...]) -> Phases:
    """V of one, two, three phases together: those that are ``counted``, then the highest.

    For fewer phases than those counted it is unknown which: the highest ones.
    """
    sums = []
    for number in (1, 2, 3):
        known = counted if number >= len(counted) else ()
        others = sorted((v for p, v in enumerate(voltages) if p not in known), reverse=True)
        sums.append(sum(voltages[p] for p in known) + sum(others[:number - len(known)]))
    return sums[0], sums[1], sums[2]


def _rounded_up(voltage: float) -> float:
    return math.ceil(min(voltage, HIGHEST_VOLTAGE) / VOLTAGE_STEP - 1e-9) * VOLTAGE_STEP
