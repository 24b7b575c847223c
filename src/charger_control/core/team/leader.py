"""The leader's side of the lease: what each member of the team is named, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.team import MemberAllocation, TeamAllocation, TeamRequest
from charger_control.core.team.config import TeamConfig
from charger_control.core.team.election import Election, Role
from charger_control.core.team.grants import Grant, grant
from charger_control.core.team.ledger import Account, Claim
from charger_control.core.team.shares.allocator import wants
from charger_control.core.team.shares.returns import ShortTime
from charger_control.core.team.shares.sharing import Sharing
from charger_control.core.team.types import EPSILON, MemberState, Term
from charger_control.core.team.upward import total_request
from charger_control.core.units import NAN


class Step(NamedTuple):
    """What to do after a step.

    Attributes:
        persist: a term to persist; when that is done, not before, call ``persisted`` and step.
        allocation: a list to send now.
    """

    persist: int | None = None
    allocation: TeamAllocation | None = None


@dataclass(slots=True)
class Diagnosis:
    """What is worth telling: counts rise from the start, names are of the last step.

    Attributes:
        refused_requests: requests that could not be taken.
        last_refusal: why, in words.
        namesakes: lists under this candidate's own name that somebody else sent.
        silent: members not heard for valid_for.
        overdrawing: members whose vehicle takes more than it was ever granted.
    """

    refused_requests: int = 0
    last_refusal: str = ''
    namesakes: int = 0
    silent: tuple[str, ...] = ()
    overdrawing: tuple[str, ...] = ()


@dataclass(slots=True)
class _Books:
    """What a step finds reserved, and for whom.

    Attributes:
        room, seconds: A on each supply phase that are left to share; the same for seconds.
        states: those that share it.
        held: A per phase that each of them has without a lease.
        claims: of all members.
    """

    room: list[float]
    seconds: list[float]
    states: list[MemberState] = field(default_factory=list)
    held: dict[str, float] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)

    def keep(self, account: Account, kept: float) -> None:
        """``kept`` A are not shared, nor is the failsafe on the phases that do not count else."""
        for p in account.phases if kept > 0.0 else ():
            self.room[p] -= kept
            self.seconds[p] -= kept
        for p in account.returning if kept > 0.0 else ():
            self.seconds[p] -= kept
        for p in account.wired if account.failsafe > 0.0 else ():
            if p not in account.phases:
                self.room[p] -= account.failsafe
                self.seconds[p] -= account.failsafe


class Leader:
    """A candidate of a team: it listens, leads when nobody does, and steps down for a higher term.

    Several may run; the rules see to it that at most one names members at any time.
    """

    def __init__(self, config: TeamConfig, name: str, now: float, last_term: int = 0,
                 sharing: Sharing | None = None) -> None:
        """Starts as a follower.

        Args:
            config: the team.
            name: this candidate's own, unique in the team.
            now: s, the moment of the start.
            last_term: the last term that was persisted here; 0 for none.
            sharing: how the budget is shared; None: as ``config.options`` say.
        """
        self._config, self._name = config, name
        self._times = config.lease
        self._election = Election(config, name, now, last_term)
        self._sharing = sharing or Sharing(config.options)
        self._accounts = {m: Account(self._times, config.failsafe_amperage)
                          for m in config.members}
        self._lowering: frozenset[str] = frozenset()
        self.diagnosis = Diagnosis()

    # -- what is heard ---------------------------------------------------------------------------
    def hear_request(self, now: float, request: TeamRequest) -> bool:
        """Takes a member's request; one that cannot be is refused, counted, counts as silence.

        Returns:
            Whether to step at once: this member is to be lowered, or there is a majority now.
        """
        if request.team != self._config.team:
            return False
        account = self._accounts.get(request.member)
        why = request.refusal()
        if account is None:
            why = f'no member (members: {", ".join(self._config.members)})'
        elif request.fall_time > self._times.fall_time:
            why = (f'fall_time {request.fall_time:g} s (allowed: up to {self._times.fall_time:g}, '
                   'the fall_time that the team is configured with)')
        if account is not None and not why:
            why = account.hear_failsafe(now, request.failsafe_amperage)
        if why or account is None:
            self.diagnosis.refused_requests += 1
            self.diagnosis.last_refusal = f'request of {request.member!r} refused: {why}'
            return False
        if not account.hear(now, request, self._name):
            return False
        elected = self._election.hear_support(
            now, request.member, (request.accepted_term, request.accepted_leader),
            request.accepted_sequence)
        return elected or request.member in self._lowering

    def hear_list(self, now: float, heard: TeamAllocation) -> None:
        """Takes a list of any leader; one's own echo says nothing."""
        if heard.team != self._config.team:
            return
        if heard.leader != self._name:
            self._election.hear_of(now, (heard.term, heard.leader), heard.sequence)
        elif self._election.hear_namesake(now, heard.term, heard.sequence):
            self.diagnosis.namesakes += 1

    # -- the step --------------------------------------------------------------------------------
    def step(self, now: float, budget: Heard[TeamBudget] | None) -> Step:
        """One cycle: at a fixed rate, and at once when something fell.

        Args:
            now: s, not later than what it returns is sent.
            budget: the last heard budget; None or too old: the members' failsafe amperages.
        """
        election = self._election
        if election.step(now):
            self._sharing.reset()
        if election.role is not Role.LEADING:
            self._lowering = frozenset()
            return Step(persist=election.number if election.role is Role.STARTING else None)
        lines: tuple[MemberAllocation, ...] = ()
        if election.majority_since is not None:
            lines = self._lines(now, *self._budget(now, budget))
        sequence = election.next_list(now)
        for line in lines:
            self._accounts[line.member].name(now, (election.number, sequence),
                                             line.allocated_amperage + line.trim_amperage)
        return Step(allocation=TeamAllocation(self._config.team, self._name, election.number,
                                              sequence, self._times.valid_for, lines))

    def persisted(self, now: float, term: int) -> None:
        """Tells that ``term`` is on disk: from now on it may be used."""
        self._election.persisted(now, term)

    def total(self, now: float) -> TeamRequest:
        """The team's total, as one member of what supplies it."""
        return total_request(now, self._accounts, self._sharing.needs, self._times)

    def holding_for(self, now: float) -> float:
        """s for which nobody is raised any more (rule 5); infinite without a majority."""
        return self._election.held_for(now, self._times.reservation(self._times.fall_time))

    @property
    def role(self) -> Role:
        """What this candidate is doing."""
        return self._election.role

    @property
    def term(self) -> Term:
        """Own term, in use while leading."""
        return self._election.term

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The books, by member."""
        return self._accounts

    # -- parts -----------------------------------------------------------------------------------
    def _budget(self, now: float, heard: Heard[TeamBudget] | None) -> tuple[list[float], float]:
        """A on each supply phase, and for how many s they are not passed on to another team."""
        if heard is not None and heard.silence(now) < heard.value.valid_for:
            return ([max(0.0, a) for a in heard.value.amperage],
                    heard.value.turn_left - heard.silence(now))
        budget = [0.0, 0.0, 0.0]
        for account in self._accounts.values():
            for p in account.wired:
                budget[p] += account.failsafe
        return budget, NAN

    def _is_mine(self, request: TeamRequest) -> bool:
        return (request.accepted_term, request.accepted_leader) == self._election.term

    def _lines(self, now: float, budget: list[float], turn_left: float
               ) -> tuple[MemberAllocation, ...]:
        """What to say to whom (rules 3 and 5)."""
        holding_for = self.holding_for(now)
        holding = holding_for > 0.0
        options = self._sharing.options
        short = [options.short_time_factor * b for b in budget]
        books = self._reserve(now, budget, short, holding)
        claims = books.claims
        targets = self._sharing.step(now, books.states, books.room, books.held, books.seconds,
                                     turn_left, not holding)
        tried = self._sharing.trying
        for name, account in self._accounts.items():
            account.try_phases(name == tried)
        if holding:
            why = f'nobody is raised for another {holding_for:.0f} s: there is a new leader'
            for name, target in targets.items():
                request = self._accounts[name].request
                if request is not None and wants(request) and (
                        target.allocated_amperage < request.requested_amperage - EPSILON):
                    targets[name] = target._replace(reason=why)
        answerable = [n for n in targets if not self._accounts[n].answered]
        grants = grant(targets, answerable, self._accounts, claims, budget, self._config.trim,
                       holding, ShortTime(short, options.phases_back_at_once))
        self._lowering = frozenset(
            n for n, target in targets.items()
            if n not in grants and claims[n].due > target.allocated_amperage)
        turn_left = self._sharing.turn_left(now, turn_left)
        return tuple(self._line(n, g, turn_left) for n, g in grants.items())

    def _reserve(self, now: float, budget: Sequence[float], short: Sequence[float], holding: bool
                 ) -> _Books:
        """What is left to share, beside those that are not heard or take what is not theirs."""
        books = _Books(list(budget), list(short))
        silent: list[str] = []
        overdrawing: list[str] = []
        for name, account in self._accounts.items():
            request = account.request
            heard = request is not None and now - account.heard_at <= self._times.valid_for
            if not heard:
                silent.append(name)
            claim = books.claims[name] = account.claim(now)
            kept = claim.overdrawn
            if kept > 0.0:
                overdrawing.append(name)
            if request is None or not heard or not self._is_mine(request):
                kept += claim.due
            else:
                books.held[name] = account.failsafe
                books.states.append(MemberState.of(request, account.heard_at, holding))
            books.keep(account, kept)
        self.diagnosis.silent, self.diagnosis.overdrawing = tuple(silent), tuple(overdrawing)
        return books

    def _line(self, name: str, given: Grant, turn_left: float) -> MemberAllocation:
        account = self._accounts[name]
        phases = 0
        if account.request is not None:
            phases = account.request.own_phases(tuple(p + 1 for p in account.asked_phases))
        return MemberAllocation(name, account.request_sequence, given.amperage,
                                given.trim_amperage, given.reason, phases, given.returning,
                                turn_left)
