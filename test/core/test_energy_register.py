"""A register that jumps: what is believed, what is estimated, and when a new course is adopted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.energy_register import ADOPT_TIME, GIVE_UP, EnergyRegister, energy_of

POWER = 11_000.0
PERIOD = 0.5


class Meter:
    """A meter whose register tells what it is made to."""

    def __init__(self, at: float = 0.0) -> None:
        self.register = EnergyRegister(22_080.0, 0.1)
        self.at, self.counted = at, 0.0

    def run(self, time: float, base: float | None = 100.0, power: float = POWER,
            measured: float | None = None) -> None:
        """``base``: kWh at which the register would have begun; None: it tells garbage."""
        for _ in range(round(time / PERIOD)):
            self.at += PERIOD
            self.counted += energy_of(power, PERIOD)
            garbage = 50_000.0 if round(self.at / PERIOD) % 2 else 3.0
            value = garbage if base is None else base + self.counted
            self.register.take(self.at, value, power if measured is None else measured)


def test_the_first_value_counts_when_a_second_agrees() -> None:
    register = EnergyRegister(22_080.0, 0.1)
    assert not register.take(0.0, 9999.0, 0.0)
    assert math.isnan(register.energy)
    assert not register.take(1.0, 1234.5, 0.0)
    assert register.take(2.0, 1234.5, 0.0)
    assert register.energy == 1234.5
    assert register.course == 0


@pytest.mark.parametrize('base', [0.0, 99.0, 1234.5])
def test_a_consistent_course_is_adopted_and_counts_from_its_first_value(base: float) -> None:
    meter = Meter()
    meter.run(30.0)
    meter.run(ADOPT_TIME - PERIOD, base)
    assert meter.register.course == 0
    assert meter.register.estimated
    meter.run(2 * PERIOD, base)
    register = meter.register
    assert (register.course, register.estimated) == (1, False)
    assert register.energy == pytest.approx(base + meter.counted)
    # what was counted goes on without a gap or a step
    assert register.energy - register.offset - 100.0 == pytest.approx(meter.counted, abs=0.002)


def test_energy_is_estimated_from_power_while_the_register_contradicts() -> None:
    meter = Meter()
    meter.run(30.0)
    meter.run(40.0, None)
    assert meter.register.estimated
    assert meter.register.energy == pytest.approx(100.0 + meter.counted, abs=0.002)
    meter.run(PERIOD)
    assert not meter.register.estimated
    assert meter.register.energy == pytest.approx(100.0 + meter.counted, abs=0.002)


def test_a_register_that_stands_while_current_flows_is_no_course() -> None:
    register = EnergyRegister(22_080.0, 0.1)
    for i in range(4):
        register.take(i, 100.0 + energy_of(POWER, i), POWER)
    for i in range(4, 300):
        register.take(i, 0.0, POWER)
    assert (register.course, register.estimated) == (0, True)


def test_a_register_that_stands_while_nothing_flows_is_one() -> None:
    meter = Meter()
    meter.run(5.0, power=0.0)
    meter.run(70.0, 50.0, power=0.0)
    assert meter.register.course == 1


def test_four_values_are_too_few() -> None:
    register = EnergyRegister(22_080.0, 0.1, 100.0, 0.0)
    for i in range(4):
        assert not register.take(100.0 + 30.0 * i, 5.0, 0.0)
    assert register.take(230.0, 5.0, 0.0)


def test_without_a_consistent_course_a_person_is_told_after_ten_minutes() -> None:
    meter = Meter()
    meter.run(10.0)
    meter.run(GIVE_UP - 1.0, None)
    assert meter.register.problem(meter.at) == ''
    meter.run(2.0, None)
    assert 'not been consistent for 10 min' in meter.register.problem(meter.at)
    meter.run(90.0, 5000.0)
    assert meter.register.problem(meter.at) == ''


@given(st.lists(st.tuples(st.sampled_from([0.2, 1.0, 20.0, 700.0]),
                          st.sampled_from([math.nan, math.inf, -1.0, 0.0, 5.0, 100.0, 100.01, 1e9]),
                          st.sampled_from([math.nan, 0.0, 7000.0, -5000.0, 1e12])), max_size=60))
def test_within_a_course_it_never_runs_backwards_and_what_is_told_is_a_number(steps) -> None:
    register, now, last, course = EnergyRegister(22_080.0, 0.1), 0.0, -math.inf, 0
    for time, value, power in steps:
        now += time
        register.take(now, value, power)
        if math.isnan(register.energy):
            continue
        if register.course != course:
            course, last = register.course, -math.inf
        assert last <= register.energy < math.inf
        last = register.energy
