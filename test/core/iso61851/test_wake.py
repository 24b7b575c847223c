"""wake.py: a vehicle that does not react is woken up, but neither for ever nor at every offer."""

import pytest

from charger_control.core.iso61851.raw.types import EventKind
from charger_control.core.iso61851.wake import WakeUp, WakeUpConfig


class Vehicle:
    """One that stays in B, or is where the test says; ticks of 1 s."""

    def __init__(self, **config):
        self.it, self.now, self.letter = WakeUp(WakeUpConfig(**config)), 1000.0, 'B'
        self.events = []

    def run(self, seconds, *, offered=True):
        """How often it was woken up meanwhile."""
        before = self.count
        for _ in range(round(seconds)):
            self.now += 1.0
            _, events = self.it.step(self.now, letter=self.letter, offered=offered, pwm=offered)
            self.events += events
        return self.count - before

    @property
    def count(self):
        return sum(event.kind is EventKind.WAKE_UP for event in self.events)

    def unplugged(self):
        self.letter = 'A'
        self.run(5, offered=False)
        self.letter = 'B'
        return self


def test_the_first_offer_wakes_twice_and_then_says_that_it_is_not_wanted():
    vehicle = Vehicle().unplugged()
    assert vehicle.run(600) == 2
    assert [event.kind for event in vehicle.events] == [
        EventKind.WAKE_UP, EventKind.WAKE_UP, EventKind.NOT_WANTED]


def test_a_full_vehicle_is_not_woken_at_every_offer():
    """Twenty offers in one plug-in: 40 times before."""
    vehicle = Vehicle().unplugged()
    for _ in range(20):
        vehicle.run(300)
        vehicle.run(120, offered=False)
    assert vehicle.count == 2


def test_at_most_four_times_in_one_plug_in_without_charging():
    vehicle = Vehicle().unplugged()
    woken = []
    for _ in range(20):
        woken.append(vehicle.run(300))
        vehicle.run(900, offered=False)
    assert woken == [2, 2] + 18 * [0]
    assert sum(event.kind is EventKind.NOT_WANTED for event in vehicle.events) == 20


@pytest.mark.parametrize(('pause', 'woken'), [(899, 0), (901, 2)])
def test_a_pause_of_a_quarter_of_an_hour_lets_it_sleep_again(pause, woken):
    vehicle = Vehicle().unplugged()
    vehicle.run(300)
    vehicle.run(pause, offered=False)
    assert vehicle.run(300) == woken


def test_charging_between_and_unplugging_give_it_all_four_again():
    for between in ('C', 'A'):
        vehicle = Vehicle().unplugged()
        for _ in range(4):
            vehicle.run(300)
            vehicle.run(901, offered=False)
        assert vehicle.count == 4
        vehicle.letter = between
        vehicle.run(60, offered=between == 'C')
        vehicle.letter = 'B'
        vehicle.run(901, offered=False)
        assert vehicle.run(300) == 2


def test_a_vehicle_that_has_reacted_is_not_woken_in_this_offer():
    vehicle = Vehicle().unplugged()
    vehicle.run(10)
    vehicle.letter = 'C'
    vehicle.run(10)
    vehicle.letter = 'B'
    assert vehicle.run(3600) == 0 and vehicle.events == []


def test_none_where_that_is_configured():
    vehicle = Vehicle(attempts=0).unplugged()
    assert vehicle.run(600) == 0
    assert [event.kind for event in vehicle.events] == [EventKind.NOT_WANTED]


def test_a_pause_before_it_was_woken_or_reacted_leaves_it_to_the_next_offer():
    """Offers of 20 s, as the sun gives them: it was never woken before."""
    vehicle = Vehicle().unplugged()
    for _ in range(5):
        assert vehicle.run(20) == 0
        vehicle.run(60, offered=False)
    assert vehicle.run(300) == 2 and vehicle.it.time_left(vehicle.now) == 0.0
