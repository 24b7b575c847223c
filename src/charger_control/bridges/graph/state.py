"""What web code may see of a charger: the latest core values, how old they are, and their JSON.

``put`` is called by the ROS thread and only sets attributes; everything else belongs to the web
thread. Each document is encoded once, however many clients ask for it or listen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charger_control.bridges.graph import documents
from charger_control.bridges.graph.errors import RequestError
from charger_control.core.words import sentence, silence_sentence

CHARGING, LIMITS, TRANSACTION, CONFIGURATION = ('charging', 'limits', 'transaction',
                                                'configuration')
DOCUMENTS = (CONFIGURATION, LIMITS, TRANSACTION, CHARGING)
"""Topics of WebSocket frames, and names of REST documents; snapshot order."""
METER, PILOT, DECISION = 'meter', 'control_pilot', 'decision'

SOURCES = {
    CHARGING: ('cppwm_controller', 2.0),
    PILOT: ('iso61851', 2.0),
    METER: ('fiscal_meter', 3.0),
    DECISION: ('cppwm_controller', 5.0),
    LIMITS: ('api', 5.0),
    TRANSACTION: ('session', 5.0),
    CONFIGURATION: ('session', 5.0),
}
"""Per topic: the node that publishes it, and after how many s of silence it is stale."""
GONE = 10.0
"""s of silence after which a document is not served any more: REST answers 503."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A value as received.

    Attributes:
        value: the core value.
        at: s, time of receipt.
        serial: rises with every value, so that two entries can be told apart cheaply.
    """

    value: Any
    at: float
    serial: int


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON document.

    Attributes:
        body: strict JSON.
        age: s since the node that owns it was heard; infinite if never.
        gone: '' or why it must not be served as an answer.
    """

    body: bytes
    age: float
    gone: str

    def demand(self) -> None:
        """RequestError (503) if it must not be served."""
        if self.gone:
            raise RequestError(503, 'NotKnown', self.gone, headers={'Retry-After': '1'})


class State:
    """The latest values of one charger."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock``: s, only moves forward and counts through suspend."""
        self.clock = clock
        self.changed: Callable[[], None] = lambda: None
        """Called by ``put`` in its thread when a frame may be due."""
        self._heard: dict[str, Entry] = {}
        self._encoded: dict[str, tuple[Any, bytes]] = {}

    # -- the ROS thread ---------------------------------------------------------------------------
    def put(self, topic: str, value: Any) -> None:
        """Takes a value that was heard on ``topic`` now."""
        before = self._heard.get(topic)
        entry = Entry(value, self.clock(), before.serial + 1 if before else 1)
        self._heard[topic] = entry
        if topic in DOCUMENTS or (topic == PILOT and (
                before is None or _pilot_key(before.value) != _pilot_key(value))):
            self.changed()

    # -- the web thread ---------------------------------------------------------------------------
    def fresh(self, topic: str, now: float, within: float | None = None) -> Any:
        """The value of ``topic``, or None where it is stale (or older than ``within`` s)."""
        entry = self._heard.get(topic)
        allowed = SOURCES[topic][1] if within is None else within
        return entry.value if entry is not None and now - entry.at <= allowed else None

    def age(self, topic: str, now: float) -> float:
        """s since ``topic`` was heard; infinite if never."""
        entry = self._heard.get(topic)
        return max(0.0, now - entry.at) if entry is not None else float('inf')

    def document(self, topic: str, now: float) -> Document:
        """One of DOCUMENTS as it stands now."""
        age = self.age(topic, now)
        return Document(self._body(topic, now), age, self._gone(topic, age))

    def frame(self, topic: str, now: float) -> bytes:
        """The text of the WebSocket message of one of DOCUMENTS."""
        return b'{"topic":"%s","message":%s}' % (topic.encode(), self._body(topic, now))

    def key(self, topic: str, now: float) -> Any:
        """What the content of a document depends on: equal keys, equal documents.

        The exception is ``expiresIn`` of limits, which runs by itself.
        """
        if topic == CHARGING and self.fresh(CHARGING, now) is None:
            meter, pilot = self.fresh(METER, now), self.fresh(PILOT, now)
            return (meter and self._heard[METER].serial,
                    pilot and (pilot.signaled_amperage, bool(pilot.error)))
        owner = self.fresh(topic, now, GONE) and self._heard[topic].serial
        if topic == TRANSACTION:
            pilot = self.fresh(PILOT, now)
            return (owner, pilot and _pilot_key(pilot))
        return owner

    def stale(self, now: float) -> list[str]:
        """Topics that are stale."""
        return [topic for topic, (_, allowed) in SOURCES.items() if self.age(topic, now) > allowed]

    def sentence(self, now: float) -> str:
        """Who decides what the vehicle gets, and why."""
        decision = self.fresh(DECISION, now)
        if decision is None or self.fresh(CHARGING, now) is None:
            return silence_sentence(max(self.age(CHARGING, now), self.age(DECISION, now)))
        return sentence(decision, self.fresh(PILOT, now))

    def plain(self, topic: str, now: float) -> documents.Json:
        """One of DOCUMENTS before it is encoded."""
        if topic == CHARGING:
            value = self.fresh(CHARGING, now)
            if value is not None:
                return documents.charging(value)
            return documents.charging_without_controller(self.fresh(METER, now),
                                                         self.fresh(PILOT, now))
        value = self.fresh(topic, now, GONE)
        if topic == TRANSACTION:
            return documents.transaction(value, self.fresh(PILOT, now))
        if topic == LIMITS:
            return documents.limits(value, 0.0 if value is None else self.age(LIMITS, now))
        return documents.configuration(value)

    def _body(self, topic: str, now: float) -> bytes:
        if topic == LIMITS:   # expiresIn runs
            return documents.encode(self.plain(topic, now))
        key = self.key(topic, now)
        known = self._encoded.get(topic)
        if known is None or known[0] != key:
            known = self._encoded[topic] = (key, documents.encode(self.plain(topic, now)))
        return known[1]

    def _gone(self, topic: str, age: float) -> str:
        if age <= GONE:
            return ''
        node = SOURCES[topic][0]
        since = 'was not heard yet' if age == float('inf') else f'has been silent for {age:.0f} s'
        return (f'{topic} is not known: node {node} {since}; see `ros2 topic echo /diagnostics` '
                'or the log of the control process')


def _pilot_key(pilot: Any) -> tuple[str, str, bool]:
    return (pilot.vehicle_status, pilot.charge_controller_status, bool(pilot.error))
