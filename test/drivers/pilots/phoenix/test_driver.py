"""The Phoenix Contact driver on a fake clock: what it writes when, and what it never writes."""

import math

import pytest
from fake_devices import FakeClock, MemoryBus, MemoryLine, PhoenixSerial

from charger_control.drivers.pilots.phoenix.boards import EthernetBoard, PhoenixConfig, SerialBoard
from charger_control.drivers.pilots.phoenix.driver import Phoenix


class Setting:
    """A driver, its board, and what the control node does: an offer every 50 ms."""

    def __init__(self, board=None, **config):
        self.clock = FakeClock()
        self.board = board or PhoenixSerial()
        self.line = MemoryLine(self.clock, self.board, duration=0.03)
        self.bus = MemoryBus(self.line)
        self.pilot = Phoenix(self.bus, 1, SerialBoard(), PhoenixConfig(**config))
        self.amperage = None
        self.pilot.start()

    def run(self, seconds):
        self.bus.run(seconds, lambda: self.pilot.offer(self.amperage))

    def offer(self, amperage, seconds=1.0):
        self.amperage = amperage
        self.run(seconds)

    def writes(self, address):
        return [r.values[0] for r in self.line.log if r.function in (5, 6)
                and r.address == address]

    @property
    def sample(self):
        return self.pilot.latest()


def test_it_is_told_no_offer_before_it_is_asked_anything_and_amperes_before_it_is_enabled():
    s = Setting()
    s.offer(16.0)
    first = s.line.log[0]
    assert (first.function, first.address, first.values) == (5, 20000, (0,))
    orders = [(r.address, r.values[0]) for r in s.line.log if r.function in (5, 6)]
    assert orders == [(20000, 0), (22000, 16), (20000, 1)]
    assert s.board.offered == 16 and s.sample.error == ''


@pytest.mark.parametrize(('amperage', 'told'), [
    (16.99, 16), (6.0, 6), (5.99, 0), (None, 0), (math.nan, 0), (math.inf, 0), (80.0, 63)])
def test_whole_amperes_are_rounded_down_and_unchanged_ones_not_written_again(amperage, told):
    s = Setting()
    s.offer(13.0)
    s.offer(amperage, 5.0)
    assert s.board.offered == told
    assert s.writes(22000) == ([13, told] if told else [13])


def test_lowering_is_urgent_and_raising_is_not():
    s = Setting()
    s.offer(16.0)
    s.pilot.offer(10.0)
    assert s.pilot.turn(s.clock.now).urgent and s.pilot.turn(s.clock.now).write
    s.offer(10.0)
    s.pilot.offer(12.0)
    assert not s.pilot.turn(s.clock.now).urgent
    s.pilot.offer(None)
    assert s.pilot.turn(s.clock.now).urgent


def test_the_enabling_mode_is_written_once_or_refused():
    s = Setting(PhoenixSerial(mode=1))
    s.offer(16.0, 30.0)
    assert s.writes(4000) == [3] and s.board.offered == 16
    s = Setting(PhoenixSerial(mode=1), may_set_up=False)
    s.offer(16.0, 5.0)
    assert s.writes(4000) == [] and s.sample.value.unsafe
    assert '4000 is 1' in s.sample.error and s.writes(20000) == [0]


def test_a_board_that_does_not_keep_its_mode_is_refused_and_its_memory_spared():
    s = Setting(PhoenixSerial(mode=0))
    s.board.deaf_to.add(4000)
    s.offer(16.0, 120.0)
    assert len(s.writes(4000)) == 5 and 1 not in s.writes(20000)
    assert s.sample.value.unsafe


def test_a_restart_is_seen_checked_and_the_offer_given_again():
    s = Setting()
    s.offer(16.0)
    s.board.boot()
    s.run(5.0)
    assert s.sample.counters['restarts'] >= 1
    assert s.board.offered == 16 and s.sample.error == ''
    assert s.writes(22000) == [16, 16], 'amperes before it is enabled again'


def test_what_it_does_by_itself_is_withdrawn():
    s = Setting()
    s.offer(10.0)
    s.board.extra = 3
    s.run(0.6)
    assert s.board.offered == 0 and 'it offers 13 A, told was 10 A' in s.sample.error
    s.board.extra = 0
    s.run(5.0)
    assert s.board.offered == 10 and not s.sample.value.unsafe
    s.offer(None)
    s.board.put(1, 20000, 1)        # somebody else enables it
    s.run(1.5)
    assert s.board.registers[1, 20000] == 0 and 'set by hand' in s.sample.error
    s.offer(10.0, 5.0)
    s.board.put(3, 22000, 20)
    s.run(1.5)
    assert 20 not in s.writes(22000) and s.board.offered in (0, 10)


def test_after_a_silence_the_offer_stands_and_does_not_rise_before_the_check():
    s = Setting()
    s.offer(16.0)
    s.line.dead = True
    s.offer(20.0, 5.0)
    s.line.dead = False
    back = len(s.line.log)
    s.run(2.0)
    after = [(r.function, r.address, *r.values) for r in s.line.log[back:]]
    assert after.index((6, 22000, 20)) > max(after.index((3, 4000)), after.index((1, 20000)))
    assert s.board.offered == 20 and 0 not in s.writes(20000)[1:]


def test_the_contactor_is_opened_by_a_restart_once_and_the_board_met_anew():
    s = Setting()
    s.offer(16.0)
    s.amperage = None
    for _ in range(20):
        s.pilot.open_contactor()
        s.run(0.05)
    assert s.writes(21000) == [1] and s.sample.counters['contactor_opened'] == 1
    s.offer(16.0, 3.0)
    assert s.board.offered == 16


def test_state_f_opens_where_the_board_takes_it_and_is_taken_back():
    s = Setting()
    s.board.put(3, 4001, 2)
    s.board.put(1, 20001, 1)
    s.offer(16.0)
    s.amperage = None
    for _ in range(5):
        s.pilot.open_contactor()
        s.run(0.05)
    assert s.writes(20001) == [0] and s.writes(21000) == []
    s.run(2.0)
    assert s.writes(20001) == [0, 1]


def test_the_dead_man():
    s = Setting()
    s.offer(16.0)
    last = s.clock.now
    s.bus.run(3.0)
    off = [r.at for r in s.line.log if (r.address, r.values) == (20000, (0,))][-1]
    assert 0.95 < off - last < 1.3 and s.sample.counters['dead_man'] == 1


@pytest.mark.parametrize(('status', 'letter'), [
    ('A1', 'A'), ('B1', 'B'), ('B2', 'B'), ('C2', 'C'), ('D1', 'D'), ('E0', 'E'), ('F0', 'F'),
    ('X1', 'S'), ('\xff\xff', 'S')])
def test_letters_of_the_serial_board(status, letter):
    board = SerialBoard()
    live = [ord(status[0]) << 8 | ord(status[1]), 20, 17, 10, 0, 0]
    reading = board.reading({board.live[0]: live}, tethered=False, refusal='')
    assert reading.letter == letter and reading.cable_amperage == 20.0
    assert reading.signaled_amperage == (10.0 if status[1] == '2' else 0.0)
    assert bool(reading.error) == (letter in 'EFS')


def ethernet(**changed):
    board = EthernetBoard()
    inputs = {100: 0x43, 101: 32, 104: 1 << 9, 105: 0, 106: 113, 107: 0} | changed.pop('inputs', {})
    coils = {400: 1, 401: 0, 402: 1} | changed.pop('coils', {})
    known = {4: inputs, 2: {204: 1}, 1: coils, 3: {300: 16}}
    answers = {request: [known[request.function][request.address + i] for i in range(request.count)]
               for request in (*board.check, *board.live)}
    return board, answers


@pytest.mark.parametrize(('bits', 'letter', 'cause'), [
    (0, 'C', ''), (1 << 12, 'R', 'CpDiodeShortCircuit'), (1 << 8, 'C', 'SignalledAmperageExceeded'),
    (1 << 10, 'C', 'VentilationNotAvailable'), (1 << 11, 'C', 'BoardFault')])
def test_error_bits_of_the_ethernet_board(bits, letter, cause):
    board, answers = ethernet(inputs={107: bits})
    reading = board.reading(answers, tethered=False, refusal='')
    assert (reading.letter, reading.error_cause) == (letter, cause)
    assert reading.signaled_amperage == 16.0 and reading.contactor_commanded is True
    assert reading.contactor_closed is None


def test_what_the_ethernet_board_is_refused_for():
    board, answers = ethernet()
    assert board.assess(answers, may_write=True).refusal == ''
    board, answers = ethernet(inputs={104: 0})
    assert 'DIP switch 10 is off' in board.assess(answers, may_write=True).refusal
    assert board.assess(answers, may_write=False).refusal == ''
    board, answers = ethernet(coils={401: 1})
    assert 'digital communication' in board.assess(answers, may_write=True).refusal


def test_what_one_source_knows_only_is_done_without():
    board, answers = ethernet()
    assert {request.address for request in board.optional} == {101, 104, 105, 107, 204, 401, 402}
    few = {request: answer for request, answer in answers.items() if request not in board.optional}
    assert board.assess(few, may_write=True).refusal == ''
    reading = board.reading(few, tethered=False, refusal='')
    assert (reading.letter, reading.signaled_amperage) == ('C', 16.0)
    assert reading.contactor_commanded is None
    assert math.isnan(reading.cable_amperage), 'an unknown cable carries nothing in a socket'
    assert board.opening(few) is None and not board.is_held_open(few)
    assert board.identity(few)['not_answered'] == '101, 104, 105, 107, 204, 401, 402'
