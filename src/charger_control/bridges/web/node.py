"""Bridge: the graph as web clients know it. ROS in the main thread, the web in its own."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.client import Client
from rclpy.task import Future

from charger_control.bridges.graph.asking import Answer, Call, Reply
from charger_control.bridges.graph.state import (
    CHARGING,
    CONFIGURATION,
    DECISION,
    LIMITS,
    METER,
    PILOT,
    SOURCES,
    TRANSACTION,
    State,
)
from charger_control.bridges.web.routes.chargers import NAME
from charger_control.bridges.web.routes.dimming import Supply
from charger_control.bridges.web.server.config import WebAddressError
from charger_control.bridges.web.web import Source, Web, WebConfig, WebConfigError
from charger_control.core.api.types import SetLimits
from charger_control.core.heard import Heard
from charger_control.ros import interfaces
from charger_control.ros.convert import duration, seconds
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.faults import EndProcessError, StartError
from charger_control.ros.node import BlockNode, member_name
from charger_control.ros.parameters import Param, ParameterError
from charger_control.ros.runner import run

TOPICS = {
    CHARGING: interfaces.CHARGING,
    METER: interfaces.METER,
    PILOT: interfaces.CONTROL_PILOT,
    DECISION: interfaces.DECISION,
    LIMITS: interfaces.LIMITS_DOCUMENT,
    TRANSACTION: interfaces.TRANSACTION,
    CONFIGURATION: interfaces.CONFIGURATION,
}
CHARGER_SERVICES = (
    interfaces.SET_LIMITS, interfaces.SET_CHARGING_PROFILE, interfaces.CLEAR_CHARGING_PROFILE,
    interfaces.GET_CHARGING_PROFILES, interfaces.GET_COMPOSITE_SCHEDULE,
    interfaces.BIND_TRANSACTION)
"""Services of each charger that clients have called."""
CALLS = {row.name: row for row in (*CHARGER_SERVICES[1:], interfaces.SET_DIMMING)}
"""Services that take a ``Call``."""
DOCUMENTS = ('response_json', 'profiles_json')
"""Fields of an answer that hold a document."""
FORGET = 10.0
"""s after which a call that has not been answered is forgotten."""

PARAMS = (
    Param('chargers', [], 'names of the namespaces of the chargers to serve, the default one '
          'first; none: that of the bridge itself'),
    Param('host', '127.0.0.1', 'name or address to listen on; anything but loopback needs '
          'credentials'),
    Param('port', 8080, 'TCP port; 0 takes any free one, which the log tells', low=0, high=65535),
    Param('auth', 'auto', "'auto': open on loopback unless there are credentials; 'required': "
          "never without credentials; 'none': open to everybody who reaches the address",
          choices=('auto', 'required', 'none')),
    Param('credentials_file', '', 'file with the hashed credentials of clients (charger '
          "credentials NAME); '' takes the environment's CHARGER_BRIDGE_CREDENTIALS"),
    Param('certificate_file', '', 'PEM file with the certificate and its chain: serves TLS (https, '
          "wss) and nothing else; '' serves plain HTTP"),
    Param('key_file', '', "PEM file with the certificate's key; '' looks in certificate_file"),
    Param('log_file', '', 'file for one JSON line per request and per write (who, old and new '
          "values), five files of 10 MB at the most; '' for none"),
    Param('max_clients', 100, 'WebSocket clients at once', low=1, high=2000),
    Param('max_rate', 10.0, 'charging frames per second to each client, at the most', unit='Hz',
          low=0.1, high=1000.0),
    Param('allowed_hosts', [], 'further names under which browsers may ask an open bridge'),
    Param('allowed_origins', [], 'origins of other web pages that may write and use the '
          "WebSocket, like 'https://home.example'"),
)


def config_of(values: dict[str, Any]) -> WebConfig:
    """The web's configuration from the parameters."""
    lists = {name: tuple(values[name]) for name in ('allowed_hosts', 'allowed_origins')}
    return WebConfig(**{name: value for name, value in {**values, **lists}.items()
                        if name != 'chargers'})


def namespaces_of(given: Sequence[str]) -> dict[str, str]:
    """Namespaces by the names that chargers have in paths; ParameterError for what is none."""
    found: dict[str, str] = {}
    for namespace in given:
        inner = namespace.strip('/')
        name = member_name('', inner)
        if not inner or not NAME.fullmatch(name) or name in found:
            raise ParameterError(
                f'bridge.chargers: {namespace!r} ' + ('is there twice' if name in found else
                                                      'is not the name of a namespace') +
                '; give each charger once, like [cp01, cp02]')
        found[name] = f'/{inner}'
    return found


def boottime() -> float:
    """s that count through suspend; real time even in a simulation, for clients live in it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class BridgeNode(BlockNode):
    """Hears the graph into ``State`` and asks other nodes; decides nothing."""

    def __init__(self, **kwargs: Any) -> None:
        """Serves from here on; ParameterError if it cannot, StartError if it cannot now."""
        super().__init__('bridge', PARAMS, **kwargs)
        self._asked: dict[tuple[str, str], Client] = {}
        self._calls: dict[Future, float] = {}
        chargers = namespaces_of(self.values['chargers']) or {
            member_name('', self.get_namespace()): ''}
        self.states: dict[str, State] = {}
        sources = [self._source(name, namespace) for name, namespace in chargers.items()]
        self.supply = Supply(boottime)
        self.hear(interfaces.VCSE_BUDGET, lambda heard: self.supply.put(heard.value))
        self._add_client('', '', interfaces.SET_DIMMING)
        try:
            self.web = Web(config_of(self.values), sources, self.supply, partial(self.ask, ''))
        except WebAddressError as error:
            raise StartError(str(error)) from error
        except WebConfigError as error:
            raise ParameterError(str(error)) from error
        _log_to(self.get_logger())
        self.web.start()
        self.get_logger().info(f'serving {self.web.url}/ (REST {self.web.url}/api/v1, WebSocket '
                               f'{self.web.url.replace("http", "ws")}/api/ws)')
        self.every(1.0, self._look)

    def _source(self, charger: str, namespace: str) -> Source:
        """Hears one charger; ``namespace`` '' for the bridge's own."""
        state = self.states[charger] = State(boottime)
        for name, topic in TOPICS.items():
            there = replace(topic, name=f'{namespace}/{topic.name}') if namespace else topic
            self.hear(there, partial(self._put, state, name))
        for row in CHARGER_SERVICES:
            self._add_client(charger, namespace, row)
        return Source(charger, state, partial(self.ask, charger))

    def _add_client(self, charger: str, namespace: str, row: interfaces.ServiceRow) -> None:
        name = f'{namespace}/{row.name}' if namespace else row.name
        self._asked[charger, row.name] = self.create_client(
            row.type, name, qos_profile=interfaces.SERVICE_QOS)

    @staticmethod
    def _put(state: State, name: str, heard: Heard[Any]) -> None:
        state.put(name, heard.value)

    # -- other nodes ------------------------------------------------------------------------------
    def ask(self, charger: str, request: SetLimits | Call, reply: Reply) -> None:
        """Has a node of a charger ('': of the team) asked.

        Called in the web thread, answered from this one.
        """
        executor = self.executor
        if executor is None:
            reply(None)
        else:
            executor.create_task(self._ask, charger, request, reply)

    def _ask(self, charger: str, request: SetLimits | Call, reply: Reply) -> None:
        # an exception in a task of the events executor is a segmentation fault in Jazzy
        try:
            name = request.service if isinstance(request, Call) else interfaces.SET_LIMITS.name
            client = self._asked[charger, name]
            if not client.service_is_ready():
                reply(None)
                return
            call = client.call_async(request_of(request))
            self._calls[call] = boottime()
            call.add_done_callback(lambda done: self.faults.run(
                'an answer', lambda: self._answered(done, reply)))
        except Exception as error:  # noqa: BLE001 - see above; the client gets it as an answer
            reply(Answer(False, 'Internal', f'the node could not be asked: {error}'))

    def _answered(self, call: Future, reply: Reply) -> None:
        self._calls.pop(call, None)
        if not call.cancelled() and call.exception() is None:
            given = call.result()
            document = next((getattr(given, name) for name in DOCUMENTS if hasattr(given, name)),
                            '')
            timeout = seconds(given.timeout) if hasattr(given, 'timeout') else 0.0
            reply(Answer(given.success, given.code, given.message, document, timeout))

    # -- house keeping ----------------------------------------------------------------------------
    def _look(self) -> None:
        for call in [c for c, at in self._calls.items() if boottime() - at > FORGET]:
            call.cancel()
        if self.web.failed:
            raise EndProcessError('the web server does not serve any more')  # we are started again

    def health(self) -> Sequence[Health]:
        """What is served, to how many, and who is silent."""
        fanouts = self.web.fanouts
        written = [writers['api'] for writers in self.web.writers.values()]
        values = {
            'url': self.web.url,
            'clients': sum(len(one.clients) for one in fanouts),
            'clients served': sum(one.clients_served for one in fanouts),
            'clients dropped': sum(one.clients_dropped for one in fanouts),
            'frames offered': sum(one.frames_offered for one in fanouts),
            'frames replaced by newer ones': sum(one.frames_replaced for one in fanouts),
            'limits written': sum(one.written for one in written),
            'limits not answered': sum(one.failed for one in written),
        }
        silent = self._silent()
        if silent:
            return [Health('web', Level.WARN, f'not heard: {", ".join(silent)}', values)]
        return [Health('web', values=values)]

    def _silent(self) -> list[str]:
        """Nodes that are not heard; with several chargers each with its charger's name."""
        several = len(self.states) > 1
        return sorted({f'{charger}/{SOURCES[topic][0]}' if several else SOURCES[topic][0]
                       for charger, state in self.states.items()
                       for topic in state.stale(state.clock())})

    def stop(self) -> None:
        """Says good-bye to the clients."""
        self.web.stop()

    def stopped(self) -> bool:
        """Whether they are gone."""
        return not self.web.running

    def close(self) -> None:
        """Ends the web thread."""
        self.web.close()


def request_of(change: SetLimits | Call) -> Any:
    """What is asked as the request of its service."""
    if isinstance(change, Call):
        return CALLS[change.service].type.Request(**change.fields)
    request = interfaces.SET_LIMITS.type.Request()
    for name in SetLimits.__slots__:
        value = getattr(change, name)
        setattr(request, name, duration(value) if name == 'timeout' else value)
    return request


class _ToRos(logging.Handler):
    """What the web side logs, as lines of the node's log."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """One call site per severity: rclpy refuses a site that changes it."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)


def _log_to(logger: Any) -> None:
    ours = logging.getLogger('charger_control.bridges')
    ours.handlers = [_ToRos(logger)]
    ours.setLevel(logging.INFO)
    ours.propagate = False


def _made() -> BridgeNode:
    """The node; what is there now stays, so the collector need not go through it again and again.

    A full collection over all modules takes tens of ms, in which no client gets a frame.
    """
    node = BridgeNode()
    gc.collect()
    gc.freeze()
    return node


def main() -> int:
    """Entry point of the executable ``bridge``."""
    return run([_made])


if __name__ == '__main__':
    sys.exit(main())
