"""What is installed, who installed it, and for which charging session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from charger_control.core.smart_charging.ocpp.rejections import ProfileRejected, Reason
from charger_control.core.smart_charging.ocpp.validation import Station
from charger_control.core.smart_charging.profile_set import ClearCriteria, ProfileSet
from charger_control.core.smart_charging.schedule.profiles import Profile, Purpose, Transaction


@dataclass(frozen=True, slots=True)
class Running:
    """The charging session that runs: its own id, and what profiles know of it."""

    session: str
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Installation:
    """The installed profiles with their sources: the CSMS, or files. Every change is a new one.

    Neither source replaces or clears what the other has installed: a file is read again at the
    next start, and what it says must not depend on that.

    Attributes:
        profiles: what is installed.
        files: file name -> id of the profile that it has installed.
        running: the session that the TxProfiles are for; None where there is no TxProfile.
        lost: '' or why profiles may be missing, for a person; ends when the CSMS sets or clears
            profiles, or a file brings one.
    """

    profiles: ProfileSet = field(default_factory=ProfileSet)
    files: Mapping[str, int] = field(default_factory=dict)
    running: Running | None = None
    lost: str = ''

    def source_of(self, profile: Profile) -> str:
        """The file that has installed a profile; '' the CSMS."""
        return next((name for name, number in self.files.items()
                     if number == profile.profile_id), '')

    def install(self, profile: Profile, station: Station, running: Running | None, now: int, *,
                file: str = '') -> Installation:
        """With a profile of the CSMS, or of ``file`` in the place of what that had installed.

        Args:
            profile: what is to be installed.
            station: what this station has and takes.
            running: the session that runs.
            now: unix s.
            file: where it is from; '' the CSMS.

        Raises:
            ProfileRejected: with its code; this one stays what it was.
        """
        base = self.without_file(file)
        transactions = {} if running is None else {running.transaction.evse: running.transaction}
        changed = base.profiles.install(profile, station, transactions, now, from_csms=not file)
        for replaced in base.profiles.missing_from(changed):
            source = base.source_of(replaced)
            if source != file:
                whose = f'file {source}' if source else 'the CSMS'
                raise ProfileRejected(
                    Reason.OTHER_SOURCE, f'{profile} would replace {replaced}, which {whose} has '
                    'installed; use another id and stack level, or remove that one first')
        files = {**base.files, file: profile.profile_id} if file else base.files
        return base._with(changed, files, running, lost='')

    def without_file(self, name: str) -> Installation:
        """Without what a file has installed; this one if that is nothing."""
        number = self.files.get(name)
        if number is None:
            return self
        files = {key: value for key, value in self.files.items() if key != name}
        return self._with(ProfileSet(tuple(p for p in self.profiles if p.profile_id != number)),
                          files)

    def clear(self, criteria: ClearCriteria) -> tuple[Installation, tuple[str, ...]]:
        """Without the profiles of the CSMS that match, and the files whose profiles match.

        Raises:
            ProfileRejected: the criteria ask for what no CSMS may clear.
        """
        gone = self.profiles.missing_from(self.profiles.clear(criteria))
        files = tuple(filter(None, map(self.source_of, gone)))
        kept = ProfileSet(tuple(p for p in self.profiles if p not in gone or self.source_of(p)))
        if len(kept) == len(self.profiles) and not self.lost:
            return self, files
        return self._with(kept, self.files, lost=''), files

    def purge(self, wall: int) -> Installation:
        """Without those that can never count again; ``wall``: unix s, trusted."""
        return self._of(self.profiles.purge(wall))

    def follow(self, running: Running | None) -> Installation:
        """With TxProfiles bound to the session that runs, or gone with theirs."""
        if self.running is None or self.running == running:
            return self
        if running is None or running.session != self.running.session:
            return self._of(self.profiles.end_transaction(self.running.transaction.evse))
        return self._with(self.profiles.bind_transaction(running.transaction), self.files, running)

    def _of(self, profiles: ProfileSet) -> Installation:
        return self if profiles is self.profiles else self._with(profiles, self.files)

    def _with(self, profiles: ProfileSet, files: Mapping[str, int],
              running: Running | None = None, lost: str | None = None) -> Installation:
        installed = {p.profile_id for p in profiles}
        has_tx = any(p.purpose is Purpose.TX for p in profiles)
        return replace(
            self, profiles=profiles, running=(running or self.running) if has_tx else None,
            files={name: number for name, number in files.items() if number in installed},
            lost=self.lost if lost is None else lost)
