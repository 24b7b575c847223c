"""One charger of a depot that is simulated offline: its vehicle, its pilot, its side of the lease.

As a charger of the live graph in what matters to its team: it asks once a step, starts and stops by
the controller's own rules, says what its vehicle may be drawing. What is left out is the regulation
within seconds: it offers what is commanded, without trim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from charger_control.core.cppwm_controller import (
    EVERYWHERE,
    Allocation,
    Reach,
    ReachConfig,
    wired_phases,
)
from charger_control.core.cppwm_controller.start_stop import StartStop, StartStopConfig
from charger_control.core.heard import RecentMaximum
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamAllocation, TeamRequest
from charger_control.core.team import Member, MemberConfig, lease_times
from charger_control.core.units import UNKNOWN_PHASES
from charger_control.sim.plant.ev import NO_PHASES, Ev
from charger_control.sim.plant.ev_parameters import Phases, vehicle_of
from charger_control.sim.plant.pilot_line import NO_OFFER_DUTY, duty_of_amperage

HW_AMPERAGE = 16.0
"""A per phase that a charger allows, as config/sim.yaml says."""
FALL_TIME = 6.0
RESTART = 4.0
"""s that a killed control process is away."""
METER_LOST = 10.0
"""s without a meter after which nobody knows what flows."""
MAINS: Phases = (230.0, 230.0, 230.0)
_SEQUENCES = 1 << 32


class OfflineCharger:
    """A charger; times in s from the start of the simulation.

    Attributes:
        name: in the team.
        phase_map: supply phase (1..3) that feeds its L1, L2, L3.
        amperage: A that its vehicle draws on its own phases.
        vehicle: what is plugged in, or None.
    """

    def __init__(self, name: str, team: str, size: int, phase_map: tuple[int, ...],
                 amperage: float = HW_AMPERAGE) -> None:
        """``amperage``: A per phase that it allows."""
        self.name, self.phase_map = name, phase_map
        self._hw_amperage = amperage
        self.amperage: Phases = NO_PHASES
        self.vehicle: Ev | None = None
        self._config = MemberConfig(team, name, times=lease_times(size))
        self._last_vehicle: Ev | None = None
        self._starts = 0
        self._dark_since = self._dark_until = self._down_until = -1.0
        self._is_down = False
        self._acknowledged = 0.0
        self._offered = 0.0
        self._session_energy = 0.0
        self._waiting_since: float | None = None
        self._begin(0.0)

    def do(self, action: str, arguments: Mapping[str, Any], now: float) -> None:
        """Does a step of the scenario.

        Raises:
            ValueError: it cannot be done now, or not offline, in words.
        """
        if action == 'plug_in':
            self._plug_in(arguments, now)
        elif action == 'unplug':
            if self.vehicle is None:
                raise ValueError(f'{self.name}: unplug: no vehicle is plugged in')
            self._last_vehicle, self.vehicle = self.vehicle, None
            self.amperage = NO_PHASES
        elif action == 'set_vehicle':
            if self.vehicle is None:
                raise ValueError(f'{self.name}: set_vehicle: no vehicle is plugged in')
            self.vehicle.change(arguments['vehicle'])
        elif action == 'trip':
            self._dark_since, self._dark_until = now, now + arguments.get('for', float('inf'))
        elif action == 'kill':
            self._down_until = now + RESTART
        else:
            raise ValueError(f'{action}: cannot be simulated offline (can be: plug_in, unplug, '
                             'set_vehicle, trip, kill)')

    def step(self, now: float) -> None:
        """The vehicle and the controller live on until ``now``."""
        if now < self._down_until:
            self._offered = 0.0
        elif self._is_down:
            self._begin(now)
        self._is_down = now < self._down_until
        if self._is_dark(now):
            self._start_stop = StartStop(StartStopConfig())     # the board is lost: none goes on
            self._offered = 0.0
        elif not self._is_down:
            self._control(now)
        vehicle = self.vehicle
        if vehicle is None:
            return
        closed = vehicle.letter in 'CD' and (self._offered > 0.0 or max(self.amperage) > 0.0)
        live = closed and not self._is_dark(now)
        duty = duty_of_amperage(self._offered) if self._offered else NO_OFFER_DUTY
        _, self.amperage = vehicle.step(now, duty, MAINS if live else NO_PHASES)

    def request(self, now: float) -> TeamRequest | None:
        """What it asks its team for now; None while its process is away."""
        if self._is_down:
            return None
        if self._is_dark(now):      # its last signal may still be obeyed, for all it knows
            return self._member.request(now, TeamRequest(
                drawable_amperage=self._acknowledged, fall_time=FALL_TIME,
                phase_map=self.phase_map, vehicle_status='S',
                amperage=UNKNOWN_PHASES if now - self._dark_since > METER_LOST else NO_PHASES))
        vehicle, wants = self.vehicle, self._wants
        drawable = max(self._recent.update(now, self._offered), *self.amperage)
        self._acknowledged = self._offered
        if vehicle is None:
            self._recent.clear()
            drawable = self._acknowledged = 0.0
        if not wants or self._offered > 0.0:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        waiting = 0.0 if self._waiting_since is None else now - self._waiting_since
        return self._member.request(now, TeamRequest(
            requested_amperage=self._hw_amperage if wants else 0.0, drawable_amperage=drawable,
            fall_time=FALL_TIME, phase_map=self.phase_map, phases_in_use=self._reached.in_use,
            phases_possible=self._reached.possible, phases_untried=self._reached.untried,
            vehicle_status='A' if vehicle is None else vehicle.letter, amperage=self.amperage,
            energy=0.0 if vehicle is None else vehicle.energy - self._session_energy,
            waiting=waiting))

    def hear(self, now: float, allocation: TeamAllocation) -> None:
        """Takes a leader's list."""
        if not self._is_down:
            self._member.hear(now, allocation)

    @property
    def offered(self) -> float:
        """A per phase that it signals; 0: none."""
        return self._offered

    @property
    def last_vehicle(self) -> Ev | None:
        """The vehicle there, or the one that was there last."""
        return self.vehicle or self._last_vehicle

    def _is_dark(self, now: float) -> bool:
        return now < self._dark_until

    @property
    def _wants(self) -> bool:
        return self.vehicle is not None

    def _begin(self, now: float) -> None:
        """A new control process: nothing is in force, requests are numbered on."""
        self._starts += 1
        self._member = Member(self._config, now, self._starts * _SEQUENCES)
        self._start_stop = StartStop(StartStopConfig())
        self._recent = RecentMaximum(FALL_TIME)
        self._reach = Reach(ReachConfig())
        self._reached = EVERYWHERE

    def _control(self, now: float) -> None:
        letter = 'A' if self.vehicle is None else self.vehicle.letter
        self._reached = self._reach.step(
            now, ControlPilot(letter, letter, self._offered), MeterReading(MAINS, self.amperage),
            wired_phases(self.phase_map))
        lease = self._member.in_force(now)
        granted = self._reach.bounded(self._reached, Allocation(
            lease.amperage, phases=lease.phases_in_use, tries=lease.tries,
            return_amperage=lease.return_amperage)).amperage
        allowed = min(self._hw_amperage, granted) if self._wants else 0.0
        charging, _ = self._start_stop.step(
            now, allowed, connected=self.vehicle is not None, closed=self._offered > 0.0,
            own_enable=False)
        self._offered = math.floor(100.0 * allowed) / 100.0 if charging else 0.0  # never more

    def _plug_in(self, arguments: Mapping[str, Any], now: float) -> None:
        if self.vehicle is not None:
            raise ValueError(f'{self.name}: plug_in: a vehicle is plugged in already (unplug it '
                             'first)')
        vehicle = self._last_vehicle
        if 'vehicle' in arguments or vehicle is None:
            vehicle = Ev(vehicle_of(arguments.get('vehicle', 'standard')), now)
        vehicle.plug_in(now)
        self.vehicle, self._session_energy = vehicle, vehicle.energy
