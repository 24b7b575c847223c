"""Delays between tries that grow."""

from __future__ import annotations


class Backoff:
    """Delays that double from ``first`` to ``most`` s."""

    def __init__(self, first: float, most: float) -> None:
        self._first, self._most = first, most
        self._delay = first

    def delay(self) -> float:
        """The next delay in s."""
        delay, self._delay = self._delay, min(2.0 * self._delay, self._most)
        return delay

    def reset(self) -> None:
        """Starts over with the first delay."""
        self._delay = self._first
