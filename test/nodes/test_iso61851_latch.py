"""nodes/iso61851_latch.py: a fault that only a person clears outlives restarts, and an unreadable
store."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from charger_control.core.iso61851 import PilotReading
from charger_control.core.iso61851.faults import UNREADABLE, WELDED
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.drivers.interfaces import KeptFault, Sample
from charger_control.nodes.iso61851 import Iso61851
from charger_control.nodes.iso61851_latch import KEY, RETRY_PERIOD, ROOM, Latched, LatchKeeper
from charger_control.ros.diagnostics import Level
from charger_control.ros.interfaces import AVAILABLE, CONTROL_PILOT, LIMIT_HW, RESET_FAULT
from charger_control.sim.boards.openevse_rules import HARD_FAULT_TIME, Flag, State
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import SimulatorOptions, running
from charger_control.sim.plant.contactor import ContactorParameters
from charger_control.sim.plant.plant import PlantParameters
from charger_control.store import Store
from charger_control.store.place import store_file

BOTH = Latched(WELDED, KeptFault('residual current (GFCI)', 'BoardFault'))


def keeper_of(store: Store) -> LatchKeeper:
    return LatchKeeper(store, lambda: 0.0)


def kept(store: Store, *latched: Latched) -> None:
    """Each was kept, one after the other, and written."""
    keeper = keeper_of(store)
    for one in latched:
        keeper.keep(0.0, one)
        keeper._write.result(5)


def until_read(keeper: LatchKeeper, now: float) -> Latched:
    end = time.monotonic() + 5.0
    while (found := keeper.reread(now)) is None:
        assert time.monotonic() < end, 'it did not come about'
        time.sleep(0.005)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(store_file(str(tmp_path)))) as one:
        yield one


def test_what_was_latched_is_found_again(store: Store) -> None:
    for latched in (BOTH, Latched(WELDED), Latched(board=BOTH.board), Latched()):
        kept(store, replace(latched, name='other'), latched)
        assert keeper_of(store).found == latched and keeper_of(store).trouble == ''


def test_a_first_start_has_no_fault(store: Store) -> None:
    assert keeper_of(store).found == Latched()


@pytest.fixture
def barred(tmp_path: Path) -> Iterator[Store]:
    """A store whose place is taken by something else."""
    (tmp_path / 'taken').write_text('')
    with closing(Store(store_file(str(tmp_path / 'taken')))) as one:
        yield one


def freed(tmp_path: Path, latched: Latched) -> None:
    (tmp_path / 'taken').unlink()
    with closing(Store(store_file(str(tmp_path / 'taken')))) as other:
        kept(other, latched)


@pytest.mark.parametrize('latched', [Latched('none'), BOTH])
def test_unreadable_is_no_lack_of_a_fault_and_is_read_once_it_can(
        barred: Store, tmp_path: Path, latched: Latched) -> None:
    """Counted as "no fault" before."""
    keeper = keeper_of(barred)
    assert keeper.found == Latched(UNREADABLE) and 'taken' in keeper.trouble
    keeper.keep(0.0, keeper.found)
    assert keeper._write is None, 'what cannot be read is not overwritten'
    assert keeper.reread(0.0) is None
    freed(tmp_path, latched)
    assert until_read(keeper, RETRY_PERIOD) == latched and keeper.trouble == ''
    assert keeper.reread(100.0) is None, 'once'


def test_after_a_reset_nothing_is_read_any_more_and_that_is_written(
        barred: Store, tmp_path: Path) -> None:
    keeper = keeper_of(barred)
    keeper.reset()
    freed(tmp_path, BOTH)
    assert keeper.reread(RETRY_PERIOD) is None
    keeper.keep(RETRY_PERIOD, Latched())
    keeper._write.result(5)
    assert keeper_of(barred).found == Latched()


def test_a_refused_write_is_tried_again(barred: Store, tmp_path: Path) -> None:
    """A fault was forgotten by the next start before."""
    keeper = keeper_of(barred)
    keeper.reset()
    keeper.keep(0.0, BOTH)
    with pytest.raises(Exception, match='taken'):
        keeper._write.result(5)
    (tmp_path / 'taken').unlink()
    keeper.keep(1.0, BOTH)
    keeper.keep(1.0 + RETRY_PERIOD, BOTH)
    keeper._write.result(5)
    assert keeper_of(barred).found == BOTH


@pytest.mark.parametrize('body', [
    'no JSON', '[]', '{}', '{"name": 3}', '{"name": "", "board": {"words": "x"}}',
    '{"name": "", "board": 7}'])
def test_a_value_that_cannot_be_is_a_fault(store: Store, body: str) -> None:
    kept(store, BOTH)
    with closing(sqlite3.connect(store.file)) as other:
        other.execute('UPDATE value SET body = ? WHERE room = ? AND key = ?', (body, ROOM, KEY))
        other.commit()
    assert keeper_of(store).found == Latched(UNREADABLE)


def test_a_damaged_file_is_a_fault_also_after_the_next_start(tmp_path: Path) -> None:
    file = store_file(str(tmp_path))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b'not a database' * 500)
    with closing(Store(file)) as store:
        keeper = keeper_of(store)
        assert keeper.found == Latched(UNREADABLE) and 'moved' in keeper.trouble
        keeper.keep(0.0, keeper.found)
        keeper._write.result(5)
        assert keeper_of(store).found == Latched(UNREADABLE)


# -- the node --------------------------------------------------------------------------------------

class Board:
    """A CurrentPilot with a vehicle in B that does at once what it is told."""

    timeout, step, offered, node = 1.0, 0.01, 0.0, None

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def offer(self, amperage: float | None) -> None:
        self.offered = amperage or 0.0

    def open_contactor(self) -> None:
        pass

    def latest(self) -> Sample[PilotReading]:
        return Sample(PilotReading('B', self.offered), self.node.now() if self.node else 0.0)


@pytest.fixture
def offering(graph: Any) -> Iterator[list[Any]]:
    """16 A are available; what the node says."""
    def speak() -> None:
        if graph.nodes:
            graph.say(AVAILABLE, AvailableAmperage(16.0, 16.0, True))
            graph.say(LIMIT_HW, AmperageLimit(32.0, valid_for=5.0))

    timer = graph.probe.create_timer(0.05, speak)
    yield graph.hear(CONTROL_PILOT)
    timer.cancel()


def test_with_an_unreadable_store_nothing_is_offered_until_a_person_resets_it(
        graph: Any, offering: list[Any], tmp_path: Path) -> None:
    """16 A were offered before, welded or not."""
    (tmp_path / 'taken').write_text('')
    board: Any = Board()
    board.node = node = graph.start(partial(Iso61851, driver=board), present_hold=0.0,
                                    state_dir=str(tmp_path / 'taken'),
                                    **{'device.driver': 'evse_din', 'device.port': '/dev/none'})
    graph.until(lambda: offering and offering[-1].fault == UNREADABLE)
    graph.turn(1.0)
    assert board.offered == 0.0
    health = node.health()[-1]
    assert health.level is Level.ERROR and 'reset-fault' in health.message
    assert 'taken' in health.message
    assert graph.ask(RESET_FAULT).code == 'OK'
    graph.until(lambda: board.offered == 16.0 and not offering[-1].fault)


def test_a_fault_of_an_openevse_outlives_its_driver(
        graph: Any, offering: list[Any], tmp_path: Path) -> None:
    """The board forgets it when it is put to sleep; the next start offered into it before."""
    point = ChargePointParameters(
        scenario=replace(Scenario(), steps=()), baudrate=0, answer_delay=0.0,
        board_model='openevse', plant=PlantParameters(contactor=ContactorParameters()))
    link = tmp_path / 'board'
    with running(SimulatorOptions(link=link, charge_point=point)) as simulator:
        board = simulator.charge_point.board
        start = partial(graph.start, Iso61851, present_hold=0.0, state_dir=str(tmp_path),
                        **{'device.driver': 'openevse', 'device.port': str(link)})
        node = start()
        simulator.do('plug_in', vehicle='ideal', cable=32)
        graph.until(lambda: board.relay)
        graph.turn(HARD_FAULT_TIME + 0.5)       # later than that it is no hard fault
        board.grounded = False
        graph.until(lambda: offering[-1].fault == 'BoardFault')
        graph.stop(node)
        assert board.evse == State.SLEEPING and not board.flags & Flag.HARD_FAULT
        board.grounded = True
        heard = len(offering)
        node = start()
        graph.until(lambda: offering[heard:] and offering[-1].vehicle_status == 'B')
        graph.turn(2.0)
        there = [one.fault for one in offering[heard:] if one.vehicle_status == 'B']
        assert set(there) == {'BoardFault'}
        assert not board.relay and board.offered == 0.0 and board.evse == State.SLEEPING
        simulator.do('unplug')
        graph.until(lambda: offering[-1].vehicle_status == 'A' and not offering[-1].fault)
        simulator.do('plug_in', vehicle='ideal', cable=32)
        graph.until(lambda: board.relay and board.offered == 16.0)
        graph.stop(node)
