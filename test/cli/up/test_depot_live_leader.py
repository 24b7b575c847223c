"""Three chargers, one process each, behind one fuse: sharing, dimming, and the loss of the leader.

What counts is what the boards offered and what flowed at the simulated point of supply.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from live_charger import boottime, wait_until
from live_depot import LiveDepot, live_depot

FUSE = 24.0
SLACK = 0.3
"""A by which the vehicles' own accuracy may be above what they were offered together."""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope='module')
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDepot]:
    with live_depot(tmp_path_factory.mktemp('depot'), 3, FUSE) as one:
        yield one


def test_the_supply_is_shared_once_somebody_leads(depot: LiveDepot) -> None:
    """Leadership takes 5 s, then nobody is raised for 18 s (architecture.md, The team's lease)."""
    depot.wait_for_offers(FUSE / 3, depot.members, 60.0)
    wait_until(lambda: depot.most_drawn() > FUSE - 1.0, 10.0, 'the vehicles draw')


def test_a_dimmed_supply_is_obeyed_within_two_seconds(depot: LiveDepot) -> None:
    since = boottime()
    depot.dim(19.5 * 3 * 230.0)
    wait_until(lambda: all(depot.at_most(m, 6.6, since) < 10.0 for m in depot.members), 10.0,
               'all are lowered')
    assert max(depot.at_most(m, 6.6, since) for m in depot.members) <= 2.0
    depot.dim(float('nan'))


def plug_all_in(depot: LiveDepot) -> None:
    """Each has its share; one that a test, or a first try of it, has unplugged comes back."""
    if depot.unplugged:
        depot.do('plug_in', charger=depot.unplugged, vehicle='ideal')
    depot.wait_for_offers(FUSE / 3, depot.members, 45.0)


@pytest.fixture
def one_unplugged(depot: LiveDepot) -> None:
    """Two share the supply, one of them leads."""
    if depot.unplugged in {'', depot.leader}:
        plug_all_in(depot)
        depot.do('unplug', charger=next(m for m in depot.members if m != depot.leader))
    depot.wait_for_offers(FUSE / 2, [m for m in depot.members if m != depot.unplugged], 45.0)


def test_the_share_of_an_unplugged_vehicle_goes_to_the_others(depot: LiveDepot) -> None:
    plug_all_in(depot)
    gone = next(m for m in reversed(depot.members) if m != depot.leader)
    others = [m for m in depot.members if m != gone]
    since = boottime()
    depot.do('unplug', charger=gone)
    depot.wait_for_offers(FUSE / 2, others, 20.0)
    assert boottime() - since <= 10.0


@pytest.mark.usefixtures('one_unplugged')
def test_no_vehicle_is_stopped_by_a_takeover(depot: LiveDepot) -> None:
    """The leader's process is killed while somebody plugs in: a second one lets the vehicle in."""
    leader, waiting = depot.leader, depot.unplugged
    third = next(m for m in depot.members if m not in (leader, waiting))
    since = boottime()
    depot.kept[leader].send(signal.SIGKILL)
    depot.do('plug_in', charger=waiting, vehicle='ideal')
    wait_until(lambda: depot.at_most(leader, 0.0, since) < 60.0, 5.0, 'its own offer withdrawn')
    assert depot.at_most(leader, 0.0, since) <= 2.0
    wait_until(lambda: depot.leader not in ('', leader), 15.0, 'somebody else leads')
    wait_until(lambda: depot.offered(waiting) >= 6.0, 45.0, 'an increase after the takeover')
    assert boottime() - since <= 45.0
    offers = [e['amperage'] for e in depot.events(third, 'offer', since)]
    assert all(a >= 6.0 for a in offers), f'{third}, which charged, was stopped: {offers}\n' + (
        depot.tail())
    assert depot.offered(third) >= 6.0


def test_the_fuse_was_never_exceeded(depot: LiveDepot) -> None:
    assert depot.most_drawn() <= FUSE + SLACK
