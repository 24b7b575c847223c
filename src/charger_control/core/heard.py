"""A value and the moment it was heard: the base of every expiry in the house."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class Heard(Generic[T]):
    """A value with the receiver's own time of receipt.

    Attributes:
        value: what was received.
        at: s, the receiver's ``now`` at receipt.
    """

    value: T
    at: float

    def silence(self, now: float) -> float:
        """How long nothing newer was heard, s. Never negative."""
        return max(0.0, now - self.at)
