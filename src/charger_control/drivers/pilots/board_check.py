"""Whether a board may be given an offer: found out, put right, and found out again."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from charger_control.drivers.lines.backoff import Backoff

CHECK_DELAY = (0.5, 10.0)
"""s until a board that was objected to is checked again, growing."""
STEADY_TIME = 60.0
"""s without an objection after which that delay starts over."""
UNIT_SETTLE_TIME = 1.0
"""s that the board needs after a write of its configuration (domain.md 5.2)."""
SET_UP_WRITES, SET_UP_WINDOW = 5, 3600.0
"""At most so many writes of set-up registers in so many s: they are EEPROM."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is to be done before a board may be given an offer.

    Attributes:
        refusal: why it must not be given one, in words; '' for no reason.
        writes: (register, value) to set, in this order; empty: it may be given one.
        lost: what a board has lost that was found well before and needs its configuration written.
    """

    refusal: str = ''
    writes: tuple[tuple[str, int], ...] = ()
    lost: str = 'it lost its configuration'


class BoardCheck:
    """The check at each connection and every ``interval`` s. Pure: the driver reads and writes.

    Attributes:
        at: s, when the next read or write of the check is due.
        verified: the board is what was configured, as far as is known.
        verified_at: s, when that was found last.
        was_verified: it was so at least once.
        refusal: why the board must not be given an offer; stands until a check has passed.
        suspicion: what spoke against its last answer; a check does not pass over it.
        note: what happened, where that is no reason to refuse an offer.
        pending: set-up registers to write, with their values.
        objections: rising count of refusals.
    """

    def __init__(self, interval: float) -> None:
        """``interval``: s between two checks of a board that has passed."""
        self._interval = interval
        self._wrote = False
        self._write_times: deque[float] = deque(maxlen=SET_UP_WRITES)
        self._objected_at = -math.inf
        self._delay = Backoff(*CHECK_DELAY)
        self.at = 0.0
        self.verified = False
        self.verified_at = -math.inf
        self.was_verified = False
        self.refusal = ''
        self.suspicion = ''
        self.note = ''
        self.pending: deque[tuple[str, int]] = deque()
        self.objections = 0

    @property
    def changes_unit(self) -> bool:
        """Whether the board is about to count otherwise: it must offer nothing meanwhile."""
        return any(name == 'configuration' for name, _ in self.pending)

    def start(self, at: float) -> None:
        """Begins anew at ``at`` s: the board may be another, or not what it was."""
        self.verified = self._wrote = False
        self.pending.clear()
        self.at = at

    def refuse(self, now: float, words: str) -> None:
        """Withholds every offer until a check has passed; the next one comes after a while."""
        self.objections += words != self.refusal
        self.refusal = words
        self.doubt(now)

    def doubt(self, now: float, note: str = '') -> None:
        """Checks again after a while."""
        self.note = note
        self._objected_at = now
        self.start(now + self._delay.delay())

    def take(self, now: float, assessment: Assessment) -> None:
        """Takes the judgement of what was read."""
        writes = dict(assessment.writes)
        if assessment.refusal or self.suspicion:
            self.refuse(now, assessment.refusal or self.suspicion)
        elif not writes:
            self._pass(now)
        elif self.verified and 'configuration' in writes:
            self.refuse(now, assessment.lost)
        elif self._wrote:
            self.refuse(now, f'it does not keep its set-up: {writes} was written')
        elif (len(self._write_times) == SET_UP_WRITES
              and now - self._write_times[0] < SET_UP_WINDOW):
            self.refuse(now, f'its set-up was lost {SET_UP_WRITES} times within an hour: {writes} '
                             'is not written again')
        else:
            self.verified = False
            self.pending.extend(assessment.writes)
            self.at = now

    def writing(self, now: float) -> tuple[str, int]:
        """The register to write now, and its value; counted whether it succeeds or not."""
        self._write_times.append(now)
        return self.pending[0]

    def written(self, now: float) -> None:
        """The board has acknowledged it."""
        name, _ = self.pending.popleft()
        self._wrote = True
        self.at = now + (UNIT_SETTLE_TIME if name == 'configuration' else 0.0)

    def _pass(self, now: float) -> None:
        self.verified = self.was_verified = True
        self.verified_at = now
        self._wrote = False
        self.refusal = self.note = ''
        self.at = now + self._interval
        if now - self._objected_at > STEADY_TIME:
            self._delay.reset()
