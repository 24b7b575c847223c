"""When a vehicle that does not react to its offer is woken up, and how often (domain.md 1.7).

State F for some seconds wakes vehicles that sleep. A full one does not react either, and some lock
up after ten of them: so not at every offer, and not for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.iso61851.raw.types import Event, EventKind


@dataclass(frozen=True, slots=True)
class WakeUpConfig:
    """Figures of the wake-up.

    Attributes:
        attempts: how often in one offer; 0: never.
        after: s of an offer that the vehicle does not react to.
        time: s of state F at the first attempt (EVerest, WARP: 4).
        long_time: s of it at further ones: some vehicles need 30 (WARP).
        give_up: s after the last wake-up at which it counts as not wanting to charge.
        pause: s without an offer after which a vehicle that was awake may sleep. The first offer
            after plug-in counts as one after a pause.
        most: how often in one plug-in without charging between.
    """

    attempts: int = 2
    after: float = 30.0
    time: float = 4.0
    long_time: float = 30.0
    give_up: float = 10.0
    pause: float = 900.0
    most: int = 4


class WakeUp:
    """Wakes a vehicle that stays in B although it has an offer, and has not charged with it yet."""

    def __init__(self, config: WakeUpConfig) -> None:
        self._config = config
        self._forget_vehicle()
        self._forget_offer()

    def _forget_vehicle(self) -> None:
        self._paused_at = -math.inf
        """s, since when there is no offer."""
        self._budget = self._config.most

    def _forget_offer(self) -> None:
        self._left: int | None = None
        """Attempts that are left in this offer; None before it has begun."""
        self._tried = 0
        self._since: float | None = None
        self._dark_until: float | None = None
        self._done = False

    def time_left(self, now: float) -> float:
        """s of state F from now on; 0 for none."""
        return 0.0 if self._dark_until is None else max(0.0, self._dark_until - now)

    def step(self, now: float, *, letter: str, offered: bool, pwm: bool
             ) -> tuple[bool, list[Event]]:
        """One tick.

        Args:
            now: s.
            letter: state of the pilot.
            offered: there is something to offer, and nothing but this sequence in the way.
            pwm: the offer is on the pilot now.

        Returns:
            Whether the pilot is to be in state F, and what happened.
        """
        if letter == 'A':
            self._forget_vehicle()
        elif letter in 'CD':
            self._budget = self._config.most
        if not offered:
            if self._left == 0 or self._tried or self._done:
                self._paused_at = now       # else it goes on sleeping, and the next offer wakes it
            self._forget_offer()
            return False, []
        if self._left is None:
            rested = now - self._paused_at >= self._config.pause
            self._left = min(self._config.attempts, self._budget) if rested else 0
        if self._dark_until is not None:
            if now < self._dark_until:
                return True, []
            self._dark_until = self._since = None
        self._done = self._done or letter != 'B'
        if self._since is None and pwm:
            self._since = now
        if self._done or self._since is None:
            return False, []
        return self._wait(now, now - self._since)

    def _wait(self, now: float, waited: float) -> tuple[bool, list[Event]]:
        """The vehicle has not reacted for ``waited`` s."""
        config = self._config
        if self._left and waited >= config.after:
            time = config.long_time if self._tried else config.time
            self._left -= 1
            self._tried += 1
            self._budget -= 1
            self._dark_until = now + time
            return True, [Event(now, EventKind.WAKE_UP, f'state F for {time:g} s')]
        if not self._left and waited >= (config.give_up if self._tried else config.after):
            self._done = True
            return False, [Event(now, EventKind.NOT_WANTED)]
        return False, []
