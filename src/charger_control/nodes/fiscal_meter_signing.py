"""The fiscal_meter node's part that has the meter sign a session's start and end, and stores it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from functools import partial

from charger_control.core.messages.session import Transaction
from charger_control.core.session.signed_values import SignedValues
from charger_control.drivers.interfaces import Signed, SigningMeter
from charger_control.ros.diagnostics import Health, Level
from charger_control.store import SIGNED_ROOM, Store, StoreError, signed_key


class SigningRecords:
    """Has the meter sign what sessions need, and stores it beside them."""

    def __init__(self, meter: SigningMeter, store: Store) -> None:
        self._meter, self._store = meter, store
        self._lock = threading.Lock()
        self._unsaved: dict[str, tuple[dict[str, str], Future[None]]] = {}
        self._stored = 0
        self._trouble = ''
        try:
            newest = store.sessions(1)
            known = newest[0].transaction.session_id if newest else ''
            self._wanted = SignedValues(known, store.signed_values(known) if known else ())
        except StoreError as error:
            self._trouble = str(error)
            self._wanted = SignedValues()

    def hear(self, transaction: Transaction) -> None:
        """Asks for what this transaction needs. Returns at once."""
        for kind, session_id in self._wanted.hear(transaction):
            self._meter.sign(kind, session_id, partial(self._signed, session_id))

    def _signed(self, session_id: str, signed: Signed) -> None:
        """Stores a record; in the driver's thread."""
        self._trouble = signed.error and f'{signed.kind} of {session_id}: {signed.error}'
        self._put(signed_key(session_id, signed.kind), {
            'record': signed.record, 'public_key': signed.public_key, 'error': signed.error})

    def _put(self, key: str, value: dict[str, str]) -> None:
        with self._lock:
            self._unsaved[key] = value, self._store.put(SIGNED_ROOM, key, value)

    def health(self) -> Health:
        """What is stored; what the store refused is tried again here."""
        with self._lock:
            done = {key: value for key, value in self._unsaved.items() if value[1].done()}
            for key in done:
                del self._unsaved[key]
        for key, (value, written) in done.items():
            if written.exception() is not None:
                self._put(key, value)
            else:
                self._stored += 1
        problem = self._trouble or self._store.problem()
        return Health('signed values', Level.ERROR if problem else Level.OK, problem or 'OK',
                      {'stored': self._stored, 'unsaved': len(self._unsaved)})

    def close(self) -> None:
        """Writes what waits."""
        self._store.close()
