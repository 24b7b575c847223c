"""ISO 61851 with a board that owns duty cycle, diode check and contactor: what it is told, and
what is published of it. Core supervises and asserts (architecture.md, Two kinds of pilot hardware).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from charger_control.core.heard import Heard
from charger_control.core.iso61851.duty import duty_of_amperage
from charger_control.core.iso61851.faults import (
    NOT_STOPPING,
    OPENING,
    FaultConfig,
    Faults,
    Since,
)
from charger_control.core.iso61851.inputs import PilotInputs
from charger_control.core.iso61851.raw.types import Event, EventKind
from charger_control.core.iso61851.signal import Signal, SignalConfig
from charger_control.core.iso61851.types import PilotReading
from charger_control.core.iso61851.wake import WakeUp, WakeUpConfig
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.units import MAX_AMPERAGE, NAN, Phases

CHARGING = frozenset('CD')
PRESENT = frozenset('BCD')
KNOWN = frozenset('ABCD')
"""States in which it is known whether a vehicle is there; in all others nothing is offered."""
LETTERS = frozenset('ABCDEFSR')
REACTION_TIME = 60.0
"""s that a vehicle may take to react to its first offer, until that is said."""
NO_REACTION = 'the vehicle does not react to its offer: it is full, waits by itself, or '
CANNOT_WAKE = 'sleeps; with this board there is no means to wake one'
NOT_WOKEN = 'was not woken by state F'
ASK_TIME = 2.0
"""s for which a board that does not tell its contactor is asked to open it."""
NOT_AS_CONFIGURED = 'board not as configured'
"""What withholds the offer where the board is unsafe (PilotReading)."""
ACKNOWLEDGE_TIME = 1.0
"""s that a board may take to say that it offers nothing; then its word is not waited for."""


@dataclass(frozen=True, slots=True)
class CurrentPilotConfig:
    """Figures of the block.

    Attributes:
        connected_phases: to this charge point, 1..3.
        board_timeout: s without an answer of the board until it counts as unreachable.
        present_hold: s without an offer after a start with a vehicle present.
        meter_timeout: s for which a measured current can be believed.
        stop_time: s after "no offer" until the contactor is opened under load.
        socket: the cable's rating counts (a socket, not a tethered cable).
        wake_up: when a vehicle that sleeps is woken; None: the board has no means.
    """

    connected_phases: int = 3
    board_timeout: float = 1.0
    present_hold: float = 10.0
    meter_timeout: float = 3.0
    stop_time: float = 6.0
    socket: bool = False
    signal: SignalConfig = field(default_factory=SignalConfig)
    faults: FaultConfig = field(default_factory=FaultConfig)
    wake_up: WakeUpConfig | None = None


@dataclass(frozen=True, slots=True)
class PilotResult:
    """What one tick decides.

    Attributes:
        offer: A per phase for the board, None for no offer.
        open_contactor: the board is to open under load now.
        pilot: what to publish; None: nothing to say (the board is silent, and it has been said).
        latch: the fault to keep over restarts, '' for none.
        wake: s for which the board is to show state F from now on, said once; 0 for none.
        events: what has happened since the last tick.
    """

    offer: float | None
    open_contactor: bool
    pilot: ControlPilot | None
    latch: str
    wake: float = 0.0
    events: tuple[Event, ...] = ()


class CurrentPilotControl(PilotInputs):
    """The iso61851 block for a CurrentPilot board.

    Attributes:
        faults: what is wrong.
        refused: rising count of answers that cannot be.
        note: what is remarkable about the vehicle though nothing is wrong, in words; ''.
    """

    def __init__(self, config: CurrentPilotConfig, latched: str = '') -> None:
        """``latched``: the fault that was in force when the last process ended."""
        super().__init__(config.connected_phases, config.meter_timeout)
        self._config = config
        self._signal = Signal(config.signal)
        self.faults = Faults(config.faults, latched)
        self._hold_until: float | None = None
        self._told: Heard[PilotReading] | None = None
        self._reading: Heard[PilotReading] | None = None  # the last that can be
        self.refused = 0
        self._refusal = ''
        self._said_lost = False
        self._no_offer_since: float | None = None
        self._withdrawn_at: float | None = None     # s, since when it has been told so
        self._asked_to_open = Since()
        self._unanswered = Since()
        self._reacted = False
        self._wake_up = WakeUp(config.wake_up) if config.wake_up else None
        self.note = ''

    # -- the decision ----------------------------------------------------------------------------
    def step(self, now: float, reading: Heard[PilotReading] | None, error: str) -> PilotResult:
        """One tick.

        Args:
            now: s.
            reading: the board's last answer and when it came, None before the first.
            error: what is wrong with the link, '' while it is well.
        """
        self._take(reading)
        reading = self._reading
        if reading is None or reading.silence(now) > self._config.board_timeout:
            return self._lost(now, reading, error or self._refusal)
        self._said_lost = False
        board = reading.value
        if self._hold_until is None and board.letter in KNOWN:
            hold = self._config.present_hold if board.letter in PRESENT else 0.0
            self._hold_until = now + hold
        meter = self._measured(now, self._config.meter_timeout)
        self._watch_reaction(now, board)
        self._note_signal(now, board.signaled_amperage)     # an offer in this answer counts in it
        # said with the order to open: once that is obeyed the board shows nothing of it any more
        overdue = board.switched_on is True and self._is_overdue(now, board)
        fault = self.faults.step(
            now, reading.at, letter=board.letter, signaled=board.signaled_amperage,
            contactor_closed=board.contactor_closed, amperage=meter,
            cause=board.error_cause or (NOT_STOPPING if overdue else self._supply_cause(now)))
        withheld = fault or (NOT_AS_CONFIGURED if board.unsafe else '')
        if (withheld or self._stopping or board.letter not in KNOWN
                or self._hold_until is None or now < self._hold_until):
            self._signal.withdraw(now)
        else:
            self._follow(now, board)
        offer = self._signal.amperage or None
        self._note_order(now, offer)
        wake, events = self._wake(now, board.letter, offer, board.signaled_amperage)
        return PilotResult(offer, self._must_open(now, board, fault, meter),
                           self._publish(now, reading, withheld), self.faults.latched,
                           wake, events)

    def stopped(self, now: float, reading: Heard[PilotReading] | None) -> bool:
        """Whether the process may end: the vehicle has stopped, or stop_time is over."""
        if reading is None or reading.silence(now) > self._config.board_timeout:
            return True
        board = reading.value
        if self._has_had_its_time(now - 0.5):
            return True
        return (self._no_offer_since is not None and board.signaled_amperage <= 0.0
                and not (board.letter in CHARGING and board.switched_on is not False))

    # -- parts -----------------------------------------------------------------------------------
    def _take(self, reading: Heard[PilotReading] | None) -> None:
        """Keeps what the board says; what cannot be is refused, counted, and counts as silence."""
        if reading is None or reading == self._told:
            return
        self._told, board = reading, reading.value
        if board.letter in LETTERS and 0.0 <= board.signaled_amperage <= 10 * MAX_AMPERAGE:
            self._reading, self._refusal = reading, ''
            return
        self.refused += 1
        self._refusal = (f'the board says state {board.letter!r}, {board.signaled_amperage} A '
                         f'(allowed: one of {"".join(sorted(LETTERS))}, 0 to {MAX_AMPERAGE:g} A)')

    def _follow(self, now: float, board: PilotReading) -> None:
        wanted = self._wanted(now)
        if wanted is None:
            self._signal.withdraw(now)
            return
        bound = self._bound(now, board.cable_amperage if self._config.socket else math.inf)
        self._signal.step(now, wanted.commanded_amperage, wanted.available_amperage, bound)

    def _watch_reaction(self, now: float, board: PilotReading) -> None:
        """Notes that a vehicle stays in B although it has had an offer for long."""
        offers = board.signaled_amperage > 0.0
        self._reacted = offers and (self._reacted or board.letter in CHARGING)
        waits = self._unanswered(now, offers and board.letter == 'B' and not self._reacted)
        words = CANNOT_WAKE if self._wake_up is None else NOT_WOKEN
        self.note = NO_REACTION + words if waits >= REACTION_TIME else ''

    def _wake(self, now: float, letter: str, offer: float | None, signaled: float
              ) -> tuple[float, tuple[Event, ...]]:
        """For how long the board is to show state F, said as it begins, and what has happened."""
        if self._wake_up is None:
            return 0.0, ()
        # a board is made an offer without a vehicle too, and keeps it to itself
        offered = offer is not None and letter in PRESENT
        _, events = self._wake_up.step(now, letter=letter, offered=offered, pwm=signaled > 0.0)
        begins = any(event.kind is EventKind.WAKE_UP for event in events)
        return self._wake_up.time_left(now) if begins else 0.0, tuple(events)

    def _note_order(self, now: float, offer: float | None) -> None:
        if offer is not None:
            self._withdrawn_at = None
        elif self._withdrawn_at is None:
            self._withdrawn_at = now

    def _note_signal(self, now: float, signaled: float) -> None:
        if signaled > 0.0:
            self._no_offer_since = None
        elif self._no_offer_since is None:
            self._no_offer_since = now

    def _must_open(self, now: float, board: PilotReading, fault: str,
                   meter: Heard[Phases] | None) -> bool:
        """Whether the contactor is to open under load: a fault, or "no offer" was ignored."""
        asked_for = self._asked_to_open(now, self._has_had_its_time(now))
        if board.switched_on is False:
            return False
        if fault in OPENING:
            return board.switched_on is True or board.letter in CHARGING
        # where nothing tells whether it opened, once is enough unless current flows: a vehicle may
        # stay in C for as long as nothing is offered, and some boards open by a restart
        flows = meter is not None and any(a > self._config.faults.welded_amperage
                                          for a in meter.value)
        may = board.switched_on is True or flows or asked_for <= ASK_TIME
        return may and self._is_overdue(now, board)

    def _is_overdue(self, now: float, board: PilotReading) -> bool:
        """Whether the vehicle has not stopped in its time."""
        return board.letter in CHARGING and self._has_had_its_time(now)

    def _has_had_its_time(self, now: float) -> bool:
        """Whether a vehicle must have stopped: stop_time after the board offers nothing, or has
        not done so although it was told to. While it is told to offer, no vehicle has to."""
        stop_time, told, heard = self._config.stop_time, self._withdrawn_at, self._no_offer_since
        return told is not None and (
            (heard is not None and now - heard > stop_time)
            or now - told > stop_time + ACKNOWLEDGE_TIME)

    def _publish(self, now: float, reading: Heard[PilotReading], withheld: str) -> ControlPilot:
        """What the board says; while it is fresh, a failing link is no error yet."""
        board = reading.value
        offering = board.signaled_amperage > 0.0
        digit = '2' if offering and board.letter in PRESENT else '1'
        commanded = board.contactor_commanded
        if commanded is None:
            commanded = offering and board.letter in CHARGING
        return ControlPilot(
            vehicle_status=board.letter,
            charge_controller_status=board.letter + digit,
            signaled_amperage=board.signaled_amperage,
            step=self._config.signal.step,
            duty_cycle=duty_of_amperage(board.signaled_amperage),
            cable_amperage=board.cable_amperage if self._config.socket else NAN,
            temperature=board.temperature,
            contactor_commanded=commanded,
            contactor_feedback=board.contactor_closed,
            fault=withheld, recent_error_cause=self.faults.recent,
            age=reading.silence(now))

    def _lost(self, now: float, reading: Heard[PilotReading] | None, error: str
              ) -> PilotResult:
        """The board is unreachable: no offer, said once."""
        self._signal.withdraw(now)
        self._wake(now, 'S', None, 0.0)
        self.faults.board_lost()
        pilot = None
        if not self._said_lost:
            self._said_lost = True
            age = 0.0 if reading is None else reading.silence(now)
            pilot = ControlPilot('S', 'S1', 0.0, age=age, error=error or 'no answer')
        return PilotResult(None, False, pilot, self.faults.latched)
