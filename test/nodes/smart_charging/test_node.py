"""The smart_charging node in a real graph, with a real store under it, killed in the middle too."""

from __future__ import annotations

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rosgraph_msgs.msg import Clock

from charger_control.core.heard import Heard
from charger_control.core.limits import in_force
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment
from charger_control.core.units import NAN
from charger_control.nodes.smart_charging import node as smart_charging
from charger_control.nodes.smart_charging.node import PARAMS, SmartCharging, config_of
from charger_control.ros.convert import from_message
from charger_control.ros.diagnostics import Level
from charger_control.ros.interfaces import (
    CLEAR_CHARGING_PROFILE,
    DECISION,
    GET_CHARGING_PROFILES,
    GET_COMPOSITE_SCHEDULE,
    LIMIT_HW,
    LIMIT_SMART_CHARGING,
    METER,
    SET_CHARGING_PROFILE,
    TRANSACTION,
)
from charger_control.ros.parameters import ParameterError, check
from charger_control.ros.runner import SWITCH_INTERVAL
from charger_control.store import Reader, store_file

DAY = 86_400
TRUSTED = {'clock_trust': 'always'}
SESSION = Transaction(session_id='session-1', state='Charging', started_time=time.time() - 60.0)


def utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')


def profile(*periods: tuple[float, ...], number: int = 1, start: float | None = None,
            unit: str = 'A', evse: int = 0, duration: int | None = None, **fields: Any
            ) -> dict[str, Any]:
    """A SetChargingProfile request of OCPP 1.6; absolute from ``start`` (now) on."""
    names = ('startPeriod', 'limit', 'numberPhases')
    schedule = {'chargingRateUnit': unit, 'startSchedule': utc(start or time.time()),
                'chargingSchedulePeriod': [dict(zip(names, p, strict=False)) for p in periods]}
    return {'connectorId': evse, 'csChargingProfiles': {
        'chargingProfileId': number, 'stackLevel': number,
        'chargingProfilePurpose': 'TxDefaultProfile', 'chargingProfileKind': 'Absolute',
        'chargingSchedule': schedule | ({} if duration is None else {'duration': duration}),
        **fields}}


def tx_profile(*periods: tuple[float, ...], **fields: Any) -> dict[str, Any]:
    return profile(*periods, **{'evse': 1, 'number': 7, 'chargingProfilePurpose': 'TxProfile',
                                **fields})


class Csms:
    """What asks the node, and hears it."""

    def __init__(self, graph: Any, folder: Path) -> None:
        self.graph, self.folder = graph, folder
        self.heard: list[Heard[AmperageLimit]] = []
        graph.probe.create_subscription(
            LIMIT_SMART_CHARGING.type, LIMIT_SMART_CHARGING.name,
            lambda m: self.heard.append(Heard(from_message(m), time.time())),
            LIMIT_SMART_CHARGING.qos)

    def start(self, **parameters: Any) -> Any:
        before = len(self.heard)
        node = self.graph.start(SmartCharging, **{'state_dir': str(self.folder), **TRUSTED,
                                                  **parameters})
        self.graph.until(lambda: len(self.heard) > before)
        return node

    @property
    def limit(self) -> AmperageLimit:
        """The last word."""
        return self.heard[-1].value

    def until(self, amperage: float, within: float = 2.0) -> AmperageLimit:
        self.graph.until(lambda: self.heard and self.limit.amperage == amperage, within)
        return self.limit

    def set(self, payload: dict[str, Any], version: str = '1.6') -> Any:
        return self.graph.ask(SET_CHARGING_PROFILE, ocpp_version=version,
                              request_json=json.dumps(payload))

    def install(self, payload: dict[str, Any], version: str = '1.6') -> None:
        answer = self.set(payload, version)
        assert (answer.success, answer.code) == (True, 'Accepted'), answer

    def clear(self, version: str = '1.6', **criteria: Any) -> Any:
        return self.graph.ask(CLEAR_CHARGING_PROFILE, ocpp_version=version,
                              request_json=json.dumps(criteria))

    def installed(self) -> list[Any]:
        """Ids of the profiles, as the service says."""
        answer = self.graph.ask(GET_CHARGING_PROFILES)
        return [next(p['request'][name] for name in ('csChargingProfiles', 'chargingProfile')
                     if name in p['request']).get('chargingProfileId')
                for p in json.loads(answer.profiles_json)]

    def stored(self) -> dict[str, Any]:
        """Profiles as they lie on the disk."""
        return Reader(store_file(str(self.folder))).items('smart_charging', 'profile/')

    def composite(self, version: str = '1.6', **wanted: Any) -> Any:
        return self.graph.ask(GET_COMPOSITE_SCHEDULE, ocpp_version=version,
                              request_json=json.dumps(wanted))


@pytest.fixture
def csms(graph: Any, tmp_path: Path) -> Csms:
    return Csms(graph, tmp_path)


# -- the limit -------------------------------------------------------------------------------------
def test_nothing_installed_is_no_opinion(csms: Csms) -> None:
    node = csms.start()
    assert math.isnan(csms.limit.amperage)
    assert math.isnan(csms.limit.lost_amperage)
    assert {h.level for h in node.health()} == {Level.OK}


def test_periods_on_the_second_and_nothing_lapsed_is_held(csms: Csms) -> None:
    csms.start()
    begin = math.ceil(time.time()) + 1
    steps = [(0, 16.0), (1, 10.0), (2, 20.0), (3, 0.0), (4, 13.0), (5, 6.5)]
    csms.install(profile(*steps, start=begin))
    csms.graph.until(lambda: time.time() > begin + 5.5)

    for before, (at, limit) in zip([math.inf, *(s[1] for s in steps[:-1])], steps, strict=True):
        boundary = begin + at
        came = min(h.at for h in csms.heard if h.value.amperage == limit)
        if limit < before:  # in time, and not long before
            assert boundary - 0.35 <= came <= boundary, (limit, came - boundary)
        else:
            assert boundary - 0.01 <= came <= boundary + 0.35, (limit, came - boundary)
    # a receiver that goes by valid_for never has more than the schedule, and never nothing
    for tick in range(int(5.4 * 100)):
        at = begin + tick / 100
        word = [h for h in csms.heard if h.at <= at][-1:]
        allowed = next(limit for start, limit in reversed(steps) if start <= tick / 100)
        assert in_force(word[0], at) <= allowed if word else tick < 35, at - begin


def test_the_limit_is_repeated_before_it_runs_out(csms: Csms) -> None:
    csms.start()
    csms.install(profile((0, 16.0), (DAY, 10.0)))
    csms.graph.turn(2.3)
    words = [h for h in csms.heard if h.value.amperage == 16.0]
    assert len(words) >= 3
    assert all(later.at - word.at < min(1.3, word.value.valid_for)
               for word, later in pairwise(words))
    assert words[-1].value.lost_amperage == 6.0
    assert 'TxDefaultProfile 1' in words[-1].value.reason


def test_a_wall_clock_that_is_set_shows_at_once(csms: Csms, monkeypatch: pytest.MonkeyPatch
                                               ) -> None:
    node = csms.start(rate=0.5)
    csms.install(profile((0, 16.0), (3600, 10.0), (7200, 12.0)))
    csms.until(16.0)
    monkeypatch.setattr(node, 'wall', lambda: time.time() + 3700.0)
    csms.until(10.0, within=0.5)
    monkeypatch.setattr(node, 'wall', lambda: time.time() + 7300.0)
    csms.until(12.0, within=0.5)
    monkeypatch.setattr(node, 'wall', time.time)  # back: either may be right, the lowest holds
    csms.graph.until(lambda: 'in doubt' in csms.limit.reason, within=0.5)
    assert node.health()[0].level is Level.WARN


def test_after_a_suspend_the_limit_of_now_is_there_at_once(csms: Csms,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    node = csms.start(rate=0.5)
    csms.install(profile((0, 16.0), (3600, 10.0)))
    csms.until(16.0)
    for name in ('wall', 'now'):  # both clocks have gone on while nothing ran
        clock = getattr(node, name)
        monkeypatch.setattr(node, name, lambda clock=clock: clock() + 3700.0)
    csms.until(10.0, within=0.5)


def test_simulated_time(csms: Csms) -> None:
    clock = csms.graph.probe.create_publisher(Clock, '/clock', 10)

    def at(when: float) -> None:
        message = Clock()
        message.clock.sec, message.clock.nanosec = int(when), int(when % 1 * 1e9)
        csms.graph.until(lambda: clock.get_subscription_count() > 0)
        clock.publish(message)

    begin = 1_000_000_000.0  # 2001: not the machine's time, which the store may know
    with csms.graph.clock_at(begin):
        csms.graph.start(SmartCharging, state_dir=str(csms.folder), use_sim_time=True,
                         clock_trust='synchronised')
    at(begin)
    csms.graph.turn(0.1)
    csms.install(profile((0, 16.0), (600, 10.0), start=begin))
    at(begin + 0.2)
    csms.until(16.0)
    for second in (599.0, 599.85, 600.0):
        at(begin + second)
        csms.graph.turn(0.05)
    csms.until(10.0)


def test_a_clock_in_doubt_is_the_lowest_of_a_day(csms: Csms, monkeypatch: pytest.MonkeyPatch
                                                ) -> None:
    trusted = False
    monkeypatch.setattr(smart_charging, 'moment', lambda: Moment(
        'boot', time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), trusted))
    node = csms.start(clock_trust='synchronised')
    assert math.isnan(csms.limit.amperage), 'no profile, no doubt'
    csms.install(profile((0, 16.0), (12 * 3600, 8.0), (48 * 3600, 2.0), number=1))
    csms.install(profile((0, 32.0), number=2, start=time.time() - DAY, duration=60))  # over
    limit = csms.until(8.0)
    assert limit.valid_for == 60.0
    health, *_ = node.health()
    assert (health.level, 'not synchronised' in health.message) == (Level.WARN, True)
    assert csms.installed() == [1, 2], 'nothing expires by a clock in doubt'
    trusted = True
    csms.until(16.0)
    csms.graph.until(lambda: csms.installed() == [1])


def test_phases_of_a_profile_and_watts(csms: Csms) -> None:
    csms.start(has_phase_shutoff=True)
    csms.graph.say(METER, MeterReading((230.0,) * 3, (0.0,) * 3))
    csms.install(profile((0, 16.0, 1), (3600, 16.0, 3)))
    assert csms.until(16.0).phases == 1
    csms.install(profile((0, 3680.0, 1), unit='W'))
    # as long as three are switched on it is a power on three
    assert csms.until(pytest.approx(3680 / 690)).phases == 1
    csms.graph.say(DECISION, Decision(phases=1))
    csms.graph.say(METER, MeterReading((230.0,) * 3, (0.0,) * 3))
    assert csms.until(16.0).phases == 1
    csms.graph.say(METER, MeterReading((230.0,) * 3, (10.0,) * 3))  # three carry current
    csms.until(pytest.approx(3680 / 690))


# -- what is stored --------------------------------------------------------------------------------
def test_what_raises_is_on_the_disk_before_it_is_in_force(csms: Csms) -> None:
    csms.start()
    csms.install(profile((0, 10.0)))
    csms.until(10.0)
    with closing(sqlite3.connect(store_file(str(csms.folder)), isolation_level=None)) as other:
        other.execute('BEGIN IMMEDIATE')  # the disk does not answer
        start = time.monotonic()
        answer = csms.set(profile((0, 20.0)))
        assert 1.4 <= time.monotonic() - start < 1.95, 'before the web side gives up'
        assert (answer.success, answer.code) == (False, 'StoreFailed')
        assert csms.limit.amperage == 10.0
        start = time.monotonic()
        pending = csms.graph.call(SET_CHARGING_PROFILE, ocpp_version='1.6',
                                  request_json=json.dumps(profile((0, 8.0))))
        csms.until(8.0, within=0.5)
        assert not pending.done()
        csms.graph.until(pending.done)
        assert pending.result().success
        assert 'until restart' in pending.result().message
        other.execute('ROLLBACK')
    csms.graph.until(lambda: '"limit": 8.0' in json.dumps(csms.stored()))
    assert all(h.value.amperage != 20.0 for h in csms.heard)


NODE = """
import sys
from charger_control.nodes.smart_charging.node import main
sys.exit(main())
"""


@pytest.fixture
def process(csms: Csms) -> Iterator[Any]:
    """Starts the node as a process of its own; whatever runs is killed at the end."""
    running: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        before = len(csms.heard)
        running.append(subprocess.Popen([
            sys.executable, '-c', NODE, '--ros-args', '-p', f'state_dir:={csms.folder}', '-p',
            'clock_trust:=always']))
        csms.graph.until(lambda: len(csms.heard) > before, within=20.0)
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.wait()


def test_what_was_accepted_survives_kill_9(csms: Csms, process: Any) -> None:
    one = process()
    csms.install(profile((0, 16.0), number=1))
    answer = csms.set(profile((0, 9.0), (DAY, 7.0), number=2))
    os.kill(one.pid, signal.SIGKILL)  # at once after the answer
    one.wait()
    assert answer.success
    heard = len(csms.heard)
    one = process()
    assert csms.heard[heard].value.amperage == 9.0, 'from its first word on'
    assert csms.installed() == [1, 2]
    assert csms.clear(id=2).success
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    heard = len(csms.heard)
    process()
    assert csms.heard[heard].value.amperage == 16.0


def test_a_damaged_store_holds_lost_amperage_until_profiles_come_back(csms: Csms) -> None:
    file = store_file(str(csms.folder))
    file.write_bytes(b'rubbish' * 1000)
    node = csms.start(lost_amperage=7.5)
    assert csms.limit.amperage == 7.5
    assert csms.limit.lost_amperage == 7.5
    assert 'lost' in csms.limit.reason
    health, *_ = node.health()
    assert (health.level, '.corrupt-' in health.values['lost']) == (Level.ERROR, True)
    assert list(csms.folder.glob('*.corrupt-*'))
    csms.graph.until(lambda: Reader(file).get('smart_charging', 'state'))
    csms.graph.stop(node)
    node = csms.start()  # a restart is no reason to forget
    assert csms.limit.amperage == 6.0
    csms.install(profile((0, 16.0)))
    csms.until(16.0)
    assert node.health()[0].level is Level.OK
    csms.graph.stop(node)
    csms.start()
    assert csms.limit.amperage == 16.0


def test_a_damaged_store_is_over_when_profiles_are_cleared(csms: Csms) -> None:
    store_file(str(csms.folder)).write_bytes(b'rubbish' * 1000)
    csms.start()
    assert csms.limit.amperage == 6.0
    assert csms.clear().success
    csms.graph.until(lambda: math.isnan(csms.limit.amperage))
    assert csms.clear().code == 'Unknown'


def test_a_store_that_is_not_there_yet(csms: Csms) -> None:
    (csms.folder / 'taken').write_text('')
    node = csms.start(state_dir=str(csms.folder / 'taken'))
    assert csms.limit.amperage == 6.0, 'what was installed is not known'
    assert csms.set(profile((0, 16.0))).code == 'StoreFailed'
    assert csms.limit.amperage == 6.0
    (csms.folder / 'taken').unlink()
    csms.graph.until(lambda: csms.set(profile((0, 16.0))).success)
    csms.until(16.0)
    csms.graph.until(lambda: node.health()[0].level is Level.OK)


# -- transactions ----------------------------------------------------------------------------------
def test_a_tx_profile_lives_as_long_as_its_session(csms: Csms) -> None:
    csms.start()
    csms.install(profile((0, 16.0)))
    answer = csms.set(tx_profile((0, 9.0)))
    assert (answer.success, answer.code) == (False, 'TxProfileEvseHasNoActiveTransaction')
    csms.graph.say(TRANSACTION, SESSION)
    csms.graph.until(lambda: csms.set(tx_profile((0, 9.0))).success)
    csms.until(9.0)
    csms.graph.say(TRANSACTION, replace(SESSION, state='Idle', ended_time=time.time()))
    csms.until(16.0)
    assert csms.installed() == [1]
    assert list(csms.stored()) == ['profile/1']


def test_a_tx_profile_after_a_restart(csms: Csms) -> None:
    node = csms.start()
    session = replace(SESSION, ocpp_transaction_id='42')
    csms.graph.say(TRANSACTION, session)
    csms.graph.until(lambda: csms.set(tx_profile((0, 9.0), transactionId=42)).success)
    csms.graph.stop(node)
    node = csms.start()
    assert csms.limit.amperage == 9.0, 'before anybody says what runs'
    csms.graph.say(TRANSACTION, session)
    csms.graph.turn(0.3)
    assert csms.limit.amperage == 9.0
    csms.graph.stop(node)
    csms.start()  # and meanwhile another vehicle has come
    csms.graph.say(TRANSACTION, replace(session, session_id='session-2'))
    csms.graph.until(lambda: math.isnan(csms.limit.amperage))
    assert csms.stored() == {}


def test_the_id_of_the_csms_is_bound(csms: Csms) -> None:
    csms.start()
    csms.graph.say(TRANSACTION, SESSION)
    csms.graph.until(lambda: csms.set(tx_profile((0, 9.0))).success)
    assert csms.set(tx_profile((0, 8.0), transactionId=42)).code == 'TxProfileTransactionNotOnEvse'
    csms.graph.say(TRANSACTION, replace(SESSION, ocpp_transaction_id='42'))
    csms.graph.until(lambda: '"transactionId": 42' in json.dumps(csms.stored()))
    csms.install(tx_profile((0, 8.0), transactionId=42))
    csms.until(8.0)
    gone = csms.set(tx_profile((0, 7.0), transactionId=41))
    assert (gone.code, '42' in gone.message) == ('TxProfileTransactionNotOnEvse', True)


# -- requests --------------------------------------------------------------------------------------
def bad(**fields: Any) -> dict[str, Any]:
    return profile((0, 20.0), number=3, **fields)


def bad_period(**fields: Any) -> dict[str, Any]:
    payload = bad()
    payload['csChargingProfiles']['chargingSchedule']['chargingSchedulePeriod'][0] |= fields
    return payload


BAD: dict[str, tuple[Any, str]] = {
    'no JSON': ('{"connectorId"', 'FormatViolation'),
    'a field too many': (bad(colour='red'), 'FormatViolation'),
    'a field too few': ({'connectorId': 0}, 'MissingField'),
    'a wrong type': (bad_period(limit='20'), 'WrongType'),
    'periods out of order': (profile((0, 20.0), (60, 10.0), (30, 16.0), number=3),
                             'ChargingSchedulePeriodsOutOfOrder'),
    'first period late': (profile((1, 20.0), number=3),
                          'ChargingProfileFirstStartScheduleIsNotZero'),
    'NaN': (bad_period(limit=NAN), 'ChargingSchedulePeriodNonFiniteValue'),
    'infinite': (bad_period(limit=math.inf), 'ChargingSchedulePeriodNonFiniteValue'),
    'negative': (bad_period(limit=-1.0), 'ChargingSchedulePeriodNegativeLimit'),
    'four phases': (bad_period(numberPhases=4), 'ChargingSchedulePeriodUnsupportedNumberPhases'),
    'unknown purpose': (bad(chargingProfilePurpose='Fun'), 'ChargingProfileUnsupportedPurpose'),
    'unknown kind': (bad(chargingProfileKind='Fun'), 'ChargingProfileUnsupportedKind'),
    '10,000 periods': (profile(*((i, 20.0) for i in range(10_000)), number=3),
                       'ChargingScheduleTooManyPeriods'),
    'too large': (' ' * ((1 << 20) + 1), 'TooLarge'),
    'a transaction that is gone': (tx_profile((0, 20.0), number=3, transactionId=41),
                                   'TxProfileTransactionNotOnEvse'),
    'another outlet': (bad(evse=2), 'EvseDoesNotExist'),
    'stack level': (bad(stackLevel=100), 'ChargingProfileStackLevelAboveMaximum'),
    'recurring without kind': (bad(chargingProfileKind='Recurring'),
                               'ChargingProfileMissingRecurrencyKind'),
    'station limit on an outlet': (bad(evse=1, chargingProfilePurpose='ChargePointMaxProfile'),
                                   'ChargingStationMaxProfileEvseIdGreaterThanZero'),
}


def test_bad_input_is_refused_with_its_code_and_nothing_happens(csms: Csms) -> None:
    node = csms.start()
    csms.graph.say(TRANSACTION, replace(SESSION, ocpp_transaction_id='42'))
    csms.install(profile((0, 10.0)))
    csms.until(10.0)
    before, heard = csms.stored(), len(csms.heard)
    codes = {}
    for name, (payload, _) in BAD.items():
        text = payload if isinstance(payload, str) else json.dumps(payload)
        answer = csms.graph.ask(SET_CHARGING_PROFILE, ocpp_version='1.6', request_json=text)
        assert not answer.success
        assert len(answer.message) > 15, 'a sentence'
        codes[name] = answer.code
    assert codes == {name: code for name, (_, code) in BAD.items()}
    assert csms.set(bad(), '3.0').code == 'UnknownVersion'
    assert csms.stored() == before
    assert csms.installed() == [1]
    assert {h.value.amperage for h in csms.heard[heard:]} <= {10.0}
    assert node.health()[0].values['refused_requests'] == len(BAD) + 1


@pytest.fixture
def as_in_a_process_of_the_graph() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    yield
    sys.setswitchinterval(before)


def test_long_requests_do_not_hold_the_limit_up(csms: Csms, as_in_a_process_of_the_graph: None
                                                ) -> None:
    """The control nodes are in one process with this one: what is long is done beside."""
    csms.start(max_periods=10_000, rate=10.0)
    csms.install(profile((0, 10.0)))
    long = json.dumps(profile(*((i, 20.0) for i in range(10_000)), number=3))
    heard = len(csms.heard)
    answers = [csms.graph.call(SET_CHARGING_PROFILE, ocpp_version='1.6', request_json=long)
               for _ in range(12)]
    csms.graph.until(lambda: all(a.done() for a in answers), within=60.0)
    # were they checked in the executor, it would publish between them only
    assert len(csms.heard) - heard > 14, [round(h.at, 2) for h in csms.heard[heard:]]
    assert all(a.result().success for a in answers)


def test_clear_by_criteria(csms: Csms) -> None:
    csms.start()
    for number in (1, 2, 3):
        csms.install(profile((0, 10.0 + number), number=number))
    assert csms.clear(stackLevel=3).success
    assert csms.installed() == [1, 2]
    assert csms.clear('2.0.1', chargingProfileId=2).success
    answer = csms.clear(id=9)
    assert (answer.success, answer.code) == (False, 'Unknown')
    assert csms.clear().success
    assert csms.installed() == []
    csms.graph.until(lambda: math.isnan(csms.limit.amperage))


def test_composite_schedule(csms: Csms) -> None:
    csms.start()
    answer = csms.composite(connectorId=1, duration=600)
    assert (answer.success, answer.code, 'hw_limit' in answer.message) == (False, 'NotKnown', True)
    csms.graph.say(LIMIT_HW, AmperageLimit(13.0, valid_for=5.0, lost_amperage=0.0))
    csms.graph.until(lambda: csms.composite(connectorId=1, duration=600).success)

    def periods(**wanted: Any) -> Any:
        answer = json.loads(csms.composite(**wanted).response_json)
        assert answer['status'] == 'Accepted'
        return answer['chargingSchedule']['chargingSchedulePeriod']

    assert periods(connectorId=1, duration=600) == [{'startPeriod': 0, 'limit': 13.0}]
    assert periods(connectorId=0, duration=600, chargingRateUnit='W') == [
        {'startPeriod': 0, 'limit': 13.0 * 690}]
    begin = int(time.time()) + 100
    csms.install(profile((0, 8.0), (50, 9.0), start=begin, duration=100))
    # no vehicle is there: what one would get
    found = periods(connectorId=1, duration=600)
    assert [p['limit'] for p in found] == [13.0, 8.0, 9.0, 13.0]
    starts = [p['startPeriod'] for p in found]
    assert 95 <= starts[1] <= 100
    assert [s - starts[1] for s in starts[1:]] == [0, 50, 100]
    newer = json.loads(csms.composite('2.0.1', evseId=1, duration=60).response_json)
    assert newer['schedule']['evseId'] == 1
    assert csms.composite(connectorId=2, duration=60).code == 'EvseDoesNotExist'
    month = json.loads(csms.composite(connectorId=1, duration=31 * DAY).response_json)
    assert month['chargingSchedule']['duration'] == 31 * DAY


# -- the directory ---------------------------------------------------------------------------------
def test_files_of_a_directory(csms: Csms) -> None:
    folder = csms.folder / 'profiles'
    folder.mkdir()
    file = folder / 'night.json'
    file.write_text(json.dumps(profile((0, 12.0), number=1)))
    node = csms.start(profiles_dir=str(folder))
    assert csms.limit.amperage == 12.0, 'from the first word on'

    file.write_text(json.dumps(profile((0, 11.0), number=1)))
    csms.until(11.0, within=3.0)
    file.write_text('{"connectorId": ')  # broken: what was good stays
    csms.graph.until(lambda: node.health()[1].level is Level.WARN, within=3.0)
    assert 'night.json' in node.health()[1].message
    assert csms.limit.amperage == 11.0

    answer = csms.clear()
    assert (answer.code, 'night.json' in answer.message) == ('Unknown', True)
    assert csms.set(profile((0, 32.0), number=1)).code == 'DuplicateProfileOfOtherSource'
    csms.graph.stop(node)
    node = csms.start(profiles_dir=str(folder))  # broken still
    assert csms.limit.amperage == 11.0

    (folder / 'other.json').write_text(json.dumps(profile((0, 9.0), number=2)))
    csms.until(9.0, within=3.0)
    (folder / 'other.json').unlink()
    csms.until(11.0, within=3.0)
    file.unlink()
    csms.graph.until(lambda: math.isnan(csms.limit.amperage), within=3.0)
    csms.graph.until(lambda: csms.stored() == {})
    assert node.health()[1].level is Level.OK


def test_a_directory_that_is_missing_or_no_longer_watched(csms: Csms) -> None:
    folder = csms.folder / 'profiles'
    folder.mkdir()
    (folder / 'a.json').write_text(json.dumps(profile((0, 12.0))))
    node = csms.start(profiles_dir=str(folder))
    csms.graph.until(csms.stored)
    csms.graph.stop(node)
    folder.rename(csms.folder / 'away')
    node = csms.start(profiles_dir=str(folder))
    assert csms.limit.amperage == 12.0, 'what could not be read is not gone'
    assert (node.health()[1].level, str(folder) in node.health()[1].message) == (Level.WARN, True)
    csms.graph.stop(node)
    csms.start()
    csms.graph.until(lambda: math.isnan(csms.limit.amperage))


# -- parameters ------------------------------------------------------------------------------------
def test_parameters_are_checked(csms: Csms) -> None:
    assert check(PARAMS, {}, 'smart_charging')['lost_amperage'] == 6.0
    for name, value in (('clock_trust', 'maybe'), ('lost_amperage', -1.0), ('max_profiles', 0)):
        with pytest.raises(ParameterError, match=name):
            check(PARAMS, {name: value}, 'smart_charging')
    with pytest.raises(ParameterError, match='Europe/Berlin'):
        csms.graph.start(SmartCharging, state_dir=str(csms.folder), time_zone='Europe/Nowhere')
    values = check(PARAMS, {}, 'smart_charging')
    for zone in ('', '../etc/passwd', 'Europe'):
        with pytest.raises(ValueError, match='time_zone'):
            config_of(values | {'time_zone': zone})
    assert config_of(values | {'time_zone': 'Europe/Berlin'}).lost_amperage == 6.0
    for phases, switches, obeyed in ((3, False, False), (3, True, True), (1, False, True)):
        config = config_of(values | {'phases': phases, 'has_phase_shutoff': switches})
        assert config.switches_phases is obeyed
