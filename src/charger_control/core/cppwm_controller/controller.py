"""The decision of the CPPWM controller: rules 1 to 6 of architecture.md, "What is commanded"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from charger_control.core.cppwm_controller.closings import Closings
from charger_control.core.cppwm_controller.config import ControllerConfig
from charger_control.core.cppwm_controller.drawable import Drawable
from charger_control.core.cppwm_controller.limit_source import (
    LimitSource,
    Opinion,
    fewest_phases,
    lowest,
)
from charger_control.core.cppwm_controller.mains import AfterOutage, Mains
from charger_control.core.cppwm_controller.meter_check import refusal_of
from charger_control.core.cppwm_controller.reach import ALL, Reach
from charger_control.core.cppwm_controller.result import Result
from charger_control.core.cppwm_controller.start_stop import StartStop
from charger_control.core.cppwm_controller.types import Allocation
from charger_control.core.cppwm_controller.vehicle import CONNECTED, KNOWN, forbidden_by
from charger_control.core.heard import Heard
from charger_control.core.limits import SILENCE
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import AvailableAmperage, Charging, Decision, Flags
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.pi import Pi
from charger_control.core.units import MAX_AMPERAGE, MIN_AMPERAGE, NAN, Phases

REFUSAL_MEMORY = 60.0
"""s for which a refused input stays visible in the flags."""


class Controller:
    """The CPPWM controller of one charge point. ``hear_*`` store inputs, ``step`` decides."""

    def __init__(self, config: ControllerConfig, *, seed: int = 0,
                 after_outage: bool = False) -> None:
        """``seed``, ``after_outage``: see ``AfterOutage``."""
        self._config = config
        self.sources = {name: LimitSource(name, mandatory=name == 'hw') for name in config.sources}
        self._start_stop = StartStop(config.start_stop)
        self._mains = Mains()
        self._after_outage = AfterOutage(config.random_delay, seed, after_outage=after_outage)
        self._pi = Pi(config.pi)
        self._drawable = Drawable(config.fall_time)
        self._reach = Reach(config.reach)
        self._meter: Heard[MeterReading] | None = None
        self._pilot: Heard[ControlPilot] | None = None
        self._meter_silences = config.meter_limits()
        self._refused_at = float('-inf')
        self._meter_refusal = Heard('', -math.inf)
        self._stopped_by_api = False

    # -- inputs ----------------------------------------------------------------------------------
    def hear_limit(self, source: str, heard: Heard[AmperageLimit]) -> None:
        """Takes a limit; one that cannot be is refused, counted, and counts as silence."""
        if not self.sources[source].hear(heard):
            self._refused_at = heard.at

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """Takes a reading; one with an error or without phase currents renews nothing."""
        reading = heard.value
        if reading.error:
            return
        why = refusal_of(reading, self._config.closed_loop)
        if why:
            self._refused_at = heard.at
            self._meter_refusal = Heard(why, heard.at)
            return
        self._meter = replace(heard, at=heard.at - reading.age)

    def hear_pilot(self, heard: Heard[ControlPilot]) -> None:
        """Takes a state of the control pilot; one with an error renews nothing."""
        pilot = heard.value
        if pilot.error:
            return
        if not (0.0 <= pilot.signaled_amperage <= 10 * MAX_AMPERAGE and pilot.age >= 0.0):
            self._refused_at = heard.at
            return
        self._pilot = replace(heard, at=heard.at - pilot.age)

    @property
    def closings(self) -> Closings:
        """The contactor's closings of the last hour: to be kept over restarts."""
        return self._start_stop.closings

    # -- the decision ----------------------------------------------------------------------------
    def step(self, now: float, allocation: Allocation | None) -> Result:
        """One tick.

        Args:
            now: s.
            allocation: the team's answer in force; None where no team manages this charge point.
        """
        config = self._config
        flags = Flags(0) if config.closed_loop else Flags.OPEN_LOOP
        if now - self._refused_at < REFUSAL_MEMORY:
            flags |= Flags.REFUSED_INPUT
        opinions = {name: source.opinion(now) for name, source in self.sources.items()}
        flags |= self._source_flags(opinions)
        pilot = self._live_pilot(now)
        flag, forbidden = forbidden_by(pilot)
        flags |= flag
        phases, phase_source = fewest_phases(opinions, switches=config.has_phase_shutoff)
        meter_cap, meter_flag = self._meter_cap(now)
        flags |= meter_flag
        effective, limit_source = lowest(opinions)
        requested, limit_source, reason = self._request(now, opinions, effective, limit_source,
                                                        forbidden, meter_cap)
        reached = self._reach.step(now, pilot, self._recent_reading(now), self._wired(opinions),
                                   phases)
        allocated = requested
        if allocation is not None:
            allocation = self._reach.bounded(reached, allocation)
            allocated = _granted(allocation.amperage)
            if allocation.silent:
                flags |= Flags.TEAM_SILENT
            if allocated < requested:
                limit_source, reason = 'team', allocation.reason
        allowed = min(requested, allocated)

        connected = None
        if pilot is not None and pilot.vehicle_status in KNOWN:
            connected = pilot.vehicle_status in CONNECTED
        closed = None if pilot is None else _contactor_closed(pilot)
        own_enable = self._own_enable(opinions, limit_source)
        supplied = self._mains.step(now, self._live_voltage(now), pilot=pilot is not None,
                                    closed=closed)
        outage = self._after_outage.step(
            now, supplied, connected=connected, own_enable=own_enable,
            start_hold=config.start_stop.start_hold)
        running, hold = self._start_stop.step(now, 0.0 if outage else allowed, connected=connected,
                                              closed=closed, own_enable=own_enable)
        hold = outage if outage and allowed > 0.0 else hold
        if self._start_stop.closings.too_many:
            flags |= Flags.TOO_MANY_CLOSINGS
        if hold and not running:
            flags |= Flags.HOLD
            reason = hold
        commanded = allowed if running else 0.0
        hard = self._hard_limit(opinions, pilot)
        target = max(0.0, min(commanded, hard))     # of the PI: what can be drawn
        trim = self._trim(now, target, hard - target, allocation, pilot, flags)
        available = min(target + trim, hard) if target > 0.0 else 0.0
        if available < MIN_AMPERAGE:
            available = 0.0

        decision = Decision(
            requested_amperage=requested, allocated_amperage=allocated,
            commanded_amperage=commanded, trim=available - commanded if available else 0.0,
            phases=phases, limit_source=limit_source, phase_source=phase_source, reason=reason,
            effective_amperage_limit=effective, flags=int(flags))
        return Result(
            decision,
            AvailableAmperage(commanded, available, available > 0.0, phases, config.valid_for),
            self._charging(now, decision, available, pilot),
            self._drawable.step(now, pilot, self._live_amperage(now),
                                hard or self._config.installed_amperage),
            amperage_age=0.0 if self._meter is None else self._meter.silence(now),
            reached=reached)

    # -- parts -----------------------------------------------------------------------------------
    def _request(self, now: float, opinions: Mapping[str, Opinion], effective: float,
                 limit_source: str, forbidden: str, meter_cap: float
                 ) -> tuple[float, str, str]:
        """What to ask the team for: A per phase, whose limit that is, and why in words."""
        unheard = [name for name, opinion in opinions.items() if opinion.unheard]
        if unheard:
            return 0.0, limit_source, f'waiting for the first word of: {", ".join(unheard)}'
        if forbidden:
            return 0.0, limit_source, forbidden
        if meter_cap < effective:
            requested, source = meter_cap, 'meter'
            refusal = self._meter_refusal
            what = (refusal.value if refusal.silence(now) <= SILENCE else 'the meter is silent')
            reason = f'{what}: at most {meter_cap:.0f} A'
        else:
            requested, source = effective, limit_source
            reason = opinions[source].reason if source else 'no limit source has an opinion'
        if requested < self._config.start_stop.stop_amperage:
            requested = 0.0
        return requested, source, reason

    def _source_flags(self, opinions: Mapping[str, Opinion]) -> Flags:
        flags = Flags(0)
        for name, opinion in opinions.items():
            if opinion.unheard:
                flags |= Flags.SOURCE_UNHEARD
            elif opinion.silent:
                flags |= Flags.SOURCE_SILENT
            if self.sources[name].contested and not opinion.silent:
                flags |= Flags.SECOND_PUBLISHER
        return flags

    def _live_pilot(self, now: float) -> ControlPilot | None:
        if self._pilot is None or self._pilot.silence(now) > self._config.pilot_silence:
            return None
        return self._pilot.value

    def _live_amperage(self, now: float) -> tuple[float, float, float] | None:
        silent, _, _ = self._meter_silences
        if self._meter is None or self._meter.silence(now) > silent:
            return None
        return self._meter.value.amperage

    def _live_voltage(self, now: float) -> Phases | None:
        silent, _, _ = self._meter_silences
        if self._meter is None or self._meter.silence(now) > silent:
            return None
        return self._meter.value.voltage

    def _recent_reading(self, now: float) -> MeterReading | None:
        """The last sample, as long as it tells on which phases the vehicle draws."""
        if not self._config.closed_loop or self._meter is None or (
                self._meter.silence(now) > self._config.reach.silence):
            return None
        return self._meter.value

    def _wired(self, opinions: Mapping[str, Opinion]) -> int:
        """Own phases that hardware does not rule out, as a bit mask."""
        hw = opinions.get('hw')
        return self._config.wired & (1 if hw is not None and hw.phases == 1 else ALL)

    def _meter_cap(self, now: float) -> tuple[float, Flags]:
        """What a silent meter allows, A per phase, and the flag that says so."""
        if not self._config.closed_loop:
            return math.inf, Flags(0)
        silent, lost, gone = self._meter_silences
        silence = math.inf if self._meter is None else self._meter.silence(now)
        if silence > gone:
            return 0.0, Flags.METER_GONE
        if silence > lost:
            return MIN_AMPERAGE, Flags.METER_LOST
        return math.inf, Flags.METER_SILENT if silence > silent else Flags(0)

    def _own_enable(self, opinions: Mapping[str, Opinion], limit_source: str) -> bool:
        """Whether a client has just lifted its own stop."""
        api = opinions.get('api')
        stops = (api is not None
                 and api.amperage < self._config.start_stop.stop_amperage)  # False for NaN
        lifted = self._stopped_by_api and not stops
        self._stopped_by_api = stops and (limit_source == 'api' or self._stopped_by_api)
        return lifted

    def _hard_limit(self, opinions: Mapping[str, Opinion], pilot: ControlPilot | None) -> float:
        """min(HW limit, cable): nothing is made available above it."""
        hw = opinions['hw'].amperage if 'hw' in opinions else NAN
        cable = pilot.cable_amperage if pilot is not None else NAN
        return min([MAX_AMPERAGE, *(a for a in (hw, cable) if not math.isnan(a))])

    def _trim(self, now: float, target: float, headroom: float, allocation: Allocation | None,
              pilot: ControlPilot | None, flags: Flags) -> float:
        if (not self._config.closed_loop or pilot is None
                or pilot.vehicle_status not in CONNECTED):
            self._pi.reset()
            return MIN_AMPERAGE - target if 0.0 < target < MIN_AMPERAGE else 0.0
        limit = self._config.own_trim if allocation is None else _granted(allocation.trim_amperage)
        meter = self._meter
        sample = None if meter is None else Heard(meter.value.amperage, meter.at)
        silent = Flags.METER_SILENT | Flags.METER_LOST | Flags.METER_GONE
        return self._pi.step(
            now, target, signaled=pilot.signaled_amperage, board_step=pilot.step,
            trim_limit=limit, headroom=headroom, amperage=sample,
            frozen=bool(flags & silent) or (meter is not None and meter.contested))

    def _charging(self, now: float, decision: Decision, available: float,
                  pilot: ControlPilot | None) -> Charging:
        silent, _, _ = self._meter_silences
        meter = MeterReading()
        if self._meter is not None and self._meter.silence(now) <= silent:
            meter = self._meter.value
        return Charging(
            meter.voltage, meter.amperage, decision.allocated_amperage,
            decision.commanded_amperage, available,
            NAN if pilot is None else pilot.signaled_amperage,
            meter.frequency, meter.energy_imported, meter.active_power)


def _granted(amperage: float) -> float:
    """What a grant of the team is worth, A per phase: 0 if it is no number that can be."""
    return amperage if 0.0 <= amperage < math.inf else 0.0


def _contactor_closed(pilot: ControlPilot) -> bool:
    if pilot.contactor_feedback is not None:
        return pilot.contactor_feedback
    if pilot.contactor_commanded is not None:
        return pilot.contactor_commanded
    return pilot.vehicle_status in {'C', 'D'} and pilot.signaled_amperage > 0.0
