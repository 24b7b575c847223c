"""The composite schedule: what the profiles allow over a window, in one unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from charger_control.core.smart_charging.schedule.engine import ProfileEngine
from charger_control.core.smart_charging.schedule.occurrences import NO_PHASES
from charger_control.core.smart_charging.schedule.profiles import Profile, RateUnit
from charger_control.core.smart_charging.schedule.timeline import (
    NOBODY,
    Timeline,
    first_of_equals,
    total,
)

NOMINAL_VOLTAGE = 230.0
"""V that W and A of a composite schedule convert with: it is told, nothing is drawn by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeDefaults:
    """What a composite schedule says where no profile does, and how it converts.

    Attributes:
        amperage: A per phase of one EVSE.
        power: W of one EVSE.
        voltage: V between a phase and neutral.
        phases: taken for W and A where no profile gives a number, 1..3.
    """

    amperage: float
    power: float
    voltage: float = NOMINAL_VOLTAGE
    phases: int = 3

    @classmethod
    def of_hardware(cls, amperage: float, phases: int = 3,
                    voltage: float = NOMINAL_VOLTAGE) -> CompositeDefaults:
        """The hardware limit, A per phase, as what counts where no profile does."""
        return cls(amperage=amperage, power=amperage * voltage * phases, voltage=voltage,
                   phases=phases)


class CompositePeriod(NamedTuple):
    """One step of a composite schedule.

    Attributes:
        start: s after the start of the schedule.
        limit: A per phase or W, in the unit of the schedule.
        phases: as given by the profiles, None: by none.
        stack_level: of the profile that sets the limit; 0 for a default or a sum.
        owner: that profile; None for a default or a sum.
    """

    start: int
    limit: float
    phases: int | None
    stack_level: int
    owner: Profile | None


@dataclass(frozen=True, slots=True)
class CompositeSchedule:
    """What is allowed from ``start`` on for ``duration``.

    Attributes:
        evse: 0 is the whole station.
        start: unix s.
        duration: s, 0 or more.
        unit: of every limit.
        periods: at least one, the first at 0; neighbours differ.
    """

    evse: int
    start: int
    duration: int
    unit: RateUnit
    periods: tuple[CompositePeriod, ...]


def composite_schedule(engine: ProfileEngine, evse: int, start: int, end: int, unit: RateUnit,
                       defaults: CompositeDefaults, *, evses: int = 1,
                       assume_transaction: bool = False) -> CompositeSchedule:
    """The composite schedule of an EVSE, or of the station (domain.md 3).

    Args:
        engine: the profiles and transactions.
        evse: 1 or more; 0 for the station.
        start: unix s.
        end: unix s; before ``start``: taken for both.
        unit: of the answer.
        defaults: where no profile limits.
        evses: number of EVSEs that the station's sum goes over.
        assume_transaction: EVSEs without a transaction, as if one began at ``start``.
    """
    start = min(start, end)
    # A window of no length still has the limit of its instant.
    last = max(end, start + 1)
    if evse == 0:
        timeline = engine.station_window(start, last, total(defaults.amperage, defaults.power),
                                         evses, assume_transaction=assume_transaction)
    else:
        timeline = engine.window(evse, start, last, start=start,
                                 assume_transaction=assume_transaction)
    return CompositeSchedule(evse, start, end - start, unit,
                             _periods(engine, timeline, start, unit, defaults))


def _periods(engine: ProfileEngine, timeline: Timeline, start: int, unit: RateUnit,
             defaults: CompositeDefaults) -> tuple[CompositePeriod, ...]:
    phases = np.where(timeline.phases == NO_PHASES, defaults.phases, timeline.phases)
    values, owners = timeline.in_unit(unit, defaults.voltage * phases)
    default = defaults.amperage if unit is RateUnit.A else defaults.power
    values = np.where(np.isinf(values), default, values)
    levels = np.array([*(p.stack_level for p in engine.profiles), 0])[owners]
    rows = first_of_equals(values, timeline.phases, levels)
    return tuple(
        CompositePeriod(at, value, None if given == NO_PHASES else given, level,
                        None if owner == NOBODY else engine.profiles[owner])
        for at, value, given, level, owner in zip(
            (timeline.times[rows] - start).tolist(), values[rows].tolist(),
            timeline.phases[rows].tolist(), levels[rows].tolist(), owners[rows].tolist(),
            strict=True))
