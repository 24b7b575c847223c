"""hw_limit.py: fuse, cable, phases, temperature; what is unknown never raises."""

import math

import pytest

from charger_control.core.heard import Heard
from charger_control.core.hw_limit import HwLimitConfig, step
from charger_control.core.messages.control_pilot import ControlPilot

NAN = math.nan
TETHERED = HwLimitConfig(fuse=32.0, phases=3, cable=20.0)
SOCKET = HwLimitConfig(fuse=32.0, phases=3, cable=NAN)
HOT = HwLimitConfig(fuse=32.0, phases=3, cable=32.0, derating_from=60.0, derating_to=80.0)


def board(letter='C', **fields):
    return Heard(ControlPilot(letter, letter + '2', 16.0, **fields), 100.0)


def limit(config, pilot, now=100.0):
    return step(config, now, pilot).amperage


def test_the_least_of_fuse_and_tethered_cable():
    assert limit(TETHERED, None) == 20.0
    assert limit(HwLimitConfig(16.0, 3, 20.0), None) == 16.0


def test_validity_and_what_counts_when_this_block_dies():
    said = step(TETHERED, 0.0, None)
    assert (said.valid_for, said.lost_amperage, said.refusal()) == (5.0, 0.0, '')
    assert 'cable 20 A' in said.reason


@pytest.mark.parametrize(('phases', 'said'), [(1, 1), (2, 0), (3, 0)])
def test_one_connected_phase_means_one_phase(phases, said):
    assert step(HwLimitConfig(16.0, phases, 16.0), 0.0, None).phases == said


def test_a_tethered_cable_does_not_need_the_board():
    assert limit(TETHERED, board(cable_amperage=5.0)) == 20.0


@pytest.mark.parametrize(('cable', 'amperage'), [
    (13.0, 13.0), (20.0, 20.0), (63.0, 32.0), (NAN, 0.0), (0.0, 0.0), (-13.0, 0.0), (5.0, 0.0)])
def test_a_socket_takes_the_cables_rating_and_0_for_an_unknown_one(cable, amperage):
    assert limit(SOCKET, board(cable_amperage=cable)) == amperage


def test_a_socket_without_a_vehicle_needs_no_cable():
    assert limit(SOCKET, board('A')) == 32.0


def test_a_socket_with_a_silent_board_allows_nothing():
    pilot = board(cable_amperage=20.0)
    assert limit(SOCKET, None) == 0.0
    assert limit(SOCKET, pilot, now=102.0) == 20.0
    assert limit(SOCKET, pilot, now=102.01) == 0.0
    assert limit(SOCKET, board('A', error='no answer')) == 0.0


def test_the_age_of_what_the_board_said_counts():
    assert limit(SOCKET, board(cable_amperage=20.0, age=1.5), now=100.6) == 0.0


@pytest.mark.parametrize(('temperature', 'amperage'), [
    (-40.0, 32.0), (20.0, 32.0), (60.0, 32.0), (70.0, 19.0), (80.0, 6.0), (80.1, 0.0), (200.0, 0.0),
    (math.inf, 0.0)])
def test_derating(temperature, amperage):
    assert limit(HOT, board(temperature=temperature)) == pytest.approx(amperage)


@pytest.mark.parametrize('temperature', [NAN, -51.0, -256.0, -math.inf])
def test_a_lost_or_broken_sensor_leaves_6_a(temperature):
    said = step(HOT, 100.0, board(temperature=temperature))
    assert (said.amperage, said.reason) == (6.0, 'temperature sensor lost')


def test_a_lost_sensor_comes_back():
    assert limit(HOT, board(temperature=NAN)) == 6.0
    assert limit(HOT, board(temperature=20.0)) == 32.0


def test_no_sensor_configured_no_derating():
    assert limit(TETHERED, board(temperature=500.0)) == 20.0


def test_a_silent_board_is_a_lost_sensor():
    assert limit(HOT, None) == 6.0


@pytest.mark.parametrize(('start', 'end'), [(60.0, NAN), (NAN, 80.0), (80.0, 60.0), (60.0, 60.0)])
def test_half_or_wrong_derating_is_refused_by_name(start, end):
    with pytest.raises(ValueError, match=r'hw_limit\.derating_from') as caught:
        HwLimitConfig(32.0, 3, 32.0, start, end)
    assert 'hw_limit.derating_to' in str(caught.value)
