"""Fiscal meter: which of a meter's samples can be believed, and for how long."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from charger_control.core.energy_register import EnergyRegister
from charger_control.core.heard import Heard
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import NAN

REFUSAL_MEMORY = 60.0
"""s for which a refused sample stays visible."""


MOST_METERS = 4
"""Serial numbers whose registers are remembered: a garbled one must not fill the memory."""


@dataclass(frozen=True, slots=True)
class FiscalMeterConfig:
    """What a sample may be.

    Attributes:
        phase_currents: this meter must measure phase currents (it closes the loop).
        phase_power: this meter must measure the power of each phase.
        timeout: s without an answer after which nothing is published any more.
        max_amperage: A per phase beyond which a sample is absurd.
        max_voltage: V beyond which a sample is absurd.
        max_power: W, the most this charge point can carry; bounds how fast the register may rise.
        register_slack: kWh that the register may be ahead of max_power (its resolution, delays).
    """

    phase_currents: bool = True
    phase_power: bool = False
    timeout: float = 1.0
    max_amperage: float = 200.0
    max_voltage: float = 500.0
    max_power: float = 80_000.0
    register_slack: float = 0.1


class FiscalMeter:
    """Believes or refuses what the device says, and keeps the register from running backwards."""

    def __init__(self, config: FiscalMeterConfig) -> None:
        self._config = config
        self._registers: dict[str, EnergyRegister] = {}
        self._register: EnergyRegister | None = None
        self._good: Heard[MeterReading] | None = None
        self._last_at = float('-inf')
        self._said_error = False
        self.refused = 0
        self.refusal = ''
        self._refused_at = float('-inf')
        self._last_refusal = ''

    def step(self, now: float, sample: Heard[MeterReading] | None, error: str
             ) -> MeterReading | None:
        """One tick.

        Args:
            now: s.
            sample: the device's last answer and when it came, None before the first.
            error: what is wrong with the device, '' while it answers.

        Returns:
            What to publish, None for nothing: a reading while it is under ``timeout`` old, then
            once with ``error``, then nothing.
        """
        if sample is not None and sample.at > self._last_at:
            self._last_at = sample.at
            self._take(sample)
            if self.refusal:
                self._refused_at, self._last_refusal = now, self.refusal
        good = self._good
        if good is not None and good.silence(now) <= self._config.timeout:
            self._said_error = False
            return replace(good.value, age=good.silence(now))
        if self._said_error:
            return None
        self._said_error = True
        age = 0.0 if good is None else good.silence(now)
        return MeterReading(age=age, error=error or self.refusal or 'no answer from the meter')

    def recent_refusal(self, now: float) -> str:
        """Why a sample was refused within REFUSAL_MEMORY s; '' where none was."""
        return self._last_refusal if now - self._refused_at < REFUSAL_MEMORY else ''

    def _take(self, sample: Heard[MeterReading]) -> None:
        reading = sample.value
        why = self._absurd(reading)
        if why:
            self.refused += 1
            self.refusal = why
            return
        register = self._register_of(reading.serial_number)
        before = register.refused
        register.take(sample.at, reading.energy_imported, _power(reading))
        self.refused += max(0, register.refused - before)
        self.refusal = register.refusal
        self._good = Heard(replace(
            reading, energy_imported=register.energy, energy_course=register.course,
            energy_offset=register.offset, energy_estimated=register.estimated), sample.at)

    def _absurd(self, reading: MeterReading) -> str:
        config = self._config
        currents = [a for a in reading.amperage if not math.isnan(a)]
        if config.phase_currents and math.isnan(reading.amperage[0]):
            return ('amperage of L1 is not a number; a grid meter that measures no currents needs '
                    'phase_currents: false')
        if config.phase_power and any(map(math.isnan, reading.phase_power)):
            return ('phase_power is not three numbers; a meter that does not tell the power of '
                    'each phase needs phase_power: false')
        for name, values, limit in (('amperage', currents, config.max_amperage),
                                    ('voltage', reading.voltage, config.max_voltage),
                                    ('active_power', [reading.active_power], config.max_power * 2),
                                    ('phase_power', reading.phase_power, config.max_power * 2),
                                    ('frequency', [reading.frequency], 1000.0)):
            for value in values:
                if math.isinf(value) or abs(value) > limit:
                    return f'{name} {value:g} cannot be (at most {limit:g})'
        return ''

    def _register_of(self, serial_number: str) -> EnergyRegister:
        """The register of a meter; what was read before the serial number was known is its own."""
        registers = self._registers
        if not serial_number and self._register is not None:
            return self._register
        if serial_number not in registers:
            if len(registers) >= MOST_METERS:
                del registers[next(iter(registers))]
            registers[serial_number] = registers.pop('') if '' in registers else EnergyRegister(
                self._config.max_power, self._config.register_slack)
        self._register = registers[serial_number]
        return self._register

    def register_problem(self, now: float) -> str:
        """What a person must know of the register; '' while it can be believed."""
        return '' if self._register is None else self._register.problem(now)


def _power(reading: MeterReading) -> float:
    """W: as measured, else of the phases that are; NaN where nothing is."""
    if math.isfinite(reading.active_power):
        return reading.active_power
    phases = [u * i for u, i in zip(reading.voltage, reading.amperage, strict=True)
              if math.isfinite(u * i)]
    return sum(phases) if phases else NAN
