"""When a vehicle has settled after a change of the signal: from its own answer, not from a clock.

A vehicle that was seen to move most of the way, and stands still, has settled. One whose answer
cannot be seen (the step was too small, it came on top of another, or the vehicle does not answer)
gets as long as it took before, or ``rest``.
"""

from __future__ import annotations

import math
from collections import deque

VISIBLE = 0.15
"""A, the least step whose answer stands out from noise."""
MOST_OF_THE_WAY = 0.5
"""Share of the expected way after which a vehicle that stands still has arrived."""
_TREND_SHARE = 1 / 6
_LARGE = 1.0
"""A, a step whose answer is seen: a vehicle that has not moved yet gets all the time there is."""
_PATIENCE = 1.25
"""Times the longest answer so far, for an answer that cannot be seen."""


class Settling:
    """Watches the samples since the last change of the signal.

    Args:
        rest: s for a vehicle whose answer cannot be seen.
        window: s for which it must stand still.
        steady: A, the spread of a current that stands still; its trend is at most a sixth of it.
        drawing: A below which it does not charge yet.
    """

    def __init__(self, rest: float, window: float, steady: float, drawing: float) -> None:
        self._rest, self._window, self._steady = rest, window, steady
        self._drawing = drawing
        self._samples: deque[tuple[float, float]] = deque()
        self.reset()

    def reset(self) -> None:
        """Another vehicle: nothing is known of it."""
        self._response = math.inf   # s, the longest answer that was seen
        self.interrupt(-math.inf)

    def interrupt(self, now: float) -> None:
        """The course of the current is lost: what comes next answers nothing that is known."""
        self._samples.clear()
        self._changed_at = now
        self._origin = self._expected = self._mean = math.nan
        self._is_settled = False
        self._held_until = -math.inf

    def changed(self, now: float, expected: float) -> None:
        """The signal has changed; A that the vehicle should come to draw."""
        # an answer to two changes at once does not show when it is complete
        self._origin = self._mean
        self._mean = math.nan
        self._expected = expected
        self._changed_at = now
        self._is_settled = False
        self._held_until = -math.inf
        self._samples.clear()

    def hold(self, until: float) -> None:
        """A change of the signal is on its way: until it comes, or that time, nothing counts."""
        self._held_until = until
        self._samples.clear()

    @property
    def spread(self) -> float:
        """A, between the least and the largest sample of the window."""
        values = [value for _, value in self._samples]
        return max(values) - min(values) if values else 0.0

    def take(self, at: float, drawn: float) -> float | None:
        """Takes a sample of ``at`` s.

        Returns:
            A, the mean of the window, once the vehicle has settled; else None.
        """
        if at < self._held_until or at < self._changed_at:
            return None
        if drawn < self._drawing:
            self._samples.clear()
            self._changed_at, self._origin, self._mean = at, drawn, math.nan
            self._is_settled = False
            return None
        self._samples.append((at, drawn))
        while len(self._samples) > 2 and at - self._samples[1][0] >= self._window:
            self._samples.popleft()
        if at - self._samples[0][0] < self._window or not self._stands_still():
            self._mean = math.nan
            return None
        mean = sum(value for _, value in self._samples) / len(self._samples)
        if not self._is_settled:
            seen = self._has_moved(mean)
            began = self._samples[0][0] - self._changed_at
            if not seen and at - self._changed_at < self._patience():
                return None
            if seen and self._origin >= self._drawing:
                longest = 0.0 if math.isinf(self._response) else self._response
                self._response = max(longest, began)
            self._is_settled = True
        self._mean = mean
        return mean

    def _patience(self) -> float:
        if abs(self._expected - self._origin) >= _LARGE:
            return self._rest   # it should have been seen
        return min(self._rest, _PATIENCE * self._response + self._window)

    def _has_moved(self, drawn: float) -> bool:
        way = self._expected - self._origin
        return abs(way) >= VISIBLE and (drawn - self._origin) / way >= MOST_OF_THE_WAY

    def _stands_still(self) -> bool:
        if self.spread > self._steady:
            return False
        values = [value for _, value in self._samples]
        half = len(values) // 2
        trend = sum(values[-half:]) / half - sum(values[:half]) / half
        return abs(trend) <= self._steady * _TREND_SHARE
