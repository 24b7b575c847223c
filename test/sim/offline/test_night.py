"""Nights with random faults, short ones: bench/night.py has the whole of 12 hours."""

import pytest
from night import Night


@pytest.mark.parametrize('seed', range(5))
def test_nothing_is_lost_and_the_energy_is_that_of_the_vehicles(seed):
    night = Night(seed, pace=8.0).run(900.0)
    assert night.events > 30
    assert night.visits
    assert sum(visit.vehicle.energy for visit in night.visits) > 0.0
    assert night.faults() == []
