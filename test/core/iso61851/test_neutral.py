"""neutral.py: a lost neutral is seen in the voltages, and a real grid is not taken for one."""

from __future__ import annotations

import math
import random

import pytest
from charge_point import PilotDesk

from charger_control.core.heard import Heard
from charger_control.core.iso61851.neutral import NEUTRAL_LOST, NeutralWatch
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import Phases
from charger_control.sim.plant.mains import MainsParameters
from charger_control.sim.plant.plant import Plant, PlantParameters

NAN = math.nan
PERIOD = 0.2
GOOD = (231.0, 229.0, 230.0)


def lost_after(*samples: Phases, phases: int = 3, period: float = PERIOD) -> float:
    """s from the first sample to the one that says the neutral is lost; inf: none does."""
    watch = NeutralWatch(phases, 3.0)
    watch.hear(Heard(MeterReading(GOOD), -period))
    for number, voltage in enumerate(samples):
        watch.hear(Heard(MeterReading(voltage), number * period))
        if watch.lost(number * period):
            return round(number * period, 3)
    return math.inf


def test_276_v_are_seen_in_0_2_s_and_not_in_one_sample() -> None:
    assert lost_after(*[(277.0, 200.0, 215.0)] * 3) == 0.2
    assert lost_after((277.0, 200.0, 215.0), GOOD, (277.0, 200.0, 215.0), GOOD) == math.inf
    assert lost_after(*[(276.0, 230.0, 230.0)] * 100) == math.inf


@pytest.mark.parametrize('voltage', [
    (260.0, 215.0, 216.0), (195.0, 250.0, 245.0), (253.1, 220.0, 219.0), (206.9, 242.0, 241.0)])
def test_one_phase_out_of_its_band_and_another_the_other_way_are_seen_in_5_s(
        voltage: Phases) -> None:
    assert lost_after(*[voltage] * 40) == 5.0
    assert lost_after(*([voltage] * 24 + [GOOD]) * 4) == math.inf, 'without a break'


@pytest.mark.parametrize('voltage', [
    (254.0, 254.0, 255.0),              # the sun on all roofs
    (256.0, 232.0, 231.0),              # the sun on one phase
    (200.0, 203.0, 201.0),              # a weak line, all loaded
    (200.0, 231.0, 236.0),              # one phase loaded
    (0.0, 241.0, 242.0),                # a blown fuse
    (240.0, NAN, NAN), (260.0, NAN, NAN), (NAN, NAN, NAN)])
def test_what_a_real_grid_does_is_no_lost_neutral(voltage: Phases) -> None:
    assert lost_after(*[voltage] * 100) == math.inf


def test_an_input_that_nothing_is_connected_to_does_not_count() -> None:
    ghost = (241.0, 150.0, 120.0)
    assert lost_after(*[ghost] * 100, phases=1) == math.inf
    assert lost_after(*[(277.0, 150.0, 120.0)] * 3, phases=1) == 0.2


def test_a_meter_that_falls_silent_says_nothing_more_and_begins_anew() -> None:
    watch = NeutralWatch(3, 3.0)
    watch.hear(Heard(MeterReading((300.0, 180.0, 200.0)), 0.0))
    watch.hear(Heard(MeterReading((300.0, 180.0, 200.0)), 0.4))
    assert watch.lost(3.4) and not watch.lost(3.5)
    watch.hear(Heard(MeterReading((300.0, 180.0, 200.0)), 10.0))
    assert not watch.lost(10.0)


def test_a_sample_that_is_published_again_is_one() -> None:
    watch = NeutralWatch(3, 3.0)
    for tick in range(5):
        watch.hear(Heard(MeterReading((300.0, 180.0, 200.0), age=0.2 * tick), 0.2 * tick))
        assert not watch.lost(0.2 * tick)


@pytest.mark.parametrize('loads', [(20.0, 2.0, 1.0), (1.0, 1.0, 15.0), (3.0, 12.0, 3.0)])
def test_a_house_that_loses_its_neutral_is_seen(loads: Phases) -> None:
    plant = Plant(PlantParameters(MainsParameters(loads=loads)), seed=3)
    watch = NeutralWatch(3, 3.0)
    for tick in range(3000):
        plant.step(tick * PERIOD)
        watch.hear(Heard(MeterReading(plant.voltage), tick * PERIOD))
        assert not watch.lost(tick * PERIOD)
    plant.mains = MainsParameters(loads=loads, neutral=False)
    for tick in range(3000, 3030):
        plant.step(tick * PERIOD)
        watch.hear(Heard(MeterReading(plant.voltage), tick * PERIOD))
    assert watch.lost(3029 * PERIOD), plant.voltage


def test_a_noisy_grid_with_loads_that_come_and_go_is_never_seen() -> None:
    """A day, a sample a second, up to 25 A on each phase behind 0.4 ohm, 240 V at the source."""
    chance, watch = random.Random(7), NeutralWatch(3, 3.0)
    loads = [0.0, 0.0, 0.0]
    for second in range(86_400):
        if chance.random() < 0.05:
            loads[chance.randrange(3)] = chance.choice((0.0, 2.0, 9.0, 25.0))
        one, two, three = (240.0 - 0.4 * load + chance.gauss(0.0, 1.5) for load in loads)
        watch.hear(Heard(MeterReading((one, two, three)), float(second)))
        assert not watch.lost(float(second))


# -- what it does ----------------------------------------------------------------------------------

class Desk(PilotDesk):
    """With a meter that measures voltages."""

    voltage: Phases = GOOD

    def step(self):
        self.control.hear_meter(Heard(MeterReading(self.voltage, (0.0,) * 3), self.now))
        return super().step()


def test_without_its_neutral_nothing_is_offered_and_the_fault_has_its_name() -> None:
    desk = Desk('C').offering()
    desk.voltage = (290.0, 180.0, 210.0)
    desk.run(0.3125)
    assert (desk.result.offer, desk.fault) == (None, NEUTRAL_LOST)
    assert desk.result.pilot.recent_error_cause == NEUTRAL_LOST
    desk.voltage = GOOD
    desk.set(contactor_closed=False)
    assert desk.run(29.0).offer is None, 'it must have been good for a while'
    assert desk.run(2.0).offer == 16.0


def test_the_fourth_time_only_unplugging_helps() -> None:
    desk = Desk('B').offering()
    for _ in range(4):
        desk.voltage = (290.0, 180.0, 210.0)
        assert desk.run(1.0).offer is None
        desk.voltage = GOOD
        desk.run(35.0)
    assert (desk.result.offer, desk.fault) == (None, NEUTRAL_LOST)
    desk.set(letter='A').run(3.0)
    desk.set(letter='B').run(3.0)
    assert (desk.result.offer, desk.fault) == (16.0, '')


def test_it_is_named_without_a_vehicle_too() -> None:
    desk = Desk('A')
    desk.voltage = (290.0, 180.0, 210.0)
    desk.run(1.0)
    assert desk.fault == NEUTRAL_LOST
