"""The engine against charging-profile cases kept as data: test/core/data/ocpp_cases.json.

Other files of the same form: pytest test/core/smart_charging/test_cases.py --cases FILE.json
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from charger_control.core.smart_charging import (
    CompositeDefaults,
    CompositeSchedule,
    Kind,
    OcppVersion,
    Period,
    Profile,
    ProfileEngine,
    ProfileRejected,
    ProfileSet,
    Purpose,
    RateUnit,
    Reason,
    Recurrency,
    Station,
    Transaction,
    composite_schedule,
    conformed,
    occurrence_starts,
)

Case = dict[str, Any]

GIVEN_CASES = Path(__file__).parents[1] / 'data' / 'ocpp_cases.json'
PURPOSES = {'tx': Purpose.TX, 'tx_default': Purpose.TX_DEFAULT,
            'station_max': Purpose.STATION_MAX, 'external': Purpose.EXTERNAL_CONSTRAINTS}
KINDS = {'absolute': (Kind.ABSOLUTE, None), 'relative': (Kind.RELATIVE, None),
         'recurring': (Kind.RECURRING, None),
         'recurring_daily': (Kind.RECURRING, Recurrency.DAILY),
         'recurring_weekly': (Kind.RECURRING, Recurrency.WEEKLY)}
RUNNING = 'the running transaction'


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    file = Path(metafunc.config.getoption('--cases', None) or GIVEN_CASES)
    kind = metafunc.function.__name__.removeprefix('test_')
    document = json.loads(file.read_text())
    cases = [case for case in document['cases'] if case['type'] == kind]
    unknown = {c['type'] for c in document['cases']} - {
        'composite', 'occurrence_expansion', 'validation'}
    assert document['cases'], f'{file}: no cases'
    assert not unknown, f'{file}: cases of types that no test here knows: {sorted(unknown)}'
    metafunc.parametrize('case', cases, ids=[case['id'] for case in cases])


def seconds(text: str | None) -> int | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def profile_of(row: Case, evse: int, version: str) -> Profile:
    known = {'pid', 'stack', 'purpose', 'kind', 'unit', 'anchor', 'length_s', 'steps', 'valid_from',
             'valid_to', 'min_rate', 'max_offline_s', 'invalid_after_offline', 'tx', 'evse',
             'recurrency'}
    assert not set(row) - known, f'profile fields this test does not know: {set(row) - known}'
    kind, recurrency = KINDS[row.get('kind', 'absolute')]
    if 'recurrency' in row:
        recurrency = row['recurrency'] and Recurrency(str(row['recurrency']).capitalize())
    min_rate = row.get('min_rate')
    return Profile(
        profile_id=row.get('pid', 1), evse=evse, purpose=PURPOSES[row['purpose']], kind=kind,
        recurrency=recurrency, stack_level=row['stack'], unit=RateUnit(row['unit']),
        periods=tuple(Period(s['at_s'], float(s['limit']), s.get('phases'), s.get('phase_to_use'))
                      for s in row['steps']),
        start_schedule=seconds(row.get('anchor')), duration=row.get('length_s'),
        valid_from=seconds(row.get('valid_from')), valid_to=seconds(row.get('valid_to')),
        min_charging_rate=None if min_rate is None else float(min_rate),
        transaction_id=str(row.get('tx') or ''), max_offline_duration=row.get('max_offline_s'),
        invalid_after_offline=row.get('invalid_after_offline', False),
        ocpp_version=OcppVersion.V16 if version == '1.6' else OcppVersion.V201)


# --- composite ------------------------------------------------------------------------------

def composite_of(case: Case) -> CompositeSchedule:
    config, query = case['config'], case['query']
    start, end = seconds(query['start']), seconds(query['end'])
    assert start is not None and end is not None
    profiles = []
    for entry in case['installed']:
        profile = profile_of(entry['profile'], entry['evse'], case['ocpp'])
        profiles.append(conformed(profile, Station()))
    transactions = {}
    for row in case['transactions']:
        begin = seconds(row.get('start'))
        transactions[row['evse']] = Transaction(
            row['evse'], start if begin is None else begin, str(row.get('tx') or ''))
    online = ProfileSet(tuple(profiles)).online(query.get('offline_for_s', 0))
    return composite_schedule(
        ProfileEngine(online, transactions), query['evse'], start, end, RateUnit(query['unit']),
        CompositeDefaults(amperage=config['default_limit_a'], power=config['default_limit_w'],
                          voltage=config['supply_v'], phases=config['default_phases']),
        evses=config['evses'], assume_transaction=query['assume_transaction'])


def table(periods: list[Case]) -> list[str]:
    return ['  '.join(f'{name} {period[name]:>9}' for name in ('at_s', 'limit', 'phases', 'stack')
                      if name in period) for period in periods]


def asserted(got: CompositeSchedule, expected: list[Case]) -> list[Case]:
    """Our periods with what the case asserts: where it leaves phases or stack open, so do we."""
    rows: list[Case] = []
    for period in got.periods:
        wanted = [e for e in expected if e['at_s'] <= period.start]
        row: Case = {'at_s': period.start, 'limit': round(period.limit, 3)}
        if wanted and 'phases' in wanted[-1]:
            row['phases'] = period.phases
        if wanted and 'stack' in wanted[-1]:
            row['stack'] = period.stack_level
        is_wanted = any(e['at_s'] == period.start for e in expected)
        same_as_before = rows and {**rows[-1], 'at_s': 0} == {**row, 'at_s': 0}
        # A boundary at which only something left open changes is not asserted either.
        if is_wanted or not same_as_before:
            rows.append(row)
    return rows


def test_composite(case: Case) -> None:
    got = composite_of(case)
    expected = [{**e, 'limit': round(float(e['limit']), 3)} for e in case['expect']['periods']]
    assert got.duration == case['expect']['duration_s']
    assert table(asserted(got, expected)) == table(expected)
    neighbours = [(p.limit, p.phases, p.stack_level) for p in got.periods]
    assert all(a != b for a, b in pairwise(neighbours)), neighbours


# --- occurrence expansion -------------------------------------------------------------------

def test_occurrence_expansion(case: Case) -> None:
    kind, recurrency = KINDS[case['kind']]
    now, horizon = seconds(case['now']), seconds(case['horizon_end'])
    assert now is not None and horizon is not None
    starts = occurrence_starts(kind, recurrency, seconds(case['anchor']), now, horizon,
                               seconds(case['session_start']))
    assert [datetime.fromtimestamp(s, UTC).strftime('%Y-%m-%dT%H:%M:%SZ') for s in starts] == (
        case['expect']['starts'])


# --- validation -----------------------------------------------------------------------------

WORDS: tuple[tuple[str, Reason], ...] = (
    # The cases of OCPP 1.6 name reasons in words, as that version has no codes.
    (r'evse unknown|connector', Reason.EVSE_DOES_NOT_EXIST),
    (r'stack.*(below|negative)', Reason.STACK_LEVEL_BELOW_ZERO),
    (r'stack.*(above|max)', Reason.STACK_LEVEL_ABOVE_MAXIMUM),
    (r'needs anchor', Reason.MISSING_START_SCHEDULE),
    (r'too many.*profiles', Reason.TOO_MANY_PROFILES),
    (r'too many.*(steps|periods)', Reason.TOO_MANY_PERIODS),
    (r'unit', Reason.RATE_UNIT_UNSUPPORTED),
    (r'finite min', Reason.SCHEDULE_NON_FINITE),
    (r'finite.*limit', Reason.PERIOD_NON_FINITE),
    (r'(negative|below 0).*limit|limit.*(negative|below)', Reason.NEGATIVE_LIMIT),
    (r'phases', Reason.PHASES_UNSUPPORTED),
    (r'recurrency', Reason.MISSING_RECURRENCY),
    (r'station max.*relative', Reason.STATION_MAX_RELATIVE),
    (r'station max.*evse 0', Reason.STATION_MAX_EVSE),
    (r'tx profile.*evse 0', Reason.TX_EVSE_NOT_GREATER_THAN_ZERO),
    (r'transaction id|mismatch', Reason.TX_NOT_ON_EVSE),
    (r'(no|without).*transaction', Reason.TX_NO_ACTIVE_TRANSACTION),
)


def reason_of(text: str) -> Reason | None:
    if text in set(Reason):
        return Reason(text)
    return next((reason for words, reason in WORDS if ' ' in text and re.search(words, text)),
                None)


def station_of(given: Case, version: str) -> Station:
    units = given.get('allowed_units', ['A'] if version == '1.6' else ['A', 'W'])
    steps = given.get('steps', [])
    return Station(
        evses=given.get('evses', 2), max_stack_level=given.get('max_stack', 1 if version == '1.6'
                                                               else 100),
        max_profiles=given.get('max_profiles', 1 if version == '1.6' else 100),
        max_periods=given.get('max_steps', max(1, len(steps)) if version != '1.6' else 1),
        rate_units=frozenset(map(RateUnit, units)),
        supply_phases=given.get('supply_phases', 3),
        phase_switching=given.get('phase_switching', version != '1.6'),
        direct_current=given.get('supply', 'AC') == 'DC',
        start_schedule_optional=given.get('allow_without_anchor', True))


def described(text: str, base: Case) -> Case:
    """A profile that a case tells in words, beside ``base``."""
    row = dict(base)
    for name in ('tx_default', 'station_max', 'external', 'tx'):
        if re.search(rf'\b{name}\b', text):
            row['purpose'] = name
            break
    for field, word in (('pid', 'pid'), ('stack', 'stack'), ('evse', 'evse')):
        if number := re.search(rf'\b{word} (-?\d+)', text):
            row[field] = int(number.group(1))
        elif re.search(rf'\bother {word}', text):
            row[field] = base[field] + 1
    if re.search(r'\bother (tx|transaction)', text):
        row['tx'] = 'another'
    if re.search(r'not overlapping|disjoint|no overlap', text):
        row['valid_from'], row['valid_to'] = '2030-01-01T00:00:00Z', '2031-01-01T00:00:00Z'
        base['valid_to'] = '2030-01-01T00:00:00Z'
    return row


def test_validation(case: Case) -> None:
    version, given = case['ocpp'], dict(case['given'])
    known = {
        'pid', 'stack', 'purpose', 'kind', 'unit', 'anchor', 'length_s', 'steps', 'valid_from',
        'valid_to', 'min_rate', 'tx', 'evse', 'recurrency',
        'evses', 'max_stack', 'max_profiles', 'max_steps', 'allowed_units', 'supply_phases',
        'phase_switching', 'supply', 'allow_without_anchor', 'existing', 'new', 'running_tx',
        'transaction_running'}
    assert not set(given) - known, f'given fields this test does not know: {set(given) - known}'
    station = station_of(given, version)
    base: Case = {'pid': 2, 'evse': 1, 'purpose': 'tx_default', 'kind': 'absolute', 'stack': 1,
                  'unit': 'A', 'steps': []}
    if version != '1.6':
        base['steps'] = [{'at_s': 0, 'limit': 16.0}]
        base['anchor'] = '2024-01-17T17:00:00Z' if given.get('kind') != 'relative' else None
        base['tx'] = RUNNING
    row = {**base, **{k: v for k, v in given.items() if k in base or k in (
        'anchor', 'length_s', 'valid_from', 'valid_to', 'min_rate', 'tx', 'recurrency')}}
    if isinstance(row['evse'], str):  # "number of connectors (counting 0) or larger"
        row['evse'] = station.evses + 1
    if 'new' in given:
        row = described(given['new'], row)
    if row['purpose'] != 'tx':
        row['tx'] = None
    row['steps'] = [{'limit': 16.0, **step} for step in row['steps']]
    existing = ()
    if 'existing' in given:
        other = described(given['existing'], row)
        if 'pid' not in given['existing'] and other['purpose'] == row['purpose']:
            other['pid'] = row['pid'] + 1
        if other['purpose'] == 'tx':
            other['tx'] = other.get('tx') or RUNNING
        elif row['purpose'] == 'tx':
            other['tx'] = None
        existing = (profile_of(other, other['evse'], version),)
    transactions = {}
    if given.get('running_tx', given.get('transaction_running', True)):
        running = given.get('running_tx', row.get('tx') or RUNNING)
        transactions = {evse: Transaction(evse, 1_700_000_000, str(running))
                        for evse in range(1, station.evses + 1)}
    before = ProfileSet(existing)
    profile = profile_of(row, row['evse'], version)
    if case['expect']['accepted']:
        after = before.install(profile, station, transactions, 1_700_000_000)
        installed = after.profiles[-1]
        assert installed.profile_id == profile.profile_id
        if '3 on install' in case.get('note', ''):
            assert [p.phases for p in installed.periods] == [3]
        return
    with pytest.raises(ProfileRejected) as rejected:
        before.install(profile, station, transactions, 1_700_000_000)
    expected = reason_of(case['expect']['reason'])
    # Words that WORDS does not cover assert the rejection only.
    assert expected in {None, rejected.value.reason}, rejected.value
    assert before.profiles == existing
    assert rejected.value.message
