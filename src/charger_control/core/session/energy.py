"""The energy of a session: the meter's register, over silences, jumps and restarts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from charger_control.core.energy_register import EnergyRegister
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Transaction
from charger_control.core.power import PHASE_ACTIVE_AMPERAGE
from charger_control.core.session.types import SessionRecord
from charger_control.core.units import NAN, Phases

SLACK = 0.1
"""kWh by which a register may be ahead: the step of the coarsest meter."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a reading.

    Attributes:
        believed: its register counts.
        shift: kWh by which a new course of the register lies above the one before; None: the same
            course.
    """

    believed: bool
    shift: float | None = None


class SessionEnergy:
    """The register of the meter as one session knows it.

    Attributes:
        serial_number: of the meter; '' unknown.
    """

    def __init__(self, max_power: float, value: float = NAN, at: float = 0.0,
                 serial_number: str = '') -> None:
        """Args:
            max_power: W, the most this charge point can carry.
            value, at: kWh and s of the last value that was believed before; NaN: none.
            serial_number: of the meter that told it.
        """
        self._max_power = max_power
        self._register: EnergyRegister | None = None
        if not math.isnan(value):
            self._register = EnergyRegister(max_power, SLACK, value, at)
        self._course: int | None = None
        self.serial_number = serial_number

    @property
    def value(self) -> float:
        """kWh; NaN: none yet."""
        return NAN if self._register is None else self._register.energy

    @property
    def estimated(self) -> bool:
        """Whether ``value`` comes from power since the register contradicts."""
        return self._register is not None and self._register.estimated

    @property
    def began(self) -> float:
        """kWh, the first value of a new course that was adopted here; NaN else."""
        return NAN if self._register is None else self._register.began

    @property
    def refused(self) -> int:
        """Values that were not believed since the last that was."""
        return 0 if self._register is None else self._register.refused

    def age(self, now: float) -> float:
        """s since a value was last believed; 0 while there is none."""
        return 0.0 if self._register is None else max(0.0, now - self._register.at)

    def other_meter(self, reading: MeterReading) -> bool:
        """Whether this reading is of another meter than the last."""
        return bool(self.serial_number and reading.serial_number
                    and self.serial_number != reading.serial_number)

    def take(self, now: float, reading: MeterReading) -> Taken:
        """Takes a reading of this meter at ``now`` s."""
        value, known = reading.energy_imported, self._course
        if not math.isfinite(value):
            return Taken(False)
        self._course = reading.energy_course
        self.serial_number = reading.serial_number or self.serial_number
        register = self._register
        if register is None:
            self._register = EnergyRegister(self._max_power, SLACK, value, now)
            return Taken(True)
        if not register.fits(now, value):
            if known is not None and reading.energy_course == known + 1:
                register.follow(now, value, reading.energy_offset)
                return Taken(True, reading.energy_offset)
            if reading.energy_estimated:  # whoever reads the meter does not believe it either
                return Taken(False)
        course = register.course
        believed = register.take(now, value, reading.active_power)
        return Taken(believed, register.offset if register.course != course else None)


def counted(transaction: Transaction, energy: SessionEnergy, taken: Taken, reading: MeterReading,
            late: bool) -> Transaction:
    """The transaction with what ``energy`` has just taken.

    After a jump of the register ``meter_start`` is moved along, so that the energy of the session
    stays the difference of its registers; no meter has shown such a start, so it is not billable.

    Args:
        transaction: as it was.
        energy: its register.
        taken: what became of the reading.
        reading: of the meter.
        late: current may have flowed before the first register of this session.
    """
    start = transaction.meter_start
    billable = transaction.billable and taken.shift is None
    if math.isnan(start):
        start, billable = energy.value, billable and not late
    elif taken.shift is not None:
        start += taken.shift
    return replace(transaction, meter_start=start, meter_stop=energy.value, billable=billable,
                   energy_estimated=energy.estimated or reading.energy_estimated)


def stored_energy(max_power: float, stored: SessionRecord, saved_at: float) -> SessionEnergy:
    """The register of a stored session, which was saved at ``saved_at`` s of the present clock.

    NaN, where that cannot be told: then no value is too fast.
    """
    at = saved_at - stored.register_age if math.isfinite(saved_at) else -math.inf
    return SessionEnergy(max_power, stored.transaction.meter_stop, at, stored.serial_number)


def used_phases(used: str, amperage: Phases) -> str:
    """``used`` ("110": L1 and L2 have carried current) with what is measured now, A."""
    return ''.join('1' if was == '1' or a >= PHASE_ACTIVE_AMPERAGE else '0'
                   for was, a in zip(used, amperage, strict=True))
