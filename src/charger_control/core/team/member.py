"""The member's side of the lease: it numbers its requests and knows what is in force now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from charger_control.core.messages.team import TeamAllocation, TeamRequest
from charger_control.core.team.types import FRESH, LEASE_TIMES, LeaseTimes, Term, is_term
from charger_control.core.units import NAN

ALL = 7
"""Bit mask of all phases."""


@dataclass(frozen=True, slots=True)
class MemberConfig:
    """Who this member is.

    Attributes:
        team: name of the team.
        member: its own name, unique in the team.
        failsafe_amperage: A per phase that it takes when it hears nobody.
        times: ``lease_times(number of configured members)``.
    """

    team: str
    member: str
    failsafe_amperage: float = 0.0
    times: LeaseTimes = LEASE_TIMES

    def __post_init__(self) -> None:
        if not self.team or not self.member:
            raise ValueError(f'team {self.team!r}, member {self.member!r}: both must have a name')
        if not 0.0 <= self.failsafe_amperage < math.inf:
            raise ValueError(f'failsafe_amperage {self.failsafe_amperage} of member '
                             f'{self.member!r} (allowed: a number, 0 or more)')


class InForce(NamedTuple):
    """What the team lets this member take now.

    Attributes:
        amperage: A per phase.
        trim_amperage: A per phase that the PI may add.
        ends_in: s until the lease ends; 0 where there is none.
        reason: for a person.
        silent: there is no lease: ``amperage`` is the failsafe, or 0 soon after start.
        phases_in_use: bit mask of the own phases (1 L1, 2 L2, 4 L3) that the leader counts it on;
            without a lease all.
        tries: the leader tries whether it draws on these phases only.
        return_amperage: A per phase, trim included, that it may keep if it draws on any other: 0
            unless the leader said so within FRESH, as it may give that room to others since.
        turn_left: s for which the leader does not pass this on to another member; NaN: not known.
    """

    amperage: float
    trim_amperage: float
    ends_in: float
    reason: str
    silent: bool
    phases_in_use: int = ALL
    tries: bool = False
    return_amperage: float = 0.0
    turn_left: float = NAN


class Member:
    """One member of a team: a charge point, or a team in a larger team."""

    def __init__(self, config: MemberConfig, now: float, first_sequence: int = 1) -> None:
        """Starts with nothing in force.

        Args:
            config: see there.
            now: s, the moment of the start.
            first_sequence: above every sequence that a member of this name has ever used, also
                before a restart: a late answer to an old request must not pass for one to a new.
        """
        self._config = config
        self._started = now
        self._sequence = first_sequence - 1
        self._sent: dict[int, tuple[float, int]] = {}
        self._phases_in_use = ALL
        self._tries = False
        self._return = 0.0
        self._return_ends = -math.inf
        self._turn_ends = NAN
        self._term: Term = (0, '')
        self._accepted_sequence = 0
        self._leader_heard = -math.inf
        self._answered = 0
        self._allocated = 0.0
        self._trim = 0.0
        self._reason = ''
        self._ends_at = -math.inf
        self.refused = 0

    @property
    def term(self) -> Term:
        """The term that this member follows; (0, '') for none yet."""
        return self._term

    def request(self, now: float, wish: TeamRequest) -> TeamRequest:
        """The request to send now.

        Args:
            now: s, not later than the request is sent.
            wish: what to ask for; team, member, sequence, what was accepted and what is in force
                are filled in here, and the failsafe is at least the configured one.
        """
        self._sequence += 1
        self._sent[self._sequence] = (now, wish.phases_in_use or ALL)
        oldest = next(iter(self._sent))  # in the order of their sending
        while now - self._sent[oldest][0] > self._config.times.valid_for:
            del self._sent[oldest]
            oldest = next(iter(self._sent))
        number, leader = self._term
        return TeamRequest(
            self._config.team, self._config.member, self._sequence, leader, number,
            self._accepted_sequence, wish.requested_amperage, wish.minimum_amperage,
            self._in_force_on(now, wish.phases_in_use or ALL) if now < self._ends_at else 0.0,
            wish.drawable_amperage, wish.fall_time, wish.phase_map, wish.phases_in_use,
            wish.phases_possible, wish.phases_untried, wish.priority, wish.weight,
            wish.vehicle_status, wish.amperage, wish.energy, wish.waiting,
            max(self._config.failsafe_amperage, wish.failsafe_amperage), wish.amperage_age)

    def hear(self, now: float, heard: TeamAllocation) -> bool:
        """Takes a leader's list, if it may.

        A list is taken or left as a whole. What it says about this member renews the lease if it
        answers a request that was sent no longer than ``valid_for`` ago; if it does not, it can
        still lower what is in force: whoever accepts a list is bound by it.

        Returns:
            Whether what is in force or the leader followed has changed: send a request now.
        """
        term = (heard.term, heard.leader)
        if heard.team != self._config.team or not self._may_follow(now, term, heard.sequence):
            return False
        line = heard.line(self._config.member)
        if line is not None and not all(0.0 <= a < math.inf for a in (
                line.allocated_amperage, line.trim_amperage, line.return_amperage)):
            self.refused += 1
            return False
        changed = term != self._term
        self._term, self._accepted_sequence = term, heard.sequence
        self._leader_heard = now
        if line is None:
            return changed
        sent, asked = self._sent.get(line.request_sequence, (None, ALL))
        before = (self._allocated, self._trim, self._phases_in_use)
        if now >= self._ends_at:
            self._allocated = self._trim = 0.0
        valid_for = min(heard.valid_for, self._config.times.valid_for)  # NaN renews nothing
        ends_at = self._lease_end(now, sent, line.request_sequence, valid_for)
        if ends_at is not None and sent is not None:
            self._answered = line.request_sequence
            self._ends_at = ends_at
            self._phases_in_use = line.phases or asked
            self._tries = bool(asked & ~self._phases_in_use)
            self._return, self._return_ends = line.return_amperage, sent + FRESH
            self._turn_ends = now + line.turn_left
            self._allocated, self._trim = line.allocated_amperage, line.trim_amperage
            self._reason = line.reason
        else:
            self._return = min(self._return, line.return_amperage)
            if line.phases & self._phases_in_use:
                self._phases_in_use &= line.phases
            elif line.phases:  # counted on others only: there is none on which both values hold
                self._allocated = self._trim = 0.0
            total = line.allocated_amperage + line.trim_amperage
            if total < self._allocated + self._trim:
                self._allocated = min(self._allocated, line.allocated_amperage)
                self._trim = total - self._allocated
                self._reason = line.reason
        return changed or before != (self._allocated, self._trim, self._phases_in_use)

    def in_force(self, now: float) -> InForce:
        """What this member may take now."""
        if now < self._ends_at:
            return InForce(self._allocated, self._trim, self._ends_at - now, self._reason, False,
                           self._phases_in_use, self._tries,
                           self._kept(now), self._turn_ends - now)
        valid_for = self._config.times.valid_for
        if self._ends_at == -math.inf and now - self._started < valid_for:
            return InForce(0.0, 0.0, 0.0, 'the team has not answered yet', True)
        failsafe = self._config.failsafe_amperage
        return InForce(failsafe, 0.0, 0.0,
                       f'no answer from the team within {valid_for:g} s: {failsafe:g} A', True)

    def _kept(self, now: float) -> float:
        """What it may keep if it draws on a phase that it is not counted on, A per phase."""
        return self._return if now < self._return_ends else 0.0

    def _in_force_on(self, now: float, phases: int) -> float:
        """What the lease allows a vehicle that can draw on ``phases`` (a bit mask), A per phase."""
        if not phases & ~self._phases_in_use:
            return self._allocated
        return min(self._allocated, self._kept(now))

    def _may_follow(self, now: float, term: Term, sequence: int) -> bool:
        """Rule 4: a higher term only when the own leader, or the own start, is long enough ago."""
        times = self._config.times
        if term == self._term:
            return sequence > self._accepted_sequence
        return (term > self._term and is_term(term[0], self._term[0])
                and now - self._started >= times.start_wait
                and now - self._leader_heard >= times.silence)

    def _lease_end(self, now: float, sent: float | None, request_sequence: int, valid_for: float
                   ) -> float | None:
        """Rule 1: until when an answer to a request sent then holds; None: it renews nothing."""
        if sent is None or request_sequence < self._answered or not now - sent < valid_for:
            return None
        return sent + valid_for
