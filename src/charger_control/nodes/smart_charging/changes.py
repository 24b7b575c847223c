"""Changes of what is installed, one after the other: made, written, in force, answered."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.smart_charging import Installation, ProfileRejected
from charger_control.nodes.smart_charging.book import ProfileBook
from charger_control.nodes.smart_charging.requests import RequestError, rejection

STORE_TIMEOUT = 1.5
"""s that a change waits for the store."""
Make = Callable[[Installation], Installation]
"""What a change makes of what is installed; RequestError or ProfileRejected refuses it."""
Done = Callable[[RequestError | None, str], None]
"""Told how it ended: why it was not taken, or a warning, '' for none."""


@dataclass(slots=True)
class _Change:
    make: Make
    done: Done
    insists: bool
    deadline: float = 0.0
    made: Installation | None = None
    written: Future[None] | None = None
    acted: bool = False
    refused: str = ''


class ProfileChanges:
    """Lowering acts first, is written next, answered last; raising is written before it acts."""

    def __init__(self, book: ProfileBook, limit_of: Callable[[Installation], AmperageLimit],
                 take: Callable[[Installation], None], now: Callable[[], float],
                 written: Callable[[], None]) -> None:
        """What a change needs.

        Args:
            book: what is installed, and its copy in the store.
            limit_of: the limit that would be in force now.
            take: brings an installation into force.
            now: s, on a clock that only moves forward.
            written: called in the store's thread after a write; is to have ``advance`` called.
        """
        self._book, self._limit_of, self._take = book, limit_of, take
        self._now, self._written = now, written
        self._waiting: deque[_Change] = deque()

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def add(self, make: Make, done: Done, *, insists: bool = False) -> None:
        """Takes a change in its turn.

        Args:
            make: what it makes of what is installed then.
            done: told how it ended, once.
            insists: it comes into force although it cannot be written: nobody was promised
                anything, and after a restart it is made again.
        """
        self._waiting.append(_Change(make, done, insists))
        self.advance()

    def mend(self) -> None:
        """Writes again what the store has refused or lost, once nothing else waits."""
        self._book.check()
        if self._book.unsaved and not self._book.unreadable and not self._waiting:
            self.add(replace, lambda error, warning: None, insists=True)

    def advance(self) -> None:
        """Goes on where the store has answered, or was too slow."""
        while self._waiting:
            change = self._waiting[0]
            if change.written is None:
                try:
                    self._begin(change)
                except RequestError as error:
                    self._end(change, error)
                    continue
                except ProfileRejected as error:
                    self._end(change, rejection(error))
                    continue
            if change.written is None:  # it changes nothing
                self._end(change, None)
                continue
            trouble = self._trouble(change, change.written)
            if trouble is None:
                return
            self._finish(change, trouble)

    def _begin(self, change: _Change) -> None:
        change.made = change.make(self._book.installed)
        if change.made is self._book.installed:
            return
        before, after = self._limit_of(self._book.installed), self._limit_of(change.made)
        change.acted = not raises(before, after)
        if change.acted:
            self._take(change.made)
        self._write(change, change.made)

    def _trouble(self, change: _Change, written: Future[None]) -> str | None:
        """'' once it is written, else why it is not; None: not known yet."""
        if written.done():
            error = written.exception()
            return '' if error is None else str(error)
        if self._now() < change.deadline:
            return None
        # a raise that may still reach the disk is not refused: it would act after a restart
        if not written.cancel() and not change.acted and not change.insists:
            return None
        return f'the store is slow: not written within {STORE_TIMEOUT:g} s'

    def _finish(self, change: _Change, trouble: str) -> None:
        assert change.made is not None  # it was begun
        # what was not written, or perhaps was, is written again with all that counts then
        self._book.unsaved = bool(trouble)
        if change.refused:
            self._end(change, RequestError('StoreFailed', f'not taken: {change.refused}'))
        elif trouble and not change.acted and not change.insists:
            change.refused = trouble
            if change.written is not None and _may_be_written(change.written):
                # written over before its refusal is told
                change.acted = True
                self._write(change, self._book.installed)
                return
            self._end(change, RequestError('StoreFailed', f'not taken: {trouble}'))
        else:
            if not change.acted:
                self._take(change.made)
            self._end(change, None, f'in force until restart: {trouble}' if trouble else '')

    def _write(self, change: _Change, installed: Installation) -> None:
        change.deadline = self._now() + STORE_TIMEOUT
        change.written = self._book.write(installed)
        change.written.add_done_callback(lambda _: self._written())

    def _end(self, change: _Change, error: RequestError | None, warning: str = '') -> None:
        self._waiting.popleft()
        change.done(error, warning)


def _may_be_written(written: Future[None]) -> bool:
    """Whether what was refused may be on the disk all the same."""
    return not written.cancelled() and getattr(written.exception(), 'may_be_written', True)


def raises(before: AmperageLimit, after: AmperageLimit) -> bool:
    """Whether a limit allows more than the one before: amperes, or phases."""
    def allowed(limit: AmperageLimit) -> tuple[float, int]:
        return math.inf if math.isnan(limit.amperage) else limit.amperage, limit.phases or 3

    return any(new > old for new, old in zip(allowed(after), allowed(before), strict=True))
