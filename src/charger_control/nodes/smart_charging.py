"""The smart_charging node: OCPP charging profiles in, the limit valid at this instant out."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from charger_control.core.fiscal_meter import MeterReading
from charger_control.core.heard import Heard
from charger_control.core.limits import UNKNOWN_PHASES, AmperageLimit, PhasesInUse
from charger_control.core.session import Transaction as SessionTransaction
from charger_control.core.smart_charging import (
    CompositeDefaults,
    ProfileRejected,
    ProfileSet,
    SmartChargingConfig,
    SmartChargingDecision,
    Station,
    Transaction,
    composite_schedule,
    read_get_composite_schedule,
    write_composite_schedule,
)
from charger_control.core.smart_charging import SmartCharging as Decider
from charger_control.nodes.profile_book import ProfileBook
from charger_control.nodes.profile_input import (
    ProfileDirectory,
    RequestError,
    parse,
    rejection,
    version_in_file,
    version_of,
)
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import (
    CLEAR_CHARGING_PROFILE,
    GET_COMPOSITE_SCHEDULE,
    LIMIT_SMART_CHARGING,
    METER,
    SET_CHARGING_PROFILE,
    TRANSACTION,
)
from charger_control.ros.node import Answer, BlockNode
from charger_control.ros.parameters import Param
from charger_control.ros.runner import run
from charger_control.store import Store, moment, store_file

EVSE = 1
LOOK = 10.0
"""Hz at which is looked whether a change is due, written, or found in the directory."""
METER_TIMEOUT = 11.0
"""s for which a measured voltage counts."""
LOST_VALID_FOR = 60.0

PARAMS = (
    Param('phases', 3, 'phases connected to this charge point, for W -> A', low=1, high=3),
    Param('time_zone', 'UTC', 'whose wall clock recurring profiles follow, e.g. Europe/Berlin'),
    Param('lost_amperage', 6.0, 'what counts while profiles are in force and this block is silent, or '
          'when they were lost with a damaged store', 'A', low=0.0, high=80.0),
    Param('clock_trust', 'synchronised', 'when the wall clock is believed: once it was synchronised since '
          'boot, or always (a good real-time clock without a network)',
          choices=('synchronised', 'always')),
    Param('hw_amperage', 32.0, 'what the composite schedule says where no profile does', 'A',
          low=6.0, high=80.0),
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
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f'smart_charging.time_zone = {values["time_zone"]!r}: no such time zone '
                         '(allowed: names like Europe/Berlin)') from error
    return SmartChargingConfig(evse=EVSE, time_zone=zone, lost_amperage=values['lost_amperage'])


@dataclass(slots=True)
class _Change:
    """A change under way: made when it is its turn, written, taken, answered."""

    make: Callable[[], ProfileSet]
    answer: Callable[..., None]
    word: str
    made: ProfileSet | None = None
    written: Future[None] | None = None
    acted: bool = False


class SmartCharging(BlockNode):
    """Publishes limits/smart_charging at its rate and on the second when it changes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('smart_charging', PARAMS, **kwargs)
        config = self.checked(config_of)
        self._station = Station(max_profiles=self.values['max_profiles'],
                                max_periods=self.values['max_periods'],
                                max_stack_level=self.values['max_stack_level'])
        self._store = Store(store_file(self.values['state_dir'], self.get_namespace()))
        beat = self._store.last_beat
        self._decider = Decider(config, beat.wall if beat is not None and beat.trusted else 0.0)
        self._book = ProfileBook(self._store, self._station)
        self._decider.set_profiles(self._book.profiles)
        self._phases = PhasesInUse(self.values['phases'])
        self._meter: Heard[MeterReading] | None = None
        self._transaction: Transaction | None = None
        self._decision = SmartChargingDecision(AmperageLimit(math.nan))
        self._due_at = 0.0
        self._changes: deque[_Change] = deque()
        self._refused = 0
        self._last_refusal = ''
        folder = self.values['profiles_dir']
        self._directory = ProfileDirectory(Path(folder).expanduser()) if folder else None
        self._publish = self.publisher(LIMIT_SMART_CHARGING)
        self.hear(METER, self._on_meter)
        self.hear(TRANSACTION, self._on_transaction)
        self.serve(SET_CHARGING_PROFILE, self._on_set)
        self.serve(CLEAR_CHARGING_PROFILE, self._on_clear)
        self.serve(GET_COMPOSITE_SCHEDULE, self._on_composite)
        self.every(LOOK, self._look)

    # -- inputs ----------------------------------------------------------------------------------
    def _on_meter(self, heard: Heard[MeterReading]) -> None:
        if not heard.value.error:
            self._meter = heard
            self._phases.update(heard.at, heard.value.amperage)

    def _on_transaction(self, heard: Heard[SessionTransaction]) -> None:
        """The running transaction, or none; TxProfiles go with it."""
        value = heard.value
        running = value.started_time > 0.0 and math.isnan(value.ended_time)
        now_running = (Transaction(EVSE, int(value.started_time), value.ocpp_transaction_id)
                       if running else None)
        before, self._transaction = self._transaction, now_running
        if now_running == before:
            return
        if now_running is None or (before is not None and before.start != now_running.start):
            self._enqueue(lambda: self._book.profiles.end_transaction(EVSE), 'transaction ended')
        if now_running is not None and now_running.transaction_id:
            bound = now_running
            self._enqueue(lambda: self._book.profiles.bind_transaction(bound), 'transaction bound')
        self._step()

    def _on_set(self, request: Any, answer: Answer) -> None:
        text, version = request.request_json, request.ocpp_version
        self._enqueue(lambda: self._book.changed_by_request(text, version, self._transactions(),
                                                            self.wall()), 'Accepted', answer)

    def _on_clear(self, request: Any, answer: Answer) -> None:
        text, version = request.request_json, request.ocpp_version

        def make() -> ProfileSet:
            changed = self._book.cleared_by_request(text, version)
            if changed is self._book.profiles:
                raise RequestError('Unknown', 'no installed profile matches')
            return changed

        self._enqueue(make, 'Accepted', answer)

    def _on_composite(self, request: Any, answer: Answer) -> None:
        try:
            answer(success=True, code='Accepted', message='',
                   response_json=self._composite(request.request_json, request.ocpp_version))
        except RequestError as error:
            answer(success=False, code=error.code, message=error.sentence)

    def _composite(self, text: str, version: str) -> str:
        ocpp = version_of(version)
        payload = parse(text, 'GetCompositeSchedule', ocpp)
        try:
            wanted = read_get_composite_schedule(payload, ocpp, self._station)
        except ProfileRejected as error:
            raise rejection(error) from error
        begin = int(self.wall())
        schedule = composite_schedule(
            self._decider.engine, wanted.evse, begin, begin + wanted.duration, wanted.unit,
            CompositeDefaults.of_hardware(self.values['hw_amperage'], self.values['phases']))
        return json.dumps(write_composite_schedule(schedule, ocpp))

    def _transactions(self) -> dict[int, Transaction]:
        return {} if self._transaction is None else {EVSE: self._transaction}

    # -- changes, one after the other ------------------------------------------------------------
    def _enqueue(self, make: Callable[[], ProfileSet], word: str,
                 answer: Callable[..., None] | None = None) -> None:
        self._changes.append(_Change(make, answer or (lambda **_: None), word))
        self._advance()

    def _advance(self) -> None:
        """Lowering acts first, is written next, answered last; raising is written first."""
        while self._changes:
            change = self._changes[0]
            if change.written is None and not self._begin(change):
                self._changes.popleft()
                continue
            if change.written is None or not change.written.done():
                return
            self._changes.popleft()
            self._finish(change)

    def _begin(self, change: _Change) -> bool:
        try:
            change.made = change.make()
        except RequestError as error:
            self._refused += 1
            self._last_refusal = str(error)
            change.answer(success=False, code=error.code, message=error.sentence)
            return False
        before = self._decision.limit.amperage
        change.written = self._book.write(change.made)
        self._decider.set_profiles(change.made)
        after = self._decide().limit.amperage
        change.acted = not (after > before or (math.isnan(after) and not math.isnan(before)))
        if change.acted:
            self._book.take(change.made)
            self._step()
        else:
            self._decider.set_profiles(self._book.profiles)
        return True

    def _finish(self, change: _Change) -> None:
        error = change.written.exception() if change.written is not None else None
        if error is not None and not change.acted:
            change.answer(success=False, code='StoreFailed', message=f'not taken: {error}')
            return
        if not change.acted and change.made is not None:
            self._book.take(change.made)
            self._decider.set_profiles(change.made)
            self._step()
        until = f'in force until restart: {error}' if error is not None else ''
        change.answer(success=True, code=change.word, message=until)

    # -- the limit -------------------------------------------------------------------------------
    def _look(self) -> None:
        while self._directory is not None and not self._directory.changes.empty():
            found = self._directory.changes.get()
            self._enqueue(
                lambda found=found: self._book.changed_by_file(  # type: ignore[misc]
                    found.name, found.text, version_in_file, self._transactions(), self.wall()),
                found.name)
        self._advance()
        if self.now() >= self._due_at:
            self._step()

    def _trusted(self) -> bool:
        if self.values['clock_trust'] == 'always' or self.get_parameter('use_sim_time').value:
            return True
        return moment().trusted

    def _decide(self) -> SmartChargingDecision:
        now = self.now()
        live = self._meter is not None and self._meter.silence(now) <= METER_TIMEOUT
        voltage = self._meter.value.voltage if live and self._meter else UNKNOWN_PHASES
        return self._decider.step(now, self.wall(), self._trusted(), voltage=voltage,
                                  phases_in_use=self._phases.count(now),
                                  transaction=self._transaction)

    def _step(self) -> None:
        self._decision = self._decide()
        if self._book.lost and not len(self._book.profiles):
            lost = self.values['lost_amperage']
            self._decision = SmartChargingDecision(AmperageLimit(
                lost, valid_for=LOST_VALID_FOR, lost_amperage=lost,
                reason='profiles were lost with a damaged store: install or clear profiles'))
        self._due_at = self.now() + min(1.0 / self.values['rate'], self._decision.change_in)
        self._publish(self._decision.limit)

    # -- the end ---------------------------------------------------------------------------------
    def close(self) -> None:
        """Ends the watch, closes the store."""
        if self._directory is not None:
            self._directory.close()
        self._store.close()

    def health(self) -> list[Health]:
        """The limit and its owner, what is wrong with clock, store and directory."""
        values = {'profiles': len(self._book.profiles), 'refused': self._refused,
                  'last_refusal': self._last_refusal, 'owner': str(self._decision.owner or '')}
        folder = self._directory.error if self._directory is not None else ''
        store = str(self._store.error or '')
        if self._book.lost:
            return [Health('profiles', Level.ERROR, 'profiles were lost with a damaged store; '
                           f'moved aside: {[str(p) for p in self._store.moved_aside]}', values)]
        warning = self._decision.warning or folder or store
        return [Health('profiles', Level.WARN if warning else Level.OK,
                       warning or self._decision.limit.reason, values)]


def main() -> int:
    """Runs the node in its own process."""
    return run([SmartCharging])

