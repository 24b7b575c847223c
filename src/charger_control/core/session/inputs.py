"""What the session block hears, each with its expiry."""

from __future__ import annotations

from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import NAN


class Inputs:
    """The newest of each input, at the time when its device or block made it."""

    def __init__(self) -> None:
        self._pilot: Heard[ControlPilot] | None = None
        self._meter: Heard[MeterReading] | None = None
        self._decision: Heard[Decision] | None = None
        self._hardware: Heard[AmperageLimit] | None = None

    def hear_pilot(self, heard: Heard[ControlPilot]) -> None:
        """A state of the control pilot; one with an error renews nothing."""
        if not heard.value.error:
            self._pilot = Heard(heard.value, heard.at - max(0.0, heard.value.age))

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """A reading of the meter; one with an error renews nothing."""
        if not heard.value.error:
            self._meter = Heard(heard.value, heard.at - max(0.0, heard.value.age))

    def hear_decision(self, heard: Heard[Decision]) -> None:
        """A decision of the controller."""
        self._decision = heard

    def hear_hardware(self, heard: Heard[AmperageLimit]) -> None:
        """The HW limit; one that cannot be says nothing."""
        if not heard.value.refusal():
            self._hardware = heard

    def _hardware_amperage(self, now: float) -> float:
        """A per phase that installation and cable allow; NaN while that is not known."""
        heard = self._hardware
        if heard is None or heard.silence(now) > heard.value.valid_for:
            return NAN
        return heard.value.amperage

    def _live_pilot(self, now: float, silence: float) -> ControlPilot | None:
        """The pilot while it is heard; ``silence``: s after which it is not."""
        if self._pilot is None or self._pilot.silence(now) > silence:
            return None
        return self._pilot.value

    def _live_decision(self, now: float, silence: float) -> Decision | None:
        """The decision while it is heard; ``silence``: s after which it is not."""
        if self._decision is None or self._decision.silence(now) > silence:
            return None
        return self._decision.value
