"""What the sampling thread of a RawPilot does by itself, because a 20 Hz timer could not.

It decodes the samples, opens the contactor when the vehicle leaves its state, holds the dead-man,
and refuses every order that would be unsafe whatever the block thinks. Pure: one call a sample.
"""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.heard import Heard
from charger_control.core.iso61851.raw.levels import (
    LOST_TIME,
    VOTES,
    DiodeCheck,
    LetterDecoder,
    must_open,
)
from charger_control.core.iso61851.raw.types import (
    STEADY_HIGH,
    STEADY_LOW,
    Levels,
    RawOrder,
    RawReading,
    is_pwm,
)
from charger_control.core.units import NAN

LEFT = 'the vehicle left its state'
LOST = 'no samples of the pilot'
DIODE = 'the diode was not seen'
DARK = 'the pilot is constantly low'
DEAD = 'no orders'
STOP = 'no offer for too long'
BACKSTOP = 0.5
"""s beyond the time to stop after which the contactor opens although the block holds it."""


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """Figures of the guard.

    Attributes:
        dead_man: s without an order after which it withdraws the offer.
        relay_time: s for which the contactor must be open before its phases change, and the
            phases settled before it closes (domain.md 1.8: 100 ms).
        phases: that the contactor switches when the process starts.
    """

    dead_man: float = 1.0
    relay_time: float = 0.1
    phases: int = 3


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the thread is to put out: duty cycle (ratio), contactor, phases."""

    duty: float
    contactor: bool
    phases: int


class PilotGuard:
    """One for each RawPilot, on its thread."""

    def __init__(self, config: GuardConfig | None = None) -> None:
        self._config = config or GuardConfig()
        self._samples: tuple[Levels, ...] = ()
        self._decoder = LetterDecoder()
        self._diode = DiodeCheck()
        self._duty = STEADY_HIGH
        self._closed = False
        self._phases = self._config.phases
        self._opened_at = float('-inf')
        self._phases_at = float('-inf')
        self._pwm_at = float('-inf')
        self._trips = 0
        self._trip = ''
        self._dead_since: float | None = None

    def step(self, now: float, sample: Levels | None, order: Heard[RawOrder],
             feedback: bool | None) -> Outputs:
        """One turn of the thread.

        Args:
            now: s.
            sample: taken in this turn, None if that failed.
            order: the last one and when it came.
            feedback: the contactor's auxiliary contact, None: there is none.
        """
        self._watch_dead_man(now, order)
        if sample is not None:
            self._samples = (*self._samples[1 - VOTES:], sample)
            self._decoder.step(sample, readable=self._duty > STEADY_LOW)
            self._diode.step(sample, pwm=is_pwm(self._duty), letter=self._decoder.letter)
        wanted = order.value
        valid = self._dead_since is None and STEADY_LOW <= wanted.duty <= STEADY_HIGH
        self._duty = wanted.duty if valid else STEADY_HIGH
        if is_pwm(self._duty):
            self._pwm_at = now
        if self._closed:
            self._consider_opening(now, wanted)
        elif self._may_close(now, wanted, feedback):
            self._closed = True
        self._move_phases(now, wanted, feedback)
        return Outputs(self._duty, self._closed, self._phases)

    def reading(self, feedback: bool | None, cable_amperage: float = NAN) -> RawReading:
        """What the block is told after a step."""
        high, low = (self._samples[-1].high, self._samples[-1].low) if self._samples else (NAN, NAN)
        return RawReading(
            self._decoder.letter, high, low, self._duty, self._diode.seen, self._closed, feedback,
            self._phases, cable_amperage, self._trips, self._trip, self._opened_at)

    def lost(self, now: float) -> None:
        """The outputs do not obey any more: what is known of the vehicle begins anew."""
        if self._closed:
            self._open(now, LOST)
        self._samples = ()
        self._decoder = LetterDecoder()
        self._diode = DiodeCheck()

    def _watch_dead_man(self, now: float, order: Heard[RawOrder]) -> None:
        if order.silence(now) > self._config.dead_man:
            if self._dead_since is None:
                self._dead_since = now
                self._note_trip(DEAD)
        elif order.value.trips == self._trips:
            self._dead_since = None

    def _consider_opening(self, now: float, wanted: RawOrder) -> None:
        dead = self._dead_since is not None
        if not wanted.close_in:
            self._closed, self._opened_at = False, now
        elif self._duty <= STEADY_LOW:
            self._open(now, DARK)
        elif must_open(self._samples, now, wanted.close_in):
            fresh = bool(self._samples) and now - self._samples[-1].at <= LOST_TIME
            self._open(now, LEFT if fresh else LOST)
        elif self._diode.seen is False:
            self._open(now, DIODE)
        elif now - self._pwm_at >= wanted.stop_time + (0.0 if dead else BACKSTOP):
            self._open(now, DEAD if dead else STOP)

    def _may_close(self, now: float, wanted: RawOrder, feedback: bool | None) -> bool:
        """The last barrier: closed only in C or D, with PWM, its diode seen, the phases settled."""
        relay_time = self._config.relay_time
        return (self._dead_since is None
                and bool(wanted.close_in) and wanted.trips == self._trips
                and self._decoder.letter in wanted.close_in
                and is_pwm(self._duty) and self._diode.seen is True
                and len(self._samples) == VOTES
                and not must_open(self._samples, now, wanted.close_in)
                and wanted.phases in (0, self._phases) and now - self._phases_at >= relay_time
                and feedback is not True)

    def _move_phases(self, now: float, wanted: RawOrder, feedback: bool | None) -> None:
        if (wanted.phases not in (0, self._phases) and not self._closed and feedback is not True
                and now - self._opened_at >= self._config.relay_time):
            self._phases, self._phases_at = wanted.phases, now

    def _open(self, now: float, why: str) -> None:
        self._closed, self._opened_at = False, now
        self._note_trip(why)

    def _note_trip(self, why: str) -> None:
        self._trips += 1
        self._trip = why
