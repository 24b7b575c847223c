"""The installed charging profiles of the smart_charging node, and their copy in the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from charger_control.core.smart_charging import (
    OcppVersion,
    Profile,
    ProfileRejected,
    ProfileSet,
    Station,
    Transaction,
    read_clear_charging_profile,
    read_set_charging_profile,
    write_set_charging_profile,
)
from charger_control.nodes.profile_input import RequestError, parse, rejection, version_of
from charger_control.store import Store
from charger_control.store.operations import Delete, Operation, put

ROOM = 'smart_charging'
PROFILE, LOST = 'profile/', 'lost'


class ProfileBook:
    """What is installed, by whom, and what of it is on the disk.

    ``profiles`` is what counts. A change is first made with ``changed_by_...``, which returns the
    new set and touches nothing, then taken with ``take``.
    """

    def __init__(self, store: Store, station: Station) -> None:
        self._store = store
        self._station = station
        self._order = 0
        self._keys: dict[Profile, str] = {}
        self.of_files: dict[str, Profile] = {}
        self.unreadable = 0
        self.profiles = self._restored()
        self.lost = self._note_loss()

    # -- changes ---------------------------------------------------------------------------------
    def changed_by_request(self, text: str, version: str, transactions: Mapping[int, Transaction],
                           wall: float) -> ProfileSet:
        """The set after a SetChargingProfile request. Raises RequestError."""
        ocpp = version_of(version)
        payload = parse(text, 'SetChargingProfile', ocpp)
        return self._installed(lambda: read_set_charging_profile(payload, ocpp), transactions,
                               wall, from_csms=True)[0]

    def changed_by_file(self, name: str, text: str | None, version: Callable[[Any], OcppVersion],
                        transactions: Mapping[int, Transaction], wall: float) -> ProfileSet:
        """The set after a file of the directory appeared, changed, or went. Raises RequestError."""
        before = self.of_files.pop(name, None)
        base = self.profiles
        if before is not None:
            base = ProfileSet(tuple(p for p in base if p != before))
        if text is None:
            return base
        try:
            bare = json.loads(text)
        except ValueError as error:
            raise RequestError('FormatViolation', f'not JSON: {error}') from error
        ocpp = version(bare)
        payload = parse(text, 'SetChargingProfile', ocpp)
        changed, profile = self._installed(lambda: read_set_charging_profile(payload, ocpp),
                                           transactions, wall, from_csms=False, base=base)
        self.of_files[name] = profile
        return changed

    def cleared_by_request(self, text: str, version: str) -> ProfileSet:
        """The set after a ClearChargingProfile request. Raises RequestError."""
        ocpp = version_of(version)
        payload = parse(text, 'ClearChargingProfile', ocpp)
        try:
            return self.profiles.clear(read_clear_charging_profile(payload, ocpp))
        except ProfileRejected as error:
            raise rejection(error) from error

    # -- taking a change -------------------------------------------------------------------------
    def write(self, changed: ProfileSet) -> Future[None]:
        """Writes the difference between what counts and ``changed``, in one transaction."""
        operations: list[Operation] = []
        keys: dict[Profile, str] = {}
        from_files = set(self.of_files.values())
        for profile in changed:
            if profile in from_files:
                continue  # the file is its own copy
            key = self._keys.get(profile)
            if key is None:
                self._order += 1
                key = f'{PROFILE}{self._order:09d}'
                operations.append(put(ROOM, key, {
                    'version': profile.ocpp_version.value,
                    'request': write_set_charging_profile(profile)}))
            keys[profile] = key
        operations += [Delete(ROOM, key) for profile, key in self._keys.items()
                       if profile not in keys]
        if self.lost:
            operations.append(Delete(ROOM, LOST))
        self._keys = keys
        return self._store.write(*operations)

    def take(self, changed: ProfileSet) -> None:
        """From now on ``changed`` counts."""
        self.profiles = changed
        self.lost = False

    # -- parts -----------------------------------------------------------------------------------
    def _installed(self, read: Callable[[], Profile], transactions: Mapping[int, Transaction],
                   wall: float, *, from_csms: bool, base: ProfileSet | None = None
                   ) -> tuple[ProfileSet, Profile]:
        base = self.profiles if base is None else base
        try:
            profile = read()
            changed = base.install(profile, self._station, transactions, int(wall),
                                   from_csms=from_csms)
        except ProfileRejected as error:
            raise rejection(error) from error
        return changed, changed.profiles[-1]

    def _restored(self) -> ProfileSet:
        """What the store has; an entry that cannot be read is passed over and counted."""
        profiles: list[Profile] = []
        for key, value in sorted(self._store.items(ROOM, PROFILE).items()):
            try:
                version = version_of(value['version'])
                profile = read_set_charging_profile(value['request'], version)
            except (RequestError, ProfileRejected, KeyError, TypeError):
                self.unreadable += 1
                continue
            profiles.append(profile)
            self._keys[profile] = key
            self._order = max(self._order, int(key.removeprefix(PROFILE)))
        return ProfileSet(tuple(profiles))

    def _note_loss(self) -> bool:
        """Whether profiles were lost with a damaged store, also before a restart."""
        if self._store.get(ROOM, LOST) is not None:
            return True
        if not (self._store.moved_aside or self.unreadable):
            return False
        self._store.put(ROOM, LOST, {'files': [str(path) for path in self._store.moved_aside]})
        return True
