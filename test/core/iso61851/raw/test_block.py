"""raw_pilot.py in a loop with simulated vehicles, and what it says, remembers and never does."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_world import TICK, RawWorld, shape

from charger_control.core.heard import Heard
from charger_control.core.iso61851.faults import (
    DIODE,
    NOT_STOPPING,
    VENTILATION,
    WELDED,
    FaultConfig,
)
from charger_control.core.iso61851.raw.sequence import PhaseConfig
from charger_control.core.iso61851.signal import SignalConfig
from charger_control.core.iso61851.wake import WakeUpConfig
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.units import MAX_AMPERAGE
from charger_control.sim.plant.ev_parameters import PRESETS

STOP_TIME = 6.0
SWITCHABLE = {'switchable': True, 'phases': PhaseConfig(possible=True)}
NEVER_DRAWS = {'diode_fault', 'ventilation', 'full'}


def drawing(world):
    return max(world.plant.amperage) > 1.0


def started(preset='ideal', offer=16.0, **config):
    world = RawWorld(turn=0.02, **config).run(1.0)
    world.offer = offer
    world.plug(preset)
    world.until(lambda: drawing(world), 120.0)
    return world.run(10.0)


# -- vehicles --------------------------------------------------------------------------------------

@pytest.mark.parametrize('preset', sorted(set(PRESETS) - NEVER_DRAWS))
def test_every_vehicle_charges_stops_and_charges_again(preset):
    world = RawWorld(turn=0.02, noise=0.1).run(1.0)
    world.offer = 16.0
    world.plug(preset)
    for _ in range(2):
        world.offer = 16.0
        world.until(lambda: drawing(world), 120.0)
        world.run(5.0)
        assert world.published.fault == '' and world.published.charge_controller_status == 'C2'
        assert world.published.signaled_amperage == 16.0
        world.offer = 0.0
        assert world.until(lambda: not world.plant.contactor.closed, 7.0) <= STOP_TIME + 0.3
        world.run(45.0)
        if preset == 'ignores_off':
            assert world.published.recent_error_cause == NOT_STOPPING
        else:
            assert 'FAULT' not in world.kinds()
    world.unplug()
    world.run(1.0)
    assert world.published.charge_controller_status == 'A1'
    assert world.published.fault == ''


@pytest.mark.parametrize(('preset', 'fault'), [
    ('diode_fault', DIODE), ('ventilation', VENTILATION)])
def test_a_vehicle_that_must_not_be_charged_is_not(preset, fault):
    world = RawWorld(turn=0.02).run(1.0)
    world.offer = 16.0
    world.plug(preset)
    world.run(200.0)
    assert not any(name == 'contactor' and value == 'closed' for _, name, value in world.changes)
    assert world.published.recent_error_cause == fault


def test_a_diode_fault_clears_itself_three_times_then_only_by_unplugging():
    world = RawWorld(turn=0.02).run(1.0)
    world.offer = 16.0
    world.plug('diode_fault')
    world.run(300.0)
    assert world.kinds().count('FAULT') == 4
    assert world.published.fault == DIODE
    world.unplug()
    world.run(1.0)
    assert world.published.fault == ''


def test_a_sleeping_vehicle_is_woken_up():
    world = RawWorld(turn=0.02).run(1.0)
    world.offer = 16.0
    world.plug('sleeping')
    world.until(lambda: drawing(world), 60.0)
    assert world.kinds().count('WAKE_UP') == 1


def test_one_that_needs_30_s_of_state_f_gets_them_the_second_time():
    for attempts, wakes in ((1, False), (2, True)):
        world = RawWorld(turn=0.02, wake_up=WakeUpConfig(attempts=attempts)).run(1.0)
        world.offer = 16.0
        world.plug('sleeping', wake_time=29.0)
        world.run(120.0)
        assert drawing(world) is wakes


def test_a_full_vehicle_is_left_alone_after_two_wake_ups():
    world = RawWorld(turn=0.02).run(1.0)
    world.offer = 16.0
    world.plug('full')
    world.run(600.0)
    assert (world.kinds().count('WAKE_UP'), world.kinds().count('NOT_WANTED')) == (2, 1)
    assert world.published.charge_controller_status == 'B2' and world.published.fault == ''


def test_during_the_wake_up_the_vehicle_counts_as_connected():
    """Else the controller would stop, and hold its 60 s before it starts again."""
    world = RawWorld(turn=0.02).run(1.0)
    world.offer = 16.0
    world.plug('sleeping')
    world.until(lambda: world.seen['pilot'] == 'F', 60.0)
    world.run(1.0)
    assert world.published.vehicle_status == 'B'
    assert world.published.charge_controller_status == 'F1'
    assert world.published.signaled_amperage == 0.0


def test_a_vehicle_that_stops_by_itself_keeps_its_offer():
    world = started('tapering')
    world.vehicle.soc = 1.0
    world.until(lambda: not world.plant.contactor.closed, 60.0)
    world.run(120.0)
    assert world.published.charge_controller_status == 'B2'
    assert 'WAKE_UP' not in world.kinds()


@pytest.mark.parametrize('feedback', [True, False])
@pytest.mark.parametrize('meter', [True, False])
def test_a_vehicle_that_ignores_the_end_of_the_offer_is_cut_off(feedback, meter):
    world = started('ignores_off', feedback=feedback, meter=meter)
    world.offer = 0.0
    took = world.until(lambda: not world.plant.contactor.closed, 7.0)
    assert STOP_TIME <= took <= STOP_TIME + 0.3
    world.run(1.0)
    assert world.published.fault == NOT_STOPPING
    assert 'OPENED' in world.kinds()


def test_with_a_meter_one_that_stays_in_c_without_drawing_is_no_fault():
    world = started('stays_in_c')
    world.offer = 0.0
    world.run(60.0)
    assert not world.plant.contactor.closed and 'FAULT' not in world.kinds()
    assert world.published.charge_controller_status == 'C1'


def test_a_simplified_vehicle_is_known_and_may_be_limited():
    world = started('simplified', simplified_limit=True)
    assert 'SIMPLIFIED' in world.kinds() and world.published.signaled_amperage == 10.0
    world.unplug()
    world.run(2.0)
    world.plug('ideal')
    world.until(lambda: drawing(world), 60.0)
    assert world.published.signaled_amperage == 16.0


def test_unplugged_under_load_is_said_until_the_next_vehicle():
    world = started()
    world.unplug()
    assert world.until(lambda: not world.plant.contactor.closed, 1.0) <= 0.1
    world.run(1.0)
    assert world.published.recent_error_cause == 'EvDisconnect' and world.published.fault == ''
    world.plug('ideal')
    world.run(1.0)
    assert world.published.recent_error_cause == ''


# -- phases ----------------------------------------------------------------------------------------

def test_a_glitch_of_12_v_opens_at_once_and_the_same_vehicle_charges_on():
    world = RawWorld(turn=0.004).charging()
    world.events.clear()
    glitch = world.now
    world.levels = shape('A')
    world.run(0.008)                    # two samples
    world.levels = None
    assert world.first('commanded', False, glitch) - glitch <= 0.008
    world.run(0.1)
    assert not world.plant.contactor.closed
    world.until(lambda: world.plant.contactor.closed, 6.0)
    world.run(2.0)
    assert world.first('letter', 'A', glitch) == math.inf
    assert 'DISCONNECTED' not in world.kinds() and world.published.fault == ''
    assert max(world.plant.amperage) == 15.0


def test_phases_are_switched_there_and_back_with_a_real_vehicle():
    world = started(**SWITCHABLE)
    assert sum(a > 1.0 for a in world.plant.amperage) == 3
    world.phases_wished = 1
    world.until(lambda: drawing(world) and world.plant.phases_on == 1, 60.0)
    world.phases_wished = 0     # nobody asks for one any more
    world.until(lambda: drawing(world) and world.plant.phases_on == 3, 130.0)
    closed = False
    for _, name, value in world.changes:
        closed = value == 'closed' if name == 'contactor' else closed
        assert name != 'phases' or not closed, 'the relay moved under a closed contactor'
    assert 'FAULT' not in world.kinds() and world.kinds().count('PHASES_DONE') == 2


def test_after_a_restart_with_a_vehicle_its_past_is_unknown_and_the_sequence_is_kept():
    world = RawWorld(turn=0.02, **SWITCHABLE)
    world.offer, world.phases_wished = 16.0, 3
    world.plug('ideal')
    world.run(150.0)
    assert world.plant.phases_on == 3 and drawing(world)
    assert world.kinds().count('PHASES') == 1


def test_without_a_relay_no_wish_moves_anything():
    world = started()
    world.phases_wished = 1
    world.run(30.0)
    assert drawing(world) and world.plant.phases_on == 3


# -- what is silent, lost, latched -----------------------------------------------------------------

@pytest.mark.parametrize(('silent', 'at_most'), [('available', 1.2), ('hw', 5.2)])
def test_a_silent_input_ends_the_offer(silent, at_most):
    world = started()
    world.quiet.add(silent)
    assert world.until(lambda: world.seen['pilot'] == 'X1', 10.0) <= at_most
    world.until(lambda: not world.plant.contactor.closed, 4.0)
    assert 'FAULT' not in world.kinds()


def test_lost_samples_are_said_once_and_nothing_is_offered_until_they_are_back():
    world = started()
    world.error, n = 'ADC gone', len(world.changes)
    world.quiet.add('samples')
    world.run(2.0)
    assert world.published.error == 'ADC gone' and world.published.vehicle_status == 'S'
    assert world.result.pilot is None, 'said once'
    assert not world.plant.contactor.closed and world.seen['pilot'] == 'X1'
    world.quiet.clear()
    world.until(lambda: drawing(world), 30.0)
    assert 'FAULT' not in world.kinds() and len(world.changes) > n


def test_at_a_start_with_a_vehicle_nothing_is_offered_for_10_s():
    world = RawWorld(turn=0.02)
    world.offer = 16.0
    world.plug('ideal')
    assert 10.0 <= world.until(lambda: world.seen.get('pilot') == 'X2', 12.0) <= 10.5


def test_a_latched_fault_survives_and_is_reset_by_a_person():
    world = RawWorld(turn=0.02, latched=WELDED).run(1.0)
    world.offer = 16.0
    world.plug('ideal')
    world.run(30.0)
    assert world.published.fault == world.result.latch == WELDED
    assert world.seen['pilot'] == 'X1'
    assert world.control.faults.reset()
    world.until(lambda: drawing(world), 10.0)


def test_a_welded_contactor_is_found_by_its_current_without_a_feedback():
    world = started(feedback=False)
    world.plant.contactor.weld(True, world.now)
    world.vehicle.change({'keeps_s2': True, 'ignores_pwm_off': True})
    world.offer = 0.0
    world.run(12.0)
    assert world.result.latch == WELDED


def test_the_socket_s_cable_bounds_the_signal():
    world = RawWorld(turn=0.02, socket=True).run(1.0)
    world.offer = 32.0
    plain, world.guard.reading = world.guard.reading, None
    world.cable = 20.0
    world.guard.reading = lambda feedback: plain(feedback, world.cable)
    world.plug('ideal')
    world.run(20.0)
    assert world.published.signaled_amperage == world.published.cable_amperage == 20.0
    world.cable = math.nan
    world.run(0.2)
    assert world.published.signaled_amperage == 0.0, 'an unknown cable carries nothing'


def test_the_end_of_the_process_waits_for_the_vehicle():
    world = started()
    world.control.stop()
    assert not world.control.stopped(world.now, world.reading)
    took = world.until(lambda: world.control.stopped(world.now, world.reading), 7.0)
    assert took < 3.0 and not world.plant.contactor.commanded
    assert max(world.plant.amperage) < 1.0


def test_the_end_of_the_process_does_not_wait_for_ever():
    world = started('ignores_off')
    world.control.stop()
    took = world.until(lambda: world.control.stopped(world.now, world.reading), 10.0)
    assert took <= STOP_TIME + 0.6 and not world.plant.contactor.commanded


def test_a_board_step_is_kept():
    world = started(offer=13.47, signal=SignalConfig(step=0.06))
    assert world.published.signaled_amperage == pytest.approx(13.44)
    assert world.published.duty_cycle == pytest.approx(13.44 / 60)
    assert world.published.step == 0.06
    assert (world.published.cp_high, world.published.cp_low) == (6.0, -12.0)


# -- never -----------------------------------------------------------------------------------------

HISTORY = st.lists(st.tuples(
    st.sampled_from(['B', 'C', 'D', 'A', 'E', 'B', 'C', 'C', 'nan', 'glitch', 'offer', 'offer',
                     'hw', 'phases', 'diode', 'quiet', 'quiet', 'draw', 'feedback', 'reset']),
    st.floats(0.01, 12.0), st.floats(0.0, 40.0)), min_size=5, max_size=40)


class Judge:
    """Holds a world to the invariants after every turn."""

    def __init__(self, world):
        self.world, self.pwm_at, self.not_c_since = world, -math.inf, math.inf

    def look(self):
        world = self.world
        out_duty, commanded = world.plant.duty, world.plant.contactor.commanded
        if 0.0 < out_duty < 1.0:
            self.pwm_at = world.now
        true_letter = 'A' if world.vehicle is None else world.vehicle.letter
        if world.plant.pilot_shorted:
            true_letter = 'E'
        live = true_letter in ('CD' if world.ventilation else 'C') and world.levels is None and (
            'samples' not in world.quiet)
        self.not_c_since = math.inf if live else min(self.not_c_since, world.now)
        if commanded:
            assert world.now - self.not_c_since <= 0.1, 'closed 100 ms after the vehicle left C'
            assert world.now - self.pwm_at <= STOP_TIME + 0.6, 'closed without an offer'
            assert out_duty > 0.0, 'closed in state F'
        if world.result is not None and world.result.pilot is not None:
            pilot = world.result.pilot
            signaled = pilot.signaled_amperage
            assert signaled == 0.0 or 6.0 - 1e-6 <= signaled <= MAX_AMPERAGE
            assert signaled == 0.0 or not pilot.fault or world.now - world.ticked_at < 2 * TICK
            if world.result.order.close_in:
                assert not pilot.fault and pilot.vehicle_status in {'C', 'D'}
        if 0.0 < world.order.value.duty < 1.0:
            assert 60.0 * world.order.value.duty <= world.bound + 1e-6


@settings(max_examples=20, deadline=None)
@given(history=HISTORY, ventilation=st.booleans(), feedback=st.booleans())
def test_invariants_hold_over_random_histories(history, ventilation, feedback):
    world = RawWorld(turn=0.02, feedback=feedback, faults=FaultConfig(ventilation=ventilation),
                     present_hold=1.0, **SWITCHABLE)
    world.ventilation, world.bound = ventilation, 32.0
    judge = Judge(world)
    world.offer = 16.0
    for what, seconds, figure in itertools.chain([('B', 8.0, 0.0), ('C', 2.0, 0.0)], history):
        world.levels = None
        world.plant.pilot_shorted = what == 'E'
        if what == 'A':
            world.unplug()
        elif what in 'BCD':
            if world.vehicle is None:
                world.plug(what)
            world.vehicle.letter = what
        elif what == 'nan':
            world.levels = (math.nan, math.nan)
        elif what == 'glitch':
            world.levels = (9.0, -12.0)
        elif what == 'offer':
            world.offer = figure if figure > 3.0 else 0.0
        elif what == 'hw':
            world.hw = world.bound = figure
            world.control.hear_hw(Heard(AmperageLimit(figure), world.now))
            world.tick()
        elif what == 'phases':
            world.phases_wished = 1 if figure < 20.0 else 3
        elif what == 'diode' and world.vehicle is not None:
            world.vehicle.parameters.diode_shorted = figure < 20.0
        elif what == 'quiet':
            world.quiet = {('available', 'hw', 'meter', 'block', 'samples')[int(figure) % 5]}
        elif what == 'draw' and world.vehicle is not None:
            world.vehicle.wanted = figure
        elif what == 'reset':
            world.quiet = set()
            world.control.faults.reset()
        end = world.now + (0.01 if what == 'glitch' else seconds)
        while world.now < end:
            world.step()
            judge.look()
