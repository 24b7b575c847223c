"""Load sharing of other systems, kept as data: test/core/data/team_cases.json.

A case binds where its rule is ours; where it is not, team_case_rules.py says why. Other files of
the same form: pytest test/core/team/test_cases.py --cases FILE.json
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from team_case_rules import APPLIES, DIFFERS, DIFFERS_IN_PART, NOW, Case, car

from charger_control.core.team import allocate
from charger_control.core.units import Phases

GIVEN_CASES = Path(__file__).parents[1] / 'data' / 'team_cases.json'


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if 'case' in metafunc.fixturenames:
        file = Path(metafunc.config.getoption('--cases', None) or GIVEN_CASES)
        cases = json.loads(file.read_text())['cases']
        unknown = {case['id'] for case in cases} - APPLIES.keys() - DIFFERS.keys()
        assert not unknown, f'{file}: cases that nobody has judged yet: {sorted(unknown)}'
        wanted = APPLIES if 'applies' in metafunc.function.__name__ else DIFFERS
        cases = [case for case in cases if case['id'] in wanted]
        metafunc.parametrize('case', cases, ids=[case['id'] for case in cases])


def test_a_case_that_applies(case: Case) -> None:
    APPLIES[case['id']](case)


def test_a_case_that_differs(case: Case) -> None:
    why, check = DIFFERS[case['id']]
    assert why
    if check is not None:
        check(case)


@pytest.mark.parametrize('case_id', DIFFERS_IN_PART)
def test_a_part_that_differs(case_id: str) -> None:
    assert case_id in APPLIES
    assert DIFFERS_IN_PART[case_id][1]()


def test_every_case_is_judged_once() -> None:
    ids = [case['id'] for case in json.loads(GIVEN_CASES.read_text())['cases']]
    assert sorted(ids) == sorted([*APPLIES, *DIFFERS])


def test_a_budget_that_is_not_a_number_is_no_budget() -> None:
    phases: Phases = (math.nan, 63.0, 63.0)
    assert allocate(NOW, [car('1', 16.0)], phases)['1'].allocated_amperage == 0.0
