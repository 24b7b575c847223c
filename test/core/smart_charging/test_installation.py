"""Who has installed what: the CSMS, files, and the session that TxProfiles go with."""

from __future__ import annotations

from typing import Any

import pytest

from charger_control.core.smart_charging import (
    ClearCriteria,
    Installation,
    Kind,
    OcppVersion,
    Period,
    Profile,
    ProfileRejected,
    Purpose,
    RateUnit,
    Reason,
    Running,
    Station,
    Transaction,
)

NOW = 1_780_000_000
RUNNING = Running('session-1', Transaction(1, NOW - 60))


def profile(number: int, **fields: Any) -> Profile:
    return Profile(**{
        'profile_id': number, 'evse': 0, 'purpose': Purpose.TX_DEFAULT, 'kind': Kind.ABSOLUTE,
        'stack_level': number, 'unit': RateUnit.A, 'start_schedule': NOW,
        'periods': (Period(0, 16.0),), **fields})


def tx(number: int, **fields: Any) -> Profile:
    return profile(number, **{'evse': 1, 'purpose': Purpose.TX, **fields})


def install(into: Installation, one: Profile, running: Running | None = None,
            file: str = '') -> Installation:
    return into.install(one, Station(), running, NOW, file=file)


def ids(installed: Installation) -> list[int]:
    return [p.profile_id for p in installed.profiles]


def test_a_file_replaces_what_it_had_installed_and_takes_it_along() -> None:
    one = install(Installation(), profile(1), file='a.json')
    assert (ids(one), one.files) == ([1], {'a.json': 1})
    assert one.source_of(one.profiles.profiles[0]) == 'a.json'
    two = install(one, profile(2), file='a.json')  # with another id
    assert (ids(two), two.files) == ([2], {'a.json': 2})
    same = install(two, profile(2, periods=(Period(0, 8.0),)), file='a.json')
    assert same.profiles.profiles[0].periods[0].limit == 8.0
    assert same.without_file('b.json') is same
    gone = same.without_file('a.json')
    assert (ids(gone), gone.files) == ([], {})


@pytest.mark.parametrize('of_file_first', [True, False])
@pytest.mark.parametrize('fields', [{}, {'profile_id': 7}], ids=['same id', 'same stack level'])
def test_no_source_replaces_what_the_other_has_installed(
        of_file_first: bool, fields: dict[str, Any]) -> None:
    first, second = ('a.json', '') if of_file_first else ('', 'a.json')
    one = install(Installation(), profile(1), file=first)
    with pytest.raises(ProfileRejected) as refused:
        install(one, profile(1, **fields), file=second)
    assert refused.value.reason is Reason.OTHER_SOURCE
    assert ('file a.json' if of_file_first else 'the CSMS') in refused.value.message
    # and a file not what another file has
    if of_file_first:
        with pytest.raises(ProfileRejected, match=r'file a\.json'):
            install(one, profile(1, **fields), file='b.json')


def test_only_a_file_may_bring_external_constraints() -> None:
    external = profile(1, purpose=Purpose.EXTERNAL_CONSTRAINTS, ocpp_version=OcppVersion.V201)
    with pytest.raises(ProfileRejected) as refused:
        install(Installation(), external)
    assert refused.value.reason is Reason.EXTERNAL_IN_SET
    assert ids(install(Installation(), external, file='grid.json')) == [1]


def test_clearing_leaves_what_files_have_installed_and_names_them() -> None:
    one = install(install(Installation(), profile(1)), profile(2), file='a.json')
    cleared, files = one.clear(ClearCriteria())
    assert (ids(cleared), files) == ([2], ('a.json',))
    assert cleared.files == {'a.json': 2}
    again, files = cleared.clear(ClearCriteria(profile_id=2))
    assert (again is cleared, files) == (True, ('a.json',))


def test_what_was_lost_ends_with_set_file_or_clear_and_with_nothing_else() -> None:
    lost = Installation(lost='the disk broke')
    assert install(lost, profile(1)).lost == ''
    assert install(lost, profile(1), file='a.json').lost == ''
    cleared, _ = lost.clear(ClearCriteria())
    assert (cleared.lost, cleared is lost) == ('', False)
    assert lost.purge(NOW).lost == 'the disk broke'
    assert lost.follow(RUNNING).lost == 'the disk broke'
    assert lost.without_file('a.json').lost == 'the disk broke'


def test_tx_profiles_go_with_their_session() -> None:
    one = install(install(Installation(), profile(1), RUNNING), tx(2), RUNNING)
    assert one.running == RUNNING
    assert one.follow(RUNNING) is one
    assert ids(one.follow(None)) == [1]
    other = one.follow(Running('session-2', RUNNING.transaction))  # begun at the same second
    assert (ids(other), other.running) == ([1], None)


def test_tx_profiles_without_an_id_get_the_one_that_is_bound() -> None:
    one = install(Installation(), tx(2), RUNNING)
    bound = Running('session-1', Transaction(1, NOW - 60, '77'))
    named = one.follow(bound)
    assert named.running == bound
    assert named.profiles.profiles[0].transaction_id == '77'
    assert named.follow(bound) is named
    with pytest.raises(ProfileRejected) as refused:
        install(named, tx(3, transaction_id='78'), bound)
    assert refused.value.reason is Reason.TX_NOT_ON_EVSE


def test_the_session_is_only_known_while_a_tx_profile_needs_it() -> None:
    one = install(Installation(), profile(1), RUNNING)
    assert one.running is None
    two = install(one, tx(2), RUNNING)
    cleared, _ = two.clear(ClearCriteria(profile_id=2))
    assert cleared.running is None


def test_purged_is_what_can_never_count_again_also_of_files() -> None:
    old = profile(1, duration=60)
    one = install(install(Installation(), old, file='a.json'), profile(2))
    assert one.purge(NOW + 59) is one
    left = one.purge(NOW + 60)
    assert (ids(left), left.files) == ([2], {})
