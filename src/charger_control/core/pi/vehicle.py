"""What is learned about a vehicle within a session: what it draws at which signal."""

from __future__ import annotations

import math
from dataclasses import dataclass

_MERGE = 1.0
"""A drawn between two points; of two that are nearer the newer one is kept."""
_LINE = 3.0
"""A between the least and the largest point from which their line is believed."""
_WHOLE, _NOT_WHOLE = 0.06, 0.12
"""A from a whole number up to which a draw is one, and from which it is none."""
_MISSED = 0.12
"""A from what was expected from which a whole number is a sign of a vehicle in whole amperes."""
_ENOUGH = 2
"""Signs until that is believed: each is chance with a probability of 2 x _WHOLE."""
_SLOPE = (0.7, 1.3)
"""A drawn per A signaled, of any vehicle."""
_IMPLAUSIBLE = 4.0
"""A: who draws so much less than offered does so by itself (domain.md 2.3: at most 3 A)."""
_SAME, _LESS = 0.3, 0.3
"""A signaled that are the same offer; A drawn that are no noise and no drift."""
_ENOUGH_FOR_ALL = 10.0
"""A: who stops at more has another reason (domain.md 2.3: Zoe and Twingo need 8 A)."""


@dataclass(frozen=True, slots=True)
class _Point:
    """A settled vehicle: A signaled, A drawn."""

    signaled: float
    drawn: float

    @property
    def shortfall(self) -> float:
        return self.signaled - self.drawn


@dataclass(slots=True)
class _Limit:
    """The vehicle's own limit: A drawn, A signaled in vain, and until when (s) that is believed."""

    drawn: float
    signaled: float
    until: float
    pause: float


class Vehicle:
    """Settled points, the steps it draws in, and its own limit.

    Args:
        limit_pause: s for which a vehicle at its own limit is not asked for more; doubled with
            each time that it is asked in vain.
    """

    def __init__(self, limit_pause: float) -> None:
        self._limit_pause = limit_pause
        self.reset()

    def reset(self) -> None:
        """Another vehicle."""
        self._points: list[_Point] = []
        self._last = math.nan
        self._evidence = 0
        self._in_between = False
        self._limit: _Limit | None = None
        self._forget_stops(math.inf)

    def _forget_stops(self, works_at: float) -> None:
        self._stopped_at, self._stops = -math.inf, 0
        self._works_at = works_at   # A, the least signal above at which it drew

    # -- learning --------------------------------------------------------------------------------
    def note(self, signaled: float, drawn: float) -> None:
        """It has settled at ``drawn`` A."""
        if signaled <= self._stopped_at:
            self._forget_stops(signaled)
        self._works_at = min(self._works_at, signaled)
        self._look_for_steps(signaled, drawn)
        if self._limit is not None and drawn >= self._limit.drawn - _LESS:
            return      # this is its limit, and no answer to the signal
        new = _Point(signaled, drawn)
        kept = [p for p in self._points if abs(p.drawn - drawn) >= _MERGE and _agree(p, new)]
        self._points = sorted([*kept, new], key=lambda p: p.drawn)

    def _look_for_steps(self, signaled: float, drawn: float) -> None:
        """Whole amperes that nobody aimed at are no chance, twice."""
        moved, self._last = drawn - self._last, drawn
        if _from_whole(drawn) > _NOT_WHOLE or (
                not math.isnan(moved) and _from_whole(moved) > _NOT_WHOLE):
            self._in_between = True
        elif _from_whole(drawn) <= _WHOLE:
            missing = abs(self.drawn_at(signaled) - drawn)
            if _MISSED < missing < (1.0 if self._points else _IMPLAUSIBLE) + _MISSED:
                self._evidence += 1

    def stopped(self, signaled: float) -> None:
        """It has stopped drawing: a signal of so few A may be too little for it."""
        if signaled < _ENOUGH_FOR_ALL:
            self._stopped_at = max(self._stopped_at, signaled)
            self._stops += 1
            if self._works_at <= self._stopped_at:
                self._works_at = math.inf

    def lowest_signal(self) -> float:
        """A, what it must be offered to go on.

        A little more than where it stopped: that may have been a pause. From the second time on
        no less than where it is known to draw.
        """
        if self._stops > 1 and not math.isinf(self._works_at):
            return self._works_at
        return self._stopped_at + _LESS

    def did_not_answer(self) -> None:
        """It went on drawing whole amperes after less than one more was offered."""
        self._evidence += 1

    def is_whole(self) -> bool:
        """It draws whole amperes only, as far as seen, and often enough to believe it."""
        return not self._in_between and self._evidence >= _ENOUGH

    def may_be_whole(self) -> bool:
        """All that was seen of it are whole amperes."""
        return not self._in_between and bool(self._points)

    def fell_short(self, signaled: float, drawn: float) -> bool:
        """Whether it draws less than it can have made of this offer, or than it did before."""
        return signaled - drawn > _IMPLAUSIBLE or any(
            p.signaled <= signaled + _WHOLE and drawn < p.drawn - _LESS for p in self._points)

    # -- its own limit ---------------------------------------------------------------------------
    def saw(self, drawn: float) -> None:
        """Any sample: one above its limit ends the limit."""
        if self._limit is not None and drawn > self._limit.drawn + _LESS:
            self._limit = None

    def is_limited(self, now: float, signaled: float, drawn: float) -> bool:
        """Whether more offer would be in vain, as far as known."""
        limit = self._limit
        if limit is None or now >= limit.until:
            return False
        if signaled >= limit.signaled - _SAME:
            limit.drawn = min(limit.drawn, drawn)   # it tapers
        return drawn >= limit.drawn - _LESS

    def set_limit(self, now: float, signaled: float, drawn: float) -> None:
        """It was asked in vain, or draws less than it did."""
        pause = self._limit_pause if self._limit is None else 2.0 * self._limit.pause
        self._limit = _Limit(drawn, signaled, now + pause, pause)
        self._points = [p for p in self._points if p.drawn < drawn - _LESS]
        self._evidence = 0

    # -- what to expect --------------------------------------------------------------------------
    def within_limit(self, drawn: float) -> float:
        """A, at most its own limit."""
        return drawn if self._limit is None else min(drawn, self._limit.drawn)

    def signal_for(self, drawn: float) -> float | None:
        """A to signal so that it draws ``drawn`` A; None: nothing is known yet."""
        if not self._points:
            return None
        wanted = float(math.floor(drawn + _WHOLE)) if self.is_whole() else drawn
        target = self.within_limit(wanted)
        signal = target + self._shortfall(target)
        if target < wanted:     # it may be offered what was commanded all the same
            signal = max(signal, drawn + min(0.0, self._shortfall(drawn)))
        return max(signal, min(drawn, self.lowest_signal()))

    def drawn_at(self, signaled: float) -> float:
        """A that it should come to draw at a signal; the signal itself while nothing is known."""
        drawn = signaled
        if self._points:
            for _ in range(3):
                drawn = signaled - self._shortfall(drawn)
        return self.within_limit(drawn)

    def slope(self) -> float:
        """A drawn per A signaled."""
        if self._spread() < _LINE:
            return 1.0
        low, high = self._points[0], self._points[-1]
        slope = (high.drawn - low.drawn) / (high.signaled - low.signaled)
        return min(max(slope, _SLOPE[0]), _SLOPE[1])

    def _spread(self) -> float:
        return self._points[-1].drawn - self._points[0].drawn if self._points else 0.0

    def _shortfall(self, drawn: float) -> float:
        """A by which it draws less than signaled when it draws ``drawn`` A."""
        points = self._points
        if self._spread() < _LINE:
            near = min(points, key=lambda p: abs(p.drawn - drawn))
            # gain or offset? the one that offers less
            share = drawn / near.drawn
            share = min(1.0, share) if near.shortfall > 0.0 else max(1.0, share)
            return near.shortfall * share
        if drawn <= points[0].drawn or drawn >= points[-1].drawn:
            left, right = points[0], points[-1]
        else:
            place = next(i for i, p in enumerate(points) if p.drawn > drawn)
            left, right = points[place - 1], points[place]
        share = (drawn - left.drawn) / (right.drawn - left.drawn)
        return left.shortfall + share * (right.shortfall - left.shortfall)


def _agree(a: _Point, b: _Point) -> bool:
    """Whether one vehicle can do both, in whole amperes or not."""
    low, high = (a, b) if a.drawn < b.drawn else (b, a)
    change = high.signaled - low.signaled
    return (change > 0.0
            and _SLOPE[0] * change - 1.0 < high.drawn - low.drawn < _SLOPE[1] * change + 1.0)


def _from_whole(amperage: float) -> float:
    return abs(amperage - round(amperage))
