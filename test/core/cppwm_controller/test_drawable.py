"""drawable.py: the most that this vehicle may be drawing, as the team reserves it."""

import math

import pytest
from charge_point import control_pilot

from charger_control.core.cppwm_controller.drawable import Drawable

BOUND = 32.0
NAN = math.nan


def test_the_highest_signal_of_the_last_6_s():
    it = Drawable(6.0)
    assert it.step(0.0, control_pilot('C', 16.0), (0.0, 0.0, 0.0), BOUND) == 16.0
    assert it.step(6.0, control_pilot('C', 6.0), (6.0, 6.0, 6.0), BOUND) == 16.0
    assert it.step(6.1, control_pilot('C', 6.0), (6.0, 6.0, 6.0), BOUND) == 6.0


def test_a_measured_phase_above_the_signal():
    it = Drawable(6.0)
    assert it.step(0.0, control_pilot('C', 10.0), (1.0, 17.5, NAN), BOUND) == 17.5
    assert it.step(0.1, control_pilot('C', 10.0), (NAN, NAN, NAN), BOUND) == 10.0
    assert it.step(0.2, control_pilot('C', 10.0), None, BOUND) == 10.0
    assert it.step(0.3, control_pilot('C', 10.0), (-3.0, -3.0, -3.0), BOUND) == 10.0


def test_an_unreachable_board_keeps_what_it_acknowledged_last():
    it = Drawable(6.0)
    it.step(0.0, control_pilot('C', 16.0), None, BOUND)
    for now in (1.0, 10.0, 1e6):
        assert it.step(now, None, (0.0, 0.0, 0.0), 0.0) == 16.0


def test_state_a_held_half_a_second_brings_0():
    it = Drawable(6.0)
    it.step(0.0, control_pilot('C', 16.0), None, BOUND)
    for now in (0.1, 0.3, 0.5):
        assert it.step(now, control_pilot('A'), (0.0, 0.0, 0.0), BOUND) == 16.0, 'a glitch?'
    assert it.step(0.6, control_pilot('A'), (16.0, 16.0, 16.0), BOUND) == 0.0
    assert it.step(0.7, control_pilot('B'), (0.0, 0.0, 0.0), BOUND) == 0.0, 'and forgets'


def test_an_a_that_is_broken_by_another_state_or_by_silence_begins_anew():
    for between in (control_pilot('C', 16.0), None):
        it = Drawable(6.0)
        it.step(0.0, control_pilot('C', 16.0), None, BOUND)
        it.step(0.1, control_pilot('A'), None, BOUND)
        it.step(0.4, between, None, BOUND)
        assert it.step(0.7, control_pilot('A'), None, BOUND) == 16.0
        assert it.step(1.2, control_pilot('A'), None, BOUND) == 0.0


def test_a_glitch_of_the_pilot_gives_nothing_away_while_the_vehicle_draws():
    """8 ms of +12 V, seen in one tick: the vehicle charges on."""
    it = Drawable(6.0)
    it.step(0.0, control_pilot('C', 16.0), (16.0, 16.0, 16.0), BOUND)
    assert it.step(0.1, control_pilot('A'), (16.0, 16.0, 16.0), BOUND) == 16.0
    assert it.step(0.2, control_pilot('C'), (16.0, 16.0, 16.0), BOUND) == 16.0


def test_a_contactor_confirmed_open_brings_0_at_once():
    it = Drawable(6.0)
    it.step(0.0, control_pilot('C', 16.0), None, BOUND)
    assert it.step(0.1, control_pilot('B', 16.0, contactor_feedback=False), None, BOUND) == 0.0


@pytest.mark.parametrize('letter', ['B', 'C', 'D', 'E', 'F', 'S', 'R'])
def test_no_other_state_brings_0(letter):
    it = Drawable(6.0)
    it.step(0.0, control_pilot('C', 16.0), None, BOUND)
    assert it.step(1.0, control_pilot(letter, 0.0), None, BOUND) == 16.0
    assert it.step(1.1, control_pilot(letter, 0.0, contactor_feedback=True), None, BOUND) == 16.0


def test_the_most_that_can_be_while_nothing_is_known():
    it = Drawable(6.0)
    assert it.step(0.0, None, None, BOUND) == BOUND
    assert it.step(0.1, None, (40.0, 0.0, 0.0), BOUND) == 40.0
    assert it.step(7.0, control_pilot('C', 6.0), None, BOUND) == 6.0
