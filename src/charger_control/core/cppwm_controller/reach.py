"""Where this vehicle can draw: the phases that count for it in its team (docs/team.md, Phases)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from charger_control.core.cppwm_controller.types import Allocation
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.power import LOWEST_VOLTAGE, PHASE_ACTIVE_AMPERAGE

CONNECTED = frozenset('BCD')
NAMES = ('L1', 'L2', 'L3')
ALL = 7
"""Bit mask of all three phases: 1 L1, 2 L2, 4 L3."""


@dataclass(frozen=True, slots=True)
class ReachConfig:
    """Figures of what is learned of a vehicle's phases.

    Attributes:
        steady_time: s of charging without a phase after which it counts as absent.
        longest_time: s; the time doubles with each return in one plug-in, up to this.
        meter_delay: s from a change of current to its sample in the worst case: period + lag.
        longest_delay: s; with a slower meter nothing is learned, a return would be seen too late.
        silence: s without a sample after which every phase counts.
    """

    steady_time: float = 60.0
    longest_time: float = 3600.0
    meter_delay: float = 1.2
    longest_delay: float = 2.0
    silence: float = 3.0


class Reached(NamedTuple):
    """Bit masks of own phases: 1 L1, 2 L2, 4 L3.

    Attributes:
        in_use: where the vehicle can draw now, as far as is known.
        possible: all that are wired; the others of them may come back.
        untried: of ``in_use``: it drew no current there yet, and would be seen to within
            ``longest_delay``. Never the first phase: a vehicle of one phase draws there.
    """

    in_use: int = ALL
    possible: int = ALL
    untried: int = 0


EVERYWHERE = Reached()
"""Nothing is known: it can draw on all."""


class Reach:
    """Learns in each plug-in on which phases a vehicle does not draw.

    All wired phases count, but those that it has charged without for ``steady_time`` while they
    had voltage. When one of those carries current again, all count at once.
    """

    def __init__(self, config: ReachConfig) -> None:
        self._config = config
        self._returns = 0
        self._switched = 0
        self._forget()

    def _forget(self) -> None:
        """Another vehicle may be there."""
        self._seen = self._absent = 0
        self._quiet_since: list[float | None] = [None, None, None]

    def step(self, now: float, pilot: ControlPilot | None, meter: MeterReading | None,
             wired: int, switched: int = 0) -> Reached:
        """One tick.

        Args:
            now: s.
            pilot: the control pilot while it is reachable, else None: the vehicle may be swapped.
            meter: the last sample while it is not older than ``silence``, else None.
            wired: bit mask of the phases that hardware does not rule out.
            switched: on how many phases charging is wished for: another number may switch a relay.
        """
        if switched != self._switched:
            self._switched = switched
            self._forget()
        if pilot is None or pilot.vehicle_status not in CONNECTED:
            self._forget()
            self._returns = 0
            return Reached(wired, wired, 0)
        fast = self._config.meter_delay <= self._config.longest_delay
        if meter is None or not fast:
            self._quiet_since = [None, None, None]
            return Reached(wired, wired, 0)
        self._learn(now, meter, pilot.vehicle_status in {'C', 'D'})
        measured = sum(1 << p for p in range(3) if meter.amperage[p] == meter.amperage[p])
        first = wired & -wired
        absent = self._absent & wired & measured & ~first
        untried = wired & measured & ~(self._seen | absent | first)
        return Reached(wired & ~absent, wired, untried)

    def bounded(self, reached: Reached, allocation: Allocation) -> Allocation:
        """What of an allocation holds for the phases that count now.

        A vehicle that draws, or can draw, where the team does not count it comes down at once to
        what the team lets it keep there.
        """
        certain = reached.in_use & ~(reached.untried if allocation.tries else 0)
        beyond = certain & ~allocation.phases
        if not beyond:
            return allocation
        kept = 0.0
        if 0.0 <= allocation.return_amperage < math.inf:
            kept = min(allocation.amperage, allocation.return_amperage)
        names = ', '.join(name for p, name in enumerate(NAMES) if beyond & 1 << p)
        return replace(allocation, amperage=kept, trim_amperage=0.0, reason=(
            f'{names} may draw too: at most {kept:.1f} A until the team has room for it'))

    def _learn(self, now: float, meter: MeterReading, charging: bool) -> None:
        active = sum(1 << p for p in range(3) if meter.amperage[p] >= PHASE_ACTIVE_AMPERAGE)
        if active & self._absent:
            self._absent = 0
            self._returns += 1
            self._quiet_since = [None, None, None]
        self._seen |= active
        steady = min(self._config.steady_time * 2.0**self._returns, self._config.longest_time)
        for p in range(3):
            quiet = (charging and active and not active & 1 << p
                     and meter.voltage[p] >= LOWEST_VOLTAGE)
            since = self._quiet_since[p]
            if not quiet:
                self._quiet_since[p] = None
            elif since is None:
                self._quiet_since[p] = now
            elif now - since >= steady:
                self._absent |= 1 << p


def wired_phases(phase_map: tuple[int, ...]) -> int:
    """Bit mask of the own phases that ``phase_map`` names (the supply phases of L1, L2, L3).

    () is unknown wiring: all three.
    """
    return (1 << (len(phase_map) or 3)) - 1
