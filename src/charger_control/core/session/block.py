"""The session block: a session lasts from plug-in to unplug, with or without restarts between."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from charger_control.core.cppwm_controller.types import Decision
from charger_control.core.fiscal_meter import MeterReading
from charger_control.core.heard import Heard
from charger_control.core.iso61851.types import ControlPilot
from charger_control.core.limits import NAN, PHASE_ACTIVE_AMPERAGE
from charger_control.core.moment import Moment, elapsed
from charger_control.core.session.register import Register
from charger_control.core.session.state import (
    Course,
    connected,
    offers,
    state_of,
    with_sources,
    without_pilot,
)
from charger_control.core.session.types import (
    Configuration,
    SessionConfig,
    SessionRecord,
    Transaction,
)


class Session:
    """The charging sessions of one charge point. ``hear_*`` store inputs, ``step`` decides."""

    def __init__(self, config: SessionConfig, new_id: Callable[[], str]) -> None:
        """``new_id``: makes the id of a new session (a UUID)."""
        self._config = config
        self._new_id = new_id
        self._transaction = Transaction()
        self._running = False
        self._ending: float | None = None
        self._unconfirmed: SessionRecord | None = None
        self._unverified = False
        self._known: Moment | None = None
        self._plugged_at = self._offered_at = math.inf
        self._charged = False
        self._register = Register(config.max_power)
        self._first_step = math.nan
        self._ended_at = -math.inf
        self._seen_empty = False
        self._pilot: Heard[ControlPilot] | None = None
        self._meter: Heard[MeterReading] | None = None
        self._decision: Heard[Decision] | None = None
        self._recorded: SessionRecord | None = None

    # -- inputs ----------------------------------------------------------------------------------
    def restore(self, newest: SessionRecord | None, others: Sequence[SessionRecord]
                ) -> list[SessionRecord]:
        """Goes on from what was stored.

        Args:
            newest: the last session, ended or not.
            others: older ones that have not ended.

        Returns:
            Records to store: what of ``others`` is ended by this.
        """
        if newest is not None:
            self._transaction = newest.transaction
            if math.isnan(newest.transaction.ended_time):
                self._unconfirmed = newest
                self._known = newest.saved
                self._running = True
        return [record.closed(record.saved.wall, 'Other') for record in others]

    def hear_pilot(self, heard: Heard[ControlPilot]) -> None:
        """A state of the control pilot; one with an error renews nothing."""
        if not heard.value.error:
            self._pilot = Heard(heard.value, heard.at - max(0.0, heard.value.age))

    def hear_meter(self, heard: Heard[MeterReading]) -> None:
        """A reading of the meter; one with an error renews nothing."""
        if not heard.value.error:
            self._meter = Heard(heard.value, heard.at - max(0.0, heard.value.age))

    def hear_decision(self, heard: Heard[Decision]) -> None:
        """A decision of the controller."""
        self._decision = heard

    # -- outputs ---------------------------------------------------------------------------------
    @property
    def transaction(self) -> Transaction:
        """The session, running or the last one."""
        return self._transaction

    @property
    def refused_registers(self) -> int:
        """Register values refused since the last that was believed."""
        return self._register.refused

    def configuration(self) -> Configuration:
        """Identity and abilities."""
        config = self._config
        limit = NAN if self._decision is None else self._decision.value.effective_amperage_limit
        return Configuration(config.power_domain_name, config.controller_name,
                             self._transaction.session_id, limit, False,
                             config.has_phase_shutoff, config.has_phase_turnon)

    def bind(self, ocpp_transaction_id: str, present: Moment) -> list[SessionRecord]:
        """The CSMS's id of the running session; what is to be stored, [] where none runs."""
        if not self._running or self._ending is not None:
            return []
        # until it is sure that a stored session goes on, its record keeps the time it may end at
        stored = self._unconfirmed or (self._recorded if self._unverified else None)
        record = (stored or self._record(present)).bound(ocpp_transaction_id)
        self._transaction = replace(self._transaction, ocpp_transaction_id=ocpp_transaction_id)
        self._unconfirmed, self._recorded = self._unconfirmed and record, record
        return [record]

    # -- the decision ----------------------------------------------------------------------------
    def step(self, present: Moment) -> list[SessionRecord]:
        """One step; returns what is to be stored now, in this order."""
        now = present.now
        if math.isnan(self._first_step):
            self._first_step = now
        records: list[SessionRecord] = []
        pilot = self._live_pilot(now)
        plugged = None if pilot is None else connected(pilot)
        last_word = self._ending is not None
        if last_word:  # before it is looked whether it was the last
            records += self._measure(present)
        if self._unconfirmed is not None:
            records += self._confirm(self._unconfirmed, plugged, present)
        elif self._running:
            records += self._watch(plugged, present)
        if plugged and not self._running:
            self._begin(present, seen=self._seen_empty)
        if plugged is not None:
            self._known = present if plugged else None
            self._seen_empty = not plugged
        if not last_word:
            records += self._measure(present)
        self._describe(pilot, now)
        if self._running and self._unconfirmed is None and not self._unverified:
            records += self._due(present)
        return records

    # -- begin and end ---------------------------------------------------------------------------
    def _begin(self, present: Moment, *, seen: bool) -> None:
        """A session begins; ``seen``: the plug-in was, and not just a vehicle that is there."""
        self._running, self._ending, self._unverified = True, None, False
        self._plugged_at, self._offered_at, self._charged = present.now, math.inf, False
        # no current flows before plug-in: the register's last value is the one at plug-in
        register = Register(self._config.max_power)
        meter = self._meter
        if meter is not None and (meter.at >= self._ended_at
                                  or meter.silence(present.now) <= self._config.meter_silence):
            register.take(present.now, meter.value)
        self._register = register
        self._transaction = Transaction(
            session_id=self._new_id(), started_time=present.wall, meter_start=register.value,
            meter_stop=register.value, start_reason='CablePluggedIn' if seen else 'EVDetected')
        self._recorded = None

    def _end(self, wall: float, reason: str, present: Moment) -> SessionRecord:
        """The session has ended at ``wall``."""
        self._running, self._ending, self._unconfirmed = False, None, None
        self._unverified, self._ended_at = False, present.now
        record = self._record(present).closed(wall, reason)
        self._transaction = record.transaction
        return record

    def _confirm(self, stored: SessionRecord, plugged: bool | None, present: Moment
                 ) -> list[SessionRecord]:
        """A stored session goes on if its vehicle can still be there, else it ends as stored."""
        if plugged is None:
            return []
        self._unconfirmed = None
        gap = elapsed(stored.saved, present)
        if plugged and gap <= self._config.max_gap:
            self._plugged_at = present.now - gap
            self._offered_at = -math.inf if stored.offered else math.inf
            self._charged = stored.charged
            self._register = Register(self._config.max_power, stored.transaction.meter_stop, (
                present.now - gap - stored.register_age), stored.serial_number)
            self._unverified = not math.isnan(stored.transaction.meter_stop)
            self._recorded = stored
            return []
        reason = 'EVDisconnected'
        if plugged:
            reason = 'Other' if stored.saved.boot == present.boot else 'PowerLoss'
        self._running = False
        closed = stored.closed(stored.saved.wall, reason)
        self._transaction = closed.transaction
        self._known = None
        return [closed]

    def _watch(self, plugged: bool | None, present: Moment) -> list[SessionRecord]:
        """Looks whether the vehicle of the running session is gone, or may be another one."""
        known = self._known
        if self._ending is not None:
            if plugged or self._finished(present.now):
                return [self._end(self._transaction.ended_time, self._transaction.stop_reason,
                                  present)]
            return []
        if plugged and known is not None and not elapsed(known, present) <= self._config.max_gap:
            return [self._end(known.wall, 'Other', present)]
        if plugged is False:
            self._ending = present.now
            closed = self._record(present).closed(present.wall, 'EVDisconnected')
            self._transaction = closed.transaction
        return []

    def _finished(self, now: float) -> bool:
        """Whether the meter has said its last word on a session whose vehicle is gone."""
        ending = now if self._ending is None else self._ending
        if now - ending >= self._config.finish_time:
            return True
        meter = self._meter
        return (meter is not None and meter.at >= ending
                and not any(a >= PHASE_ACTIVE_AMPERAGE for a in meter.value.amperage))

    # -- what the meter says ---------------------------------------------------------------------
    def _measure(self, present: Moment) -> list[SessionRecord]:
        """Energy and phases of the running session; a register that cannot be its ends it."""
        meter, now = self._meter, present.now
        if not self._running or self._unconfirmed is not None or meter is None:
            return []
        if meter.silence(now) > self._config.meter_silence:
            return []
        reading = meter.value
        other = self._register.other_meter(reading)
        if other and self._ending is not None:
            return []
        taken = not other and self._register.take(now, reading)
        if other or (self._unverified and not taken and math.isfinite(reading.energy_imported)):
            ended = self._end(self._last_saved(present), 'Other', present)
            self._begin(present, seen=False)
            return [ended]
        transaction = self._transaction
        if taken:
            self._unverified = False
            start = transaction.meter_start
            transaction = replace(
                transaction, meter_stop=self._register.value,
                meter_start=self._register.value if math.isnan(start) else start)
        if meter.at >= self._plugged_at:
            used = ''.join('1' if was == '1' or a >= PHASE_ACTIVE_AMPERAGE else '0' for was, a in
                           zip(transaction.used_phases_session, reading.amperage, strict=True))
            transaction = replace(transaction, used_phases_session=used)
        self._transaction = transaction
        return []

    def _last_saved(self, present: Moment) -> float:
        """Unix s of the last record, for a session that must end there."""
        return present.wall if self._recorded is None else self._recorded.saved.wall

    # -- what is said ----------------------------------------------------------------------------
    def _describe(self, pilot: ControlPilot | None, now: float) -> None:
        """Brings the transaction up to what pilot and decision say."""
        config, decision = self._config, self._decision
        heard = None
        if decision is not None and decision.silence(now) <= config.decision_silence:
            heard = decision.value
        was = with_sources(self._transaction, heard, pilot)
        if pilot is None:
            spoke = self._pilot is not None
            late = spoke or now - self._first_step > config.pilot_silence
            self._transaction = without_pilot(was, spoke=spoke, late=late)
            return
        if self._running and offers(pilot):
            self._offered_at = min(self._offered_at, now)
            self._charged = self._charged or pilot.vehicle_status in {'C', 'D'}
        offered_for = now - self._offered_at if self._offered_at < math.inf else -1.0
        state = state_of(pilot, heard, Course(now - self._plugged_at, offered_for, self._charged),
                         start_time=config.start_time, settle_time=config.settle_time)
        cause = was.recent_error_cause
        if self._running:
            cause = pilot.recent_error_cause or pilot.fault or cause
        self._transaction = replace(
            was, state='Finishing' if state == 'Idle' and self._ending is not None else state,
            vehicle_status=pilot.vehicle_status, recent_error_cause=cause,
            charge_controller_status=pilot.charge_controller_status)

    def _live_pilot(self, now: float) -> ControlPilot | None:
        if self._pilot is None or self._pilot.silence(now) > self._config.pilot_silence:
            return None
        return self._pilot.value

    # -- what is stored --------------------------------------------------------------------------
    def _record(self, present: Moment) -> SessionRecord:
        return SessionRecord(self._transaction, present, self._register.serial_number,
                             self._offered_at < math.inf, self._charged,
                             self._register.age(present.now))

    def last_word(self, present: Moment) -> list[SessionRecord]:
        """What is to be stored when the process ends."""
        if not self._running or self._unconfirmed is not None or self._unverified:
            return []
        return [self._record(present)]

    def _due(self, present: Moment) -> list[SessionRecord]:
        """The record of the running session, at each change and every save_period."""
        record, last = self._record(present), self._recorded
        if (last is not None and last.same_but_registers(record)
                and elapsed(last.saved, present) < self._config.save_period):
            return []
        self._recorded = record
        return [record]
