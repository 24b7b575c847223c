"""A cold start, in any order of the processes: never more than the lowest of all limits."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from live_charger import boottime, drawn, wait_until
from live_nodes import LiveNodes, install, live_nodes

FUSE, LIMIT, PROFILE = 16.0, 8.0, 7.0
"""A: what the hardware allows, what a client has set, what the charging profile allows."""
PARAMETERS = {'smart_charging': {'clock_trust': 'always'}, 'team': {'trim_amperage': 0.0}}
"""Without trim, what is offered is what is commanded."""


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNodes]:
    """A charging charger with a stored limit and a stored, lower profile."""
    with live_nodes(tmp_path_factory.mktemp('charger'), PARAMETERS) as live:
        assert live.put(amperageLimit=LIMIT, timeout=3_600_000).status_code == 204
        install(live, (0, PROFILE))
        live.charge()
        yield live


@pytest.mark.parametrize('seed', range(3))
def test_never_more_than_the_lowest(charger: LiveNodes, seed: int) -> None:
    wait_until(lambda: charger.offers(6.5), 30.0, 'an offer before')
    charger.kill_all()
    number = random.Random(seed)
    order = list(charger.kept)
    number.shuffle(order)
    since = boottime()
    charger.start(order=order, between=lambda: number.choice((0.0, 0.3, 1.0)))
    # it was withdrawn, and came again
    wait_until(lambda: charger.events('offer', since) and charger.offers(6.5), 30.0, 'an offer')
    charger.wait_for(lambda c: drawn(c) > 5.0, 30.0, 'the vehicle draws')
    offers = charger.events('offer', since)
    assert max(e['amperage'] for e in offers) <= PROFILE, f'{order}: {offers}'
    assert charger.get('limits').json()['amperageLimit'] == LIMIT


def test_each_limit_is_there(charger: LiveNodes) -> None:
    """The orders above show something only if each of the limits does limit."""
    install(charger, (0, FUSE))
    charger.wait_for(lambda c: c['commandedAmperage'] == LIMIT, 10.0, 'the stored limit')
    assert charger.put(amperageLimit=None).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] == FUSE, 10.0, 'the fuse')
