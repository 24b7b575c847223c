"""The order of things: lowering acts first, raising is written first, answers come last."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import pytest

from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.smart_charging import Installation, ProfileRejected, Reason
from charger_control.core.units import NAN
from charger_control.nodes.smart_charging.changes import STORE_TIMEOUT, ProfileChanges, raises
from charger_control.nodes.smart_charging.requests import RequestError


@dataclass
class Book:
    """In the place of ProfileBook; an installation's limit is the number in its ``lost``."""

    installed: Installation = field(default_factory=lambda: Installation(lost='10'))
    unsaved: bool = False
    unreadable: str = ''
    written: list[tuple[Installation, Future[None]]] = field(default_factory=list)

    def write(self, changed: Installation) -> Future[None]:
        self.written.append((changed, Future()))
        return self.written[-1][1]

    def check(self) -> None:
        pass


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.book = Book()
        self.woken = 0
        self.heard: list[str] = []
        self.changes = ProfileChanges(
            self.book, lambda i: AmperageLimit(float(i.lost)),  # type: ignore[arg-type]
            self._take, lambda: self.now, self._wake)

    def _take(self, installed: Installation) -> None:
        self.book.installed = installed
        self.heard.append(f'in force {installed.lost}')

    def _wake(self) -> None:
        self.woken += 1

    def change(self, to: float, *, insists: bool = False) -> None:
        self.changes.add(lambda installed: replace(installed, lost=f'{to:g}'), self.done(f'{to:g}'),
                         insists=insists)

    def done(self, name: str) -> Callable[[RequestError | None, str], None]:
        return lambda error, warning: self.heard.append(
            f'{name}: ' + (error.code if error is not None else f'done {warning}'.strip()))

    def wrote(self, error: Exception | None = None) -> None:
        future = self.book.written[-1][1]
        assert not future.done()
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
        self.changes.advance()


@pytest.fixture
def world() -> World:
    return World()


def test_lowering_acts_before_it_is_written_and_is_answered_after(world: World) -> None:
    world.change(8)
    assert world.heard == ['in force 8']
    assert len(world.book.written) == 1
    world.wrote()
    assert world.heard == ['in force 8', '8: done']
    assert world.woken == 1
    assert world.changes.idle


def test_raising_is_written_before_it_acts(world: World) -> None:
    world.change(12)
    assert (world.heard, len(world.book.written)) == ([], 1)
    world.wrote()
    assert world.heard == ['in force 12', '12: done']


def test_raising_that_cannot_be_written_is_not_taken(world: World) -> None:
    world.change(12)
    world.wrote(OSError('I/O error'))
    assert world.heard == [], 'some of it may be on the disk'
    assert world.book.written[-1][0].lost == '10'
    world.wrote()
    assert world.heard == ['12: StoreFailed']
    assert world.book.installed.lost == '10'
    assert not world.book.unsaved


def test_a_disk_that_refuses_everything_is_answered_too(world: World) -> None:
    world.change(12)
    world.wrote(OSError('disk full'))
    world.wrote(OSError('disk full'))
    assert world.heard == ['12: StoreFailed']
    assert world.book.unsaved


def test_lowering_that_cannot_be_written_holds_until_restart(world: World) -> None:
    world.change(8)
    world.wrote(OSError('disk full'))
    assert world.heard == ['in force 8', '8: done in force until restart: disk full']


@pytest.mark.parametrize(('to', 'expected'), [
    (8, ['in force 8', '8: done in force until restart: the store is slow: not written within '
         '1.5 s']), (12, ['12: StoreFailed'])])
def test_a_slow_store_is_not_waited_for(world: World, to: float, expected: list[str]) -> None:
    world.change(to)
    world.now = STORE_TIMEOUT - 0.01
    world.changes.advance()
    assert not any(':' in h for h in world.heard)
    world.now = STORE_TIMEOUT
    world.changes.advance()
    assert world.heard == expected
    assert world.book.written[0][1].cancelled()
    assert world.book.unsaved


def test_a_raise_that_may_still_reach_the_disk_is_not_refused(world: World) -> None:
    world.change(12)
    future = world.book.written[0][1]
    assert future.set_running_or_notify_cancel()  # too late to be cancelled
    world.now = 10 * STORE_TIMEOUT
    world.changes.advance()
    assert world.heard == []
    future.set_result(None)
    world.changes.advance()
    assert world.heard == ['in force 12', '12: done']


def test_who_insists_is_in_force_although_it_is_not_written(world: World) -> None:
    world.change(12, insists=True)
    assert world.heard == []
    world.wrote(OSError('disk full'))
    assert world.heard == ['in force 12', '12: done in force until restart: disk full']


def test_one_after_the_other_each_made_of_what_is_then_installed(world: World) -> None:
    world.change(12)
    seen: list[str] = []

    def make(installed: Installation) -> Installation:
        seen.append(installed.lost)
        return replace(installed, lost='5')

    world.changes.add(make, world.done('5'))
    assert seen == []
    world.wrote()
    assert seen == ['12']
    world.wrote()
    assert world.heard == ['in force 12', '12: done', 'in force 5', '5: done']


def test_a_refusal_changes_nothing_and_the_next_one_goes_on(world: World) -> None:
    def refuse(error: Exception) -> Callable[[Installation], Installation]:
        def make(_: Installation) -> Installation:
            raise error
        return make

    world.changes.add(refuse(RequestError('Unknown', 'no such profile')), world.done('a'))
    world.changes.add(refuse(ProfileRejected(Reason.NEGATIVE_LIMIT, 'limit -1')), world.done('b'))
    assert world.heard == ['a: Unknown', 'b: ChargingSchedulePeriodNegativeLimit']
    assert world.book.written == []
    world.change(8)
    assert world.heard[-1] == 'in force 8'


def test_what_changes_nothing_is_done_without_a_write(world: World) -> None:
    world.book.unsaved = True
    world.changes.add(lambda installed: installed, world.done('same'))
    assert (world.heard, world.book.written) == (['same: done'], [])
    assert world.book.unsaved


def test_the_store_is_mended_once_nothing_else_waits(world: World) -> None:
    world.changes.mend()
    assert world.book.written == []
    world.change(12)
    world.book.unsaved = True
    world.changes.mend()
    assert len(world.book.written) == 1
    world.wrote()
    world.book.unsaved = True
    world.changes.mend()
    assert world.book.written[-1][0].lost == '12'
    world.wrote()
    assert not world.book.unsaved
    world.book.unsaved, world.book.unreadable = True, 'never read: not to be written over'
    world.changes.mend()
    assert len(world.book.written) == 2


@pytest.mark.parametrize(('before', 'after', 'expected'), [
    ((16.0, 0), (10.0, 0), False), ((10.0, 0), (16.0, 0), True), ((10.0, 0), (10.0, 0), False),
    ((NAN, 0), (80.0, 0), False), ((80.0, 0), (NAN, 0), True), ((NAN, 0), (NAN, 0), False),
    ((16.0, 1), (16.0, 3), True), ((16.0, 1), (16.0, 0), True), ((16.0, 3), (16.0, 1), False),
    ((16.0, 1), (10.0, 3), True), ((0.0, 0), (NAN, 1), True),
])
def test_what_raises(before: tuple[float, int], after: tuple[float, int], expected: bool) -> None:
    assert raises(AmperageLimit(*before), AmperageLimit(*after)) is expected
