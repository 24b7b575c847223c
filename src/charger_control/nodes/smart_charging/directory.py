"""The watched directory: charging profiles as files, for a robot without a CSMS."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from charger_control.core.smart_charging import Profile
from charger_control.nodes.smart_charging.requests import LARGEST_REQUEST, RequestError

WATCH_PERIOD = 1.0
"""s between two looks at the directory."""
_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a look at the directory found.

    Attributes:
        name: of the file.
        profile: what it holds now; None: it is gone, or ``error`` says why it cannot be taken.
        error: '' or why.
    """

    name: str
    profile: Profile | None = None
    error: str = ''


class ProfileDirectory:
    """Looks at the ``*.json`` of a directory, in a thread; what it finds is in ``changes``.

    A directory that is not there is no reason to take its files for gone: ``error`` says so.
    """

    def __init__(self, folder: Path, read: Callable[[str], Profile], known: Iterable[str] = (),
                 period: float = WATCH_PERIOD) -> None:
        """The first look is over when this returns.

        Args:
            folder: what to watch.
            read: makes a profile of a file's text, or raises RequestError.
            known: names of files whose profiles are installed from before.
            period: s between two looks.
        """
        self.changes: queue.SimpleQueue[FileChange] = queue.SimpleQueue()
        self.error = ''
        self._folder, self._read, self._period = folder, read, period
        self._seen: dict[str, _Stamp | None] = dict.fromkeys(known)
        self._ended = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._run, name='profiles_dir', daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Has all files looked at again."""
        self._seen = dict.fromkeys(self._seen)

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._thread.join(2.0 * self._period)

    def _run(self) -> None:
        while not self._ended.wait(self._period):
            self._look()

    def _look(self) -> None:
        try:
            found = sorted(p for p in self._folder.iterdir()
                           if p.suffix == '.json' and p.name[0] != '.' and p.is_file())
        except OSError as error:
            self.error = (f'profiles_dir {self._folder} cannot be read ({error.strerror}): make '
                          'it, or correct the parameter; what it had installed stays')
            return
        self.error = ''
        for path in found:
            self._look_at(path)
        for name in self._seen.keys() - {p.name for p in found}:
            del self._seen[name]
            self.changes.put(FileChange(name))

    def _look_at(self, path: Path) -> None:
        try:
            status = path.stat()
            # not the time of modification: a mended right to read does not change that
            stamp = (status.st_ctime_ns, status.st_size, status.st_ino)
            if self._seen.get(path.name) == stamp:
                return
            change = FileChange(path.name, self._profile_in(path, status.st_size))
        except FileNotFoundError:  # just gone: the next look sees that
            return
        except (OSError, UnicodeDecodeError, RequestError) as error:
            change = FileChange(path.name, error=str(error))
        self._seen[path.name] = stamp
        self.changes.put(change)

    def _profile_in(self, path: Path, size: int) -> Profile:
        if size > LARGEST_REQUEST:
            raise RequestError('TooLarge', f'{size} bytes (allowed: {LARGEST_REQUEST})')
        return self._read(path.read_text(encoding='utf-8'))
