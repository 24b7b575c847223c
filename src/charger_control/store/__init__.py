"""Store: what outlives a restart. SQLite behind its own thread.

Each block has a room of values by key, all of them JSON objects:

====================  ================  ==========================================================
room                  key               value
====================  ================  ==========================================================
``api``               ``limits``        the values that clients have set, when, and what remained
``iso61851``          ``fault``         the latched fault: ``name`` ('' none), ``wall`` (unix s)
``team``              ``term``          ``number``, written before the term is used
``cppwm_controller``  ``epoch``         ``number`` of starts: requests are numbered above all before
``cppwm_controller``  ``closings``      of the contactor within an hour: ``ago`` s, ``closed``
``hw_limit``          ``source_…``      ``source_resistance``: what was learned of the terminals
``smart_charging``    ``profile…``      charging profiles, and whether some were lost
``store``             ``clock``         the last note of the time, written by the store itself
====================  ================  ==========================================================

Charging sessions have a table of their own.
"""

from charger_control.store.clock import boot_id, moment, synchronised
from charger_control.store.errors import (
    BusyError,
    ClosedError,
    CorruptError,
    FullError,
    NewerError,
    ReadOnlyError,
    StoreError,
)
from charger_control.store.operations import (
    SIGNED_ROOM,
    Delete,
    DeleteAll,
    Operation,
    PutSession,
    put,
    signed_key,
)
from charger_control.store.place import store_file
from charger_control.store.reader import Reader
from charger_control.store.store import Store

__all__ = [
    'SIGNED_ROOM',
    'BusyError',
    'ClosedError',
    'CorruptError',
    'Delete',
    'DeleteAll',
    'FullError',
    'NewerError',
    'Operation',
    'PutSession',
    'ReadOnlyError',
    'Reader',
    'Store',
    'StoreError',
    'boot_id',
    'moment',
    'put',
    'signed_key',
    'store_file',
    'synchronised',
]
