"""Faults of control pilot and contactor: condition, action, what clears them (table Faults)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.heard import Heard, RecentMaximum
from charger_control.core.iso61851.neutral import NEUTRAL_LOST
from charger_control.core.units import Phases

WELDED = 'ContactorWelded'
NOT_STOPPING = 'EvNotStopping'
OVER_CURRENT = 'SignalledAmperageExceeded'
DIODE = 'CpDiodeShortCircuit'
CP_SHORT = 'CpShortCircuit'
VENTILATION = 'VentilationNotAvailable'
BOARD = 'BoardFault'
UNREADABLE = 'LatchedFaultUnreadable'
"""Latched where it cannot be read what was: unknown is not "no fault"."""
OPENING = frozenset({NOT_STOPPING, OVER_CURRENT, DIODE, CP_SHORT, VENTILATION})
"""Faults whose action is to open the contactor at once."""
CLEARING = frozenset({NOT_STOPPING, OVER_CURRENT, DIODE, NEUTRAL_LOST})
"""Faults that clear by themselves after a time, a few times a session."""


@dataclass(frozen=True, slots=True)
class FaultConfig:
    """Figures of the fault table (domain.md 1.6; EVerest: > 1.1 x (I + 0.5 A) for 7 s).

    Attributes:
        stop_time: s after "no offer" until the vehicle must have stopped.
        short_time: s that the board may take to open in E, F and R (domain.md 1.6).
        welded_time: s after opening until the contactor must be open.
        welded_amperage: A that must not flow then.
        meter_lag: s by which a meter's sample may describe the past.
        confirm_time: s for which samples must agree on a current through an open contactor: one may
            be a mistake, and a vehicle that was in C for a moment between two answers of the board
            is in a meter's average for longer.
        over_current_time: s.
        over_current_gain: ratio.
        over_current_offset: A.
        fall_time: s for which an earlier, higher signal still counts.
        clear_time: s after which a clearable fault clears by itself.
        clears: how often it does within a session; then only unplugging clears it.
        ventilation: whether vehicles that ask for ventilation (state D) may charge.
    """

    stop_time: float = 6.0
    short_time: float = 3.0
    welded_time: float = 1.0
    welded_amperage: float = 1.0
    meter_lag: float = 1.0
    confirm_time: float = 3.0
    over_current_time: float = 7.0
    over_current_gain: float = 1.1
    over_current_offset: float = 0.5
    fall_time: float = 6.0
    clear_time: float = 30.0
    clears: int = 3
    ventilation: bool = False


FALLING = 0.8
"""Ratio to the first sample below which a current through an open contactor falls."""


class Since:
    """For how long a condition has held."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self, now: float, holds: bool) -> float:
        """s for which ``holds`` has been true without a break; -1 while it is false."""
        if not holds:
            self._since = None
            return -1.0
        if self._since is None:
            self._since = now
        return now - self._since


class Faults:
    """Supervises one charge point. The fault in force withholds the offer.

    Attributes:
        recent: the last fault, '' once another vehicle may come.
        detail: what a latched fault was seen by, for a person; '' where there is no more to say.
    """

    def __init__(self, config: FaultConfig, latched: str = '') -> None:
        """``latched``: the fault that was in force when the last process ended, '' for none."""
        self._config = config
        self._latched = latched
        self._cleared_by_time = ''
        self._clear_at = math.inf
        self._clears_left = config.clears
        self._highest_signal = RecentMaximum(config.fall_time)
        self._no_offer = Since()
        self._open = Since()
        self._stuck = Since()
        self._failed = Since()
        self._over_current = Since()
        # s, of the first sample with current through an open contactor, and of the confirming one
        self._suspect_at = self._confirmed_at = math.inf
        self._suspect_amperage = math.inf
        self.recent = latched
        self.detail = ''

    @property
    def latched(self) -> str:
        """The fault that survives restarts, '' for none."""
        return self._latched

    def reset(self) -> bool:
        """Clears the latched fault, after a person has looked; False if there was none."""
        had, self._latched, self.detail = self._latched != '', '', ''
        self._forget_opening()
        return had

    def reveal(self, latched: str) -> None:
        """What could not be read before can be now; ``latched``: '' for no fault."""
        if self._latched == UNREADABLE:
            self._latched, self.detail = latched, ''

    def board_lost(self) -> None:
        """The board does not answer: what holds without a break has one now."""
        self._over_current = Since()
        self._forget_opening()

    def _forget_opening(self) -> None:
        self._open, self._stuck, self._failed = Since(), Since(), Since()
        self._suspect_at = self._confirmed_at = math.inf

    def step(self, now: float, read_at: float, *, letter: str, signaled: float,
             contactor_closed: bool | None, cause: str, amperage: Heard[Phases] | None) -> str:
        """One tick with a board that answers.

        Args:
            now: s.
            read_at: s, when the board said what follows; a contactor is judged at that time.
            letter: A B C D E F S R.
            signaled: A that the board offers now, 0 for none.
            contactor_closed: None if the board does not know.
            cause: what the board itself reports, '' or a cause of PilotReading.
            amperage: measured A of L1..L3 and when, while the meter can be believed, else None.

        Returns:
            The fault in force, '' for none.
        """
        if letter == 'A':
            self._cleared_by_time, self._clears_left = '', self._config.clears
            if not self._latched:
                self.recent = ''
        found = self._condition(now, read_at, letter, signaled, contactor_closed, cause, amperage)
        if found == WELDED:
            self._latched = WELDED
        elif found in CLEARING and letter != 'A':
            self._cleared_by_time = found
            self._clear_at = now + self._config.clear_time
        elif self._cleared_by_time and now >= self._clear_at and self._clears_left > 0:
            self._cleared_by_time = ''
            self._clears_left -= 1
        in_force = self._latched or found or self._cleared_by_time
        if in_force:
            self.recent = in_force
        return in_force

    def _condition(self, now: float, read_at: float, letter: str, signaled: float,
                   contactor_closed: bool | None, cause: str,
                   amperage: Heard[Phases] | None) -> str:
        """The condition that holds at this instant, '' for none."""
        config = self._config
        drawn = max((a for a in (amperage.value if amperage else ()) if not math.isnan(a)),
                    default=0.0)
        no_offer = self._no_offer(read_at, signaled <= 0.0)
        if self._welded(read_at, letter, contactor_closed, drawn, amperage, no_offer):
            return WELDED
        highest = self._highest_signal.update(now, signaled)
        over = drawn > config.over_current_gain * (highest + config.over_current_offset)
        if self._over_current(now, over and highest > 0.0) > config.over_current_time:
            return OVER_CURRENT
        # a sample newer than the board's word may be of an offer that it has taken since
        draws = (amperage is not None and amperage.at <= read_at
                 and drawn > config.welded_amperage)
        if letter in {'C', 'D'} and no_offer > config.stop_time and (contactor_closed or draws):
            return NOT_STOPPING
        return cause or self._of_letter(letter)

    def _of_letter(self, letter: str) -> str:
        """The fault that a state is by itself."""
        if letter == 'D' and self._config.ventilation:
            return ''
        return {'R': DIODE, 'E': CP_SHORT, 'D': VENTILATION, 'F': BOARD}.get(letter, '')

    def _welded(self, read_at: float, letter: str, contactor_closed: bool | None, drawn: float,
                amperage: Heard[Phases] | None, no_offer: float) -> bool:
        """Whether the contactor did not open when it had to."""
        config = self._config
        # it must be open once the vehicle has left C, 6 s after the offer went, or once the board
        # has had its time after a fault of the pilot; S, unknown, says nothing
        failed = self._failed(read_at, letter in {'E', 'F', 'R'}) > config.short_time
        open_for = self._open(
            read_at, letter in {'A', 'B'} or no_offer > config.stop_time or failed)
        # closed in one answer only: between two of them the vehicle may have been in C for a moment
        stuck_for = self._stuck(read_at, open_for >= 0.0 and contactor_closed is True)
        if open_for < 0.0:
            self._suspect_at = self._confirmed_at = math.inf
            return False
        if (amperage is not None and amperage.at
                > read_at - open_for + config.welded_time + config.meter_lag):
            self._weigh(amperage.at, drawn)
            if self._confirmed_at <= read_at and not self.detail:
                self.detail = (
                    f'{drawn:.1f} A through the open contactor {open_for:.0f} s after it had to '
                    'open: if it is open, the meter averages; set iso61851.meter_lag to its time')
        # a sample newer than the board's word says nothing: the vehicle may have closed S2 since
        return self._confirmed_at <= read_at or stuck_for > config.welded_time

    def _weigh(self, sampled_at: float, drawn: float) -> None:
        """Takes a sample of the current through an open contactor, A."""
        if not drawn > self._config.welded_amperage:
            self._suspect_at = self._confirmed_at = math.inf
            return
        if self._suspect_at == math.inf or drawn < FALLING * self._suspect_amperage:
            # one that falls is the past, in the average of a slow meter
            self._suspect_at, self._suspect_amperage = sampled_at, drawn
        if sampled_at - self._suspect_at >= self._config.confirm_time:
            self._confirmed_at = min(self._confirmed_at, sampled_at)
