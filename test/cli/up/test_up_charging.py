"""The main job, on real processes and a real serial line: plug in, limit, give back, restart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import requests
import websocket
from live_charger import LiveCharger, boottime, drawn, live_charger, wait_until

NINE = {'voltage', 'amperage', 'allocatedAmperage', 'commandedAmperage', 'availableAmperage',
        'signaledAmperage', 'frequency', 'energyImported', 'lastActivePower'}


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCharger]:
    with live_charger(tmp_path_factory.mktemp('charger')) as live:
        live.charge()
        yield live


@pytest.fixture(autouse=True)
def given_back(charger: LiveCharger) -> Iterator[None]:
    yield
    assert charger.put(amperageLimit=None, powerLimit=None, enabled=None,
                       timeout=300_000).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] == pytest.approx(16.0), 20, 'back at 16 A')


def test_nine_fields_live_from_the_meter(charger: LiveCharger) -> None:
    charging = charger.charging()
    assert charging is not None and set(charging) == NINE
    assert charging['voltage'] == pytest.approx([230.0] * 3, abs=5.0)
    assert charging['frequency'] == pytest.approx(50.0, abs=0.2)


def test_settles_at_what_is_commanded(charger: LiveCharger) -> None:
    settled = charger.wait_for(
        lambda c: drawn(c) == pytest.approx(c['commandedAmperage'], abs=0.5)
        and c['commandedAmperage'] == 16.0, 30, 'amperage within 0.5 A of commanded')
    assert settled['signaledAmperage'] <= 16.0  # the fuse, whatever the PI would like


def test_a_limit_acts_within_a_second_and_is_given_back(charger: LiveCharger) -> None:
    start = time.monotonic()
    assert charger.put(amperageLimit=10).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] <= 10.0, 1.0, 'commanded at most 10 A')
    assert time.monotonic() - start < 1.0
    charger.wait_for(lambda c: drawn(c) < 10.5, 8.0, 'the vehicle follows')
    charger.wait_for(lambda c: drawn(c) == pytest.approx(10.0, abs=0.5), 20.0, 'settles')


@pytest.mark.parametrize('given_back', ['null', 'NaN'])
def test_null_and_nan_give_control_back(charger: LiveCharger, given_back: str) -> None:
    assert charger.put(amperageLimit=8).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] <= 8.0, 1.0, 'commanded at most 8 A')
    answer = requests.put(f'{charger.url}/api/v1/limits', timeout=5, data='{"amperageLimit": '
                          + given_back + '}', headers={'Content-Type': 'application/json'})
    assert answer.status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] == 16.0, 10.0, 'commanded back at 16 A')


def test_below_six_amperes_is_none(charger: LiveCharger) -> None:
    assert charger.put(amperageLimit=5).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] == 0.0, 1.0, 'commanded 0 A')
    charger.wait_for(lambda c: drawn(c) < 0.5, 8.0, 'the vehicle stops')


def test_a_limit_lapses(charger: LiveCharger) -> None:
    assert charger.put(amperageLimit=9, timeout=2000).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] == 9.0, 1.0, 'commanded 9 A')
    charger.wait_for(lambda c: c['commandedAmperage'] == 16.0, 6.0, 'the limit lapses')
    limits = charger.get('limits').json()
    assert limits['amperageLimit'] == 9 and limits['expiresIn'] == 0


def test_websocket_client_gets_a_frame_at_once_and_ten_a_second(charger: LiveCharger) -> None:
    start = time.monotonic()
    client = websocket.create_connection(charger.url.replace('http', 'ws') + '/api/ws', timeout=5)
    try:
        while json.loads(client.recv())['topic'] != 'charging':
            pass
        assert time.monotonic() - start < 1.0
        count, until = 0, time.monotonic() + 2.0
        while time.monotonic() < until:
            count += json.loads(client.recv())['topic'] == 'charging'
        assert 16 <= count <= 40
        client.send('setCurrentLimit\n7')
        charger.wait_for(lambda c: c['commandedAmperage'] == 7.0, 2.0, 'commanded 7 A')
    finally:
        client.close()


def test_a_restarted_graph_goes_on_with_the_limit(charger: LiveCharger) -> None:
    assert charger.put(amperageLimit=11).status_code == 204
    charger.wait_for(lambda c: c['commandedAmperage'] == 11.0, 2.0, 'commanded 11 A')
    assert charger.up is not None
    assert charger.up.end() == 0
    assert not charger.offers(), 'a good-bye withdraws the offer'
    since = boottime()
    charger.start()
    assert charger.get('limits').json()['amperageLimit'] == 11
    charger.wait_for(lambda c: c['commandedAmperage'] == 11.0, 20.0, 'commanded 11 A again')
    # the board's log is the witness
    wait_until(lambda: [e for e in charger.events('offer', since) if e['amperage'] > 10.0], 10.0,
               'the offer is back')
    assert max(e['amperage'] for e in charger.events('offer', since)) <= 13.0  # 11 A and trim
