"""controller.py: what is requested, commanded and made available while all inputs are well."""

import math
from dataclasses import replace

import pytest
from charge_point import HW, ControllerDesk

from charger_control.core.cppwm_controller import Allocation
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import Flags
from charger_control.core.messages.meter_reading import MeterReading

NAN, INF = math.nan, math.inf


@pytest.fixture
def desk():
    return ControllerDesk().charging()


def commanded(desk):
    return desk.tick().commanded_amperage


def flags(desk):
    return Flags(desk.result.decision.flags)


# -- rule 1: requested ----------------------------------------------------------------------------

@pytest.mark.parametrize(('limits', 'requested', 'source'), [
    ({}, 32.0, 'hw'), ({'api': 16.0}, 16.0, 'api'), ({'smart_charging': 20.0}, 20.0,
                                                     'smart_charging'),
    ({'api': 16.0, 'smart_charging': 10.0}, 10.0, 'smart_charging'), ({'api': 40.0}, 32.0, 'hw'),
    ({'api': 1e308}, 32.0, 'hw'), ({'api': 5.0}, 0.0, 'api'), ({'api': 0.0}, 0.0, 'api'),
    ({'api': -0.0}, 0.0, 'api'), ({'hw': 0.0}, 0.0, 'hw')])
def test_requested_is_the_least_of_all_limits(desk, limits, requested, source):
    for name, amperage in limits.items():
        desk.limits[name] = replace(HW, amperage=amperage, reason=f'by {name}')
    decision = desk.tick()
    assert decision.requested_amperage == requested
    assert decision.limit_source == source
    if limits and source != 'hw':
        assert decision.reason == f'by {source}'


@pytest.mark.parametrize('letter', ['A', 'E', 'F', 'S', 'R', 'X', ''])
def test_nothing_is_requested_without_a_vehicle(desk, letter):
    desk.letter = letter
    decision = desk.tick()
    assert decision.requested_amperage == decision.commanded_amperage == 0.0
    assert decision.effective_amperage_limit == 32.0, 'the limit is there, vehicle or not'
    assert desk.result.available.enable is False


def test_nothing_is_commanded_during_a_fault_of_the_pilot(desk):
    desk.board = {'fault': 'EvNotStopping'}
    assert commanded(desk) == 0.0
    assert 'EvNotStopping' in desk.result.decision.reason


def test_nothing_before_every_configured_source_was_heard_once():
    desk = ControllerDesk('C')
    desk.limits['smart_charging'] = desk.limits['api'] = None
    decision = desk.run(60.0)
    assert decision.commanded_amperage == 0.0
    assert 'smart_charging, api' in decision.reason
    assert Flags.SOURCE_UNHEARD in flags(desk)
    desk.controller.hear_limit('api', Heard(AmperageLimit(-1.0), desk.now))
    desk.controller.hear_limit('smart_charging', Heard(AmperageLimit(NAN), desk.now))
    assert commanded(desk) == 0.0, 'a refused word is no word'
    desk.controller.hear_limit('api', Heard(AmperageLimit(NAN), desk.now))
    assert commanded(desk) == 32.0, '"no opinion" counts'


def test_without_any_opinion_nothing_is_commanded():
    desk = ControllerDesk(sources=('api',))
    desk.limits = {'api': AmperageLimit(NAN)}
    desk.letter = 'C'
    assert desk.run(60.0).commanded_amperage == 0.0


# -- rule 2: allocated, start and stop (holds: test_start_stop.py) ---------------------------------

@pytest.mark.parametrize(('allocated', 'worth'), [
    (10.0, 10.0), (40.0, 32.0), (5.0, 0.0), (0.0, 0.0), (NAN, 0.0), (-6.0, 0.0), (INF, 0.0)])
def test_commanded_is_the_least_of_requested_and_allocated(desk, allocated, worth):
    desk.allocation = Allocation(allocated, reason='shared')
    assert commanded(desk) == worth
    assert desk.result.decision.requested_amperage == 32.0
    assert desk.result.decision.limit_source == ('hw' if allocated == 40.0 else 'team')


@pytest.mark.parametrize(('limit', 'given'), [(6.0, 6.0), (5.95, 5.95), (5.949, 0.0), (5.0, 0.0)])
def test_to_0_below_5_95_a_at_once(desk, limit, given):
    desk.limits['api'] = AmperageLimit(limit)
    assert commanded(desk) == given
    assert desk.result.available.available_amperage == (6.0 if given else 0.0)


def test_a_decrease_acts_in_the_same_tick_and_a_raise_too(desk):
    for amperage in (10.0, 9.99, 6.0, 16.0):
        desk.limits['api'] = AmperageLimit(amperage)
        assert commanded(desk) == amperage


def test_a_clients_own_enable_waits_5_s(desk):
    desk.limits['api'] = AmperageLimit(0.0)
    desk.run(20.0)
    desk.limits['api'] = AmperageLimit(NAN)
    assert desk.until(16.0) == 5.125


def test_a_limit_lifted_by_somebody_else_waits_60_s(desk):
    for name in ('smart_charging', 'hw'):
        before, desk.limits[name] = desk.limits[name], AmperageLimit(0.0)
        desk.run(20.0)
        desk.limits[name] = before
        assert desk.until(16.0) == 40.125


def test_a_client_that_lifts_what_did_not_stop_charging_waits_60_s(desk):
    desk.limits['hw'] = AmperageLimit(0.0)
    desk.tick()
    desk.limits['api'] = AmperageLimit(3.0)
    desk.run(20.0)
    desk.limits['api'], desk.limits['hw'] = AmperageLimit(NAN), HW
    assert desk.until(16.0) > 30.0


@pytest.mark.parametrize('letter', ['E', 'F', 'S', 'R'])
def test_a_state_that_does_not_say_whether_a_vehicle_is_there_is_no_plug_in(desk, letter):
    desk.letter = letter
    desk.run(1.0)
    desk.letter = 'C'
    assert desk.until(16.0) == 59.125, '60 s after the stop, not 5 s after a plug-in'


def test_12_contactor_closings_then_suspended(desk):
    for letter in 'BC' * 11:
        desk.letter = letter
        desk.board = {'contactor_feedback': letter == 'C'}
        desk.run(2.0)
    assert Flags.TOO_MANY_CLOSINGS in flags(desk)
    assert desk.result.decision.commanded_amperage == 32.0
    desk.letter, desk.board = 'B', {'contactor_feedback': False}
    assert commanded(desk) == 0.0
    assert 'closed 12 times' in desk.result.decision.reason


# -- rules 3 and 4: trim and what is made available ------------------------------------------------

def test_without_a_team_the_trim_goes_to_2_a(desk):
    desk.limits['api'], desk.gain = AmperageLimit(16.0), 0.8
    desk.run(30.0)
    assert desk.result.available.available_amperage == 18.0
    assert desk.result.decision.trim == 2.0
    assert desk.result.available.commanded_amperage == 16.0


@pytest.mark.parametrize(('granted', 'trim'), [
    (0.0, 0.0), (1.0, 1.0), (NAN, 0.0), (-3.0, 0.0), (INF, 0.0)])
def test_with_a_team_the_trim_is_what_it_granted(desk, granted, trim):
    desk.allocation, desk.gain = Allocation(16.0, granted), 0.8
    desk.run(30.0)
    assert desk.result.decision.trim == pytest.approx(trim)


def test_over_draw_takes_the_trim_to_0_in_the_same_tick(desk):
    desk.limits['api'], desk.gain = AmperageLimit(16.0), 0.95
    desk.run(30.0)
    assert desk.result.decision.trim > 0.5
    desk.gain, desk.meter = 0.0, MeterReading(amperage=(15.2, 16.6, NAN))
    desk.tick()
    assert desk.result.available.available_amperage == 16.0


@pytest.mark.parametrize('cable', [20.0, 13.0])
def test_nothing_is_available_above_hw_limit_and_cable(desk, cable):
    desk.board, desk.gain = {'cable_amperage': cable}, 0.8
    desk.run(30.0)
    assert desk.result.available.available_amperage == cable
    desk.limits['hw'] = replace(HW, amperage=10.0)
    assert desk.tick().commanded_amperage == 10.0
    assert desk.result.available.available_amperage == 10.0
    desk.limits['hw'] = replace(HW, amperage=5.97)
    desk.tick()
    assert desk.result.available.available_amperage == 0.0, '6 A would be above the HW limit'
    assert desk.result.available.enable is False


@pytest.mark.parametrize('absurd', [81.0, 1e6, 1e308])
def test_nothing_above_80_a_is_available_whatever_the_limits_say(desk, absurd):
    desk.limits = dict.fromkeys(desk.limits, AmperageLimit(absurd))
    desk.gain = 0.95
    desk.run(20.0)
    assert desk.result.available.available_amperage == 80.0


@pytest.mark.parametrize('step', [0.0, NAN, INF, -1.0])
def test_a_board_with_an_odd_step_does_not_stop_the_tick(desk, step):
    desk.board, desk.gain = {'step': step}, 0.8
    desk.limits['api'] = AmperageLimit(16.0)
    assert 6.0 <= desk.run(30.0).commanded_amperage + desk.result.decision.trim <= 18.0


def test_what_is_available_counts_for_1_s(desk):
    assert desk.result.available.valid_for == 1.0


# -- phases, and the public values -----------------------------------------------------------------

def test_the_fewest_phases_that_anybody_wants():
    desk = ControllerDesk('C', has_phase_shutoff=True)
    desk.limits['smart_charging'] = AmperageLimit(NAN, 3)
    assert (desk.tick().phases, desk.result.decision.phase_source) == (3, 'smart_charging')
    desk.limits['api'] = AmperageLimit(NAN, 1)
    assert (desk.tick().phases, desk.result.decision.phase_source) == (1, 'api')
    assert desk.result.available.phases == 1


def test_phases_that_cannot_be_switched_are_not_claimed(desk):
    desk.limits['api'] = desk.limits['smart_charging'] = AmperageLimit(NAN, 1)
    assert (desk.tick().phases, desk.result.decision.phase_source) == (0, '')
    assert desk.result.available.phases == 0
    desk.limits['hw'] = AmperageLimit(16.0, 1, valid_for=5.0, lost_amperage=0.0)
    assert (desk.tick().phases, desk.result.decision.phase_source) == (1, 'hw')


def test_the_nine_values(desk):
    desk.meter = MeterReading((230.0, 231.0, 229.0), (9.0, 8.0, 7.0), 50.0, 5520.0, 12.5, 'S1')
    desk.tick()
    charging = desk.result.charging
    assert charging.voltage == (230.0, 231.0, 229.0)
    assert charging.amperage == (9.0, 8.0, 7.0)
    assert (charging.frequency, charging.energy_imported, charging.last_active_power) == (
        50.0, 12.5, 5520.0)
    assert (charging.allocated_amperage, charging.commanded_amperage) == (32.0, 32.0)
    assert charging.signaled_amperage == 32.0


def test_drawable_is_what_was_signaled(desk):
    assert desk.result.drawable_amperage == 32.0
    desk.letter = 'A'
    desk.tick()
    assert desk.result.drawable_amperage == 32.0, 'a glitch of the pilot gives nothing away'
    desk.run(0.5)
    assert desk.result.drawable_amperage == 0.0


def test_a_restart_with_a_vehicle_present_offers_nothing_for_10_s():
    desk = ControllerDesk('C')
    desk.step()
    assert desk.until(16.0) == 10.0
