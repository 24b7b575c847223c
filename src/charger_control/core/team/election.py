"""Who leads a team: terms, majority, stepping down and taking over."""

from __future__ import annotations

import math
from enum import Enum

from charger_control.core.team.config import TeamConfig
from charger_control.core.team.types import MOST_TERM, LeaseTimes, Term, is_term

STAGGER = 1.0
"""s by which a candidate waits longer than the one configured before it: two that start at once
would cost the members another 5 s, and their leases do not last so long."""
UNSUPPORTED = 15.0
"""s without a majority after which a leader makes room for another candidate."""


class Role(Enum):
    """What a candidate is doing."""

    FOLLOWING = 'following'
    STARTING = 'starting'   # its term is being persisted
    LEADING = 'leading'


class Election:
    """One candidate's view of who leads (rules 2 and 4)."""

    def __init__(self, config: TeamConfig, name: str, now: float, last_term: int) -> None:
        """As in Leader."""
        if name not in config.electable:
            raise ValueError(f'{name!r} is no candidate of team {config.team!r} '
                             f'(candidates: {", ".join(config.electable)})')
        self._name = name
        self._times: LeaseTimes = config.lease
        self._electable = config.electable
        self._needed = len(config.members) // 2 + 1
        self.role = Role.FOLLOWING
        last_term = last_term if 0 <= last_term <= MOST_TERM else 0
        self.number = last_term
        self.sequence = 0
        self.majority_since: float | None = None
        self._highest = last_term
        self._sent: dict[int, float] = {}
        self._heard: dict[str, float] = {}
        self._support: dict[str, float] = {}
        self._unsupported_since = now
        self._leader_seen = now + self._times.start_wait - self._times.takeover
        self._seen: dict[str, tuple[int, int]] = {}
        self._last_leader = ''

    @property
    def term(self) -> Term:
        """Own term, in use while leading."""
        return self.number, self._name

    def hear_support(self, now: float, member: str, accepted: Term, sequence: int) -> bool:
        """A member's request was heard; it names the last list that the member accepted.

        Returns:
            Whether there is a majority that no step has seen yet.
        """
        self._heard[member] = now
        sent = None
        if self.role is Role.LEADING and accepted == self.term:
            sent = self._sent.get(sequence)
        if sent is None:
            self._support.pop(member, None)
        else:
            self._support[member] = sent
        self.hear_of(now, accepted, sequence)
        return (self.role is Role.LEADING and self.majority_since is None
                and self._has_majority(now))

    def hear_of(self, now: float, term: Term, sequence: int) -> None:
        """A leader was heard, or heard of from a member that follows it; what can be no term is
        not taken."""
        if not is_term(term[0], self._highest):
            return
        self._highest = max(self._highest, term[0])
        if term[1] in ('', self._name):
            return
        number, leader = term
        if self._seen.get(leader, (0, 0)) < (number, sequence):
            self._seen[leader] = (number, sequence)
            self._last_leader = leader
            if self.role is not Role.LEADING:  # also with a term of one's own not yet in use
                self.follow(now)
        if self.role is not Role.FOLLOWING and term > self.term:
            self.follow(now)

    def hear_namesake(self, now: float, term: int, sequence: int) -> bool:
        """A list under one's own name was heard; True where somebody else must have sent it."""
        known = self.sequence if self.role is Role.LEADING else math.inf  # of an earlier life
        if not is_term(term, self._highest) or (term, sequence) <= (self.number, known):
            return False
        self._highest = max(self._highest, term)
        self.follow(now)
        return True

    def follow(self, now: float) -> None:
        """Steps down, or goes on waiting for a leader."""
        self.role = Role.FOLLOWING
        self._leader_seen = now
        self.majority_since = None

    def step(self, now: float) -> bool:
        """One cycle.

        Returns:
            Whether the majority has just been got.
        """
        if self.role is Role.FOLLOWING:
            if self._may_start(now):
                self.number = self._highest = self._highest + 1
                self.role = Role.STARTING
            return False
        if self.role is Role.STARTING:
            return False
        if self._has_majority(now):
            if self.majority_since is None:
                self.majority_since = now
                return True
            return False
        if self.majority_since is not None:
            self.majority_since, self._unsupported_since = None, now
        if now - self._unsupported_since >= UNSUPPORTED:
            self.follow(now)
        return False

    def persisted(self, now: float, term: int) -> None:
        """``term`` is on disk: from now on it may be used."""
        if self.role is Role.STARTING and term == self.number:
            self.role = Role.LEADING
            self.sequence = 0
            self._sent.clear()
            self._support.clear()
            self.majority_since = None
            self._unsupported_since = now

    def next_list(self, now: float) -> int:
        """The sequence of a list that is sent now."""
        self.sequence += 1
        self._sent[self.sequence] = now
        oldest = next(iter(self._sent))  # in the order of their sending
        while now - self._sent[oldest] > self._times.support:
            del self._sent[oldest]
            oldest = next(iter(self._sent))
        return self.sequence

    def held_for(self, now: float, hold: float) -> float:
        """s for which nobody may be raised (rule 5); infinite without a majority."""
        if self.majority_since is None:
            return math.inf
        return max(0.0, self.majority_since + hold - now) if self._times.hold else 0.0

    def _may_start(self, now: float) -> bool:
        """Nobody leads, and enough members are heard to win."""
        others = [name for name in self._electable if name != self._last_leader]
        rank = others.index(self._name) if self._name in others else 0
        heard = sum(now - at <= self._times.support for at in self._heard.values())
        return (now - self._leader_seen >= self._times.takeover + STAGGER * rank
                and heard >= self._needed)

    def _has_majority(self, now: float) -> bool:
        """Rule 2."""
        return sum(now - sent < self._times.support
                   for sent in self._support.values()) >= self._needed
