"""The simulated depot on real ptys: the grid meter's line, the story, what is done by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_charger import wait_until

from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.registry import open_meter
from charger_control.sim.charge_point.control import ControlClient
from charger_control.sim.depot.depot import Depot, DepotCharger, DepotOptions
from charger_control.sim.depot.grid import METER_UNIT
from charger_control.sim.depot.grid_log import read_night
from charger_control.sim.depot.scenario import parse_depot_scenario

NAMES = ('a', 'b')


@contextmanager
def running(folder: Path, story: str = '', **options: object) -> Iterator[Depot]:
    chargers = tuple(DepotCharger(name, folder / name, ((1, 2, 3), (2, 3, 1))[number])
                     for number, name in enumerate(NAMES))
    scenario = parse_depot_scenario(story or 'steps: []').for_members(NAMES)
    depot = Depot(DepotOptions(chargers, folder / 'grid', (40.0, 40.0, 40.0), scenario,
                               folder / 'grid.csv', folder / 'sock', **options))
    thread = threading.Thread(target=depot.run)
    thread.start()
    try:
        yield depot
    finally:
        depot.stop('end of test')
        thread.join(10.0)
        assert not thread.is_alive()


def test_the_grid_meter_measures_all_over_its_line(tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Depot, 'vehicles', lambda self: {'a': (10.0, 9.0, 8.0),
                                                         'b': (6.0, 0.0, 0.0)})
    with running(tmp_path, 'other_loads: [1, 2, 3]'):
        meter = open_meter({'driver': 'sdm630', 'port': str(tmp_path / 'grid'),
                            'unit': METER_UNIT}, Buses())
        meter.start()
        try:
            sample = wait_until(lambda: meter.latest().value, 5.0, 'an answer of the grid meter')
            # the one-phase vehicle at b draws on L1 of b, which is L2 of the supply
            assert sample.amperage == pytest.approx((11.0, 17.0, 11.0), abs=0.05)
        finally:
            meter.close()
        wait_until(lambda: len(read_night(tmp_path / 'grid.csv').time) > 2, 5.0, 'rows')
    night = read_night(tmp_path / 'grid.csv')
    assert night.amperage[1][-1] == pytest.approx(17.0)
    assert night.chargers['a'][-1] == pytest.approx(10.0)


def test_the_story_is_played_and_logged(tmp_path: Path) -> None:
    killed: list[str] = []
    ended = threading.Event()
    story = """
steps:
  - {at: 0, do: plug_in, charger: all, vehicle: family}
  - {at: 0.1, do: other_loads, percent: [50, 25, 10]}
  - {at: 0.1, do: kill, process: team}
  - {at: 0.1, do: kill, charger: 2}
  - {at: 0.3, do: trip, charger: 1, for: 0.5}
  - {at: 1.2, do: end}
"""
    with running(tmp_path, story, kill=killed.append, end=ended.set):
        wait_until(lambda: not (tmp_path / 'a').exists(), 5.0, 'the line of a is dark')
        with ControlClient(Path(f'{tmp_path}/a.sock')) as board:
            assert board.truth()['plant']['voltage'] == [0.0] * 3
            assert board.truth()['vehicle'] is not None
        wait_until((tmp_path / 'a').exists, 5.0, 'the line of a is back')
        with ControlClient(Path(f'{tmp_path}/a.sock')) as board:
            assert min(board.truth()['plant']['voltage']) > 200.0
        assert ended.wait(5.0)
    assert killed == ['team', 'b']
    night = read_night(tmp_path / 'grid.csv')
    assert night.other_loads[0][-1] == 20.0
    told = '; '.join(what for _, what in night.events)
    for words in ('plug in a, b family', 'kill team', 'kill b', 'trip a', 'a: breaker closed'):
        assert words in told


def test_steps_by_hand(tmp_path: Path) -> None:
    with running(tmp_path), ControlClient(tmp_path / 'sock') as hand:
        hand.do('other_loads', amperage=[3, 4, 5])
        wait_until(lambda: hand.truth()['other_loads'] == [3.0, 4.0, 5.0], 5.0, 'other loads')
        assert hand.truth()['chargers'] == {'a': [0.0] * 3, 'b': [0.0] * 3}
        hand.do('plug_in', charger='b', vehicle='one_phase')
        with ControlClient(Path(f'{tmp_path}/b.sock')) as board:
            assert board.truth()['vehicle']['letter'] == 'B'
        for step, words in (({'do': 'unplug', 'charger': 1}, 'a: unplug: no vehicle'),
                            ({'do': 'unplug', 'charger': 7}, 'this depot has 2 chargers'),
                            ({'do': 'kill', 'process': 'team'}, 'nobody knows the processes')):
            with pytest.raises(ValueError, match=words):
                hand.do(step.pop('do'), **step)
    assert not (tmp_path / 'sock').exists()
    assert not (tmp_path / 'a').is_symlink()
