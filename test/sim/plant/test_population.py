"""population.py: the same seed, the same vehicles; every behaviour of domain.md 2.3 occurs."""

import random

import pytest

from charger_control.sim.plant.population import population, random_vehicle

VEHICLES = population(600, 1)


def share(holds):
    return sum(holds(vehicle) for vehicle in VEHICLES) / len(VEHICLES)


def test_the_same_seed_gives_the_same_vehicles_and_another_others():
    assert population(20, 1) == VEHICLES[:20]
    assert population(20, 2) != VEHICLES[:20]


@pytest.mark.parametrize(('name', 'low', 'high'), [
    ('start_delay', 1.0, 40.0), ('reaction_delay', 0.5, 6.0), ('ramp_up', 0.7, 20.0),
    ('ramp_down', 2.0, 30.0), ('maximum_amperage', 16.0, 32.0), ('gain', 0.92, 1.08),
    ('offset', -3.0, 0.0), ('soc', 0.1, 0.95)])
def test_the_ranges_are_kept_and_used(name, low, high):
    values = [getattr(vehicle, name) for vehicle in VEHICLES]
    assert low <= min(values) <= max(values) <= high
    assert max(values) - min(values) > 0.9 * (high - low)


@pytest.mark.parametrize(('what', 'holds', 'least', 'most'), [
    ('draws less', lambda v: v.gain < 0.98 and not v.offset, 0.3, 0.5),
    ('so many A less', lambda v: v.offset <= -0.5, 0.1, 0.3),
    ('draws more', lambda v: v.gain > 1.0, 0.1, 0.2),
    ('needs 8 A', lambda v: v.minimum_amperage == 8.0, 0.03, 0.15),
    ('in whole amperes', lambda v: v.quantum == 1.0, 0.1, 0.2),
    ('one phase', lambda v: v.phases == 1, 0.25, 0.45),
    ('two phases', lambda v: v.phases == 2, 0.05, 0.15),
    ('imbalanced', lambda v: min(v.imbalance) < 1.0, 0.4, 0.6),
    ('inrush', lambda v: v.inrush_amperage > 0.0, 0.15, 0.25),
    ('tapers soon', lambda v: v.soc > v.taper_start - 0.05, 0.05, 0.2)])
def test_every_behaviour_occurs_in_its_share(what, holds, least, most):
    assert least <= share(holds) <= most, what


def test_the_highest_phase_is_the_one_that_the_gain_is_of():
    assert all(max(vehicle.imbalance) == vehicle.imbalance[0] == 1.0 for vehicle in VEHICLES)


def test_oddities_only_when_asked_for():
    assert not any(v.asleep or v.simplified or v.diode_shorted or v.ventilation or v.keeps_s2
                   or v.ignores_pwm_off for v in VEHICLES)
    odd = [random_vehicle(random.Random(i), oddity=1.0) for i in range(200)]
    for name in ('asleep', 'simplified', 'diode_shorted', 'ventilation', 'keeps_s2',
                 'ignores_pwm_off'):
        assert any(getattr(vehicle, name) for vehicle in odd), name
