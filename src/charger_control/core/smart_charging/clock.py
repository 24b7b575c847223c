"""Whether the wall clock can be believed: schedules live by it, and it may step or be unset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

TOLERANCE = 2.0
"""s, a step back of up to this is a correction, not a doubt."""


@dataclass(frozen=True, slots=True)
class ClockVerdict:
    """What is known of the time.

    Attributes:
        wall: unix s; of a clock in doubt the latest time that it can be.
        doubt: '' for a clock that is believed, else why it is not, for a person.
    """

    wall: float
    doubt: str = ''


class ClockWatch:
    """Doubts a clock that was never synchronised, or shows less than a time already passed.

    A synchronised clock that stepped back and stays so for ``settle`` s is believed again: then
    it was the time before that was wrong.
    """

    def __init__(self, latest: float = 0.0, settle: float = 3600.0) -> None:
        """``latest``: unix s, the last believed time before this start, 0 if there is none."""
        self._latest = latest
        self._latest_heard: float | None = None
        self._settle = settle
        self._back_since: float | None = None

    @property
    def latest(self) -> float:
        """Unix s, the latest believed time: to be stored for the next start."""
        return self._latest

    def judge(self, now: float, wall: float, synchronised: bool) -> ClockVerdict:
        """What the wall clock is worth.

        Args:
            now: s, on a clock that only moves forward.
            wall: unix s, as the wall clock shows.
            synchronised: whether it was set by something trusted since boot.
        """
        if synchronised and math.isfinite(wall):
            if wall >= self._latest - TOLERANCE:
                self._believe(now, max(wall, self._latest))
                return ClockVerdict(wall)
            if self._back_since is None:
                self._back_since = now
            if now - self._back_since >= self._settle:
                self._believe(now, wall)
                return ClockVerdict(wall)
            doubt = (f'the wall clock shows {utc(wall)}, but {utc(self._latest)} has passed '
                     'already: set the clock')
        else:
            self._back_since = None
            doubt = (f'the wall clock shows {utc(wall)} and was not synchronised since the start: '
                     'set it, or let it be set (NTP)')
        passed = 0.0 if self._latest_heard is None else max(0.0, now - self._latest_heard)
        shown = wall if math.isfinite(wall) else 0.0
        return ClockVerdict(max(shown, self._latest + passed), doubt)

    def _believe(self, now: float, wall: float) -> None:
        self._latest, self._latest_heard, self._back_since = wall, now, None


def utc(wall: float) -> str:
    """A unix time as a person reads it; what no calendar knows as the number that it is."""
    try:
        return datetime.fromtimestamp(wall, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')
    except (ValueError, OverflowError, OSError):
        return f'{wall} s'
