"""``charger session``: list, show, export, also while something writes."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from charger_control.cli.charger.session import session
from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment
from charger_control.core.session import SessionRecord
from charger_control.core.units import NAN
from charger_control.store import Store, store_file

NOON = datetime(2026, 3, 1, 12, 0, 0).timestamp()
IDS = ('aaaa1111-0000', 'aaaa2222-0000', 'bbbb3333-0000')


def record(number: int, **fields: Any) -> SessionRecord:
    start = NOON + 86_400.0 * number
    values: dict[str, Any] = {
        'session_id': IDS[number], 'state': 'Idle', 'started_time': start,
        'ended_time': start + 3725.0, 'meter_start': 10.0 * number,
        'meter_stop': 10.0 * number + 7.25, 'used_phases_session': '111',
        'start_reason': 'CablePluggedIn', 'stop_reason': 'EVDisconnected'}
    saved = Moment('b', 1.0, start + 60.0, True)
    return SessionRecord(Transaction(**values | fields), saved, 'SN1')


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Two sessions that ended and one that runs; the store stays open for writing."""
    with closing(Store(store_file(str(tmp_path), 'charger'))) as store:
        for number in range(2):
            store.put_session(record(number)).result(5)
        store.put_session(record(2, state='Charging', ended_time=NAN, stop_reason='',
                                 meter_stop=NAN)).result(5)
        yield tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(session, ['--state-dir', str(folder), *arguments])


def test_list(folder: Path) -> None:
    got = run(folder, 'list')
    assert got.exit_code == 0
    head, running, second, first = got.output.splitlines()
    assert head.split()[:3] == ['ID', 'STARTED', 'TIME']
    assert first.split() == ['aaaa1111', '2026-03-01', '12:00:00', '1:02:05', '7.250', 'kWh', '111',
                             'ended', 'EVDisconnected']
    assert second.startswith('aaaa2222')
    assert running.split() == ['bbbb3333', '2026-03-03', '12:00:00', '0:01:00', '-', '111',
                               'Charging']
    assert len(run(folder, 'list', '--last', '1').output.splitlines()) == 2


def test_list_as_json(folder: Path) -> None:
    rows = json.loads(run(folder, 'list', '--json').output)
    assert [row['session_id'] for row in rows] == list(reversed(IDS))
    assert rows[0]['ended_time'] is None
    assert rows[0]['energy'] is None
    assert rows[1]['energy'] == 7.25
    assert rows[1]['meter_serial_number'] == 'SN1'


def test_show(folder: Path) -> None:
    got = run(folder, 'show', 'aaaa2')
    shown = dict(line.split(maxsplit=1) for line in got.output.splitlines())
    assert shown['session_id'] == IDS[1]
    assert shown['stop_reason'] == 'EVDisconnected'
    assert shown['energy'] == '7.25'
    assert shown['started_time'].startswith('2026-03-02 12:00:00')
    assert shown['recent_error_cause'] == '-'
    assert json.loads(run(folder, 'show', '--json', 'b').output)['state'] == 'Charging'


@pytest.mark.parametrize(('name', 'words'), [
    ('zzz', "no session 'zzz'"), ('aaaa', "2 sessions begin with 'aaaa'")])
def test_show_what_is_not_one_session(folder: Path, name: str, words: str) -> None:
    got = run(folder, 'show', name)
    assert got.exit_code == 1
    assert words in got.output


def test_export_csv(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(folder, 'export').output)))
    assert [row['session_id'] for row in rows] == list(IDS)
    assert datetime.fromisoformat(rows[0]['started_time']).timestamp() == NOON
    assert rows[0]['started_time'].endswith('+00:00')
    assert (rows[0]['energy'], rows[0]['meter_start'], rows[0]['meter_stop']) == ('7.25', '0.0',
                                                                                '7.25')
    assert (rows[2]['ended_time'], rows[2]['energy'], rows[2]['meter_stop']) == ('', '', '')


def test_export_json_of_some_days_to_a_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / 'out.json'
    got = run(folder, 'export', '--json', '--output', str(file), '--since', '2026-03-02',
              '--until', '2026-03-03')
    assert (got.exit_code, got.output) == (0, '')
    (row,) = json.loads(file.read_text())
    assert row['session_id'] == IDS[1]
    assert not any(isinstance(v, float) and not math.isfinite(v) for v in row.values())
    got = run(folder, 'export', '--output', str(tmp_path / 'no' / 'out.csv'))
    assert got.exit_code == 1
    assert 'cannot write' in got.output


def test_no_store(tmp_path: Path) -> None:
    got = run(tmp_path, 'list')
    assert got.exit_code == 1
    assert str(tmp_path / 'charger.sqlite') in got.output
    assert 'namespace' in got.output
    assert run(tmp_path, 'list', '--help').exit_code == 0
    assert list(tmp_path.iterdir()) == []  # reading makes nothing


def test_a_damaged_store_is_said_and_left_alone(tmp_path: Path) -> None:
    file = store_file(str(tmp_path), 'charger')
    file.write_bytes(b'rubbish' * 1000)
    got = run(tmp_path, 'list')
    assert got.exit_code == 1
    assert 'not a database' in got.output
    assert file.read_bytes() == b'rubbish' * 1000


def test_another_namespace(folder: Path) -> None:
    got = run(folder, '--namespace', '/depot/left', 'list')
    assert got.exit_code == 1
    assert 'depot.left.sqlite' in got.output


@pytest.mark.parametrize('before', [True, False])
def test_the_options_may_stand_before_or_after_the_subcommand(folder: Path, before: bool) -> None:
    options = ['--namespace', 'charger', '--state-dir', str(folder)]
    for command in (['list', '--json'], ['export', '--json'], ['show', 'bbbb', '--json']):
        arguments = [*options, *command] if before else [*command, *options]
        got = CliRunner().invoke(session, arguments)
        assert got.exit_code == 0 and 'bbbb3333' in got.output, got.output
    got = CliRunner().invoke(session, ['--state-dir', str(folder), 'list', '--namespace', 'cp09'])
    assert got.exit_code == 1 and 'cp09.sqlite' in got.output
