"""One HTTP connection: gevent's handler, with a bound on all that a client can take.

Time, size and turn are bounded here, before the application sees a request.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from typing import Any

import gevent
from gevent.pywsgi import Input, WSGIHandler
from gevent.timeout import Timeout

from charger_control.bridges.graph.records import Request
from charger_control.bridges.web.access.gate import IDENTITY

log = logging.getLogger(__name__)

DEADLINE = 'charger_control.deadline'
"""Key in the WSGI environ of the request's running time-out; a WebSocket closes it."""
MAX_BODY = 64 * 1024
"""bytes of a request body."""
LARGE_BODY = 1024 * 1024
"""bytes of a charging profile: one of 1,000 periods has 60 kB."""
LARGE_BODIES = re.compile(r'(/chargers/[^/]+)?/api/v1(/chargers/[^/]+)?/profiles/?')
"""Paths where a body may be that large."""
KEEP_ALIVE = 30.0
"""s a connection may stay open between two requests."""
REQUEST_TIMEOUT = 15.0
"""s for one request, from its first line to the last byte of the answer."""
ONE_PIECE = 64 * 1024
"""bytes of a body that is sent together with its head."""
LINGER, LINGER_BYTES = 2.0, 8 * 1024 * 1024
"""s and bytes that a refused body is read away, so that its sender gets to read why."""

_REFUSALS = {
    '400 Bad Request': ('BadRequest', 'this is not a request of HTTP/1.1'),
    '408 Request Timeout': ('TooSlow', f'a request has {REQUEST_TIMEOUT:g} s'),
    '411 Length Required': ('LengthRequired', 'give the body\'s Content-Length; '
                            'Transfer-Encoding is not taken'),
    '413 Content Too Large': ('TooLarge', f'a body has at the most {MAX_BODY} bytes, '
                              f'one of a charging profile {LARGE_BODY}'),
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
            # a client that asks again at once would else keep the thread from all others
            gevent.sleep(0)

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
        path = self.path.partition('?')[0]
        if (self.content_length or 0) > (LARGE_BODY if LARGE_BODIES.fullmatch(path)
                                         else MAX_BODY):
            raise _RefusedError('413 Content Too Large')
        if self._connection_upgrade_requested():
            self.close_connection = True   # whatever comes of it, no second request follows
        return understood

    def get_environ(self) -> dict[str, Any]:
        """The environ, with the deadline in it."""
        environ: dict[str, Any] = super().get_environ()
        environ[DEADLINE] = self._deadline
        return environ

    def _write_with_headers(self, data: bytes) -> None:
        """Head and body in one piece: a second one would cost both sides a system call more."""
        self.headers_sent = True
        self.finalize_headers()
        if self.response_use_chunked or len(data) > ONE_PIECE:
            self._sendall(self._head())
            self._write(data)
        else:
            self._sendall(self._head() + data)

    def _head(self) -> bytes:
        if self.close_connection and self.code != 101 and not any(
                name.lower() == b'connection' for name, _ in self.response_headers):
            self.response_headers.append((b'Connection', b'close'))
        lines = [b'HTTP/1.1 ' + self.status, *(name + b': ' + value
                                               for name, value in self.response_headers)]
        return b'\r\n'.join(lines) + b'\r\n\r\n'

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
        self._tell(int(status[:3]))
        try:
            self.socket.sendall(_refusal(status))
            self._linger()
        except OSError:
            return None   # the client did not wait for it
        return None

    def _linger(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)
        left = LINGER_BYTES
        with Timeout(LINGER, False):
            while left > 0 and (data := self.socket.recv(65536)):
                left -= len(data)
                gevent.sleep(0)
