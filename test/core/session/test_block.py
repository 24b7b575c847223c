"""The session block: states, energy, begin and end, and what restarts do to it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from charger_control.core.energy_register import ADOPT_TIME, energy_of
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Decision, Flags
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment
from charger_control.core.session import Session, SessionConfig, SessionRecord
from charger_control.core.units import NAN

CONFIG = SessionConfig(power_domain_name='depot', controller_name='left', max_power=22_080.0)
TICK = 0.2


class Charger:
    """Everything around the block: a clock, a pilot, a meter, and the store as a dict."""

    def __init__(self, config: SessionConfig = CONFIG) -> None:
        self.config = config
        self.now = 100.0
        self.boot = 'boot'
        self.trusted = True
        self.letter = 'A'
        self.offer = 0.0
        self.current = (0.0, 0.0, 0.0)
        self.register = 1000.0
        self.serial = 'SN1'
        self.fault = ''
        self.pilot_speaks = self.meter_speaks = self.decision_speaks = True
        self.decision = Decision(limit_source='hw', effective_amperage_limit=16.0,
                                 commanded_amperage=16.0)
        self.cable = NAN
        self.store: dict[str, SessionRecord] = {}
        self.history: list[Transaction] = []
        self.ids = (f'session-{n}' for n in itertools.count(1))
        self.block = Session(config, lambda: next(self.ids))

    def present(self) -> Moment:
        return Moment(self.boot, self.now, 1e9 + self.now, self.trusted)

    def restart(self) -> None:
        """kill -9 of the node, and a new one on what was stored."""
        self.block = Session(self.config, lambda: next(self.ids))
        records = sorted(self.store.values(), key=lambda r: r.transaction.started_time)
        if records:
            others = [r for r in records[:-1] if math.isnan(r.transaction.ended_time)]
            self.keep(self.block.restore(records[-1], others))

    def keep(self, records: list[SessionRecord]) -> None:
        for record in records:
            self.store[record.transaction.session_id] = record

    def reading(self) -> MeterReading:
        power = 230.0 * sum(self.current)
        return MeterReading((230.0,) * 3, self.current, 50.0, power, round(self.register, 3),
                            self.serial)

    def pilot(self) -> ControlPilot:
        digit = '2' if self.offer else '1'
        return ControlPilot(self.letter, self.letter + digit, self.offer, fault=self.fault,
                            recent_error_cause=self.fault, cable_amperage=self.cable)

    def pass_time(self, time: float) -> None:
        """Time passes with nobody looking."""
        self.now += time
        self.register += 230.0 * sum(self.current) * time / 3.6e6

    def run(self, time: float = TICK) -> Transaction:
        """Time passes, the block is stepped; returns the transaction at the end."""
        for _ in range(max(1, round(time / TICK))):
            self.pass_time(TICK)
            if self.pilot_speaks:
                self.block.hear_pilot(Heard(self.pilot(), self.now))
            if self.meter_speaks:
                self.block.hear_meter(Heard(self.reading(), self.now))
            if self.decision_speaks:
                self.block.hear_decision(Heard(self.decision, self.now))
            self.keep(self.block.step(self.present()))
            self.history.append(self.block.transaction)
        return self.block.transaction

    def set(self, **changes: Any) -> Charger:
        for name, value in changes.items():
            setattr(self, name, value)
        return self

    def plug(self, time: float = 1.0) -> Transaction:
        return self.set(letter='B').run(time)

    def charge(self, time: float = 60.0, current: tuple[float, float, float] = (16.0,) * 3
               ) -> Transaction:
        return self.set(letter='C', offer=16.0, current=current).run(time)

    def unplug(self, time: float = 3.0) -> Transaction:
        return self.set(letter='A', offer=0.0, current=(0.0,) * 3).run(time)

    def states(self) -> list[str]:
        return [state for state, _ in itertools.groupby(t.state for t in self.history)]


def energy(transaction: Transaction) -> float:
    return transaction.meter_stop - transaction.meter_start


# -- a session -----------------------------------------------------------------------------------
def test_from_plug_in_to_unplug() -> None:
    charger = Charger()
    idle = charger.run(5.0)
    assert (idle.state, idle.session_id, idle.vehicle_status) == ('Idle', '', 'A')
    assert math.isnan(idle.started_time)

    plugged = charger.plug()
    assert plugged.session_id == 'session-1'
    assert plugged.started_time == pytest.approx(1e9 + 105.2)
    assert (plugged.start_reason, plugged.stop_reason) == ('CablePluggedIn', '')
    assert (plugged.meter_start, plugged.meter_stop) == (1000.0, 1000.0)
    assert (plugged.vehicle_status, plugged.charge_controller_status) == ('B', 'B1')

    charger.set(offer=16.0).run(10.0)
    charging = charger.charge(360.0)
    assert charging.charge_controller_status == 'C2'
    assert charging.used_phases_session == '111'
    assert energy(charging) == pytest.approx(1.104, abs=0.002)

    charger.set(letter='B', current=(0.0,) * 3).run(10.0)
    ended = charger.unplug()
    assert ended.session_id == 'session-1'
    assert ended.stop_reason == 'EVDisconnected'
    assert ended.ended_time == pytest.approx(1e9 + 105.0 + 1.0 + 10.0 + 360.0 + 10.0 + 0.2)
    assert energy(ended) == pytest.approx(round(charger.register, 3) - 1000.0)
    assert charger.states() == ['Idle', 'EVConnected', 'Charging', 'SuspendedEV', 'Finishing',
                                'Idle']
    stored = charger.store['session-1'].transaction
    assert replace(stored, state='') == replace(ended, state='', vehicle_status='A',
                                                charge_controller_status='A1')


def test_the_last_session_stays_visible_and_the_next_is_another_one() -> None:
    charger = Charger()
    charger.plug()
    charger.charge()
    ended = charger.unplug()
    later = charger.run(60.0)
    assert replace(later, allocation_source_name='') == replace(ended, allocation_source_name='')
    again = charger.plug()
    assert again.session_id == 'session-2'
    assert math.isnan(again.ended_time)
    assert (again.stop_reason, again.used_phases_session) == ('', '000')
    assert energy(again) == 0.0
    assert len(charger.store) == 2


@pytest.mark.parametrize('time', [TICK, 2.0])
def test_an_a_of_two_seconds_ends_no_session(time: float) -> None:
    charger = Charger()
    charger.plug()
    before = charger.charge()
    seen = charger.unplug(time)
    assert math.isnan(seen.ended_time), 'what hangs on the session does not go with it'
    assert seen.state == 'Finishing'
    after = charger.charge()
    assert (after.session_id, after.state, after.stop_reason) == (before.session_id, 'Charging', '')
    assert energy(after) == pytest.approx(2 * energy(before), abs=0.002)


def test_unplugged_for_longer_and_plugged_again_are_two_sessions() -> None:
    charger = Charger()
    charger.plug()
    charger.charge()
    charger.unplug()
    assert charger.plug(TICK).session_id == 'session-2'
    assert charger.store['session-1'].transaction.stop_reason == 'EVDisconnected'
    assert math.isfinite(charger.store['session-1'].transaction.ended_time)


def test_the_meter_has_the_last_word_after_unplug() -> None:
    """Unplugged under load, and the meter's next value comes 2 s later."""
    charger = Charger()
    charger.plug()
    charger.charge(60.0)
    charger.set(meter_speaks=False).run(2.0)
    ended = charger.unplug(4.0)
    assert ended.state == 'Finishing'
    assert ended.stop_reason == 'EVDisconnected'
    ended = charger.set(meter_speaks=True).run(0.4)
    assert ended.state == 'Idle'
    assert ended.meter_stop == round(charger.register, 3)
    assert charger.store['session-1'].transaction.meter_stop == ended.meter_stop
    assert ended.ended_time == pytest.approx(1e9 + 100.0 + 1.0 + 60.0 + 2.0 + 0.2)


def test_a_dead_meter_does_not_keep_a_session_from_ending() -> None:
    charger = Charger()
    charger.plug()
    charger.charge()
    charger.set(meter_speaks=False)
    assert charger.unplug(4.8).state == 'Finishing'
    assert charger.run(0.8).state == 'Idle'


def test_current_that_flows_on_after_unplug_belongs_to_the_session() -> None:
    """A contactor that is slow, or a pilot that says A too early."""
    charger = Charger()
    charger.plug()
    charger.charge(60.0)
    charger.set(letter='A', offer=0.0).run(3.0)
    assert charger.history[-1].state == 'Finishing'
    ended = charger.set(current=(0.0,) * 3).run(0.4)
    assert ended.state == 'Idle'
    assert ended.meter_stop == round(charger.register, 3)


# -- states --------------------------------------------------------------------------------------
@pytest.mark.parametrize(('letter', 'offer', 'state'), [
    ('A', 0.0, 'Idle'), ('B', 0.0, 'EVConnected'), ('B', 16.0, 'EVConnected'),
    ('C', 16.0, 'Charging'), ('D', 16.0, 'Charging'), ('E', 0.0, 'Faulted'),
    ('F', 0.0, 'Unavailable'), ('S', 0.0, 'Unavailable'), ('R', 0.0, 'Faulted'),
])
def test_state_of_a_letter(letter: str, offer: float, state: str) -> None:
    charger = Charger()
    charger.run()
    assert charger.set(letter=letter, offer=offer).run(3.0).state == state


def test_a_fault_is_faulted_whatever_the_letter_and_stays_on_record() -> None:
    charger = Charger()
    charger.plug()
    charger.charge()
    faulted = charger.set(offer=0.0, fault='EvNotStopping').run()
    assert (faulted.state, faulted.recent_error_cause) == ('Faulted', 'EvNotStopping')
    assert faulted.session_id == 'session-1'  # no fault ends a session
    cleared = charger.set(fault='', offer=16.0).run()
    assert (cleared.state, cleared.recent_error_cause) == ('Charging', 'EvNotStopping')
    charger.unplug()
    assert charger.store['session-1'].transaction.recent_error_cause == 'EvNotStopping'
    assert charger.plug().recent_error_cause == ''


def test_a_vehicle_that_does_not_begin_is_suspended_ev_after_a_minute() -> None:
    charger = Charger()
    charger.plug()
    assert charger.set(offer=16.0).run(59.0).state == 'EVConnected'
    assert charger.run(2.0).state == 'SuspendedEV'


def test_a_vehicle_that_has_charged_and_stops_is_suspended_ev_at_once() -> None:
    charger = Charger()
    charger.plug()
    charger.charge(5.0)
    assert charger.set(letter='B', current=(0.0,) * 3).run().state == 'SuspendedEV'


def test_no_offer_after_there_was_one_is_suspended_evse() -> None:
    charger = Charger()
    charger.plug()
    charger.charge(5.0)
    assert charger.set(offer=0.0).run().state == 'SuspendedEVSE'  # C1, before it stops
    assert charger.set(letter='B', current=(0.0,) * 3).run().state == 'SuspendedEVSE'


@pytest.mark.parametrize(('flags', 'state'), [(0, 'SuspendedEVSE'), (Flags.HOLD, 'EVConnected')])
def test_a_limit_of_zero_before_the_first_offer(flags: int, state: str) -> None:
    charger = Charger()
    charger.decision = Decision(limit_source='api', commanded_amperage=0.0, flags=int(flags))
    assert charger.plug(0.8).state == 'EVConnected'  # the decision may be about an empty socket
    assert charger.run(1.0).state == state


def test_no_decision_is_not_taken_for_a_limit() -> None:
    charger = Charger().set(decision_speaks=False)
    assert charger.plug(10.0).state == 'EVConnected'


def test_a_silent_pilot_is_faulted_and_an_error_for_clients() -> None:
    charger = Charger()
    charger.plug()
    charger.charge(5.0)
    silent = charger.set(pilot_speaks=False).run(1.8)
    assert (silent.state, silent.vehicle_status) == ('Charging', 'C')
    silent = charger.run(0.6)
    assert (silent.state, silent.vehicle_status, silent.charge_controller_status) == (
        'Faulted', 'F', 'F1')
    charger.block.hear_pilot(Heard(replace(charger.pilot(), error='no answer'), charger.now))
    assert charger.run().state == 'Faulted'
    back = charger.set(pilot_speaks=True).run()
    assert (back.state, back.session_id) == ('Charging', 'session-1')


def test_before_the_pilot_was_ever_heard() -> None:
    charger = Charger().set(pilot_speaks=False)
    first = charger.run()
    assert (first.state, first.vehicle_status, first.charge_controller_status) == (
        'Unavailable', 'S', 'S1')
    later = charger.run(3.0)
    assert (later.state, later.vehicle_status) == ('Unavailable', 'F')


def test_a_vehicle_that_is_there_at_the_start_was_not_seen_being_plugged_in() -> None:
    charger = Charger().set(pilot_speaks=False)
    charger.run(1.0)
    charger.set(pilot_speaks=True)
    assert charger.plug().start_reason == 'EVDetected'


# -- who owns the limit --------------------------------------------------------------------------
@pytest.mark.parametrize(('source', 'cable', 'name'), [
    ('hw', NAN, 'Unmanaged'), ('hw', 20.0, 'Unmanaged'), ('hw', 16.0, 'ProximityPilot'),
    ('hw', 13.0, 'ProximityPilot'), ('smart_charging', 16.0, 'OCPP Profile'),
    ('api', NAN, 'API'),
    ('team', NAN, 'Team'), ('', NAN, 'Unmanaged'), ('mqtt', NAN, 'MQTT'),
    ('meter', NAN, 'Unmanaged'),
])
def test_allocation_source(source: str, cable: float, name: str) -> None:
    charger = Charger().set(cable=cable)
    charger.decision = Decision(limit_source=source, effective_amperage_limit=16.0)
    assert charger.plug().allocation_source_name == name


def test_phases_and_who_asked_for_them() -> None:
    charger = Charger()
    charger.decision = Decision(limit_source='hw', phases=1, phase_source='api')
    one = charger.plug()
    assert (one.one_phase_limit_active, one.phase_limit_source_name) == (True, 'API')
    charger.decision = Decision(limit_source='hw')
    three = charger.run()
    assert (three.one_phase_limit_active, three.phase_limit_source_name) == (False, '')


def test_the_effective_limit_is_what_installation_and_cable_allow() -> None:
    """It contained the client's own limit: the slider of the page fell with each and never rose."""
    charger = Charger()
    charger.block.hear_hardware(Heard(AmperageLimit(20.0, valid_for=5.0), charger.now))
    charger.decision = Decision(limit_source='api', effective_amperage_limit=7.0)
    charger.plug()
    charger.block.hear_hardware(Heard(AmperageLimit(20.0, valid_for=5.0), charger.now))
    assert charger.block.configuration(charger.now).effective_amperage_limit == 20.0
    charger.block.hear_hardware(Heard(AmperageLimit(-1.0), charger.now))
    assert charger.block.configuration(charger.now + 5.0).effective_amperage_limit == 20.0
    assert math.isnan(charger.block.configuration(charger.now + 5.1).effective_amperage_limit)


def test_a_decision_that_is_not_heard_any_more_owns_nothing() -> None:
    charger = Charger()
    charger.decision = Decision(limit_source='api', phases=1)
    charger.plug()
    gone = charger.set(decision_speaks=False).run(5.4)
    assert (gone.allocation_source_name, gone.one_phase_limit_active) == ('Unmanaged', False)


def test_configuration() -> None:
    charger = Charger(replace(CONFIG, has_phase_shutoff=True))
    assert math.isnan(charger.block.configuration(charger.now).effective_amperage_limit)
    charger.plug()
    charger.block.hear_hardware(Heard(AmperageLimit(16.0, valid_for=5.0), charger.now))
    configuration = charger.block.configuration(charger.now)
    assert (configuration.power_domain_name, configuration.controller_name) == ('depot', 'left')
    assert (configuration.session_id, configuration.effective_amperage_limit) == ('session-1', 16.0)
    assert (configuration.has_phase_rotation, configuration.has_phase_shutoff,
            configuration.has_phase_turnon) == (False, True, False)


# -- the meter -----------------------------------------------------------------------------------
@pytest.mark.parametrize(('current', 'used'), [
    ((16.0, 0.0, 0.0), '100'), ((0.0, 0.99, 1.0), '001'), ((NAN, 2.0, NAN), '010'),
])
def test_used_phases(current: tuple[float, float, float], used: str) -> None:
    charger = Charger()
    charger.plug()
    charger.set(letter='C', offer=16.0)
    charger.current = current
    charger.block.hear_meter(Heard(charger.reading(), charger.now))
    charger.set(meter_speaks=False, current=(0.0,) * 3)
    assert charger.run().used_phases_session == used
    assert charger.run(30.0).used_phases_session == used  # over the whole session


def test_a_meter_that_is_first_heard_in_the_middle() -> None:
    charger = Charger().set(meter_speaks=False)
    plugged = charger.plug()
    assert math.isnan(plugged.meter_start)
    charger.charge(30.0)
    start = charger.set(meter_speaks=True).run().meter_start
    assert start == round(charger.register, 3)
    assert energy(charger.run(60.0)) == pytest.approx(round(charger.register, 3) - start)


def test_a_meter_that_was_silent_at_plug_in_but_heard_before() -> None:
    charger = Charger()
    charger.run(5.0)
    charger.set(meter_speaks=False).run(60.0)
    assert charger.plug().meter_start == 1000.0


def test_a_register_of_before_the_last_session_is_not_the_start_of_the_next() -> None:
    charger = Charger()
    charger.run(5.0)
    charger.set(meter_speaks=False)
    charger.plug()
    charger.charge(600.0)
    charger.unplug(10.0)
    charger.plug()
    again = charger.set(meter_speaks=True).run()
    assert again.meter_start == round(charger.register, 3)
    assert energy(again) == 0.0


@pytest.mark.parametrize('jump', [-0.5, 50.0])
def test_a_register_that_cannot_be_is_not_counted(jump: float) -> None:
    charger = Charger()
    charger.plug()
    before = charger.charge(60.0)
    true = charger.register
    charger.register += jump
    odd = charger.run(TICK)
    assert odd.meter_stop == pytest.approx(before.meter_stop, abs=0.002)  # by power
    assert (odd.energy_estimated, charger.block.refused_registers) == (True, 1)
    charger.register = true
    again = charger.run(10.0)
    assert again.meter_stop == round(charger.register, 3)
    assert (again.energy_estimated, again.billable) == (False, True)
    assert charger.block.refused_registers == 0
    assert odd.session_id == before.session_id


def test_another_meter_begins_another_session() -> None:
    charger = Charger()
    charger.plug()
    first = charger.charge(60.0)
    charger.set(serial='SN2', register=5.0)
    second = charger.run()
    assert second.session_id == 'session-2'
    assert second.meter_start == pytest.approx(5.0, abs=0.002)
    closed = charger.store['session-1'].transaction
    assert (closed.stop_reason, energy(closed)) == ('Other', energy(first))
    assert second.start_reason == 'EVDetected'


# -- what is stored ------------------------------------------------------------------------------
def test_a_session_is_stored_when_it_changes_and_every_ten_seconds() -> None:
    charger = Charger()
    saved = []
    keep = charger.keep
    charger.keep = lambda records: (saved.extend(records), keep(records))[1]  # type: ignore
    charger.run(30.0)
    assert saved == []
    charger.plug(TICK)
    assert len(saved) == 1
    charger.charge(TICK)
    assert len(saved) == 2
    charger.run(60.0)
    assert 2 + 6 - 1 <= len(saved) <= 2 + 6 + 1
    assert saved[-1].saved.now > charger.now - 10.2
    assert all(r.serial_number == 'SN1' for r in saved)
    charger.unplug(10.0)
    assert math.isfinite(saved[-1].transaction.ended_time)
    count = len(saved)
    charger.run(60.0)
    assert len(saved) == count


def test_the_last_word_of_an_orderly_end() -> None:
    charger = Charger()
    assert charger.block.last_word(charger.present()) == []
    charger.plug()
    charger.charge(15.0)
    (record,) = charger.block.last_word(charger.present())
    assert record.transaction == charger.block.transaction
    charger.unplug()
    assert charger.block.last_word(charger.present()) == []


# -- restart -------------------------------------------------------------------------------------
def charging() -> Charger:
    charger = Charger()
    charger.run(1.0)
    charger.plug()
    charger.charge(62.0)
    return charger


def test_the_same_session_goes_on_after_kill() -> None:
    charger = charging()
    before = charger.block.transaction
    charger.restart()
    charger.pass_time(200.0)
    charger.set(pilot_speaks=False)
    waiting = charger.run()
    assert (waiting.session_id, waiting.state) == ('session-1', 'Unavailable')
    after = charger.set(pilot_speaks=True).run()
    assert after.session_id == 'session-1'
    assert after.state == 'Charging'
    assert (after.started_time, after.meter_start) == (before.started_time, before.meter_start)
    assert (after.start_reason, after.used_phases_session) == ('CablePluggedIn', '111')
    assert after.meter_stop == round(charger.register, 3)
    ended = charger.unplug()
    assert energy(ended) == pytest.approx(charger.register - 1000.0, abs=0.002)
    assert list(charger.store) == ['session-1']


def test_what_the_session_had_seen_is_known_after_a_restart() -> None:
    charger = charging()
    charger.set(letter='B', current=(0.0,) * 3).run(1.0)
    charger.restart()
    assert charger.run().state == 'SuspendedEV'   # and not a vehicle that has yet to begin
    charger.restart()
    assert charger.set(offer=0.0).run().state == 'SuspendedEVSE'


@pytest.mark.parametrize(('gap', 'same'), [(285.0, True), (301.0, False)])
def test_a_gap_of_five_minutes(gap: float, same: bool) -> None:
    charger = charging()
    stored = charger.store['session-1'].transaction
    charger.restart()
    charger.pass_time(gap)
    after = charger.run()
    assert (after.session_id == 'session-1') is same
    if not same:
        closed = charger.store['session-1']
        assert closed.transaction.stop_reason == 'Other'
        assert closed.transaction.ended_time == closed.saved.wall
        assert closed.transaction.meter_stop == stored.meter_stop
        assert after.start_reason == 'EVDetected'
        assert after.meter_start == round(charger.register, 3)


@pytest.mark.parametrize(('change', 'fits'), [
    (0.0, True), (0.5, True), (-0.2, False), (1.5, False),
])
def test_a_register_that_does_not_fit_ends_the_stored_session(change: float, fits: bool) -> None:
    """22 kW for 100 s and up to 10 s are at most 0.68 kWh."""
    charger = charging()
    charger.set(letter='B', current=(0.0,) * 3)
    charger.restart()
    charger.pass_time(100.0)
    stored = charger.store['session-1'].transaction
    charger.register = stored.meter_stop + change
    after = charger.run(ADOPT_TIME)
    assert after.session_id == 'session-1', 'no value is believed at once'
    after = charger.run(1.0)
    assert (after.session_id == 'session-1') is fits
    if not fits:
        closed = charger.store['session-1'].transaction
        assert (closed.stop_reason, closed.meter_stop) == ('Other', stored.meter_stop)
        assert energy(after) == 0.0


def test_a_register_that_does_not_fit_ends_the_session_where_it_was_last_stored() -> None:
    charger = charging()
    saved = charger.store['session-1'].saved.wall
    charger.restart()
    charger.pass_time(100.0)
    charger.register -= 20.0
    charger.run(ADOPT_TIME + 1.0)
    assert charger.store['session-1'].transaction.ended_time == pytest.approx(saved)
    again = charger.block.transaction
    assert energy(again) == pytest.approx(energy_of(230.0 * 48.0, ADOPT_TIME + 1.0), abs=0.01)


def test_another_meter_after_a_restart() -> None:
    charger = charging()
    charger.restart()
    assert charger.set(serial='SN2').run().session_id == 'session-2'


def test_the_register_is_judged_when_the_meter_speaks_and_nothing_is_stored_before() -> None:
    charger = charging()
    stored = charger.store['session-1']
    charger.restart()
    charger.set(meter_speaks=False)
    assert charger.run(30.0).session_id == 'session-1'
    assert charger.store['session-1'] == stored
    after = charger.set(meter_speaks=True).run()
    assert after.session_id == 'session-1'
    assert after.meter_stop == round(charger.register, 3)


def test_a_vehicle_that_has_gone_meanwhile_ends_the_session_as_stored() -> None:
    charger = charging()
    stored = charger.store['session-1']
    charger.restart()
    charger.pass_time(30.0)
    ended = charger.unplug(TICK)
    assert ended.state == 'Idle'
    closed = charger.store['session-1'].transaction
    assert closed.stop_reason == 'EVDisconnected'
    assert closed.ended_time == stored.saved.wall
    assert closed.meter_stop == stored.transaction.meter_stop
    assert charger.plug().session_id == 'session-2'


def test_a_letter_that_does_not_tell_ends_nothing() -> None:
    charger = charging()
    charger.restart()
    charger.set(letter='S', offer=0.0).run(5.0)
    assert charger.set(letter='C', offer=16.0).run().session_id == 'session-1'


@pytest.mark.parametrize(('trusted', 'off', 'same', 'reason'), [
    (True, 60.0, True, ''), (True, 400.0, False, 'PowerLoss'), (False, 60.0, False, 'PowerLoss'),
])
def test_after_power_loss_the_wall_clock_tells_the_gap_if_it_can(
        trusted: bool, off: float, same: bool, reason: str) -> None:
    charger = charging()
    charger.set(offer=0.0, current=(0.0,) * 3)
    charger.restart()
    charger.pass_time(off)
    charger.set(boot='next', trusted=trusted)
    after = charger.run()
    assert (after.session_id == 'session-1') is same
    assert charger.store['session-1'].transaction.stop_reason == reason


def test_a_pilot_that_was_silent_for_too_long_may_have_another_vehicle() -> None:
    charger = charging()
    charger.set(pilot_speaks=False, current=(0.0,) * 3, offer=0.0).run(299.0)
    assert charger.set(pilot_speaks=True).run().session_id == 'session-1'
    charger.set(pilot_speaks=False).run(302.0)
    assert charger.set(pilot_speaks=True).run().session_id == 'session-2'
    assert charger.store['session-1'].transaction.stop_reason == 'Other'


def test_a_step_of_the_wall_clock_does_nothing_and_times_stay_in_order() -> None:
    charger = charging()
    present = charger.present
    charger.present = lambda: replace(present(), wall=5.0)  # type: ignore[method-assign]
    charger.restart()
    assert charger.run().session_id == 'session-1'
    ended = charger.unplug()
    lasted = ended.ended_time - ended.started_time
    assert lasted == pytest.approx(charger.now - 3.0 + TICK - 101.2), 'by the clock since boot'


def test_other_sessions_that_were_left_open_are_closed() -> None:
    charger = charging()
    old = charger.store['session-1']
    charger.store['older'] = replace(old, transaction=replace(
        old.transaction, session_id='older', started_time=5.0))
    charger.restart()
    closed = charger.store['older'].transaction
    assert (closed.stop_reason, closed.ended_time) == ('Other', old.saved.wall)
    assert charger.run().session_id == 'session-1'


def test_the_last_session_is_shown_after_a_restart_without_a_vehicle() -> None:
    charger = charging()
    ended = charger.unplug()
    charger.restart()
    shown = charger.run()
    assert (shown.session_id, shown.state) == ('session-1', 'Idle')
    assert (shown.ended_time, shown.meter_stop) == (ended.ended_time, ended.meter_stop)
    assert charger.plug().session_id == 'session-2'


# -- the CSMS's id -------------------------------------------------------------------------------
def bind(charger: Charger, ocpp_transaction_id: str) -> list[SessionRecord]:
    records = charger.block.bind(ocpp_transaction_id, charger.present())
    charger.keep(records)
    return records


def test_the_id_of_the_csms_belongs_to_the_running_session() -> None:
    charger = Charger()
    charger.run()
    assert bind(charger, '77') == [], 'none runs'
    charger.plug()
    record, = bind(charger, '77')
    assert record.transaction.ocpp_transaction_id == '77'
    assert charger.run().ocpp_transaction_id == '77'
    bind(charger, '78')
    assert charger.charge(20.0).ocpp_transaction_id == '78'
    charger.meter_speaks = False  # the session waits for the meter's last word: it is over
    charger.unplug()
    assert bind(charger, '79') == []
    charger.meter_speaks = True
    assert charger.run(10.0).ocpp_transaction_id == '78'
    assert charger.store['session-1'].transaction.ocpp_transaction_id == '78'
    assert charger.plug().ocpp_transaction_id == ''


def test_a_bound_id_survives_kill_and_can_be_bound_before_the_vehicle_is_heard_again() -> None:
    charger = Charger()
    charger.plug()
    charger.charge(20.0)
    bind(charger, '77')
    charger.restart()
    assert charger.block.transaction.ocpp_transaction_id == '77'
    saved = charger.store['session-1'].saved
    bind(charger, '78')
    assert charger.store['session-1'].saved == saved, 'what is not confirmed is not younger'
    charger.restart()
    going_on = charger.run(2.0)
    assert (going_on.session_id, going_on.ocpp_transaction_id) == ('session-1', '78')
    assert energy(charger.charge(20.0)) > 0.0
    # and while the register has not been judged yet
    charger.restart()
    charger.meter_speaks = False
    charger.run(0.4)
    saved = charger.store['session-1'].saved
    bind(charger, '79')
    assert charger.store['session-1'].saved == saved
    charger.meter_speaks = True
    assert charger.run(2.0).ocpp_transaction_id == '79'
    assert charger.unplug(10.0).ocpp_transaction_id == '79'


def test_a_session_that_turns_out_to_be_over_ends_with_its_id() -> None:
    charger = Charger()
    charger.plug()
    charger.restart()
    bind(charger, '77')
    ended = charger.set(letter='A').run(1.0)
    assert (ended.stop_reason, ended.ocpp_transaction_id) == ('EVDisconnected', '77')


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(
    st.sampled_from(['B', 'C', 'C', 'C', 'kill', 'kill', 'mute meter', 'mute pilot']),
    st.floats(0.2, 25.0)), min_size=1, max_size=14))
# the register that was stored last is older than the record
@example([('C', 1.0), ('mute meter', 10.0), ('kill', 1.0)])
def test_energy_of_a_session_is_that_of_the_vehicle_whatever_is_killed(
        steps: list[tuple[str, float]]) -> None:
    charger = Charger()
    charger.run(1.0)
    charger.plug()
    for what, time in steps:
        charger.set(meter_speaks=True, pilot_speaks=True)
        if what == 'kill':
            charger.restart()
            charger.pass_time(time)
            continue
        if what == 'mute meter':
            charger.set(meter_speaks=False)
        elif what == 'mute pilot':
            charger.set(pilot_speaks=False)
        else:
            charger.set(letter=what, offer=16.0,
                        current=(16.0,) * 3 if what == 'C' else (0.0,) * 3)
        charger.run(time)
    charger.set(meter_speaks=True, pilot_speaks=True).run(1.0)
    ended = charger.unplug()
    assert list(charger.store) == ['session-1']
    stored = charger.store['session-1'].transaction
    assert energy(stored) == pytest.approx(charger.register - 1000.0, abs=0.0015)
    assert stored.meter_stop == ended.meter_stop
