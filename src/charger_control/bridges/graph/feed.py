"""Which WebSocket frames are due: charging at the graph's rate, the rest when they change."""

from __future__ import annotations

from typing import Any

from charger_control.bridges.graph.bucket import Bucket
from charger_control.bridges.graph.documents import Json
from charger_control.bridges.graph.state import CHARGING, DOCUMENTS, LIMITS, State

SILENT_PERIOD = 1.0
"""s between frames while nothing new comes from the graph: no client may think us dead."""
RENEWED = 1.5
"""s by which the end of the limits has to move to count as a renewal."""


class Feed:
    """The frames that every client is owed, in the order of time."""

    def __init__(self, state: State, max_rate: float) -> None:
        """``max_rate``: charging frames per s, at the most."""
        self._state = state
        now = state.clock()
        self._bucket = Bucket(max_rate, 2.0, now)
        self._keys: dict[str, Any] = {}
        self._said: dict[str, Any] = {}
        self._ends_at = 0.0
        self._charging_at = -SILENT_PERIOD

    def due(self, now: float) -> list[tuple[str, bytes]]:
        """Topic and text of each frame that is due now; each is returned once."""
        topics = [t for t in DOCUMENTS if t != CHARGING and self._has_changed(t, now)]
        if self._charging_is_due(now):
            self._charging_at = now
            topics.append(CHARGING)
        return [(topic, self._state.frame(topic, now)) for topic in topics]

    def held_back(self, now: float) -> float:
        """s until a charging frame that came too early is due; infinite if there is none."""
        key = self._state.key(CHARGING, now)
        if isinstance(key, tuple) or key == self._keys.get(CHARGING):
            return float('inf')
        return self._bucket.wait(now)

    def _charging_is_due(self, now: float) -> bool:
        key = self._state.key(CHARGING, now)
        before = self._keys.get(CHARGING)
        if isinstance(key, tuple):   # the controller is silent
            due = not isinstance(before, tuple) or now - self._charging_at >= SILENT_PERIOD
        else:
            due = bool(key != before and self._bucket.take(now))
        if due:
            self._keys[CHARGING] = key
        return due

    def _has_changed(self, topic: str, now: float) -> bool:
        key = self._state.key(topic, now)
        if topic in self._keys and self._keys[topic] == key:
            return False
        self._keys[topic] = key
        said = self._state.plain(topic, now)
        renewed = topic == LIMITS and self._renewed(said, now)
        changed = bool(said != self._said.get(topic) or renewed)
        self._said[topic] = said
        return changed

    def _renewed(self, said: Json, now: float) -> bool:
        """Takes the running ``expiresIn`` out of ``said``; whether it was set anew."""
        left = said.pop('expiresIn')
        said['lapsed'] = not left
        if not left:
            return False
        ends_at = now + left / 1000.0
        renewed = abs(ends_at - self._ends_at) > RENEWED
        self._ends_at = ends_at
        return renewed
