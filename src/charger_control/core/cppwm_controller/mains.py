"""Whether the supply is there: when it comes back, a street must not start as one."""

from __future__ import annotations

import math

from charger_control.core.chance import Chance
from charger_control.core.units import Phases

PRESENT, ABSENT = 100.0, 50.0
"""V: with one phase above the supply is there, with all below it is not; between it is unknown."""
GONE_TIME = 1.0
"""s below ABSENT until it counts as gone."""
SILENT_TIME = 15.0
"""s after which meter and board, both silent, count as without supply (this computer has its own):
a cable that is moved, or a line that is restarted, is faster."""

UNPLUGGED_TIME = 5.0
"""s without a vehicle after which one was plugged in: a board that starts may say A first."""


class Mains:
    """The supply, as the meter's voltages and the silence of all devices show it.

    A meter behind the contactor has no voltage while that is open: its word counts only after it
    has said one at an open contactor.
    """

    def __init__(self) -> None:
        self._is_before_contactor = False
        self._low_since = self._silent_since = math.inf
        self._has_heard_both = False

    def step(self, now: float, voltage: Phases | None, *, pilot: bool,
             closed: bool | None) -> bool | None:
        """One tick.

        Args:
            now: s.
            voltage: V of L1..L3 while the meter is heard, else None.
            pilot: the board is heard.
            closed: whether the contactor is; None: not known.

        Returns:
            Whether the supply is there; None: not known.
        """
        self._has_heard_both |= pilot and voltage is not None
        silent = self._has_heard_both and not pilot and voltage is None
        self._silent_since = min(self._silent_since, now) if silent else math.inf
        if now - self._silent_since >= SILENT_TIME:
            return False
        most = max((v for v in voltage or () if not math.isnan(v)), default=math.nan)
        if most >= PRESENT:
            self._is_before_contactor |= closed is False
        low = most < ABSENT and self._is_before_contactor
        self._low_since = min(self._low_since, now) if low else math.inf
        if now - self._low_since >= GONE_TIME:
            return False
        return True if most >= PRESENT or (pilot and math.isnan(most)) else None


class AfterOutage:
    """Nothing is offered without supply, nor for a random time after it came back."""

    def __init__(self, longest: float, seed: int, *, after_outage: bool) -> None:
        """How long, at the most, and whether it has just come back.

        Args:
            longest: s; the wait is anything from 0 to this, each time another.
            seed: of the waits.
            after_outage: the first supply that is seen counts as one that came back.
        """
        self._longest, self._chance, self._outages = longest, Chance(seed), 0
        self._is_outage = after_outage
        self._until = -math.inf
        self._unplugged_since: float | None = None

    def step(self, now: float, supplied: bool | None, *, connected: bool | None,
             own_enable: bool, start_hold: float) -> str:
        """Why nothing may be offered, in words; '' where it may.

        Who plugs in ends the wait, and a client's own enable leaves ``start_hold`` s of it.

        Args:
            now: s.
            supplied: whether the supply is there; None: not known.
            connected: whether a vehicle is; None: not known.
            own_enable: a client has just lifted its own stop.
            start_hold: s.
        """
        if supplied is False:
            self._is_outage = True
            return 'the supply is gone'
        if supplied and self._is_outage:
            self._is_outage = False
            self._outages += 1
            self._until = now + self._longest * self._chance.share(self._outages)
        if connected is False and self._unplugged_since is None:
            self._unplugged_since = now
        elif connected:
            since, self._unplugged_since = self._unplugged_since, None
            if since is not None and now - since >= UNPLUGGED_TIME:
                self._until = -math.inf
        if own_enable:
            self._until = min(self._until, now + start_hold)
        left = self._until - now
        return '' if left <= 0.0 else (
            f'waiting {left:.0f} s: the supply came back, and not all may start at once')
