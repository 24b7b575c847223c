"""A supply that is not as it should be, and what cannot be switched: on real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_charger import LiveCharger, boottime, drawn, live_charger, wait_until


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCharger]:
    with live_charger(tmp_path_factory.mktemp('supply')) as live:
        live.charge()
        yield live


def test_a_power_limit_holds_above_253_v(charger: LiveCharger) -> None:
    """6900 W were 7680 W at 256 V: what was not believed counted 230 V."""
    charger.board.do('set_mains', voltage=256.0)
    charger.wait_for(lambda c: min(c['voltage']) > 253.0, 5.0, 'the meter shows it')
    assert charger.put(powerLimit=6900).status_code == 204
    charger.wait_for(lambda c: 8.5 < c['commandedAmperage'] <= 6900 / (3 * 254.0), 2.0, 'commanded')
    charger.wait_for(lambda c: drawn(c) == pytest.approx(c['commandedAmperage'], abs=0.3), 20.0,
                     'the vehicle follows')
    charger.wait_for(lambda c: c['lastActivePower'] <= 6900.0 * 1.01, 10.0, 'within the limit')
    charger.board.do('set_mains', voltage=230.0)
    assert charger.put(powerLimit=None).status_code == 204


def test_one_phase_is_refused_and_not_claimed(charger: LiveCharger) -> None:
    answer = charger.put(onePhaseLimit=True, amperageLimit=7)
    assert (answer.status_code, answer.json()['error']['code']) == (409, 'NotSupported')
    assert 'cannot switch to one phase' in answer.json()['error']['detail']
    limits = charger.get('limits').json()
    assert (limits['onePhaseLimit'], limits['amperageLimit']) == (False, None)
    assert not charger.get('transaction').json()['onePhaseLimitActive']


def test_the_effective_limit_is_not_the_clients_own(charger: LiveCharger) -> None:
    assert charger.put(amperageLimit=7).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] == 7.0, 2.0, 'commanded 7 A')
    assert charger.get('configuration').json()['effectiveAmperageLimit'] == 16.0
    assert charger.put(amperageLimit=None).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] == 16.0, 20.0, 'back at 16 A')


def test_without_its_neutral_nothing_is_offered_and_the_fault_has_its_name(
        charger: LiveCharger) -> None:
    """Last: the fault holds for 30 s."""
    charger.wait_for(lambda c: drawn(c) > 10.0, 90.0, 'it charges')
    lost = boottime()
    charger.board.do('set_mains', loads=[25.0, 1.0, 1.0], neutral=False)
    wait_until(lambda: not charger.offers(), 10.0, 'no offer')
    assert charger.offer_stood(lost) < 7.0
    state = wait_until(lambda: (s := charger.get('transaction').json())['state'] == 'Faulted'
                       and s, 5.0, 'Faulted')
    assert state['vehicleStatus'] in 'ABC'
    assert 'NeutralLost' in charger.get('health').json()['decision']['reason']
