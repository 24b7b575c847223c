"""The budget of a team: the least of fuse, other loads, dimming and parent; never unlimited."""

from __future__ import annotations

import math

import pytest

from charger_control.core.heard import Heard
from charger_control.core.messages.budget import Dimming, TeamBudget
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamRequest
from charger_control.core.units import Phases
from charger_control.core.vcse import ParentAllocation, Vcse, VcseConfig, check_no_cycle

FUSE: Phases = (63.0, 63.0, 63.0)
NOTHING: Phases = (0.0, 0.0, 0.0)


def vcse(**fields: object) -> Vcse:
    return Vcse(VcseConfig('depot', FUSE, **fields))  # type: ignore[arg-type]


def hear(block: Vcse, heard: Heard[MeterReading], drawn: Phases) -> None:
    """A reading of the grid meter, and what the team drew before and at its instant."""
    at = heard.at - heard.value.age
    for before in (0.05, 0.0):
        block.hear_team(Heard(TeamRequest(amperage=drawn), at - before))
    block.hear_grid(heard)


UNKNOWN = 3 * 253.0
"""V of three phases together that nobody measures."""


def grid(now: float, amperage: Phases, age: float = 0.0, error: str = '') -> Heard[MeterReading]:
    return Heard(MeterReading(amperage=amperage, voltage=(230.0,) * 3, age=age, error=error), now)


def test_without_anything_else_the_fuse_is_the_budget() -> None:
    assert vcse().step(0.0) == TeamBudget('depot', FUSE, 10.0, 'fuse')


class TestGridMeter:
    def test_the_other_loads_and_the_margin_are_taken_off_per_phase(self) -> None:
        block = vcse(grid_meter=True)
        hear(block, grid(0.0, (30.0, 20.0, 3.0)), (10.0, 20.0, 10.0))
        budget = block.step(0.0)
        assert budget.amperage == (42.0, 62.0, 62.0)
        assert budget.reason == 'other loads on the grid meter'

    def test_a_meter_of_the_other_loads_alone(self) -> None:
        block = vcse(grid_meter=True, grid_meter_has_team=False)
        hear(block, grid(0.0, (30.0, 20.0, 3.0)), (10.0, 20.0, 10.0))
        assert block.step(0.0).amperage == (32.0, 42.0, 59.0)

    def test_feed_in_adds_nothing_above_the_fuse(self) -> None:
        block = vcse(grid_meter=True, margin=0.0)
        hear(block, grid(0.0, (-20.0, 0.0, 0.0)), NOTHING)
        assert block.step(0.0).amperage == FUSE

    def test_what_the_team_draws_counts_as_nothing_where_it_is_unknown(self) -> None:
        block = vcse(grid_meter=True, margin=0.0)
        hear(block, grid(0.0, (30.0, 30.0, 30.0)), (math.nan, 10.0, -5.0))
        assert block.step(0.0).amperage == (33.0, 43.0, 33.0)

    def test_a_rise_counts_once_it_has_lasted_a_fall_after_30_s(self) -> None:
        block = vcse(grid_meter=True, margin=0.0, other_loads_rise=2.0)

        def at(now: float, others: float) -> float:
            hear(block, grid(now, (others,) * 3), NOTHING)
            return block.step(now).amperage[0]
        assert at(0.0, 10.0) == 53.0
        assert at(1.0, 40.0) == 53.0      # a spike, or the skew between two meters
        assert at(2.0, 10.0) == 53.0
        assert at(3.0, 30.0) == at(4.0, 30.0) == 53.0
        assert at(5.0, 30.0) == 33.0
        assert [at(6.0 + k, 10.0) for k in range(30)] == [33.0] * 30
        assert at(36.0, 10.0) == 53.0

    def test_what_the_team_says_late_is_no_rise(self) -> None:
        """All vehicles start at once, and the leader is lost: its successor says so 9 s later."""
        block = vcse(grid_meter=True, margin=0.0)
        for k in range(100):
            now = 0.2 * k
            hear(block, grid(now, (2.0 if now < 5.0 else 34.0,) * 3),
                 (0.0 if now < 14.0 else 32.0,) * 3)
            assert block.step(now).amperage == (61.0, 61.0, 61.0)

    def test_above_the_fuse_it_falls_by_the_excess_and_a_rise_counts_once_two_agree(self) -> None:
        block = vcse(grid_meter=True, margin=0.0)
        hear(block, grid(0.0, (10.0,) * 3), NOTHING)
        assert block.step(0.0).amperage == (53.0, 53.0, 53.0)
        hear(block, grid(0.5, (70.0, 60.0, 10.0)), (30.0, 30.0, 0.0))
        budget = block.step(0.5)
        assert budget.amperage == (46.0, 53.0, 53.0)
        assert 'more than its fuse' in budget.reason
        hear(block, grid(1.5, (70.0, 60.0, 10.0)), (30.0, 30.0, 0.0))
        assert block.step(1.5).amperage == (23.0, 53.0, 53.0)

    def test_silent_for_3_s_it_does_not_rise_for_10_s_the_most_is_counted(self) -> None:
        block = vcse(grid_meter=True, margin=0.0, dimming=True, other_loads_max=50.0)
        hear(block, grid(0.0, (13.0,) * 3), NOTHING)
        block.hear_dimming(Heard(Dimming(690.0 * 20.0), 0.0))
        assert block.step(2.0).amperage == pytest.approx((20.0,) * 3)
        block.hear_dimming(Heard(Dimming(math.nan), 3.0))
        late = block.step(3.5)
        assert late.amperage == pytest.approx((20.0,) * 3)
        assert 'does not rise' in late.reason
        lost = block.step(10.5)
        assert lost.amperage == (13.0,) * 3
        assert 'grid meter silent for 10 s' in lost.reason
        hear(block, grid(11.0, (13.0,) * 3), NOTHING)
        assert block.step(11.0).amperage == (50.0,) * 3

    def test_never_heard_the_most_is_counted_by_default_all_there_is(self) -> None:
        assert vcse(grid_meter=True).step(0.0).amperage == NOTHING
        assert vcse(grid_meter=True, other_loads_max=20.0).step(0.0).amperage == (42.0,) * 3

    def test_the_age_of_a_reading_counts(self) -> None:
        block = vcse(grid_meter=True, margin=0.0)
        hear(block, grid(5.0, (13.0,) * 3, age=4.0), NOTHING)
        assert block.step(5.0).amperage == NOTHING     # nothing before, and it does not rise
        assert 'silent for 4 s' in block.step(5.0).reason

    @pytest.mark.parametrize('reading', [
        grid(1.0, (math.nan, 1.0, 1.0)), grid(1.0, (math.inf, 1.0, 1.0)),
        grid(1.0, (1e6, 1.0, 1.0)), grid(1.0, (1.0, 1.0, 1.0), error='no answer')])
    def test_what_cannot_be_renews_nothing(self, reading: Heard[MeterReading]) -> None:
        block = vcse(grid_meter=True, margin=0.0)
        block.hear_grid(reading)
        assert block.step(1.0).amperage == NOTHING
        assert block.refused == (0 if reading.value.error else 1)

    def test_the_supply_may_carry_more_than_the_teams_own_fuse(self) -> None:
        block = vcse(grid_meter=True, grid_fuse=(100.0,) * 3)
        hear(block, grid(0.0, (20.0, 60.0, 99.5)), NOTHING)
        assert block.step(0.0).amperage == (63.0, 39.0, 0.0)


class TestDimming:
    def test_a_power_becomes_the_same_amperage_on_each_phase(self) -> None:
        block = vcse(dimming=True)
        block.hear_dimming(Heard(Dimming(4200.0), 0.0))
        assert block.step(0.0).amperage == pytest.approx((4200 / UNKNOWN,) * 3)
        assert 'dimmed to 4200 W' in block.step(0.0).reason

    def test_until_the_first_heartbeat_and_120_s_after_the_last_the_failsafe_counts(self) -> None:
        block = vcse(dimming=True)
        assert block.step(0.0).amperage == pytest.approx((4200 / UNKNOWN,) * 3)
        block.hear_dimming(Heard(Dimming(math.nan), 10.0))
        assert block.step(130.0).amperage == FUSE
        lost = block.step(130.5)
        assert lost.amperage == pytest.approx((4200 / UNKNOWN,) * 3)
        assert 'no dimming heartbeat: 4200 W' in lost.reason

    @pytest.mark.parametrize('power', [-1.0, math.inf, -math.inf])
    def test_what_cannot_be_is_refused_and_counts_as_silence(self, power: float) -> None:
        block = vcse(dimming=True)
        why = block.hear_dimming(Heard(Dimming(power), 0.0))
        assert str(power) in why
        assert block.refused == 1
        assert block.step(0.0).amperage == pytest.approx((4200 / UNKNOWN,) * 3)

    def test_the_measured_voltage_counts_while_it_is_fresh_and_can_be_trusted(self) -> None:
        block = vcse(dimming=True, grid_meter=True, other_loads_max=0.0)
        low = MeterReading(amperage=NOTHING, voltage=(210.0,) * 3)
        block.hear_grid(Heard(low, 0.0))
        assert block.step(0.0).amperage == pytest.approx((4200 / 630,) * 3)
        assert block.step(11.0).amperage == pytest.approx((4200 / UNKNOWN,) * 3)


class TestParent:
    def test_what_the_parent_lends_and_as_long_as_it_lends_it(self) -> None:
        block = vcse(parent='site')
        budget = block.step(0.0, ParentAllocation(20.0, 4.0, 'fair share'))
        assert budget == TeamBudget('depot', (20.0,) * 3, 4.0, 'team site: fair share')

    @pytest.mark.parametrize('given', [None, ParentAllocation(math.nan, 5.0, ''),
                                       ParentAllocation(-1.0, 5.0, '')])
    def test_no_allocation_is_nothing(self, given: ParentAllocation | None) -> None:
        assert vcse(parent='site').step(0.0, given).amperage == NOTHING

    def test_the_failsafe_holds_as_long_as_it_has_to(self) -> None:
        budget = vcse(parent='site').step(0.0, ParentAllocation(6.0, 0.0, 'no answer'))
        assert (budget.amperage, budget.valid_for) == ((6.0,) * 3, 10.0)

    def test_only_the_phases_that_the_parent_counts(self) -> None:
        budget = vcse(parent='site').step(0.0, ParentAllocation(20.0, 4.0, '', phases_in_use=6))
        assert budget.amperage == (0.0, 20.0, 20.0)

    def test_what_is_asked_of_the_parent_is_bounded_by_what_can_be_used(self) -> None:
        block = vcse(parent='site', dimming=True)
        block.hear_dimming(Heard(Dimming(10.0 * UNKNOWN), 0.0))
        block.step(0.0, ParentAllocation(3.0, 4.0, ''))
        assert block.own_limit == pytest.approx(10.0)

    def test_the_parent_is_told_what_was_given_within_18_s_whatever_the_team_says(self) -> None:
        block = vcse(parent='site')

        def wish(now: float, lent: float) -> TeamRequest:
            block.step(now, ParentAllocation(lent, 9.0, ''))
            return block.wish(now, TeamRequest(requested_amperage=99.0, drawable_amperage=1.0))
        assert wish(0.0, 0.0).drawable_amperage == 10_000.0, 'not known soon after its start'
        assert wish(17.0, 30.0).drawable_amperage == 10_000.0
        assert wish(20.0, 12.0).drawable_amperage == 30.0
        assert wish(35.0, 12.0).drawable_amperage == 30.0
        asked = wish(35.5, 12.0)
        assert (asked.drawable_amperage, asked.requested_amperage, asked.fall_time) == (
            12.0, 63.0, 18.0)
        over = block.wish(35.5, TeamRequest(drawable_amperage=40.0))
        assert over.drawable_amperage == 40.0

    def test_a_team_is_not_its_own_parent(self) -> None:
        with pytest.raises(ValueError, match=r"'depot'.*cannot supply itself"):
            vcse(parent='depot')

    def test_circles_are_refused_and_trees_are_not(self) -> None:
        check_no_cycle({'a': 'site', 'b': 'site', 'site': '', 'c': 'b'})
        with pytest.raises(ValueError, match='b -> c -> d -> b'):
            check_no_cycle({'a': 'b', 'b': 'c', 'c': 'd', 'd': 'b'})


def test_the_lowest_wins_on_each_phase_and_says_so() -> None:
    block = vcse(grid_meter=True, margin=0.0, parent='site')
    hear(block, grid(0.0, (50.0, 0.0, 0.0)), NOTHING)
    budget = block.step(0.0, ParentAllocation(30.0, 8.0, 'fair share'))
    assert budget.amperage == (13.0, 30.0, 30.0)
    assert budget.reason == 'other loads on the grid meter; team site: fair share'


@pytest.mark.parametrize(('fields', 'words'), [
    ({'margin': -1.0}, 'margin'), ({'other_loads_max': math.nan}, 'other_loads_max'),
    ({'grid_fuse': (1.0, math.inf, 1.0)}, 'grid_fuse'), ({'dimming_failsafe_power': math.inf},
                                                         'dimming_failsafe_power')])
def test_a_bad_configuration_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        vcse(**fields)


def test_a_fall_is_of_any_phase_and_counts_from_what_was_said_last() -> None:
    said = (16.0, 16.0, 16.0)
    assert not TeamBudget('team', (16.0, 15.95, 20.0), 10.0).fell(said, 0.1)
    assert TeamBudget('team', (16.0, 15.89, 20.0), 10.0).fell(said, 0.1)
    assert TeamBudget('team', (16.0, 15.999, 20.0), 10.0).fell(said)
    assert not TeamBudget('team', said, 10.0).fell(said)
