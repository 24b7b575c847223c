"""What must stay reserved for each member of a team: the leader's books."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from charger_control.core.heard import RecentMaximum
from charger_control.core.messages.team import TeamRequest
from charger_control.core.team.types import EPSILON, LeaseTimes, phase_indices

ALL = (0, 1, 2)
MEASURED_OVER = 0.5
"""A by which what is measured may differ from what was granted (as for a confirmed lowering)."""


class Naming(NamedTuple):
    """A line of a list that was sent.

    Attributes:
        list_id: term number and sequence of the list.
        until: s, when the member can no longer act on it.
        amperage: A per phase that it grants, trim included.
        phases: indices of the supply phases that it was counted on.
    """

    list_id: tuple[int, int]
    until: float
    amperage: float
    phases: tuple[int, ...]


class Claim(NamedTuple):
    """What one member may claim and draw, A per phase.

    Attributes:
        due: max(allocated, failsafe): what it may take on its own account.
        reserved: max(allocated, drawable, failsafe): what nobody else may be given.
        overdrawn: what its vehicle takes beyond all that it might take lately, once that has
            lasted: nobody is lowered for one that is still coming down, as all are while a budget
            falls steadily, or that does not know yet, soon after its start, what its vehicle draws.
    """

    due: float
    reserved: float
    overdrawn: float


class Account:
    """What one member may be drawing: what was named, what it reports, its failsafe.

    Attributes:
        request: the newest; None until the member was heard.
        heard_at: s, when it was heard.
        answered: whether it was.
        failsafe: A per phase that the member takes when it hears nobody: reserved at any time.
        phases: indices of the supply phases that the member loads or may load; all that it is
            wired to while it is silent, all three before it was heard.
        returning: the others that its vehicle may come to draw on.
        wired: indices of all that it is wired to: on each it may take its failsafe.
        tried: the member is tried (trial.py): it is counted on what is certain.
    """

    __slots__ = ('_configured_failsafe', '_lowered', '_namings', '_over_since', '_refused',
                 '_times', 'answered', 'failsafe', 'heard_at', 'phases', 'request', 'returning',
                 'tried', 'wired')

    def __init__(self, times: LeaseTimes, failsafe: float) -> None:
        """``failsafe``: A per phase to count on while the member has not said."""
        self._times = times
        self._configured_failsafe = failsafe
        self._refused = RecentMaximum(times.reservation(times.fall_time))
        self.failsafe = failsafe
        self._namings: deque[Naming] = deque()
        self._lowered: list[tuple[float, float]] = []
        """When what was granted fell, and from what; falling from the oldest to the newest."""
        self._over_since: float | None = None
        self.request: TeamRequest | None = None
        self.heard_at = 0.0
        self.answered = True
        self.phases: tuple[int, ...] = ALL
        self.returning: tuple[int, ...] = ()
        self.wired: tuple[int, ...] = ALL
        self.tried = False

    def hear(self, now: float, request: TeamRequest, leader: str) -> bool:
        """Takes a request; False for one that is not newer than the last.

        One that counts from the start again is taken when the member was silent for so long that
        nothing is reserved for it any more.

        ``leader``: whose books these are; only its own lists say something about them.
        """
        if self.request is not None and request.sequence <= self.request.sequence and (
                now < self.heard_at + self._times.reservation(self._fall_time)):
            return False
        self.request, self.heard_at, self.answered = request, now, False
        accepted = (request.accepted_term, request.accepted_sequence)
        # only a list that named the member tells which line it goes by: of one that did not, the
        # member does not say whether it had the line of the list before
        if request.accepted_leader == leader and any(
                naming.list_id == accepted for naming in self._namings):
            freed = 0.0
            while self._namings[0].list_id != accepted:
                freed = max(freed, self._namings.popleft().amperage)
            self._note_lowering(now, freed)
        self._count_phases()
        return True

    def hear_failsafe(self, now: float, amperage: float) -> str:
        """Why what a member says it takes without a lease cannot be, in words; '' if it can.

        It takes it all the same, so that much is reserved; the others yield.
        """
        if amperage <= self._configured_failsafe + EPSILON:
            return ''
        self.failsafe = self._refused.update(now, amperage)
        return (f'failsafe_amperage {amperage:g} A (allowed: up to {self._configured_failsafe:g}, '
                'the failsafe_amperage that the team is configured with; set the same at both)')

    def name(self, now: float, list_id: tuple[int, int], amperage: float) -> None:
        """Notes that a list sent now grants ``amperage``, trim included, on ``asked_phases``."""
        self.answered = True
        until = now + self._times.reservation(self._fall_time)
        self._namings.append(Naming(list_id, until, amperage, self.asked_phases))

    def try_phases(self, tried: bool) -> None:
        """Counts the member on what is certain, or on all that it asks for again."""
        if tried != self.tried:
            self.tried = tried
            self._count_phases()

    def granted(self, now: float) -> float:
        """The most of what was named and may be in force, A per phase."""
        namings = self._namings
        if namings and namings[0].until <= now:
            freed = 0.0
            while namings and namings[0].until <= now:
                freed = max(freed, namings.popleft().amperage)
            self._note_lowering(now, freed)
            self._count_phases()
        return max((naming.amperage for naming in namings), default=0.0)

    def claim(self, now: float) -> Claim:
        """What the member may claim and draw now.

        Drawable counts for as long as the member could act on what was named, or as if it had been
        named when it was last heard.
        """
        if self.failsafe > self._configured_failsafe:
            self.failsafe = self._refused.update(now, self._configured_failsafe)
        due = max(self.granted(now), self.failsafe)
        request = self.request
        if self.phases != self.wired and now - self.heard_at > self._times.valid_for:
            self.phases, self.returning = self.wired, ()
        if request is None or request.drawable_amperage <= due or not (
                self._namings or now < self.heard_at + self._times.reservation(self._fall_time)):
            self._over_since = None
            self._lowered.clear()
            return Claim(due, due, 0.0)
        if self._over_since is None:
            self._over_since = now
        lasting = now - self._over_since >= self._fall_time + self._times.margin
        over = request.drawable_amperage - max(due, self._lately_granted(now))
        return Claim(due, request.drawable_amperage,
                     over if lasting and over > MEASURED_OVER else 0.0)

    def _note_lowering(self, now: float, freed: float) -> None:
        if freed > max((naming.amperage for naming in self._namings), default=0.0):
            while self._lowered and self._lowered[-1][1] <= freed:
                self._lowered.pop()
            self._lowered.append((now, freed))

    def _lately_granted(self, now: float) -> float:
        """The most that was in force within the time that a member may need to come down.

        One margin is for the vehicle's way from request to list, one for the next request.
        """
        since = now - self._fall_time - 2.0 * self._times.margin
        while self._lowered and self._lowered[0][0] < since:
            self._lowered.pop(0)
        return self._lowered[0][1] if self._lowered else 0.0

    @property
    def request_sequence(self) -> int:
        """The request that an answer would answer."""
        return 0 if self.request is None else self.request.sequence

    @property
    def asked_phases(self) -> tuple[int, ...]:
        """Indices of the supply phases on which what is named next is counted."""
        if self.request is None:
            return ALL
        return phase_indices(self.request.tried_phases if self.tried else self.request.phases)

    def own_due(self) -> float:
        """What was named for all of ``asked_phases`` already, A per phase.

        What it may keep where it was not counted is not among it: others may have that room since.
        """
        asked = set(self.asked_phases)
        return max((n.amperage for n in self._namings if asked.issubset(n.phases)), default=0.0)

    def _count_phases(self) -> None:
        """``phases``: those that the member asks for, and those that it may still act on."""
        phases = self.asked_phases
        for naming in self._namings:
            if naming.amperage > 0.0 and naming.phases != phases:
                phases = tuple(sorted({*phases, *naming.phases}))
        self.phases = phases
        if self.request is not None:
            self.wired = phase_indices(tuple(sorted(self.request.phase_map)))
            possible = phase_indices(self.request.possible_phases)
            self.returning = tuple(p for p in possible if p not in phases)

    @property
    def _fall_time(self) -> float:
        return self._times.fall_time if self.request is None else self.request.fall_time
