"""A value and the moment it was heard: the base of every expiry in the house."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class Heard(Generic[T]):
    """A value with the receiver's own time of receipt.

    Attributes:
        value: what was received.
        at: s, the receiver's ``now`` at receipt.
        sender: the name of who said it, one a process; '' where it gives none.
        crowd: the graph shows several publishers of the topic (or did 20 s ago).
        contested: several senders speak on the topic, and this is what counts of all they say.
    """

    value: T
    at: float
    sender: str = ''
    crowd: bool = False
    contested: bool = False

    def silence(self, now: float) -> float:
        """How long nothing newer was heard, s. Never negative."""
        return max(0.0, now - self.at)


class RecentMaximum:
    """The largest value of the last ``window`` seconds, in constant time per tick."""

    def __init__(self, window: float) -> None:
        """``window``: s for which a value goes on counting after it was last told."""
        self._window = window
        self._falling: deque[tuple[float, float]] = deque()  # (counts until, value), values falling

    def update(self, now: float, value: float) -> float:
        """Takes the value that holds now and returns the maximum."""
        while self._falling and self._falling[-1][1] <= value:
            self._falling.pop()
        self._falling.append((now + self._window, value))
        while self._falling[0][0] < now:
            self._falling.popleft()
        return self._falling[0][1]

    def clear(self) -> None:
        """Forgets everything."""
        self._falling.clear()
