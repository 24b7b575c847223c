"""The web side as a whole, without ROS: configuration in, a running server out."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
from flask import Flask

from charger_control.bridges.graph import documents
from charger_control.bridges.graph.asking import Ask, Asker, LimitsWriter, NodeWriter
from charger_control.bridges.graph.feed import Feed
from charger_control.bridges.graph.history import History
from charger_control.bridges.graph.records import Request
from charger_control.bridges.graph.state import LIMITS, State
from charger_control.bridges.web.access.gate import Gate
from charger_control.bridges.web.app import HEADERS, create_app
from charger_control.bridges.web.routes import chargers, dimming, profiles, rest, views
from charger_control.bridges.web.routes.chargers import Charger
from charger_control.bridges.web.routes.dimming import Supply
from charger_control.bridges.web.routes.metrics import Metrics
from charger_control.bridges.web.routes.shortcut import ShortCut
from charger_control.bridges.web.server.config import (
    WebConfig,
    WebConfigError,
    bound,
    credentials_of,
    records_of,
)
from charger_control.bridges.web.server.fanout import Fanout
from charger_control.bridges.web.server.server import REST_CONNECTIONS, WebServer
from charger_control.bridges.web.server.tls import certificate_of

__all__ = ['Source', 'Web', 'WebConfig', 'WebConfigError']


@dataclass(frozen=True, slots=True)
class Source:
    """One charger as the ROS side gives it.

    Attributes:
        name: in paths.
        state: what is heard of it.
        ask: has its nodes asked.
    """

    name: str
    state: State
    ask: Ask


class Web:
    """The server of some chargers' states."""

    def __init__(self, config: WebConfig, sources: Sequence[Source], supply: Supply,
                 ask_vcse: Ask) -> None:
        """Binds the address; nothing is served before ``start``.

        Args:
            config: how to serve.
            sources: the chargers, the default one first.
            supply: what is heard of their team's supply.
            ask_vcse: has the team's vcse node asked.

        Raises:
            WebConfigError: the address cannot be bound, or would be open to others by accident.
        """
        self._config, self._supply = config, supply
        self._clock = supply.clock
        self._certificate = certificate_of(config)
        sock = bound(config)
        try:
            self.credentials = credentials_of(config, sock.getsockname()[0])
            self._records = records_of(config)
        except WebConfigError:
            sock.close()
            raise
        self._scheme = 'http' if self._certificate is None else 'https'
        self._gate = Gate(sock.getsockname()[0], self.credentials, self._clock,
                          config.allowed_hosts, config.allowed_origins)
        self._server = WebServer(
            sock, config.max_clients + REST_CONNECTIONS, self._make,
            None if self._certificate is None else self._certificate.context)
        self._sources = {source.name: source for source in sources}
        self.writers = {source.name: self._writers(source) for source in sources}
        self._vcse = self._writer('vcse', '', ask_vcse)
        self._chargers: dict[str, Charger] = {}
        self._ending = False
        self.app: Flask | None = None   # once it serves

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
        return not self._ending and (not self.running or any(
            fanout.writer.dead for fanout in self.fanouts))

    @property
    def fanouts(self) -> list[Fanout]:
        """The clients of each charger and their counters, once it serves; only to read."""
        return [charger.fanout for charger in list(self._chargers.values())]

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

    # -- made before it serves --------------------------------------------------------------------
    def _writer(self, node: str, charger: str, ask: Ask) -> NodeWriter:
        return NodeWriter(Asker(node, ask, self._server.soon, self._clock), charger,
                          self._records.change)

    def _writers(self, source: Source) -> dict[str, NodeWriter]:
        return {node: self._writer(node, source.name, source.ask)
                for node in ('api', 'smart_charging', 'session')}

    # -- in the web thread ------------------------------------------------------------------------
    def _charger(self, source: Source) -> Charger:
        fanout = Fanout(source.state, Feed(source.state, self._config.max_rate))
        writers = self.writers[source.name]
        return Charger(
            source.name, source.state, fanout, History(source.state),
            LimitsWriter(writers['api'], partial(_limits, source.state)),
            writers['smart_charging'], writers['session'])

    def _changed(self, fanout: Fanout) -> None:
        """Called in the ROS thread; without clients the fan-out's own look at the time will do."""
        if fanout.clients:
            self._server.soon(fanout.wake)

    def _make(self) -> tuple[Any, Callable[[], None], Callable[[Request], None]]:
        self._chargers = {name: self._charger(one) for name, one in self._sources.items()}
        every = list(self._chargers.values())
        for one in every:
            one.state.changed = partial(self._changed, one.fanout)
        metrics = Metrics(every, self._records)
        helpers = [gevent.spawn(one.history.run) for one in every]
        if self._certificate is not None:
            helpers.append(gevent.spawn(self._certificate.run))

        def farewell() -> None:
            gevent.joinall([gevent.spawn(one.fanout.close) for one in every])
            gevent.killall(helpers)
            self._gate.close()

        def observe(request: Request) -> None:
            metrics.observe(request)
            self._records.request(request)

        self.app = create_app(
            self._gate, lambda: sum(len(one.fanout.clients) for one in every),
            self._config.max_clients, self._clock, rest.make_blueprint(),
            profiles.make_blueprint(), dimming.make_blueprint(self._supply, self._vcse),
            chargers.make_blueprint(self._chargers, self._clock),
            views.make_blueprint(metrics, len(every) > 1))
        short = ShortCut(self.app, self._gate, HEADERS)
        return chargers.Dispatch(short, self._chargers), farewell, observe


def _limits(state: State) -> documents.Json:
    return state.plain(LIMITS, state.clock())
