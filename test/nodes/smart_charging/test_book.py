"""What is installed, on the disk: back after a restart as it was, or known to be lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charger_control.core.smart_charging import (
    Installation,
    Kind,
    OcppVersion,
    Period,
    Profile,
    Purpose,
    RateUnit,
    Recurrency,
    Running,
    Station,
    Transaction,
)
from charger_control.nodes.smart_charging.book import ROOM, ProfileBook, documents
from charger_control.store import Reader, Store, store_file

NOW = 1_780_000_000
RUNNING = Running('session-1', Transaction(1, NOW - 60, '77'))


def profile(number: int, **fields: Any) -> Profile:
    return Profile(**{
        'profile_id': number, 'evse': 0, 'purpose': Purpose.TX_DEFAULT, 'kind': Kind.ABSOLUTE,
        'stack_level': number, 'unit': RateUnit.A, 'start_schedule': NOW,
        'periods': (Period(0, 16.0, 3), Period(60, 8.5)), **fields})


def several() -> Installation:
    """Both versions, both sources, a TxProfile; ids not in the order of installation."""
    made = Installation()
    for number, fields, file in (
            (5, {'valid_to': NOW + 9999, 'min_charging_rate': 6.0}, ''),
            (2, {'kind': Kind.RECURRING, 'recurrency': Recurrency.WEEKLY, 'unit': RateUnit.W,
                 'ocpp_version': OcppVersion.V201, 'schedule_id': 9, 'duration': 3600}, 'a.json'),
            (9, {'evse': 1, 'purpose': Purpose.TX, 'kind': Kind.RELATIVE, 'start_schedule': None,
                 'transaction_id': '77'}, ''),
            (1, {'purpose': Purpose.STATION_MAX}, '')):
        made = made.install(profile(number, **fields), Station(), RUNNING, NOW, file=file)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(store_file(str(tmp_path)))) as one:
        yield one


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Callable[[], ProfileBook]]:
    """A book on the same file, as after a restart."""
    opened: list[Store] = []

    def open_again() -> ProfileBook:
        opened.append(Store(store_file(str(tmp_path))))
        return ProfileBook(opened[-1])

    yield open_again
    for one in opened:
        one.close()


def taken(book: ProfileBook, changed: Installation) -> None:
    book.write(changed).result(5)
    book.installed = changed
    book.unsaved = False


def rows(store: Store) -> dict[str, Any]:
    return Reader(store.file).items(ROOM, 'profile/')


def test_all_of_it_is_back_in_order(store: Store, reopened: Callable[[], ProfileBook]) -> None:
    book = ProfileBook(store)
    taken(book, several())
    again = reopened()
    assert again.installed == several()
    assert not again.unsaved
    # and in this order still when one of them was installed anew
    taken(again, again.installed.install(profile(5), Station(), RUNNING, NOW))
    assert [p.profile_id for p in reopened().installed.profiles] == [2, 9, 1, 5]


def test_only_what_changed_is_written(store: Store) -> None:
    book = ProfileBook(store)
    taken(book, several())
    before = rows(store)
    with closing(sqlite3.connect(store.file)) as other:  # would be seen if it were written again
        other.execute("UPDATE value SET body = '{}' WHERE key = 'profile/1'")
        other.commit()
    taken(book, book.installed.install(profile(7), Station(), RUNNING, NOW))
    after = rows(store)
    assert after['profile/1'] == {}
    assert after['profile/5'] == before['profile/5']
    taken(book, book.installed.follow(None))
    assert 'profile/9' not in rows(store)


def test_a_bound_id_is_written(store: Store, reopened: Callable[[], ProfileBook]) -> None:
    book = ProfileBook(store)
    begun = Running('session-1', Transaction(1, NOW - 60))
    taken(book, Installation().install(profile(9, evse=1, purpose=Purpose.TX), Station(), begun,
                                       NOW))
    assert reopened().installed.running == begun
    taken(book, book.installed.follow(RUNNING))
    again = reopened().installed
    assert (again.running, again.profiles.profiles[0].transaction_id) == (RUNNING, '77')


def test_an_empty_store_is_nothing_lost(store: Store, reopened: Callable[[], ProfileBook]) -> None:
    assert ProfileBook(store).installed == Installation()
    assert reopened().installed.lost == ''


def test_a_damaged_file_is_lost_until_it_is_said_to_be_over(
        tmp_path: Path, reopened: Callable[[], ProfileBook]) -> None:
    store_file(str(tmp_path)).write_bytes(b'rubbish' * 1000)
    book = reopened()
    assert 'damaged' in book.installed.lost
    aside, = tmp_path.glob('*.corrupt-*')
    assert str(aside) in book.installed.lost
    assert book.unsaved, 'it is to be remembered'
    taken(book, replace(book.installed))
    again = reopened()
    assert again.installed.lost == book.installed.lost
    taken(again, again.installed.install(profile(1), Station(), None, NOW))
    assert reopened().installed.lost == '', 'although the damaged file still lies there'


def test_a_file_that_another_node_has_moved_aside_is_lost_as_well(
        tmp_path: Path, store: Store) -> None:
    (tmp_path / f'{store.file.name}.corrupt-20260101T000000Z').write_bytes(b'rubbish')
    (tmp_path / f'{store.file.name}.corrupt-20260101T000000Z-wal').write_bytes(b'rubbish')
    assert ProfileBook(store).installed.lost.endswith('.corrupt-20260101T000000Z')


@pytest.mark.parametrize('body', ['{}', '[]', 'no JSON', '{"ocppVersion": "1.6", "source": "csms",'
                                  ' "order": 1, "request": {"connectorId": 0}}'])
def test_one_row_that_cannot_be_read_is_lost_the_others_stay(
        store: Store, reopened: Callable[[], ProfileBook], body: str) -> None:
    book = ProfileBook(store)
    taken(book, several())
    with closing(sqlite3.connect(store.file)) as other:
        other.execute("UPDATE value SET body = ? WHERE key = 'profile/5'", (body,))
        other.commit()
    again = reopened()
    assert 'profile/5' in again.installed.lost
    assert again.unsaved
    if body.startswith('{'):
        assert [p.profile_id for p in again.installed.profiles] == [2, 9, 1]
    taken(again, replace(again.installed, lost=''))
    assert reopened().installed.lost == ''


def test_a_store_that_cannot_be_opened_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / 'taken').write_text('')
    with closing(Store(store_file(str(tmp_path / 'taken')))) as store:
        book = ProfileBook(store)
        assert 'taken' in book.unreadable
        assert book.installed.lost
        (tmp_path / 'taken').unlink()
        with closing(Store(store_file(str(tmp_path / 'taken')))):  # somebody makes it
            book.restore()
        assert (book.unreadable, book.installed) == ('', Installation())


def test_a_file_that_was_deleted_is_written_anew(
        store: Store, reopened: Callable[[], ProfileBook]) -> None:
    book = ProfileBook(store)
    taken(book, several())
    for path in store.file.parent.glob(f'{store.file.name}*'):
        if not path.name.endswith('.lock'):
            path.unlink()
    store.put('other', 'key', {}).result(5)
    book.check()
    assert book.unsaved
    taken(book, replace(book.installed))
    assert reopened().installed == several()
    book.check()
    assert not book.unsaved


def test_documents_are_requests_with_their_source() -> None:
    found = json.loads(documents(several()))
    assert [(d['ocppVersion'], d['source']) for d in found] == [
        ('1.6', 'csms'), ('2.0.1', 'a.json'), ('1.6', 'csms'), ('1.6', 'csms')]
    assert found[0]['request']['csChargingProfiles']['chargingProfileId'] == 5
    assert found[2]['request']['csChargingProfiles']['transactionId'] == 77
