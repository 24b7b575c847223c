"""What a power limit is divided by."""

from __future__ import annotations

import math
from dataclasses import replace

from charger_control.core.fiscal_meter import MeterReading
from charger_control.core.heard import Heard
from charger_control.core.smart_charging import Supply

IDLE = MeterReading((231.0, 232.0, 233.0), (0.0,) * 3)
ONE_PHASE = replace(IDLE, amperage=(10.0, 0.0, 0.0))


def test_nothing_heard_is_every_connected_phase_at_no_known_voltage() -> None:
    supply = Supply(3, switches=False)
    assert supply.phases(0.0) == 3
    assert all(math.isnan(v) for v in supply.voltage(0.0))
    assert Supply(1, switches=False).phases(0.0) == 1


def test_the_meter_counts_for_a_while_and_an_error_says_nothing() -> None:
    supply = Supply(3, switches=False)
    supply.hear_meter(Heard(IDLE, 0.0))
    supply.hear_meter(Heard(replace(IDLE, voltage=(1.0, 1.0, 1.0), error='time-out'), 5.0))
    assert supply.voltage(11.0) == (231.0, 232.0, 233.0)
    assert math.isnan(supply.voltage(11.1)[0])


def test_a_vehicle_on_one_phase_counts_as_one_after_a_while() -> None:
    supply = Supply(3, switches=False)
    for second in range(12):
        supply.hear_meter(Heard(ONE_PHASE, float(second)))
        assert supply.phases(float(second)) == (3 if second < 10 else 1)
    assert supply.phases(30.0) == 3, 'the meter is silent'


def test_switched_phases_count_where_they_can_be_switched_and_nothing_flows() -> None:
    fixed, switching = Supply(3, switches=False), Supply(3, switches=True)
    for supply, expected in ((fixed, 3), (switching, 1)):
        supply.hear_decision(0.0, 1, 16.0)
        assert supply.phases(0.0) == expected
        supply.hear_meter(Heard(IDLE, 0.0))
        assert supply.phases(0.0) == expected
        # whatever the contactor should be: three carry current
        supply.hear_meter(Heard(replace(IDLE, amperage=(10.0,) * 3), 1.0))
        assert supply.phases(1.0) == 3
    switching.hear_meter(Heard(IDLE, 2.0))
    for phases in (0, 3):
        switching.hear_decision(2.0, phases, 16.0)
        assert switching.phases(2.0) == 3


def test_a_paused_vehicle_keeps_its_phases_until_nothing_is_requested() -> None:
    supply = Supply(3, switches=False)
    for second in range(12):
        supply.hear_decision(float(second), 0, 16.0)
        supply.hear_meter(Heard(ONE_PHASE, float(second)))
    supply.hear_decision(12.0, 0, 16.0)
    supply.hear_meter(Heard(IDLE, 13.0))
    assert supply.phases(13.0) == 1
    supply.hear_decision(14.0, 0, 0.0)
    assert supply.phases(14.0) == 3, 'it may be another one by now'


def test_a_silent_controller_says_nothing_of_the_vehicle() -> None:
    supply = Supply(3, switches=False)
    for second in range(12):
        supply.hear_decision(0.0, 0, 16.0)
        supply.hear_meter(Heard(ONE_PHASE, float(second)))
    supply.hear_meter(Heard(IDLE, 12.0))
    assert supply.phases(12.0) == 3
