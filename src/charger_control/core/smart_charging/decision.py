"""Smart charging: what the installed profiles mean for the charger now, as one limit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo

from charger_control.core.chance import Chance
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.power import STOP_AMPERAGE, Conversion
from charger_control.core.smart_charging.clock import ClockWatch, utc
from charger_control.core.smart_charging.schedule.engine import HORIZON, ProfileEngine
from charger_control.core.smart_charging.schedule.profiles import (
    DAY,
    Kind,
    Limit,
    Profile,
    Transaction,
)
from charger_control.core.units import FOREVER, MIN_AMPERAGE, NAN

DOUBT_VALID_FOR = 60.0
"""s that a limit given with the clock in doubt stands for."""
_CLOSE = 0.001
"""s, so that whoever steps when ``change_in`` has passed is not too early by a rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartChargingConfig:
    """How the block decides.

    Attributes:
        evse: the EVSE that this charger is, 1 or more.
        switches_phases: it can go to one phase; else a profile's number of phases is not obeyed,
            and a power is spread over the phases in use.
        time_zone: whose wall clock recurring profiles follow.
        lost_amperage: A, what counts once a limit has run out and no other came, while profiles
            are installed; 0 or more.
        assume_transaction: without a transaction, limit as if one began now: what a vehicle
            would get is then in force before it can draw anything.
        lead: s, 0 to below 1: a lower limit comes this much before its time and a higher one
            lasts this much after, so that no gap in between is taken for silence.
        random_delay: s, the longest random wait after a recurring profile lets charging start: its
            edge is the same for all of a street. A profile of any other kind is for this charger.
        clock_settle: s until a synchronised clock that stepped back is believed.
    """

    evse: int = 1
    switches_phases: bool = True
    time_zone: tzinfo = UTC
    lost_amperage: float = 6.0
    assume_transaction: bool = True
    lead: float = 0.2
    random_delay: float = 0.0
    clock_settle: float = 3600.0

    def __post_init__(self) -> None:
        """Raises ValueError with name, value and what is allowed."""
        if self.evse < 1:
            raise ValueError(f'evse {self.evse} (allowed: 1 or more)')
        if not 0.0 <= self.lost_amperage < math.inf:
            raise ValueError(f'lost_amperage {self.lost_amperage} (allowed: 0 or more)')
        if not 0.0 <= self.lead < 1.0:
            raise ValueError(f'lead {self.lead} (allowed: 0 to below 1)')
        if not 0.0 <= self.random_delay <= 1800.0:
            raise ValueError(f'random_delay {self.random_delay} (allowed: 0 to 1800)')
        if not self.clock_settle >= 0.0:
            raise ValueError(f'clock_settle {self.clock_settle} (allowed: 0 or more)')


@dataclass(frozen=True, slots=True)
class SmartChargingDecision:
    """The limit, and what goes with it.

    Attributes:
        limit: what the block publishes.
        owner: the profile that sets it; None: none does.
        change_in: s until the limit becomes another one, when ``step`` is due again; inf: not in
            the next 7 days.
        warning: '' or what is wrong, for a person.
    """

    limit: AmperageLimit
    owner: Profile | None = None
    change_in: float = math.inf
    warning: str = ''


class SmartCharging:
    """The block's decision. Not for several threads."""

    def __init__(self, config: SmartChargingConfig, latest_wall: float = 0.0,
                 seed: int = 0) -> None:
        """What it needs to begin.

        Args:
            config: how it decides.
            latest_wall: unix s, ``latest_wall`` of the last run; 0 for the first one.
            seed: of the random waits.
        """
        self._config, self._chance = config, Chance(seed)
        self._clock = ClockWatch(latest_wall, config.clock_settle)
        self._profiles: tuple[Profile, ...] = ()
        self._transaction: Transaction | None = None
        self._engine = ProfileEngine((), None, config.time_zone)

    @property
    def latest_wall(self) -> float:
        """Unix s, the latest time believed: to be stored, for the next start."""
        return self._clock.latest

    @property
    def engine(self) -> ProfileEngine:
        """The profiles and the transaction that count now, for composite schedules."""
        return self._engine

    def set_profiles(self, profiles: Iterable[Profile]) -> None:
        """Takes what is installed from now on, in the order of installation."""
        self._profiles = tuple(profiles)
        self._renew(self._transaction)

    def step(self, now: float, wall: float, wall_trusted: bool, *, conversion: Conversion,
             transaction: Transaction | None) -> SmartChargingDecision:
        """The limit in force.

        Args:
            now: s, on a clock that only moves forward.
            wall: unix s, as the wall clock shows.
            wall_trusted: whether that was synchronised since boot.
            conversion: what a power is divided by.
            transaction: the one running on this EVSE.
        """
        if transaction != self._transaction:
            self._renew(transaction)
        clock = self._clock.judge(now, wall, wall_trusted)
        if not self._engine.concerns(self._config.evse):
            return SmartChargingDecision(
                AmperageLimit(NAN, valid_for=FOREVER, reason='no charging profile is installed'))
        if clock.doubt:
            return self._cautious(clock.wall, clock.doubt, conversion)
        return self._scheduled(clock.wall, conversion)

    def _renew(self, transaction: Transaction | None) -> None:
        self._transaction = transaction
        running = {} if transaction is None else {transaction.evse: transaction}
        self._engine = ProfileEngine(self._profiles, running, self._config.time_zone)

    def _scheduled(self, wall: float, conversion: Conversion) -> SmartChargingDecision:
        lead = self._config.lead
        limit = self._limit_at(wall, wall)
        amperage, owner = _amperage(limit, conversion)
        change, following = self._change_after(wall, wall, conversion)
        if change is not None and following < amperage and change - wall <= lead + _CLOSE:
            limit = self._limit_at(change, wall)
            amperage, owner = _amperage(limit, conversion)
            change, following = self._change_after(change, wall, conversion)
        held = self._held(wall, amperage, conversion)
        if held is not None:
            return self._waiting(wall, held, change, conversion)
        if change is None:
            change_in, valid_for = math.inf, float(HORIZON)
        elif following < amperage:
            change_in, valid_for = max(0.0, change - lead - wall), change - wall
        else:
            change_in, valid_for = change - wall, change - wall + lead
        until = '' if change is None else f' until {utc(change)}'
        return SmartChargingDecision(
            AmperageLimit(
                amperage=NAN if math.isinf(amperage) else amperage,
                phases=self._phases(limit, conversion),
                valid_for=valid_for, lost_amperage=min(self._config.lost_amperage, following),
                reason=f'{self._words(limit, owner, conversion)}{until}'),
            owner, change_in)

    def _held(self, wall: float, amperage: float, conversion: Conversion
              ) -> tuple[float, Limit] | None:
        """Until when the start of a recurring profile has to wait, and the limit until then."""
        longest, at = self._config.random_delay, wall - self._config.random_delay
        while longest > 0.0:
            edge = self._engine.next_change(
                self._config.evse, at, start=wall, horizon=math.ceil(longest) + 1,
                assume_transaction=self._config.assume_transaction)
            if edge is None or edge > wall:
                return None
            until = edge + longest * self._chance.share(edge)
            before = self._limit_at(edge - 1, wall)
            had, owner = _amperage(before, conversion)
            let, successor = _amperage(self._limit_at(edge, wall), conversion)
            recurs = any(p is not None and p.kind is Kind.RECURRING for p in (owner, successor))
            if wall < until and recurs and had < MIN_AMPERAGE <= let and had < amperage:
                return until, before
            at = edge
        return None

    def _waiting(self, wall: float, held: tuple[float, Limit], change: int | None,
                 conversion: Conversion) -> SmartChargingDecision:
        """The limit before the start, until the wait is over or the schedule changes."""
        until, limit = held
        amperage, owner = _amperage(limit, conversion)
        change_in = min(until, math.inf if change is None else change) - wall
        return SmartChargingDecision(
            AmperageLimit(
                amperage=amperage, phases=self._phases(limit, conversion),
                valid_for=change_in + self._config.lead,
                lost_amperage=min(self._config.lost_amperage, amperage),
                reason=f'{self._words(limit, owner, conversion)}, and {until - wall:.0f} s more: '
                       'not all of a street may start at once'),
            owner, change_in)

    def _cautious(self, wall: float, doubt: str, conversion: Conversion) -> SmartChargingDecision:
        """The lowest limit of the next 24 h; where none is found, what counts in a silence."""
        config = self._config
        least, limit = self._engine.lowest_amperage(
            config.evse, wall, wall + DAY, conversion,
            assume_transaction=config.assume_transaction)
        amperage = config.lost_amperage if least is None else least
        _, owner = _amperage(limit, conversion)
        return SmartChargingDecision(
            AmperageLimit(
                amperage=amperage, phases=self._phases(limit, conversion),
                valid_for=DOUBT_VALID_FOR,
                lost_amperage=min(config.lost_amperage, amperage),
                reason=f'lowest of the next 24 h, as the clock is in doubt: '
                       f'{self._words(limit, owner, conversion)}'),
            owner, warning=f'{doubt}. Until then the lowest limit of the next 24 h holds, '
                           f'{amperage:.1f} A')

    def _phases(self, limit: Limit, conversion: Conversion) -> int:
        """1 or 3 where the profile gives it, 1 where its power is too little for all phases.

        A contactor cannot switch to 2.
        """
        if not self._config.switches_phases:
            return 0
        if limit.phases is None and limit.power is not None and conversion.better_on_one(
                limit.power):
            return 1
        return limit.phases if limit.phases in (1, 3) else 0

    def _words(self, limit: Limit, owner: Profile | None, conversion: Conversion) -> str:
        if owner is None:
            return 'no charging profile in force'
        value = (f'{limit.amperage:g} A per phase' if owner is limit.amperage_owner
                 else f'{limit.power:g} W')
        words = f'{owner}: {value}'
        if limit.phases is not None:
            words += f' on {limit.phases} phase{"s"[:limit.phases - 1]}'
            if limit.phases < 3 and not self._config.switches_phases:
                words += ' (which this charge point cannot switch)'
        amperage, _ = _amperage(limit, conversion)
        if owner is limit.power_owner and amperage < STOP_AMPERAGE:
            words += (f' ({amperage:.2f} A on {max(conversion.phases, limit.phases or 0)} phases: '
                      'less than 6 A)')
        return words

    def _limit_at(self, at: float, start: float) -> Limit:
        return self._engine.limit_at(self._config.evse, at, start=start,
                                     assume_transaction=self._config.assume_transaction)

    def _change_after(self, at: float, start: float,
                      conversion: Conversion) -> tuple[int | None, float]:
        """When the limit changes next, and to how many A; inf where nothing limits then."""
        change = self._engine.next_change(self._config.evse, at, start=start,
                                          assume_transaction=self._config.assume_transaction)
        if change is None:
            return None, math.inf
        return change, _amperage(self._limit_at(change, start), conversion)[0]


def _amperage(limit: Limit, conversion: Conversion) -> tuple[float, Profile | None]:
    """A per phase, inf where nothing limits, and who does."""
    amperage, owner = limit.in_amperes(conversion)
    return (math.inf if amperage is None else amperage), owner
