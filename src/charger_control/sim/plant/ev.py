"""The vehicle: what it does with the pilot and the mains that it gets (domain.md 2.3).

Pure and stepped with an explicit time. It knows only what a real one knows: the pilot's duty cycle
and the voltages at its inlet.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

from charger_control.sim.plant.ev_parameters import EvParameters, Phases
from charger_control.sim.plant.pilot_line import amperage_of_duty

OFF_TIME = 2.9
"""s from the end of the offer until a vehicle has stopped drawing and opened S2. 3 s are allowed
(domain.md 1.6), and what is stepped is late by a step."""
LIVE_VOLTAGE = 100.0
"""V from which a phase at the inlet counts as there."""
_DARK_DUTY = 0.03
_NOTHING = 0.05
NO_PHASES: Phases = (0.0, 0.0, 0.0)


class Ev:
    """One vehicle, plugged in. Its battery outlives an unplugging, all else begins anew.

    Attributes:
        parameters: how it behaves; see ``change``.
        letter: how it loads the pilot now: B, C or D.
        amperage: A drawn on L1 L2 L3 since the last step.
        power: W, active, drawn since the last step.
        soc: state of charge, ratio 0..1.
        energy: kWh drawn from the inlet since it was made.
    """

    def __init__(self, parameters: EvParameters, now: float = 0.0) -> None:
        self.parameters = parameters
        self.soc = parameters.soc
        self.energy = 0.0
        self.plug_in(now)

    def plug_in(self, now: float) -> None:
        """Begins a new connection at ``now`` s."""
        self._at = now
        self._s2 = self.parameters.simplified
        self._asleep = self.parameters.asleep
        self._full = self.soc >= 1.0
        self._offer_since: float | None = None
        self._off_since = now
        self._dark_since: float | None = None
        self._live_since: float | None = None
        self._drawing = False
        self._inrush_until = -math.inf
        self._offers: deque[tuple[float, float]] = deque()
        self._ramp = 0.0
        self._level = 0.0
        self.amperage: Phases = NO_PHASES
        self.power = 0.0
        self.letter = self._letter()

    def change(self, values: Mapping[str, Any]) -> None:
        """Changes parameters while it runs; ``soc`` sets the battery, ``asleep`` its sleep.

        Raises:
            ValueError: unknown name or value out of range.
        """
        self.parameters = self.parameters.changed(values)
        if 'soc' in values:
            self.soc = self.parameters.soc
            self._full = self.soc >= 1.0
        if 'asleep' in values:
            self._asleep = self.parameters.asleep

    @property
    def asleep(self) -> bool:
        """Whether it ignores the pilot until woken up."""
        return self._asleep

    def step(self, now: float, duty: float, voltage: Phases) -> tuple[str, Phases]:
        """Lives on until ``now``.

        Args:
            now: s, not before the last step.
            duty: ratio 0..1 that its pilot input sees; 0 for F and for a disconnected pilot.
            voltage: V at the inlet on L1 L2 L3, 0 where nothing is switched on.

        Returns:
            The letter that it shows on the pilot, and A on L1 L2 L3.
        """
        dt = max(0.0, now - self._at)
        self._at = now
        self._charge(dt)
        offered = amperage_of_duty(duty)
        self._watch_pilot(now, offered, duty)
        self._move_s2(now, offered)
        live = [volts > LIVE_VOLTAGE for volts in voltage[:self.parameters.phases]]
        if self._s2 and any(live):
            self._draw(now, dt, offered)
        else:
            self._stop_at_once()
        self.letter = self._letter()
        self._share(now, live, voltage)
        return self.letter, self.amperage

    def _charge(self, dt: float) -> None:
        energy = self.power * dt / 3.6e6
        self.energy += energy
        parameters = self.parameters
        self.soc = min(1.0, self.soc + energy * parameters.efficiency / parameters.capacity)
        if self.soc >= 1.0:
            self._full = True

    def _watch_pilot(self, now: float, offered: float, duty: float) -> None:
        if offered > 0.0:
            if self._offer_since is None:
                self._offer_since = now
        elif self._offer_since is not None:
            self._offer_since, self._off_since = None, now
        if duty >= _DARK_DUTY:
            self._dark_since = None
        elif self._dark_since is None:
            self._dark_since = now
        elif now - self._dark_since >= self.parameters.wake_time:
            self._asleep = False
            self._off_since = now
        if not self._s2 and offered <= 0.0 and now - self._off_since >= self.parameters.sleep_after:
            self._asleep = True

    def _move_s2(self, now: float, offered: float) -> None:
        parameters = self.parameters
        if parameters.simplified:
            self._s2 = True
        elif self._s2:
            stopped = self._level <= 0.0 or now - self._off_since >= OFF_TIME
            ended = (offered <= 0.0 and now - self._off_since >= parameters.stop_delay
                     and not parameters.ignores_pwm_off and not parameters.keeps_s2)
            self._s2 = not (stopped and (ended or (self._full and self._level <= 0.0)))
        elif self._offer_since is not None and not self._full and not self._asleep:
            self._s2 = now - self._offer_since >= parameters.s2_delay

    def _draw(self, now: float, dt: float, offered: float) -> None:
        if self._live_since is None:
            self._live_since = now
        if not self._drawing:
            self._offers.clear()
            self._drawing = (offered > 0.0 and not self._asleep
                             and now - self._live_since >= self.parameters.start_delay)
            if not self._drawing:
                return
            self._inrush_until = now + self.parameters.inrush_time
        self._ramp_towards(now, dt, offered)

    def _ramp_towards(self, now: float, dt: float, offered: float) -> None:
        parameters = self.parameters
        fall = parameters.ramp_down
        target = parameters.drawn(self._followed(now, offered), self.soc)
        if offered <= 0.0 and not parameters.ignores_pwm_off:
            gone = now - self._off_since
            if gone >= OFF_TIME:
                self._ramp = self._level = 0.0
                return
            if gone >= parameters.stop_delay:
                self._offers.clear()    # what comes next is a new offer, not a change of this one
                target = 0.0
                fall = max(fall, self._ramp / (OFF_TIME - gone))
        change = target - self._ramp
        self._ramp += max(-fall * dt, min(parameters.ramp_up * dt, change))
        if parameters.time_constant > 0.0:
            share = 1.0 - math.exp(-dt / parameters.time_constant)
            self._level += share * (self._ramp - self._level)
        else:
            self._level = self._ramp
        if target <= 0.0 and self._level < _NOTHING:
            self._ramp = self._level = 0.0

    def _followed(self, now: float, offered: float) -> float:
        """The offer that it follows now, A: what was offered ``reaction_delay`` ago.

        An offer of nothing is not followed but ends the drawing, see ``_ramp_towards``.
        """
        offers = self._offers
        if offered > 0.0 and (not offers or offers[-1][1] != offered):
            offers.append((now, offered))
        while len(offers) > 1 and offers[1][0] <= now - self.parameters.reaction_delay:
            offers.popleft()
        return offers[0][1] if offers else 0.0

    def _stop_at_once(self) -> None:
        self._live_since = None
        self._drawing = False
        self._ramp = self._level = 0.0

    def _letter(self) -> str:
        if not self._s2:
            return 'B'
        return 'D' if self.parameters.ventilation else 'C'

    def _share(self, now: float, live: list[bool], voltage: Phases) -> None:
        parameters = self.parameters
        level = self._level
        if self._drawing and now < self._inrush_until and level > 0.0:
            level += parameters.inrush_amperage
        if level <= 0.0:
            self.amperage, self.power = NO_PHASES, 0.0
            return
        drawn = [0.0, 0.0, 0.0]
        for phase, is_live in enumerate(live):
            if is_live:
                drawn[phase] = level * parameters.imbalance[phase]
        self.amperage = (drawn[0], drawn[1], drawn[2])
        apparent = sum(a * v for a, v in zip(drawn, voltage, strict=True))
        self.power = apparent * parameters.power_factor_at(level)
