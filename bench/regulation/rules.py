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
    CYCLE = 10.0

    def __init__(self, most: float) -> None:
        super().__init__(most)
        self._next = 0.0

    def step(self, now: float, phases: Sequence[float], is_new: bool) -> None:
        if now >= self._next - 1e-9:
            self._next = now + self.CYCLE
            self._cycle([a for a in phases if a >= _ACTIVE])

    @abstractmethod
    def _cycle(self, active: list[float]) -> None:
        """One control cycle; ``active``: A of the phases that charge."""


class OpenWb(_Cyclic):
    """Adds the unused offer: what was offered less what was drawn (mean of the charging phases).

    At most 2 A are added in a cycle, an over-draw is taken off in full, and only when the set
    value changed; the result stays within 5 A of what is measured, so a large step takes several
    cycles. Left open: the cycle (10 s, the shorter of the usual ones), and whether the offset of
    the last change stays in force (it does: else the draw would fall back a cycle later). A new
    set value takes part of the cycle's count at once, so that nothing waits for a cycle to pass.
    """

    def __init__(self, most: float) -> None:
        super().__init__(most)
        self._settled_for = math.nan

    def command(self, amperage: float) -> None:
        super().command(amperage)
        self._next = 0.0

    def _cycle(self, active: list[float]) -> None:
        if self.commanded == self._settled_for:
            return
        if not active:
            self._set(self.commanded)
            return
        mean = sum(active) / len(active)
        wanted = self.commanded + min(self.set_amperage - mean, 2.0)
        bounded = min(max(wanted, mean - 5.0), mean + 5.0)
        self._set(bounded)
        if bounded == wanted:
            self._settled_for = self.commanded


class Evcc(_Cyclic):
    """target = effective + delta, delta = commanded - highest phase, once in a cycle.

    effective is what was offered, or 2 A above the highest phase if that is less; and what is
    measured if that is more than 1 A above the offer. A charger in whole amperes truncates (the
    board does). Left open: the cycle. 30 s is its default, 10 s the shortest that its manual calls
    possible; 10 s is taken.
    """

    def _cycle(self, active: list[float]) -> None:
        if not active:
            self._set(self.commanded)
            return
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
