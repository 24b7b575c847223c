"""A charging session on real processes: what clients see at each step, and whose energy it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_charger import live_charger
from live_session import BEFORE, RESOLUTION, SCENARIO, Session
from live_topics import topics_of

from charger_control.ros.interfaces import TRANSACTION


@pytest.fixture(scope='module')
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with live_charger(tmp_path_factory.mktemp('charger'), scenario=SCENARIO) as charger, \
            topics_of(charger.namespace, TRANSACTION) as topics:
        yield Session(charger, topics)


def test_from_plug_in_to_unplug(session: Session) -> None:
    charger = session.charger
    assert charger.board is not None
    idle = session.comes_to('Idle')
    assert (idle['sessionId'], idle['startedTime'], idle['meterStart']) == ('', None, None)
    assert idle['vehicleStatus'] == 'A'

    charger.board.do('plug_in')
    charging = session.comes_to('Charging', condition=lambda t: t.vehicle_status == 'C')
    assert charging['sessionId'] and charging['startReason'] == 'CablePluggedIn'
    assert charging['meterStart'] == pytest.approx(BEFORE, abs=RESOLUTION)
    assert (charging['endedTime'], charging['stopReason']) == (None, '')
    assert charging['chargeControllerStatus'] == 'C2'
    assert charging['allocationSourceName'] == 'Unmanaged', 'its own fuse limits'
    session.charges_on()

    assert charger.put(amperageLimit=8).status_code == 204
    session.comes_to('Charging', condition=lambda t: t.allocation_source_name == 'API')
    assert charger.put(enabled=False).status_code == 204
    suspended = session.comes_to('SuspendedEVSE', condition=lambda t: t.vehicle_status == 'B')
    assert suspended['usedPhasesSession'] == '111'
    assert suspended['allocationSourceName'] == 'API'
    assert charger.put(enabled=None, amperageLimit=None).status_code == 204
    session.comes_to('Charging', condition=lambda t: t.vehicle_status == 'C')

    charger.board.do('set_vehicle', vehicle={'soc': 1.0})
    full = session.comes_to('SuspendedEV')
    assert full['vehicleStatus'] == 'B' and full['chargeControllerStatus'] == 'B2'
    charger.board.do('set_vehicle', vehicle={'soc': 0.3})
    session.comes_to('Charging', condition=lambda t: t.vehicle_status == 'C')

    charger.board.do('unplug')
    ended = session.comes_to('Idle', condition=lambda t: t.ended_time > 0.0)
    assert ended['sessionId'] == charging['sessionId'] == suspended['sessionId']
    assert ended['stopReason'] == 'EVDisconnected' and ended['usedPhasesSession'] == '111'
    assert ended['startedTime'] <= ended['endedTime']
    session.energy_is_that_into_the_vehicle(ended)
    states = [state for state in session.states if state != 'Unavailable']  # before the first word
    resumed = states.index('SuspendedEVSE') + 1
    while states[resumed].startswith('Suspended'):  # offered again, until the vehicle closes S2
        del states[resumed]
    assert states == ['Idle', 'EVConnected', 'Charging', 'SuspendedEVSE', 'Charging',
                      'SuspendedEV', 'Charging', 'Finishing', 'Idle'], states


def test_the_next_session_goes_on_over_a_restart_of_the_charger(session: Session) -> None:
    charger = session.charger
    assert charger.board is not None and charger.up is not None
    before = float(charger.board.truth()['plant']['energy'])
    last = charger.get('transaction').json()['sessionId']
    charger.charge()
    charging = session.comes_to('Charging')
    assert charging['sessionId'] != last
    assert charger.up.end() == 0
    charger.start()
    again = session.charges_on()
    assert again['sessionId'] == charging['sessionId'], 'the same vehicle, a short gap'
    assert again['startedTime'] == charging['startedTime']
    charger.board.do('unplug')
    ended = session.comes_to('Idle', condition=lambda t: t.ended_time > 0.0)
    assert ended['sessionId'] == charging['sessionId']
    assert ended['meterStart'] == charging['meterStart']
    session.energy_is_that_into_the_vehicle(ended, before)
