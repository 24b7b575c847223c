"""Who asked and who wrote what: one JSON object a line, in a file of bounded size.

Written by a thread of its own, so that a slow disk never holds the web thread up.
"""

from __future__ import annotations

import json
import logging
import queue
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from typing import Any

FILE_BYTES, FILES = 10_000_000, 4
"""Bytes after which a file is turned over, and how many older ones are kept."""
WAITING = 10_000
"""Lines that may wait for the disk; more are lost, and counted."""
LONGEST_PATH = 200
"""Characters of a request's path that are kept."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was answered (a WebSocket: that has ended).

    Attributes:
        address: of the peer.
        user: name of its credential; '' for none.
        method, path: as asked, without the query, which may hold what is no one's business.
        status: of HTTP.
        size: bytes of the answer's body.
        seconds: from its first line to the end of the answer.
    """

    address: str
    user: str
    method: str
    path: str
    status: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Change:
    """A write that was tried.

    Attributes:
        charger: name of the charger; '' for what is about all of them.
        what: it was about: 'limits', 'profiles', 'transaction' or 'dimming'.
        who: asked.
        old, new: the values.
        outcome: 'ok' or the code of the refusal.
    """

    charger: str
    what: str
    who: str
    old: dict[str, Any]
    new: dict[str, Any]
    outcome: str


class _Sender(QueueHandler):
    """Puts lines into the queue, or loses them."""

    def __init__(self, lines: queue.Queue[Any]) -> None:
        super().__init__(lines)
        self.lost = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.lost += 1


class Records:
    """The file; '' for none, then nothing is kept. From any thread."""

    def __init__(self, path: str) -> None:
        """OSError where the file cannot be written."""
        self._sender: _Sender | None = None
        self._listener: QueueListener | None = None
        if path:
            file = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES)
            lines: queue.Queue[Any] = queue.Queue(WAITING)
            self._sender = _Sender(lines)
            self._listener = QueueListener(lines, file)
            self._listener.start()

    @property
    def lost(self) -> int:
        """Lines that were not written because the disk was too slow."""
        return self._sender.lost if self._sender is not None else 0

    def request(self, request: Request) -> None:
        """Keeps a request."""
        if self._sender is not None:
            self._write('request', {
                'address': request.address, 'user': request.user, 'method': request.method[:20],
                'path': request.path[:LONGEST_PATH], 'status': request.status,
                'bytes': request.size, 'ms': round(request.seconds * 1e3, 2)})

    def change(self, change: Change) -> None:
        """Keeps a write."""
        if self._sender is not None:
            self._write('write', {name: getattr(change, name) for name in Change.__slots__})

    def close(self) -> None:
        """Writes what waits, and ends the thread."""
        if self._listener is not None:
            self._listener.stop()
            for handler in self._listener.handlers:
                handler.close()
            self._listener = self._sender = None

    def _write(self, kind: str, fields: dict[str, Any]) -> None:
        if self._sender is not None:
            at = datetime.now(UTC).isoformat(timespec='milliseconds')
            line = json.dumps({'time': at, 'kind': kind, **fields}, separators=(',', ':'))
            self._sender.emit(logging.makeLogRecord({'msg': line}))
