"""Which profiles are installed: an immutable set, and what each request makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from charger_control.core.smart_charging.ocpp.rejections import ProfileRejected, Reason
from charger_control.core.smart_charging.ocpp.validation import Station, storage_key, validate
from charger_control.core.smart_charging.schedule.profiles import (
    Kind,
    Profile,
    Purpose,
    Transaction,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearCriteria:
    """Which profiles to clear; None matches any. With ``profile_id`` nothing else counts."""

    profile_id: int | None = None
    evse: int | None = None
    purpose: Purpose | None = None
    stack_level: int | None = None

    def match(self, profile: Profile) -> bool:
        """Whether the profile is to go. External constraints never are (K10.FR.04)."""
        if profile.purpose is Purpose.EXTERNAL_CONSTRAINTS:
            return False
        if self.profile_id is not None:
            return profile.profile_id == self.profile_id
        return (self.evse in (None, profile.evse)
                and self.purpose in (None, profile.purpose)
                and self.stack_level in (None, profile.stack_level))


@dataclass(frozen=True, slots=True)
class ProfileSet:
    """The installed profiles in the order of their installation. Every change is a new set."""

    profiles: tuple[Profile, ...] = ()

    def __iter__(self) -> Iterator[Profile]:
        return iter(self.profiles)

    def __len__(self) -> int:
        return len(self.profiles)

    def install(self, profile: Profile, station: Station,
                transactions: Mapping[int, Transaction], now: int, *,
                from_csms: bool = True) -> ProfileSet:
        """The set with ``profile`` in it, instead of what it replaces.

        It replaces the one of the same id, and in OCPP 1.6 the one of the same EVSE, purpose and
        stack level.

        Raises:
            ProfileRejected: as ``validate`` says; this set stays what it was.
        """
        accepted = validate(profile, self.profiles, station, transactions, now,
                            from_csms=from_csms)
        key = storage_key(accepted)
        kept = [p for p in self.profiles
                if p.profile_id != accepted.profile_id and storage_key(p) != key]
        return ProfileSet((*kept, accepted))

    def clear(self, criteria: ClearCriteria) -> ProfileSet:
        """The set without those that match.

        Raises:
            ProfileRejected: the criteria ask for external constraints, which no CSMS may clear.
        """
        if criteria.purpose is Purpose.EXTERNAL_CONSTRAINTS and criteria.profile_id is None:
            raise ProfileRejected(
                Reason.EXTERNAL_IN_CLEAR, f'{Purpose.EXTERNAL_CONSTRAINTS.value} cannot be cleared '
                'by a CSMS')
        return self._without(criteria.match)

    def remove_external(self, profile_id: int) -> ProfileSet:
        """The set without that external constraint, for whoever set it here."""
        return self._without(lambda p: p.purpose is Purpose.EXTERNAL_CONSTRAINTS
                             and p.profile_id == profile_id)

    def purge(self, wall: int) -> ProfileSet:
        """The set without those that can never count again; ``wall``: unix s, trusted."""
        return self._without(lambda p: _expires(p) <= wall)

    def bind_transaction(self, transaction: Transaction) -> ProfileSet:
        """The set in which TxProfiles without an id are for this transaction."""
        if not transaction.transaction_id:
            return self
        return ProfileSet(tuple(
            replace(p, transaction_id=transaction.transaction_id)
            if p.purpose is Purpose.TX and p.evse == transaction.evse and not p.transaction_id
            else p for p in self.profiles))

    def end_transaction(self, evse: int) -> ProfileSet:
        """The set without the TxProfiles of an EVSE, whose transaction has ended."""
        return self._without(lambda p: p.purpose is Purpose.TX and p.evse == evse)

    def online(self, offline_for: float) -> ProfileSet:
        """Those that count ``offline_for`` s after the CSMS was last reached, 0 while it is."""
        return self._without(lambda p: _outlasted(p, offline_for))

    def purge_offline(self, offline_for: float) -> ProfileSet:
        """The set without those that such a silence deletes for good."""
        return self._without(lambda p: p.invalid_after_offline and _outlasted(p, offline_for))

    def missing_from(self, other: ProfileSet) -> tuple[Profile, ...]:
        """Those of this set that ``other`` no longer has: what a clear or a purge removed."""
        kept = set(map(id, other.profiles))
        return tuple(p for p in self.profiles if id(p) not in kept)

    def _without(self, gone: Callable[[Profile], bool]) -> ProfileSet:
        kept = tuple(p for p in self.profiles if not gone(p))
        return self if len(kept) == len(self.profiles) else ProfileSet(kept)


def _outlasted(profile: Profile, offline_for: float) -> bool:
    return (profile.max_offline_duration is not None
            and offline_for > profile.max_offline_duration)


def _expires(profile: Profile) -> float:
    """Unix s from which on a profile counts for nothing; infinite while it may."""
    ends = [float('inf')]
    if profile.valid_to is not None:
        ends.append(profile.valid_to)
    if (profile.kind is Kind.ABSOLUTE and profile.start_schedule is not None
            and profile.duration is not None):
        ends.append(profile.start_schedule + profile.duration)
    return min(ends)
