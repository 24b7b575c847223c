"""OpenEVSE behind interfaces.CurrentPilot, over RAPI (rapi.py; firmware 8.2.3, open_evse).

Sleep (``$FS``, steady +12 V) is "no offer"; it is written at each connection and whenever the board
says that it started anew, after one look at its state: over a fault it is never written, for sleep
takes its place, and the next offer starts the board into the fault again. The driver keeps a fault
by itself (openevse_state.FaultLatch). Currents are whole amperes and set volatile (``V``: its
EEPROM would wear out). The board's heartbeat supervision is switched on: without pulses it falls
back to 6 A by itself, the least that it can; 0 A comes from the dead-man here and from
``withdraw``. That setting is kept in its EEPROM, and counted as ``set_up_writes``.
"""

from __future__ import annotations

from charger_control.core.iso61851 import PilotReading
from charger_control.drivers.interfaces import AnswerError, KeptFault
from charger_control.drivers.lines.bus import Bus, Turn
from charger_control.drivers.lines.rapi import Message, RapiLine
from charger_control.drivers.pilots.board_pilot import IDLE, QUICK_RETRIES, whole_amperes
from charger_control.drivers.pilots.openevse.meeting import (
    FALLBACK,
    HEARTBEAT,
    PULSE_INTERVAL,
    OpenEvseMeeting,
    Step,
    integer,
)
from charger_control.drivers.pilots.openevse.state import (
    DISABLED,
    UNKNOWN,
    BoardState,
    FaultLatch,
    StateF,
    Waking,
    state_of,
)

ENABLE, SLEEP, DISABLE = 'FE', 'FS', 'FD'
SHORT_TIME = 1.0
"""s of state 00 while it is told to offer after which the pilot is shorted: no level fits. Between
two states it takes 0.25 s (DELAY_STATE_TRANSITION)."""
_STATE_EVENT = 4
"""Fields of $AT: state, pilot's state, A, vflags."""


class OpenEvse(OpenEvseMeeting):
    """Implements interfaces.CurrentPilot."""

    def __init__(self, bus: Bus[RapiLine], timeout: float = 1.5, rate: float = 5.0) -> None:
        """``timeout``: s without an answer, then nothing is published; ``rate``: Hz of polling."""
        super().__init__(bus, timeout)
        self._line, self._period = bus.line, 1.0 / rate
        self._identity |= {'model': 'OpenEVSE',
                           'dead_man': f'{FALLBACK} A after {HEARTBEAT} s without heartbeat; '
                                       'kept in its EEPROM, so after its own start too'}
        self._latch = FaultLatch()
        self._state_f = StateF()
        self._start()

    def _start(self, *, looked: bool = False) -> None:
        """Knows nothing of the board any more; ``looked``: but its state, from just now."""
        self._mode = ''
        if not looked:
            self._state: BoardState | None = None
        self._looked = looked
        self._unknown_since: float | None = None
        self._waking = Waking()
        self._state_f.forget()
        self._amperage: int | None = None
        self._introduction = [*self._introducing(), self._meet]
        self._refusal = ''
        self._poll_at = self._pulse_at = 0.0

    def _raw(self, amperage: float | None) -> int:
        return whole_amperes(amperage)

    def _met_anew(self) -> None:
        self._start()

    def turn(self, now: float) -> Turn:
        """See bus.Device."""
        _, at, urgent = self._plan(now)
        return Turn(max(at, self._retry_at), urgent, write=urgent and self._line.echoes)

    def transact(self, line: RapiLine) -> None:
        """See bus.Device."""
        now = self._now()
        if self._refusal and now > self._recheck_at:
            self._start()
        self._plan(now)[0](line)
        self._failures = 0
        while line.events:
            self._take_event(line.events.popleft())

    def _take_event(self, event: Message) -> None:
        if event.word == 'AB':
            self._counts['restarts'] += 1
            self._start()
            return
        self._poll_at = 0.0  # something has changed: look now
        if event.word == 'AT' and len(event.tokens) == _STATE_EVENT:
            evse, pilot, capacity, flags = event.tokens
            if (state := state_of(evse, pilot, flags, capacity)) and state.fault:
                self._note(state)     # the next command may be one that takes its place

    def kept_fault(self) -> KeptFault | None:
        """See interfaces.FaultKeeper."""
        return self._latch.fault

    def keep_fault(self, fault: KeptFault) -> None:
        """See interfaces.FaultKeeper."""
        self._latch.keep(fault)
        self._bus.wake()

    def reset_fault(self) -> bool:
        """Forgets the fault that is kept, after a person has looked; False if there was none. It
        comes back while the board has it."""
        had = self._latch.reset()
        self._bus.wake()
        return had

    def wake(self, seconds: float) -> None:
        """See interfaces.VehicleWaker."""
        self._state_f.ask(seconds, self._now())
        self._bus.wake()

    def _target(self, now: float) -> tuple[str, int]:
        """The mode and the amperes that the board should have."""
        if self._is_opening(now) and not self._closing:
            return DISABLE, 0
        whole = self._ordered(now)
        allowed = not (self._refusal or self._introduction or self._latch.words)
        if not (allowed and whole):
            return SLEEP, 0
        return DISABLE if self._state_f.is_due(now) else ENABLE, whole

    def _plan(self, now: float) -> tuple[Step, float, bool]:
        """What to do next, not before when, and whether before all else."""
        mode, amperage = self._target(now)
        if self._closing:
            idle = self._said_farewell.is_set()
            return self._set_mode, now + IDLE if idle else 0.0, not idle
        if not self._looked:
            return self._look, 0.0, True
        if mode not in (ENABLE, self._mode) and not self._is_held(mode):
            return self._set_mode, 0.0, True
        if self._introduction:
            return self._introduction[0], 0.0, False
        return (self._plan_offer(amperage) if mode == ENABLE else None) or self._routine()

    def _plan_offer(self, amperage: int) -> tuple[Step, float, bool] | None:
        """What the board must be told to offer ``amperage`` A, the amperes first."""
        if self._amperage != amperage:
            lower = self._amperage is None or amperage < self._amperage
            return self._set_amperage, 0.0, lower
        return (self._set_mode, 0.0, False) if self._mode != ENABLE else None

    def _routine(self) -> tuple[Step, float, bool]:
        if self._pulse_at <= self._poll_at:
            return self._pulse, self._pulse_at, False
        return self._read_state, self._poll_at, False

    def _is_held(self, mode: str) -> bool:
        """Whether the board is in a fault that ``mode`` would take the place of. It offers nothing
        then; whatever it does when it is over is met by the next poll."""
        state = self._state
        if state is None or self._closing or not (state.fault or self._is_shorted(self._now())):
            return False
        return mode == SLEEP or not state.has_relay_on

    def _is_shorted(self, now: float) -> bool:
        return self._unknown_since is not None and now - self._unknown_since > SHORT_TIME

    def _look(self, line: RapiLine) -> None:
        """Looks once whether there is a fault, before it is put to sleep."""
        self._looked = True         # one that does not tell is put to sleep as well
        if state := self._ask_state(line):
            self._note(state)

    def _note(self, state: BoardState) -> None:
        self._state = state
        self._latch.take(state)
        self._counts['board_faults'] = self._latch.count

    def _set_mode(self, line: RapiLine) -> None:
        now = self._now()
        mode, amperage = self._target(now)
        if (mode == ENABLE and self._amperage != amperage) or self._is_held(mode):
            return  # asked for, or found, since it was planned: amperes come before
        if mode == SLEEP:
            self._count_dead_man(now)
        if mode != ENABLE:
            self._waking.forget()
        to_wake = mode == DISABLE and amperage > 0
        if to_wake and not self._waits(line):
            self._state_f.forget()
            return
        self._mode = ''
        if self._demand(line.ask(mode, self.answer_time), mode).tokens:
            self._line.count('wrong_answers')
            raise AnswerError('wrong_answers', f'the board answers something else to {mode}')
        self._mode, self._unknown_since = mode, None
        self._note_state_f(to_wake)
        self._counts['contactor_opened'] += mode == DISABLE and not to_wake
        self._poll_at = 0.0
        if self._closing and mode == SLEEP:
            self._said_farewell.set()

    def _waits(self, line: RapiLine) -> bool:
        """Whether the vehicle still waits: ``$FD`` would open its contactor under load."""
        if state := self._ask_state(line):
            self._note(state)
        return state is not None and state.waits

    def _note_state_f(self, shown: bool) -> None:
        self._counts['vehicle_woken'] += shown
        if shown:
            self._state_f.begin(self._now())
        else:
            self._state_f.forget()

    def _set_amperage(self, line: RapiLine) -> None:
        _, amperage = self._target(self._now())
        if not amperage:
            return  # withdrawn since it was planned
        self._amperage = None
        answer = line.ask(f'SC {amperage} V', self.answer_time)
        # NK: it is clamped, or too hot for as much; the answer names what it took instead.
        taken = integer(answer.tokens[:1], 10)
        if taken is None:
            self._line.count('wrong_answers')
            raise AnswerError('wrong_answers', f'the board answers {answer.word} to SC {amperage}')
        if taken > amperage:
            self._refuse(f'it takes {taken} A when told {amperage} A')
            return
        self._amperage = amperage
        self._poll_at = 0.0

    def _meet(self, line: RapiLine) -> None:
        """Reads its state once, before any offer."""
        introduction = self._introduction
        self._read_state(line)
        if introduction is self._introduction:  # else it is not what it was, and begins anew
            introduction.pop(0)

    def _pulse(self, line: RapiLine) -> None:
        self._pulse_at = self._now() + PULSE_INTERVAL
        if line.ask('SY', self.answer_time).word == 'NK':  # it fell back, and may have restarted
            self._counts['missed_heartbeats'] += 1
            self._start()

    def _read_state(self, line: RapiLine) -> None:
        self._poll_at = self._now() + self._period
        state = self._ask_state(line)
        now = self._now()
        if state is None:
            self._line.count('wrong_answers')
            words = (f'its state is not understood ({self._raw_state}): '
                     'is its firmware older than RAPI 5?')
            if self._failures >= QUICK_RETRIES:
                self._refuse(words)
            raise AnswerError('wrong_answers', words)
        self._note(state)
        if state.evse != UNKNOWN or self._mode != ENABLE or not state.is_connected:
            self._unknown_since = None
        elif self._unknown_since is None:
            self._unknown_since = now
        if self._mode in (SLEEP, DISABLE) and not (state.is_off or state.fault):
            self._counts['restarts'] += 1  # it is awake though told not to be: not what it was
            self._start(looked=True)
        if self._mode == ENABLE and self._amperage is not None and state.offers > self._amperage:
            self._refuse(f'it offers {state.offers} A, told was {self._amperage} A')
        self._publish(self._refusal or self._wake(now, state), self._reading(now, state), now)

    def _wake(self, now: float, state: BoardState) -> str:
        """Has a board woken that sleeps though told to offer; what to say of it."""
        if self._mode != ENABLE:
            return ''
        if not state.is_connected:
            self._waking.forget()
        wake, words = self._waking.step(now, state)
        if wake:
            self._mode = ''
            self._counts['woken'] += 1
        return words

    def _reading(self, now: float, state: BoardState) -> PilotReading:
        fault, cause = state.fault or self._latch.words, state.cause or self._latch.cause
        return PilotReading(
            letter=self._letter(now, state),
            signaled_amperage=float(state.offers),
            contactor_commanded=state.has_relay_on,
            error='; '.join(filter(None, (self._refusal, fault))),
            error_cause=cause or ('BoardFault' if self._refusal else ''),
            unsafe=bool(self._refusal))

    def _letter(self, now: float, state: BoardState) -> str:
        if self._state_f.is_shown and state.evse == DISABLED:
            return 'B'      # by our own order; whether it is still there is not seen meanwhile
        return 'E' if self._is_shorted(now) else state.letter
