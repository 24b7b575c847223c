"""quality.py: each measure on a course that was drawn by hand."""

import pytest

from charger_control.sim.offline.quality import Task, can_follow, judge, quantum_of, settling_times
from charger_control.sim.plant.ev_parameters import vehicle_of

TICK = 0.1


def task(commanded=16.0, *, falls=False, settling=2.0, quantum=0.0):
    return Task(commanded, falls, settling, True, quantum)


def course(*pieces):
    """(A, s) one after the other."""
    return [amperage for amperage, seconds in pieces for _ in range(round(seconds / TICK))]


def judged(what, drawn, signaled=None, last_part=5.0):
    return judge(what, drawn, signaled or [0.0] * len(drawn), TICK, last_part)


def test_a_course_without_fault():
    quality = judged(task(), course((10.0, 3.0), (15.9, 20.0)))
    assert quality.settled_after == pytest.approx(3.0)
    assert quality.steady_error == pytest.approx(0.1)
    assert quality.overshoot == pytest.approx(0.0)
    assert (quality.above, quality.longest_above, quality.changes) == (0.0, 0.0, 0)


def test_a_course_that_overshoots_twice_and_comes_back():
    quality = judged(task(), course((10.0, 2.0), (17.0, 3.0), (16.0, 5.0), (16.6, 1.0),
                                    (16.0, 10.0)))
    assert quality.overshoot == pytest.approx(1.0)
    assert quality.above == pytest.approx(4.0)
    assert quality.longest_above == pytest.approx(3.0)
    assert quality.settled_after == pytest.approx(11.0)
    assert quality.steady_error == 0.0


def test_the_largest_error_of_the_last_part_counts_not_its_mean():
    quality = judged(task(), course((16.0, 20.0), (15.2, 0.1), (16.0, 3.0)))
    assert quality.steady_error == pytest.approx(0.8)


def test_one_that_never_settles_settles_after_the_end():
    assert judged(task(), course((15.7, 20.0))).settled_after == pytest.approx(20.0)


@pytest.mark.parametrize(('drawn', 'error'), [(15.0, 0.0), (14.9, 0.1), (16.3, 0.3)])
def test_up_to_a_quantum_below_is_no_error_but_above_is(drawn, error):
    quality = judged(task(quantum=1.0), course((drawn, 20.0)))
    assert quality.steady_error == pytest.approx(error)


def test_after_a_fall_it_may_still_draw_more_until_it_has_arrived():
    fall = course((16.0, 4.0), (9.9, 1.0), (10.3, 2.0), (10.0, 10.0))
    assert judged(task(10.0, falls=True), fall).overshoot == pytest.approx(0.3)
    assert judged(task(10.0), fall).overshoot == pytest.approx(6.0)
    slow = course((16.0, 9.0), (10.0, 10.0))
    assert judged(task(10.0, falls=True, settling=2.0), slow).overshoot == pytest.approx(6.0), \
        'but not for longer than T + 6 s'


def test_changes_of_the_signal_are_counted_in_the_last_part():
    signaled = course((10.0, 5.0), (11.0, 16.0), (12.0, 2.0), (11.0, 2.0))
    assert judged(task(), course((16.0, 25.0)), signaled).changes == 2


def test_the_budget_is_what_the_issue_says():
    assert task(settling=3.0).budget(1.0) == 13.0


def test_t_of_vehicles_whose_course_can_be_told():
    ideal, slow = vehicle_of('ideal'), vehicle_of('slow')
    assert settling_times(ideal, [16.0, 10.0, 10.0], 0.01) == pytest.approx(
        [0.35, 0.65, 0.0], abs=0.1), 'the first without its start'
    up = settling_times(slow, [10.0, 20.0], 0.01)[1]
    assert 6.0 + 10.0 < up < 6.0 + 10.0 + 3.0, 'reaction, ramp of 1 A/s, and its lag'


@pytest.mark.parametrize(('vehicle', 'soc', 'commanded', 'step', 'most', 'can'), [
    ('ideal', 0.5, 16.0, 0.01, 32.0, True),
    ('standard', 0.5, 31.0, 0.01, 32.0, False),     # 31 / 0.95 is above the limit
    ('minus_three', 0.5, 16.0, 0.01, 18.0, False),  # 2 A of trim are not enough
    ('minus_three', 0.5, 16.0, 0.01, 19.0, True),
    ('overdraw', 0.5, 8.0, 0.01, 32.0, False),      # it would need 7.4 A and draws nothing there
    ('overdraw', 0.5, 8.7, 0.01, 32.0, True),
    ('overdraw', 0.5, 6.0, 0.01, 32.0, False),
    ('quantised', 0.5, 15.5, 0.01, 17.5, True),     # 15 A, less than one below
    ('family', 0.5, 20.0, 0.01, 32.0, False),       # its own limit
    ('tapering', 0.99, 16.0, 0.01, 32.0, False),
    ('ideal', 0.5, 15.5, 1.0, 17.5, True)])
def test_whether_a_vehicle_can_follow(vehicle, soc, commanded, step, most, can):
    assert can_follow(vehicle_of(vehicle), soc, commanded, step, most) is can


def test_the_quantum_is_of_vehicle_and_board():
    quantised, standard = vehicle_of('quantised'), vehicle_of('standard')
    assert quantum_of(standard, 0.06) == 0.0
    assert quantum_of(quantised, 0.01) == 1.0
    assert quantum_of(standard, 1.0) == pytest.approx(0.95)
    assert quantum_of(quantised, 1.0) == pytest.approx(1.95)
