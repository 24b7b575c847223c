"""Keeps the installed profiles: store, CSMS, files and the running session come together here."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.smart_charging import Installation, Running, Station
from charger_control.nodes.smart_charging.book import ProfileBook
from charger_control.nodes.smart_charging.changes import Done, Make, ProfileChanges
from charger_control.nodes.smart_charging.directory import FileChange, ProfileDirectory
from charger_control.nodes.smart_charging.requests import set_request
from charger_control.nodes.smart_charging.worker import Worker
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.node import BlockNode
from charger_control.store import Store

MEND_PERIOD, PURGE_PERIOD = 1.0, 60.0
"""s between two tries to mend the store; and two looks for expired profiles."""


class ProfileKeeper:
    """What is installed, ``installed``, and for which session, ``running``.

    Attributes:
        station: what this station has and takes.
        running: the charging session that runs; until that is heard, the one of the TxProfiles.
        worker: the thread for what takes long.
    """

    def __init__(self, node: BlockNode, store: Store, station: Station,
                 limit_of: Callable[[Installation], AmperageLimit],
                 take: Callable[[Installation], None]) -> None:
        """Has in ``installed`` what the store has; ``look`` does the rest.

        Args:
            node: whose clock and executor these are.
            store: of the node.
            station: what this station has and takes.
            limit_of: the limit that would be in force now.
            take: brings an installation into force.
        """
        self.station = station
        self.worker = Worker(node)
        self._now, self._wall = node.now, node.wall
        self._book = ProfileBook(store)
        self._into_force = take
        # a disk lives in real time, also in a simulation
        self._changes = ProfileChanges(self._book, limit_of, self._take, time.monotonic,
                                       lambda: self.worker.soon(self._changes.advance))
        self.running = self.installed.running
        self._directory: ProfileDirectory | None = None
        self._refused: dict[str, str] = {}
        self._mend_at = self._purge_at = -math.inf

    @property
    def installed(self) -> Installation:
        """What is installed now."""
        return self._book.installed

    # -- changes ---------------------------------------------------------------------------------
    def change(self, make: Make, done: Done) -> None:
        """A change that is answered."""
        self._changes.add(make, done)

    def follow(self, running: Running | None) -> None:
        """The session that runs now: TxProfiles go with theirs, or learn its id."""
        self.running = running
        self._changes.add(lambda installed: installed.follow(running), _nobody, insists=True)

    def watch(self, folder: str) -> None:
        """Installs the files of a directory, and goes on with it; '': of none."""
        known = tuple(self.installed.files)
        if folder:
            self._directory = ProfileDirectory(
                Path(folder).expanduser(), lambda text: set_request(text, None, self.station),
                known)
            self._take_files()
        else:  # what a directory had installed that is no longer watched
            for name in known:
                self._take_file(FileChange(name))

    def look(self, *, trusted: bool) -> None:
        """Goes on with what is under way; ``trusted``: so is the wall clock."""
        now = self._now()
        self._take_files()
        self._changes.advance()
        if now >= self._mend_at:
            self._mend_at = now + MEND_PERIOD
            self._mend()
        if trusted and now >= self._purge_at:
            self._purge_at = now + PURGE_PERIOD
            wall = int(self._wall())
            self._changes.add(lambda installed: installed.purge(wall), _nobody, insists=True)

    def close(self) -> None:
        """Ends the threads."""
        self.worker.close()
        if self._directory is not None:
            self._directory.close()

    # -- parts -----------------------------------------------------------------------------------
    def _take(self, installed: Installation) -> None:
        self._book.installed = installed
        self._into_force(installed)

    def _take_files(self) -> None:
        while self._directory is not None and not self._directory.changes.empty():
            self._take_file(self._directory.changes.get())

    def _take_file(self, found: FileChange) -> None:
        name, profile = found.name, found.profile
        self._refused.pop(name, None)
        if found.error:  # what it had installed stays
            self._refused[name] = found.error
            return

        def done(error: Exception | None, _: str) -> None:
            if error is not None:
                self._refused[name] = str(error)

        def make(installed: Installation) -> Installation:
            if profile is None:
                return installed.without_file(name)
            return installed.install(profile, self.station, self.running, int(self._wall()),
                                     file=name)

        self._changes.add(make, done, insists=True)

    def _mend(self) -> None:
        if self._book.unreadable and self._changes.idle:
            self._book.restore()
            if not self._book.unreadable:
                self._take(self.installed)
                if self._directory is not None:
                    self._directory.forget()
        self._changes.mend()

    def health(self) -> list[Health]:
        """What is wrong with the directory."""
        folder = '' if self._directory is None else self._directory.error
        refused = [f'{name}: {why}' for name, why in sorted(self._refused.items())]
        return [Health('directory', Level.WARN if folder or refused else Level.OK,
                       folder or '; '.join(refused) or 'OK',
                       {'files': len(self.installed.files), 'refused': len(refused)})]


def _nobody(*_: object) -> None:
    """Nobody waits for the answer."""
