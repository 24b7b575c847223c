"""experiment.py: a scenario played offline, and the record of it."""

import math

import pytest

from charger_control.sim.charge_point.scenario import Scenario, Step, parse_scenario
from charger_control.sim.offline.experiment import Experiment
from charger_control.sim.offline.loop import LoopParameters

PLUG_IN = Step(1.0, 'plug_in')


def play(*steps, duration=60.0, limits=(), vehicle='ideal', **parameters):
    experiment = Experiment(LoopParameters(**parameters),
                            Scenario((PLUG_IN, *steps), vehicle=vehicle), limits)
    experiment.run(duration)
    return experiment


def at(experiment, second, name='commanded'):
    return experiment.record.numbers[name][round(second * 20) - 1]


def test_set_points_come_when_they_were_set():
    experiment = play(limits=[(0.0, 16.0), (30.0, 10.0)], duration=50.0)
    assert at(experiment, 29.9) == 16.0
    assert at(experiment, 30.2) == 10.0
    assert [a for _, a in experiment.record.limits if not math.isnan(a)] == [16.0, 10.0]
    assert len(experiment.record.numbers['time']) == 1000


def test_each_step_does_what_it_says():
    scenario = parse_scenario('''
vehicle: {preset: ideal, gain: 0.9}
cable: 32
steps:
  - {at: 1, do: plug_in}
  - {at: 1, do: put_limits, body: {amperageLimit: 16}}
  - {at: 40, do: set_vehicle, vehicle: {maximum_amperage: 7}}
  - {at: 60, do: silence, device: meter, for: 15}
  - {at: 80, do: short_pilot}
  - {at: 85, do: short_pilot, active: false}
  - {at: 95, do: unplug}
  - {at: 100, do: plug_in}
  - {at: 120, do: put_limits, body: {enabled: false}}
  - {at: 140, do: end}
''')
    experiment = Experiment(LoopParameters(), scenario)
    record = experiment.run(1000.0)
    assert record.numbers['time'][-1] == pytest.approx(140.0, abs=0.06)
    assert at(experiment, 39.0, 'amperage_l1') == pytest.approx(16.0, abs=0.1)
    assert at(experiment, 59.0, 'amperage_l1') == pytest.approx(7.0)
    assert at(experiment, 74.0) == 6.0, 'the meter is silent for more than 11 s'
    assert 'CpShortCircuit' in [fault for _, _, fault, _ in record.states]
    letters = [state[:1] for t, state, *_ in record.states if t > 95.0]
    assert letters[0] == 'A'
    assert 'C' in letters
    assert at(experiment, 119.0) == 16.0
    assert at(experiment, 121.0) == 0.0


@pytest.mark.parametrize(('step', 'words'), [
    (Step(1.0, 'burst', {'bytes': 3}, line=7), ['line 7', 'burst', 'plug_in', 'charger sim']),
    (Step(1.0, 'put_limits', {'body': {'powerLimit': 3000}}, line=3),
     ['line 3', 'powerLimit', 'amperageLimit'])])
def test_what_cannot_be_played_is_refused_before_anything_happens(step, words):
    with pytest.raises(ValueError) as error:
        Experiment(LoopParameters(), Scenario((step,)))
    for word in words:
        assert word in str(error.value)


def test_a_second_vehicle_on_the_same_cable_is_refused():
    with pytest.raises(ValueError, match='at 5 s: plug_in: a vehicle is plugged in already'):
        play(Step(5.0, 'plug_in'))


def test_every_set_point_is_judged_as_far_as_the_offer_went():
    experiment = play(Step(100.0, 'unplug'), limits=[(0.0, 16.0), (40.0, 10.0), (70.0, 20.0)],
                      duration=120.0, vehicle='standard')
    points = experiment.set_points()
    assert [p.task.commanded for p in points] == [16.0, 10.0, 20.0]
    assert [p.task.falls for p in points] == [False, True, False]
    assert points[0].at == pytest.approx(11.0, abs=1.0), 'from when it draws'
    assert points[2].until == pytest.approx(100.0, abs=0.3)
    for point in points:
        assert point.quality.steady_error < 0.1
        assert point.quality.settled_after < point.task.budget(0.2)


def test_no_vehicle_no_judgement():
    experiment = Experiment(LoopParameters(), Scenario(()))
    experiment.run(5.0)
    assert experiment.set_points() == []


def test_progress_is_told_in_seconds():
    told = []
    Experiment(LoopParameters(), Scenario(())).run(5.0, told.append)
    assert sum(told) == pytest.approx(5.0, abs=0.06)
