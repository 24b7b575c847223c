"""The point of supply: what flows there by phase, and the log that judges."""

from __future__ import annotations

from pathlib import Path

import pytest

from charger_control.sim.depot.grid import GridSupply, on_supply
from charger_control.sim.depot.grid_log import LOG_COLUMNS, GridLog, LogError, LogRow, read_night


@pytest.mark.parametrize(('phase_map', 'drawn'), [
    ((1, 2, 3), (10.0, 5.0, 0.0)), ((2, 3, 1), (0.0, 10.0, 5.0)), ((3, 1, 2), (5.0, 0.0, 10.0)),
    ((2,), (0.0, 10.0, 0.0))])
def test_wiring_decides_where_it_flows(phase_map: tuple[int, ...], drawn: tuple[float, ...]
                                       ) -> None:
    assert on_supply((10.0, 5.0, 0.0), phase_map) == drawn


def test_all_and_other_loads_add_up_over_time() -> None:
    supply = GridSupply(100.0, (1.0, 2.0, 3.0))
    before = supply.energy_imported
    supply.step(100.0, (10.0, 0.0, 5.0))
    assert supply.amperage == (11.0, 2.0, 8.0)
    assert supply.power == pytest.approx(21.0 * 230.0)
    supply.step(3700.0, (0.0, 0.0, 0.0))
    assert supply.energy_imported - before == pytest.approx(21.0 * 0.23)
    assert supply.amperage == (1.0, 2.0, 3.0)


def test_other_loads_move_evenly() -> None:
    supply = GridSupply(0.0, (10.0, 10.0, 10.0))
    supply.set_other_loads((20.0, 10.0, 0.0), 10.0, 0.0)
    supply.step(2.5, (0.0, 0.0, 0.0))
    assert supply.other_loads == pytest.approx((12.5, 10.0, 7.5))
    supply.set_other_loads((0.0, 0.0, 0.0), 0.0, 5.0)
    supply.step(5.0, (0.0, 0.0, 0.0))
    assert supply.other_loads == (0.0, 0.0, 0.0)


def written(path: Path) -> Path:
    log = GridLog(path, (20.0, 20.0, 16.0), ['a', 'b'])
    log.write(LogRow(0.0, (5.0, 5.0, 5.0), (5.0, 5.0, 5.0), {'a': 0.0, 'b': 0.0}, 'plug in a', 7.5))
    log.write(LogRow(1.0, (15.0, 5.0, 17.5), (5.0, 5.0, 5.0), {'a': 12.5, 'b': 0.0}, boottime=8.5))
    log.write(LogRow(3.0, (15.0, 5.0, 15.0), (5.0, 5.0, 5.0), {'a': 10.0, 'b': 0.0}))
    log.close()
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    night = read_night(written(tmp_path / 'grid.csv'))
    assert night.fuse == (20.0, 20.0, 16.0)
    assert night.time == [0.0, 1.0, 3.0]
    assert night.amperage == ([5.0, 15.0, 15.0], [5.0, 5.0, 5.0], [5.0, 17.5, 15.0])
    assert night.other_loads == ([5.0] * 3,) * 3
    assert night.chargers == {'a': [0.0, 12.5, 10.0], 'b': [0.0] * 3}
    assert night.events == [(0.0, 'plug in a')]


def test_the_judge_says_how_far_and_how_long_above_a_fuse(tmp_path: Path) -> None:
    assert read_night(written(tmp_path / 'grid.csv')).above_fuse() == (1.5, 2.0)


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / 'grid.csv')
    path.write_text(path.read_text()[:-5])
    assert read_night(path).time == [0.0, 1.0]


@pytest.mark.parametrize(('text', 'words'), [
    ('', 'not a log of a depot'), ('time,amps\n1,2\n', 'not a log of a depot'),
    (','.join([*LOG_COLUMNS, 'a', 'event']) + '\n', 'no row'),
    (','.join([*LOG_COLUMNS, 'a', 'event']) + '\n1,2,x\n', 'line 2: .*13 columns')])
def test_what_is_no_log_is_said(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / 'grid.csv'
    path.write_text(text)
    with pytest.raises(LogError, match=words):
        read_night(path)
