"""closings.py: wear of the contactor, over restarts of the process and of the machine."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.cppwm_controller.closings import HOUR, Closings
from charger_control.core.moment import Moment


def moment(now: float, boot: str = 'one', wall: float | None = None,
           trusted: bool = True) -> Moment:
    return Moment(boot, now, 1e9 + now if wall is None else wall, trusted)


def closed_at(*times: float, per_hour: int = 12) -> Closings:
    """With these closings, open since."""
    closings = Closings(per_hour)
    for at in times:
        closings.step(at, True)
        closings.step(at + 1.0, False)
    return closings


def restarted(before: Closings, at: Moment, present: Moment, beat: Moment | None = None,
              per_hour: int = 12) -> Closings:
    """As another process finds it in the store."""
    closings = Closings(per_hour)
    closings.restore(json.loads(json.dumps(before.stored(at))), beat, present)
    closings.step(present.now, None)
    return closings


def test_55_closings_in_an_hour_with_a_restart_every_minute_are_12():
    """Each start forgot them: 55 in an hour."""
    closings, closed, before = Closings(12), 0, None
    for minute in range(60):
        now = 60.0 * minute
        if before is not None:
            closings = Closings(12)
            closings.restore(before, None, moment(now))
        closings.step(now, False)
        if not closings.too_many:
            closings.step(now + 20.0, True)
            closed += 1
        before = closings.stored(moment(now + 50.0))
    assert closed == 12


def test_a_contactor_that_stayed_closed_over_a_restart_is_one_closing():
    before = Closings(12)
    before.step(0.0, True)
    after = restarted(before, moment(0.0), moment(5.0))
    after.step(5.0, True)
    assert (after.count, after.closed) == (1, True)


def test_a_contactor_that_opened_over_a_restart_and_closes_is_two():
    before = Closings(12)
    before.step(0.0, True)
    after = restarted(before, moment(0.0), moment(5.0))
    after.step(5.0, False)
    after.step(6.0, True)
    assert after.count == 2


def test_a_silent_board_is_no_opening():
    closings = Closings(12)
    for second in range(100):
        closings.step(float(second), None if second % 2 else True)
    assert closings.count == 1


@pytest.mark.parametrize(('present', 'left'), [
    (moment(1800.0), 12), (moment(3615.0), 6), (moment(7300.0), 0),
    # a step of the wall clock within one start of the machine is not looked at
    (moment(1800.0, wall=2e9), 12), (moment(3615.0, wall=0.0, trusted=False), 6),
    # another start: both walls must be trusted, else no time has passed
    (moment(10.0, 'two', wall=1e9 + 3615.0), 6), (moment(10.0, 'two', wall=1e9 + 7300.0), 0),
    (moment(10.0, 'two', wall=2e9, trusted=False), 12),
    (moment(10.0, 'two', wall=0.0), 12)])
def test_only_time_that_has_certainly_passed_forgets_a_closing(present, left):
    before = closed_at(*(float(s) for s in range(0, 12, 2)), *(1000.0 + s for s in range(6)))
    assert restarted(before, moment(1100.0), present).count == left


def test_a_note_of_the_time_counts_up_to_it():
    before = closed_at(0.0, 2000.0)
    after = restarted(before, moment(2000.0), moment(5.0, 'two', trusted=False),
                      beat=moment(3700.0))
    assert after.count == 1


def test_what_cannot_be_read_leaves_one_closing_for_an_hour():
    closings = Closings(12)
    closings.restore_unknown(100.0)
    assert not closings.too_many
    closings.step(101.0, True)
    assert closings.too_many
    closings.step(100.0 + HOUR + 0.5, False)
    assert not closings.too_many


@pytest.mark.parametrize('stored', [
    {}, {'ago': None, 'closed': False, 'at': {}}, {'ago': [1.0], 'closed': False},
    {'ago': [-1.0], 'closed': False, 'at': {'boot': '', 'now': 0, 'wall': 0, 'trusted': True}},
    {'ago': ['x'], 'closed': False, 'at': {'boot': '', 'now': 0, 'wall': 0, 'trusted': True}},
    {'ago': [], 'closed': 1, 'at': {'boot': '', 'now': 0, 'wall': 0, 'trusted': True}}])
def test_what_is_no_record_is_refused(stored):
    with pytest.raises(ValueError, match='cannot be read'):
        Closings(12).restore(stored, None, moment(0.0))


@given(st.lists(st.tuples(st.floats(1.0, 900.0), st.booleans()), min_size=1, max_size=60))
def test_restarts_at_any_time_count_what_one_process_counts(course):
    whole, parts, now = Closings(12), Closings(12), 0.0
    for step, restarts in course:
        now += step
        for it in (whole, parts):
            it.step(now, not it.closed)
        if restarts:
            parts = restarted(parts, moment(now), moment(now + 0.5))
        for it in (whole, parts):
            it.step(now + 0.5, None)
        assert (parts.count, parts.closed) == (whole.count, whole.closed)
