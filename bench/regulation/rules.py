"""The rules that others use to make a vehicle draw what it should, from domain.md 2.2.

Written from that description, with no code of theirs. What it leaves open is decided in their
favour and said here. All of them may use everything up to min(HW limit, cable), where ours may only
add the trim that it was granted, and none has to keep 5 s between two changes of the signal.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

MIN_AMPERAGE = 6.0
_ACTIVE = 1.0


class Rule(ABC):
    """One charge point's rule. ``set_amperage`` is what it offers."""

    def __init__(self, most: float) -> None:
        """``most``: A, min(HW limit, cable)."""
        self.most = most
        self.set_amperage = MIN_AMPERAGE
        self.commanded = MIN_AMPERAGE

    def command(self, amperage: float) -> None:
        """What the vehicle should draw from now on, A per phase."""
        self.commanded = amperage

    @abstractmethod
    def step(self, now: float, phases: Sequence[float], is_new: bool) -> None:
        """One tick; ``phases``: measured A, ``is_new``: for the first time."""

    def _set(self, amperage: float) -> None:
        self.set_amperage = min(max(amperage, MIN_AMPERAGE), self.most)


class OpenLoop(Rule):
    """What most wallboxes do: offer what was commanded, whatever the vehicle makes of it."""

    def step(self, now: float, phases: Sequence[float], is_new: bool) -> None:
        self._set(self.commanded)


class _Cyclic(Rule):
    """Acts once in a cycle, and at once on a new command: in their favour."""

    CYCLE = 10.0

    def __init__(self, most: float) -> None:
        super().__init__(most)
        self._next = 0.0

    def command(self, amperage: float) -> None:
        super().command(amperage)
        self._next = 0.0

    def step(self, now: float, phases: Sequence[float], is_new: bool) -> None:
        if now >= self._next - 1e-9:
            self._next = now + self.CYCLE
            active = [a for a in phases if a >= _ACTIVE]
            if active:
                self._cycle(active)
            else:
                self._set(self.commanded)

    @abstractmethod
    def _cycle(self, active: list[float]) -> None:
        """One control cycle; ``active``: A of the phases that charge, at least one."""


class OpenWb(_Cyclic):
    """Adds the unused offer to a set value: what was offered less the mean of the charging phases.

    At most 2 A more in a cycle, an over-draw in full, and only when the set value changed. The set
    value is at most 5 A (and the nominal difference of 1 A) from the highest phase, so that a large
    step takes several cycles. Left open: the cycle (10 s, the shorter of the usual ones), and that
    "changed" includes the cycle after a change, when the vehicle has had the time to follow: with
    the first alone it would keep the unused offer of the set-point before.
    """

    SPAN, NOMINAL, ADDED = 5.0, 1.0, 2.0

    def __init__(self, most: float) -> None:
        super().__init__(most)
        self._value = math.nan
        self._changed = False

    def _cycle(self, active: list[float]) -> None:
        offset = min(self.set_amperage - sum(active) / len(active), self.ADDED)
        highest, value = max(active), self.commanded
        if abs(value - highest) >= self.SPAN + self.NOMINAL:
            value = highest + math.copysign(self.SPAN, value - highest)
        before, self._value = self._value, value
        if value != before or self._changed:
            self._changed = value != before
            self._set(value + offset)


class Evcc(_Cyclic):
    """target = effective + delta, delta = commanded - highest phase, once in a cycle.

    effective is what was offered, or 2 A above the highest phase if that is less; and what is
    measured if that is more than 1 A above the offer. A charger in whole amperes truncates (the
    board does). Left open: the cycle. 30 s is its default; 10 s, the shortest that its manual calls
    possible, is taken.
    """

    def _cycle(self, active: list[float]) -> None:
        highest = max(active)
        effective = min(highest + 2.0, self.set_amperage)
        if highest > self.set_amperage + 1.0:
            effective = highest
        self._set(effective + self.commanded - highest)


class SmartEvse(Rule):
    """An integrator: a quarter of the error when positive, all of it when negative.

    Only when a new measurement has come, about every 2 s; a vehicle starts at the minimum. The
    commanded amperage stands for its circuit limit. Left open: nothing; before the vehicle draws it
    is held at the minimum, else it would wind up to the maximum.
    """

    PERIOD = 2.0

    def __init__(self, most: float) -> None:
        super().__init__(most)
        self._last = -math.inf

    def step(self, now: float, phases: Sequence[float], is_new: bool) -> None:
        if not is_new or now - self._last < self.PERIOD - 1e-9:
            return
        self._last = now
        highest = max(phases)
        if highest < _ACTIVE:
            return
        error = self.commanded - highest
        self._set(self.set_amperage + (error / 4.0 if error > 0.0 else error))


RULES: dict[str, type[Rule]] = {
    'open_loop': OpenLoop, 'openwb': OpenWb, 'evcc': Evcc, 'smartevse': SmartEvse}
