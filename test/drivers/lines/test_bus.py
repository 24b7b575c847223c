"""Who gets the line when; with devices and lines that only note what happens to them."""

import threading
import time
from itertools import pairwise

import pytest

from charger_control.drivers.interfaces import AnswerError, DeviceError, PortLostError
from charger_control.drivers.lines.backoff import Backoff
from charger_control.drivers.lines.bus import Bus, Buses, Turn
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.options import OptionError

LONG = 5.0


class FakeLine:
    name = 'fake'

    def __init__(self):
        self.opened = self.closed = 0
        self.refusals = 0
        self.here = (1, 1)

    def open(self):
        self.opened += 1
        if self.refusals:
            self.refusals -= 1
            raise DeviceError(f'refused {self.opened}')

    def close(self):
        self.closed += 1

    def presence(self):
        return self.here


class FakeDevice:
    """Wants the line at ``at``; each turn is noted in ``log``, and ends when ``gate`` is open."""

    quiet = 0.0
    answer_time = 0.0

    def __init__(self, name, log, bus, at=0.0, period=1000.0):
        self.name, self.log, self.bus = name, log, bus
        self.at, self.period = at, period
        self.urgent = self.write = False
        self.errors = []
        self.raises = []
        self.heard = []
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.done = threading.Semaphore(0)

    def turn(self, now):
        self.asked += 1
        return Turn(self.at, self.urgent, self.write)

    def transact(self, line):
        self.entered.set()
        assert self.gate.wait(LONG)
        self.log.append((self.name, self.bus.clock()))
        self.at = self.bus.clock() + self.period
        self.urgent = False
        try:
            if self.raises and (error := self.raises.pop(0)) is not None:
                raise error
        finally:
            self.done.release()

    def want(self, urgent=False, write=False):
        self.urgent, self.write, self.at = urgent, write, 0.0
        self.bus.wake()

    def wait(self, turns=1):
        for _ in range(turns):
            assert self.done.acquire(timeout=LONG)

    def failed(self, error):
        self.errors.append(error)

    def line_up(self):
        self.heard.append('up')

    def line_down(self, error):
        self.heard.append(error)


@pytest.fixture
def line():
    return FakeLine()


@pytest.fixture
def bus(line):
    return Bus(line, reconnect_delay=(0.02, 0.08))


@pytest.fixture
def make(bus):
    devices, log = [], []

    def make(name, **kwargs):
        device = FakeDevice(name, log, bus, **kwargs)
        devices.append(device)
        return device
    make.log = log
    yield make
    for device in devices:
        device.gate.set()
        bus.remove(device)


def names(log):
    return [name for name, _ in log]


def test_an_urgent_turn_goes_next_whatever_else_is_due(bus, make):
    slow, other, pilot = make('slow'), make('other', at=1e9), make('pilot', at=1e9)
    slow.gate.clear()
    for device in (slow, other, pilot):
        bus.add(device)
    assert slow.entered.wait(LONG)
    other.want()                       # due before the pilot wants anything
    pilot.want(urgent=True, write=True)
    slow.gate.set()
    other.wait()
    assert names(make.log) == ['slow', 'pilot', 'other']


def test_the_line_is_kept_free_while_the_urgent_device_needs_silence(bus, make):
    pilot, meter = make('pilot'), make('meter', at=1e9)
    pilot.quiet = 0.06
    bus.add(pilot)
    pilot.wait()
    bus.add(meter)
    pilot.want(urgent=True, write=True)
    meter.want()
    meter.wait()
    assert names(make.log) == ['pilot', 'pilot', 'meter']
    assert make.log[1][1] - make.log[0][1] >= 0.06


def test_an_urgent_turn_of_the_future_does_not_keep_the_line(bus, make):
    pilot, meter = make('pilot', at=1e9), make('meter')
    pilot.urgent = True
    bus.add(pilot)
    bus.add(meter)
    meter.wait()
    assert names(make.log) == ['meter']


def test_a_lower_offer_is_handed_over_within_5_ms_on_a_free_line(bus, make):
    pilot = make('pilot', at=1e9)
    bus.add(pilot)
    delays = []
    for _ in range(20):
        start = bus.clock()
        pilot.want(urgent=True, write=True)
        pilot.wait()
        delays.append(make.log[-1][1] - start)
    assert sorted(delays)[5] < 0.005


def test_quiet_counts_per_device(bus, make):
    a, b = make('a', period=0.0), make('b', period=0.0)
    a.quiet, b.quiet = 0.05, 0.0
    bus.add(a)
    bus.add(b)
    a.wait(3)
    times = [at for name, at in make.log if name == 'a']
    assert all(later - earlier >= 0.05 for earlier, later in pairwise(times))
    assert names(make.log).count('b') > 3  # the line was not idle meanwhile


def test_devices_that_always_want_the_line_take_turns(bus, make):
    a, b, c = (make(name, period=0.0) for name in 'abc')
    for device in (a, b, c):
        device.gate.clear()
        bus.add(device)
    for device in (a, b, c):
        device.gate.set()
    for device in (a, b, c):
        device.wait(20)
    counts = [names(make.log[:60]).count(name) for name in 'abc']
    assert max(counts) - min(counts) <= 1


def test_after_a_time_out_the_device_waits_its_late_answer_out_and_others_do_not(bus, make):
    dead, other = make('dead', period=0.0), make('other', period=0.01)
    dead.answer_time = 0.1
    dead.raises = [AnswerError('timeouts', 'silent')]
    bus.add(dead)
    bus.add(other)
    dead.wait(2)
    first, second = [at for name, at in make.log if name == 'dead'][:2]
    assert second - first >= 0.1
    assert any(name == 'other' and first < at < second for name, at in make.log)
    assert [error.kind for error in dead.errors] == ['timeouts']


@pytest.mark.parametrize('kind', ['exceptions', 'crc_errors'])
def test_an_answer_that_came_is_not_waited_for(bus, make, kind):
    device = make('device', period=0.0)
    device.answer_time = 30.0
    device.raises = [AnswerError(kind, 'came')]
    bus.add(device)
    device.wait(2)


def test_a_write_goes_out_although_a_read_is_owed_and_keeps_no_line_it_cannot_use(bus, make):
    device, other = make('device'), make('other', at=1e9)
    device.answer_time = 30.0
    device.raises = [AnswerError('timeouts', 'silent')]
    bus.add(device)
    bus.add(other)
    device.wait()
    device.want(urgent=True)      # an urgent read must wait, and the others go on meanwhile
    other.want()
    other.wait()
    device.want(urgent=True, write=True)
    device.wait()
    assert names(make.log) == ['device', 'other', 'device']


def test_an_idle_bus_sleeps(bus, make):
    device = make('device', at=1e9)
    bus.add(device)
    bus.wake()
    time.sleep(0.05)
    asked = device.asked
    time.sleep(0.3)
    assert device.asked == asked


def test_a_port_that_cannot_be_opened_is_an_error_of_every_device_and_tried_again(
        bus, line, make):
    a, b = make('a'), make('b')
    line.refusals = 3
    bus.add(a)
    bus.add(b)
    start = time.monotonic()
    a.wait()
    b.wait()
    assert 0.02 + 0.04 + 0.08 - 0.03 < time.monotonic() - start < 1.0
    assert a.heard[-1] == b.heard[-1] == 'up'
    assert 'refused 2' in a.heard and 'refused 2' in b.heard


def test_a_lost_port_is_closed_told_and_opened_again(bus, line, make):
    a, b = make('a', period=0.0), make('b', at=1e9)
    a.raises = [None, PortLostError('gone')]
    bus.add(b)
    bus.add(a)
    a.wait(3)
    assert a.heard == b.heard == ['up', 'gone', 'up']
    assert line.opened == 2 and line.closed >= 1


def test_a_port_that_comes_back_is_opened_before_the_delay_is_over(line, make):
    bus = Bus(line, reconnect_delay=(60.0, 60.0))
    device = FakeDevice('device', [], bus)
    line.refusals, line.here = 1, None
    bus.add(device)
    deadline = time.monotonic() + LONG
    while not device.heard and time.monotonic() < deadline:
        time.sleep(0.001)
    line.here = (7, 7)
    bus.wake()
    device.wait()
    bus.remove(device)


def test_a_device_that_fails_unexpectedly_does_not_end_the_thread(bus, make, caplog):
    device = make('device', period=0.0)
    device.raises = [ZeroDivisionError('bug')]
    bus.add(device)
    device.wait(2)
    assert 'internal error' in device.heard[1]


def test_a_device_added_while_the_port_is_lost_hears_why(line, make):
    bus = Bus(line, reconnect_delay=(60.0, 60.0))
    line.refusals = 1
    first, second = FakeDevice('first', [], bus), FakeDevice('second', [], bus)
    bus.add(first)
    deadline = time.monotonic() + LONG
    while not first.heard and time.monotonic() < deadline:
        time.sleep(0.001)
    bus.add(second)
    assert second.heard == ['refused 1']
    bus.remove(first)
    bus.remove(second)


def test_the_last_device_that_leaves_closes_the_port_and_the_next_opens_it(bus, line, make):
    a, b = make('a'), make('b')
    bus.add(a)
    bus.add(b)
    b.wait()
    bus.remove(a)
    assert not line.closed
    bus.remove(b)
    assert line.closed == 1
    bus.remove(b)
    bus.add(make('c'))
    deadline = time.monotonic() + LONG
    while line.opened < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert line.opened == 2


def test_leaving_never_waits_for_nothing(bus, make, caplog):
    device = make('device', period=0.0)
    for _ in range(150):
        bus.add(device)
        device.wait()
        start = time.monotonic()
        bus.remove(device, timeout=LONG)
        assert time.monotonic() - start < LONG
        device.done = threading.Semaphore(0)
    assert not caplog.records


def test_a_removed_device_is_not_called_any_more(bus, make):
    device = make('device')
    device.gate.clear()
    bus.add(device)
    assert device.entered.wait(LONG)
    threading.Timer(0.05, device.gate.set).start()
    bus.remove(device)
    assert names(make.log) == ['device']  # it was waited for


def test_backoff_doubles_to_its_most_and_starts_over():
    backoff = Backoff(0.5, 10.0)
    assert [backoff.delay() for _ in range(7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.reset()
    assert backoff.delay() == 0.5


def test_devices_on_one_port_share_a_bus_and_must_agree_on_the_line():
    buses = Buses()
    one = buses.modbus('/dev/ttyA', SerialSettings(9600))
    assert buses.modbus('/dev/ttyA', SerialSettings(9600)) is one
    assert buses.modbus('/dev/ttyB', SerialSettings(9600)) is not one
    with pytest.raises(OptionError, match=r'/dev/ttyA is already run with 9600 8N1, not 19200 8E1'):
        buses.modbus('/dev/ttyA', SerialSettings(19200, 'E'))
