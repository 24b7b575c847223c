"""Every pair of core type and message has the same fields, and survives the way there and back."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from charger_interfaces.msg import MeterReading as MeterReadingMessage

from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import FOREVER
from charger_control.ros import convert


@pytest.mark.parametrize('core', convert.PAIRS, ids=lambda c: c.__name__)
def test_fields_agree(core: type) -> None:
    message = convert.PAIRS[core]
    assert set(message.get_fields_and_field_types()) - {'header'} == convert.fields(core)


@pytest.mark.parametrize('value', [
    MeterReading((230.0, 231.0, 232.0), (1.0, 2.0, 3.0), 50.0, 1.0, 2.0, 'x', 0.25, '',
                 phase_power=(1.0, 2.0, -3.0)),
    AmperageLimit(16.0, 1, 4.5, 0.0, 'because'),
    ControlPilot('C', 'C2', 16.0, 0.2667, contactor_commanded=True, contactor_feedback=None),
], ids=lambda v: type(v).__name__)
def test_there_and_back(value: Any) -> None:
    back = convert.from_message(convert.to_message(value))
    for field in dataclasses.fields(value):
        before, after = getattr(value, field.name), getattr(back, field.name)
        if isinstance(before, float):
            assert after == pytest.approx(before, nan_ok=True), field.name
        else:
            assert after == before, field.name


@pytest.mark.parametrize(('seconds', 'expected'), [
    (0.0, 0.0), (-1.0, 0.0), (math.nan, 0.0), (1.5, 1.5), (FOREVER, FOREVER), (math.inf, FOREVER),
    (1e300, FOREVER), (0.999999999999, 0.999999999)])
def test_durations_are_clipped_to_what_a_message_carries(seconds: float, expected: float) -> None:
    assert convert.seconds(convert.duration(seconds)) == pytest.approx(expected, abs=1e-9)


def test_arrays_come_back_as_plain_floats() -> None:
    value = convert.from_message(MeterReadingMessage(voltage=[1.0, 2.0, 3.0]))
    assert value.voltage == (1.0, 2.0, 3.0)
    assert all(type(v) is float for v in value.voltage)
