"""PI(D): trims what is made available until the vehicle draws what was commanded.

available = commanded + trim. The feed-forward (commanded) acts at once; the trim is an integrator
that takes a share of the remaining error only when the vehicle has settled after the last change
of the signal, so it cannot hunt however slow meter or vehicle are. The law is in docs/tuning.md.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import fmean

from charger_control.core.heard import Heard
from charger_control.core.limits import MIN_AMPERAGE, Phases


@dataclass(frozen=True, slots=True)
class PiConfig:
    """Gains and times.

    Attributes:
        gain: share of a settled error that one step takes away, 0..1.
        dead_band: A, errors up to this are left alone.
        over_draw: A above commanded from which trim goes to <= 0 in the same tick.
        rest: s that the vehicle needs to follow a change of the signal (domain.md 2.3: 0.5-6 s).
        pace: s between changes of the signal; the signal may lag a trim step by this much.
        window: s over which the measurement must be steady before it counts.
        steady: A, the spread of a steady measurement within the window.
        drift: A that its second half may differ from the first in the mean.
        drawing: A below which the vehicle does not charge yet.
        limit_step: A of steps up after which it shows whether the vehicle is at its own limit.
        limit_pause: s for which a vehicle at its own limit is not asked for more.
        limit_change: A by which its draw must have changed before it is asked again.
    """

    gain: float = 0.9
    dead_band: float = 0.1
    over_draw: float = 0.5
    rest: float = 6.0
    pace: float = 5.0
    window: float = 2.0
    steady: float = 0.3
    drift: float = 0.05
    drawing: float = 1.0
    limit_step: float = 0.5
    limit_pause: float = 60.0
    limit_change: float = 0.3


@dataclass(frozen=True, slots=True)
class _Ceiling:
    """A trim that must not be exceeded, because more did not help or was too much.

    Attributes:
        trim: A.
        drawn: A that the vehicle should draw at that trim; it holds while this is so.
        until: s; it holds at least until then.
    """

    trim: float
    drawn: float
    until: float


class Pi:
    """The regulator of one charge point."""

    def __init__(self, config: PiConfig) -> None:
        self._config = config
        self._samples: deque[tuple[float, float]] = deque()
        self.reset()

    @property
    def trim(self) -> float:
        """A, the trim since the last step."""
        return self._trim

    def reset(self) -> None:
        """Forgets this vehicle: no trim, nothing measured."""
        self._trim = 0.0
        self._commanded = 0.0
        self._signaled = 0.0
        self._rest_until = float('-inf')
        self._last_sample = float('-inf')
        self._board_step = 0.01
        self._ceiling: _Ceiling | None = None
        self._raised: tuple[float, float] | None = None  # A drawn before steps up, A of the steps
        self._samples.clear()

    def step(self, now: float, commanded: float, *, signaled: float, board_step: float,
             trim_limit: float, headroom: float, frozen: bool,
             amperage: Heard[Phases] | None) -> float:
        """One tick.

        Args:
            now: s.
            commanded: A per phase, 0 for none.
            signaled: A per phase that the vehicle is offered now.
            board_step: A, the least change that the board can signal.
            trim_limit: A, the most that may be added.
            headroom: A between commanded and min(HW limit, cable): no trim beyond it.
            frozen: the meter cannot be trusted: trim rests, and not above 0.
            amperage: the last measured A of L1..L3 and when the device gave it.

        Returns:
            The trim in A, within [-(commanded - 6), min(trim_limit, headroom)].
        """
        if commanded <= 0.0:
            self.reset()
            return 0.0
        self._board_step = min(max(0.001, board_step), MIN_AMPERAGE)  # NaN gives 0.001
        low = MIN_AMPERAGE - commanded
        high = max(low, min(trim_limit, headroom))
        self._follow(now, commanded, signaled)
        if frozen or amperage is None:
            self._bound(now, low, max(low, min(high, 0.0)))
            return self._trim
        self._bound(now, low, high)
        if amperage.at > self._last_sample:
            self._last_sample = amperage.at
            self._regulate(now, commanded, amperage.at, max(amperage.value), low, high)
        return self._trim

    def _bound(self, now: float, low: float, high: float) -> None:
        """Keeps the trim in its range; what is drawn then no longer answers the last step."""
        bounded = min(max(self._trim, low), high)
        if bounded != self._trim:
            self._trim = bounded
            self._raised = None
            self._rest(now + self._config.pace + self._config.rest)

    def _follow(self, now: float, commanded: float, signaled: float) -> None:
        """Notes changes of command and signal; the process value rests after each."""
        config = self._config
        # a power limit over a measured voltage is never the same twice
        if abs(commanded - self._commanded) > config.dead_band:
            if 0.0 < commanded < self._commanded and self._trim > 0.0:
                self._trim *= commanded / self._commanded  # exact for an error of gain
            self._rest(now + config.pace + config.rest)
            self._commanded = commanded
            self._ceiling = self._raised = None
        if abs(signaled - self._signaled) > max(self._board_step / 2, config.dead_band):
            self._signaled = signaled
            self._rest_until = now + config.rest
            self._samples.clear()

    def _rest(self, until: float) -> None:
        self._rest_until = until
        self._samples.clear()

    def _regulate(self, now: float, commanded: float, at: float, drawn: float, low: float,
                  high: float) -> None:
        """Takes a sample of ``at`` s; what was measured before the vehicle settled is no error."""
        config = self._config
        if drawn > commanded + config.over_draw and self._trim > max(low, 0.0):
            self._trim = max(low, 0.0)
            self._raised = None
            self._rest(now + config.rest)
            return
        if drawn < config.drawing or at < self._rest_until:
            self._samples.clear()
            return
        self._samples.append((at, drawn))
        while at - self._samples[0][0] > config.window:
            self._samples.popleft()
        if at - self._samples[0][0] < config.window * 0.5:
            return
        values = [value for _, value in self._samples]
        half = len(values) // 2
        if (max(values) - min(values) <= config.steady
                and abs(fmean(values[half:]) - fmean(values[:half])) <= config.drift):
            self._correct(now, commanded, fmean(values), low, high)

    def _correct(self, now: float, commanded: float, drawn: float, low: float,
                 high: float) -> None:
        """Takes its share of a settled error away, in whole steps of the board."""
        config = self._config
        error = commanded - drawn
        before, raised = self._raised or (drawn, 0.0)
        if raised >= config.limit_step:
            self._raised = None
            if drawn - before < 0.25 * raised:  # the vehicle is at its own limit
                self._trim -= raised
                self._ceiling = _Ceiling(self._trim, before, now + config.limit_pause)
                self._rest(now + config.pace + config.rest)
                return
            before, raised = drawn, 0.0
        ceiling = self._ceiling
        if (ceiling is not None and now >= ceiling.until
                and abs(drawn - ceiling.drawn) > config.limit_change):
            ceiling = self._ceiling = None
        if abs(error) <= config.dead_band:
            self._raised = None
            return
        # whole steps of the board, rounded down: up never overshoots, down leaves nothing over
        board_step = self._board_step
        change = math.floor(error * config.gain / board_step + 1e-9) * board_step
        if change > 0.0:
            top = high if ceiling is None else min(high, ceiling.trim)
            change = min(change, top - self._trim)
            if change < board_step / 2:
                return
            self._raised = (before, raised + change)
        else:
            change = max(change, low - self._trim)
            self._raised = None
            # not up again past what had to be taken back
            self._ceiling = _Ceiling(self._trim + change, drawn + change,
                                     now + config.limit_pause)
        self._trim += change
        self._rest(now + config.pace + config.rest)
