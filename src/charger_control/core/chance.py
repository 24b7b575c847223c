"""Numbers that look random and follow from a seed: core throws no dice."""

from __future__ import annotations

import hashlib


class Chance:
    """The chance of one charger."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def share(self, event: int) -> float:
        """0 to below 1, the same for the same seed and event, evenly spread over many of either."""
        digest = hashlib.sha256(f'{self._seed} {event}'.encode()).digest()
        return int.from_bytes(digest[:6], 'big') / 2.0**48
