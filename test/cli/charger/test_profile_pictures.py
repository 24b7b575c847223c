"""A composite schedule as blocks in the terminal and as a PNG."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from charger_control.cli.charger.profile_pictures import (
    HEIGHT,
    LONGEST_TABLE,
    MARGIN,
    Schedule,
    chart,
    save_png,
    table,
)

NIGHT = '2026-11-22T17:00:00Z'  # 18:00 in Berlin


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv('TZ', 'Europe/Berlin')
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def schedule(*periods: tuple[float, ...], start: str = NIGHT, hours: float = 24.0,
             unit: str = 'A') -> Schedule:
    names = ('startPeriod', 'limit', 'numberPhases')
    return Schedule.of({'schedule': {
        'evseId': 1, 'scheduleStart': start, 'duration': int(hours * 3600),
        'chargingRateUnit': unit, 'chargingSchedulePeriod': [
            dict(zip(names, p, strict=False)) for p in periods]}}, '/charger')


def lines(what: Any, width: int) -> list[str]:
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get().splitlines()


def test_steps_follow_each_other_in_local_time() -> None:
    one = schedule((0, 16.0), (3600, 8.0, 1))
    assert [f'{s.begin:%H:%M}-{s.end:%H:%M} {s.limit} {s.phases}' for s in one.steps] == [
        '18:00-19:00 16.0 None', '19:00-18:00 8.0 1']
    assert one.title == ('/charger: charging profiles, A per phase, Sun 22 Nov 18:00 to Mon 23 Nov '
                         '18:00')


def test_a_night_of_25_hours() -> None:
    one = schedule((0, 16.0), (4 * 3600, 8.0), start='2026-10-24T22:00:00Z', hours=25)
    assert [f'{s.begin:%a %H:%M%z}' for s in one.steps] == ['Sun 00:00+0200', 'Sun 03:00+0100']
    assert f'{one.end:%a %H:%M%z}' == 'Mon 00:00+0100'
    assert [f'{at:%H:%M}' for at in one.ticks(9)] == [
        '00:00', '03:00', '06:00', '09:00', '12:00', '15:00', '18:00', '21:00', '00:00']


def test_ticks_are_whole_and_not_too_many() -> None:
    for hours in (1, 5, 24, 30, 72, 744):
        for most in (3, 8, 13):
            ticks = list(schedule((0, 16.0), start='2026-11-22T17:07:12Z', hours=hours).ticks(most))
            assert len(ticks) <= most + 1
            assert all(at.minute == 0 for at in ticks)
    days = list(schedule((0, 16.0), hours=14 * 24).ticks(8))
    assert [f'{at:%d %H:%M}' for at in days][:3] == ['24 00:00', '26 00:00', '28 00:00']


def test_the_chart() -> None:
    width = MARGIN + 24 + 1
    drawn = lines(chart(schedule((0, 16.0), (6 * 3600, 8.0), (12 * 3600, 0.0), (18 * 3600, 4.0)),
                        width), width + 60)
    rows = [line[MARGIN:] for line in drawn[2:2 + HEIGHT]]
    assert drawn[2].startswith('    16 ┤')
    assert rows[0].rstrip() == '█' * 6
    assert rows[HEIGHT // 2] == '█' * 12 + ' ' * 12
    assert rows[-1] == '█' * 12 + ' ' * 6 + '█' * 6
    assert drawn[2 + HEIGHT] == '     0 └' + '─' * 6 + '┬' + '─' * 11 + '┬' + '─' * 5
    assert drawn[3 + HEIGHT].split() == ['Mon', '23', '12:00']
    assert 'one phase' not in '\n'.join(drawn)


def test_a_column_shows_its_lowest_and_never_nothing_for_little() -> None:
    width = MARGIN + 24 + 1
    drawn = lines(chart(schedule((0, 16.0), (3700, 0.1), (3800, 16.0)), width), width + 60)
    rows = [line[MARGIN:] for line in drawn[2:2 + HEIGHT]]
    assert rows[0] == '█' + ' ' + '█' * 22
    assert rows[-1] == '█' + '▁' + '█' * 22


def test_phases_have_a_legend_and_narrow_terminals_are_borne() -> None:
    assert 'one phase' in '\n'.join(lines(chart(schedule((0, 16.0, 1)), 80), 80))
    assert lines(chart(schedule((0, 16.0)), 10), 100)
    assert lines(chart(schedule((0, 0.0)), 80), 80)
    assert lines(chart(schedule((0, 16.0), hours=0), 80), 80)


def test_the_table_is_bounded() -> None:
    rows = lines(table(schedule((0, 16.0), (3600, 8.05, 3))), 100)
    assert rows[1].split() == ['Sun', '22', 'Nov', '18:00:00', 'Sun', '22', 'Nov', '19:00:00',
                               '16.0']
    assert rows[2].split()[-1] == '3'
    many = lines(table(schedule(*((i, 6.0) for i in range(100)))), 100)
    assert len(many) == 1 + LONGEST_TABLE + 1
    assert '52 more' in many[-1]


def test_the_png(tmp_path: Path) -> None:
    file = tmp_path / 'night.png'
    save_png(schedule((0, 11000.0, 3), (3600, 3680.0, 1), (7200, 0.0), unit='W'), file)
    head = file.read_bytes()[:24]
    assert head.startswith(b'\x89PNG\r\n\x1a\n')
    assert struct.unpack('>II', head[16:24]) == (1200, 480)
    other = tmp_path / 'day.png'
    save_png(schedule((0, 11000.0, 3), unit='W'), other)
    assert other.read_bytes() != file.read_bytes()
    with pytest.raises(FileNotFoundError):
        save_png(schedule((0, 16.0)), tmp_path / 'no' / 'night.png')
