"""What is fresh, what is stale, what is gone: without a server, on a clock that is set."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest

from charger_control.bridges.graph import documents
from charger_control.bridges.graph.state import (
    CHARGING,
    CONFIGURATION,
    DOCUMENTS,
    GONE,
    LIMITS,
    METER,
    PILOT,
    TRANSACTION,
    State,
)
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Charging, Decision, Flags
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Configuration, Transaction

CHARGES = Charging((230.0, 231.0, 232.0), (8.0, 8.1, 8.2), 16.0, 15.0, 14.0, 13.0, 50.0, 1.5,
                   5000.0)


class Now:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def state(now: Now) -> State:
    return State(now)


def document(state: State, topic: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(state.document(topic, state.clock()).body)
    return found


def test_charging_has_the_nine_fields_of_the_seed_in_its_order(state: State) -> None:
    state.put(CHARGING, CHARGES)
    assert list(document(state, CHARGING).items()) == [
        ('voltage', [230.0, 231.0, 232.0]), ('amperage', [8.0, 8.1, 8.2]),
        ('allocatedAmperage', 16.0), ('commandedAmperage', 15.0), ('availableAmperage', 14.0),
        ('signaledAmperage', 13.0), ('frequency', 50.0), ('energyImported', 1.5),
        ('lastActivePower', 5000.0)]


def test_unknown_and_absurd_numbers_are_null_never_nan(state: State) -> None:
    state.put(CHARGING, Charging(frequency=math.inf, energy_imported=-math.inf))
    assert document(state, CHARGING) == {
        'voltage': [None] * 3, 'amperage': [None] * 3,
        **dict.fromkeys(['allocatedAmperage', 'commandedAmperage', 'availableAmperage',
                         'signaledAmperage', 'frequency', 'energyImported', 'lastActivePower'])}


def test_a_rounded_zero_has_no_sign(state: State) -> None:
    state.put(CHARGING, replace(CHARGES, last_active_power=-1e-9))
    assert b'"lastActivePower":0.0' in state.document(CHARGING, 1000.0).body


def test_silent_controller_leaves_what_the_devices_say(state: State, now: Now) -> None:
    state.put(CHARGING, CHARGES)
    now.now += 2.1
    state.put(METER, MeterReading((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 50.0, 70.0, 8.0))
    state.put(PILOT, ControlPilot('C', 'C2', 9.0))
    assert document(state, CHARGING) == {
        'voltage': [1.0, 2.0, 3.0], 'amperage': [4.0, 5.0, 6.0], 'allocatedAmperage': None,
        'commandedAmperage': None, 'availableAmperage': None, 'signaledAmperage': 9.0,
        'frequency': 50.0, 'energyImported': 8.0, 'lastActivePower': 70.0}
    now.now += 2.1   # the pilot is silent, too
    assert document(state, CHARGING)['signaledAmperage'] is None
    assert document(state, CHARGING)['energyImported'] == 8.0
    now.now += 1.0
    assert document(state, CHARGING)['energyImported'] is None
    state.put(CHARGING, CHARGES)
    assert document(state, CHARGING)['commandedAmperage'] == 15.0


def test_a_device_that_reports_an_error_is_not_believed(state: State, now: Now) -> None:
    state.put(METER, MeterReading((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), error='no answer'))
    state.put(PILOT, ControlPilot('C', 'C2', 9.0, error='no answer'))
    assert document(state, CHARGING)['amperage'] == [None] * 3
    assert document(state, CHARGING)['signaledAmperage'] is None
    assert document(state, TRANSACTION)['vehicleStatus'] == 'F'


@pytest.mark.parametrize(('topic', 'value', 'node'), [
    (CHARGING, CHARGES, 'cppwm_controller'), (LIMITS, Limits(), 'api'),
    (TRANSACTION, Transaction(), 'session'), (CONFIGURATION, Configuration(), 'session')])
def test_age_then_gone(state: State, now: Now, topic: str, value: Any, node: str) -> None:
    never = state.document(topic, now())
    assert node in never.gone
    assert 'not heard yet' in never.gone
    state.put(topic, value)
    now.now += 3.5
    assert state.document(topic, now()).age == 3.5
    assert not state.document(topic, now()).gone
    now.now += GONE - 3.5
    assert not state.document(topic, now()).gone
    now.now += 0.1
    assert node in state.document(topic, now()).gone
    assert 'silent for 10 s' in state.document(topic, now()).gone


def test_what_is_gone_is_null_in_frames(state: State, now: Now) -> None:
    for topic, value in ((LIMITS, Limits(amperage_limit=10.0)), (CONFIGURATION, Configuration('a')),
                         (TRANSACTION, Transaction(state='Charging'))):
        state.put(topic, value)
    known = {topic: document(state, topic) for topic in DOCUMENTS}
    assert known[LIMITS]['amperageLimit'] == 10.0
    now.now += GONE + 0.1
    for topic in (LIMITS, CONFIGURATION, TRANSACTION):
        gone = document(state, topic)
        assert gone.keys() == known[topic].keys()
        assert {v for k, v in gone.items()
                if k not in ('vehicleStatus', 'chargeControllerStatus')} == {None}


def test_vehicle_status_is_the_pilots_own_and_f_while_it_is_silent(state: State, now: Now) -> None:
    assert document(state, TRANSACTION)['vehicleStatus'] == 'F'
    state.put(TRANSACTION, Transaction(vehicle_status='B', charge_controller_status='B1'))
    assert document(state, TRANSACTION)['vehicleStatus'] == 'F'
    state.put(PILOT, ControlPilot('C', 'C2', 16.0))
    assert document(state, TRANSACTION)['vehicleStatus'] == 'C'
    assert document(state, TRANSACTION)['chargeControllerStatus'] == 'C2'
    now.now += 2.1
    assert document(state, TRANSACTION)['vehicleStatus'] == 'F'
    assert document(state, TRANSACTION)['chargeControllerStatus'] == 'F1'
    for letter in 'SR':   # sent as they are
        state.put(PILOT, ControlPilot(letter, letter + '1', 0.0))
        assert document(state, TRANSACTION)['vehicleStatus'] == letter


def test_expires_in_runs(state: State, now: Now) -> None:
    state.put(LIMITS, Limits(amperage_limit=10.0, timeout=300.0, expires_in=5.0))
    assert document(state, LIMITS) == {
        'enabled': True, 'amperageLimit': 10.0, 'powerLimit': None, 'timeout': 300000,
        'expiresIn': 5000, 'onePhaseLimit': False, 'phaseRotation': False, 'persistent': True}
    now.now += 1.5
    assert document(state, LIMITS)['expiresIn'] == 3500
    now.now += 5.0
    lapsed = document(state, LIMITS)
    assert lapsed['expiresIn'] == 0
    assert lapsed['amperageLimit'] == 10.0


def test_configuration_has_both_spellings_of_each_pair() -> None:
    found = documents.configuration(Configuration('home', 'garage', 'id', 32.0, False, True, False))
    assert found == {
        'pdName': 'home', 'powerDomainName': 'home', 'ctrlrName': 'garage',
        'controllerName': 'garage', 'sessionId': 'id', 'effectiveAmperageLimit': 32.0,
        'hasPhaseRotation': False, 'hasPhaseStShutoff': True, 'hasPhaseShutoff': True,
        'hasPhaseSTTurnon': False}


def test_transaction_fields() -> None:
    found = documents.transaction(
        Transaction('id', 'Finishing', 1699359776.4, 1699359816.0, 0.1, 0.2, 'A', 'A1', '110',
                    'Authorized', 'Local', 'Team', True, 'API', False, '', 'tx', 'EvNotStopping'),
        ControlPilot('B', 'B1', 0.0))
    assert found == {
        'sessionId': 'id', 'state': 'Finishing', 'startedTime': 1699359776,
        'endedTime': 1699359816, 'meterStart': 0.1, 'meterStop': 0.2, 'usedPhasesSession': '110',
        'startReason': 'Authorized', 'stopReason': 'Local', 'allocationSourceName': 'Team',
        'onePhaseLimitActive': True, 'phaseLimitSourceName': 'API', 'phaseRotationActive': False,
        'phaseRotationSourceName': '', 'ocppTransactionId': 'tx',
        'recentErrorCause': 'EvNotStopping', 'vehicleStatus': 'B',
        'chargeControllerStatus': 'B1', 'billable': True, 'energyEstimated': False}
    assert documents.transaction(Transaction(), None)['startedTime'] is None


def test_decision_says_its_flags_by_name() -> None:
    found = documents.decision(Decision(flags=Flags.METER_LOST | Flags.HOLD, reason='waits'))
    assert found['flags'] == ['METER_LOST', 'HOLD']
    assert found['reason'] == 'waits'
    assert len(found) == len(fields(Decision))


def test_a_document_is_encoded_once(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []
    encode = documents.encode
    monkeypatch.setattr(documents, 'encode', lambda d: encoded.append(d) or encode(d))
    state.put(CHARGING, CHARGES)
    for _ in range(10):
        state.document(CHARGING, 1000.0)
        state.frame(CHARGING, 1000.0)
    assert len(encoded) == 1


def test_only_what_makes_a_frame_due_pokes(state: State) -> None:
    pokes: list[str] = []
    state.changed = lambda: pokes.append(topic)
    for topic, value in ((CHARGING, CHARGES), (METER, MeterReading()),
                         (PILOT, ControlPilot('A', 'A1', 0.0)),
                         (PILOT, ControlPilot('A', 'A1', 0.0, duty_cycle=0.5)),
                         (PILOT, ControlPilot('B', 'B1', 0.0)), (LIMITS, Limits())):
        state.put(topic, value)
    assert pokes == [CHARGING, PILOT, PILOT, LIMITS]
