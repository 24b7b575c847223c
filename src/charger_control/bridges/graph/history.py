"""The last half hour of a charger, for the plot: one sample a second, bounded, in memory."""

from __future__ import annotations

from collections import deque

import gevent

from charger_control.bridges.graph import documents
from charger_control.bridges.graph.state import CHARGING, State

PERIOD, SPAN = 1.0, 1800.0
"""s between samples, and how far back they go."""
COLUMNS = ('age', 'commandedAmperage', 'availableAmperage', 'signaledAmperage', 'amperage1',
           'amperage2', 'amperage3')
"""``age``: s before now; the others in A, null where it was not known."""

Sample = tuple[float, tuple[float | None, ...]]


class History:
    """Samples of ``/charging``. Made and used in the web thread only."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._samples: deque[Sample] = deque(maxlen=int(SPAN / PERIOD))

    def take(self, now: float) -> None:
        """Keeps what is known now; what is stale is kept as not known."""
        plain = self._state.plain(CHARGING, now)
        values = [plain[name] for name in COLUMNS[1:4]] + plain['amperage']
        self._samples.append((now, tuple(None if v is None else round(v, 2) for v in values)))

    def body(self, now: float) -> bytes:
        """Columns of equal length, the oldest sample first, as strict JSON.

        After a suspend there are old samples still, which are left out by their age.
        """
        recent = [(at, values) for at, values in self._samples if now - at <= SPAN]
        ages = [round(now - at, 1) for at, _ in recent]
        columns = zip(*(values for _, values in recent), strict=True) if recent else (
            () for _ in COLUMNS[1:])
        return documents.encode(dict(zip(COLUMNS, [ages, *map(list, columns)], strict=True)))

    def run(self) -> None:
        """Takes samples until the greenlet is killed."""
        while True:
            self.take(self._state.clock())
            gevent.sleep(PERIOD)
