"""What Prometheus scrapes at ``/metrics``: the bridge's counters and the charger's values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from charger_control.bridges.graph.records import Records, Request
from charger_control.bridges.graph.state import CHARGING, SOURCES
from charger_control.bridges.web.routes.chargers import Charger

CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
METHODS = ('GET', 'PUT', 'HEAD', 'OPTIONS', 'POST', 'DELETE', 'PATCH')
"""Methods with a label of their own; a client must not make up time series."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
"""s, bounds of the histogram of answer times."""
VALUES = {
    'allocatedAmperage': ('charger_allocated_amperage', 'A, given by the team'),
    'commandedAmperage': ('charger_commanded_amperage', 'A, set-point of the controller'),
    'availableAmperage': ('charger_available_amperage', 'A, what the controller makes available'),
    'signaledAmperage': ('charger_signaled_amperage', 'A, signaled to the vehicle'),
    'frequency': ('charger_frequency_hertz', 'frequency of the mains'),
    'energyImported': ('charger_energy_imported_kwh', 'kWh, register of the meter'),
    'lastActivePower': ('charger_active_power_watts', 'active power'),
}
COUNTERS = {
    'clients_served': 'WebSocket clients since the start',
    'clients_dropped': 'clients dropped for being slow or gone',
    'frames_offered': 'frames offered to clients',
    'frames_replaced': 'frames of clients that left, replaced by newer ones before they were taken',
}
PHASES = {
    'voltage': ('charger_voltage_volts', 'voltage of each phase'),
    'amperage': ('charger_amperage', 'A, current of each phase'),
}


class Metrics(Collector):
    """Counts requests as they end; reads all else when asked. In the web thread only."""

    def __init__(self, chargers: Sequence[Charger], records: Records) -> None:
        self._chargers, self._records = chargers, records
        self._registry = CollectorRegistry()
        self._requests = Counter('charger_bridge_requests', 'requests answered',
                                 ('method', 'status'), registry=self._registry)
        self._seconds = Histogram('charger_bridge_request_seconds', 'time to answer a request',
                                  buckets=BUCKETS, registry=self._registry)
        self._registry.register(self)

    def observe(self, request: Request) -> None:
        """Counts a request."""
        method = request.method if request.method in METHODS else 'other'
        self._requests.labels(method, str(request.status)).inc()
        if request.status != 101:   # that one's time is the connection's
            self._seconds.observe(request.seconds)

    def body(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Any]:
        """What is read when asked."""
        fanouts = [one.fanout for one in self._chargers]
        yield GaugeMetricFamily('charger_bridge_clients', 'WebSocket clients now',
                                value=sum(len(one.clients) for one in fanouts))
        for name, about in COUNTERS.items():
            yield CounterMetricFamily(f'charger_bridge_{name}', about, value=sum(
                getattr(one, name) for one in fanouts))
        writers = [one.write for one in self._chargers]
        for name, about, value in (
                ('limits_written', 'changes of the limits applied',
                 sum(one.written for one in writers)),
                ('limits_not_answered', 'changes that the api node did not answer',
                 sum(one.failed for one in writers)),
                ('log_lines_lost', 'lines of the log file lost', self._records.lost)):
            yield CounterMetricFamily(f'charger_bridge_{name}', about, value=value)
        yield from self._values()

    def _values(self) -> Iterator[Any]:
        ages = GaugeMetricFamily('charger_bridge_topic_age_seconds', 'since a topic was heard; '
                                 '+Inf: never', labels=['charger', 'topic'])
        families = {field: GaugeMetricFamily(name, about, labels=['charger'])
                    for field, (name, about) in VALUES.items()}
        phases = {field: GaugeMetricFamily(name, about, labels=['charger', 'phase'])
                  for field, (name, about) in PHASES.items()}
        for one in self._chargers:
            now = one.state.clock()
            for topic in SOURCES:
                ages.add_metric([one.name, topic], one.state.age(topic, now))
            plain = one.state.plain(CHARGING, now)   # null where stale
            for field, family in families.items():
                family.add_metric([one.name], _number(plain[field]))
            for field, family in phases.items():
                for phase, value in enumerate(plain[field], 1):
                    family.add_metric([one.name, f'L{phase}'], _number(value))
        yield ages
        yield from families.values()
        yield from phases.values()


def _number(value: float | None) -> float:
    return math.nan if value is None else value
