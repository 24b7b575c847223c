"""A charger as the web side sees it, without ROS: the real server, a clock that can be moved."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import requests
import websocket

from charger_control.bridges.graph.asking import Answer, Call, Reply
from charger_control.bridges.graph.state import (
    CHARGING,
    CONFIGURATION,
    LIMITS,
    METER,
    PILOT,
    TRANSACTION,
    State,
)
from charger_control.bridges.web.access.credentials import ENVIRONMENT
from charger_control.bridges.web.routes.dimming import Supply
from charger_control.bridges.web.web import Source, Web, WebConfig
from charger_control.core.api.types import SetLimits
from charger_control.core.messages.client_limits import Limits
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Charging
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Configuration, Transaction


class Clock:
    """Real time, and jumps."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


CHARGING_NOW = Charging(
    voltage=(234.1605072, 234.0818024, 234.2052612), amperage=(8.13, 8.2, 8.09),
    allocated_amperage=16.0, commanded_amperage=16.0, available_amperage=18.0,
    signaled_amperage=18.0, frequency=49.930336, energy_imported=0.307999998,
    last_active_power=2036.600098)
METER_NOW = MeterReading(
    voltage=(231.0, 232.0, 233.0), amperage=(7.0, 7.1, 7.2), frequency=50.01, active_power=4900.0,
    energy_imported=12.5, serial_number='4711')
PILOT_NOW = ControlPilot('C', 'C2', 18.0)
TRANSACTION_NOW = Transaction(
    session_id='0b8cd3b0-5412-4569-9a39-ed3d1c2fa956', state='Charging', started_time=1699359776.0,
    meter_start=0.303, meter_stop=0.308, vehicle_status='B', charge_controller_status='B2',
    used_phases_session='111', start_reason='CablePluggedIn', allocation_source_name='API')
CONFIGURATION_NOW = Configuration('home', 'garage', TRANSACTION_NOW.session_id, 32.0,
                                  has_phase_shutoff=True)


LISTING = Call('get_charging_profiles', {})


class Frames:
    """A WebSocket client that reads frames of the contract."""

    def __init__(self, url: str, path: str = '/api/ws', **options: Any) -> None:
        self.socket = websocket.create_connection(
            url.replace('http', 'ws') + path, timeout=5.0,
            **{'suppress_origin': True, **options})

    def next(self, topic: str = '', where: Callable[[dict[str, Any]], Any] = lambda m: True,
             within: float = 5.0) -> dict[str, Any]:
        """The message of the next frame of a topic for which ``where`` holds."""
        deadline = time.monotonic() + within
        while True:
            assert time.monotonic() < deadline, f'no such frame of {topic!r} in {within} s'
            frame = strict(self.socket.recv())
            assert set(frame) == {'topic', 'message'}
            if topic in ('', frame['topic']) and where(frame['message']):
                return dict(frame['message'])

    def send(self, text: str) -> None:
        self.socket.send(text)

    def close_code(self) -> int:
        """Reads to the end; the code of the server's close frame, 1006 without one."""
        while True:
            try:
                opcode, frame = self.socket.recv_data_frame(True)
            except (websocket.WebSocketException, OSError):
                return 1006
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(frame.data[:2], 'big')

    def close(self) -> None:
        self.socket.close()


def strict(text: str | bytes) -> Any:
    """Parses JSON and refuses NaN and Infinity."""
    def refuse(name: str) -> None:
        raise AssertionError(f'{name} in JSON')
    return json.loads(text, parse_constant=refuse)


@dataclass
class Served:
    """A running web side, and what a test does to it."""

    clock: Clock = field(default_factory=Clock)
    names: tuple[str, ...] = ('charger',)
    states: dict[str, State] = field(init=False)
    supply: Supply = field(init=False)
    web: Web = field(init=False)
    written: list[SetLimits] = field(default_factory=list)
    asked_of: list[str] = field(default_factory=list)
    listed: list[Call] = field(default_factory=list)
    answer: Callable[[SetLimits], Answer | None] = lambda change: Answer(True, 'OK', '')
    listing: Answer | None = field(default_factory=lambda: Answer(True, 'Accepted', '', '[]'))
    silent: bool = False
    opened: list[Frames] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.states = {name: State(self.clock) for name in self.names}
        self.supply = Supply(self.clock)

    @property
    def state(self) -> State:
        """Of the only charger, or the default one."""
        return self.states[self.names[0]]

    def start(self, **config: Any) -> None:
        sources = [Source(name, state, partial(self.ask, name))
                   for name, state in self.states.items()]
        self.web = Web(WebConfig(**{'port': 0, **config}), sources, self.supply,
                       partial(self.ask, ''))
        self.web.start()

    @property
    def url(self) -> str:
        return self.web.url

    def ask(self, charger: str, change: Any, reply: Reply) -> None:
        """In the place of the other nodes."""
        if self.silent:
            return
        if change == LISTING:
            self.listed.append(change)
            reply(self.listing)
            return
        self.written.append(change)
        self.asked_of.append(charger)
        reply(self.answer(change))

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=10, **options)

    def put(self, body: str | bytes, **options: Any) -> requests.Response:
        return requests.put(f'{self.url}/api/v1/limits', data=body, timeout=10, **options)

    def connect(self, **options: Any) -> Frames:
        self.opened.append(Frames(self.url, **options))
        return self.opened[-1]

    def hear_all(self, charger: str = '') -> None:
        """Every topic of a charger that charges."""
        state = self.states[charger or self.names[0]]
        for topic, value in ((METER, METER_NOW), (PILOT, PILOT_NOW), (CHARGING, CHARGING_NOW),
                             (LIMITS, Limits()), (TRANSACTION, TRANSACTION_NOW),
                             (CONFIGURATION, CONFIGURATION_NOW)):
            state.put(topic, value)


def _serving() -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(names: tuple[str, ...] = ('charger',), **config: Any) -> Served:
        one = Served(names=names)
        one.start(**config)
        running.append(one)
        return one

    yield start
    for one in running:
        for frames in one.opened:
            frames.socket.shutdown()
        one.web.close()
        assert not one.web.running, 'the web thread did not end'


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Served]]:
    """Starts web sides: ``serve(auth='required', …)``; all are ended after the test."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    yield from _serving()


@pytest.fixture(scope='module')
def serve_long() -> Iterator[Callable[..., Served]]:
    """The same for all tests of a module."""
    yield from _serving()


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A web side as it is by default, with a charger that charges."""
    one = serve()
    one.hear_all()
    return one


def basic(name: str, secret: str) -> dict[str, str]:
    """Headers with Basic credentials."""
    return {'Authorization': 'Basic ' + base64.b64encode(f'{name}:{secret}'.encode()).decode()}
