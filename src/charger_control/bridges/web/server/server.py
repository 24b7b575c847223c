"""The web server: gevent's pywsgi in a thread of its own, bounded in number.

Everything of gevent is made, used and ended in that thread; the only way in is ``soon``.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from gevent.timeout import Timeout

from charger_control.bridges.graph.records import Request
from charger_control.bridges.web.server.handler import Handler

log = logging.getLogger(__name__)

REST_CONNECTIONS = 64
"""Connections beside those of WebSocket clients."""
BACKLOG = 128
HANDSHAKE_TIMEOUT = 5.0
"""s for a client's part of the TLS handshake."""
START_TIMEOUT, STOP_TIMEOUT = 5.0, 3.0


class _Server(WSGIServer):
    """With somebody who is told of every request, and a bound on the TLS handshake."""

    def __init__(self, *args: Any, observe: Callable[[Request], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self.observe = observe

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """One TLS connection; a handshake that fails ends it without a word in the log."""
        try:
            with Timeout(HANDSHAKE_TIMEOUT):
                wrapped = self.wrap_socket(client_socket, **self.ssl_args)
        except (OSError, Timeout):   # scanners, plain HTTP, a client that distrusts us
            client_socket.close()
            return
        try:
            self.handle(wrapped, address)
        finally:
            wrapped.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises:
        OSError: the address cannot be bound.
    """
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # inherited by every connection; without it an answer waits 40 ms for an acknowledgement
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


class WebServer:
    """Serves one WSGI application from its own thread."""

    def __init__(self, sock: socket.socket, connections: int,
                 make: Callable[[], tuple[Any, Callable[[], None], Callable[[Request], None]]],
                 tls: ssl.SSLContext | None = None) -> None:
        """Nothing runs before ``start``.

        Args:
            sock: listening; owned from here on.
            connections: how many may be open at once.
            make: called in the web thread; returns the application, what ends its clients, and
                who is told of every request that is over.
            tls: None serves plain HTTP.
        """
        self.address: tuple[str, int] = sock.getsockname()[:2]
        self._sock, self._connections, self._make = sock, connections, make
        self._tls = tls
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._bell: Any = None   # set while the web thread can be reached
        self._stopping: Any = None
        self._up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name='web', daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Returns when it serves; RuntimeError if it cannot."""
        self._thread.start()
        if not self._up.wait(START_TIMEOUT) or self._failure is not None:
            raise RuntimeError('the web server did not start') from self._failure

    def stop(self) -> None:
        """Begins to end; ``alive`` tells when it has. From any thread."""
        self.soon(lambda: self._stopping.set())  # noqa: PLW0108 - made later

    def join(self) -> None:
        """Waits until it has ended, STOP_TIMEOUT at the most."""
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT)
        if not self.alive:
            self._sock.close()

    def soon(self, call: Callable[[], None]) -> None:
        """Has ``call`` called in the web thread; it must not wait. From any thread."""
        self._calls.append(call)
        self.poke()

    def poke(self) -> None:
        """Wakes the web thread. From any thread."""
        with self._lock:   # against the end of the loop
            if self._bell is not None:
                self._bell.send()

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:   # the thread ends; `alive` and the log say so
            self._failure = error
            log.critical('the web server ended', exc_info=True)
        finally:
            self._up.set()
            with self._lock:
                bell, self._bell = self._bell, None
                if bell is not None:
                    bell.stop()
                    bell.close()
            gevent.get_hub().destroy(destroy_loop=True)

    def _serve(self) -> None:
        self._stopping = Event()
        app, farewell, observe = self._make()
        sock = gevent.socket.socket(self._sock.family, self._sock.type, self._sock.proto,
                                    fileno=self._sock.detach())
        # the names spare a look-up of this machine's name, which may ask a far server
        server = _Server(sock, app, spawn=Pool(self._connections), log=None, error_log=log,
                         handler_class=Handler, observe=observe,
                         environ={'SERVER_NAME': self.address[0],
                                  'SERVER_PORT': str(self.address[1])},
                         **({'ssl_context': self._tls} if self._tls else {}))
        bell = gevent.get_hub().loop.async_()
        bell.start(self._drain)
        self._bell = bell
        server.start()
        self._up.set()
        self._drain()
        self._stopping.wait()
        server.stop_accepting()
        farewell()
        server.stop(timeout=0.5)

    def _drain(self) -> None:
        while self._calls:
            self._calls.popleft()()
