"""How often something may happen: a token bucket."""

from __future__ import annotations


class Bucket:
    """A token bucket: how often something may happen, with a small burst."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """``rate``: per s; ``burst``: how many at once."""
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now

    def take(self, now: float) -> bool:
        """Whether it may happen now; counts it if so."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait(self, now: float) -> float:
        """s until ``take`` may succeed."""
        return max(0.0, (1.0 - self._tokens) / self._rate - (now - self._at))

    def give(self) -> None:
        """Takes the last count back."""
        self._tokens += 1.0
