"""Smart charging on real processes: a CSMS-style client, a simulated vehicle, and kill -9."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from live_charger import CHARGER, LiveCharger, boottime, drawn, live_charger, wait_until

from charger_control.cli.charger.profiles import profiles

REACTION = 6.0
"""s that a vehicle may take to obey; this one takes 0.5 s, and the signal may step each second."""


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCharger]:
    folder = tmp_path_factory.mktemp('charger')
    (folder / 'profiles').mkdir()
    with live_charger(folder, {'smart_charging': {
            'clock_trust': 'always', 'profiles_dir': str(folder / 'profiles')}}) as live:
        live.charge()
        yield live


@pytest.fixture(autouse=True)
def nothing_installed(charger: LiveCharger) -> Iterator[None]:
    charger.wait_for(lambda c: c['commandedAmperage'] == 16.0, 40.0, 'the fuse alone limits')
    yield
    ask(charger, 'DELETE', 'profiles')


def ask(charger: LiveCharger, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, f'{charger.url}/api/v1/{path}', timeout=10, **options)


def profile(*periods: tuple[float, ...], start: float, number: int = 1, **fields: Any
            ) -> dict[str, Any]:
    """A SetChargingProfile request of OCPP 1.6."""
    names = ('startPeriod', 'limit', 'numberPhases')
    return {'connectorId': fields.pop('connectorId', 0), 'csChargingProfiles': {
        'chargingProfileId': number, 'stackLevel': number,
        'chargingProfilePurpose': 'TxDefaultProfile', 'chargingProfileKind': 'Absolute',
        'chargingSchedule': {
            'startSchedule': datetime.fromtimestamp(start, UTC).isoformat(),
            'chargingRateUnit': 'A', 'chargingSchedulePeriod': [
                dict(zip(names, p, strict=False)) for p in periods]}, **fields}}


def post(charger: LiveCharger, payload: Any) -> None:
    answer = ask(charger, 'POST', 'profiles', json=payload)
    assert (answer.status_code, answer.json()) == (200, {'status': 'Accepted'}), answer.text


class Command:
    """``charger profiles`` in this process: a new one takes seconds to import its libraries."""

    def __init__(self, charger: LiveCharger, capfd: pytest.CaptureFixture[str]) -> None:
        self._charger, self._capfd = charger, capfd
        self.code, self.error = 0, ''

    def __call__(self, *arguments: str) -> str:
        """Standard output; exit code and standard error are kept."""
        try:
            profiles.main(['--namespace', self._charger.namespace, *arguments])
        except SystemExit as end:
            self.code = int(end.code or 0)
        output, self.error = self._capfd.readouterr()
        return output


def test_the_vehicle_follows_each_period(charger: LiveCharger) -> None:
    steps = [(0, 9.0), (7, 13.0), (14, 7.5)]
    begin = math.floor(time.time()) + 2
    post(charger, profile(*steps, start=begin))
    for at, limit in steps:
        wait_until(lambda at=at: time.time() >= begin + at, 10.0, 'the period')
        # down at once, up once the team has granted it
        charger.wait_for(lambda c, limit=limit: c['commandedAmperage'] == limit,
                         3.0 if at == 7 else 1.0, f'commanded {limit} A soon after {at} s')
        charger.wait_for(lambda c, limit=limit: drawn(c) == pytest.approx(limit, abs=0.5), REACTION,
                         f'{limit} A is drawn')
        assert time.time() < begin + at + 7.0, 'before the next period'
    # the board is the witness: nothing above the schedule was offered, from a moment after on
    shift = time.time() - boottime()
    ends = [*(begin + at for at, _ in steps[1:]), time.time()]
    for (at, limit), end in zip(steps, ends, strict=True):
        offers = [e['amperage'] for e in charger.events('offer')
                  if begin + at + 1.5 < e['t'] + shift < end]
        assert all(amperage <= limit + 2.1 for amperage in offers), 'the limit, and the trim'
    state = charger.get('transaction').json()
    assert (state['allocationSourceName'], state['onePhaseLimitActive']) == ('OCPP Profile', False)


def test_kill_9_of_the_control_process(charger: LiveCharger) -> None:
    post(charger, profile((0, 9.0, 1), start=time.time() - 5))
    charger.wait_for(lambda c: c['commandedAmperage'] == 9.0, 2.0, 'commanded 9 A')
    state = charger.get('transaction').json()
    # the simulated board cannot switch phases, and what cannot be is not claimed
    assert (state['onePhaseLimitActive'], state['phaseLimitSourceName']) == (False, '')
    before, since = charger.pid_of('control'), boottime()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: charger.pid_of('control') != before, 10.0, 'it starts again')
    charger.wait_for(lambda c: c['commandedAmperage'] == 9.0, 30.0, 'the profile is in force')
    charger.wait_for(lambda c: drawn(c) == pytest.approx(9.0, abs=0.5), 15.0, '9 A are drawn')
    assert all(e['amperage'] <= 9.0 + 2.1 for e in charger.events('offer', since))
    assert [p['request']['csChargingProfiles']['chargingProfileId']
            for p in charger.get('profiles').json()['profiles']] == [1]


def test_a_transaction_is_bound_and_its_profile_obeyed(charger: LiveCharger) -> None:
    answer = ask(charger, 'PUT', 'transaction', json={'ocppTransactionId': 77})
    assert (answer.status_code, answer.text) == (204, '')
    wait_until(lambda: charger.get('transaction').json()['ocppTransactionId'] == '77', 2.0, 'bound')
    tx = {'chargingProfilePurpose': 'TxProfile', 'connectorId': 1}
    gone = ask(charger, 'POST', 'profiles', json=profile((0, 20.0), start=time.time(),
                                                        transactionId=76, **tx))
    assert (gone.status_code, gone.json()['error']['code']) == (
        409, 'TxProfileTransactionNotOnEvse')
    post(charger, profile((0, 8.0), start=time.time() - 5, transactionId=77, **tx))
    charger.wait_for(lambda c: c['commandedAmperage'] == 8.0, 2.0, 'commanded 8 A')
    assert charger.board is not None
    charger.board.do('unplug')
    wait_until(lambda: charger.get('profiles').json()['profiles'] == [], 10.0,
               'the profile goes with its transaction')
    none = ask(charger, 'PUT', 'transaction', json={'ocppTransactionId': 78})
    assert (none.status_code, none.json()['error']['code']) == (409, 'NoTransaction')
    charger.charge()


@pytest.mark.parametrize(('change', 'status', 'code'), [
    (lambda p: p.pop('connectorId'), 400, 'MissingField'),
    (lambda p: p['csChargingProfiles'].update(colour='red'), 400, 'FormatViolation'),
    (lambda p: p['csChargingProfiles'].update(chargingProfilePurpose='Fun'), 400,
     'ChargingProfileUnsupportedPurpose'),
    (lambda p: schedule(p).append({'startPeriod': 0, 'limit': 20.0}), 400,
     'ChargingSchedulePeriodsOutOfOrder'),
    (lambda p: schedule(p)[0].update(limit=math.nan), 400, 'ChargingSchedulePeriodNonFiniteValue'),
    (lambda p: schedule(p)[0].update(limit=-1.0), 400, 'ChargingSchedulePeriodNegativeLimit'),
    (lambda p: schedule(p).extend({'startPeriod': i, 'limit': 20.0} for i in range(1, 10_000)),
     400, 'ChargingScheduleTooManyPeriods'),
    (lambda p: p.update(connectorId=2), 404, 'EvseDoesNotExist'),
], ids=lambda value: value if isinstance(value, str) else '')
def test_bad_profiles_are_refused(charger: LiveCharger, change: Any, status: int, code: str
                                  ) -> None:
    payload = profile((0, 20.0), start=time.time(), number=2)
    change(payload)
    answer = ask(charger, 'POST', 'profiles', data=json.dumps(payload))
    assert (answer.status_code, answer.json()['error']['code']) == (status, code)
    assert len(answer.json()['error']['detail']) > 15
    assert charger.get('profiles').json() == {'profiles': []}
    assert charger.charging()['commandedAmperage'] == 16.0  # type: ignore[index]


def schedule(payload: Any) -> Any:
    return payload['csChargingProfiles']['chargingSchedule']['chargingSchedulePeriod']


def test_composite_schedule(charger: LiveCharger) -> None:
    answer = ask(charger, 'GET', 'composite-schedule?duration=600&unit=W')
    assert answer.json()['chargingSchedule']['chargingSchedulePeriod'] == [
        {'startPeriod': 0, 'limit': 16.0 * 690}]
    assert ask(charger, 'GET', 'composite-schedule?duration=-1').status_code == 400


def test_the_command(charger: LiveCharger, tmp_path: Path, capfd: pytest.CaptureFixture[str],
                     monkeypatch: pytest.MonkeyPatch) -> None:
    command = Command(charger, capfd)
    file, picture = tmp_path / 'night.json', tmp_path / 'night.png'
    file.write_text(json.dumps(profile((0, 11.0), (3600, 6.0, 1), start=time.time() - 5)))
    assert command('set', str(file)) == 'Accepted: TxDefaultProfile 1 (stack level 1)\n'
    charger.wait_for(lambda c: c['commandedAmperage'] == 11.0, 2.0, 'commanded 11 A')
    listed = command('list').splitlines()
    assert listed[1].split() == ['1', '1.6', 'TxDefaultProfile', '0', '1', 'Absolute', '2', 'csms']
    monkeypatch.setenv('COLUMNS', '100')
    shown = command('show')
    assert f'/{charger.namespace}: charging profiles, A per phase' in shown
    assert '█ one phase' in shown
    assert [line.split()[-1] for line in shown.splitlines()[-2:]] == ['11.0', '1']
    assert command('show', '--png', str(picture)) == f'{picture}\n'
    assert picture.read_bytes().startswith(b'\x89PNG')
    assert command.code == 0

    monkeypatch.setattr('sys.stdin', io.StringIO('{"connectorId": 0}'))
    command('set', '-')
    assert (command.code, command.error.startswith('Error: MissingField')) == (1, True)
    file.write_text('{')
    command('set', str(file))
    assert (command.code, f'{file} is not JSON' in command.error) == (1, True)
    command('clear')
    assert command.code == 2, 'not everything by mistake'
    assert command('clear', '--id', '1') == 'Accepted\n'
    command('clear', '--all')
    assert (command.code, 'Unknown' in command.error) == (1, True)
    assert command('list', '--json') == '[]\n'


def test_a_file_of_the_directory(charger: LiveCharger) -> None:
    file = charger.folder / 'profiles' / 'robot.json'
    file.write_text(json.dumps(profile((0, 10.0), start=time.time() - 5)))
    charger.wait_for(lambda c: c['commandedAmperage'] == 10.0, 4.0, 'commanded 10 A')
    assert charger.get('profiles').json()['profiles'][0]['source'] == 'robot.json'
    file.unlink()
    charger.wait_for(lambda c: c['commandedAmperage'] == 16.0, 10.0, 'back at 16 A')


def test_no_charger_answers() -> None:
    done = subprocess.run([*CHARGER, 'profiles', '--namespace', 'nobody', '--timeout', '0.5',
                           'list'], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert 'no charger answers in namespace /nobody' in done.stderr
