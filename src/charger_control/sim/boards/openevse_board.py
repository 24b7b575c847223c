"""What an OpenEVSE is told and puts out, after its firmware 8.2.3 (github OpenEVSE/open_evse).

What it does by itself is in openevse_controller.py. Functions named in docstrings are those of
firmware/open_evse/J1772EvseController.cpp, class
J1772EVSEController, with the options that open_evse.h has as delivered (UL_COMPLIANT, AMMETER,
HEARTBEAT_SUPERVISION, TEMPERATURE_MONITORING, GFI, ADVPWR; neither AUTH_LOCK nor PP_AUTO_AMPACITY,
so no cable rating counts). Left out: CGMI boards, self tests that fail, the delay timer.
"""

from __future__ import annotations

import math

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.boards.openevse_rules import FAULT_STATES, Flag, Memory, State
from charger_control.sim.boards.pilot_board import OFF, PWM, STEADY, BoardParameters, PilotBoard
from charger_control.sim.plant.plant import Plant

LEAST, MOST = 6, 80
"""A: MIN_CURRENT_CAPACITY_J1772 and MAX_CURRENT_CAPACITY_L2 (open_evse.h)."""


class OpenEvseBoard(PilotBoard):
    """The state, commands and outputs of the board.

    Attributes:
        memory: its EEPROM; outlives a reset.
        evse, pilot_state: fields of GS; the second stands still while it sleeps.
        capacity: A, m_CurrentCapacity.
        leaks: a residual current flows while the relay is closed.
        grounded: whether the ground check finds earth.
        temperature: degrees Celsius in the enclosure.
        triggered: 0, 1 missed and acknowledged, 2 missed (m_HsTriggered).
    """

    def __init__(self, plant: Plant, log: BoardLog, *, now: float = 0.0,
                 parameters: BoardParameters | None = None) -> None:
        self.memory = Memory()
        self.leaks, self.grounded, self.temperature = False, True, 25.0
        super().__init__(plant, log, now=now, parameters=parameters)

    # -- PilotBoard ------------------------------------------------------------------------------
    def _lose(self) -> None:
        self.evse = self.pilot_state = State.UNKNOWN
        self._candidate = self._pilot_candidate = State.UNKNOWN
        self._candidate_at = self._pilot_candidate_at = 0.0
        self.flags = Flag.SESSION_ENDED
        self.capacity = self.memory.amperage
        self._spins: bool | None = None
        self._gfi = False
        self._gfi_at = self._ground_at = 0.0
        self._gfi_retries = self._ground_retries = 0
        self._on_at = self._off_at = -math.inf
        self._stuck_at: float | None = None
        self.busy_until = -math.inf
        self._after_busy = ''
        self.over_temperature = 0
        self.triggered = 0
        self._pulse_at = math.inf

    def _boot(self, now: float) -> None:
        self._pulse_at = now                                    # Init()
        self._log.write(now, 'up', set_amperage=self.set_amperage)

    def _wanted(self) -> float:
        return float(self.capacity)

    def _is_unavailable(self) -> bool:
        return self._pilot == OFF

    def _note_failure(self, now: float) -> None:
        failure = self.evse.name.lower() if self.evse in FAULT_STATES else ''
        if failure != self.failure:
            self.failure = failure
            self._log.write(now, 'failure', reason=failure)

    def _tell(self, now: float) -> None:
        """RapiSendEvseState(); the line does."""

    # -- what it is told -------------------------------------------------------------------------
    def enable(self, now: float) -> None:
        """Enable(): of use only while it sleeps or is disabled."""
        if self.evse in (State.DISABLED, State.SLEEPING):
            self._clear(Flag.LIMIT_SLEEP)
            self.evse = State.UNKNOWN
            self._set_pilot_state(now, STEADY)

    def sleep(self, now: float) -> None:
        """Sleep(): takes the place of any other state, a fault too."""
        if self.evse != State.SLEEPING:
            self._set_pilot_state(now, STEADY)
            self.evse = State.SLEEPING
            self._off_at = now
            self._note_failure(now)
            self._tell(now)

    def disable(self, now: float) -> None:
        """Disable(): opens at once, state F."""
        if self.evse != State.DISABLED:
            self._set_pilot_state(now, OFF)
            self.evse = State.DISABLED
            self._charging_off(now, 'disabled')
            self._note_failure(now)
            self._tell(now)

    def reboot(self, now: float) -> None:
        """Reboot(): 3 s for the vehicle to stop, then the watchdog; deaf meanwhile."""
        self._set_pilot_state(now, STEADY)
        self.busy_until = now + (3.0 if self.relay else 0.0) + 1.0
        self._after_busy = 'reboot'

    def press_button(self, now: float) -> None:
        """BtnHandler::DoShortPress (main.cpp): sleep, or wake; nothing of this in a fault."""
        if self.evse in FAULT_STATES:
            return
        if self.evse in (State.DISABLED, State.SLEEPING):
            self.enable(now)
        else:
            self.sleep(now)

    def reach_limit(self, now: float) -> None:
        """A limit of time or energy is met in state C (Update(), CHARGE_LIMIT)."""
        self.flags |= Flag.LIMIT_SLEEP
        self.sleep(now)

    def set_capacity(self, now: float, amperage: int, *, volatile: bool) -> int:
        """SetCurrentCapacity(): 0, or 1 and 2 where it was raised or lowered to what is allowed."""
        most = self.memory.amperage if volatile else MOST
        self.capacity = min(max(amperage, LEAST), most)
        if not volatile:
            self.memory.write('amperage', self.capacity)
        if self._pilot == PWM:
            self._offer(now, float(self.capacity))
        return (amperage < LEAST) + 2 * (amperage > most)

    def supervise(self, now: float, interval: int, amperage: int) -> None:
        """HeartbeatSupervision(): kept in the EEPROM; clears the trigger, raises nothing."""
        self.memory.write('interval', interval)
        self.memory.write('fallback', amperage)
        self.triggered = 0
        self._pulse_at = now

    def pulse(self, now: float) -> int:
        """HsPulse()."""
        self._pulse_at = now
        return int(self.triggered == 2)

    def restore(self, now: float) -> int:
        """HsRestoreAmpacity(): the EEPROM's current, at once, if a pulse was missed."""
        if not self.triggered:
            return 0
        return 1 if self.over_temperature else self.set_capacity(
            now, self.memory.amperage, volatile=True)

    def acknowledge(self, now: float) -> int:
        """HsAckMissedPulse()."""
        if self.triggered == 2:
            if self.restore(now):
                return 1
            self.triggered = 1
        return 0

    # -- outputs ---------------------------------------------------------------------------------
    def _clear(self, flag: Flag) -> None:
        self.flags &= ~flag

    def _set_pilot_state(self, now: float, pilot: int) -> None:
        self._pilot = pilot
        self._offer(now, float(self.capacity) if pilot == PWM else 0.0)

    def _charging_on(self, now: float) -> None:
        self.flags = (self.flags | Flag.CHARGING_ON) & ~Flag.SESSION_ENDED
        self._on_at = now
        self._switch(now, True, 'C')

    def _charging_off(self, now: float, reason: str) -> None:
        self._clear(Flag.CHARGING_ON)
        self._off_at = now
        self._switch(now, False, reason)
