"""HW-Limit: the most that fuse, cable, phases and temperature allow, now."""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.units import MIN_AMPERAGE, NAN

VALID_FOR = 5.0
"""s: hardware that is not watched allows nothing (architecture.md, When something is silent)."""
LOOSE_AMPERAGE = 16.0
"""A, the most over a terminal that is loose: + 0.1 ohm are 26 W then, 100 W at 32 A."""
COLDEST = -50.0
"""degrees Celsius; below it a temperature comes from a broken sensor."""


@dataclass(frozen=True, slots=True)
class HwLimitConfig:
    """What is installed.

    Attributes:
        fuse: A per phase, the least of fuse, wiring and contactor.
        phases: connected phases, 1..3.
        cable: A of a tethered cable; NaN: a socket, the rating comes from the proximity pilot.
        derating_from, derating_to: degrees Celsius between which the limit falls in a straight
            line from fuse to 6 A; above, 0 A. NaN: no temperature sensor is configured.
        pilot_timeout: s after which what the board said no longer counts.
    """

    fuse: float
    phases: int
    cable: float
    derating_from: float = NAN
    derating_to: float = NAN
    pilot_timeout: float = 2.0

    def __post_init__(self) -> None:
        if math.isnan(self.derating_from) != math.isnan(self.derating_to):
            raise ValueError(f'hw_limit.derating_from = {self.derating_from} and '
                             f'hw_limit.derating_to = {self.derating_to}: set both, or both to '
                             '.nan for a board without a temperature sensor')
        if self.derating_from >= self.derating_to:
            raise ValueError(f'hw_limit.derating_from = {self.derating_from} must be below '
                             f'hw_limit.derating_to = {self.derating_to}')


def step(config: HwLimitConfig, now: float, pilot: Heard[ControlPilot] | None,
         loose: str = '') -> AmperageLimit:
    """The limit now.

    Args:
        config: what is installed.
        now: s.
        pilot: what the board said last.
        loose: phases whose terminals are loose (TerminalWatch.loose), '' for none.
    """
    candidates = [(config.fuse, f'fuse {config.fuse:g} A')]
    board = None
    if (pilot is not None and not pilot.value.error
            and pilot.silence(now) + max(0.0, pilot.value.age) <= config.pilot_timeout):
        board = pilot.value
    candidates.append(_cable(config, board))
    if loose:
        candidates.append((LOOSE_AMPERAGE, f'loose terminal? {loose}: have it looked at'))
    if not math.isnan(config.derating_from):
        candidates.append(_temperature(config, board))
    amperage, reason = min(candidates)
    if amperage < MIN_AMPERAGE:
        amperage = 0.0
    return AmperageLimit(amperage, 1 if config.phases == 1 else 0, VALID_FOR, 0.0, reason)


def _cable(config: HwLimitConfig, board: ControlPilot | None) -> tuple[float, str]:
    if not math.isnan(config.cable):
        return config.cable, f'tethered cable {config.cable:g} A'
    if board is not None and board.vehicle_status == 'A':
        return math.inf, 'no cable needed'
    if board is None or not board.cable_amperage > 0.0:
        return 0.0, 'cable rating unknown'  # never fall to the maximum (domain.md 1.9)
    return board.cable_amperage, f'cable {board.cable_amperage:g} A (proximity pilot)'


def _temperature(config: HwLimitConfig, board: ControlPilot | None) -> tuple[float, str]:
    if board is None or not board.temperature >= COLDEST:
        return MIN_AMPERAGE, 'temperature sensor lost'
    temperature = board.temperature
    if temperature <= config.derating_from:
        return math.inf, f'{temperature:.0f} degrees'
    if temperature > config.derating_to:
        return 0.0, f'too hot: {temperature:.0f} degrees'
    share = (config.derating_to - temperature) / (config.derating_to - config.derating_from)
    amperage = MIN_AMPERAGE + share * max(0.0, config.fuse - MIN_AMPERAGE)
    return amperage, f'derated at {temperature:.0f} degrees'
