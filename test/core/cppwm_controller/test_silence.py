"""controller.py: "When something is silent" and refused inputs; the figures are the real ones."""

import math

import pytest
from charge_point import ControllerDesk

from charger_control.core.cppwm_controller import Allocation
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import Flags
from charger_control.core.messages.meter_reading import MeterReading

NAN, INF = math.nan, math.inf
METER = Flags.METER_SILENT | Flags.METER_LOST | Flags.METER_GONE


def trimmed(**config):
    """Charging at 16 A by the API, with a positive trim."""
    desk = ControllerDesk(**config).charging()
    desk.limits['api'], desk.gain = AmperageLimit(16.0), 0.9
    while desk.result.decision.trim < 1.0:
        desk.tick()
    desk.gain = 0.0
    return desk


@pytest.fixture
def desk():
    return trimmed()


def flags(desk):
    return Flags(desk.result.decision.flags)


def state(desk):
    decision = desk.result.decision
    return decision.commanded_amperage, decision.trim > 0.0, flags(desk) & METER


# -- the meter -------------------------------------------------------------------------------------

def test_a_silent_meter_3_11_60_s(desk):
    desk.meter = None
    desk.run(3.0)
    assert state(desk) == (16.0, True, Flags(0))
    desk.tick()
    assert state(desk) == (16.0, False, Flags.METER_SILENT)
    desk.run(7.875)
    assert state(desk) == (16.0, False, Flags.METER_SILENT)
    desk.tick()
    assert state(desk) == (6.0, False, Flags.METER_LOST)
    desk.run(48.875)
    assert state(desk) == (6.0, False, Flags.METER_LOST)
    desk.tick()
    assert state(desk) == (0.0, False, Flags.METER_GONE)
    assert desk.result.decision.limit_source == 'meter'


def test_a_slow_meter_2_5_4_20_periods():
    desk = ControllerDesk(meter_period=8.0).charging()
    desk.meter = None
    for seconds, after in ((20.0, Flags.METER_SILENT), (32.0, Flags.METER_LOST),
                           (160.0, Flags.METER_GONE)):
        before = flags(desk) & METER
        desk.run(seconds - (desk.now - desk.controller._meter.at))
        assert flags(desk) & METER == before
        desk.tick()
        assert flags(desk) & METER == after


def test_a_frozen_trim_may_stay_below_0():
    desk = ControllerDesk().charging()
    desk.limits['api'], desk.gain = AmperageLimit(16.0), 1.08
    desk.run(40.0)
    trim = desk.result.decision.trim
    assert trim < -0.5
    desk.gain, desk.meter = 0.0, None
    desk.run(8.0)
    assert desk.result.decision.trim == trim


def test_a_meter_that_comes_back_gives_everything_back(desk):
    desk.meter = None
    desk.run(30.0)
    desk.meter = MeterReading(amperage=(6.0, 6.0, 6.0))
    assert desk.tick().commanded_amperage == 16.0
    assert not flags(desk) & METER


def test_after_60_s_of_silence_a_restart_waits_60_s(desk):
    desk.meter = None
    desk.run(60.5)
    desk.meter = MeterReading(amperage=(0.0, 0.0, 0.0))
    assert desk.until(16.0) == pytest.approx(60.0, abs=0.5)


@pytest.mark.parametrize('reading', [
    MeterReading(error='no answer', amperage=(16.0, 16.0, 16.0)),
    MeterReading(), MeterReading(amperage=(NAN, 16.0, 16.0)),
    MeterReading(amperage=(16.0, INF, 16.0)), MeterReading(amperage=(-2.0, 0.0, 0.0)),
    MeterReading(amperage=(16.0, 1e9, 16.0)), MeterReading(amperage=(16.0, 16.0, 16.0), age=NAN),
    MeterReading(amperage=(16.0, 16.0, 16.0), age=-1.0),
    MeterReading(amperage=(16.0, 16.0, 16.0), age=100.0)])
def test_readings_that_cannot_be_or_are_old_are_silence(desk, reading):
    desk.meter = reading
    desk.run(61.0)
    assert desk.result.decision.commanded_amperage == 0.0
    if not reading.error and reading.age != 100.0:
        assert Flags.REFUSED_INPUT in flags(desk)


def test_nothing_is_offered_before_the_meter_was_heard():
    desk = ControllerDesk('C')
    desk.meter = None
    assert desk.run(60.0).commanded_amperage == 0.0
    assert Flags.METER_GONE in flags(desk)


@pytest.mark.parametrize('meter', [None, MeterReading()])
def test_without_phase_currents_open_loop_is_configured_and_said(meter):
    desk = ControllerDesk(closed_loop=False)
    desk.meter = meter
    desk.charging()
    assert desk.result.decision.commanded_amperage == desk.result.available.available_amperage
    assert flags(desk) == Flags.OPEN_LOOP


def test_stale_values_are_not_shown_as_fresh(desk):
    desk.meter = None
    desk.run(3.125)
    assert all(math.isnan(a) for a in desk.result.charging.amperage)


# -- the control pilot -----------------------------------------------------------------------------

def test_a_silent_pilot_2_s(desk):
    desk.tick()
    desk.pilot_alive, before = False, desk.result.drawable_amperage
    assert before > 16.0
    assert desk.run(2.0).commanded_amperage == 16.0
    assert desk.tick().commanded_amperage == 0.0
    assert Flags.PILOT_SILENT in flags(desk)
    assert math.isnan(desk.result.charging.signaled_amperage)
    assert desk.result.drawable_amperage == before, 'drawable stays as it was'
    desk.run(100.0)
    assert desk.result.drawable_amperage == before
    desk.pilot_alive = True
    assert desk.until(16.0) == 0.125, '60 s have passed since the stop'


def test_a_pilot_that_comes_back_at_once_waits_60_s_after_the_stop(desk):
    desk.pilot_alive = False
    desk.run(3.0)
    desk.pilot_alive = True
    assert desk.until(16.0) == 59.125


@pytest.mark.parametrize('fields', [
    {'error': 'no answer'}, {'signaled_amperage': NAN}, {'signaled_amperage': -1.0},
    {'signaled_amperage': 1e9}, {'age': 3.0}, {'age': NAN}, {'age': -1.0}])
def test_states_that_cannot_be_or_are_old_are_silence(desk, fields):
    desk.board = fields
    desk.run(2.125)
    assert desk.result.decision.commanded_amperage == 0.0
    assert Flags.PILOT_SILENT in flags(desk)


def test_an_old_state_counts_down_from_its_age(desk):
    desk.board = {'age': 1.5}
    desk.tick()
    desk.pilot_alive = False
    assert desk.run(0.5).commanded_amperage == 16.0
    assert desk.tick().commanded_amperage == 0.0


# -- limit sources ---------------------------------------------------------------------------------

def test_a_silent_hw_limit_5_s(desk):
    desk.limits['hw'] = None
    assert desk.run(5.0).commanded_amperage == 16.0
    decision = desk.tick()
    assert (decision.commanded_amperage, decision.limit_source) == (0.0, 'hw')
    assert decision.reason == 'hw is silent'
    assert Flags.SOURCE_SILENT in flags(desk)


def test_a_silent_hw_limit_cannot_leave_more_than_0(desk):
    desk.limits['hw'] = AmperageLimit(32.0, lost_amperage=32.0)
    desk.tick()
    desk.limits['hw'] = None
    assert desk.run(5.125).commanded_amperage == 0.0


def test_smart_charging_keeps_its_limit_to_the_end_of_its_period_then_lost_amperage(desk):
    desk.limits['smart_charging'] = AmperageLimit(10.0, valid_for=900.0, lost_amperage=6.0)
    desk.tick()
    desk.limits['smart_charging'] = None
    assert desk.run(900.0).commanded_amperage == 10.0
    assert Flags.SOURCE_SILENT in flags(desk)
    assert desk.tick().commanded_amperage == 6.0


@pytest.mark.parametrize(('lost', 'after'), [(NAN, 16.0), (8.0, 8.0), (0.0, 0.0)])
def test_a_silent_api_keeps_its_own_expiry_then_on_timeout(desk, lost, after):
    desk.limits['api'] = AmperageLimit(10.0, valid_for=300.0, lost_amperage=lost)
    desk.limits['smart_charging'] = AmperageLimit(16.0)
    desk.tick()
    desk.limits['api'] = None
    assert desk.run(300.0).commanded_amperage == 10.0
    assert desk.tick().commanded_amperage == after


@pytest.mark.parametrize('bad', [
    AmperageLimit(-1.0), AmperageLimit(INF), AmperageLimit(40.0, valid_for=NAN),
    AmperageLimit(40.0, 2), AmperageLimit(40.0, valid_for=-1.0)])
def test_a_bad_limit_is_refused_counted_and_flagged_for_a_minute(desk, bad):
    desk.limits['api'] = bad
    assert desk.tick().commanded_amperage == 16.0
    assert desk.controller.sources['api'].refused == 1
    assert Flags.REFUSED_INPUT in flags(desk)
    desk.limits['api'] = AmperageLimit(16.0)
    desk.run(59.875)
    assert Flags.REFUSED_INPUT in flags(desk)
    desk.tick()
    assert Flags.REFUSED_INPUT not in flags(desk)


def test_a_source_with_two_voices_is_said_while_it_speaks(desk):
    desk.limits['api'] = None
    desk.controller.hear_limit('api', Heard(AmperageLimit(8.0), desk.now, contested=True))
    assert desk.tick().commanded_amperage == 8.0
    assert Flags.SECOND_PUBLISHER in flags(desk)
    desk.run(5.0)
    assert Flags.SECOND_PUBLISHER not in flags(desk)


def test_two_meters_leave_no_trim_above_0(desk):
    before = desk.result.decision.trim
    assert before > 0.0
    reading, desk.meter = desk.meter, None
    desk.controller.hear_meter(Heard(reading, desk.now, contested=True))
    assert desk.tick().trim <= 0.0
    desk.controller.hear_meter(Heard(reading, desk.now))
    assert not desk.controller._meter.contested


# -- the team --------------------------------------------------------------------------------------

def test_a_silent_team_leaves_its_failsafe_and_says_so(desk):
    desk.allocation = Allocation(8.0, reason='the lease ran out', silent=True)
    assert desk.tick().commanded_amperage == 8.0
    assert Flags.TEAM_SILENT in flags(desk)
    assert desk.result.decision.reason == 'the lease ran out'


# -- time ------------------------------------------------------------------------------------------

def test_after_a_suspend_nothing_stale_is_acted_on(desk):
    desk.now += 3600.0
    result = desk.controller.step(desk.now, None)
    assert result.decision.commanded_amperage == 0.0
    assert not result.available.enable
    assert {Flags.METER_GONE, Flags.PILOT_SILENT, Flags.SOURCE_SILENT} <= set(
        Flags(result.decision.flags))


def test_a_clock_that_stands_still_changes_nothing_and_still_obeys(desk):
    for _ in range(100):
        assert desk.step().commanded_amperage == 16.0
    desk.limits['api'] = AmperageLimit(10.0)
    assert desk.step().commanded_amperage == 10.0


def test_while_nothing_is_known_of_the_board_all_that_can_be_counts_as_drawable():
    desk = ControllerDesk('C')
    desk.pilot_alive = False
    desk.tick()
    assert desk.result.drawable_amperage == 32.0


def test_so_it_does_while_the_cable_of_a_socket_is_unknown_and_nothing_may_be_offered():
    """What it may not offer by us it may still be offering by itself."""
    desk = ControllerDesk('C')
    desk.pilot_alive = False
    desk.limits['hw'] = AmperageLimit(0.0, reason='cable rating unknown')
    desk.tick()
    assert desk.result.drawable_amperage == 32.0
    assert desk.result.available.available_amperage == 0.0


@pytest.mark.parametrize(('amperage', 'words'), [
    ((10.0, 10.0, -10.0), 'L3 reads -10 A: reversed? (its current transformer)'),
    ((10.0, 900.0, 10.0), 'L2 reads 900 A, which cannot be'),
    ((NAN, NAN, NAN), 'the meter says no current of L1')])
def test_a_meter_that_says_what_cannot_be_is_not_called_silent(amperage, words):
    desk = ControllerDesk().charging()
    desk.gain, desk.meter = 0.0, MeterReading(amperage=amperage)
    assert desk.run(12.0).reason == f'{words}: at most 6 A'
    assert desk.result.decision.commanded_amperage == 6.0
    desk.meter = None
    assert desk.run(6.0).reason == 'the meter is silent: at most 6 A'
