"""The WebSocket at ``/api/ws``: frames out through the fan-out, commands in, one greenlet a client.

flask-sock routes and simple-websocket shakes hands; from then on this reads and ``fanout`` writes.
simple-websocket's own loop has no bound on what it buffers, closes on a long message and writes
beside us, so it is not started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gevent
from flask import Flask, request
from flask_sock import Sock
from wsproto import WSConnection
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from charger_control.bridges.graph import documents
from charger_control.bridges.graph.bucket import Bucket
from charger_control.bridges.graph.errors import RequestError
from charger_control.bridges.graph.limits_input import parse_command
from charger_control.bridges.web.access.gate import IDENTITY, Identity
from charger_control.bridges.web.routes.chargers import asked
from charger_control.bridges.web.server.fanout import POLICY, Client, Fanout
from charger_control.bridges.web.server.handler import DEADLINE
from charger_control.core.api.types import SetLimits

PATH = '/api/ws'
MAX_MESSAGE = 4096
"""bytes of a command; a longer one is refused, the connection stays."""
MAX_DISCARDED = 1024 * 1024
"""bytes of one message that are read away before the connection is closed with 1009."""
MESSAGE_RATE, MESSAGE_BURST = 20.0, 40.0
"""commands per s and at once; more are refused."""
PATIENCE = 200.0
"""commands refused for their rate, after which the connection is closed with 1008."""
TOO_BIG = 1009

Write = Callable[[SetLimits], str]
"""Applies a change; a warning or ''; RequestError if it was not applied."""


class _NotStarted:
    """In the place of simple-websocket's reader thread."""

    name = ''

    def __init__(self, target: Callable[[], None]) -> None:
        pass

    def start(self) -> None:
        """Does nothing: the route's greenlet reads."""


def register(app: Flask, clock: Callable[[], float]) -> None:
    """Adds the route to an app; ``clock``: s, only moves forward."""
    app.config['SOCK_SERVER_OPTIONS'] = {'thread_class': _NotStarted}
    sock = Sock(app)

    @sock.route(PATH)
    def stream(ws: Any) -> None:
        request.environ[DEADLINE].close()   # from here on the fan-out watches the time
        identity: Identity = request.environ[IDENTITY]
        one = asked()
        client = Client(ws.sock, ws.ws, f'{identity} (WebSocket)', clock())
        with _connected(ws, client, one.fanout):
            Reader(client, ws.ws, identity, one.write, clock).run()


@contextmanager
def _connected(ws: Any, client: Client, fanout: Fanout) -> Iterator[None]:
    fanout.join(client)
    try:
        yield
    finally:
        fanout.leave(client)
        client.end()
        client.sock.close()
        ws.connected = False   # so that flask-sock writes nothing more


class Reader:
    """Reads what one client sends, until it ends."""

    def __init__(self, client: Client, protocol: WSConnection, identity: Identity, write: Write,
                 clock: Callable[[], float]) -> None:
        self._client, self._protocol, self._clock = client, protocol, clock
        self._identity, self._write = identity, write
        self._bucket = Bucket(MESSAGE_RATE, MESSAGE_BURST, clock())
        self._patience = Bucket(MESSAGE_RATE, PATIENCE, clock())
        self._parts: list[str] = []
        self._size = 0

    def run(self) -> None:
        """Returns when the connection is over."""
        while True:
            try:
                data = self._client.sock.recv(MAX_MESSAGE)
                if not data:
                    return
                self._client.heard(self._clock())
                self._protocol.receive_data(data)
                for event in self._protocol.events():
                    if not self._take(event):
                        return
            except (OSError, ProtocolError):
                return
            gevent.sleep(0)   # a client that never stops sending must not keep the thread

    def _take(self, event: Event) -> bool:
        """Whether to go on after this event."""
        if isinstance(event, CloseConnection):
            self._client.control(event.response(), self._clock())
            return False
        if self._client.closing:
            return True
        if isinstance(event, Ping):
            self._client.control(event.response(), self._clock())
            if not self._bucket.take(self._clock()):
                self._patient()
            return True
        return self._message(event) if isinstance(event, Message) else True

    def _message(self, event: Message[Any]) -> bool:
        self._size += len(event.data)
        if not isinstance(event, TextMessage) or self._size > MAX_MESSAGE:
            self._parts.clear()
        elif event.data:   # empty fragments are legal, and endless ones must not pile up
            self._parts.append(event.data)
        if self._size > MAX_DISCARDED:
            self._client.close(TOO_BIG, f'more than {MAX_DISCARDED} bytes', self._clock())
            return True
        if not event.message_finished:
            return True
        size, self._size = self._size, 0
        text = ''.join(self._parts)
        self._parts.clear()
        in_rate = self._bucket.take(self._clock())
        if not in_rate and not self._patient():
            return True
        try:
            if not in_rate:
                raise RequestError(429, 'TooManyCommands', f'more than {MESSAGE_RATE:g} commands '
                                   'a second; this one was not obeyed')
            self._obey(event, size, text)
        except RequestError as error:
            self._client.say(documents.encode({'topic': 'error', 'message': error.document()}),
                             self._clock())
        return True

    def _obey(self, event: Message[Any], size: int, text: str) -> None:
        if size > MAX_MESSAGE:
            raise RequestError(413, 'TooLong', f'a message of {size} bytes; a command has at the '
                               f'most {MAX_MESSAGE}')
        if isinstance(event, BytesMessage):
            raise RequestError(400, 'Binary', 'a binary frame; commands are text frames: the '
                               'command, a line feed, the value')
        self._identity.demand('write')
        self._write(replace(parse_command(text), client=self._client.name))

    def _patient(self) -> bool:
        """Counts one message too many; False, and the good-bye is said, at the end of patience."""
        patient = self._patience.take(self._clock())
        if not patient:
            self._client.close(POLICY, 'too many messages', self._clock())
        return patient
