"""The watched directory: a file appears, changes, is broken, goes; the directory goes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from charger_control.core.smart_charging import Profile, Station
from charger_control.nodes.smart_charging.directory import FileChange, ProfileDirectory
from charger_control.nodes.smart_charging.requests import LARGEST_REQUEST, set_request

PERIOD = 0.02


def text(number: int, limit: float = 16.0) -> str:
    return json.dumps({'connectorId': 0, 'csChargingProfiles': {
        'chargingProfileId': number, 'stackLevel': number,
        'chargingProfilePurpose': 'TxDefaultProfile', 'chargingProfileKind': 'Relative',
        'chargingSchedule': {'chargingRateUnit': 'A', 'chargingSchedulePeriod': [
            {'startPeriod': 0, 'limit': limit}]}}})


def read(written: str) -> Profile:
    return set_request(written, None, Station())


Watch = Callable[..., ProfileDirectory]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watches: list[ProfileDirectory] = []

    def start(folder: Path, **options: Any) -> ProfileDirectory:
        watches.append(ProfileDirectory(folder, read, period=PERIOD, **options))
        return watches[-1]

    yield start
    for one in watches:
        one.close()


def test_a_file_appears_changes_and_goes(tmp_path: Path, watch: Watch) -> None:
    file = tmp_path / 'night.json'
    file.write_text(text(1))
    one = watch(tmp_path)
    first = one.changes.get_nowait()  # the first look is over
    assert first.profile is not None
    assert (first.name, first.profile.profile_id, first.error) == ('night.json', 1, '')
    file.write_text(text(1, 8.0))
    second = one.changes.get(timeout=2.0)
    assert second.profile is not None
    assert second.profile.periods[0].limit == 8.0
    file.unlink()
    assert one.changes.get(timeout=2.0) == FileChange('night.json')
    time.sleep(5 * PERIOD)
    assert one.changes.empty(), 'each change is told once'


def test_a_broken_file_is_told_with_why_and_heals(tmp_path: Path, watch: Watch) -> None:
    one = watch(tmp_path)
    file = tmp_path / 'a.json'
    file.write_text('{"connectorId": ')
    broken = one.changes.get(timeout=2.0)
    assert (broken.name, broken.profile) == ('a.json', None)
    assert 'not JSON' in broken.error
    time.sleep(5 * PERIOD)
    assert one.changes.empty()
    file.write_bytes(b'\xff\xfe{}')
    assert 'utf-8' in one.changes.get(timeout=2.0).error
    file.write_text(' ' * (LARGEST_REQUEST + 1))
    assert 'TooLarge' in one.changes.get(timeout=2.0).error
    file.write_text(text(1))
    assert one.changes.get(timeout=2.0).error == ''


def test_one_bad_file_does_not_keep_the_others_out(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / 'a.json').write_text('rubbish')
    (tmp_path / 'b.json').write_text(text(2))
    one = watch(tmp_path)
    found = [one.changes.get_nowait(), one.changes.get_nowait()]
    assert [(f.name, f.profile is None) for f in found] == [('a.json', True), ('b.json', False)]


def test_only_plain_json_files_count(tmp_path: Path, watch: Watch) -> None:
    for name in ('.hidden.json', 'a.json~', 'b.txt', 'c.json.tmp'):
        (tmp_path / name).write_text(text(1))
    (tmp_path / 'folder.json').mkdir()
    (tmp_path / 'nowhere.json').symlink_to(tmp_path / 'missing')
    one = watch(tmp_path)
    time.sleep(3 * PERIOD)
    assert one.changes.empty()
    assert one.error == ''


def test_a_directory_that_is_not_there_takes_nothing_away(tmp_path: Path, watch: Watch) -> None:
    folder = tmp_path / 'profiles'
    folder.mkdir()
    (folder / 'a.json').write_text(text(1))
    one = watch(folder)
    one.changes.get_nowait()
    away = folder.rename(tmp_path / 'away')
    deadline = time.monotonic() + 2.0
    while not one.error:
        assert time.monotonic() < deadline
        time.sleep(PERIOD)
    assert str(folder) in one.error
    assert one.changes.empty()
    away.rename(folder)
    (folder / 'a.json').unlink()
    assert one.changes.get(timeout=2.0) == FileChange('a.json')
    assert one.error == ''


def test_what_is_known_from_before_and_not_there_now_is_gone(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / 'a.json').write_text(text(1))
    one = watch(tmp_path, known=('a.json', 'b.json'))
    found = {(c.name, c.profile is None) for c in (one.changes.get_nowait(),
                                                   one.changes.get_nowait())}
    assert found == {('a.json', False), ('b.json', True)}
    missing = watch(tmp_path / 'missing', known=('a.json',))
    assert missing.error
    assert missing.changes.empty()


def test_everything_is_looked_at_again_when_asked(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / 'a.json').write_text(text(1))
    one = watch(tmp_path)
    one.changes.get_nowait()
    one.forget()
    assert one.changes.get(timeout=2.0).name == 'a.json'


def test_a_file_moved_over_another_is_a_change(tmp_path: Path, watch: Watch) -> None:
    """As careful programs write: same name, same size, and a time that is kept."""
    file = tmp_path / 'a.json'
    file.write_text(text(1, 16.0))
    one = watch(tmp_path)
    one.changes.get_nowait()
    other = tmp_path / 'a.json.tmp'
    other.write_text(text(1, 10.0))
    status = file.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)
    changed = one.changes.get(timeout=2.0)
    assert changed.profile is not None
    assert changed.profile.periods[0].limit == 10.0
