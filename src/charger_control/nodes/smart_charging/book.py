"""What the smart_charging node has installed, and its copy in the store."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from charger_control.core.smart_charging import (
    Installation,
    OcppVersion,
    Profile,
    ProfileRejected,
    ProfileSet,
    Running,
    Transaction,
    read_set_charging_profile,
    write_set_charging_profile,
)
from charger_control.store import (
    CorruptError,
    Delete,
    DeleteAll,
    Operation,
    Store,
    StoreError,
    put,
)

ROOM = 'smart_charging'
PROFILE, STATE = 'profile/', 'state'
CSMS = 'csms'
"""Source of a profile that no file has installed."""


def document(profile: Profile, file: str) -> dict[str, Any]:
    """A profile as it is stored and shown."""
    return {'ocppVersion': profile.ocpp_version.value, 'source': file or CSMS,
            'request': write_set_charging_profile(profile)}


def documents(installed: Installation) -> str:
    """All profiles as a JSON list, in the order of installation."""
    return json.dumps([document(p, installed.source_of(p)) for p in installed.profiles])


@dataclass(frozen=True, slots=True)
class _Row:
    """A profile as it lies in the store, at its place in the order of installation."""

    profile: Profile
    file: str
    order: int


@dataclass(frozen=True, slots=True)
class _PutProfile:
    """Writes a row. Its JSON, long to make, is made in the store's thread."""

    row: _Row

    def apply(self, connection: sqlite3.Connection) -> None:
        """Replaces what was there."""
        put(ROOM, _key(self.row.profile), document(self.row.profile, self.row.file)
            | {'order': self.row.order}).apply(connection)


class ProfileBook:
    """The installation that counts, ``installed``, and what of it is on the disk.

    Attributes:
        installed: what counts; whoever takes a new one sets it.
        unsaved: the disk has something else; the next ``write`` writes all.
        unreadable: '' or why the store could not be read at all.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[str, _Row] = {}
        self._order = 0
        self._state: dict[str, Any] = {}
        self._replacements = store.replacements
        self.unsaved = False
        self.unreadable = ''
        self.installed = Installation()
        self.restore()

    # -- reading ---------------------------------------------------------------------------------
    def restore(self) -> None:
        """Takes what the store has; where that is not all that there was, ``lost`` says so."""
        self._rows, self._state, lost = {}, {}, ''
        state: dict[str, Any] | None = {}
        found: dict[str, dict[str, Any]] = {}
        try:
            state = self._store.get(ROOM, STATE)
            found = self._store.items(ROOM, PROFILE)
        except CorruptError as error:
            lost = str(error)
        except StoreError as error:
            self.unreadable = str(error)
            self.installed = Installation(lost=f'the store cannot be read: {error}')
            return
        if state is None:
            lost = lost or self._moved_aside()
        else:
            lost = lost or str(state.get('lost', ''))
            self._state = state
        for key, body in sorted(found.items(), key=_order_of):
            try:
                self._rows[key] = _row_of(body)
            except (ProfileRejected, KeyError, TypeError, ValueError) as error:
                lost = f'the stored {key} cannot be read: {error}'
        self.unreadable = ''
        self._order = max((row.order for row in self._rows.values()), default=0)
        self.installed = Installation(
            ProfileSet(tuple(row.profile for row in self._rows.values())),
            {row.file: row.profile.profile_id for row in self._rows.values() if row.file},
            _running_in(self._state), lost)
        self.unsaved = (len(self._rows) != len(found)
                        or self._state != _state_of(self.installed))

    def _moved_aside(self) -> str:
        """Where there is no sign of us in the store: whether that is because it was damaged."""
        file = self._store.file
        aside = sorted(p.name for p in file.parent.glob(f'{file.name}.corrupt-*')
                       if not p.name.endswith(('-wal', '-shm', '-journal')))
        return f'the store was damaged, and moved to {file.parent / aside[-1]}' if aside else ''

    # -- writing ---------------------------------------------------------------------------------
    def check(self) -> None:
        """Whether the file was replaced meanwhile: what was in it may be gone."""
        before, self._replacements = self._replacements, self._store.replacements
        self.unsaved = self.unsaved or before != self._replacements

    def write(self, changed: Installation) -> Future[None]:
        """Has ``changed`` written in the place of what is there, in one transaction."""
        rows, state = self._rows_of(changed), _state_of(changed)
        operations: list[Operation] = []
        before = self._rows
        if self.unsaved:
            operations.append(DeleteAll(ROOM))
            before = {}
        operations += [Delete(ROOM, key) for key in before.keys() - rows.keys()]
        operations += [_PutProfile(row) for key, row in rows.items() if before.get(key) is not row]
        if self.unsaved or state != self._state:
            operations.append(put(ROOM, STATE, state))
        self._rows, self._state = rows, state
        return self._store.write(*operations)

    def _rows_of(self, changed: Installation) -> dict[str, _Row]:
        """Rows in the order of installation, those that are as before themselves."""
        rows: dict[str, _Row] = {}
        last = 0
        for profile in changed.profiles:
            row, file = self._rows.get(_key(profile)), changed.source_of(profile)
            if row is None or row.order <= last:  # installed, or installed anew: at the end
                self._order += 1
                row = _Row(profile, file, self._order)
            elif row.profile is not profile or row.file != file:
                row = _Row(profile, file, row.order)
            rows[_key(profile)] = row
            last = row.order
        return rows


def _key(profile: Profile) -> str:
    return f'{PROFILE}{profile.profile_id}'


def _order_of(entry: tuple[str, dict[str, Any]]) -> int:
    order = entry[1].get('order')
    return order if isinstance(order, int) else 0


def _row_of(body: dict[str, Any]) -> _Row:
    profile = read_set_charging_profile(body['request'], OcppVersion(body['ocppVersion']))
    return _Row(profile, '' if body['source'] == CSMS else str(body['source']), body['order'])


def _state_of(installed: Installation) -> dict[str, Any]:
    running = installed.running
    return {'lost': installed.lost, 'running': None if running is None else {
        'session': running.session, 'evse': running.transaction.evse,
        'start': running.transaction.start, 'id': running.transaction.transaction_id}}


def _running_in(state: dict[str, Any]) -> Running | None:
    """The session of the TxProfiles; one that cannot be read ends when another is heard."""
    found = state.get('running')
    if not isinstance(found, dict):
        return None
    return Running(str(found.get('session', '')), Transaction(
        int(found.get('evse', 1)), int(found.get('start', 0)), str(found.get('id', ''))))
