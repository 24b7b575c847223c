"""The web server: gevent's pywsgi in a thread of its own, bounded in time, size and number.

Everything of gevent is made, used and ended in that thread; the only way in is ``soon``.
"""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import Input, WSGIHandler, WSGIServer
from gevent.timeout import Timeout

from charger_control.bridge.gate import IDENTITY
from charger_control.bridge.records import Request

log = logging.getLogger(__name__)

DEADLINE = 'charger_control.deadline'
"""Key in the WSGI environ of the request's running time-out; a WebSocket closes it."""
MAX_BODY = 64 * 1024
"""bytes of a request body."""
LARGE_BODIES = {'/api/v1/profiles': 1024 * 1024}
"""bytes, where a body may be larger: a charging profile of 1,000 periods has 60 kB."""
KEEP_ALIVE = 30.0
"""s a connection may stay open between two requests."""
REQUEST_TIMEOUT = 15.0
"""s for one request, from its first line to the last byte of the answer."""
LINGER, LINGER_BYTES = 2.0, 8 * 1024 * 1024
"""s and bytes that a refused body is read away, so that its sender gets to read why."""
REST_CONNECTIONS = 64
"""Connections beside those of WebSocket clients."""
BACKLOG = 128
HANDSHAKE_TIMEOUT = 5.0
"""s for a client's part of the TLS handshake."""
START_TIMEOUT, STOP_TIMEOUT = 5.0, 3.0

_REFUSALS = {
    '400 Bad Request': ('BadRequest', 'this is not a request of HTTP/1.1'),
    '408 Request Timeout': ('TooSlow', f'a request has {REQUEST_TIMEOUT:g} s'),
    '411 Length Required': ('LengthRequired', 'give the body\'s Content-Length; '
                            'Transfer-Encoding is not taken'),
    '413 Content Too Large': ('TooLarge', f'a body has at the most {MAX_BODY} bytes, '
                              f'one of a charging profile {max(LARGE_BODIES.values())}'),
}


def _refusal(status: str) -> bytes:
    code, detail = _REFUSALS[status]
    body = json.dumps({'error': {'code': code, 'detail': detail}})
    return (f'HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}'
            f'\r\nConnection: close\r\n\r\n{body}').encode()


class _RefusedError(Exception):
    """A request that is answered before the application sees it; its argument is the status."""


class Handler(WSGIHandler):
    """pywsgi's handler, with a bound on everything a client can take its time or space with."""

    _deadline = Timeout(None)

    def handle_one_request(self) -> Any:
        """One request within REQUEST_TIMEOUT, after KEEP_ALIVE at the most."""
        try:
            return super().handle_one_request()
        except Timeout as timeout:
            if timeout is not self._deadline:
                raise
            return None
        finally:
            self._deadline.close()

    def read_requestline(self) -> str:
        """The first line; from here on the time of the request counts."""
        line = ''
        with Timeout(KEEP_ALIVE, False):
            line = str(super().read_requestline())
        self._deadline = Timeout.start_new(REQUEST_TIMEOUT)
        return line

    def read_request(self, raw_requestline: str) -> bool:
        """Reads the headers and refuses bodies that will not be read."""
        understood: bool = super().read_request(raw_requestline)
        if self.headers.get('transfer-encoding'):
            raise _RefusedError('411 Length Required')
        path = self.path.partition('?')[0].rstrip('/')
        if (self.content_length or 0) > LARGE_BODIES.get(path, MAX_BODY):
            raise _RefusedError('413 Content Too Large')
        if self._connection_upgrade_requested():
            self.close_connection = True   # whatever comes of it, no second request follows
        return understood

    def get_environ(self) -> dict[str, Any]:
        """The environ, with the deadline in it."""
        environ: dict[str, Any] = super().get_environ()
        environ[DEADLINE] = self._deadline
        return environ

    def run_application(self) -> None:
        """Answers a request whose body does not come in time."""
        try:
            super().run_application()
        except Timeout as timeout:
            if timeout is not self._deadline:
                raise
            self.close_connection = True
            self.wsgi_input = Input(self.rfile, 0)   # nothing to wait for before the next request
            if not self.headers_sent:
                self.socket.sendall(_refusal('408 Request Timeout'))

    def handle_error(self, t: Any, v: Any, tb: Any) -> None:
        """An exception that the application let through."""
        if v is self._deadline:   # while the rest of a body was read away
            self.close_connection = True
        else:
            super().handle_error(t, v, tb)

    def log_request(self) -> None:
        """Tells that a request is over."""
        # without a number the client left before the answer; 499 is what others write then
        status = self.status[:3] if self.status else ''
        self._tell(int(status) if status.isdigit() else 499)

    def _tell(self, status: int) -> None:
        environ = getattr(self, 'environ', None) or {}
        identity = environ.get(IDENTITY)
        self.server.observe(Request(
            self.client_address[0], identity.name if identity is not None else '',
            self.command or '', (self.path or '').partition('?')[0], status,
            self.response_length or 0, max(0.0, time.time() - self.time_start)))

    def _log_error(self, t: Any, v: Any, tb: Any) -> None:
        if not issubclass(t, gevent.GreenletExit):
            log.error('%s: %s', self.requestline, v, exc_info=(t, v, tb))

    def _handle_client_error(self, ex: Exception) -> Any:
        if isinstance(ex, OSError):
            return None   # the client is gone
        status = ex.args[0] if isinstance(ex, _RefusedError) else '400 Bad Request'
        self.socket.sendall(_refusal(status))
        self._tell(int(status[:3]))
        self._linger()
        return None

    def _linger(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)
        left = LINGER_BYTES
        with Timeout(LINGER, False):
            while left > 0 and (data := self.socket.recv(65536)):
                left -= len(data)
                gevent.sleep(0)


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
