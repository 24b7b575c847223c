"""The vcse node: dimming over its service, the team's own draw, and the team above."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charger_control.core.messages.budget import TeamBudget
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import MemberAllocation, TeamAllocation, TeamRequest
from charger_control.nodes.fiscal_meter import GridMeter
from charger_control.nodes.vcse import Vcse
from charger_control.ros.interfaces import (
    GRID_METER,
    PARENT_ALLOCATION,
    PARENT_REQUEST,
    SET_DIMMING,
    VCSE_BUDGET,
    VCSE_REQUEST,
)
from charger_control.ros.parameters import ParameterError
from charger_control.sim.lines.optical_head import running_head
from charger_control.sim.meters.sml_meter import SmlPushMeter

FUSE = [20.0, 20.0, 20.0]


def total(amperage: float, term: int = 1, leader: str = 'cp01') -> TeamRequest:
    """What a team's leader says of its team."""
    return TeamRequest(team='team/vcse', member='team', sequence=1, accepted_leader=leader,
                       accepted_term=term, requested_amperage=30.0, drawable_amperage=amperage,
                       phase_map=(1, 2, 3), vehicle_status='C', amperage=(amperage,) * 3)


class TestDimming:
    def test_until_the_first_heartbeat_the_failsafe_counts(self, graph: Any) -> None:
        graph.start(Vcse, fuse=FUSE, dimming=True)
        budgets = graph.hear(VCSE_BUDGET)
        graph.until(lambda: budgets)
        assert budgets[-1].amperage == pytest.approx((4200.0 / 759.0,) * 3)
        assert 'no dimming heartbeat' in budgets[-1].reason

    def test_a_limit_counts_at_once_and_nan_ends_it(self, graph: Any) -> None:
        graph.start(Vcse, fuse=FUSE, dimming=True, rate=0.5)
        budgets = graph.hear(VCSE_BUDGET)
        answer = graph.ask(SET_DIMMING, power=7590.0, client='grid operator')
        assert (answer.success, answer.code, answer.timeout.sec) == (True, 'OK', 120)
        graph.until(lambda: budgets and budgets[-1].amperage == pytest.approx((10.0,) * 3), 1.0)
        assert 'dimmed to 7590 W' in budgets[-1].reason
        graph.ask(SET_DIMMING, power=math.nan, client='grid operator')
        graph.until(lambda: budgets[-1].amperage == (20.0,) * 3, 1.0)

    def test_another_client_lifts_no_limit_but_may_lower_it(self, graph: Any) -> None:
        graph.start(Vcse, fuse=FUSE, dimming=True, rate=0.5)
        budgets = graph.hear(VCSE_BUDGET)
        graph.ask(SET_DIMMING, power=7590.0, client='grid operator')
        for power, amperage in ((math.nan, 10.0), (15_180.0, 10.0), (3795.0, 5.0)):
            since = len(budgets)
            graph.ask(SET_DIMMING, power=power, client='energy manager')
            graph.until(lambda since=since: len(budgets) > since, 1.0)
            assert budgets[-1].amperage == pytest.approx((amperage,) * 3)

    def test_without_another_heartbeat_the_failsafe_counts_again(self, graph: Any) -> None:
        graph.start(Vcse, fuse=FUSE, dimming=True, dimming_timeout=1.0, rate=10.0,
                    dimming_failsafe_power=759.0)
        budgets = graph.hear(VCSE_BUDGET)
        assert graph.ask(SET_DIMMING, power=math.nan).success
        graph.until(lambda: budgets and budgets[-1].amperage == (20.0,) * 3, 1.0)
        graph.until(lambda: budgets[-1].amperage == pytest.approx((1.0,) * 3), 2.0)

    @pytest.mark.parametrize('power', [-1.0, math.inf])
    def test_what_is_refused_changes_nothing_and_is_said(self, graph: Any, power: float) -> None:
        node = graph.start(Vcse, fuse=FUSE, dimming=True)
        graph.ask(SET_DIMMING, power=5000.0)
        answer = graph.ask(SET_DIMMING, power=power)
        assert (answer.success, answer.code) == (False, 'OutOfRange')
        assert str(power) in answer.message and 'allowed' in answer.message
        budgets = graph.hear(VCSE_BUDGET)
        graph.until(lambda: budgets)
        assert 'dimmed to 5000 W' in budgets[-1].reason
        assert node.health()[0].values['refused'] == 1

    def test_where_none_is_configured_a_limit_is_refused(self, graph: Any) -> None:
        graph.start(Vcse, fuse=FUSE)
        answer = graph.ask(SET_DIMMING, power=5000.0)
        assert (answer.success, answer.code) == (False, 'NotConfigured')
        assert 'vcse.dimming' in answer.message


class TestOtherLoads:
    def reading(self, amperage: float) -> MeterReading:
        return MeterReading(voltage=(230.0,) * 3, amperage=(amperage,) * 3)

    def test_what_the_team_draws_is_no_other_load(self, graph: Any) -> None:
        node = graph.start(Vcse, fuse=FUSE, grid_meter=True, grid_fuse=[30.0] * 3, rate=10.0)
        budgets = graph.hear(VCSE_BUDGET)
        graph.say(VCSE_REQUEST, total(12.0))
        graph.until(lambda: node._request is not None)
        for _ in range(30):
            graph.say(GRID_METER, self.reading(17.0))
            graph.turn(0.1)
        assert budgets[-1].amperage == (20.0,) * 3       # 30 A less 1 A margin, less 5 A

    def test_a_restarted_vcse_takes_no_vehicle_for_another_load(self, graph: Any) -> None:
        """The meter is heard before the team says what it draws."""
        node = graph.start(Vcse, fuse=FUSE, grid_meter=True, grid_fuse=[30.0] * 3, rate=10.0)
        budgets = graph.hear(VCSE_BUDGET)
        for _ in range(5):
            graph.say(GRID_METER, self.reading(20.0))
            graph.turn(0.1)
        assert not budgets
        graph.say(VCSE_REQUEST, total(18.0))
        graph.until(lambda: node._request is not None)
        for _ in range(5):
            graph.say(VCSE_REQUEST, total(18.0))
            graph.say(GRID_METER, self.reading(20.0))
            graph.turn(0.1)
        assert budgets and {b.amperage for b in budgets} == {(20.0,) * 3}

    def test_a_leader_of_the_past_is_not_believed(self, graph: Any) -> None:
        node = graph.start(Vcse, fuse=FUSE)
        graph.say(VCSE_REQUEST, total(12.0, term=5))
        graph.until(lambda: node._request is not None)
        graph.say(VCSE_REQUEST, total(3.0, term=4, leader='cp02'))
        graph.turn(0.3)
        assert node._request.value.amperage == (12.0,) * 3


class House:
    """What the meter measures: A on L1 L2 L3, less than 0 is fed in."""

    voltage, frequency, energy_imported = (230.0,) * 3, 50.0, 1000.0

    def __init__(self, *amperage: float) -> None:
        self.amperage = (amperage[0], amperage[1], amperage[2])
        self.power = 230.0 * sum(amperage)


class TestAMeterBehindAnOpticalHead:
    """It pushes SML without currents, as most do: driver, grid_meter, vcse."""

    def budgets(self, graph: Any, tmp_path: Path, house: House, phase_power: bool,
                until: Callable[[TeamBudget], bool], **vcse: Any) -> TeamBudget:
        link = tmp_path / 'head'
        with running_head(link, lambda head: SmlPushMeter(
                house, now=time.monotonic(), interval=0.5, per_phase=False,
                phase_power=phase_power)):
            graph.start(GridMeter, phase_currents=False, phase_power=phase_power, **{
                'device.driver': 'sml', 'device.port': str(link)})
            graph.start(Vcse, fuse=[63.0] * 3, grid_meter=True, margin=0.0,
                        other_loads_rise=0.0, rate=10.0, **vcse)
            budgets = graph.hear(VCSE_BUDGET)
            graph.until(lambda: budgets and until(budgets[-1]), 15.0)
            return budgets[-1]

    def test_the_power_of_each_phase_guards_the_fuse_behind_sun(self, graph: Any,
                                                                tmp_path: Path) -> None:
        """The budget was 0 A for ever. 207 V, as this meter tells no voltage."""
        found = self.budgets(graph, tmp_path, House(25.0, -25.0, 0.0), True,
                             lambda budget: budget.amperage[1] > 0.0)
        assert found.amperage == pytest.approx((63.0 - 25.0 * 230.0 / (0.9 * 207.0), 63.0, 63.0))

    def test_its_total_alone_does_not_and_the_budget_says_so(self, graph: Any,
                                                             tmp_path: Path) -> None:
        found = self.budgets(graph, tmp_path, House(25.0, -25.0, 0.0), False,
                             lambda budget: 'total power' in budget.reason)
        assert found.amperage == (0.0,) * 3 and 'vcse.feed_in: false' in found.reason

    def test_its_total_does_where_nothing_feeds_in(self, graph: Any, tmp_path: Path) -> None:
        found = self.budgets(graph, tmp_path, House(10.0, 5.0, 0.0), False,
                             lambda budget: budget.amperage[1] > 0.0, feed_in=False)
        assert found.amperage == pytest.approx((63.0 - 15.0 * 230.0 / (0.9 * 207.0),) * 3)


PARENT = {'parent': 'site', 'parent_size': 2}


class TestTheTeamAbove:
    def lists(self, request: TeamRequest, amperage: float, sequence: int) -> TeamAllocation:
        return TeamAllocation('site', 'L', 1, sequence, 10.0, (MemberAllocation(
            'team', request.sequence, amperage, 0.0, 'fair share'),))

    def test_nothing_is_lent_before_it_has_answered(self, graph: Any, tmp_path: Path) -> None:
        graph.start(Vcse, fuse=FUSE, state_dir=str(tmp_path), **PARENT)
        budgets = graph.hear(VCSE_BUDGET)
        graph.until(lambda: budgets)
        assert budgets[-1].amperage == (0.0,) * 3

    def test_what_it_lends_is_the_budget_and_what_it_takes_back_too(self, graph: Any,
                                                                    tmp_path: Path) -> None:
        graph.start(Vcse, fuse=FUSE, state_dir=str(tmp_path), **PARENT)
        requests, budgets = graph.hear(PARENT_REQUEST), graph.hear(VCSE_BUDGET)
        sequence = 0

        def lend(amperage: float) -> None:
            nonlocal sequence
            known = len(requests)
            graph.say(VCSE_REQUEST, total(5.0))
            graph.until(lambda: len(requests) > known, 3.0)
            sequence += 1
            graph.say(PARENT_ALLOCATION, self.lists(requests[-1], amperage, sequence))
        for _ in range(7):  # a member that has just started follows nobody for 5 s
            lend(15.0)
        graph.until(lambda: budgets[-1].amperage == (15.0,) * 3, 3.0)
        asked = requests[-1]
        assert (asked.team, asked.member, asked.fall_time) == ('site', 'team', 18.0)
        assert asked.requested_amperage == 20.0              # more than the fuse is of no use
        lend(7.0)
        graph.until(lambda: budgets[-1].amperage == (7.0,) * 3, 1.0)
        assert 'team site' in budgets[-1].reason

    def test_a_team_above_itself_is_refused(self, graph: Any) -> None:
        with pytest.raises(ParameterError, match='cannot supply itself'):
            graph.start(Vcse, fuse=FUSE, team='north', parent='north')
