import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.sim.plant.pilot_line import (
    amperage_of_duty,
    duty_of_amperage,
    letter_of_level,
    levels,
)


@pytest.mark.parametrize(('percent', 'amperage'), [
    (0.0, 0.0), (2.9, 0.0),                                     # E/F
    (3.0, 0.0), (5.0, 0.0), (7.0, 0.0),                         # digital communication only
    (7.01, 0.0), (7.99, 0.0),                                   # gap
    (8.0, 6.0), (9.0, 6.0), (9.99, 6.0),                        # flat
    (10.0, 6.0), (16.67, 10.002), (26.67, 16.002), (53.33, 31.998), (85.0, 51.0),
    (85.01, 52.525), (89.2, 63.0), (96.0, 80.0),
    (96.5, 80.0), (97.0, 80.0),                                 # flat
    (97.01, 0.0), (99.9, 0.0), (100.0, 0.0),                    # gap, constant level
])
def test_vehicle_reads_duty_cycle_by_the_table(percent: float, amperage: float) -> None:
    assert amperage_of_duty(percent / 100.0) == pytest.approx(amperage, abs=1e-6)


@pytest.mark.parametrize(('amperage', 'percent'), [
    (6, 10.0), (10, 16.67), (13, 21.67), (16, 26.67), (20, 33.33), (32, 53.33), (48, 80.0),
    (51, 85.0), (51.5, 85.0), (52.49, 85.0), (52.5, 85.0), (63, 89.2), (80, 96.0), (99, 96.0),
    (5.99, 100.0), (0, 100.0), (-1, 100.0), (float('nan'), 100.0),
])
def test_duty_cycle_of_an_offer(amperage: float, percent: float) -> None:
    assert duty_of_amperage(amperage) * 100.0 == pytest.approx(percent, abs=0.005)


@given(st.floats(6.0, 80.0))
def test_vehicle_never_reads_more_than_is_offered(offered: float) -> None:
    read = amperage_of_duty(duty_of_amperage(offered))
    assert read <= offered + 1e-6
    assert read >= (offered if not 51.0 < offered < 52.5001 else 51.0) - 1e-6


@pytest.mark.parametrize(('letter', 'duty', 'high', 'low'), [
    ('A', 1.0, 12.0, 12.0), ('B', 1.0, 9.0, 9.0), ('B', 0.5, 9.0, -12.0), ('C', 0.5, 6.0, -12.0),
    ('D', 0.5, 3.0, -12.0), ('E', 0.5, 0.0, 0.0),
    ('A', 0.0, -12.0, -12.0), ('C', 0.0, -12.0, -12.0),
])
def test_levels(letter: str, duty: float, high: float, low: float) -> None:
    assert levels(letter, duty) == (high, low)
    assert letter_of_level(high) == (letter if duty else 'F')


def test_shorted_diode_loads_the_negative_half() -> None:
    assert levels('C', 0.5, diode_shorted=True) == (6.0, -6.0)
    assert levels('A', 0.5) == (12.0, -12.0)
