"""ISO 61851 where nobody else does it: the block for a RawPilot (duty, levels, contactor).

The driver's thread samples and guards (guard.py); here, at the node's tick, it is decided what
the pilot says, whether the contactor may be closed, and what is wrong. Figures: domain.md 1.5-1.8;
docs/architecture.md, What is commanded and Faults.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from charger_control.core.heard import Heard
from charger_control.core.iso61851.duty import amperage_of_duty, duty_of_amperage
from charger_control.core.iso61851.faults import BOARD, CP_SHORT, FaultConfig, Faults, Since
from charger_control.core.iso61851.inputs import PilotInputs
from charger_control.core.iso61851.raw.guard import DEAD
from charger_control.core.iso61851.raw.sequence import PhaseConfig, PhaseSwitch, Stage
from charger_control.core.iso61851.raw.types import (
    STEADY_HIGH,
    STEADY_LOW,
    Event,
    RawOrder,
    RawReading,
    is_pwm,
)
from charger_control.core.iso61851.raw.watch import DISCONNECTED, RawWatch
from charger_control.core.iso61851.signal import Signal, SignalConfig
from charger_control.core.iso61851.wake import WakeUp, WakeUpConfig
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.power import PHASE_ACTIVE_AMPERAGE
from charger_control.core.units import MIN_AMPERAGE, NAN, Phases

SIMPLIFIED_AMPERAGE = 10.0
"""A, the most that a vehicle without S2 may be offered where that is configured (domain.md 1.2)."""
CLOSING_TIME = 1.0
"""s until the feedback must say that the contactor closed; 0.3 s are expected (domain.md 1.6)."""


@dataclass(frozen=True, slots=True)
class RawPilotConfig:
    """Figures of the block.

    Attributes:
        connected_phases: to this charge point, 1..3.
        board_timeout: s without a sample until the pilot counts as lost.
        present_hold: s without an offer after a start with a vehicle present.
        meter_timeout: s for which a measured current can be believed.
        stop_time: s after "no offer" until the contactor is opened under load.
        quiet_time: s after it at which a vehicle that stays in C without drawing is switched off.
        x1_time: s of constant +12 V after a PWM before the next.
        ready_time: s of constant +12 V after state F before the next PWM.
        open_time: s for which an opened contactor stays open; with the time to decide on C less
            than the 3 s that a vehicle may wait for its mains.
        fault_dark_time: s of state F after a fault while charging; 0 for vehicles that latch it.
        socket: the cable's rating counts (a socket, not a tethered cable).
        simplified_limit: a vehicle without S2 is offered 10 A at the most.
    """

    connected_phases: int = 3
    board_timeout: float = 0.5
    present_hold: float = 10.0
    meter_timeout: float = 3.0
    stop_time: float = 6.0
    quiet_time: float = 4.0
    x1_time: float = 3.0
    ready_time: float = 0.75
    open_time: float = 2.0
    fault_dark_time: float = 0.3
    socket: bool = False
    simplified_limit: bool = False
    signal: SignalConfig = field(default_factory=SignalConfig)
    faults: FaultConfig = field(default_factory=FaultConfig)
    wake_up: WakeUpConfig = field(default_factory=WakeUpConfig)
    phases: PhaseConfig = field(default_factory=PhaseConfig)


@dataclass(frozen=True, slots=True)
class RawResult:
    """What one tick decides.

    Attributes:
        order: for the driver.
        pilot: what to publish; None: nothing to say (the pilot is lost, and it has been said).
        latch: the fault to keep over restarts, '' for none.
        events: what has happened since the last tick.
    """

    order: RawOrder
    pilot: ControlPilot | None
    latch: str
    events: tuple[Event, ...] = ()


class RawPilotControl(PilotInputs):
    """The iso61851 block for a RawPilot."""

    def __init__(self, config: RawPilotConfig, latched: str = '') -> None:
        """``latched``: the fault that was in force when the last process ended."""
        super().__init__(config.connected_phases, config.meter_timeout)
        self._config = config
        self._signal = Signal(config.signal)
        self.faults = Faults(config.faults, latched)
        self._watch = RawWatch()
        self._wake_up = WakeUp(config.wake_up)
        self._phase_switch = PhaseSwitch(config.phases)
        self._hold_until: float | None = None
        self._duty = STEADY_HIGH
        self._quiet_until = -math.inf
        self._dark_until = -math.inf
        self._no_pwm = Since()
        self._not_closing = Since()
        self._broken_until = -math.inf
        self._last_fault = ''
        self._trips = 0
        self._said_lost = False

    # -- the decision ----------------------------------------------------------------------------
    def step(self, now: float, reading: Heard[RawReading] | None, error: str) -> RawResult:
        """One tick.

        Args:
            now: s.
            reading: what the thread knew last and when, None before the first sample.
            error: what is wrong with the device, '' while it is well.
        """
        if reading is None or reading.silence(now) > self._config.board_timeout:
            return self._lost(now, reading, error)
        self._said_lost = False
        raw = reading.value
        events = self._watch.step(now, raw)
        if raw.trips != self._trips and raw.trip == DEAD:
            self._note_end_of_pwm(now)
            self._duty = STEADY_HIGH
        self._trips = raw.trips
        if self._hold_until is None and raw.letter in {'A', 'B', 'C', 'D'}:
            self._hold_until = now + (0.0 if raw.letter == 'A' else self._config.present_hold)
        meter = self._measured(now, self._config.meter_timeout)
        fault = self._supervise(now, reading, meter)
        events += self._watch.fault(now, fault)
        wanted = self._wanted(now)
        wish = 0 if wanted is None else wanted.phases or 3
        events += self._phase_switch.step(now, wish, raw, seen=self._watch.seen_mains)
        events += self._put_out(now, raw, fault)
        order = RawOrder(
            self._duty, self._close_in(now, raw, fault, meter), self._phase_switch.phases,
            self._config.stop_time, raw.trips)
        return RawResult(order, self._publish(now, reading, fault), self.faults.latched,
                         tuple(events))

    def stopped(self, now: float, reading: Heard[RawReading] | None) -> bool:
        """Whether the process may end: the contactor is open, or the vehicle has had its time."""
        if reading is None or reading.silence(now) > self._config.board_timeout:
            return True
        raw = reading.value
        return not is_pwm(raw.duty) and (
            not raw.contactor or self._no_pwm(now, True) > self._config.stop_time + 0.5)

    # -- supervision -----------------------------------------------------------------------------
    def _supervise(self, now: float, reading: Heard[RawReading], meter: Heard[Phases] | None
                   ) -> str:
        """The fault in force, '' for none."""
        raw = reading.value
        if self._not_closing(now, raw.contactor and raw.feedback is False) > CLOSING_TIME:
            self._broken_until = now + self._config.faults.clear_time
        closed = raw.feedback
        if closed is None and raw.contactor:
            closed = True   # without a feedback the command is all there is
        fault = self.faults.step(
            now, reading.at, letter=self._letter(raw), signaled=amperage_of_duty(raw.duty),
            contactor_closed=closed, amperage=meter,
            cause=BOARD if now < self._broken_until else self._supply_cause(now))
        if fault not in {'', CP_SHORT, self._last_fault} and self._watch.charging(now):
            self._dark_until = now + self._config.fault_dark_time
        self._last_fault = fault
        return fault

    @staticmethod
    def _letter(raw: RawReading) -> str:
        """The state with the diode's: R where the diode is not there."""
        return 'R' if raw.diode is False and raw.letter in {'B', 'C', 'D'} else raw.letter

    # -- the pilot -------------------------------------------------------------------------------
    def _put_out(self, now: float, raw: RawReading, fault: str) -> list[Event]:
        """Decides the duty cycle."""
        config = self._config
        wanted = self._wanted(now)
        bound = self._bound(now, raw.cable_amperage if config.socket else math.inf)
        if self._watch.simplified and config.simplified_limit:
            bound = min(bound, SIMPLIFIED_AMPERAGE)
        ready = (not fault and not self._stopping and self._letter(raw) in self._chargeable()
                 and self._hold_until is not None and now >= self._hold_until
                 and self._phase_switch.stage is Stage.IDLE)
        offered = (ready and wanted is not None
                   and min(wanted.available_amperage, bound) >= MIN_AMPERAGE)
        dark, events = self._wake_up.step(now, letter=raw.letter, offered=offered,
                                          pwm=is_pwm(raw.duty))
        dark = dark or self._phase_switch.stage is Stage.DARK or now < self._dark_until
        if self._duty == STEADY_LOW and not dark:
            self._quiet_until = max(self._quiet_until, now + config.ready_time)
        duty = STEADY_LOW if dark else STEADY_HIGH
        if offered and wanted is not None and not dark and now >= self._quiet_until:
            duty = duty_of_amperage(self._signal.step(
                now, wanted.commanded_amperage, wanted.available_amperage, bound))
        if is_pwm(self._duty) and not is_pwm(duty):
            self._note_end_of_pwm(now)
        elif not is_pwm(duty):
            self._signal.withdraw(now)
        self._duty = duty
        return events

    def _note_end_of_pwm(self, now: float) -> None:
        self._signal.withdraw(now)
        self._quiet_until = max(self._quiet_until, now + self._config.x1_time)

    def _chargeable(self) -> str:
        """The states in which there may be an offer."""
        return 'BCD' if self._config.faults.ventilation else 'BC'

    # -- the contactor ---------------------------------------------------------------------------
    def _close_in(self, now: float, raw: RawReading, fault: str, meter: Heard[Phases] | None
                  ) -> str:
        """The states in which the contactor is to be closed; '' for open."""
        config = self._config
        letters = 'CD' if config.faults.ventilation else 'C'
        without = self._no_pwm(now, not is_pwm(raw.duty))
        if fault or raw.letter not in letters or self._duty == STEADY_LOW:
            return ''
        if raw.contactor:
            # a vehicle that has stopped but stays in C need not be cut off under load
            stays = without > config.quiet_time and meter is not None and all(
                a < PHASE_ACTIVE_AMPERAGE for a in meter.value if not math.isnan(a))
            return '' if stays else letters
        may_close = (is_pwm(self._duty) and is_pwm(raw.duty) and raw.diode is True
                     and now - raw.opened_at >= config.open_time)
        return letters if may_close else ''

    # -- what is published -----------------------------------------------------------------------
    def _publish(self, now: float, reading: Heard[RawReading], fault: str) -> ControlPilot:
        raw = reading.value
        letter = self._letter(raw)
        if raw.duty == STEADY_LOW:
            status = 'F1'
        else:
            status = letter + ('2' if is_pwm(raw.duty) and letter in 'BCD' else '1')
        return ControlPilot(
            vehicle_status=letter, charge_controller_status=status,
            signaled_amperage=round(amperage_of_duty(raw.duty), 6),
            step=self._config.signal.step, duty_cycle=raw.duty, cp_high=raw.high, cp_low=raw.low,
            cable_amperage=raw.cable_amperage if self._config.socket else NAN,
            contactor_commanded=raw.contactor, contactor_feedback=raw.feedback,
            fault=fault, recent_error_cause=self.faults.recent or (
                DISCONNECTED if self._watch.pulled else ''),
            age=reading.silence(now))

    def _lost(self, now: float, reading: Heard[RawReading] | None, error: str) -> RawResult:
        """No samples: no offer, open, said once."""
        self._note_end_of_pwm(now)
        self._duty = STEADY_HIGH
        self.faults.board_lost()
        pilot = None
        if not self._said_lost:
            self._said_lost = True
            age = 0.0 if reading is None else reading.silence(now)
            pilot = ControlPilot('S', 'S1', 0.0, age=age, error=error or 'no sample of the pilot')
        return RawResult(RawOrder(stop_time=self._config.stop_time, trips=self._trips), pilot,
                         self.faults.latched)
