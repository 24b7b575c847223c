"""What simulated pilot boards share: duty cycle, diode check and contactor on a plant. Pure.

Where boards differ, and sources leave it open, it is decided for the worse: no board here withdraws
an offer because nobody speaks to it unless its own protocol says so.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.plant.pilot_line import (
    MAX_OFFER,
    MIN_OFFER,
    NO_OFFER_DUTY,
    UNAVAILABLE_DUTY,
    duty_of_amperage,
    letter_of_level,
)
from charger_control.sim.plant.plant import NO_CABLE, Plant

STEADY, PWM, OFF = 1, 2, 3
"""What the pilot does; the numbers of EVSE-DIN's register 1006."""
_DIODE_LEVEL = -10.0


@dataclass(frozen=True, slots=True)
class BoardParameters:
    """The board's own behaviour; times in s.

    Attributes:
        firmware: register 1005 of an EVSE-DIN; up to 15 it has fewer registers.
        fine_firmware: the first of them that counts in 0.01 A: sources say 17, or 18.
        old_rapi: an OpenEVSE whose GS has two fields, and that knows no heartbeat supervision.
        sparse: an EM-CP-PP-ETH that has only the registers which two sources know.
        silent_refusals: what it would refuse it does not answer at all.
        boot_time: from a reset until it runs.
        configuration_time: from a write of the configuration until it acts.
        close_delay: from C with an offer to the command to close.
        stop_time: from the end of the offer to opening under load (domain.md 1.6: 6 s or more).
        failure_time: how long a failed check holds while the vehicle stays.
        no_cable_amperage: A, register 1003 without a cable (5 in the recorded frame).
    """

    firmware: int = 18
    fine_firmware: int = 17
    silent_refusals: bool = False
    sparse: bool = False
    old_rapi: bool = False
    boot_time: float = 0.8
    configuration_time: float = 1.0
    close_delay: float = 0.1
    stop_time: float = 6.0
    failure_time: float = 60.0
    no_cable_amperage: int = 5


class PilotBoard(ABC):
    """The part of a board that is on the pilot line.

    Attributes:
        parameters: its behaviour.
        offered: A that the pilot offers now, 0 for none.
        relay: whether it commands the contactor closed.
        letter: what it sees on the pilot; '' before its first look.
        failure: '' or what it found wrong.
    """

    def __init__(self, plant: Plant, log: BoardLog, *, now: float = 0.0,
                 parameters: BoardParameters | None = None) -> None:
        self.parameters = parameters or BoardParameters()
        self._plant = plant
        self._log = log
        self.offered = 0.0
        self.relay = False
        self.letter = ''
        self.failure = ''
        self.reset(now, 'power on')
        self._up_at = now       # it had its power before anybody looked
        self.step(now)

    def is_up(self) -> bool:
        """Whether it has booted."""
        return self._up

    def reset(self, now: float, reason: str) -> None:
        """Cuts its power for a moment: the offer ends, the contactor falls open, it boots."""
        self._log.write(now, 'boot', reason=reason)
        self._up = False
        self._up_at = now + self.parameters.boot_time
        self._failed_until = -math.inf
        self._charging_since: float | None = None
        self._off_since: float | None = None
        self._pilot = STEADY
        self.failure = ''
        self._lose()
        self._offer(now, 0.0)
        self._switch(now, False, 'no power')

    def due(self) -> float:
        """s, when it does something by itself next, at the latest."""
        return math.inf if self._up else self._up_at

    def step(self, now: float) -> None:
        """Looks at the pilot and acts; called at least every 50 ms and after each write."""
        if not self._runs(now):
            return
        self._tick(now)
        high, _ = self._plant.pilot_levels
        self.letter = letter_of_level(high)
        self._check(now)
        self._set_pilot(now)
        self._check(now)      # the diode shows only while the PWM runs
        self._set_contactor(now)

    def _runs(self, now: float) -> bool:
        """Whether it runs, booting it when its time has come."""
        if not self._up and now >= self._up_at:
            self._up = True
            self._boot(now)
        return self._up

    # -- what a board is -------------------------------------------------------------------------
    @abstractmethod
    def _lose(self) -> None:
        """Loses what is volatile."""

    @abstractmethod
    def _boot(self, now: float) -> None:
        """Takes what it keeps, and begins."""

    def _tick(self, now: float) -> None:
        """Does what its clock says; nothing, unless a board says otherwise."""
        return

    @abstractmethod
    def _wanted(self) -> float:
        """A that it is set to; 0 for none."""

    def _is_off(self) -> bool:
        """Whether it is told to be off: no duty cycle."""
        return False

    def _opens_at_once(self) -> bool:
        """Whether it opens the contactor under load."""
        return self._is_off()

    def _is_unavailable(self) -> bool:
        """Whether it shows state F."""
        return False

    def _allows_ventilation(self) -> bool:
        return False

    def _least(self) -> float:
        """A, less than which it does not offer."""
        return MIN_OFFER

    def _most(self) -> float:
        """A, more than which it does not offer, the cable apart."""
        return MAX_OFFER

    @property
    def set_amperage(self) -> float:
        """A that it is set to now, whether it offers or not."""
        return self._wanted()

    def truth(self) -> dict[str, Any]:
        """What is true of it, as plain data."""
        return {'up': self.is_up(), 'set_amperage': self.set_amperage, 'offered': self.offered,
                'relay': self.relay, 'letter': self.letter, 'failure': self.failure}

    # -- the pilot line --------------------------------------------------------------------------
    def _check(self, now: float) -> None:
        if self.letter == 'E' or (self.letter == 'F' and not self._is_unavailable()):
            self._fail(now, 'pilot', hold=0.0)
        elif self.letter == 'D' and not self._allows_ventilation():
            self._fail(now, 'ventilation', hold=0.0)
        elif self._pilot == PWM and self._plant.pilot_levels[1] > _DIODE_LEVEL:
            self._fail(now, 'diode', hold=self.parameters.failure_time)
        elif self.failure and (now >= self._failed_until or self.letter == 'A'):
            self.failure = ''
            self._log.write(now, 'failure', reason='')
        if self.failure and self._pilot == PWM:
            self._pilot = STEADY
            self._offer(now, 0.0)

    def _fail(self, now: float, reason: str, *, hold: float) -> None:
        self._failed_until = now + hold
        if self.failure != reason:
            self.failure = reason
            self._log.write(now, 'failure', reason=reason)

    def _set_pilot(self, now: float) -> None:
        off = self._is_off() or self._is_unavailable()
        amperage = 0.0
        if self.letter in ('B', 'C', 'D') and not self.failure and not off:
            amperage = self._allowed()
        self._pilot = OFF if off else PWM if amperage else STEADY
        self._offer(now, amperage)

    def _allowed(self) -> float:
        amperage = min(self._wanted(), self._most(), self._cable())
        return amperage if amperage >= max(MIN_OFFER, self._least()) else 0.0

    def _cable(self) -> float:
        cable = self._plant.cable_amperage
        return cable if cable != NO_CABLE else float(self.parameters.no_cable_amperage)

    def _set_contactor(self, now: float) -> None:
        if self.letter not in ('C', 'D') or self.failure:
            self._charging_since = self._off_since = None
            self._switch(now, False, f'failure: {self.failure}' if self.failure else 'not C or D')
        elif self._pilot == PWM:
            self._off_since = None
            if self._charging_since is None:
                self._charging_since = now
            if now - self._charging_since >= self.parameters.close_delay:
                self._switch(now, True, 'C with an offer')
        else:
            self._charging_since = None
            if self._off_since is None:
                self._off_since = now
            if self._opens_at_once():
                self._switch(now, False, 'turned off')
            elif now - self._off_since >= self.parameters.stop_time:
                self._switch(now, False, 'vehicle does not stop')

    def _offer(self, now: float, amperage: float) -> None:
        none = UNAVAILABLE_DUTY if self._is_unavailable() else NO_OFFER_DUTY
        self._plant.duty = duty_of_amperage(amperage) if amperage else none
        if amperage != self.offered:
            self.offered = amperage
            self._log.write(now, 'offer', amperage=round(amperage, 3), evse_state=self._pilot)

    def _switch(self, now: float, closed: bool, reason: str) -> None:
        self._plant.contactor.command(closed, now)
        if closed != self.relay:
            self.relay = closed
            self._log.write(now, 'relay', closed=closed, reason=reason)
