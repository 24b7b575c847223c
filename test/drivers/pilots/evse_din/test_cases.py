"""An EVSE-DIN of each firmware, simulated from its sources, as its own log tells it."""

import pytest
from board_cases import CASES, TOLD, facts
from board_on_clock import BoardOnClock

FIRMWARE = {
    '18': {}, '18, 0.01 A': {'fine_steps': True},
    '17, 0.01 A': {'board': {'firmware': 17}, 'fine_steps': True},
    '15': {'board': {'firmware': 15}},
    '15, no answer instead of a refusal': {'board': {'firmware': 15, 'silent_refusals': True}},
    '10': {'board': {'firmware': 10}},
}
EXPECTED = {
    'plugged in while asleep': {'seen': 'B', 'offered asleep': 0.0, 'then': TOLD, 'charges': True},
    'unplugged while asleep': {'seen': 'A', 'next': 'B', 'offered': 0.0},
    'fault while charging': {'fault': 'BoardFault', 'opened': True, 'closings into it': 0,
                             'then': TOLD},
    'reset': {'s above told': 0.0, 'highest': TOLD, 'then': TOLD},
    'silent': {'offered meanwhile': TOLD, 'ours': None, 's above told': 0.0, 'then': TOLD},
    'a vehicle that sleeps': {'woken': 0, 'charges': False, 'said': True},
}


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('firmware', FIRMWARE)
def test_what_the_boards_log_says(firmware, case):
    found = facts(case, BoardOnClock('evse_din', **FIRMWARE[firmware]))
    assert found.pop('withdrawn after', 0.0) <= 0.6     # the line's own retry
    assert found == EXPECTED[case]


# -- B1: older firmware, reads that are refused or not answered -----------------------------------
def with_an_offer_of_its_own(**board):
    """A board that offers 32 A since it has power, and a vehicle that charges with them."""
    b = BoardOnClock('evse_din', board=board)
    b.do('plug_in', vehicle='ideal', cable=32).run(10.0)
    assert b.offered == 32.0 and b.point.board.relay
    return b


@pytest.mark.parametrize('board', [
    {'firmware': 18}, {'firmware': 15}, {'firmware': 15, 'silent_refusals': True}])
def test_an_offer_found_is_withdrawn_by_the_first_request_whatever_the_firmware(board):
    b = with_an_offer_of_its_own(**board).start()
    b.run(0.1)
    assert b.line.log[0].values == (0,) and b.offered == 0.0
    b.run(10.0)
    assert b.highest(b.clock.now - 10.0) == 0.0 and not b.point.board.relay


def test_an_offer_is_withdrawn_from_a_board_that_obeys_but_answers_no_read():
    b = with_an_offer_of_its_own(firmware=18)
    b.line.deaf = {3}
    b.start().run(10.0)
    assert b.offered == 0.0 and b.sample.value is None
    assert 'does not answer' in b.sample.error


def test_an_offer_of_ours_is_withdrawn_when_reads_are_not_answered_any_more():
    b = BoardOnClock('evse_din').start().run(4.0)
    b.do('plug_in', vehicle='ideal', cable=32)
    b.amperage = TOLD
    b.run(10.0)
    b.line.deaf = {3}
    b.run(3.0)
    assert b.offered == 0.0


def test_a_board_that_acknowledges_no_write_is_read_all_the_same():
    b = with_an_offer_of_its_own(firmware=18)
    b.line.deaf = {16}          # it obeys, and does not say so
    b.start().run(5.0)
    assert b.offered == 0.0 and b.sample.identity['firmware'] == '18'
    b.line.deaf.clear()
    b.amperage = TOLD
    b.run(10.0)
    assert b.offered == TOLD and b.sample.error == ''


def test_older_firmware_is_asked_for_7_and_8_registers_and_knows_no_contactor():
    b = BoardOnClock('evse_din', board={'firmware': 12}).start().run(5.0)
    reads = {(r.address, r.count) for r in b.line.log if r.at > b.clock.now - 3.0}
    assert reads == {(1000, 7), (2000, 8)}
    assert b.sample.error == '' and b.sample.value.contactor_commanded is None
    assert b.sample.identity['firmware'] == '12'


@pytest.mark.parametrize('kind', ['timeouts', 'exceptions', 'crc_errors'])
def test_a_lost_answer_does_not_cost_a_newer_board_its_status_bits(kind):
    b = BoardOnClock('evse_din')
    b.line.failures.extend([None, kind])        # the write, the first read
    b.start().run(3.0)
    assert b.sample.value.contactor_commanded is False
    assert b.line.log[-1].count in (10, 18)


# -- 0.01 A: the board is asked --------------------------------------------------------------------
def test_a_firmware_that_keeps_the_bit_but_counts_in_amperes_never_offers_more_than_6_a():
    """Firmware 17, where sources differ: 1600 would ask it for its maximum."""
    b = BoardOnClock('evse_din', board={'firmware': 17, 'fine_firmware': 18}, fine_steps=True)
    b.do('plug_in', vehicle='ideal', cable=32)
    b.start()
    b.run(1.0)
    since = b.clock.now
    b.amperage = TOLD
    b.run(60.0)
    assert b.highest(since) == 6.0 and b.offered == 0.0
    assert 'counts in whole amperes: set fine_steps to false' in b.sample.error
    tests = [event for event in b.events('offer') if event['amperage'] and event['t'] > since]
    assert len(tests) == 1, 'it is not asked again and again'


def test_a_firmware_that_counts_by_the_bit_is_asked_once():
    b = BoardOnClock('evse_din', fine_steps=True).start().run(3.0)
    b.do('plug_in', vehicle='ideal', cable=32)
    b.amperage = 7.77
    b.run(5.0)
    assert b.offered == 7.77
    for amperage in (None, 12.34, None, 6.0):
        b.amperage = amperage
        b.run(10.0)
    assert [r.values[0] for r in b.line.log if r.address == 1000 and r.function == 16] == [
        0, 6, 777, 0, 1234, 0, 600]
    assert [event['amperage'] for event in b.events('offer')] == [7.77, 0, 12.34, 0, 6.0]


# -- disable after charge, switched off by hand ----------------------------------------------------
def test_disable_after_charge_is_cleared_so_that_a_paused_vehicle_charges_again():
    b = BoardOnClock('evse_din', registers={'configuration': 1 << 13 | 0x209}).start().run(4.0)
    b.do('plug_in', vehicle='ideal', cable=32)
    for _ in range(3):
        b.amperage = TOLD
        b.run(20.0)
        assert b.offered == TOLD
        b.amperage = None
        b.run(10.0)
    assert b.point.board.eeprom[2005] == 0x209


def test_disable_after_charge_is_refused_if_it_must_not_be_written():
    b = BoardOnClock('evse_din', registers={'configuration': 1 << 13, 'power_on_current': 0},
                     set_power_on_current=False).start().run(4.0)
    assert b.sample.value.unsafe and '2005 bit 13' in b.sample.error


def test_a_board_that_is_off_by_itself_says_so():
    b = BoardOnClock('evse_din').start().run(4.0)
    b.do('plug_in', vehicle='ideal', cable=32)
    b.amperage = TOLD
    b.run(10.0)
    b.point.board._spent = True         # its button, 2005 bit 1
    b.run(3.0)
    assert b.sample.error.startswith('it is off (1006) though told 10 A')
    b.point.board._spent = False
    b.run(1.0)
    assert b.sample.error == '' and b.offered == TOLD
