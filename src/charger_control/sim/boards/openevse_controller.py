"""The state machine of an OpenEVSE, after its firmware 8.2.3 (github OpenEVSE/open_evse).

Functions named in docstrings are those of J1772EvseController.cpp (openevse_board.py).
"""

from __future__ import annotations

from charger_control.sim.boards.openevse_board import OpenEvseBoard
from charger_control.sim.boards.openevse_rules import (
    FAULT_STATES,
    GFI_RETRIES,
    GFI_TIMEOUT,
    GROUND_CHECK_DELAY,
    HARD_FAULT_TIME,
    SLEEP_OPEN_TIME,
    STUCK_RELAY_DELAY,
    TRANSITION_A_TIME,
    TRANSITION_TIME,
    Flag,
    State,
)
from charger_control.sim.boards.pilot_board import OFF, PWM, STEADY
from charger_control.sim.plant.pilot_line import letter_of_level

_DIODE_LEVEL = -10.0
_NO_CURRENT = 1.0
_PILOTS = {'A': State.A, 'B': State.B, 'C': State.C, 'D': State.D}


class OpenEvseController(OpenEvseBoard):
    """What happens on the pilot and at the relay, without the line."""

    def step(self, now: float) -> None:
        """See PilotBoard: one round of loop()."""
        if not self._runs(now):
            return
        self.letter = letter_of_level(self._plant.pilot_levels[0])
        if now < self.busy_until:
            return
        if self._after_busy == 'reboot':
            self.reset(now, 'told to restart')
        elif self._after_busy:
            self._after_busy = ''
            self._charging_off(now, 'too hot')
            self._hard_fault(recoverable=True)
        else:
            before = self.evse
            self._update(now)
            if self.evse != before:
                self._note_failure(now)

    def _update(self, now: float) -> None:
        if self._spins is not None:
            self._spin(now)
            return
        if self.evse == State.DISABLED:
            return                              # nor is it noticed whether the vehicle leaves
        moved = self._read_pilot()
        if self.evse == State.SLEEPING and self._stays_asleep(now, moved):
            return
        before: State = self.evse
        sound = self._check_ground(now, before)
        if self.evse == State.UNKNOWN != before:
            return                              # unplugged: the fault is over
        sound = self._check_gfi(now, before, sound)
        if self.evse == State.UNKNOWN != before:
            return
        if self.temperature >= 71.0:            # TEMPERATURE_AMBIENT_PANIC
            self.evse, sound = State.OVER_TEMPERATURE, False
        if sound:
            before = self._look(now, before)
        else:
            self._settle_pilot(now, State.UNKNOWN)
        if self.evse != before:
            self._enter(now)
        if not sound and before == State.C and now - self._on_at <= HARD_FAULT_TIME:
            self._hard_fault(recoverable=True)
        if self._spins is None and not self._after_busy:
            self._check_heartbeat(now)
            self._throttle(now)
        self._tell(now)

    def _read_pilot(self) -> bool:
        """ReadPilot(): whether a vehicle is there; not to be known at -12 V. Whether it changed."""
        if self._pilot == OFF:
            return False
        before = self.flags
        if self.letter == 'A':
            self._clear(Flag.EV_CONNECTED)
            self.flags |= Flag.SESSION_ENDED
        else:
            self.flags |= Flag.EV_CONNECTED
        return bool((before ^ self.flags) & Flag.EV_CONNECTED)

    def _is_connected(self) -> bool:
        return bool(self.flags & Flag.EV_CONNECTED)

    def _stays_asleep(self, now: float, moved: bool) -> bool:
        """Asleep; the pilot's state of GS is not updated. A limit's sleep ends with unplugging."""
        if self.relay:
            if (self.letter in ('A', 'B') or max(self._plant.amperage) <= _NO_CURRENT
                    or now - self._off_at >= SLEEP_OPEN_TIME):
                self._charging_off(now, 'asleep')
        elif self.flags & Flag.LIMIT_SLEEP and not self._is_connected():
            self._clear(Flag.LIMIT_SLEEP)
            self.evse = State.UNKNOWN
            return False
        if moved:
            self._tell(now)
        return True

    def _check_ground(self, now: float, before: State) -> bool:
        """Ground while the relay is closed, a stuck relay while it is open. False: a fault."""
        if self.relay:
            if not self.grounded and now - self._on_at > GROUND_CHECK_DELAY:
                self._fault(State.NO_GROUND, before, 'ground_trips')
                self._charging_off(now, 'no ground')
                self._ground_at = now
                return False
        elif before == State.NO_GROUND:
            if not self._is_connected():
                self.evse = State.UNKNOWN
                return False
            if self._ground_retries < GFI_RETRIES and now - self._ground_at > GFI_TIMEOUT:
                self._ground_retries += 1
                return True
            return False
        elif self._plant.contactor.closed:
            if self._stuck_at is None:
                self._stuck_at = now
            if (now - max(self._off_at, self._stuck_at) > STUCK_RELAY_DELAY
                    or before == State.STUCK_RELAY):
                self._fault(State.STUCK_RELAY, before, 'stuck_trips')
                return False
        else:
            self._stuck_at = None
        return True

    def _check_gfi(self, now: float, before: State, sound: bool) -> bool:
        self._gfi = self._gfi or (self.leaks and self.relay)
        if not self._gfi:
            return sound
        if before != State.GFCI_FAULT:
            self._fault(State.GFCI_FAULT, before, 'gfi_trips')
            self._gfi_retries, self._gfi_at = 0, now
        elif not self._is_connected():
            self.evse, self._gfi = State.UNKNOWN, False
        elif now - self._gfi_at >= GFI_TIMEOUT:
            self._gfi_retries += 1
            if self._gfi_retries > GFI_RETRIES:
                self._hard_fault(recoverable=True)
            else:
                self._gfi = False
        return False

    def _fault(self, state: State, before: State, counter: str) -> None:
        if before != state:
            self.memory.count(counter)
        self.evse = state

    def _look(self, now: float, before: State) -> State:
        """Takes a new state when the pilot has agreed on it for long enough."""
        if before in FAULT_STATES:
            self._set_pilot_state(now, STEADY)
            self.evse = before = State.UNKNOWN
        pilot = seen = _PILOTS.get(self.letter, State.UNKNOWN)
        if self._pilot == PWM and self._plant.pilot_levels[1] > _DIODE_LEVEL:
            pilot = seen = State.DIODE_CHECK_FAILED
        elif seen == State.C and self._pilot != PWM:
            seen = State.B
        if seen != before:
            if seen != self._candidate:
                self._candidate_at = now
            elif now - self._candidate_at >= (
                    TRANSITION_A_TIME if seen == State.A else TRANSITION_TIME):
                self.evse = seen
        self._candidate = seen
        self._settle_pilot(now, pilot)
        if self.evse != before and self.evse in (State.A, State.B, State.C):
            self.pilot_state = pilot
        return before

    def _settle_pilot(self, now: float, pilot: State) -> None:
        if pilot != self.pilot_state:
            if pilot != self._pilot_candidate:
                self._pilot_candidate_at = now
            elif now - self._pilot_candidate_at >= TRANSITION_TIME:
                self.pilot_state = pilot
        self._pilot_candidate = pilot

    def _enter(self, now: float) -> None:
        """The actions of a new state."""
        state = self.evse
        if state == State.C:
            self._set_pilot_state(now, PWM)
            self._charging_on(now)
            return
        if state == State.OVER_TEMPERATURE:
            self._set_pilot_state(now, STEADY)
            self.busy_until, self._after_busy = now + 5.0, 'hot'
            return
        self._charging_off(now, state.name.lower())
        if state != State.STUCK_RELAY:          # whose pilot stays as it is
            self._set_pilot_state(now, PWM if state == State.B else STEADY)
        if state in (State.D, State.DIODE_CHECK_FAILED, State.STUCK_RELAY):
            self._hard_fault(recoverable=state != State.STUCK_RELAY)

    def _hard_fault(self, *, recoverable: bool) -> None:
        """HardFault(): spins until the vehicle is unplugged, or for good."""
        self.flags |= Flag.HARD_FAULT
        self._spins = recoverable

    def _spin(self, now: float) -> None:
        self._read_pilot()
        if self._spins and self._pilot != OFF and not self._is_connected():
            self._spins = None
            self._clear(Flag.HARD_FAULT)
            self.evse = State.UNKNOWN           # and awake, also if it was put to sleep meanwhile
        self._tell(now)

    def _check_heartbeat(self, now: float) -> None:
        """HsExpirationCheck(): in Update() behind all returns, so not while it sleeps."""
        if self.memory.interval and now - self._pulse_at > self.memory.interval:
            if self.memory.fallback < self.capacity:
                self.set_capacity(now, self.memory.fallback, volatile=True)
            self.triggered, self._pulse_at = 2, now
            self._log.write(now, 'failure', reason='heartbeat')

    def _throttle(self, now: float) -> None:
        """TEMPERATURE_AMBIENT_*: a half, a quarter, and back to the EEPROM's current."""
        hot = self.over_temperature
        if hot and self.temperature <= 62.0:
            level = 0
        elif self.evse == State.C and self.temperature >= 68.0:
            level = 2
        elif self.evse == State.C and self.temperature >= 65.0:
            level = max(hot, 1)
        else:
            level = hot
        if level != hot:
            self.over_temperature = level
            self.set_capacity(now, self.memory.amperage >> level, volatile=True)
