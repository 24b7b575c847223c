"""The regulator: feed-forward, what is learned of the vehicle, and an integrating trim."""

from __future__ import annotations

import math

from charger_control.core.heard import Heard
from charger_control.core.pi.config import PiConfig
from charger_control.core.pi.settling import Settling
from charger_control.core.pi.vehicle import Vehicle
from charger_control.core.units import MIN_AMPERAGE, Phases

_SLACK = 2.0
"""s beyond the pace until a board signals what it was told; then the samples count again."""
_OBEYED = 0.5
"""A by which a board in finer steps than it says may signal less than it was told."""
_SAME_COMMAND = 0.25
"""A by which a command may move and still be the same one to what is known of the vehicle."""
_COARSE = 0.5
"""A: a board with such steps hides those of the vehicle."""
_INSIDE = 0.3
"""Share of such a step that is kept from its lower edge."""
_ALLOWED = 0.18
"""A above commanded that are left alone if taking them away costs a whole ampere."""
_OVER = 0.05
"""Share of a step, and A, by which a raise may be predicted to end above commanded."""
_NUDGE = 0.3
"""A by which one that may draw whole amperes is asked whether it does, or asked again."""
_WHOLE_MARGIN = 0.2
"""A less than whole amperes that it is raised by: one that draws in between is seen to do so."""
_ANSWER = 0.25
"""Share of a raise that a vehicle must draw more, else it has not answered."""
_IN_VAIN = 1.3
"""A of raise that no vehicle in steps of 1 A leaves unanswered: it is at its own limit."""
_TRIES = 3
"""Raises towards a signal that was too much, before it is left at that."""
_STEEPEST, _STEP = 1.3, 1.1
"""A drawn per A signaled, and A of a step with its noise, that no vehicle exceeds."""


class Pi:
    """The regulator of one charge point."""

    def __init__(self, config: PiConfig) -> None:
        self._config = config
        self._settling = Settling(config.rest, config.window, config.steady, config.drawing)
        self._vehicle = Vehicle(config.limit_pause)
        self._board_step = 0.01
        self.reset()

    @property
    def trim(self) -> float:
        """A, the trim since the last step."""
        return self._trim

    def reset(self) -> None:
        """Forgets this vehicle: no trim, nothing learned."""
        self._settling.reset()
        self._vehicle.reset()
        self._last_sample = -math.inf
        self._drawn = 0.0
        self._pause(-math.inf)

    def _pause(self, now: float) -> None:
        """Nothing is commanded: no trim. What was learned is kept."""
        self._trim = self._commanded = self._anchor = 0.0
        self._signaled = self._settled_for = 0.0
        self._changed_at = now
        self._is_awaited = self._is_falling = self._has_drawn = False
        self._settling.interrupt(now)
        self._forget_attempts()

    def _forget_attempts(self) -> None:
        self._raised: tuple[float, float] | None = None     # A drawn before, A raised since
        self._too_much: tuple[float, float] | None = None   # A signaled, A drawn: more than it may
        self._tries = 0

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
            if self._commanded > 0.0:
                self._pause(now)
            return 0.0
        self._board_step = min(max(0.001, board_step), MIN_AMPERAGE)  # NaN gives 0.001
        low = MIN_AMPERAGE - commanded
        high = max(low, min(trim_limit, headroom))
        self._note_signal(now, signaled)
        wanted = self._trim if commanded == self._commanded else self._feed_forward(commanded)
        self._commanded = commanded
        if frozen or amperage is None:
            self._settling.interrupt(now)
            high = max(low, min(high, 0.0))
        if wanted > high:
            self._raised = None     # what is drawn then does not answer it
        self._set(now, wanted, low, high)
        if not frozen and amperage is not None and amperage.at > self._last_sample:
            self._last_sample = amperage.at
            self._take(now, amperage, low, high)
        return self._trim

    # -- feed-forward ----------------------------------------------------------------------------
    def _note_signal(self, now: float, signaled: float) -> None:
        """The process value rests after each change that can be noticed."""
        if abs(signaled - self._settled_for) > self._noticeable():
            self._settled_for = signaled
            self._changed_at = now
            self._is_awaited = False
            self._settling.changed(now, self._vehicle.drawn_at(signaled))
        self._signaled = signaled

    def _noticeable(self) -> float:
        return max(self._board_step, self._config.dead_band) / 2

    def _feed_forward(self, commanded: float) -> float:
        """The trim to begin with at a new command, from what is known of the vehicle."""
        before, trim = self._commanded, self._trim
        falls = commanded < before
        if abs(commanded - self._anchor) > _SAME_COMMAND:
            self._anchor = commanded
            self._is_falling = falls
            self._forget_attempts()
            learned = self._vehicle.signal_for(commanded)
            trim = self._within_step(commanded if learned is None else learned) - commanded
        trim = max(trim, min(0.0, self._least() - commanded))
        if falls:
            trim = min(trim, before + self._trim - commanded)   # never more than before
        if self._drawn > commanded + self._config.over_draw:
            trim = min(trim, 0.0)
        return trim

    def _within_step(self, signal: float) -> float:
        """On a coarse board not at the edge of its step, so that a jitter of the command is none
        of the signal."""
        step = self._board_step
        if step < _COARSE:
            return signal
        return (math.floor(signal / step + _OVER) + _INSIDE) * step

    def _least(self) -> float:
        """A, the least that the board can signal at which the vehicle goes on."""
        least = self._vehicle.lowest_signal()
        if math.isinf(least):
            return least
        return math.ceil(least / self._board_step - 1e-6) * self._board_step

    def _set(self, now: float, trim: float, low: float, high: float) -> None:
        """Sets the trim within its range; until it is signaled no sample answers it."""
        self._trim = min(max(trim, low), high)
        step = self._board_step
        coming = math.floor((self._commanded + self._trim) / step + 1e-6) * step
        is_awaited = abs(coming - self._settled_for) > self._noticeable()
        if is_awaited and not self._is_awaited:
            self._settling.hold(now + self._config.pace + _SLACK)
        elif self._is_awaited and not is_awaited:
            self._settling.hold(-math.inf)
        self._is_awaited = is_awaited

    # -- feedback --------------------------------------------------------------------------------
    def _take(self, now: float, amperage: Heard[Phases], low: float, high: float) -> None:
        """Takes a new sample."""
        drawn = max((a for a in amperage.value if not math.isnan(a)), default=math.nan)
        if math.isnan(drawn):
            return
        self._drawn = drawn
        self._vehicle.saw(drawn)
        if drawn <= self._commanded + self._config.over_draw:
            self._is_falling = False
        else:
            high = max(low, min(high, 0.0))     # whatever is corrected below
            if self._trim > high:
                if not self._is_falling:
                    self._too_much = self._signaled, drawn
                self._raised = None
                self._set(now, 0.0, low, high)
                return
        if math.isinf(drawn):
            return
        self._go_on(now, drawn, low, high)
        mean = self._settling.take(amperage.at, drawn)
        if mean is not None and now - self._changed_at >= self._config.pace and self._is_obeyed():
            self._is_falling = False
            self._correct(now, mean, low, high)

    def _is_obeyed(self) -> bool:
        """Whether the board signals what it was told; else what is drawn answers nothing."""
        told = self._commanded + self._trim
        return abs(told - self._signaled) <= max(self._board_step, _OBEYED) + 1e-6

    def _go_on(self, now: float, drawn: float, low: float, high: float) -> None:
        """A vehicle that stops at a trim below 0 may find too little what it is offered."""
        if drawn >= self._config.drawing:
            self._has_drawn = True
        elif self._trim < 0.0 and now - self._changed_at >= self._config.rest:
            if self._has_drawn:
                self._vehicle.stopped(self._signaled)
            self._set(now, 0.0, low, high)

    def _correct(self, now: float, drawn: float, low: float, high: float) -> None:
        """The vehicle has settled: takes the error away, in whole steps of the board."""
        vehicle, signaled = self._vehicle, self._signaled
        error = self._commanded - drawn
        if self._raised is not None and not self._answered(now, drawn, low, high):
            return
        dead = max(self._config.dead_band, self._settling.spread)
        if error > dead:
            if (not vehicle.is_limited(now, signaled, drawn)
                    and vehicle.fell_short(signaled, drawn)):
                vehicle.set_limit(now, signaled, drawn)
            if vehicle.is_limited(now, signaled, drawn):
                if signaled >= self._commanded - self._noticeable():
                    return
                high = max(low, min(high, 0.0))
        vehicle.note(signaled, drawn)
        if error > dead:
            self._raise(now, drawn, low, high)
        elif error < (-dead if self._board_step < _COARSE else -_ALLOWED):
            self._too_much = signaled, drawn
            low = max(low, min(0.0, self._least() - self._commanded))
            self._change(now, self._config.gain * error / vehicle.slope(), low, high)

    def _raise(self, now: float, drawn: float, low: float, high: float) -> None:
        """Offers more, as far as it cannot be too much."""
        vehicle = self._vehicle
        error = self._commanded - drawn
        if vehicle.is_limited(now, self._signaled, drawn):
            error = vehicle.within_limit(self._commanded) - drawn
        if error <= self._config.dead_band:
            return
        if vehicle.may_be_whole() and self._board_step < _COARSE:
            whole = math.floor(self._commanded + _OVER) - round(drawn)
            if whole >= 1:
                error = whole - _WHOLE_MARGIN   # so many up and no more; in between: it is not
            elif vehicle.is_whole():
                return
            else:
                error = min(error, _NUDGE)
        step = self._config.gain * error / vehicle.slope()
        if self._too_much is not None:
            signaled, drew = self._too_much
            if drawn < drew - _STEEPEST * (signaled - self._signaled) - _STEP:
                self._too_much, self._tries = None, 0   # it has changed since
            elif step > (signaled - self._signaled) * 0.9:
                if self._tries >= _TRIES:
                    return
                self._tries += 1
                step = (signaled - self._signaled) / 2
        raised = self._change(now, step, low, high)
        if raised > 0.0:
            self._raised = (drawn, raised)

    def _answered(self, now: float, drawn: float, low: float, high: float) -> bool:
        """Whether the vehicle has answered to the last raise; if not, what is done about it."""
        assert self._raised is not None
        before, raised = self._raised
        self._raised = None
        if drawn - before >= _ANSWER * raised:
            return True
        if raised < 1.0 and self._vehicle.may_be_whole() and self._commanded - drawn < 1.0:
            self._vehicle.did_not_answer()
            return True
        more = 0.0 if raised >= _IN_VAIN else self._change(now, _NUDGE, low, high)
        if more > 0.0:
            self._raised = (before, raised + more)
        else:
            self._change(now, -raised, low, high)
            self._vehicle.set_limit(now, self._signaled - raised, drawn)
        return False

    def _change(self, now: float, change: float, low: float, high: float) -> float:
        """Changes what is signaled now by ``change`` A, in whole steps of the board.

        Returns:
            A, the change of the signal that is to come; 0 if there is no room for one.
        """
        step = self._board_step
        steps = math.floor(change / step + _OVER)
        wanted = self._within_step(self._signaled + steps * step)
        trim = min(max(wanted - self._commanded, low), high)
        coming = math.floor((self._commanded + trim) / step + 1e-6) * step
        change = coming - self._signaled
        if abs(change) < step / 2:
            return 0.0
        self._set(now, trim, low, high)
        return change
