"""loop.py: controller, pilot and plant in one loop, in the order of the live graph."""

import math

import pytest

from charger_control.core.cppwm_controller import Allocation
from charger_control.core.messages.decision import Flags
from charger_control.sim.meters.register_device import MeterParameters
from charger_control.sim.offline.loop import Loop, LoopParameters
from charger_control.sim.plant.ev_parameters import vehicle_of


def charging(vehicle='ideal', seconds=60.0, limit=16.0, **parameters):
    loop = Loop(LoopParameters(**parameters))
    loop.limit = limit
    loop.run(1.0)
    loop.station.plug_in(vehicle_of(vehicle))
    loop.run(seconds)
    return loop


def drawn(loop):
    return max(loop.station.amperage)


def state(loop):
    return loop.pilot.charge_controller_status


def test_a_session_from_plug_in_to_unplug():
    loop = Loop()
    loop.limit = 16.0
    loop.run(2.0)
    assert (state(loop), loop.station.signaled) == ('A1', 0.0)
    loop.station.plug_in(vehicle_of('ideal'))
    loop.run(4.0)
    assert (state(loop), loop.station.signaled) == ('B1', 0.0), '5 s after plug-in'
    loop.run(6.0)
    assert state(loop) == 'C2'
    assert loop.station.signaled == 16.0
    assert drawn(loop) == pytest.approx(16.0)
    assert loop.reading.value.amperage[0] == pytest.approx(16.0, abs=0.1)
    before = loop.station.plant.energy
    loop.run(10.0)
    assert loop.station.plant.energy - before == pytest.approx(3 * 230 * 16 * 10 / 3.6e6, rel=0.01)
    loop.station.plant.unplug(loop.now)
    loop.run(1.0)
    assert (state(loop), loop.station.signaled, drawn(loop)) == ('A1', 0.0, 0.0)


@pytest.mark.parametrize('vehicle', ['standard', 'minus_one', 'overdraw', 'slow', 'imbalanced',
                                     'one_phase', 'inrush'])
@pytest.mark.parametrize('step', [0.01, 0.06])
def test_a_vehicle_draws_what_was_commanded(vehicle, step):
    loop = charging(vehicle, 110.0, board_step=step)
    assert drawn(loop) == pytest.approx(16.0, abs=0.15)


def test_a_lower_limit_is_signaled_within_a_write():
    for lower, value in (('limit', 10.0), ('hw_amperage', 9.0), ('limit', 0.0)):
        loop = charging()
        setattr(loop, lower, value)
        loop.run(0.3)
        assert loop.station.signaled == pytest.approx(value, abs=0.05)


def test_the_signal_stays_below_cable_and_hw_limit_whatever_is_missing():
    loop = charging('minus_three', 120.0, limit=math.nan, hw_amperage=20.0, cable_amperage=13.0)
    assert loop.station.signaled == 13.0
    assert drawn(loop) == pytest.approx(10.0, abs=0.05)


def test_the_team_bounds_the_trim():
    loop = charging('minus_three', 1.0)
    for trim, expected in ((1.0, 17.0), (3.0, 19.0), (0.0, 16.0)):
        loop.allocation = Allocation(16.0, trim)
        loop.run(100.0)
        assert loop.station.signaled == pytest.approx(expected, abs=0.15)


def test_a_silent_meter_takes_the_trim_and_a_silent_board_the_command():
    loop = charging('standard', 60.0)
    assert loop.station.signaled > 16.7
    loop.station.meter.down_until = loop.now + 8.0
    loop.run(5.0)
    assert loop.station.signaled == 16.0
    assert Flags.METER_SILENT in Flags(loop.result.decision.flags)
    loop.run(60.0)
    assert drawn(loop) == pytest.approx(16.0, abs=0.1)
    loop.station.board.down_until = loop.now + 4.0
    loop.run(3.5)
    assert loop.result.decision.commanded_amperage == 0.0


def test_the_same_seed_gives_the_same_night_and_another_one_another():
    def course(seed):
        loop = charging('standard', 0.05, seed=seed)
        result = []
        for _ in range(60):
            loop.run(1.0)
            result.append((loop.station.signaled, loop.reading.value.amperage))
        return result
    assert course(1) == course(1)
    assert course(1) != course(2)


def test_a_board_in_whole_amperes_stays_up_to_one_below():
    loop = charging('standard', 90.0, limit=13.7, board_step=1.0)
    assert loop.station.signaled == 14.0
    assert drawn(loop) == pytest.approx(13.3)


@pytest.mark.parametrize('refresh', [0.1, 1.0, 5.0])
def test_a_meter_of_any_pace(refresh):
    loop = charging('minus_one', 120.0, meter=MeterParameters(refresh=refresh))
    assert drawn(loop) == pytest.approx(16.0, abs=0.15)
    before = loop.station.signaled
    loop.run(60.0)
    assert loop.station.signaled == before
