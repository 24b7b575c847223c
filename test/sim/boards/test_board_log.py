import json
import math
import threading
from pathlib import Path

import pytest

from charger_control.sim.boards.board_log import (
    BoardLog,
    Event,
    longest_offer,
    offer_stood,
    read_log,
)


def test_each_line_is_on_disk_when_write_returns(tmp_path: Path) -> None:
    path = tmp_path / 'log'
    log = BoardLog(path)
    for i in range(3):
        log.write(i + 0.5, 'write', value=i)
        assert json.loads(path.read_text().splitlines()[-1]) == {
            't': i + 0.5, 'event': 'write', 'value': i}
    log.close()
    again = BoardLog(path)                          # a restarted process goes on
    again.write(9.0, 'start')
    again.close()
    with path.open('a') as file:
        file.write('{"t": 10.0, "ev')               # killed in the middle of a line
    assert [event['t'] for event in read_log(path)] == [0.5, 1.5, 2.5, 9.0]


def test_wait_for_an_event_of_another_thread() -> None:
    log = BoardLog()
    log.write(1.0, 'relay', closed=False)
    timer = threading.Timer(0.02, lambda: log.write(2.0, 'relay', closed=True))
    timer.start()
    assert log.wait_for('relay', 2.0, closed=True)['t'] == 2.0
    assert log.wait_for('relay', 2.0)['t'] == 1.0
    assert log.wait_for('relay', 2.0, since=1.5)['t'] == 2.0
    with pytest.raises(TimeoutError, match="no event 'relay'"):
        log.wait_for('relay', 0.01, since=3.0)


def test_listeners_hear_everything() -> None:
    log, heard = BoardLog(), []
    log.listen(heard.append)
    log.write(1.0, 'boot', reason='x')
    assert heard == [{'t': 1.0, 'event': 'boot', 'reason': 'x'}]


def offers(*pairs: tuple[float, float]) -> list[Event]:
    return [{'t': t, 'event': 'offer', 'amperage': amperage} for t, amperage in pairs]


@pytest.mark.parametrize(('events', 'since', 'above', 'stood'), [
    ([], 10.0, 0.0, 0.0),                                                   # never offered
    (offers((1.0, 16.0)), 10.0, 0.0, math.inf),                             # stands for ever
    (offers((1.0, 16.0), (11.5, 0.0)), 10.0, 0.0, 1.5),
    (offers((1.0, 16.0), (9.0, 0.0)), 10.0, 0.0, 0.0),                      # was gone before
    (offers((1.0, 16.0), (9.0, 0.0), (20.0, 6.0)), 10.0, 0.0, 0.0),         # and came back later
    (offers((1.0, 16.0), (10.5, 10.0), (12.0, 0.0)), 10.0, 0.0, 2.0),       # only lowered first
    (offers((1.0, 16.0), (10.5, 10.0), (12.0, 0.0)), 10.0, 10.0, 0.5),
    (offers((1.0, 16.0), (10.5, 32.0)), 10.0, 0.0, math.inf),               # raised
])
def test_how_long_an_offer_stood(events: list[Event], since: float, above: float,
                                 stood: float) -> None:
    assert offer_stood(events, since, above) == stood


@pytest.mark.parametrize(('events', 'above', 'longest'), [
    ([], 0.0, 0.0),
    (offers((1.0, 16.0)), 0.0, 10.0),                                       # all the time
    (offers((1.0, 16.0), (9.0, 0.0), (25.0, 16.0)), 0.0, 0.0),              # before and after
    (offers((1.0, 16.0), (12.0, 0.0), (13.0, 32.0), (16.5, 10.0)), 0.0, 7.0),
    (offers((1.0, 16.0), (12.0, 32.0), (13.5, 20.0), (14.0, 6.0), (19.0, 32.0)), 16.0, 2.0),
])
def test_longest_offer_between_10_and_20(events: list[Event], above: float,
                                         longest: float) -> None:
    assert longest_offer(events, 10.0, 20.0, above) == longest
