"""A grid meter without phase currents: what its powers say of the fuse, and when nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import Dimming
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamRequest
from charger_control.core.units import UNKNOWN_PHASES, Phases
from charger_control.core.vcse import Vcse, VcseConfig
from charger_control.core.vcse.grid_current import GridCurrents
from charger_control.sim.offline.depot_loads import LoadCase, LoadWorld, steps

FUSE: Phases = (63.0, 63.0, 63.0)
NOTHING: Phases = (0.0, 0.0, 0.0)


def vcse(**fields: object) -> Vcse:
    return Vcse(VcseConfig('home', FUSE, **{  # type: ignore[arg-type]
        'grid_meter': True, 'margin': 0.0, **fields}))


def hear(block: Vcse, now: float, drawn: Phases = NOTHING, voltage: Phases = (230.0,) * 3,
         total: float = math.nan, phases: Phases = UNKNOWN_PHASES,
         amperage: Phases = UNKNOWN_PHASES) -> str:
    """A reading beside a team that draws ``drawn``; returns why it was refused."""
    for before in (0.05, 0.0):
        block.hear_team(Heard(TeamRequest(amperage=drawn), now - before))
    return block.hear_grid(Heard(MeterReading(
        voltage=voltage, amperage=amperage, active_power=total, phase_power=phases), now))


class TestPowerOfEachPhase:
    def test_it_is_divided_by_nine_tenths_of_the_voltage(self) -> None:
        """0 A of 63 before: the meter was 'never heard'."""
        block = vcse()
        assert hear(block, 0.0, phases=(2070.0, 4140.0, 0.0)) == ''
        assert block.step(0.0).amperage == (53.0, 43.0, 63.0)

    def test_an_unmeasured_voltage_counts_207_v(self) -> None:
        block = vcse()
        hear(block, 0.0, voltage=UNKNOWN_PHASES, phases=(1863.0, 0.0, 0.0))
        assert block.step(0.0).amperage[0] == pytest.approx(53.0)

    @pytest.mark.parametrize(('measured', 'counted'), [
        (253.0, 253.0), (200.0, 200.0), (254.0, 207.0), (400.0, 207.0), (0.0, 207.0)])
    def test_a_voltage_that_cannot_be_makes_no_current_smaller(self, measured: float,
                                                               counted: float) -> None:
        block = vcse()
        hear(block, 0.0, voltage=(measured, 230.0, 230.0), phases=(0.9 * counted * 10, 0.0, 0.0))
        assert block.step(0.0).amperage[0] == pytest.approx(53.0)

    def test_what_the_team_draws_is_taken_off_its_phase(self) -> None:
        block = vcse()
        hear(block, 0.0, drawn=(10.0, 0.0, 0.0), phases=(20 * 207.0, 0.0, 0.0))
        assert block.step(0.0).amperage == (53.0, 63.0, 63.0)

    def test_feed_in_on_one_phase_hides_nothing_on_another(self) -> None:
        """25 A on L1 behind sun on L2: net 0 W."""
        block = vcse()
        hear(block, 0.0, total=0.0, phases=(25 * 207.0, -25 * 207.0, 0.0))
        assert block.step(0.0).amperage == (38.0, 63.0, 63.0)

    def test_measured_currents_count_before_powers(self) -> None:
        block = vcse()
        hear(block, 0.0, amperage=(5.0, 6.0, 7.0), phases=(20700.0,) * 3)
        assert block.step(0.0).amperage == (58.0, 57.0, 56.0)


class TestTotalPowerOnly:
    def test_where_something_may_feed_in_it_is_refused_with_the_reason(self) -> None:
        block = vcse()
        why = hear(block, 0.0, total=2070.0)
        assert 'feed_in' in why and 'total' in why
        budget = block.step(0.0)
        assert budget.amperage == NOTHING and why in budget.reason

    def test_where_nothing_feeds_in_all_of_it_may_be_on_each_phase(self) -> None:
        block = vcse(feed_in=False)
        assert hear(block, 0.0, total=2070.0) == ''
        assert block.step(0.0).amperage == (53.0,) * 3

    def test_what_the_team_draws_on_all_phases_is_taken_off(self) -> None:
        block = vcse(feed_in=False)
        hear(block, 0.0, drawn=(10.0, 10.0, 10.0), total=40 * 207.0)
        assert block.step(0.0).amperage == (53.0,) * 3

    def test_a_meter_of_the_other_loads_alone(self) -> None:
        block = vcse(feed_in=False, grid_meter_has_team=False)
        hear(block, 0.0, drawn=(10.0, 10.0, 10.0), total=2070.0)
        assert block.step(0.0).amperage == (53.0,) * 3

    def test_one_charging_car_on_three_phases_is_no_excess(self) -> None:
        """3 x 30 A are 90 A of power, on a fuse of 63 A."""
        block = vcse(feed_in=False)
        for now in range(60):
            hear(block, float(now), drawn=(30.0,) * 3, total=3 * 30 * 207.0)
            assert block.step(float(now)).amperage == (63.0,) * 3

    def test_a_sum_that_must_be_above_the_fuse_lowers_the_team(self) -> None:
        block = vcse(feed_in=False)
        for now in range(20):
            hear(block, float(now), drawn=(30.0,) * 3, total=(3 * 30 + 20) * 207.0)
            block.step(float(now))
        hear(block, 20.0, drawn=(30.0,) * 3, total=(3 * 30 + 40) * 207.0)
        block.step(20.0)
        hear(block, 21.0, drawn=(30.0,) * 3, total=(3 * 30 + 40) * 207.0)
        assert block.step(21.0).amperage[0] <= 23.0

    def test_the_lowest_voltage_of_the_phases_counts(self) -> None:
        block = vcse(feed_in=False)
        hear(block, 0.0, voltage=(240.0, 220.0, 230.0), total=0.9 * 220.0 * 10)
        assert block.step(0.0).amperage == (53.0,) * 3

    def test_some_phases_are_not_the_total(self) -> None:
        """A meter on L1 alone says nothing of L2 and L3."""
        block = vcse(feed_in=False)
        assert hear(block, 0.0, total=2070.0, amperage=(10.0, math.nan, math.nan))
        assert hear(block, 0.0, total=2070.0, phases=(2070.0, math.nan, math.nan))
        assert block.step(0.0).amperage == NOTHING

    def test_a_total_that_feeds_in_contradicts_the_declaration_for_good(self) -> None:
        block = vcse(feed_in=False)
        hear(block, 0.0, total=2070.0)
        for now in (1.0, 2.0, 3.0):
            assert 'feed_in' in hear(block, now, total=-2000.0)
        assert 'feed_in' in hear(block, 4.0, total=2070.0)
        assert block.step(15.0).amperage == NOTHING

    def test_one_garbled_sample_contradicts_nothing(self) -> None:
        block = vcse(feed_in=False)
        assert hear(block, 1.0, total=-2000.0) and not hear(block, 2.0, total=2070.0)

    @pytest.mark.parametrize('total', [math.nan, math.inf, 1e12])
    def test_what_cannot_be_renews_nothing(self, total: float) -> None:
        block = vcse(feed_in=False)
        assert hear(block, 0.0, total=total)
        assert block.step(0.0).amperage == NOTHING


def test_for_dimming_alone_its_voltage_counts_and_its_power_needs_nothing() -> None:
    block = Vcse(VcseConfig('home', FUSE, dimming=True))
    for now in (0.0, 0.1, 0.2):
        assert hear(block, now, voltage=(240.0,) * 3, total=-3000.0) == ''
    block.hear_dimming(Heard(Dimming(7200.0), 0.2))
    budget = block.step(0.2)
    assert budget.amperage[0] == pytest.approx(10.0) and 'dimmed' in budget.reason


def test_what_the_meter_itself_says_is_the_reason_of_a_budget_of_nothing() -> None:
    block = vcse()
    block.hear_grid(Heard(MeterReading(error='amperage of L1 is not a number'), 0.0))
    assert 'amperage of L1 is not a number' in block.step(0.0).reason


VOLTAGES = st.tuples(*[st.floats(207.0, 253.0)] * 3)
FACTORS = st.tuples(*[st.floats(0.9, 1.0)] * 3)


@pytest.mark.parametrize(('tells', 'load'), [('phase_power', 25.0), ('active_power', 4.0)])
def test_a_load_beside_a_car_leaves_it_what_is_there(tells: str, load: float) -> None:
    """With such a meter it got nothing. A total must count the load of all phases on each."""
    case = LoadCase('steps', 63.0, steps(2.0, load, (120.0, 250.0)), 30.0, 360.0, tells=tells)
    found = LoadWorld(case, 1).run()
    assert (found.times, found.stops, found.least >= 25.0, found.used >= 0.9) == (
        0, 0, True, True), found


@pytest.mark.parametrize('tells', ['phase_power', 'active_power'])
@pytest.mark.parametrize('seed', [1, 2, 3])
def test_a_load_that_leads_above_the_fuse_does_for_no_longer_than_with_currents(
        tells: str, seed: int) -> None:
    """45 A beside a car's 32 A on 63 A: the fall time, a period of the meter, the team's cycle."""
    case = LoadCase('steps', 63.0, steps(4.0, 45.0, (120.0, 250.0)), math.nan, 300.0, tells=tells)
    found = LoadWorld(case, seed).run()
    assert found.times == 1 and 0.0 < found.longest <= 8.0, found


@given(st.tuples(*[st.floats(-60.0, 60.0)] * 3), VOLTAGES, FACTORS, st.booleans())
def test_a_reckoned_current_is_never_below_the_true_one(true: Phases, voltage: Phases,
                                                        factor: Phases, measured: bool) -> None:
    """Each phase on its own, whatever is fed in on another, voltages measured or not."""
    powers = tuple(u * i * f for u, i, f in zip(voltage, true, factor, strict=True))
    found = GridCurrents(feed_in=True).of(MeterReading(
        voltage=voltage if measured else UNKNOWN_PHASES,
        phase_power=(powers[0], powers[1], powers[2]), active_power=sum(powers)))
    assert not found.together
    for reckoned, amperage in zip(found.amperage, true, strict=True):
        assert abs(reckoned) >= abs(amperage) - 1e-9 and reckoned * amperage >= 0.0


@given(st.tuples(*[st.floats(0.0, 60.0)] * 3), VOLTAGES, FACTORS, st.booleans())
def test_a_current_reckoned_from_a_total_is_that_of_no_phase_too_low(
        true: Phases, voltage: Phases, factor: Phases, measured: bool) -> None:
    powers = tuple(u * i * f for u, i, f in zip(voltage, true, factor, strict=True))
    found = GridCurrents(feed_in=False).of(MeterReading(
        voltage=voltage if measured else UNKNOWN_PHASES, active_power=sum(powers)))
    assert found.together and min(found.amperage) >= sum(true) - 1e-9


@given(st.tuples(*[st.floats(0.0, 30.0)] * 3), st.tuples(*[st.floats(0.0, 25.0)] * 3),
       VOLTAGES, FACTORS, FACTORS, st.booleans())
def test_what_is_left_never_exceeds_what_is_there(
        others: Phases, drawn: Phases, voltage: Phases, factor: Phases, of_team: Phases,
        total_only: bool) -> None:
    """Whatever is drawn where, with a power factor of 0.9 or more and nothing that feeds in."""
    powers = tuple(u * (i * f + team * g) for u, i, f, team, g in zip(
        voltage, others, factor, drawn, of_team, strict=True))
    block = vcse(feed_in=False)
    hear(block, 0.0, drawn=drawn, voltage=voltage, total=sum(powers),
         phases=UNKNOWN_PHASES if total_only else (powers[0], powers[1], powers[2]))
    for left, other in zip(block.step(0.0).amperage, others, strict=True):
        assert left + other <= 63.0 + 1e-6
