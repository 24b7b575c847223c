"""What the iso61851 block hears, whatever the pilot's hardware is, and what of it counts now."""

from __future__ import annotations

import math

from charger_control.core.heard import Heard
from charger_control.core.iso61851.neutral import NEUTRAL_LOST, NeutralWatch
from charger_control.core.limits import in_force, watched
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import MAX_AMPERAGE, Phases


class PilotInputs:
    """The inputs of the block; its parts that know a kind of hardware build on it."""

    def __init__(self, phases: int, meter_timeout: float) -> None:
        """``phases``: connected, 1..3; ``meter_timeout``: s for which a reading counts."""
        self._available: Heard[AvailableAmperage] | None = None
        self._hw: Heard[AmperageLimit] | None = None
        self._meter: Heard[Phases] | None = None
        self._neutral = NeutralWatch(phases, meter_timeout)
        self._stopping = False

    def hear_available(self, heard: Heard[AvailableAmperage]) -> None:
        """What the controller makes available; one that cannot be is silence."""
        if not heard.value.refusal():
            self._available = heard

    def hear_hw(self, heard: Heard[AmperageLimit]) -> None:
        """The HW limit, for the last bound; one that cannot be is silence."""
        if not heard.value.refusal() and not math.isnan(heard.value.amperage):
            self._hw = Heard(watched(heard.value), heard.at)

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """Measured currents, for over-current and a welded contactor; absurd ones are silence.

        Voltages, for a lost neutral.
        """
        self._neutral.hear(heard)
        value = heard.value
        measured = [a for a in value.amperage if not math.isnan(a)]
        if (measured and not value.error and value.age >= 0.0
                and all(-10 * MAX_AMPERAGE <= a <= 10 * MAX_AMPERAGE for a in measured)):
            self._meter = Heard(value.amperage, heard.at - value.age)

    def stop(self) -> None:
        """No offer from now on: the process is about to end."""
        self._stopping = True

    def _wanted(self, now: float) -> AvailableAmperage | None:
        """What is made available now; None: nothing, or nobody says so any more."""
        heard = self._available
        if heard is None or heard.silence(now) > heard.value.valid_for or not heard.value.enable:
            return None
        return heard.value

    def _bound(self, now: float, cable: float) -> float:
        """min(HW limit, cable), A; ``cable``: its rating, infinite for a tethered one."""
        bound = 0.0 if self._hw is None else in_force(self._hw, now)
        return min(bound, max(0.0, cable))  # an unknown cable, NaN, carries 0 A

    def _supply_cause(self, now: float) -> str:
        """What is wrong with the supply, as a cause of faults; '' for nothing."""
        return NEUTRAL_LOST if self._neutral.lost(now) else ''

    def _measured(self, now: float, timeout: float) -> Heard[Phases] | None:
        """The measured currents, A, while the meter can be believed."""
        if self._meter is None or self._meter.silence(now) > timeout:
            return None
        return self._meter
