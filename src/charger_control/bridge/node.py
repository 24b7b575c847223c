"""Bridge: the graph as web clients know it. ROS in the main thread, the web in its own."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from typing import Any

from rclpy.task import Future

from charger_control.bridge.state import (
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
from charger_control.bridge.web import Web, WebConfig, WebConfigError
from charger_control.bridge.writer import Answer, Call, Reply
from charger_control.core.api.types import SetLimits
from charger_control.core.heard import Heard
from charger_control.ros import interfaces
from charger_control.ros.convert import duration
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.node import BlockNode
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
CALLS = {row.name: row for row in (
    interfaces.SET_CHARGING_PROFILE, interfaces.CLEAR_CHARGING_PROFILE,
    interfaces.GET_CHARGING_PROFILES, interfaces.GET_COMPOSITE_SCHEDULE,
    interfaces.BIND_TRANSACTION)}
"""Services that clients have called, besides set_limits."""
DOCUMENTS = ('response_json', 'profiles_json')
"""Fields of an answer that hold a document."""
FORGET = 10.0
"""s after which a call that has not been answered is forgotten."""

PARAMS = (
    Param('host', '127.0.0.1', 'name or address to listen on; anything but loopback needs '
          'credentials'),
    Param('port', 8080, 'TCP port; 0 takes any free one, which the log tells', low=0, high=65535),
    Param('auth', 'auto', "'auto': open on loopback unless there are credentials; 'required': "
          "never without credentials; 'none': open to everybody who reaches the address",
          choices=('auto', 'required', 'none')),
    Param('credentials_file', '', 'file with the hashed credentials of clients (python -m '
          "charger_control.bridge.credentials); '' takes the environment's "
          'CHARGER_BRIDGE_CREDENTIALS'),
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
    return WebConfig(**{**values, **lists})


def boottime() -> float:
    """s that count through suspend; real time even in a simulation, for clients live in it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class BridgeNode(BlockNode):
    """Hears the graph into ``State`` and asks other nodes; decides nothing."""

    def __init__(self, **kwargs: Any) -> None:
        """Serves from here on; ParameterError if it cannot."""
        super().__init__('bridge', PARAMS, **kwargs)
        self.state = State(boottime)
        for name, topic in TOPICS.items():
            self.hear(topic, self._put(name))
        self._asked = {row.name: self.create_client(row.type, row.name,
                                                    qos_profile=interfaces.SERVICE_QOS)
                       for row in (interfaces.SET_LIMITS, *CALLS.values())}
        self._calls: dict[Future, float] = {}
        try:
            self.web = Web(config_of(self.values), self.state, self.ask)
        except WebConfigError as error:
            raise ParameterError(str(error)) from error
        _log_to(self.get_logger())
        self.web.start()
        self.get_logger().info(f'serving {self.web.url}/ (REST {self.web.url}/api/v1, WebSocket '
                               f'{self.web.url.replace("http", "ws")}/api/ws)')
        self.every(1.0, self._look)

    def _put(self, name: str) -> Any:
        def put(heard: Heard[Any]) -> None:
            self.state.put(name, heard.value)
        return put

    # -- other nodes ------------------------------------------------------------------------------
    def ask(self, request: SetLimits | Call, reply: Reply) -> None:
        """Has a node asked. Called in the web thread, answered from this one."""
        executor = self.executor
        if executor is None:
            reply(None)
        else:
            executor.create_task(self._ask, request, reply)

    def _ask(self, request: SetLimits | Call, reply: Reply) -> None:
        # an exception in a task of the events executor is a segmentation fault in Jazzy
        try:
            name = request.service if isinstance(request, Call) else interfaces.SET_LIMITS.name
            client = self._asked[name]
            if not client.service_is_ready():
                reply(None)
                return
            call = client.call_async(request_of(request))
            self._calls[call] = boottime()
            call.add_done_callback(lambda done: self._answered(done, reply))
        except Exception as error:  # noqa: BLE001 - see above; the client gets it as an answer
            reply(Answer(False, 'Internal', f'the node could not be asked: {error}'))

    def _answered(self, call: Future, reply: Reply) -> None:
        self._calls.pop(call, None)
        if not call.cancelled() and call.exception() is None:
            given = call.result()
            document = next((getattr(given, name) for name in DOCUMENTS if hasattr(given, name)),
                            '')
            reply(Answer(given.success, given.code, given.message, document))

    # -- house keeping ----------------------------------------------------------------------------
    def _look(self) -> None:
        for call in [c for c, at in self._calls.items() if boottime() - at > FORGET]:
            call.cancel()
        if self.web.failed:
            raise RuntimeError('the web server does not serve any more')   # the guard restarts us

    def health(self) -> Sequence[Health]:
        """What is served, to how many, and who is silent."""
        now = self.state.clock()
        fanout = self.web.fanout
        values = {
            'url': self.web.url,
            'clients': len(fanout.clients) if fanout else 0,
            'clients served': fanout.clients_served if fanout else 0,
            'clients dropped': fanout.clients_dropped if fanout else 0,
            'frames offered': fanout.frames_offered if fanout else 0,
            'frames replaced by newer ones': fanout.frames_replaced if fanout else 0,
            'limits written': self.web.writer.written,
            'limits not answered': self.web.writer.failed,
        }
        silent = sorted({SOURCES[topic][0] for topic in self.state.stale(now)})
        if silent:
            return [Health('web', Level.WARN, f'not heard: {", ".join(silent)}', values)]
        return [Health('web', values=values)]

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
    ours = logging.getLogger('charger_control.bridge')
    ours.handlers = [_ToRos(logger)]
    ours.setLevel(logging.INFO)
    ours.propagate = False


def main() -> int:
    """Entry point of the executable ``bridge``."""
    return run([BridgeNode])


if __name__ == '__main__':
    sys.exit(main())
