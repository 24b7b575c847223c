"""`charger up --sim --speed 10`: the whole graph in simulated time, against the offline loop."""

from __future__ import annotations

from itertools import pairwise

import pytest
from live_charger import CHARGER, Process, wait_until
from live_sim_time import END, Offline, Run

SPEED = 10.0
MOST = 1.5
"""s, simulated, by which the live graph may be later than the offline loop: a request of the web
client takes real time, ten times as long here."""


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp('fast'), SPEED)


@pytest.fixture(scope='module')
def offline(run: Run) -> Offline:
    return Offline(run)


def test_time_passes_faster_and_no_tick_is_lost(run: Run) -> None:
    print(f'{run.took:.1f} s for {END:g} simulated; {run.clock}')
    assert run.took < END / 3.0     # 10 times as fast where a core is free
    assert int(run.clock['ticks']) > 0.9 * END * (20 + 20 + 10)
    assert int(run.clock['missed']) <= 0.01 * int(run.clock['ticks'])
    assert all(int(run.clock[f'missed.{node}']) <= 0.01 * rate * END for node, rate in (
        ('iso61851', 20), ('cppwm_controller', 10), ('fiscal_meter', 20)))


def test_it_starts_and_stops_when_the_offline_loop_does(run: Run, offline: Offline) -> None:
    assert run.first('offer', 9.0) == pytest.approx(offline.first_offer(9.0, 6.0, 80.0), abs=MOST)
    assert run.first('offer', 160.0, amperage=0.0) == pytest.approx(160.0, abs=0.2)
    for before, after in pairwise((70.0, 115.0, 160.0)):
        set_at = [event['t'] - run.start for event in run.events('put_limits')
                  if before - 0.1 <= event['t'] - run.start < after]
        assert len(set_at) == 1 and set_at[0] - before < MOST
    lowered = run.first('offer', 70.0)
    assert lowered == pytest.approx(offline.first_offer(70.0, 6.0, 9.9), abs=MOST)


@pytest.mark.parametrize('at', [69.0, 114.0, 159.0])
def test_it_settles_where_the_offline_loop_does(run: Run, offline: Offline, at: float) -> None:
    assert run.offered(at) == pytest.approx(offline.offered(at), abs=0.15)


def test_as_much_energy_is_charged(run: Run, offline: Offline) -> None:
    assert run.energy == pytest.approx(offline.energy, rel=0.01)
    assert run.energy > 0.2


def test_it_ends_in_order(run: Run) -> None:
    assert run.code == 0
    assert run.events('end')
    assert not [line for line in run.lines if 'Traceback' in line or 'ERROR' in line]
    assert run.events('violation') == []


@pytest.mark.parametrize('option', [['--speed', '10'], ['--sim', '--speed', '0'],
                                    ['--sim', '--speed', '51']])
def test_what_cannot_be_is_refused(option: list[str]) -> None:
    up = Process([*CHARGER, 'up', *option])
    assert up.process.wait(10.0) == 2
    wait_until(lambda: any('--s' in line for line in up.lines), 2.0, 'the option is named')
