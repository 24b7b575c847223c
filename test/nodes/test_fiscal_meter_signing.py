"""Signed values on their way from the meter to `charger session export`."""

import csv
import io
import json
import math
from contextlib import closing

import pytest
from click.testing import CliRunner

from charger_control.cli.charger.session import session
from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment
from charger_control.core.session import SessionRecord
from charger_control.drivers.interfaces import Signed
from charger_control.nodes.fiscal_meter_signing import SigningRecords
from charger_control.store import Store, operations, store_file

RECORD = 'OCMF|{"ID":"aaaa"}|{"SD":"30"}'


class FakeMeter:
    """Answers when it is told to."""

    signs = True

    def __init__(self):
        self.asked = []

    def sign(self, kind, tag, done):
        self.asked.append((kind, tag, done))

    def answer(self, record='', error=''):
        kind, _, done = self.asked.pop(0)
        done(Signed(kind, record, 'AB12' if record else '', error))


def transaction(session_id, ended=math.nan):
    return Transaction(session_id=session_id, started_time=1.0, ended_time=ended)


def record_of(session_id, started=1.0):
    return SessionRecord(Transaction(session_id=session_id, started_time=started, ended_time=2.0,
                                     meter_start=1.0, meter_stop=2.0), Moment('b', 1.0, 60.0, True))


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def opened(folder):
    return Store(store_file(str(folder), 'charger'))


def export(folder, *arguments):
    result = CliRunner().invoke(session, ['--state-dir', str(folder), 'export', *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_records_are_stored_with_the_session_and_exported(folder):
    meter, store = FakeMeter(), opened(folder)
    with closing(SigningRecords(meter, store)) as records:
        records.hear(transaction('aaaa'))
        assert [a[:2] for a in meter.asked] == [('start', 'aaaa')]
        meter.answer(RECORD)
        records.hear(transaction('aaaa', 2.0))
        meter.answer(RECORD.replace('30', '31'))
        store.put_session(record_of('aaaa')).result(5)
        assert (records.health().message, records.health().values['stored']) == ('OK', 2)
    row, = json.loads(export(folder, '--json'))
    assert (row['signed_start'], row['signed_stop']) == (RECORD, RECORD.replace('30', '31'))
    assert (row['signed_public_key'], row['signed_error']) == ('AB12', '')
    line, = csv.DictReader(io.StringIO(export(folder)))
    assert line['signed_stop'] == row['signed_stop']


def test_a_failure_is_said_stored_and_exported(folder):
    meter, store = FakeMeter(), opened(folder)
    with closing(SigningRecords(meter, store)) as records:
        records.hear(transaction('aaaa'))
        meter.answer(error='the snapshot is not enabled')
        assert 'not enabled' in records.health().message
        store.put_session(record_of('aaaa')).result(5)
    row, = json.loads(export(folder, '--json'))
    assert row['signed_start'] == '' and row['signed_error'] == 'the snapshot is not enabled'


def test_a_restart_asks_only_for_what_is_missing(folder):
    meter, store = FakeMeter(), opened(folder)
    with closing(SigningRecords(meter, store)) as records:
        store.put_session(record_of('aaaa')).result(5)
        records.hear(transaction('aaaa'))
        meter.answer(RECORD)
    again = FakeMeter()
    with closing(SigningRecords(again, opened(folder))) as records:
        records.hear(transaction('aaaa'))
        assert again.asked == []
        records.hear(transaction('aaaa', 2.0))
        assert [a[:2] for a in again.asked] == [('stop', 'aaaa')]


def test_signed_values_go_with_the_session_they_belong_to(folder, monkeypatch):
    monkeypatch.setattr(operations, 'KEPT_SESSIONS', 1)
    meter, store = FakeMeter(), opened(folder)
    with closing(SigningRecords(meter, store)) as records:
        store.put_session(record_of('aaaa')).result(5)
        records.hear(transaction('aaaa'))
        meter.answer(RECORD)
        store.put_session(record_of('bbbb', started=9.0)).result(5)
        records.hear(transaction('bbbb'))
        meter.asked.pop(0)  # the stop of the first
        meter.answer(RECORD)
        store.put_session(record_of('cccc', started=10.0)).result(5)
        assert store.signed_values('aaaa') == {}


def test_what_the_store_refuses_is_written_again(folder, monkeypatch):
    meter, store = FakeMeter(), opened(folder)
    with closing(SigningRecords(meter, store)) as records:
        monkeypatch.setattr('charger_control.store.store.MAX_WAITING', 0)
        records.hear(transaction('aaaa'))
        meter.answer(RECORD)
        monkeypatch.undo()
        records.health()
        store.put_session(record_of('aaaa')).result(5)
        assert store.signed_values('aaaa')['start']['record'] == RECORD
