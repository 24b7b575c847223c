"""depot.launch.py as `ros2 launch` runs it: chargers that share a supply, one process each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_charger import QUICK, boottime, wait_until
from live_launch import NO_LAUNCH, Launched, kill, launched

from charger_control.cli.graph import listen, visitor
from charger_control.core.heard import Heard
from charger_control.ros.interfaces import TEAM_ALLOCATION

pytest.importorskip('launch.actions', reason=NO_LAUNCH)

DEPOT = f'depot{os.getpid()}'
MEMBERS = [f'{DEPOT}a', f'{DEPOT}b']
FUSE = 20.0
SECTIONS = {
    '/**': {node: {'ros__parameters': values} for node, values in QUICK.items()
            if node != 'vcse'},
    f'/{DEPOT}': {'team': {'ros__parameters': {'members': MEMBERS}},
                  'vcse': {'ros__parameters': {'fuse': [FUSE] * 3}}}}


@pytest.fixture(scope='module')
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    with launched(tmp_path_factory.mktemp('depot'), 'depot.launch.py', SECTIONS,
                  namespace=DEPOT) as one:
        charge(one, *MEMBERS)
        yield one


def charge(one: Launched, *members: str) -> None:
    """Vehicles draw at all of these."""
    try:
        # leadership waits 5 s, then raises nobody for 18 s (architecture.md, The team's lease)
        wait_until(lambda: all(one.offered(m) >= 6.0 and one.drawn(m) > 5.0 for m in members),
                   70.0, 'the vehicles draw')
    except AssertionError as error:
        raise AssertionError(f'{error}\n' + '\n'.join(one.process.lines[-40:])) from error


def test_the_supply_is_shared(depot: Launched) -> None:
    wait_until(lambda: all(depot.offered(m) == pytest.approx(FUSE / 2, abs=0.1)
                           for m in MEMBERS), 20.0, 'a fair share for each')
    with visitor(DEPOT) as (node, executor):
        heard: dict[str, Heard] = {}
        listen(node, [TEAM_ALLOCATION], heard)
        wait_until(lambda: executor.spin_once(timeout_sec=0.1) or heard, 10.0, 'a list')
    given = {m.member: m.allocated_amperage for m in heard[TEAM_ALLOCATION.name].value.members}
    assert given == {m: pytest.approx(FUSE / 2, abs=0.1) for m in MEMBERS}


def test_one_process_for_each_charger(depot: Launched) -> None:
    started = {line.split('[')[2].rpartition('-')[0] for line in depot.lines('process started')}
    assert started == {f'{DEPOT}/team', f'{DEPOT}/vcse', *(
        f'{m}/{what}' for m in MEMBERS for what in ('sim', 'control'))}


def test_one_killed_the_other_charges_on(depot: Launched) -> None:
    first, second = MEMBERS
    since = boottime()
    kill(depot.pids(rf'\[{first}/control-\d+\] charger: control: started, pid (\d+)')[-1])
    wait_until(lambda: depot.offer_stood(first, since) < 60.0, 5.0, 'the offer withdrawn')
    assert depot.offer_stood(first, since) <= 2.0
    charge(depot, *MEMBERS)
    assert all(e['amperage'] > 0.0 for e in depot.events(second, 'offer', since))
    together = [e['amperage'] for m in MEMBERS for e in depot.events(m, 'offer', since)]
    assert max(together) <= FUSE / 2 + 0.1, 'what was reserved is not given away at once'


def test_ctrl_c_ends_all_in_order(depot: Launched) -> None:
    assert depot.end() == 0, '\n'.join(depot.process.lines[-40:])
    for member in MEMBERS:
        assert depot.offered(member) == 0.0
        assert depot.events(member)[-1]['event'] == 'end'


@pytest.mark.parametrize(('sections', 'arguments', 'words'), [
    (SECTIONS, {'sim': 'false', 'chargers': '3'}, 'sim:=true'),
    ({'/**': {}}, {}, 'no members')])
def test_what_cannot_be_is_said(tmp_path: Path, sections: dict[str, object],
                                arguments: dict[str, str], words: str) -> None:
    with launched(tmp_path, 'depot.launch.py', sections, namespace=DEPOT, **arguments) as one:
        assert one.process.process.wait(20.0) == 1
    wait_until(lambda: one.lines(words), 5.0, words)
