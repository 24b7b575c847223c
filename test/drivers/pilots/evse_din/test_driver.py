"""The EVSE-DIN driver on a fake clock: what it writes when, and what it never writes."""

import math
from itertools import pairwise

import pytest
from fake_devices import FINE_BIT, Evse, FakeClock, MemoryBus, MemoryLine

from charger_control.drivers.pilots.evse_din.driver import EvseDin, EvseDinConfig


class Setting:
    """A driver, its board, and what the control node does: an offer every 50 ms."""

    def __init__(self, board=None, **config):
        self.clock = FakeClock()
        self.board = board or Evse()
        self.line = MemoryLine(self.clock, self.board)
        self.bus = MemoryBus(self.line)
        self.pilot = EvseDin(self.bus, 1, EvseDinConfig(**config))
        self.amperage = None
        self.highest = 0.0
        self.introduced_at = 0
        self.pilot.start()

    def feed(self):
        self.pilot.offer(self.amperage)
        self.highest = max(self.highest, self.board.offered)

    def run(self, seconds):
        self.bus.run(seconds, self.feed)

    def offer(self, amperage, seconds=1.0):
        self.amperage = amperage
        self.run(seconds)

    def writes(self, address=1000):
        """What was written, without the 0 that comes before everything else."""
        written = [r.values[0] for r in self.line.log
                   if r.function == 16 and r.address == address]
        if address == 1000 and self.introduced_at == 0:
            assert written.pop(0) == 0
        return written

    @property
    def sample(self):
        return self.pilot.latest()


def fine(**config):
    """Counts in 0.01 A, and has shown that it does."""
    s = Setting(Evse(configuration=FINE_BIT), fine_steps=True, **config)
    s.offer(6.0, 2.0)
    assert s.board.offered == 6.0
    s.offer(None)
    s.introduced_at, s.highest = s.clock.now, 0.0
    s.line.log.clear()
    return s


# -- connecting ----------------------------------------------------------------------------------
def test_nothing_is_offered_before_firmware_power_on_current_and_configuration_were_read():
    s = Setting()
    s.offer(16.0)
    assert [(r.function, r.address, r.count, r.values) for r in s.line.log[:4]] == [
        (16, 1000, 1, (0,)), (3, 1000, 10, ()), (3, 2000, 18, ()), (16, 1000, 1, (16,))]
    assert s.board.offered == 16.0
    identity = dict(s.sample.identity)
    assert 'an offer stands' in identity.pop('dead_man')
    assert identity == {'model': 'EVracing EVSE-DIN/EVSE-WB', 'firmware': '18',
                        'power_on_current': '0', 'configuration': '0x0000'}


def test_an_offer_found_at_connecting_is_withdrawn_before_anything_else():
    s = Setting(Evse(power_on=32))       # as delivered: it offers 32 A since it has power
    assert s.board.offered == 32.0
    s.amperage = 16.0
    s.feed()
    s.bus.step(s.clock.now + 1)
    assert [(r.function, r.address, r.values) for r in s.line.log] == [(16, 1000, (0,))]
    assert s.board.offered == 0.0


def test_the_power_on_current_is_set_to_0_once():
    s = Setting(Evse(power_on=32))
    s.offer(16.0, 30.0)
    assert s.writes(2000) == [0]
    assert s.board[2000] == 0
    assert s.board.offered == 16.0 and s.sample.error == ''


def test_a_board_with_a_power_on_current_is_refused_if_it_must_not_be_written():
    s = Setting(Evse(power_on=32), set_power_on_current=False)
    s.offer(16.0, 30.0)
    assert s.writes(2000) == [] and set(s.writes()) <= {0} and s.board.offered == 0.0
    assert s.sample.value.unsafe
    assert 'write 0 there, or set set_power_on_current to true' in s.sample.value.error
    assert s.sample.error == s.sample.value.error


def test_a_board_that_does_not_keep_its_power_on_current_is_refused_and_its_eeprom_spared():
    s = Setting(Evse(power_on=32))
    s.board.deaf_to.add(2000)
    s.offer(16.0, 120.0)
    assert s.sample.value.unsafe
    assert set(s.writes()) <= {0} and len(s.writes(2000)) == 5
    assert 'times within an hour' in s.sample.error


def test_fine_steps_are_switched_on_and_used_only_after_the_settling_time():
    s = Setting(Evse(), fine_steps=True)
    assert s.pilot.step == 0.01
    s.offer(7.77, 3.0)
    set_at = next(r.at for r in s.line.log if r.address == 2005)
    first = next(r.at for r in s.line.log if r.address == 1000 and r.values == (777,))
    assert first - set_at > 1.0
    assert s.writes(2005) == [FINE_BIT]
    read_back = [r.at for r in s.line.log if r.address == 2000 and set_at + 1.0 < r.at < first]
    assert read_back
    assert s.board.offered == 7.77


def test_other_configuration_bits_are_kept():
    s = Setting(Evse(configuration=0b1000), fine_steps=True)
    s.run(3.0)
    assert s.writes(2005) == [FINE_BIT | 0b1000]


def test_a_unit_that_is_not_read_back_is_never_used():
    s = Setting(Evse(), fine_steps=True)
    s.board.deaf_to.add(2005)
    s.offer(16.0, 3.0)
    assert s.sample.value.unsafe and 'does not keep its set-up' in s.sample.error
    s.run(30.0)
    assert set(s.writes()) <= {0} and s.sample.value.unsafe


def test_old_firmware_with_fine_steps_is_refused():
    s = Setting(Evse(firmware=16), fine_steps=True)
    s.offer(16.0, 10.0)
    assert s.writes() == [] and s.writes(2005) == []
    assert s.sample.value.unsafe and 'firmware 16 has no 0.01 A steps' in s.sample.error


def test_old_firmware_will_do_for_whole_amperes():
    s = Setting(Evse(firmware=16))
    s.offer(16.0)
    assert s.board.offered == 16.0


def test_a_board_in_fine_steps_is_refused_if_whole_amperes_are_configured():
    s = Setting(Evse(configuration=FINE_BIT))
    s.offer(16.0, 10.0)
    assert s.writes() == [] and s.writes(2005) == []
    assert s.sample.value.unsafe and 'set fine_steps to true, or clear that bit' in s.sample.error


def test_a_disabled_board_says_so():
    s = Setting(Evse(configuration=1 << 14))
    s.offer(16.0, 2.0)
    assert s.sample.value.unsafe and '2005 bit 14' in s.sample.error


def test_registers_that_cannot_be_read_are_a_refusal():
    s = Setting()
    del s.board.registers[3, 2007]
    s.offer(16.0, 5.0)
    assert s.writes() == []
    assert s.sample.value.unsafe and 'set-up cannot be read' in s.sample.value.error


# -- offering ------------------------------------------------------------------------------------
@pytest.mark.parametrize(('amperage', 'raw'), [
    (16.0, 16), (16.99, 16), (6.0, 6), (5.99, 0), (0.0, 0), (None, 0), (math.nan, 0),
    (math.inf, 0), (-1.0, 0), (100.0, 80),
])
def test_whole_amperes_are_rounded_down(amperage, raw):
    s = Setting()
    s.board[1000] = 0
    s.offer(13.0)
    s.offer(amperage, 0.5)
    assert s.board.registers[3, 1000] == raw


@pytest.mark.parametrize(('amperage', 'raw'), [
    (16.0, 1600), (6.29, 629), (13.337, 1333), (6.0, 600), (5.999, 0), (math.nan, 0),
    (1e308, 8000),
])
def test_hundredths_are_rounded_down(amperage, raw):
    s = fine()
    s.offer(13.0)
    s.offer(amperage, 0.5)
    assert s.board.registers[3, 1000] == raw


def test_every_write_is_followed_by_reading_what_the_board_does():
    s = Setting()
    s.offer(16.0)
    s.offer(10.0)
    s.offer(None)
    for request, after in zip(s.line.log, s.line.log[1:], strict=False):
        if request.function == 16:
            assert (after.function, after.address, after.count) == (3, 1000, 10)
            assert after.at - request.at < 0.25


def test_an_unchanged_offer_is_not_written_again():
    s = Setting()
    s.offer(16.0, 10.0)
    assert s.writes() == [16]


def test_the_board_is_polled_five_times_a_second_and_its_set_up_once():
    s = Setting()
    s.offer(16.0, 10.0)
    polls = [r for r in s.line.log if r.address == 1000 and r.function == 3]
    checks = [r for r in s.line.log if r.address == 2000]
    assert 42 <= len(polls) <= 52 and 8 <= len(checks) <= 11


def test_lowering_asks_for_an_urgent_turn_at_once_and_raising_does_not():
    s = Setting()
    s.offer(16.0)
    s.pilot.offer(10.0)
    turn = s.pilot.turn(s.clock.now)
    assert turn.urgent and turn.write and turn.at <= s.clock.now
    s.offer(10.0)
    s.pilot.offer(16.0)
    turn = s.pilot.turn(s.clock.now)
    assert turn.write and not turn.urgent and turn.at <= s.clock.now


def test_only_a_changed_offer_wakes_the_bus():
    s = Setting()
    s.offer(16.0)
    woken = s.bus.woken
    s.pilot.offer(16.0)
    assert s.bus.woken == woken
    s.pilot.offer(10.0)
    assert s.bus.woken == woken + 1


def test_the_dead_man_withdraws_the_offer_one_second_after_the_last_call():
    s = Setting()
    s.offer(16.0)
    last_call = s.clock.now
    s.bus.run(3.0)                    # nobody calls offer
    withdrawn = next(r.at for r in s.line.log if r.values == (0,) and r.at > last_call)
    assert 0.95 < withdrawn - last_call < 1.3
    assert s.board.offered == 0.0
    assert s.sample.counters['dead_man'] == 1
    s.offer(16.0)
    assert s.board.offered == 16.0


def test_a_lost_acknowledgement_of_a_lowering_is_repeated_at_once():
    s = Setting()
    s.offer(16.0)
    s.line.failures.append('crc_errors')
    start = s.clock.now
    s.board.deaf_to.add(1000)
    s.pilot.offer(10.0)
    s.bus.step(s.clock.now + 1)
    s.board.deaf_to.clear()
    s.amperage = 10.0
    s.run(0.5)
    assert s.writes()[-2:] == [10, 10]
    assert s.board.offered == 10.0 and s.clock.now - start < 1.0


def test_a_lowering_in_hundredths_after_a_lost_answer_first_looks_whether_the_board_restarted():
    s = fine()
    s.offer(16.0)
    s.line.failures.append('timeouts')
    s.bus.step(s.clock.now + 1)       # a poll is lost: the board may have restarted and lost bit 7
    s.board[2005] = 0
    s.board[1000] = 0
    s.pilot.offer(10.0)
    assert s.pilot.turn(s.clock.now).urgent
    s.offer(10.0, 0.6)
    assert 1000 not in s.writes()
    s.run(3.0)
    assert s.board.offered == 10.0    # bit 7 was set anew


# -- what the board does by itself ---------------------------------------------------------------
def test_a_restart_with_an_offer_of_its_own_is_withdrawn_within_one_poll_and_one_write():
    s = Setting()
    s.offer(10.0)
    s.board[2000] = 32                # lost its EEPROM, too
    s.board.boot()
    start = s.clock.now
    assert s.board.offered == 32.0
    while s.board.offered > 10.0:
        assert s.bus.step(s.clock.now + 1)
    assert s.clock.now - start < 0.2 + 0.05 + 0.1 + 0.05 + 0.01
    assert s.writes()[-1] == 0
    s.run(0.2)
    assert s.sample.value.unsafe and 'it holds 32 A by itself' in s.sample.error
    s.run(3.0)
    assert s.writes(2000) == [0]      # put right, and on it goes
    assert s.board.offered == 10.0 and s.sample.error == '' and not s.sample.value.unsafe


def test_a_restart_without_an_offer_is_checked_before_the_offer_is_given_again():
    s = fine()
    s.offer(16.0)
    s.board.boot()
    s.board[2005] = 0                 # and it lost bit 7
    before = len(s.line.log)
    s.run(0.4)
    assert 'restarted' in s.sample.error and not s.sample.value.unsafe
    s.run(3.0)
    new = s.line.log[before:]
    first = next(i for i, r in enumerate(new) if r.values == (1600,))
    assert any(r.values == (FINE_BIT,) for r in new[:first])
    assert s.board.offered == 16.0
    assert s.highest <= 16.0
    assert s.sample.counters['restarts'] == 1


@pytest.mark.parametrize('told', [6.0, 10.0, 16.0, 32.0])
def test_a_lost_bit_7_is_seen_at_the_next_poll(told):
    s = fine()
    s.offer(told)
    s.board[2005] = 0                 # 1600 now asks for 1600 A: it gives its maximum
    assert s.board.offered == 32.0
    start = s.clock.now
    while s.board.offered:
        assert s.bus.step(s.clock.now + 1)
    assert s.clock.now - start < 0.45
    s.run(0.3)
    assert s.sample.value.unsafe and '0.01 A' in s.sample.error
    s.run(5.0)
    assert s.board.offered == told and not s.sample.value.unsafe


def test_an_offer_in_the_wrong_unit_is_reported_as_what_it_is():
    s = fine()
    s.offer(16.0)
    s.board[2005] = 0
    seen = 0.0
    for _ in range(4):
        s.bus.step(s.clock.now + 1)
        seen = max(seen, s.sample.value.signaled_amperage)
    assert seen == 32.0               # not 0.32 A


def test_a_lost_bit_7_that_shows_nowhere_else_is_found_by_reading_the_configuration():
    s = fine()
    s.offer(16.0)
    real = s.board._update
    s.board[2005] = 0
    s.board._update = lambda: None    # 1000..1007 stay as they were
    start = s.clock.now
    while s.board.registers[3, 1000]:
        assert s.bus.step(s.clock.now + 1)
    assert s.clock.now - start < 1.5
    s.board._update = real
    s.run(0.4)
    assert 'it lost its 0.01 A steps' in s.sample.error


def test_before_an_offer_begins_the_unit_is_read_again():
    s = fine()
    s.offer(None, 3.0)
    while s.pilot._check.verified_at < s.clock.now - 0.1:
        s.bus.step(s.clock.now + 1)
    s.run(0.6)
    s.board[2005] = 0                 # a restart that nothing shows: it held 0 and holds 0
    s.offer(16.0, 0.5)
    assert 1600 not in s.writes() and s.highest == 0.0


def test_an_offer_above_what_was_told_is_withdrawn():
    s = Setting()
    s.offer(10.0)
    s.board.extra_offer = 3
    s.run(0.5)
    assert s.writes()[-1] == 0
    assert s.sample.value.unsafe and 'it offers 13 A, told was 10 A' in s.sample.error
    s.board.extra_offer = 0
    s.run(5.0)
    assert s.board.offered == 10.0 and not s.sample.value.unsafe


def test_a_board_that_goes_on_offering_is_told_0_again_and_again():
    s = Setting()
    s.offer(10.0)
    s.board._update = lambda: None    # stuck: 1001 and 1006 stay
    s.board.registers[3, 1001] = 20
    s.offer(10.0, 20.0)
    assert set(s.writes()[1:]) == {0} and len(s.writes()) > 20
    assert s.sample.value.unsafe and s.sample.value.signaled_amperage == 20.0


def test_an_offer_that_is_still_coming_down_is_no_fault():
    s = Setting()
    s.offer(16.0)
    real = s.board._update
    s.board._update = lambda: None    # 1001 lags
    s.pilot.offer(10.0)
    s.amperage = 10.0
    s.bus.step(s.clock.now + 1)
    s.bus.step(s.clock.now + 1)       # reads 1000 = 10, 1001 = 16
    assert s.sample.value.signaled_amperage == 16.0 and not s.sample.value.unsafe
    s.board._update = real
    s.run(1.0)
    assert s.sample.counters['objections'] == 0


def test_a_current_set_by_hand_is_objected_to():
    s = Setting()
    s.offer(10.0)
    s.board[1000] = 20                # the board's button
    s.run(0.5)
    assert 'set by hand' in s.sample.error
    s.run(2.0)
    assert s.board.offered == 10.0


def test_a_power_on_current_that_came_back_is_put_to_0_without_ending_the_offer():
    s = Setting()
    s.offer(16.0)
    s.board[2000] = 32
    s.run(3.0)
    assert s.board[2000] == 0 and s.writes() == [16]


def test_a_board_that_loses_its_unit_again_and_again_is_left_alone_in_the_end():
    s = fine()
    s.amperage = 16.0
    for _ in range(12):
        s.run(12.0)
        s.board[2005] = 0
    assert len(s.writes(2005)) == 5   # EEPROM
    s.run(30.0)
    assert s.board.offered == 0.0 and s.sample.value.unsafe


# -- the link ------------------------------------------------------------------------------------
def test_a_silent_board_is_asked_steadily_and_checked_when_it_is_back():
    s = Setting()
    s.offer(16.0)
    before = s.sample
    s.line.dead = True
    s.run(30.0)
    assert s.sample.error == 'does not answer'
    assert (s.sample.value, s.sample.at) == (before.value, before.at)
    asked = [r.at for r in s.line.log if r.at > s.clock.now - 10.0]
    assert max(b - a for a, b in pairwise(asked)) < 1.2
    s.board.put(3, 2000, 32)          # power was cut: it offers 32 A by itself
    s.board.boot()
    s.line.dead = False
    back = len(s.line.log)
    start = s.clock.now
    while s.board.offered > 16.0:
        s.feed()
        s.bus.step(s.clock.now + 0.05)
    assert s.clock.now - start < 1.2
    s.run(5.0)
    assert (2000, 18) in [(r.address, r.count) for r in s.line.log[back:back + 5]]
    assert s.board.offered == 16.0


def test_after_a_silence_the_unit_is_read_before_the_offer_rises():
    s = fine()
    s.offer(16.0)
    s.line.dead = True
    s.offer(20.0, 5.0)
    s.line.dead = False
    back = len(s.line.log)
    s.run(2.0)
    assert [(r.function, r.address) for r in s.line.log[back:back + 3]] == [
        (3, 1000), (3, 2000), (16, 1000)]
    assert s.board.offered == 20.0


def test_the_configuration_is_changed_only_while_nothing_is_offered():
    s = fine()
    s.offer(16.0)
    s.pilot.line_down('unplugged')
    s.board[2005] = 0

    def update():                     # 1001 and 1006 do not show it
        s.board.put(3, 1001, s.board.registers[3, 1000])
        s.board.put(3, 1006, 2 if s.board.registers[3, 1000] else 1)
    s.board._update = update
    s.pilot.line_up()
    back = len(s.line.log)
    s.run(1.0)
    assert [(r.address, r.values) for r in s.line.log[back:] if r.function == 16] == [
        (1000, (0,)), (2005, (FINE_BIT,))]


def test_an_unplugged_adapter_for_a_moment_does_not_end_the_offer():
    s = fine()
    s.offer(16.0)
    s.pilot.line_down('unplugged')
    assert s.sample.error == 'unplugged'
    s.clock.now += 0.6
    s.pilot.line_up()
    checked = len(s.line.log)
    s.run(2.0)
    assert s.writes() == [1600] and s.board.offered == 16.0
    assert [r.address for r in s.line.log[checked:checked + 2]] == [1000, 2000]
    assert s.sample.counters['reconnects'] == 1 and s.sample.error == ''


def test_closing_says_no_offer_and_ends(monkeypatch):
    s = Setting()
    s.offer(16.0)

    def serve():
        while s.bus.step(s.clock.now + 0.2):
            pass
    monkeypatch.setattr(s.bus, 'wake', serve)
    s.pilot.close()
    assert s.writes()[-1] == 0 and s.board.offered == 0.0
    assert s.bus.device is None
    s.pilot.close()


def test_an_offer_that_is_under_way_is_not_taken_for_the_farewell():
    s = Setting()
    s.offer(16.0)
    real = s.line.write

    def write(*args):
        s.pilot._closing = True       # close() comes while 10 A is being written
        real(*args)
    s.line.write = write
    s.pilot.offer(10.0)
    s.bus.step(s.clock.now + 1)
    assert s.writes()[-1] == 10 and not s.pilot._said_farewell.is_set()
    s.bus.step(s.clock.now + 1)
    assert s.writes()[-1] == 0 and s.pilot._said_farewell.is_set()


def test_the_contactor_is_opened_under_load_and_released_later():
    s = Setting()
    s.offer(16.0)
    s.amperage = None
    s.run(1.0)
    for _ in range(10):               # the node repeats it while the board says closed
        s.pilot.open_contactor()
        s.run(0.05)
    assert s.writes(1004) == [1] and s.board[1004] == 1
    s.run(2.0)
    assert s.writes(1004) == [1, 0]
    s.offer(16.0, 1.0)
    assert s.board.offered == 16.0


# -- what the board says -------------------------------------------------------------------------
@pytest.mark.parametrize(('vehicle', 'letter'), [
    (1, 'A'), (2, 'B'), (3, 'C'), (4, 'D'), (5, 'F'), (0, 'S'), (9, 'S')])
def test_vehicle_states(vehicle, letter):
    s = Setting(Evse(vehicle=vehicle))
    s.run(1.0)
    assert s.sample.value.letter == letter
    assert bool(s.sample.value.error) == (letter in 'FS')
    assert s.sample.value.error_cause == ('BoardFault' if letter in 'FS' else '')
    assert not s.sample.value.unsafe and s.sample.error == ''


@pytest.mark.parametrize(('status', 'letter', 'cause'), [
    (0b1, 'C', ''), (0b10, 'R', 'CpDiodeShortCircuit'), (0b100, 'C', 'VentilationNotAvailable'),
    (0b1000, 'C', ''), (0b100000, 'C', 'BoardFault')])
def test_status_bits(status, letter, cause):
    s = Setting()
    s.board[1007] = status
    s.run(1.0)
    reading = s.sample.value
    assert (reading.letter, reading.error_cause) == (letter, cause)
    assert reading.contactor_commanded is bool(status & 1) and reading.contactor_closed is None
    assert bool(reading.error) == bool(cause)


def test_offer_and_cable_are_what_the_board_reads():
    s = Setting()
    s.board[1003] = 20
    s.offer(13.0)
    assert s.sample.value.signaled_amperage == 13.0
    assert s.sample.value.cable_amperage == 20.0
    s.board[1002] = 1                 # unplugged: it holds 13 A and offers nothing
    s.run(0.5)
    assert s.sample.value.signaled_amperage == 0.0
    assert s.sample.value.letter == 'A' and s.sample.error == ''


def test_a_current_without_pwm_is_no_offer():
    s = Setting()
    s.offer(13.0)
    s.board._update = lambda: None
    for steady_or_off in (1, 3):
        s.board.registers[3, 1006] = steady_or_off
        s.run(0.5)
        assert s.sample.value.signaled_amperage == 0.0
    s.board.registers[3, 1006] = 2
    s.run(0.5)
    assert s.sample.value.signaled_amperage == 13.0


def test_a_tethered_cable_has_no_rating():
    s = Setting(tethered=True)
    s.board[1003] = 5
    s.run(1.0)
    assert math.isnan(s.sample.value.cable_amperage)
    s = Setting()
    s.board[1003] = 0
    s.run(1.0)
    assert math.isnan(s.sample.value.cable_amperage)
