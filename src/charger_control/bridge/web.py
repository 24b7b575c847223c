"""The web side as a whole, without ROS: configuration in, a running server out."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from gevent import ssl  # the standard module's sockets would hold the web thread up

from charger_control.bridge import documents, profiles, views
from charger_control.bridge.app import HEADERS, create_app
from charger_control.bridge.credentials import ENVIRONMENT, Credential, CredentialsError, load
from charger_control.bridge.fanout import Fanout
from charger_control.bridge.feed import Feed
from charger_control.bridge.gate import Gate, is_loopback
from charger_control.bridge.history import History
from charger_control.bridge.metrics import Metrics
from charger_control.bridge.records import Records, Request
from charger_control.bridge.rest import PREFIX
from charger_control.bridge.server import REST_CONNECTIONS, WebServer, listen
from charger_control.bridge.shortcut import ShortCut
from charger_control.bridge.state import LIMITS, State
from charger_control.bridge.writer import Ask, Asker, LimitsWriter


class WebConfigError(Exception):
    """The web side cannot start as configured: one line with what to do."""


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How to serve.

    Attributes:
        host: name or address to bind.
        port: 0 takes any free one.
        auth: 'auto' (open on loopback unless there are credentials), 'required', 'none'.
        credentials_file: '' takes the environment's.
        max_clients: WebSocket clients at once.
        max_rate: charging frames per s to each, at the most.
        certificate_file, key_file: PEM; '' serves plain HTTP, or looks for the key in the
            certificate's.
        log_file: JSON lines of requests and writes; '' for none.
        allowed_hosts, allowed_origins: further Host and Origin headers that are let in.
    """

    host: str = '127.0.0.1'
    port: int = 8080
    auth: str = 'auto'
    credentials_file: str = ''
    max_clients: int = 100
    max_rate: float = 10.0
    certificate_file: str = ''
    key_file: str = ''
    log_file: str = ''
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()


class Web:
    """The server of one charger's state."""

    def __init__(self, config: WebConfig, state: State, ask: Ask) -> None:
        """Binds the address; nothing is served before ``start``.

        Raises:
            WebConfigError: the address cannot be bound, or would be open to others by accident.
        """
        self._config, self._state = config, state
        tls = _tls(config)
        sock = _bound(config)
        try:
            self.credentials = _credentials(config, sock.getsockname()[0])
            self._records = _records(config)
        except WebConfigError:
            sock.close()
            raise
        self._scheme = 'https' if tls is not None else 'http'
        self._gate = Gate(sock.getsockname()[0], self.credentials, state.clock,
                          config.allowed_hosts, config.allowed_origins)
        self._server = WebServer(sock, config.max_clients + REST_CONNECTIONS, self._make,
                                 tls)
        self.writer = LimitsWriter(ask, self._server.soon, state.clock, self._limits,
                                   self._records.change)
        self._smart_charging, self._session = (
            Asker(node, ask, self._server.soon, state.clock)
            for node in ('smart_charging', 'session'))
        self._fanout: Fanout | None = None
        self._ending = False

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self._server.address
        if host in ('0.0.0.0', '::'):
            host = socket.gethostname()
        return f'{self._scheme}://' + (f'[{host}]:{port}' if ':' in host else f'{host}:{port}')

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._server.address[1]

    @property
    def running(self) -> bool:
        """Whether the web thread is there."""
        return self._server.alive

    @property
    def failed(self) -> bool:
        """Whether it does not serve any more, or its clients get no frames, unasked."""
        return not self._ending and (not self.running or (self._fanout is not None
                                                          and self._fanout.writer.dead))

    @property
    def fanout(self) -> Fanout | None:
        """The clients and their counters, once it serves; only to read."""
        return self._fanout

    def start(self) -> None:
        """Returns when it serves; RuntimeError if it cannot."""
        self._server.start()

    def stop(self) -> None:
        """Begins to end: clients get 1001. ``running`` tells when it has."""
        self._ending = True
        self._server.stop()

    def close(self) -> None:
        """Ends, and waits for it."""
        self.stop()
        self._server.join()
        self._records.close()

    def _limits(self) -> documents.Json:
        return self._state.plain(LIMITS, self._state.clock())

    def _make(self) -> tuple[Any, Callable[[], None], Callable[[Request], None]]:
        fanout = Fanout(self._state, Feed(self._state, self._config.max_rate))
        self._fanout = fanout
        self._state.changed = lambda: self._server.soon(fanout.wake)

        history = History(self._state)
        metrics = Metrics(self._state, fanout, self.writer, self._records)
        sampler = gevent.spawn(history.run)

        def farewell() -> None:
            fanout.close()
            sampler.kill()
            self._gate.close()

        def observe(request: Request) -> None:
            metrics.observe(request)
            self._records.request(request)

        app = create_app(self._state, fanout, self._gate, self.writer, self._config.max_clients,
                         self._state.clock, views.make_blueprint(self._state, history, metrics),
                         profiles.make_blueprint(self._smart_charging, self._session))
        return (ShortCut(app, self._state, self._gate, PREFIX, HEADERS), farewell, observe)


def _bound(config: WebConfig) -> socket.socket:
    try:
        return listen(config.host, config.port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, 'strerror', '') or str(error)
        where = f'{config.host}:{config.port}'
        hint = {
            'Address already in use': 'another program listens there: stop it '
            f'(ss -ltnp sport = :{config.port}), or set the parameter bridge.port to another '
            'port (0: any free one)',
            'Permission denied': 'ports below 1024 need CAP_NET_BIND_SERVICE; take a higher one',
        }.get(reason, 'set bridge.host to an address of this machine, e.g. '
              '127.0.0.1')
        raise WebConfigError(f'bridge: cannot listen on {where} ({reason}): '
                             f'{hint}') from error


def _credentials(config: WebConfig, address: str) -> dict[str, Credential]:
    if config.auth == 'none':
        return {}
    try:
        found = load(config.credentials_file)
    except CredentialsError as error:
        raise WebConfigError(f'bridge.credentials_file: {error}') from error
    if not found and (config.auth == 'required' or not is_loopback(address)):
        why = ('bridge.auth is required' if config.auth == 'required' else
               f'bridge.host {config.host} is reached from other machines')
        raise WebConfigError(
            f'bridge: {why} and there are no credentials: make a file (python -m charger_control.'
            f'bridge.credentials NAME) and name it in bridge.credentials_file, or set {ENVIRONMENT}'
            "; to let everybody in the network set limits, say auth: 'none'")
    return found


def _tls(config: WebConfig) -> ssl.SSLContext | None:
    if not config.certificate_file:
        if config.key_file:
            raise WebConfigError(f'bridge.key_file {config.key_file} is of no use without '
                                 'bridge.certificate_file')
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = [name for name in (config.certificate_file, config.key_file) if name]
    try:
        for name in files:
            Path(name).read_bytes()   # the other error does not tell which file
        # without a password callback an encrypted key would ask on the terminal
        context.load_cert_chain(*files, password=lambda: '')
    except OSError as error:   # SSLError is one
        what, reason = error.filename or ' and '.join(files), error.strerror or str(error)
        raise WebConfigError(f'bridge: cannot serve TLS with {what} ({reason}): '
                             'bridge.certificate_file is PEM with the certificate and its chain, '
                             'bridge.key_file PEM with its key, not encrypted') from error
    return context


def _records(config: WebConfig) -> Records:
    try:
        return Records(config.log_file)
    except OSError as error:
        raise WebConfigError(f'bridge.log_file: cannot write {config.log_file} '
                             f'({error.strerror}); name a file in a directory that is '
                             'there and writable, or none') from error
