"""Shares a budget second after second: rotation, hysteresis, and members that draw less."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from charger_control.core.messages.team import TeamRequest
from charger_control.core.power import PHASE_ACTIVE_AMPERAGE
from charger_control.core.team.shares.admission import Applicant, admit, rank
from charger_control.core.team.shares.allocator import (
    DEFAULT_OPTIONS,
    Share,
    SharingOptions,
    applicant,
    share,
    wants,
)
from charger_control.core.team.shares.returns import ShortTime
from charger_control.core.team.shares.trial import Trial, tried
from charger_control.core.team.types import EPSILON, MemberState, phase_indices
from charger_control.core.units import NAN


@dataclass(slots=True)
class _Session:
    """What is remembered of one member.

    Attributes:
        running_since: s, when it was let in; None while it is not.
        restart_at: s, before which it is not let in again.
        drawing_less_since: s, since when it has drawn too much below its allocation.
        drawn: A, the most it drew in that time.
        needs: A, what is enough for it because it draws less; infinite: all it asks for.
    """

    running_since: float | None = None
    restart_at: float = -math.inf
    drawing_less_since: float | None = None
    drawn: float = 0.0
    needs: float = math.inf

    def stop(self) -> None:
        """It gets nothing any more."""
        self.running_since = self.drawing_less_since = None
        self.needs = math.inf

    def watch(self, now: float, member: MemberState, options: SharingOptions) -> None:
        """Notes what is enough for one that has drawn less for long, until it asks it back."""
        measured = [a for a in member.amperage if not math.isnan(a)]
        allocated = member.allocated_amperage
        if not measured or allocated <= 0.0:
            self.drawing_less_since = None
            return
        drawn = max(measured)
        if drawn >= allocated - options.reclaim_amperage:
            self.needs = math.inf
        if drawn >= allocated - options.yield_amperage:
            self.drawing_less_since = None
            return
        if self.drawing_less_since is None:
            self.drawing_less_since, self.drawn = now, drawn
        self.drawn = max(self.drawn, drawn)
        if now - self.drawing_less_since >= options.yield_time:
            self.needs = max(self.drawn + options.yield_amperage, member.minimum_amperage)
            self.drawing_less_since = None


class Sharing:
    """The allocator with a memory. One leader has one."""

    def __init__(self, options: SharingOptions = DEFAULT_OPTIONS) -> None:
        self._options = options
        self._sessions: dict[str, _Session] = {}
        self._rotate_at: float | None = None
        self._trial = Trial(options.rotation_time)

    def reset(self) -> None:
        """Forgets everything: somebody else may have led in between."""
        self._sessions.clear()
        self._rotate_at = None
        self._trial.end()

    @property
    def options(self) -> SharingOptions:
        """How the budget is shared."""
        return self._options

    @property
    def trying(self) -> str:
        """Who is tried now (trial.py); '' for nobody."""
        return self._trial.member

    def turn_left(self, now: float, budget_left: float = NAN) -> float:
        """s until another may be given the turn of one that runs; NaN: not known yet.

        ``budget_left``: s until the budget itself may be taken away; NaN: not known.
        """
        if self._rotate_at is None:
            return budget_left
        own = max(0.0, self._rotate_at - now)
        return own if math.isnan(budget_left) else min(own, budget_left)

    def needs(self, member: MemberState | TeamRequest) -> float:
        """What is enough for the member now: its request, or less while it draws less, A."""
        session = self._sessions.get(member.member)
        if session is None or session.needs >= member.requested_amperage:
            return member.requested_amperage
        return session.needs

    def step(self, now: float, members: Sequence[MemberState], budget: Sequence[float],
             held: Mapping[str, float], seconds: Sequence[float] | None = None,
             turn_left: float = NAN, trials: bool = True) -> dict[str, Share]:
        """What each member should get, as soon as there is room for it.

        Args:
            now: s.
            members: those that are heard.
            budget: A on each supply phase, less what is reserved for all others.
            held: A per phase reserved for a member even with no allocation (its failsafe); a
                member that is not there: nothing.
            seconds: A on each supply phase for seconds; None: as the options say.
            turn_left: s until the budget may be passed on to another team; NaN: not known.
            trials: whether one may be tried (trial.py).

        Returns:
            A share for each of ``members``.
        """
        short = None if seconds is None else ShortTime(
            seconds, self._options.phases_back_at_once)
        members = self._tried(now, members, trials)
        barred = self._watch(now, members)
        rotating = self._rotates(now, turn_left)
        if rotating:
            for member in members:
                if not any(a >= PHASE_ACTIVE_AMPERAGE for a in member.amperage):
                    # it may make nothing of as little as it was left with (below 8 A some do)
                    self._sessions[member.member].needs = math.inf
        kept = [held.get(m.member, 0.0) for m in members]
        order = partial(self._order, now, members, kept, budget, barred, rotating, short)
        shares, admitted = share(members, budget, kept, self._options, barred, order, short)
        one = self._trial.candidate(now, members, {
            i for i, m in enumerate(members) if wants(m) and i not in admitted
            and i not in barred}) if trials and len(admitted) < len(members) else None
        if one is not None:
            others = [*members[:one], tried(members[one]), *members[one + 1:]]
            with_it = partial(self._order, now, others, kept, budget, barred, rotating, short)
            result = share(others, budget, kept, self._options, barred, with_it, short)
            if result[1] >= admitted | {one}:
                self._trial.begin(now, members[one].member)
                members, order, (shares, admitted) = others, with_it, result
        enough = [self.needs(m) for m in members]
        if any(n < m.requested_amperage for m, n in zip(members, enough, strict=True)) and any(
                s.allocated_amperage < n - EPSILON and wants(m)
                for m, s, n in zip(members, shares, enough, strict=True)):
            lowered = [m if n == m.requested_amperage else replace(m, requested_amperage=n)
                       for m, n in zip(members, enough, strict=True)]
            shares, admitted = share(lowered, budget, kept, self._options, barred, order, short)
        self._remember(now, members, admitted)
        return {m.member: self._worded(now, m, s, i in admitted)
                for i, (m, s) in enumerate(zip(members, shares, strict=True))}

    def _watch(self, now: float, members: Sequence[MemberState]) -> set[int]:
        """Looks what each draws; returns the indices of those that may not be let in now."""
        barred = set()
        for i, member in enumerate(members):
            session = self._sessions.get(member.member)
            if session is None:
                session = self._sessions[member.member] = _Session()
                if member.allocated_amperage > 0.0:  # another leader let it in
                    session.running_since = now
            if not wants(member):
                session.stop()
            if now < session.restart_at:
                barred.add(i)
            session.watch(now, member, self._options)
        return barred

    def _tried(self, now: float, members: Sequence[MemberState], trials: bool
               ) -> Sequence[MemberState]:
        """The members, one perhaps as it counts while it is tried."""
        if not trials:
            self._trial.end()
        failed = self._trial.watch(now, members, {i for i, m in enumerate(members) if wants(m)})
        if failed in self._sessions:
            self._sessions[failed].stop()
        name = self._trial.member
        if not name:
            return members
        return [tried(m) if m.member == name else m for m in members]

    def _rotates(self, now: float, turn_left: float) -> bool:
        """Whether this step is the first after another rotation_time.

        Not while the budget may be gone before whoever is let in has run for minimum_on_time: such
        a turn wears a contactor and charges nobody. Then the first step that has the time.
        """
        if turn_left < self._options.minimum_on_time and self._rotate_at is not None:
            return False
        if self._rotate_at is None:
            self._rotate_at = now + self._options.rotation_time
        rotates = now >= self._rotate_at
        while now >= self._rotate_at:
            self._rotate_at += self._options.rotation_time
        return rotates

    def _order(self, now: float, members: Sequence[MemberState], held: Sequence[float],
               budget: Sequence[float], barred: Collection[int], rotating: bool,
               short: ShortTime | None = None) -> list[Applicant]:
        """Those that may be let in, in their order, where there is not room for all.

        First those that run and are protected, then by priority, and within one priority: running;
        waiting for long (longest first); waiting, by rank; running, at the time of rotation.
        Protected is who has run for less than minimum_on_time and is not too much for the budget.
        """
        options = self._options
        fitting = self._fitting(members, held, budget, short)
        ranked: list[tuple[tuple[float, int, tuple[object, ...]], Applicant]] = []
        for i, member in enumerate(members):
            session = self._sessions[member.member]
            if i in barred or not wants(member):
                continue
            order: tuple[object, ...] = rank(member)
            priority, group = -float(member.priority), 2
            since = session.running_since
            if since is not None:
                group = 3
                if i in fitting and now - since < options.minimum_on_time:
                    priority = -math.inf
                elif i in fitting and not rotating:
                    group = 0
            elif now - member.waiting_since >= options.starving_time:
                order, group = (member.waiting_since, member.member), 1
            ranked.append(((priority, group, order),
                           applicant(i, member, held[i], options, since is not None)))
        ranked.sort(key=lambda entry: entry[0])
        return [one for _, one in ranked]

    def _fitting(self, members: Sequence[MemberState], held: Sequence[float],
                 budget: Sequence[float], short: ShortTime | None) -> set[int]:
        """Those that run and could all go on if nobody else were let in."""
        running = sorted((i for i, m in enumerate(members) if wants(m)
                          and self._sessions[m.member].running_since is not None),
                         key=lambda i: rank(members[i]))
        free = list(budget)
        seconds = None if short is None else list(short.room)
        for member, kept in zip(members, held, strict=True):
            for p in phase_indices(member.phases) if kept else ():
                free[p] -= kept
                if seconds is not None:
                    seconds[p] -= kept
        left = None
        if short is not None and seconds is not None:
            left = ShortTime(seconds, short.at_once)
        return admit([applicant(i, members[i], held[i], self._options, True) for i in running],
                     free, left)

    def _remember(self, now: float, members: Sequence[MemberState], admitted: Collection[int]
                  ) -> None:
        """Notes who was let in and who was stopped, and whether for another or for want of room."""
        started: set[int] = set()
        stopped: list[int] = []
        for i, member in enumerate(members):
            session = self._sessions[member.member]
            if i in admitted and session.running_since is None:
                session.running_since = now
                started |= set(phase_indices(member.phases))
            elif i not in admitted and session.running_since is not None:
                stopped.append(i)
        for i in stopped:
            session = self._sessions[members[i].member]
            session.stop()
            if not started & set(phase_indices(members[i].phases)):
                session.restart_at = now + self._options.restart_time

    def _worded(self, now: float, member: MemberState, given: Share, admitted: bool) -> Share:
        session = self._sessions[member.member]
        wait = session.restart_at - now
        if not admitted and wait > 0.0 and wants(member):
            return Share(0.0, 'stopped because the budget fell: starts again in '
                              f'{wait:.0f} s at the earliest')
        if admitted and session.needs - EPSILON <= given.allocated_amperage < (
                member.requested_amperage - EPSILON):
            return Share(given.allocated_amperage,
                         f'draws less: the rest above {session.needs:.1f} A is given away')
        return given
