"""start_stop.py: rule 2 of "What is commanded": thresholds, holds, and wear of the contactor."""

import itertools

import pytest

from charger_control.core.cppwm_controller.start_stop import StartStop, StartStopConfig

TICK = 0.25


class Desk:
    """A StartStop with a vehicle that closes the contactor when charging is wanted."""

    def __init__(self, connected=False, allowed=16.0):
        self.it = StartStop(StartStopConfig())
        self.now, self.allowed, self.connected = 1000.0, allowed, connected
        self.closed: bool | None = None  # None: as the vehicle does
        self.running, self.reason = False, ''
        self.step()

    def step(self, own_enable=False):
        closed = self.running if self.closed is None else self.closed
        self.running, self.reason = self.it.step(
            self.now, self.allowed, connected=self.connected, closed=closed, own_enable=own_enable)
        return self.running

    def tick(self, **kwargs):
        self.now += TICK
        return self.step(**kwargs)

    def wait(self, running=True, limit=5000.0):
        start = self.now
        while self.tick() != running:
            assert self.now - start < limit
        return self.now - start

    def plugged_in(self):
        self.connected = True
        self.wait()
        return self


def test_5_s_after_plug_in():
    desk = Desk()
    desk.connected = True
    desk.tick()
    assert 'waiting' in desk.reason
    assert desk.wait() == 5.0


def test_10_s_after_a_start_of_this_block_with_a_vehicle_present():
    assert Desk(connected=True).wait() == 10.0


def test_10_s_after_a_start_when_the_pilot_was_silent_at_first():
    desk = Desk(connected=None)
    desk.tick()
    desk.connected = True
    desk.tick()
    assert desk.wait() == 10.0


def test_no_start_before_the_pilot_was_heard_or_a_vehicle_is_there():
    for connected in (None, False):
        desk = Desk(connected=connected)
        assert not any(desk.tick() for _ in range(2000))


@pytest.mark.parametrize(('allowed', 'starts'), [
    (6.5, True), (6.49, False), (6.0, False), (5.99, False), (5.95, False), (0.0, False)])
def test_from_0_up_at_once_from_6_5_a(allowed, starts):
    desk = Desk(allowed=0.0)
    desk.connected = True
    for _ in range(400):
        desk.tick()
    desk.allowed = allowed
    assert desk.tick() is starts


@pytest.mark.parametrize(('allowed', 'starts'), [(6.49, True), (6.0, True), (5.999, False)])
def test_from_0_up_at_6_a_held_for_10_s(allowed, starts):
    desk = Desk(allowed=0.0)
    desk.connected = True
    for _ in range(400):
        desk.tick()
    desk.allowed = allowed
    desk.tick()
    for _ in range(39):
        assert not desk.tick()
    assert desk.tick() is starts


def test_a_break_starts_the_10_s_anew():
    desk = Desk(allowed=0.0)
    desk.connected = True
    for _ in range(100):
        desk.tick()
    for i in range(400):  # 6.0 A with a dip every 9 s
        desk.allowed = 5.97 if i % 36 == 0 else 6.0
        assert not desk.tick()


@pytest.mark.parametrize(('allowed', 'stops'), [
    (6.0, False), (5.96, False), (5.95, False), (5.949, True), (0.0, True), (-0.0, True)])
def test_to_0_below_5_95_a_at_once(allowed, stops):
    desk = Desk().plugged_in()
    desk.allowed = allowed
    assert desk.tick() is not stops


def test_60_s_after_the_last_stop():
    desk = Desk().plugged_in()
    desk.allowed = 0.0
    desk.tick()
    desk.allowed = 16.0
    assert desk.wait() == 60.0


def test_60_s_after_the_pilot_was_silent_while_charging():
    desk = Desk().plugged_in()
    desk.connected = None
    assert not desk.tick(), 'unknown is not connected'
    desk.connected = True
    assert desk.wait() == 60.0


def test_silence_of_the_pilot_while_waiting_does_not_shorten_the_wait():
    desk = Desk().plugged_in()
    desk.allowed = 0.0
    desk.tick()
    desk.allowed = 16.0
    for connected in itertools.islice(itertools.cycle([True, None]), 200):
        desk.connected = connected
        assert not desk.tick()
    desk.connected = True
    assert desk.wait() == 10.0


def test_5_s_after_a_users_own_enable():
    desk = Desk().plugged_in()
    desk.allowed = 0.0
    for _ in range(80):
        desk.tick()
    desk.allowed = 16.0
    desk.tick(own_enable=True)
    assert desk.wait() == 5.0


def test_a_users_own_enable_does_not_lengthen_a_hold_or_shorten_that_of_a_restart():
    desk = Desk()
    desk.connected = True
    for _ in range(13):
        desk.tick()
    desk.tick(own_enable=True)
    assert desk.wait() == 1.75
    desk = Desk(connected=True)
    desk.tick(own_enable=True)
    assert desk.wait() == 9.75


def test_unplugging_ends_a_hold_and_plug_in_has_its_own():
    desk = Desk().plugged_in()
    desk.allowed = 0.0
    desk.tick()
    desk.connected = False
    desk.tick()
    desk.connected, desk.allowed = True, 16.0
    desk.tick()
    assert desk.wait() == 5.0


def test_unplugging_stops():
    desk = Desk().plugged_in()
    desk.connected = False
    assert not desk.tick()


def test_a_limit_that_flaps_around_the_thresholds_starts_at_most_once_a_minute():
    desk = Desk().plugged_in()
    starts, before = 0, desk.running
    for i in range(4 * 600):
        desk.allowed = (5.94, 6.0, 6.5, 5.95, 6.49)[i % 5]
        starts += desk.tick() and not before
        before = desk.running
    assert starts <= 10


# -- wear of the contactor -------------------------------------------------------------------------

def closings(desk, count):
    """Lets the vehicle close the contactor ``count`` times, 10 s apart."""
    for _ in range(count):
        desk.closed = True
        desk.tick()
        desk.closed = False
        for _ in range(39):
            desk.tick()


def test_12_closings_in_an_hour_then_suspended_with_a_warning():
    desk = Desk().plugged_in()
    desk.closed = False
    closings(desk, 11)
    assert not desk.it.closings.too_many
    assert desk.running
    desk.closed = True
    assert desk.tick(), 'the 12th may go on'
    assert desk.it.closings.too_many
    desk.closed = False
    assert not desk.tick(), 'once open it may not close again'
    assert '12 times within an hour' in desk.reason


def test_suspension_ends_when_the_oldest_closing_is_an_hour_old():
    desk = Desk().plugged_in()
    first = desk.now
    desk.closed = False
    closings(desk, 12)
    desk.wait()
    assert desk.now - first == pytest.approx(3600.0, abs=1.0)


def test_a_contactor_that_stays_closed_is_one_closing():
    desk = Desk().plugged_in()
    for _ in range(20_000):
        assert desk.tick()
    assert not desk.it.closings.too_many


def test_a_contactor_found_closed_counts():
    desk = Desk()
    desk.closed = True
    for _ in range(4):
        desk.tick()
    desk.closed = False
    desk.tick()
    closings(desk, 10)
    assert not desk.it.closings.too_many
    closings(desk, 1)
    assert desk.it.closings.too_many


def test_unplugging_gives_no_new_closings():
    desk = Desk().plugged_in()
    desk.closed = False
    closings(desk, 12)
    desk.connected = False
    desk.tick()
    desk.connected = True
    assert desk.wait() > 3000.0


def test_a_jump_of_the_clock_ends_holds_and_forgets_old_closings():
    desk = Desk().plugged_in()
    desk.closed = False
    closings(desk, 12)
    desk.now += 8 * 3600.0  # suspended overnight
    assert desk.tick()
