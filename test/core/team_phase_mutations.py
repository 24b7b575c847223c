"""Rules of the phases left out or bent, to see that the model finds what they are for."""

from __future__ import annotations

from collections.abc import Mapping

from team_lease_model import Mutation

from charger_control.core.cppwm_controller import Allocation, Reach, Reached
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import MemberAllocation, TeamAllocation
from charger_control.core.team import Leader, Member, TeamConfig
from charger_control.core.team.grants import Grant
from charger_control.core.team.ledger import Account


class LeavesItToTheTeam(Reach):
    """The controller of a vehicle that comes back waits for the leader's word."""

    def bounded(self, reached: Reached, allocation: Allocation) -> Allocation:
        return allocation


class KeepsWhatItLearned(Reach):
    """What was learned of a vehicle counts for the next one."""

    def _forget(self) -> None:
        if not hasattr(self, '_seen'):
            super()._forget()


class LearnsAtOnce(Reach):
    """A phase is taken for absent that was only given away too early: no steady time."""

    def _learn(self, now: float, meter: MeterReading, charging: bool) -> None:
        super()._learn(now, meter, charging)
        active = sum(1 << p for p in range(3) if meter.amperage[p] >= 1.0)
        self._absent |= 7 & ~active & ~1


class WithoutTheFactor(Leader):
    """What comes back need not fit into short_time_factor x budget."""

    def __init__(self, config: TeamConfig, *args: object, **kwargs: object) -> None:
        super().__init__(config, *args, **kwargs)  # type: ignore[arg-type]
        self._sharing._options = type(self._sharing.options)(short_time_factor=9.0)


class ReturnsToAll(Leader):
    """A vehicle that comes back is told to keep what it has."""

    def _line(self, name: str, given: Grant, turn_left: float) -> MemberAllocation:
        total = given.amperage + given.trim_amperage
        return super()._line(name, given._replace(returning=total), turn_left)


class BelievesAnOldWord(Member):
    """What it may keep counts as long as the lease, and is all that it has."""

    def hear(self, now: float, heard: TeamAllocation) -> bool:
        changed = super().hear(now, heard)
        self._return, self._return_ends = self._allocated + self._trim, self._ends_at
        return changed


class FailsafeOnSomePhases(Account):
    """A silent member's failsafe is reserved where it was last asked for."""

    __slots__ = ()

    def _count_phases(self) -> None:
        super()._count_phases()
        self.wired = self.phases


def _with(kind: type[Account]) -> type[Leader]:
    class Bent(Leader):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[arg-type]
            books: Mapping[str, Account] = {
                m: kind(self._times, self._config.failsafe_amperage)
                for m in self._config.members}
            self._accounts = dict(books)
    return Bent


PHASE_MUTATIONS = {
    'leaves it to the team': Mutation(reach=LeavesItToTheTeam),
    'keeps what it learned': Mutation(reach=KeepsWhatItLearned),
    'learns at once': Mutation(reach=LearnsAtOnce),
    'without the factor': Mutation(leader=WithoutTheFactor),
    'returns to all': Mutation(leader=ReturnsToAll),
    'believes an old word': Mutation(member=BelievesAnOldWord),
    'failsafe on some phases': Mutation(leader=_with(FailsafeOnSomePhases)),
}
