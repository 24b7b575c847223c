"""power.py: what a power limit is divided by."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.api import Api, ApiConfig, SetLimits
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.budget import Dimming
from charger_control.core.messages.decision import Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.moment import Moment
from charger_control.core.power import Conversion, PhasesInUse, PhaseVoltages, Supply
from charger_control.core.smart_charging import (
    Kind,
    Period,
    Profile,
    Purpose,
    RateUnit,
    SmartCharging,
    SmartChargingConfig,
)
from charger_control.core.units import Phases
from charger_control.core.vcse import Vcse, VcseConfig

NAN, INF = math.nan, math.inf
NO_CURRENT = (0.0,) * 3


def volts(now: float, *voltages: float, amperage: Phases = NO_CURRENT) -> Heard[MeterReading]:
    """A reading; one voltage for all phases, or three."""
    one, two, three = voltages * 3 if len(voltages) == 1 else voltages
    return Heard(MeterReading((one, two, three), amperage), now)


# -- phases in use (rule 6) ------------------------------------------------------------------------

@pytest.mark.parametrize(('connected', 'switched_on', 'count'), [
    (3, 3, 3), (3, 1, 1), (1, 3, 1), (2, 3, 2), (2, 1, 1)])
def test_connected_and_switched_on_phases_count_until_measured(connected, switched_on, count):
    assert PhasesInUse(connected).count(switched_on) == count


def test_unused_phases_count_for_10_s():
    phases = PhasesInUse(3)
    for now in range(11):
        phases.update(float(now), (16.0, 0.0, 0.99))
        assert phases.count() == (3 if now < 10 else 1)


def test_a_phase_counts_again_at_once():
    phases = PhasesInUse(3)
    for now in range(11):
        phases.update(float(now), (16.0, 0.0, 0.0))
    phases.update(10.2, (16.0, 1.0, 0.0))
    assert phases.count() == 2
    for now in range(11, 21):
        phases.update(float(now), (16.0, 0.0, 0.0))
    assert phases.count() == 2
    phases.update(20.2, (16.0, 0.0, 0.0))
    assert phases.count() == 1


def test_no_current_at_all_says_nothing_about_phases():
    phases = PhasesInUse(3)
    for now in range(100):
        phases.update(float(now), (0.0, 0.5, 0.0))
    assert phases.count() == 3


def test_an_unmeasured_phase_counts_as_used():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (16.0, NAN, 0.0))
    assert phases.count() == 2


def test_a_vehicle_on_l2_only_counts_as_one_phase():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (0.0, 16.0, 0.0))
    assert phases.count() == 1
    assert phases.count(switched_on=1) == 1, 'never 0: it divides'


def test_a_vehicle_that_pauses_keeps_its_phases_and_another_does_not():
    phases = PhasesInUse(3)
    for now in range(11):
        phases.update(float(now), (16.0, 0.0, 0.0), is_same_vehicle=True)
    for now in range(11, 1000):
        phases.update(float(now), (0.0, 0.0, 0.0), is_same_vehicle=True)
        assert phases.count() == 1
    phases.update(1000.0, (0.0, 0.0, 0.0), is_same_vehicle=False)
    assert phases.count() == 3


def test_a_pause_before_anything_is_known_leaves_all_phases():
    phases = PhasesInUse(3)
    for now, drawn in ((0.0, 16.0), (5.0, 16.0), (100.0, 0.0)):
        phases.update(now, (drawn, 0.0, 0.0), is_same_vehicle=True)
        assert phases.count() == 3


def test_a_paused_vehicle_that_comes_back_on_three_counts_as_three_at_once():
    phases = PhasesInUse(3)
    for now in range(20):
        phases.update(float(now), (16.0, 0.0, 0.0), is_same_vehicle=True)
    phases.update(50.0, (0.0, 0.0, 0.0), is_same_vehicle=True)
    phases.update(60.0, (6.0, 6.0, 6.0), is_same_vehicle=True)
    assert phases.count() == 3


def test_after_a_pause_three_phases_count_while_only_the_first_carries_again():
    phases = PhasesInUse(3)
    for now in range(20):
        phases.update(float(now), (16.0, 16.0, 16.0), is_same_vehicle=True)
    for now in range(20, 100):
        phases.update(float(now), (0.0, 0.0, 0.0), is_same_vehicle=True)
    for now in range(100, 109):
        phases.update(float(now), (6.0, 0.0, 0.0), is_same_vehicle=True)
        assert phases.count() == 3
    phases.update(110.0, (6.0, 0.0, 0.0), is_same_vehicle=True)
    assert phases.count() == 1


def test_reset_forgets_the_vehicle():
    phases = PhasesInUse(3)
    for now in range(30):
        phases.update(float(now), (16.0, 0.0, 0.0))
    phases.reset()
    assert phases.count() == 3


# -- volts -----------------------------------------------------------------------------------------

@pytest.mark.parametrize(('measured', 'counted'), [
    ((230.0, 230.0, 230.0), (230.0, 230.0, 230.0)), ((207.0, 253.0, 230.1), (207.0, 253.0, 230.5)),
    ((255.0, 230.0, 240.0), (255.0, 230.0, 240.0)),
    ((206.9, 230.0, 240.0), (253.0, 230.0, 240.0)), ((NAN, 258.0, 240.0), (258.0, 258.0, 240.0)),
    ((NAN, NAN, NAN), (253.0,) * 3), ((0.0, 0.0, 0.0), (253.0,) * 3),
    ((INF, -230.0, 1e9), (300.0, 300.0, 300.0)), ((310.0, 150.0, 230.0), (300.0, 300.0, 230.0))])
def test_what_is_measured_counts_and_what_is_not_as_high_as_it_may_be(measured, counted):
    voltages = PhaseVoltages()
    voltages.hear(volts(0.0, *measured))
    assert voltages.now(0.0) == counted


@pytest.mark.parametrize(('samples', 'counted'), [
    ((258.0, 258.0), 253.0), ((258.0, 258.0, 258.0), 258.0), ((258.0, 262.0, 256.0), 256.0),
    ((258.0, 258.0, 230.0, 258.0), 253.0), ((258.0, NAN, 258.0, 258.0), 253.0),
    ((400.0,) * 3, 300.0), ((240.0,) * 9, 253.0)])
def test_a_silent_meter_leaves_the_highest_that_three_samples_in_a_row_confirmed(samples, counted):
    voltages = PhaseVoltages()
    for second, value in enumerate(samples):
        voltages.hear(volts(float(second), value))
    assert voltages.now(30.0) == (counted,) * 3
    assert voltages.now(3570.0) == (counted,) * 3
    assert voltages.now(3610.0) == (253.0,) * 3


def test_one_sample_published_three_times_confirms_nothing():
    voltages = PhaseVoltages()
    for tick in range(4):       # 5 Hz, each as old as the first
        voltages.hear(Heard(MeterReading((299.0,) * 3, NO_CURRENT, age=0.2 * tick), 0.2 * tick))
    assert voltages.now(20.0) == (253.0,) * 3


def test_samples_of_a_fast_meter_confirm():
    voltages = PhaseVoltages()
    for tick in range(40):
        voltages.hear(volts(0.02 * tick, 258.0))
    assert voltages.now(20.0) == (258.0,) * 3


def test_a_reading_of_no_known_age_says_nothing():
    voltages, supply = PhaseVoltages(), Supply(3, switches=False)
    for age in (NAN, -1.0):
        reading = Heard(MeterReading((210.0,) * 3, (10.0, 0.0, 0.0), age=age), 0.0)
        voltages.hear(reading)
        supply.hear_meter(reading)
    assert voltages.now(0.0) == (253.0,) * 3
    assert supply.conversion(0.0).volts[2] == 759.0


def test_a_dip_moves_no_limit():
    voltages = PhaseVoltages()
    voltages.hear(volts(0.0, 229.0))
    voltages.hear(volts(0.2, 190.0))
    assert voltages.now(0.2) == (229.0,) * 3
    voltages.hear(volts(11.0, 190.0))
    assert voltages.now(11.1) == (253.0,) * 3, 'now it is unknown'


def test_noise_of_the_voltage_moves_no_power_limit():
    voltages, rng = PhaseVoltages(), random.Random(1)
    used = []
    for k in range(3000):
        voltages.hear(volts(k * 0.2, *(rng.gauss(230.0, 0.15) for _ in range(3))))
        used.append(voltages.now(k * 0.2))
    late = used[300:]
    assert sum(a != b for a, b in itertools.pairwise(late)) <= 10   # 9 minutes, three phases
    assert all(230.0 <= v <= 231.0 for voltage in late for v in voltage)


# -- W to A ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(('power', 'phases', 'amperage'), [
    (11040.0, 3, 16.0), (3680.0, 1, 16.0), (1380.0, 1, 6.0), (4140.0, 3, 6.0), (0.0, 3, 0.0),
    (NAN, 3, NAN)])
def test_power_to_amperage(power, phases, amperage):
    conversion = Conversion((230.0, 460.0, 690.0), phases)
    assert conversion.amperage(power) == pytest.approx(amperage, nan_ok=True)


def test_the_phases_that_count_are_summed_and_the_highest_where_it_is_unknown_which():
    supply = Supply(3, switches=True)
    supply.hear_decision(0.0, 1, 16.0)
    supply.hear_meter(volts(0.0, 230.0, 240.0, 250.0))
    found = supply.conversion(0.0)
    assert (found.volts, found.phases) == ((250.0, 490.0, 720.0), 1)
    for second in range(12):
        supply.hear_meter(volts(float(second), 230.0, 240.0, 250.0, amperage=(10.0, 0.0, 0.0)))
    found = supply.conversion(11.0)
    assert (found.volts, found.phases) == ((230.0, 480.0, 720.0), 1), 'L1 carries'


def watts(power: float) -> Profile:
    """A profile in W, for good."""
    return Profile(
        profile_id=1, evse=1, purpose=Purpose.TX_DEFAULT, kind=Kind.ABSOLUTE, stack_level=0,
        unit=RateUnit.W, start_schedule=0, periods=(Period(0, power),))


def limit_power(api: Api, power: float) -> None:
    """A client's limit in W, stored."""
    start = Moment('', 0.0, 0.0, False)
    api.propose(SetLimits(set_power_limit=True, power_limit=power, set_timeout=True,
                          timeout=86_400.0), start)
    write = api.next_write(start)
    assert write is not None
    api.settle(write.number, '')


def at_240_v(*, switches: bool) -> tuple[Api, SmartCharging, Supply]:
    """A limit of 4200 W in each block that makes A of W for one charger, its meter at 240 V."""
    api = Api(ApiConfig(has_phase_shutoff=switches))
    limit_power(api, 4200.0)
    smart = SmartCharging(SmartChargingConfig(switches_phases=switches))
    smart.set_profiles([watts(4200.0)])
    supply = Supply(3, switches=switches)
    for block in (api, supply):
        block.hear_meter(volts(0.0, 240.0))
    return api, smart, supply


def limits_of(api: Api, smart: SmartCharging, supply: Supply, now: float) -> list[AmperageLimit]:
    decided = smart.step(now, 1e9 + now, True, conversion=supply.conversion(now), transaction=None)
    return [api.limit(now), decided.limit]


def test_4200_w_above_235_v_go_to_one_phase_where_it_can_be_switched():
    """5.83 A on three phases stopped the vehicle without a word."""
    api, _, supply = blocks = at_240_v(switches=True)
    for limit in limits_of(*blocks, 0.0):
        assert limit.amperage < 5.95, 'as long as three may draw'
        assert limit.phases == 1
    assert 'less than 6 A, so one phase is to be used' in api.limit(0.0).reason
    api.hear_decision(Heard(Decision(requested_amperage=16.0, phases=1), 1.0))
    supply.hear_decision(1.0, 1, 16.0)
    for limit in limits_of(*blocks, 1.0):
        assert (limit.amperage, limit.phases) == (17.5, 1)
    # and stays there where three phases had little more than enough
    for voltage, phases in ((234.0, 1), (216.0, 1), (215.0, 0)):
        for second in range(0, 70, 5):
            for block in (api, supply):
                block.hear_meter(volts(100.0 * (250.0 - voltage) + second, voltage))
        now = 100.0 * (250.0 - voltage) + 65.0
        assert [limit.phases for limit in limits_of(*blocks, now)] == [phases] * 2


def test_4200_w_above_235_v_say_why_nothing_charges_where_nothing_can_switch():
    blocks = at_240_v(switches=False)
    api, smart = limits_of(*blocks, 0.0)
    assert (api.amperage, api.phases, smart.phases) == (0.0, 0, 0)
    assert ('4200 W (5.83 A on 3 x 240 V: less than 6 A, so 0 A; one phase would have 17.5 A, but '
            'this charge point cannot switch to it)') in api.reason
    assert '4200 W (5.83 A on 3 phases: less than 6 A)' in smart.reason
    vcse = Vcse(VcseConfig('depot', (80.0,) * 3, dimming=True, grid_meter=True))
    vcse.hear_dimming(Heard(Dimming(4200.0), 0.0))
    vcse.hear_grid(volts(0.0, 240.0, amperage=NO_CURRENT))
    assert ('dimmed to 4200 W: 5.83 A on each of three phases at 240 V, less than the 6 A that a '
            'vehicle needs') in vcse.step(0.0).reason


def test_3700_w_at_230_v_are_6_a_on_no_three_phases_and_a_vehicle_on_one_needs_no_switch():
    supply = Supply(3, switches=True)
    for second in range(12):
        supply.hear_meter(volts(float(second), 230.0, amperage=(10.0, 0.0, 0.0)))
    conversion = supply.conversion(11.0)
    assert not conversion.better_on_one(3700.0)
    assert conversion.amperage(3700.0) > 16.0
    assert not Supply(1, switches=True).conversion(0.0).better_on_one(3700.0)


class Blocks:
    """Every block that makes A of W, with one limit in W."""

    def __init__(self, power: float) -> None:
        self.api = Api(ApiConfig())
        limit_power(self.api, power)
        self.smart = SmartCharging(SmartChargingConfig())
        self.smart.set_profiles([watts(power)])
        self.supply = Supply(3, switches=False)
        self.vcse = Vcse(VcseConfig('depot', (80.0,) * 3, dimming=True, grid_meter=True,
                                    dimming_timeout=1e9, grid_meter_lost=11.0))
        self.vcse.hear_dimming(Heard(Dimming(power), 0.0))

    def hear(self, heard: Heard[MeterReading]) -> None:
        """A reading of the charger's meter, and the same of the grid's."""
        self.api.hear_meter(heard)
        self.supply.hear_meter(heard)
        self.vcse.hear_grid(heard)

    def amperages(self, now: float) -> tuple[float, float, float]:
        """A per phase of api, smart charging, and dimming (which is per phase of the team)."""
        smart = self.smart.step(now, 1e9 + now, True, conversion=self.supply.conversion(now),
                                transaction=None)
        return (self.api.limit(now).amperage, smart.limit.amperage,
                self.vcse._dimmed(now)[0][0])


@pytest.mark.parametrize('voltage', [230.0, 252.0, 255.0, 256.0, 280.0, 299.9])
def test_a_power_limit_holds_at_every_voltage_in_every_block(voltage):
    """Above 253 V 230 V was counted: 9978 W at 255 V where 9000 W were allowed."""
    blocks = Blocks(9000.0)
    blocks.hear(volts(0.0, voltage, amperage=(12.0,) * 3))
    for amperage in blocks.amperages(0.0):
        assert 8950.0 < amperage * 3 * voltage <= 9000.0


def test_every_block_makes_the_same_of_a_limit_on_one_phase_without_a_meter():
    """It was 0.0 A in api and 15.65 A in smart_charging."""
    api = Api(ApiConfig(has_phase_shutoff=True))
    limit_power(api, 3600.0)
    supply = Supply(3, switches=True)
    api.hear_decision(Heard(Decision(requested_amperage=16.0, phases=1), 0.0))
    supply.hear_decision(0.0, 1, 16.0)
    assert api.limit(0.0).amperage == supply.conversion(0.0).amperage(3600.0)
    assert api.limit(0.0).amperage == pytest.approx(3600.0 / 253.0)


histories = st.lists(st.tuples(
    st.floats(0.1, 30.0), st.tuples(*(st.floats(207.0, 300.0),) * 3),
    st.sampled_from([(1, 1, 1), (1, 0, 0), (0, 0, 1), (0, 1, 1), (0, 0, 0)])),
    min_size=1, max_size=40)


@given(histories, st.floats(1400.0, 20_000.0))
def test_the_power_drawn_never_exceeds_the_limit_for_any_voltage_history(history, power):
    blocks, now = Blocks(power), 0.0
    for step, voltage, drawing in history:
        now += step
        # it draws what it was allowed, and is measured doing so: then the limit must hold
        one, two, three = (12.0 * d for d in drawing)
        blocks.hear(volts(now, *voltage, amperage=(one, two, three)))
        for amperage in blocks.amperages(now)[:2]:
            drawn = sum(amperage * v for v, d in zip(voltage, drawing, strict=True) if d)
            assert drawn <= power * (1.0 + 1e-9)
        assert blocks.amperages(now)[2] * sum(voltage) <= power * (1.0 + 1e-9)


@given(st.floats(253.0, 300.0), st.integers(3, 20), st.floats(1400.0, 20_000.0))
def test_nor_when_the_meter_falls_silent_at_a_steady_high_voltage(voltage, samples, power):
    blocks = Blocks(power)
    for second in range(samples):
        blocks.hear(volts(float(second), voltage, amperage=(12.0,) * 3))
    for silence in (1.0, 10.0, 12.0, 600.0, 3500.0):
        for amperage in blocks.amperages(samples + silence):
            assert amperage * 3 * voltage <= power * (1.0 + 1e-9)


# -- the supply of a charge point ------------------------------------------------------------------

IDLE = MeterReading((231.0, 232.0, 233.0), (0.0,) * 3)
ONE_PHASE = replace(IDLE, amperage=(10.0, 0.0, 0.0))


def test_nothing_heard_is_every_connected_phase_at_the_highest_voltage_there_may_be() -> None:
    assert Supply(3, switches=False).conversion(0.0) == Conversion((253.0, 506.0, 759.0), 3)
    assert Supply(1, switches=False).conversion(0.0) == Conversion((253.0, 506.0, 759.0), 1)


def test_the_meter_counts_for_a_while_and_an_error_says_nothing() -> None:
    supply = Supply(3, switches=False)
    supply.hear_meter(Heard(IDLE, 0.0))
    supply.hear_meter(Heard(replace(IDLE, voltage=(1.0, 1.0, 1.0), error='time-out'), 5.0))
    assert supply.conversion(11.0).volts[2] == 231.0 + 232.0 + 233.0
    assert supply.conversion(11.1).volts[2] == 3 * 253.0


def test_a_vehicle_on_one_phase_counts_as_one_after_a_while() -> None:
    supply = Supply(3, switches=False)
    for second in range(12):
        supply.hear_meter(Heard(ONE_PHASE, float(second)))
        assert supply.conversion(float(second)).phases == (3 if second < 10 else 1)
    assert supply.conversion(30.0).phases == 3, 'the meter is silent'


def test_switched_phases_count_where_they_can_be_switched_and_nothing_flows() -> None:
    fixed, switching = Supply(3, switches=False), Supply(3, switches=True)
    for supply, expected in ((fixed, 3), (switching, 1)):
        supply.hear_decision(0.0, 1, 16.0)
        assert supply.conversion(0.0).phases == expected
        supply.hear_meter(Heard(IDLE, 0.0))
        assert supply.conversion(0.0).phases == expected
        # whatever the contactor should be: three carry current
        supply.hear_meter(Heard(replace(IDLE, amperage=(10.0,) * 3), 1.0))
        assert supply.conversion(1.0).phases == 3
    switching.hear_meter(Heard(IDLE, 2.0))
    for phases in (0, 3):
        switching.hear_decision(2.0, phases, 16.0)
        assert switching.conversion(2.0).phases == 3


def test_a_paused_vehicle_keeps_its_phases_until_nothing_is_requested() -> None:
    supply = Supply(3, switches=False)
    for second in range(12):
        supply.hear_decision(float(second), 0, 16.0)
        supply.hear_meter(Heard(ONE_PHASE, float(second)))
    supply.hear_decision(12.0, 0, 16.0)
    supply.hear_meter(Heard(IDLE, 13.0))
    assert supply.conversion(13.0).phases == 1
    supply.hear_decision(14.0, 0, 0.0)
    assert supply.conversion(14.0).phases == 3, 'it may be another one by now'


def test_a_silent_controller_says_nothing_of_the_vehicle() -> None:
    supply = Supply(3, switches=False)
    for second in range(12):
        supply.hear_decision(0.0, 0, 16.0)
        supply.hear_meter(Heard(ONE_PHASE, float(second)))
    supply.hear_meter(Heard(IDLE, 12.0))
    assert supply.conversion(12.0).phases == 3
