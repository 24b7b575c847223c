"""The picture of a night, and nights simulated offline."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from charger_control.cli.main import main
from charger_control.sim.depot.grid_log import GridLog, LogRow, read_night

SIGNATURE = b'\x89PNG\r\n\x1a\n'
STORY = """
unit: min
steps:
  - {at: 0, do: other_loads, percent: [20, 10, 15]}
  - {at: 0, do: plug_in, charger: all, vehicle: {preset: family, capacity: 30}}
  - {at: 4, do: kill, process: team}
  - {at: 8, do: unplug, charger: 2}
  - {at: 12, do: other_loads, percent: 40, over: 2}
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ['depot', *map(str, arguments)])


def night(path: Path, chargers: int) -> Path:
    names = [f'cp{n:02}' for n in range(1, chargers + 1)]
    log = GridLog(path, (50.0, 50.0, 40.0), names)
    for second in range(60):
        log.write(LogRow(float(second), (20.0 + second % 5, 20.0, 41.0 if second == 7 else 30.0),
                         (5.0, 5.0, 5.0), dict.fromkeys(names, 8.0),
                         'kill team' if second == 20 else ''))
    log.close()
    return path


@pytest.mark.parametrize('chargers', [1, 6, 20])
def test_a_night_is_drawn_and_judged(tmp_path: Path, chargers: int) -> None:
    picture = tmp_path / 'night.png'
    result = run('plot', night(tmp_path / 'grid.csv', chargers), '-o', picture)
    assert result.exit_code == 0, result.output
    assert f'{chargers} chargers, 1.0 min, above the fuse for 1.0 s, at most 1.0 A' in result.output
    assert picture.read_bytes().startswith(SIGNATURE)


def test_the_words_of_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / 'night.svg'
    assert run('plot', night(tmp_path / 'grid.csv', 3), '-o', picture).exit_code == 0
    drawn = picture.read_text()
    for words in ('min since the start', 'fuse', 'other loads', 'L3  [A]', 'cp03', 'kill team'):
        assert f'<!-- {words} -->' in drawn, words


@pytest.mark.parametrize(('name', 'words'), [('night.gif', '.png or .svg'), ('', '.png or .svg')])
def test_a_format_that_is_not_there(tmp_path: Path, name: str, words: str) -> None:
    result = run('plot', night(tmp_path / 'grid.csv', 1), '-o', tmp_path / name / 'x')
    assert result.exit_code == 2
    assert words in result.output


def test_what_is_no_log(tmp_path: Path) -> None:
    wrong = tmp_path / 'other.csv'
    wrong.write_text('a,b\n1,2\n')
    result = run('plot', wrong)
    assert result.exit_code == 1
    assert 'not a log of a depot' in result.output


def test_a_night_offline(tmp_path: Path) -> None:
    story, log, picture = tmp_path / 'story.yaml', tmp_path / 'night.csv', tmp_path / 'night.png'
    story.write_text(STORY)
    result = run('simulate', story, '--chargers', 4, '--fuse', '40', '--csv', log, '-o', picture)
    assert result.exit_code == 0, result.output
    assert '0.3 h in' in result.output
    told = read_night(log)
    # other loads rise no faster here than vehicles can make room for them
    assert told.above_fuse() == (0.0, 0.0)
    at = {round(second): {name: values[i] for name, values in told.chargers.items()}
          for i, second in enumerate(told.time)}
    assert all(6.0 < amperes < 9.0 for amperes in at[200].values()), 'a fair share of 32 A for each'
    assert min(at[second]['cp02'] for second in range(200, 300, 2)) > 6.0, 'the takeover'
    assert at[700]['cp02'] == 0.0, 'unplugged'
    assert at[700]['cp03'] > at[470]['cp03'] + 1.0, 'what one leaves the others use'
    assert picture.read_bytes().startswith(SIGNATURE)


def test_one_is_tripped_the_others_charge_on(tmp_path: Path) -> None:
    story, log = tmp_path / 'story.yaml', tmp_path / 'night.csv'
    story.write_text('steps: [{at: 0, do: plug_in, charger: all, vehicle: family}, '
                     '{at: 120, do: trip, charger: 2, for: 60}]')
    assert run('simulate', story, '--chargers', 4, '--csv', log, '--quiet').exit_code == 0
    told = read_night(log)
    dark = [i for i, second in enumerate(told.time) if 122.0 <= second < 180.0]
    assert {told.chargers['cp02'][i] for i in dark} == {0.0}
    for name in ('cp01', 'cp03', 'cp04'):
        assert min(told.chargers[name][i] for i in range(dark[0], len(told.time))) > 6.0, name
    assert told.chargers['cp02'][-1] > 6.0, 'and it comes back'


def test_a_night_leaves_only_what_was_asked_for(tmp_path: Path) -> None:
    story = tmp_path / 'story.yaml'
    story.write_text(STORY)
    (tmp_path / 'night.csv').write_text('mine')
    assert run('simulate', story, '--chargers', 2, '--duration', 0.01, '-o',
               tmp_path / 'night.png', '--quiet').exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ['night.csv', 'night.png', 'story.yaml']
    assert (tmp_path / 'night.csv').read_text() == 'mine'


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--fuse', '1,2'], "'1,2' (allowed: one number of A, or three"), (['--fuse', 'x'], "'x'"),
    (['--chargers', '0'], '0 is not in the range'), (['--step', '5'], '0.2<=x<=2')])
def test_what_cannot_be_simulated(tmp_path: Path, arguments: list[str], words: str) -> None:
    story = tmp_path / 'story.yaml'
    story.write_text(STORY)
    result = run('simulate', story, *arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_what_a_story_cannot_do_offline_is_said(tmp_path: Path) -> None:
    story = tmp_path / 'story.yaml'
    story.write_text('steps: [{at: 1, do: silence, charger: 1}, {at: 2, do: unplug, charger: 1}]')
    result = run('simulate', story, '--chargers', 1, '--quiet')
    assert result.exit_code == 0
    assert 'scenario line 1: silence: cannot be simulated offline' in result.output
    assert 'cp01: unplug: no vehicle is plugged in' in result.output
