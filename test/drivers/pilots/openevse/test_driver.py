"""OpenEVSE over a real pty, and RAPI's lines against the checked examples of its source."""

from __future__ import annotations

import math
import threading
import time

import pytest
from fake_openevse import Board, seal

from charger_control.drivers import registry
from charger_control.drivers.lines.bus import Bus
from charger_control.drivers.lines.rapi import Message, RapiLine, parse, sealed
from charger_control.drivers.pilots.openevse.driver import OpenEvse

GOLDEN = ('$GS^30', '$GG^24', '$GE^26', '$GC^20', '$GV^35', '$GU^36', '$GP^33', '$GF^25',
          '$G0^53', '$FE^27', '$FS^31', '$FD^26', '$SY^2E', '$SC 16^13', '$SC 16 V^65',
          '$SC 6 V^54', '$SC 10 V^63', '$SY 15 6^1C', '$SY 165^3C')


@pytest.mark.parametrize('line', GOLDEN)
def test_lines_of_the_protocols_source(line):
    assert sealed(line.split('^')[0]) == line.encode() + b'\r'
    word, *tokens = line[1:].split('^')[0].split(' ')
    assert parse(line.encode()) == Message(word, tuple(tokens))


def test_lines_that_are_not_sound():
    assert parse(b'$OK 1^00') == 'crc_errors'
    for line in (b'', b'OK^20', b'$OK', b'$OK^2', b'$OK^zz', b'$OK \xff^20', b'$OK :x^20'):
        assert parse(line) in ('garbage', 'crc_errors'), line
    assert parse(b'\x00\xff' + seal('$OK 06 :1F').strip()) == Message('OK', ('06',), 0x1F)


class Setting:
    def __init__(self, board, link):
        self.board = board
        self.pilot = OpenEvse(Bus(RapiLine(str(link)), reconnect_delay=(0.05, 0.1)), rate=10.0)
        self.pilot.answer_time = 0.1
        self.amperage = None
        self.feeding = True
        self._end = threading.Event()
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()
        self.pilot.start()

    def _feed(self):
        while not self._end.wait(0.05):
            if self.feeding:
                self.pilot.offer(self.amperage)

    def until(self, condition, timeout=6.0):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.005)
        pytest.fail(f'not within {timeout} s: {self.pilot.latest()} {self.board.log[-12:]}')

    def ready(self):
        self.until(lambda: self.pilot.latest().value is not None and not self.pilot.latest().error
                   and self.board.supervised)

    def offer(self, amperage):
        self.ready()
        self.amperage = amperage
        self.until(lambda: self.board.offered == int(amperage))
        self.until(lambda: self.pilot.latest().value.signaled_amperage == int(amperage))

    def close(self):
        self._end.set()
        self._feeder.join()
        self.pilot.close()


@pytest.fixture(params=[True])
def s(request, link):
    """With a board that repeats sequence numbers, unless a test says otherwise."""
    with Board(link, echoes=request.param) as board:
        setting = Setting(board, link)
        yield setting
        setting.close()


@pytest.mark.parametrize('s', [True, False], ids=['echoes', 'no echo'], indirect=True)
def test_it_is_put_to_sleep_after_one_look_for_a_fault(s):
    s.ready()
    assert s.board.log[:7] == ['GS', 'GE', 'FS', 'GV', 'GC', 'GY', 'SY 5 6']
    assert s.board.offered == 0
    sample = s.pilot.latest()
    assert (sample.value.letter, sample.value.signaled_amperage) == ('B', 0.0)
    assert sample.value.contactor_closed is None and math.isnan(sample.value.cable_amperage)
    assert sample.identity['firmware'] == '8.2.1'
    s.until(lambda: 'SY' in s.board.log)


def test_whole_amperes_rounded_down_set_before_enabled_and_volatile(s):
    s.offer(10.9)
    log = s.board.log
    assert log.index('SC 10 V') < log.index('FE')
    assert s.pilot.latest().value.contactor_closed is None
    assert s.pilot.latest().value.contactor_commanded is True
    s.offer(16.0)
    s.offer(6.0)
    s.amperage = 5.9
    s.until(lambda: s.board.mode == 'FS')
    s.amperage = math.nan
    time.sleep(0.2)
    assert s.board.mode == 'FS' and s.pilot.step == 1.0


@pytest.mark.parametrize('s', [True, False], ids=['echoes', 'no echo'], indirect=True)
def test_events_between_command_and_answer_are_no_answers(s):
    s.offer(10)
    for _ in range(5):
        s.board.before = seal('$AT 03 03 10 0140') + seal('$AN 1') + seal('$WF 0')
        at = s.pilot.latest().at
        s.until(lambda at=at: s.pilot.latest().at > at)
    assert s.board.offered == 10 and s.pilot.latest().error == ''


def test_a_board_that_restarts_is_put_to_sleep_and_met_anew(s):
    s.offer(10)
    s.amperage = None
    s.until(lambda: s.board.mode == 'FS')
    count = s.board.log.count('GV')
    s.board.boot()
    s.until(lambda: s.board.mode == 'FS' and s.board.log.count('GV') > count)
    s.until(lambda: s.board.supervised == '5 6')
    assert s.pilot.latest().counters['restarts'] >= 1


def test_a_board_that_takes_more_than_it_is_told_gets_nothing(s):
    s.ready()
    s.board.least = 13
    s.amperage = 10
    s.until(lambda: 'takes 13 A when told 10 A' in s.pilot.latest().error)
    s.until(lambda: s.board.mode == 'FS' and s.pilot.latest().value.unsafe)
    assert s.board.log.count('FE') == 0


def test_an_offer_of_its_own_is_refused(s):
    s.offer(10)
    s.board.capacity = 16
    s.until(lambda: s.board.mode == 'FS')
    s.until(lambda: 'offers 16 A, told was 10 A' in s.pilot.latest().error)


def test_missed_heartbeats_are_cleared_by_the_order_that_raises_nothing(s):
    s.offer(10)
    s.board.missed = True
    s.until(lambda: s.board.log.count('SY 5 6') == 2)
    s.until(lambda: s.pilot.latest().counters.get('missed_heartbeats') == 1)
    s.until(lambda: s.board.offered == 10 and not s.pilot.latest().error)
    assert 'SY 165' not in s.board.log      # HsRestoreAmpacity: the EEPROM's current, at once


def test_firmware_that_tells_too_little_gets_no_offer(link):
    with Board(link) as board:
        board.old = True
        s = Setting(board, link)
        s.amperage = 10
        s.until(lambda: 'firmware older' in s.pilot.latest().error)
        assert board.offered == 0 and 'FE' not in board.log
        s.close()


@pytest.mark.parametrize('s', [True, False], ids=['echoes', 'no echo'], indirect=True)
@pytest.mark.parametrize(('kind', 'fault'), [
    ('timeouts', lambda data: b''), ('garbage', lambda data: b'\xff\x00$OK\r'),
    ('crc_errors', lambda data: data[:-3] + b'00\r'),
    ('wrong_answers', lambda data: seal('$XX')), ('garbage', lambda data: data[:4] + b'\r')])
def test_bad_answers_are_counted_and_the_offer_stands(s, kind, fault):
    s.offer(10)
    before = s.pilot.latest().counters.get(kind, 0)
    s.board.faults.append(fault)
    s.until(lambda: s.pilot.latest().counters.get(kind, 0) > before)
    s.until(lambda: not s.pilot.latest().error)
    assert s.pilot.latest().value.signaled_amperage == 10.0


def test_withdraw(link):
    config = {'driver': 'openevse', 'port': str(link)}
    with Board(link) as board:
        assert registry.withdraw(config) == ''
        assert board.mode == 'FS'
        board.faults.extend([lambda data: b''] * 40)
        assert 'does not answer' in registry.withdraw(config, within=0.5)
    assert 'is not there' in registry.withdraw(config, within=0.1)


def test_what_another_thread_changes_between_plan_and_deed_enables_nothing_unset():
    asked = []

    class Recorder:
        @staticmethod
        def ask(command, answer_time):
            asked.append(command)
            return Message('OK', ())

    pilot = OpenEvse(Bus(RapiLine('/dev/none')))
    pilot._introduction.clear()
    pilot.offer(10.0)
    pilot._set_mode(Recorder())        # planned as sleep, now an offer of unset amperes
    pilot.offer(None)
    pilot._set_amperage(Recorder())    # planned as 10 A, now withdrawn
    assert asked == []
    pilot._set_mode(Recorder())
    assert asked == ['FS']
