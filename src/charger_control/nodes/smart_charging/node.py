"""The smart_charging node: OCPP charging profiles in, the limit valid at this instant out."""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.session import Transaction as SessionTransaction
from charger_control.core.moment import Moment
from charger_control.core.power import Supply
from charger_control.core.smart_charging import (
    Installation,
    Running,
    SmartChargingConfig,
    SmartChargingDecision,
    Station,
    Transaction,
)
from charger_control.core.smart_charging import SmartCharging as Decider
from charger_control.nodes.smart_charging.changes import STORE_TIMEOUT
from charger_control.nodes.smart_charging.keeper import ProfileKeeper
from charger_control.nodes.smart_charging.requests import RequestError
from charger_control.nodes.smart_charging.services import ProfileServices
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import (
    DECISION,
    LIMIT_HW,
    LIMIT_SMART_CHARGING,
    METER,
    TRANSACTION,
)
from charger_control.ros.node import BlockNode
from charger_control.ros.parameters import Param
from charger_control.ros.runner import run
from charger_control.store import Store, moment, store_file

EVSE = 1
LOOK_RATE = 10.0
"""Hz at which is looked whether a change is due, or the clock was set."""
CLOCK_STEP = 0.25
"""s by which the wall clock moves against the other when it is set, not slewed."""
LOST_VALID_FOR = 60.0
"""s that the limit for lost profiles stands for."""

PARAMS = (
    Param('phases', 3, 'phases connected to this charge point, for W -> A', low=1, high=3),
    Param('has_phase_shutoff', False, 'this charge point can switch to one phase'),
    Param('time_zone', 'UTC', 'whose wall clock recurring profiles follow, e.g. Europe/Berlin'),
    Param('lost_amperage', 6.0, 'what counts while profiles are in force and this block is '
          'silent, or when they were lost with a damaged store', 'A', low=0.0, high=80.0),
    Param('clock_trust', 'synchronised', 'when the wall clock is believed: once it was '
          'synchronised since boot, or always (a good real-time clock without a network)',
          choices=('synchronised', 'always')),
    Param('random_delay', 600.0, 'longest random wait after a recurring profile lets charging '
          'start, so that a street does not start as one; 0: none', 's', low=0.0, high=1800.0),
    Param('max_profiles', 100, 'charging profiles that may be installed', low=1, high=1000),
    Param('max_periods', 1000, 'periods of one schedule', low=1, high=10_000),
    Param('max_stack_level', 99, 'highest stack level', low=0, high=1000),
    Param('profiles_dir', '', 'directory whose *.json files (SetChargingProfile requests) are '
          'installed; empty: none'),
    Param('state_dir', '', 'folder of the store; empty: '
          '~/.local/state/charger_control/<namespace>'),
    Param('rate', 1.0, 'how often the limit is repeated', 'Hz', low=0.5, high=10.0),
)


def config_of(values: dict[str, Any]) -> SmartChargingConfig:
    """The block's configuration from the parameters; ValueError for what cannot be."""
    try:
        zone = ZoneInfo(values['time_zone'])
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f'smart_charging.time_zone = {values["time_zone"]!r}: no such time zone '
                         '(allowed: names like UTC or Europe/Berlin)') from error
    return SmartChargingConfig(
        evse=EVSE, time_zone=zone, lost_amperage=values['lost_amperage'],
        switches_phases=values['has_phase_shutoff'] or values['phases'] == 1,
        random_delay=values['random_delay'])


LATEST = 2.0**40
"""Unix s, beyond every session's start."""


class SmartCharging(BlockNode):
    """Publishes limits/smart_charging at its rate, and on the second when it changes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('smart_charging', PARAMS, **kwargs)
        values, config = self.values, self.checked(config_of)
        simulated = self.get_parameter('use_sim_time').value
        self._trusts = simulated or values['clock_trust'] == 'always'
        self._store = Store(store_file(values['state_dir'], self.get_namespace()),
                            busy_timeout=0.95 * STORE_TIMEOUT,
                            clock=self._simulated_moment if simulated else moment)
        beat = None if simulated else self._store.last_beat
        self._decider = Decider(
            config, beat.wall if beat is not None and (beat.trusted or self._trusts) else 0.0,
            secrets.randbits(64))
        self._supply = Supply(values['phases'], switches=values['has_phase_shutoff'])
        self._hardware: Heard[AmperageLimit] | None = None
        self._decision = SmartChargingDecision(AmperageLimit(math.nan))
        self._due_at, self._wall_ahead = -math.inf, 0.0
        self._publish = self.publisher(LIMIT_SMART_CHARGING)
        station = Station(
            max_profiles=values['max_profiles'], max_periods=values['max_periods'],
            max_stack_level=values['max_stack_level'], supply_phases=values['phases'])
        self._keeper = ProfileKeeper(self, self._store, station, self._limit_of, self._take)
        self._decider.set_profiles(self._keeper.installed.profiles)
        self._requests = ProfileServices(self, self._keeper, config.time_zone, self._hw_amperage)
        self._keeper.watch(values['profiles_dir'])
        if self._keeper.installed.lost:
            self.get_logger().error(f'charging profiles are lost: {self._keeper.installed.lost}')
        self.hear(METER, self._supply.hear_meter)
        self.hear(DECISION, lambda heard: self._supply.hear_decision(
            heard.at, heard.value.phases, heard.value.requested_amperage))
        self.hear(LIMIT_HW, self._on_hardware)
        self.hear(TRANSACTION, self._on_transaction)
        self.every(LOOK_RATE, self._look)
        self._step()

    def _simulated_moment(self) -> Moment:
        return Moment('', self.now(), self.wall(), True)

    # -- inputs ----------------------------------------------------------------------------------
    def _on_hardware(self, heard: Heard[AmperageLimit]) -> None:
        self._hardware = heard

    def _hw_amperage(self) -> float:
        heard = self._hardware
        if heard is None or heard.silence(self.now()) > heard.value.valid_for:
            raise RequestError('NotKnown', 'the hardware limit is not known, which counts where '
                               'no profile does: does hw_limit run?')
        return heard.value.amperage

    def _on_transaction(self, heard: Heard[SessionTransaction]) -> None:
        keeper, running = self._keeper, running_in(heard.value)
        if running != keeper.running or keeper.installed.running not in (None, running):
            keeper.follow(running)
            self._step()

    # -- the limit -------------------------------------------------------------------------------
    def _look(self) -> None:
        """Takes what is due; a clock that was set, and a suspend, show at once."""
        self._keeper.look(trusted=self._trusted() and not self._decision.warning)
        was_set = abs(self.wall() - self.now() - self._wall_ahead) > CLOCK_STEP
        if was_set or self.now() >= self._due_at:
            self._step()

    def _trusted(self) -> bool:
        return bool(self._trusts) or moment().trusted

    def _take(self, installed: Installation) -> None:
        self._decider.set_profiles(installed.profiles)
        self._step()

    def _limit_of(self, installed: Installation) -> AmperageLimit:
        """What would be published now; the decider has what counts again afterwards."""
        self._decider.set_profiles(installed.profiles)
        limit = self._decide(installed).limit
        self._decider.set_profiles(self._keeper.installed.profiles)
        return limit

    def _decide(self, installed: Installation) -> SmartChargingDecision:
        now, running = self.now(), self._keeper.running
        decision = self._decider.step(
            now, self.wall(), self._trusted(), conversion=self._supply.conversion(now),
            transaction=None if running is None else running.transaction)
        return without_lost(decision, self.values['lost_amperage']) if installed.lost else decision

    def _step(self) -> None:
        self._decision = self._decide(self._keeper.installed)
        now = self.now()
        self._due_at = now + min(1.0 / self.values['rate'], self._decision.change_in)
        self._wall_ahead = self.wall() - now
        self._publish(self._decision.limit)

    def make_safe(self, why: str) -> None:
        """As where profiles are lost, and not above what counted last."""
        limit = without_lost(self._decision, self.values['lost_amperage']).limit
        self._publish(replace(limit, valid_for=LOST_VALID_FOR, reason=why))

    # -- the end ---------------------------------------------------------------------------------
    def close(self) -> None:
        """Ends the threads, closes the store."""
        self._keeper.close()
        self._store.close()

    def health(self) -> list[Health]:
        """The limit and its owner; what is wrong with clock, directory and store."""
        decision, installed = self._decision, self._keeper.installed
        level = Level.WARN if decision.warning else Level.OK
        problem = self._store.problem()
        return [
            Health('profiles', Level.ERROR if installed.lost else level,
                   decision.warning or decision.limit.reason, {
                       'installed': len(installed.profiles), 'owner': str(decision.owner or ''),
                       'lost': installed.lost, 'refused_requests': self._requests.refused,
                       'last_refusal': self._requests.last_refusal}),
            *self._keeper.health(),
            Health('store', Level.ERROR if problem else Level.OK, problem or 'OK',
                   {'file': self._store.file}),
        ]


def running_in(value: SessionTransaction) -> Running | None:
    """The session that the session node says runs."""
    if not 0.0 < value.started_time < LATEST or not math.isnan(value.ended_time):
        return None
    return Running(value.session_id, Transaction(EVSE, int(value.started_time),
                                                 value.ocpp_transaction_id))


def without_lost(decision: SmartChargingDecision, lost: float) -> SmartChargingDecision:
    """A decision where profiles may be missing: not above ``lost`` A."""
    limit = decision.limit
    if limit.amperage <= lost:
        return decision
    return replace(decision, limit=replace(
        limit, amperage=lost, valid_for=min(limit.valid_for, LOST_VALID_FOR), lost_amperage=lost,
        reason='charging profiles were lost: install them again, or clear them'))


def main() -> int:
    """Runs the node in its own process."""
    return run([SmartCharging])
