"""What the API block takes in and gives out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.messages.client_limits import DEFAULT_TIMEOUT
from charger_control.core.units import MAX_AMPERAGE, NAN

TIMEOUTS = (1.0, 86_400.0)
"""s, allowed timeouts (web-api.md)."""
MAX_POWER = 55_200.0
"""W, the most that may be set: 80 A on three phases of 230 V (web-api.md)."""
MIN_POWER = 1_380.0
"""W, less means 0: 6 A on one phase of 230 V (web-api.md)."""


class RefusedError(ValueError):
    """A request that cannot be taken; nothing of it was.

    Attributes:
        code: OutOfRange, NothingSet or NotSupported, as SetLimits.srv answers.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """Figures of the block; each is a parameter of the node.

    Attributes:
        phases: connected to this charge point, 1..3.
        on_timeout_amperage: A per phase held once values have lapsed; NaN: they are released.
        meter_timeout: s for which measured voltages and phases count.
        has_phase_shutoff: this charge point can switch to one phase.
        unreadable_amperage: A per phase at most while what is stored cannot be read.
    """

    phases: int = 3
    on_timeout_amperage: float = NAN
    meter_timeout: float = 11.0
    has_phase_shutoff: bool = False
    unreadable_amperage: float = 0.0

    def check_ability(self, request: SetLimits) -> None:
        """RefusedError where something is asked for that this charge point cannot do."""
        if request.set_one_phase_limit and request.one_phase_limit and not self.can_use_one_phase:
            raise RefusedError(
                'NotSupported', 'onePhaseLimit (one_phase_limit) = true: this charge point cannot '
                'switch to one phase (has_phase_shutoff is false); allowed is false. Limit the '
                'current or the power instead')

    @property
    def can_use_one_phase(self) -> bool:
        """Whether one phase is all there is, or can be switched to."""
        return self.has_phase_shutoff or self.phases == 1


@dataclass(frozen=True, slots=True)
class SetLimits:
    """A client's request; fields as in SetLimits.srv, ``timeout`` in s.

    Only what has its ``set_`` is touched. ``give_enabled_back`` beats ``enabled``.
    """

    set_enabled: bool = False
    enabled: bool = True
    give_enabled_back: bool = False
    set_amperage_limit: bool = False
    amperage_limit: float = NAN
    set_power_limit: bool = False
    power_limit: float = NAN
    set_timeout: bool = False
    timeout: float = DEFAULT_TIMEOUT
    set_one_phase_limit: bool = False
    one_phase_limit: bool = False
    set_phase_rotation: bool = False
    phase_rotation: bool = False
    client: str = ''

    def check(self) -> None:
        """RefusedError where something asked for is out of range, or nothing is asked for."""
        asked = (self.set_enabled, self.give_enabled_back, self.set_amperage_limit,
                 self.set_power_limit, self.set_timeout, self.set_one_phase_limit,
                 self.set_phase_rotation)
        if not any(asked):
            raise RefusedError('NothingSet', 'nothing was changed: no set_ field is true (e.g. '
                               'set_amperage_limit: true, amperage_limit: 10.0)')
        if self.set_amperage_limit and not _within(self.amperage_limit, MAX_AMPERAGE):
            raise RefusedError('OutOfRange', f'amperage_limit = {self.amperage_limit:g}: allowed '
                               f'is 0 to {MAX_AMPERAGE:g} A, or NaN to give it back')
        if self.set_power_limit and not _within(self.power_limit, MAX_POWER):
            raise RefusedError('OutOfRange', f'power_limit = {self.power_limit:g}: allowed is 0 to '
                               f'{MAX_POWER:g} W, or NaN to give it back')
        if self.set_timeout and not TIMEOUTS[0] <= self.timeout <= TIMEOUTS[1]:
            raise RefusedError('OutOfRange', f'timeout = {self.timeout:g}: allowed is '
                               f'{TIMEOUTS[0]:g} to {TIMEOUTS[1]:g} s')


def _within(value: float, high: float) -> bool:
    """Whether ``value`` is 0..high, or NaN."""
    return math.isnan(value) or 0.0 <= value <= high
