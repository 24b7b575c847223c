"""A contactor: it takes its time, its feedback takes longer, and it can weld."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContactorParameters:
    """Times in s; feedback comes about 110 ms after a command on, 100 ms after off (domain.md 1.6).

    Attributes:
        close_time: from the command to closed contacts.
        open_time: from the command to open contacts.
        feedback_delay: from the contacts to the feedback input.
    """

    close_time: float = 0.03
    open_time: float = 0.02
    feedback_delay: float = 0.08


class Contactor:
    """The main contactor.

    Attributes:
        closed: whether the contacts conduct.
        feedback: what the auxiliary contact tells; it follows the main contacts, welded or not.
        commanded: what was last asked for.
    """

    def __init__(self, parameters: ContactorParameters | None = None) -> None:
        self._parameters = parameters or ContactorParameters()
        self.closed = False
        self.feedback = False
        self.commanded = False
        self._welded = False
        self._moves_at = math.inf
        self._feedback_at = math.inf

    @property
    def welded(self) -> bool:
        """Whether the contacts stick together and no command opens them."""
        return self._welded

    def command(self, closed: bool, now: float) -> None:
        """Asks for closed or open contacts at ``now`` s."""
        if closed == self.commanded:
            return
        self.commanded = closed
        parameters = self._parameters
        self._moves_at = now + (parameters.close_time if closed else parameters.open_time)

    def weld(self, welded: bool, now: float) -> None:
        """Makes the contacts stick where they are closed next (or now), or come loose again."""
        self._welded = welded
        if not welded and self.closed != self.commanded:
            self._moves_at = now

    def next_change(self) -> float:
        """s, when something moves by itself; infinity if nothing does."""
        return min(self._moves_at, self._feedback_at)

    def step(self, now: float) -> None:
        """Moves what is due at ``now`` s."""
        if now >= self._moves_at:
            moved_at, self._moves_at = self._moves_at, math.inf
            if self.commanded or not self._welded:
                self.closed = self.commanded
            if self.closed != self.feedback:
                self._feedback_at = moved_at + self._parameters.feedback_delay
        if now >= self._feedback_at:
            self._feedback_at = math.inf
            self.feedback = self.closed
