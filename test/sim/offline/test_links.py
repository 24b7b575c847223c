"""links.py: what the way to board and meter does to time."""

import math

import pytest

from charger_control.sim.meters.register_device import MeterParameters
from charger_control.sim.offline.links import BoardLink, LinkParameters, MeterLink
from charger_control.sim.offline.loop import QUIET_MAINS
from charger_control.sim.plant.ev import Ev
from charger_control.sim.plant.ev_parameters import vehicle_of
from charger_control.sim.plant.plant import Plant

TICK = 0.05


class Desk:
    """A board behind its link, with a vehicle plugged in; ``offer`` is refreshed at each tick."""

    def __init__(self, step=0.01, **links):
        self.plant = Plant(QUIET_MAINS)
        self.link = BoardLink(self.plant, step, LinkParameters(**links), 0.0)
        self.plant.plug_in(Ev(vehicle_of('ideal')), 0.0)
        self.now, self.offer = 0.0, 0.0

    def run(self, seconds):
        for _ in range(round(seconds / TICK)):
            self.now = round(self.now + TICK, 6)
            if self.offer is not None:
                self.link.offer(self.offer, self.now)
            self.plant.step(self.now)
            self.link.step(self.now)
        return self

    @property
    def offered(self):
        return self.link.board.offered


def test_an_offer_takes_the_time_of_a_write():
    desk = Desk(write=0.15).run(1.0)
    desk.offer = 16.0
    assert desk.run(0.15).offered == 0.0
    assert desk.run(0.05).offered == 16.0


@pytest.mark.parametrize(('step', 'offered'), [(0.01, 13.57), (0.06, 13.57), (1.0, 13.0)])
def test_the_board_counts_in_its_own_unit(step, offered):
    desk = Desk(step)
    desk.offer = 13.579
    assert desk.run(2.0).offered == offered


def test_what_is_read_is_as_old_as_the_poll():
    desk = Desk(poll=0.2)
    desk.offer = 16.0
    ages, letters = [], set()
    for _ in range(100):
        desk.run(TICK)
        ages.append(round(desk.now - desk.link.latest().at, 6))
        letters.add(desk.link.latest().value.letter)
    assert set(ages) == {0.0, 0.05, 0.1, 0.15}
    assert letters == {'B', 'C'}
    assert desk.link.latest().value.signaled_amperage == 16.0
    assert desk.link.latest().value.contactor_commanded is True
    assert desk.plant.amperage[0] == pytest.approx(16.0)


def test_the_dead_man_withdraws_the_offer_of_a_silent_process():
    desk = Desk(dead_man=1.0)
    desk.offer = 16.0
    assert desk.run(3.0).offered == 16.0
    desk.offer = None
    assert desk.run(1.0).offered == 16.0
    assert desk.run(0.3).offered == 0.0


def test_a_line_that_is_down_carries_nothing_in_either_direction():
    desk = Desk()
    desk.offer = 16.0
    desk.run(3.0)
    heard, desk.link.down_until = desk.link.latest(), desk.now + 5.0
    desk.offer = 6.0
    desk.run(4.5)
    assert (desk.offered, desk.link.latest()) == (16.0, heard), 'this board keeps its offer'
    desk.run(1.0)
    assert desk.offered == 6.0


def test_the_contactor_is_opened_on_demand():
    desk = Desk()
    desk.offer = 16.0
    assert desk.run(3.0).plant.contactor.closed
    desk.link.open_contactor(desk.now)
    assert not desk.run(0.5).plant.contactor.closed


def test_a_board_that_restarted_is_told_again():
    desk = Desk()
    desk.offer = 16.0
    desk.run(3.0)
    desk.link.board.reset(desk.now, 'reset')
    assert desk.run(0.5).offered == 0.0
    assert desk.run(1.0).offered == 16.0


def test_a_sample_of_the_meter_comes_late_and_at_its_own_pace():
    plant = Plant(QUIET_MAINS)
    link = MeterLink(plant, MeterParameters(refresh=1.0, amperage_noise=0.0), 0.3, 0.0, 1)
    arrivals = []
    for tick in range(1, 101):
        now = round(tick * TICK, 6)
        plant.amperage = (now, 0.0, 0.0)
        link.step(now)
        if link.latest() is not None and link.latest().at == now:
            arrivals.append((now, link.latest().value.amperage[0]))
    assert arrivals == [(0.35, 0.05), (1.3, 1.0), (2.3, 2.0), (3.3, 3.0), (4.3, 4.0)]
    link.down_until = math.inf
    heard = link.latest()
    link.step(20.0)
    assert link.latest() is heard


def test_the_register_counts_in_its_own_steps_and_is_never_ahead():
    plant = Plant(QUIET_MAINS)
    link = MeterLink(plant, MeterParameters(refresh=0.05, resolution=0.01), 0.0, 0.0, 1)
    for tick, energy in enumerate((10.0, 10.009, 10.01, 10.0199), 1):
        plant.energy_imported = energy
        link.step(tick * TICK)
        assert link.latest().value.energy_imported == pytest.approx(math.floor(
            energy * 100 + 1e-6) / 100)
