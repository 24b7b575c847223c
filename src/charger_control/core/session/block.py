"""The session block: a session lasts from plug-in to unplug, with or without restarts between."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.session import Configuration, Transaction
from charger_control.core.moment import Moment, elapsed
from charger_control.core.session.energy import SessionEnergy, counted, stored_energy, used_phases
from charger_control.core.session.inputs import Inputs
from charger_control.core.session.later import Later, last_word_said
from charger_control.core.session.state import (
    Course,
    connected,
    offers,
    with_pilot,
    with_sources,
    without_pilot,
)
from charger_control.core.session.times import ended_time, set_right, stored_end
from charger_control.core.session.types import SessionConfig, SessionRecord


class Session(Inputs):
    """The charging sessions of one charge point. ``hear_*`` store inputs, ``step`` decides."""

    def __init__(self, config: SessionConfig, new_id: Callable[[], str]) -> None:
        """``new_id``: makes the id of a new session (a UUID)."""
        super().__init__()
        self._config = config
        self._new_id = new_id
        self._transaction = Transaction()
        self._running = False
        self._gone: Moment | None = None
        self._ending: float | None = None
        self._unconfirmed: SessionRecord | None = None
        self._unverified = False
        self._known: Moment | None = None
        self._plugged_at = self._offered_at = math.inf
        self._charged = False
        self._energy = SessionEnergy(config.max_power)
        self._later = Later(config.meter_silence)
        self._began = Moment('', 0.0, math.nan, False)
        self._first_step = math.nan
        self._ended_at = -math.inf
        self._seen_empty = False
        self._recorded: SessionRecord | None = None

    # -- inputs ----------------------------------------------------------------------------------
    def restore(self, newest: SessionRecord | None, others: Sequence[SessionRecord],
                ended: Sequence[SessionRecord] = ()) -> list[SessionRecord]:
        """Goes on from what was stored.

        Args:
            newest: the last session, ended or not.
            others: older ones that have not ended.
            ended: recent ones that have, whose times may have to be set right.

        Returns:
            Records to store: what of ``others`` is ended by this.
        """
        if newest is not None:
            self._transaction = newest.transaction
            if math.isnan(newest.transaction.ended_time):
                self._unconfirmed = newest
                self._known = newest.saved
                self._running = True
            else:
                self._later.ended(newest, stored_energy(
                    self._config.max_power, newest, newest.saved.now))
        self._later.restore(tuple(ended))
        return [record.closed(stored_end(record), 'Other') for record in others]

    # -- outputs ---------------------------------------------------------------------------------
    @property
    def transaction(self) -> Transaction:
        """The session, running or the last one."""
        return self._transaction

    @property
    def refused_registers(self) -> int:
        """Register values refused since the last that was believed."""
        return self._energy.refused

    def configuration(self, now: float) -> Configuration:
        """Identity and abilities at ``now`` s."""
        config, limit = self._config, self._hardware_amperage(now)
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
        pilot = self._live_pilot(now, self._config.pilot_silence)
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
        records += self._settle(present)
        self._describe(pilot, now)
        if self._running and self._unconfirmed is None and not self._unverified:
            records += self._due(present)
        return records

    # -- begin and end ---------------------------------------------------------------------------
    def _begin(self, present: Moment, *, seen: bool) -> None:
        """A session begins; ``seen``: the plug-in was, and not just a vehicle that is there."""
        self._running, self._unverified = True, False
        self._gone = self._ending = None
        self._plugged_at, self._offered_at, self._charged = present.now, math.inf, False
        # no current flows before plug-in: the register's last value is the one at plug-in
        self._energy = energy = SessionEnergy(self._config.max_power)
        self._began = present
        meter = self._meter
        if meter is not None and (meter.at >= self._ended_at
                                  or meter.silence(present.now) <= self._config.meter_silence):
            energy.take(present.now, meter.value)
        self._transaction = Transaction(
            session_id=self._new_id(), started_time=present.wall, meter_start=energy.value,
            meter_stop=energy.value, start_reason='CablePluggedIn' if seen else 'EVDetected')
        self._recorded = None

    def _end(self, ended: float, reason: str, present: Moment) -> SessionRecord:
        """The session has ended at unix s ``ended``."""
        self._running = False
        self._gone = self._ending = self._unconfirmed = None
        self._unverified, self._ended_at = False, present.now
        was = self._transaction
        self._transaction = replace(was, billable=was.billable and not was.energy_estimated)
        record = self._record(present).closed(ended, reason)
        self._transaction = record.transaction
        self._later.ended(record, self._energy)
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
            self._energy = stored_energy(self._config.max_power, stored, present.now - gap)
            self._began = stored.began or replace(
                stored.saved, wall=stored.transaction.started_time, now=-math.inf, boot='')
            self._unverified = not math.isnan(stored.transaction.meter_stop)
            self._recorded = stored
            return []
        reason = 'EVDisconnected'
        if plugged:
            reason = 'Other' if stored.saved.boot == present.boot else 'PowerLoss'
        self._running = False
        closed = stored.closed(stored_end(stored), reason)
        self._transaction = closed.transaction
        self._later.ended(closed, stored_energy(self._config.max_power, stored, present.now - gap))
        self._known = None
        return [closed]

    def _watch(self, plugged: bool | None, present: Moment) -> list[SessionRecord]:
        """Looks whether the vehicle of the running session is gone, or may be another one."""
        known = self._known
        if self._ending is not None:
            if plugged or last_word_said(present.now, self._ending, self._meter,
                                         self._config.finish_time):
                return [self._end(self._transaction.ended_time, self._transaction.stop_reason,
                                  present)]
            return []
        if plugged and known is not None and not elapsed(known, present) <= self._config.max_gap:
            return [self._end(ended_time(self._began, known), 'Other', present)]
        if plugged:
            self._gone = None
        elif plugged is False:
            self._gone = gone = self._gone or present
            if present.now - gone.now >= self._config.unplug_time:
                self._ending = gone.now
                closed = self._record(present).closed(ended_time(self._began, gone),
                                                      'EVDisconnected')
                self._transaction = closed.transaction
        return []

    # -- what the meter says ---------------------------------------------------------------------
    def _measure(self, present: Moment) -> list[SessionRecord]:
        """Energy and phases of the running session; a register that cannot be its ends it."""
        meter, now = self._meter, present.now
        if (not self._running or self._unconfirmed is not None or meter is None
                or meter.silence(now) > self._config.meter_silence):
            return []
        reading = meter.value
        other = self._energy.other_meter(reading)
        if other:
            return [] if self._ending is not None else self._begin_anew(present)
        taken = self._energy.take(now, reading)
        if taken.shift is not None and self._unverified:
            # no value fits the stored session: its vehicle may have gone, or its meter
            began = self._energy.began
            ended = self._begin_anew(present)
            if not math.isnan(began):
                self._transaction = replace(self._transaction, meter_start=began)
            return ended
        transaction = self._transaction
        if taken.believed or self._energy.estimated:
            self._unverified &= not taken.believed
            transaction = counted(transaction, self._energy, taken, reading,
                                  late=self._offered_at < now)
        if meter.at >= self._plugged_at:
            transaction = replace(transaction, used_phases_session=used_phases(
                transaction.used_phases_session, reading.amperage))
        self._transaction = transaction
        return []

    def _begin_anew(self, present: Moment) -> list[SessionRecord]:
        """Ends the session where it was last stored, and begins another one."""
        saved = present if self._recorded is None else self._recorded.saved
        ended = self._end(ended_time(self._began, saved), 'Other', present)
        self._begin(present, seen=False)
        return [ended]

    def _settle(self, present: Moment) -> list[SessionRecord]:
        """What is learned later: of ended sessions, and of when the running one began."""
        began = set_right(self._began, present)
        if self._running and began is not self._began:
            self._began = began
            self._transaction = replace(self._transaction, started_time=began.wall)
        records = self._later.step(present, self._meter)
        for record in records:
            if record.transaction.session_id == self._transaction.session_id:
                self._transaction = record.transaction
        return records

    # -- what is said ----------------------------------------------------------------------------
    def _describe(self, pilot: ControlPilot | None, now: float) -> None:
        """Brings the transaction up to what pilot and decision say."""
        config = self._config
        heard = self._live_decision(now, config.decision_silence)
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
        course = Course(now - self._plugged_at, offered_for, self._charged, self._running,
                        self._gone is not None)
        self._transaction = with_pilot(was, pilot, heard, course, start_time=config.start_time,
                                       settle_time=config.settle_time)

    # -- what is stored --------------------------------------------------------------------------
    def _record(self, present: Moment) -> SessionRecord:
        return SessionRecord(self._transaction, present, self._energy.serial_number,
                             self._offered_at < math.inf, self._charged,
                             self._energy.age(present.now), self._began)

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
