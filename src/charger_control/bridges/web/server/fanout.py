"""One writer for all WebSocket clients: a frame is built once, and nobody waits for anybody.

A client's socket is only ever written to here, without blocking. What a client does not take now
waits in one slot per topic, where a newer value replaces an older one; a client that does not take
a frame within SEND_TIMEOUT is dropped. Lives in the web thread, made of gevent.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket
from gevent import ssl
from gevent.event import Event
from wsproto import WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Ping
from wsproto.events import Event as WsEvent

from charger_control.bridges.graph.feed import Feed
from charger_control.bridges.graph.state import DOCUMENTS, State

log = logging.getLogger(__name__)

SEND_TIMEOUT = 10.0
"""s a client may take for one frame before it is dropped."""
PING_PERIOD = 10.0
"""s of a client's silence after which it is pinged."""
PONG_TIMEOUT = 15.0
"""s for a client to say anything after a ping; one that does not is dropped."""
CLOSE_TIMEOUT = 1.0
"""s for a client to answer our close frame."""
SEND_BUFFER = 16 * 1024
"""bytes the kernel may hold for a client: what waits there cannot be replaced by a newer value."""
WAITING_CONTROL = 16
"""pongs and errors kept for a client that does not read."""
TICK = 0.25
"""s between looks at what time alone makes due."""
RETRY = 0.05
"""s between tries to write to a client that did not take everything."""
GOING_AWAY, POLICY = 1001, 1008

Buffer = bytes | memoryview


def text_frame(text: bytes) -> bytes:
    """A whole, unmasked WebSocket text message (RFC 6455, 5.2)."""
    length = len(text)
    if length < 126:
        return struct.pack('!BB', 0x81, length) + text
    if length < 65536:
        return struct.pack('!BBH', 0x81, 126, length) + text
    return struct.pack('!BBQ', 0x81, 127, length) + text


class Client:
    """One WebSocket client, as far as writing to it goes."""

    def __init__(self, sock: Any, protocol: WSConnection, name: str, now: float) -> None:
        """``sock``: gevent socket; ``name``: for the log."""
        self.sock, self.name = sock, name
        self.replaced = 0   # values that newer ones replaced before this client took them
        self.was_dropped = False   # for being slow or gone
        self._protocol = protocol
        self._rest = memoryview(b'')   # of a frame that was sent in part
        self._rest_since = now
        self._control: deque[bytes] = deque(maxlen=WAITING_CONTROL)
        self._values: dict[str, bytes] = {}
        self._heard_at = self._pinged_at = now
        self._closing_since: float | None = None
        self._open = True
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._descriptor = sock.fileno()
        self._send = self._send_tls if isinstance(sock, ssl.SSLSocket) else self._send_plain

    @property
    def blocked(self) -> bool:
        """Whether something waits to be written."""
        return self._open and bool(self._rest or self._control or self._values)

    @property
    def closing(self) -> bool:
        """Whether good-bye was said: nothing is sent or obeyed any more."""
        return self._closing_since is not None

    def offer(self, topic: str, frame: bytes, now: float) -> None:
        """Sends a value, or lets it wait in the place of the topic's older one."""
        if self._closing_since is not None or not self._open:
            return
        if self._rest or self._control or self._values:
            self.replaced += topic in self._values
            self._values[topic] = frame
            self.flush(now)
        else:   # as nearly always
            self._put(frame, now)

    def say(self, text: bytes, now: float) -> None:
        """Sends a message to this client alone."""
        if not self.closing:
            self._control.append(text_frame(text))
            self.flush(now)

    def control(self, event: WsEvent, now: float) -> None:
        """Sends a pong or a close, in order with the frames."""
        state = self._protocol.state
        if state is ConnectionState.OPEN or (state is ConnectionState.REMOTE_CLOSING
                                             and isinstance(event, CloseConnection)):
            self._control.append(self._protocol.send(event))
            self.flush(now)

    def close(self, code: int, reason: str, now: float) -> None:
        """Says good-bye; the client has CLOSE_TIMEOUT to answer."""
        if not self.closing:
            self._closing_since = now
            self._values.clear()
            self.control(CloseConnection(code=code, reason=reason), now)

    def end(self) -> None:
        """Ends the connection now; its reader sees the end of the stream."""
        if self._open:
            self._open = False
            try:
                # beneath TLS: the reader, which waits in it, is to see the end of the stream
                gevent.socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
            except OSError:
                return   # the peer was faster

    def heard(self, now: float) -> None:
        """Something came from the client."""
        self._heard_at = now

    def flush(self, now: float) -> None:
        """Writes as much as the client takes now."""
        while self._open:
            if not self._rest:
                if self._control:
                    data = self._control.popleft()
                elif self._values:
                    data = self._values.pop(next(iter(self._values)))
                else:
                    return
                if not self._put(data, now):
                    return
                continue
            try:
                sent = self._send(self._rest)
            except OSError:
                self.end()
                return
            self._rest = self._rest[sent:]
            if not sent:
                if now - self._rest_since > SEND_TIMEOUT:
                    log.warning('%s dropped: it took no frame for %g s', self.name, SEND_TIMEOUT)
                    self.was_dropped = True
                    self.end()
                return

    def _put(self, data: bytes, now: float) -> bool:
        """Begins a frame; False if the client did not take all of it."""
        try:
            sent = self._send(data)
        except OSError:
            self.end()
            return False
        if sent == len(data):
            return True
        self._rest, self._rest_since = memoryview(data)[sent:], now
        return False

    def _send_plain(self, data: Buffer) -> int:
        """Bytes that are taken now; the descriptor does not block, whatever gevent's time-out."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0

    def _send_tls(self, data: Buffer) -> int:
        """The same; TLS sockets know no time-out for one call."""
        self.sock.settimeout(0.0)
        try:
            return int(self.sock.send(data))
        except BlockingIOError:
            return 0
        finally:
            self.sock.settimeout(None)   # nothing else ran in between: the reader's waits are its

    def supervise(self, now: float) -> None:
        """Pings a silent client, ends one that is gone."""
        if self._closing_since is not None:
            if now - self._closing_since > CLOSE_TIMEOUT:
                self.end()
        elif self._heard_at >= self._pinged_at:
            if now - self._heard_at > PING_PERIOD:
                self._pinged_at = now
                self.control(Ping(), now)
        elif now - self._pinged_at > PONG_TIMEOUT:   # counted from the ping: we may have slept
            log.info('%s dropped: it answered no ping for %g s', self.name, PONG_TIMEOUT)
            self.was_dropped = True
            self.close(POLICY, 'no pong', now)


class Fanout:
    """All clients, and the greenlet that writes to them. Made and used in the web thread only."""

    def __init__(self, state: State, feed: Feed) -> None:
        self.clients: set[Client] = set()
        self.frames_offered = self.frames_replaced = 0
        self.clients_served = self.clients_dropped = 0
        self._state, self._feed = state, feed
        self._wake = Event()
        self._next_look = 0.0
        self.writer = gevent.spawn(self._run)

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    def join(self, client: Client) -> None:
        """Adds a client and gives it a snapshot."""
        now = self._state.clock()
        for topic in DOCUMENTS:
            client.offer(topic, text_frame(self._state.frame(topic, now)), now)
        self.clients.add(client)
        self.clients_served += 1

    def leave(self, client: Client) -> None:
        """Forgets a client whose reader has ended."""
        self.clients.discard(client)
        self.frames_replaced += client.replaced
        self.clients_dropped += client.was_dropped

    def close(self, wait: Callable[[float], None] = gevent.sleep) -> None:
        """Says 1001 to everybody and waits until they are gone, CLOSE_TIMEOUT at the most."""
        now = self._state.clock()
        for client in list(self.clients):
            client.close(GOING_AWAY, 'the bridge ends', now)
        deadline = now + CLOSE_TIMEOUT
        while self.clients and self._state.clock() < deadline:
            wait(0.01)
        for client in list(self.clients):
            client.end()
        self.writer.kill()

    def _run(self) -> None:
        while True:
            blocked = any(client.blocked for client in self.clients)
            self._wake.wait(min(RETRY if blocked else TICK,
                                self._feed.held_back(self._state.clock())))
            self._wake.clear()
            self._turn(self._state.clock())

    def _turn(self, now: float) -> None:
        for topic, text in self._feed.due(now):
            frame = text_frame(text)
            self.frames_offered += len(self.clients)
            for client in self.clients:
                client.offer(topic, frame, now)
        for client in self.clients:
            if client.blocked:
                client.flush(now)
        if now >= self._next_look:
            self._next_look = now + 1.0
            for client in self.clients:
                client.supervise(now)
