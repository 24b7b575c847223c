"""Which signed meter values a session asks for: one at its start, one at its end."""

from __future__ import annotations

import math
from collections.abc import Iterable

from charger_control.core.messages.session import Transaction

START, STOP = 'start', 'stop'


class SignedValues:
    """Hears of sessions and says what is to be signed; each once, over restarts too."""

    def __init__(self, session_id: str = '', asked: Iterable[str] = ()) -> None:
        """Args:
            session_id: the newest session that is known; '' none.
            asked: START, STOP: what is stored of it.
        """
        self._session_id = session_id
        self._asked = set(asked)

    def hear(self, transaction: Transaction) -> list[tuple[str, str]]:
        """What is to be asked for now: START or STOP, and the session."""
        wanted = []
        if not transaction.session_id:
            return []
        if transaction.session_id != self._session_id:
            wanted = self._stop()  # its end was not heard
            self._session_id, self._asked = transaction.session_id, set()
        if not math.isnan(transaction.ended_time):
            return wanted + self._stop()
        if START not in self._asked:
            self._asked.add(START)
            wanted.append((START, self._session_id))
        return wanted

    def _stop(self) -> list[tuple[str, str]]:
        if START not in self._asked or STOP in self._asked:
            return []
        self._asked.add(STOP)
        return [(STOP, self._session_id)]
