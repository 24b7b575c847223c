"""From samples of the pilot's levels to its state, and the one decision that cannot wait.

Figures: domain.md 1.5 (plateaus, midpoints, diode) and 1.6 (open within 100 ms, debounce).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charger_control.core.iso61851.raw.types import Levels
from charger_control.core.units import NAN

EDGES = (('A', 10.5), ('B', 7.5), ('C', 4.5), ('D', 1.5), ('E', -1.5))
"""V, the least of each state's upper plateau: midpoints between the nominal levels. Below: F."""
HYSTERESIS = 0.2
"""V beyond an edge that a level must be to leave its state; the states' windows are 1.8 V apart."""
DIODE_LOW = -10.0
"""V, the lower plateau must be below this while the PWM runs."""
CREDIBLE = 15.0
"""V, a level beyond +-this is no pilot but a broken circuit."""
VOTE_TIME = 0.025
"""s within which samples vote on opening; older ones say nothing of now."""
LOST_TIME = 0.05
"""s without a sample after which a contactor opens. An ADC that fails is no reason to hold on."""
VOTES = 3
DIODE_TIME = 0.1
"""s for which the lower plateau must be right, or wrong, to count (domain.md 1.5: 100 ticks)."""

_READY_TIME = 0.5
_BROKEN_TIME = 0.1
_GONE_TIME = 0.025
_DEBOUNCE = {'A': _GONE_TIME, 'B': 0.25, 'C': _READY_TIME, 'D': _READY_TIME, 'E': _BROKEN_TIME,
             'F': _BROKEN_TIME}
"""s for which the median must be in a state to enter it (domain.md 1.6: 25 ms towards A, 250 ms
else, 500 ms before C). Out of C and D each but A is entered at once."""
_FIRST_TIME = 0.25
_LIVE = frozenset('CD')


def letter_of_level(high: float, before: str = '') -> str:
    """The state that an upper plateau stands for.

    Args:
        high: V.
        before: the state until now; it is left only HYSTERESIS beyond its edge.

    Returns:
        A B C D E F; S for a level that cannot be (NaN, beyond CREDIBLE).
    """
    if not -CREDIBLE <= high <= CREDIBLE:
        return 'S'
    upper = CREDIBLE
    for letter, lower in (*EDGES, ('F', -CREDIBLE)):
        if letter == before and lower - HYSTERESIS <= high <= upper + HYSTERESIS:
            return before
        upper = lower
    return next((letter for letter, lower in EDGES if high >= lower), 'F')


def is_within(high: float, letters: str) -> bool:
    """Whether a level, V, is one of the states ``letters`` (neighbours), hysteresis included."""
    edges = dict(EDGES)
    top = {'C': edges['B'], 'D': edges['C']}
    lowest = min(edges[letter] for letter in letters)
    highest = max(top[letter] for letter in letters)
    return lowest - HYSTERESIS <= high <= highest + HYSTERESIS


def must_open(levels: Sequence[Levels], now: float, closed_in: str = 'C') -> bool:
    """Whether a closed contactor must open now. Pure; runs on the driver's thread.

    Most of the last three samples have left the state in which it may be closed, or there are no
    samples. Only samples of the last 25 ms vote: after a pause of the thread the first one alone
    decides.

    Args:
        levels: the last samples, oldest first; NaN is a sample outside of every state.
        now: s.
        closed_in: states in which the contactor may be closed, 'C' or 'CD'.
    """
    if not levels or not now - levels[-1].at <= LOST_TIME:
        return True
    votes = [is_within(sample.high, closed_in) for sample in levels[-VOTES:]
             if now - sample.at <= VOTE_TIME]
    return 2 * votes.count(False) > len(votes)


def plateaus(samples: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Upper and lower plateau of the pilot's own curve, sampled over some whole periods.

    Args:
        samples: V, 38 or more a period of 1 ms; a hundredth of them at either end may be spikes.

    Returns:
        V, V: the medians of what lies above and below the middle; a constant level gives the same
        twice. NaN, NaN for no samples or one that is no number.
    """
    ordered = np.sort(samples)
    if not ordered.size or not np.isfinite(ordered).all():
        return NAN, NAN
    spikes = ordered.size // 100
    ordered = ordered[spikes:ordered.size - spikes]
    if ordered[-1] - ordered[0] < 1.0:
        middle = float(ordered[ordered.size // 2])
        return middle, middle
    split = int(np.searchsorted(ordered, (ordered[0] + ordered[-1]) / 2.0))
    return float(np.median(ordered[split:])), float(np.median(ordered[:split]))


class LetterDecoder:
    """The state of the pilot from its samples: median of three, then debounced."""

    def __init__(self) -> None:
        self.letter = 'S'
        self._recent: deque[float] = deque(maxlen=VOTES)
        self._candidate = 'S'
        self._since = 0.0

    def step(self, sample: Levels, *, readable: bool) -> str:
        """Takes a sample.

        Args:
            sample: the levels.
            readable: false while the pilot is constantly low: then the vehicle cannot be seen, and
                what was known holds.

        Returns:
            A B C D E F; S before it is known, and while the levels cannot be.
        """
        if not readable:
            self._recent.clear()
            self._candidate = self.letter
            return self.letter
        self._recent.append(sample.high if math.isfinite(sample.high) else math.inf)
        found = letter_of_level(sorted(self._recent)[len(self._recent) // 2], self.letter)
        if found != self._candidate:
            self._candidate, self._since = found, sample.at
        if found != self.letter and (len(self._recent) == VOTES or found == 'S') and (
                sample.at - self._since >= self._debounce(found)):
            self.letter = found
        return self.letter

    def _debounce(self, found: str) -> float:
        if self.letter in _LIVE and found != 'A':   # the contactor waits for no state: must_open
            return 0.0
        if self.letter == 'S':
            return _FIRST_TIME
        return _DEBOUNCE.get(found, _BROKEN_TIME)


class DiodeCheck:
    """Whether the vehicle's diode is there: the lower plateau stays low while the PWM runs."""

    def __init__(self) -> None:
        self.seen: bool | None = None
        self._good = True
        self._since: float | None = None

    def step(self, sample: Levels, *, pwm: bool, letter: str) -> bool | None:
        """Takes a sample; True or False once it has been so for DIODE_TIME, None before.

        It begins anew with each PWM, and with each state but B, C and D.
        """
        if not pwm or letter not in {'B', 'C', 'D'}:
            self.seen, self._since = None, None
            return None
        good = sample.low < DIODE_LOW
        if self._since is None or good != self._good:
            self._good, self._since = good, sample.at
        if sample.at - self._since >= DIODE_TIME:
            self.seen = good
        return self.seen
