"""An OpenEVSE, simulated from its firmware's source, as its own log tells it."""

import pytest
from board_cases import CASES, TOLD, above, facts
from board_on_clock import BoardOnClock
from openevse_on_clock import asked, charging, closings, is_hot, leaks, no_ground, sound

from charger_control.drivers.interfaces import KeptFault
from charger_control.nodes.iso61851_drive import CurrentDrive
from charger_control.sim.boards.openevse_rules import Flag, State

EXPECTED = {
    'plugged in while asleep': {'seen': 'B', 'offered asleep': 0.0, 'then': TOLD, 'charges': True},
    'unplugged while asleep': {'seen': 'A', 'next': 'B', 'offered': 0.0},
    # a pilot shorted under a duty cycle is a failed diode check, and that a hard fault
    'fault while charging': {'fault': 'CpDiodeShortCircuit', 'opened': True,
                             'closings into it': 0, 'then': 0.0},
    'reset': {'s above told': 0.0, 'highest': TOLD, 'then': TOLD},
    'silent': {'offered meanwhile': 6.0, 'ours': None, 's above told': 0.0, 'then': TOLD},
    'a vehicle that sleeps': {'woken': 1, 'charges': True, 'said': False},
}


@pytest.mark.parametrize('case', CASES)
def test_what_the_boards_log_says(case):
    found = facts(case, BoardOnClock('openevse'))
    assert found.pop('withdrawn after', 0.0) <= 0.6
    assert found == EXPECTED[case]


FAULTS = {'residual current': leaks, 'no ground': no_ground, 'too hot': is_hot}


@pytest.mark.parametrize('fault', FAULTS)
def test_a_fault_stays_until_the_vehicle_leaves_and_nothing_starts_the_board_into_it(fault):
    b = charging()
    FAULTS[fault](b.point.board)
    since = b.clock.now
    b.run(200.0)
    memory = b.point.board.memory
    assert b.faults[-1] == 'BoardFault' and b.faults.count('BoardFault') == 1
    assert closings(b, since) == 0 and not b.point.plant.contactor.closed
    assert max(memory.gfi_trips, memory.ground_trips) <= 1, 'one entry, one count in its EEPROM'
    if fault != 'too hot':          # it is deaf for 5 s then, and what is silent is put to sleep
        assert asked(b, since, 'FS', 'FD', 'FE') == []
        assert fault in b.sample.value.error
    sound(b.point.board)
    b.run(60.0)
    assert b.offered == 0.0 and b.sample.value.error
    b.do('unplug').run(3.0)
    assert b.letters[-1] == 'A' and not b.sample.value.error
    b.do('plug_in', vehicle='ideal', cable=32).run(10.0)
    assert b.offered == TOLD and b.point.board.relay


@pytest.mark.parametrize('fault', ['residual current', 'no ground'])
def test_after_the_boards_own_retry_an_operator_has_to_reset_it(fault):
    b = charging()
    b.run(5.0)
    FAULTS[fault](b.point.board)
    b.run(2.0)
    assert b.pilot.reset_fault() is True
    b.run(2.0)
    assert fault in b.sample.value.error, 'it comes back while the board has it'
    sound(b.point.board)
    since = b.clock.now
    b.run(320.0)                    # GFI_TIMEOUT is 300 s
    assert b.point.board.evse == State.SLEEPING and closings(b, since) == 0
    assert fault in b.sample.value.error and b.offered == 0.0
    assert b.pilot.reset_fault() is True and b.pilot.reset_fault() is False
    b.run(5.0)
    assert b.offered == TOLD and b.point.board.relay and b.faults[-1] == ''


def test_a_board_met_in_a_fault_is_not_put_to_sleep():
    b = charging()
    leaks(b.point.board)
    b.run(1.0)
    b.pilot.line_down('unplugged')
    since = b.clock.now
    b.pilot.line_up()
    b.run(10.0)
    assert asked(b, since, 'FS') == [] and b.point.board.evse == State.GFCI_FAULT


def test_a_hard_fault_beneath_sleep_is_a_fault():
    b = charging()
    b.do('short_pilot').run(1.0)
    b.point.board.sleep(b.clock.now)
    b.pilot.reset_fault()
    b.run(30.0)
    assert b.point.board.flags & Flag.HARD_FAULT and b.offered == 0.0
    assert b.sample.value.error_cause == 'BoardFault'
    assert 'only unplugging ends' in b.sample.value.error


def test_a_state_00_offers_nothing_and_a_shorted_pilot_is_named():
    b = BoardOnClock('openevse').start().run(4.0)
    b.do('short_pilot')
    b.amperage = TOLD
    b.run(30.0)
    assert b.highest() == 0.0 and b.faults[-1] == 'CpShortCircuit' and b.letters[-1] == 'E'
    since = b.clock.now
    b.run(60.0)
    assert asked(b, since, 'FE', 'FS') == []
    b.do('short_pilot', active=False).run(5.0)
    assert b.letters[-1] == 'A' and b.faults[-1] == ''


@pytest.mark.parametrize('lost', [0, 1, 2])
def test_a_missed_heartbeat_never_lifts_the_offer(lost):
    b = charging()
    since = b.clock.now
    b.point.board.triggered = 2                                         # it missed a pulse
    b.point.board.set_capacity(since, 6, volatile=True)
    original, told = b.line.ask, []

    def ask(command, answer_time):
        if told or command == 'SY':
            told.append(command)
            if len(told) > 1 and len(told) <= 1 + lost:
                b.line.lost = 1                                         # what follows the NK
        return original(command, answer_time)

    b.line.ask = ask
    b.run(20.0)
    assert b.highest(since + 0.001) == TOLD and b.offered == TOLD
    assert 'SY 165' not in told and b.sample.counters['missed_heartbeats'] == 1


def test_what_is_written_into_its_memory_is_counted_and_said():
    b = charging()
    assert b.point.board.memory.writes == 2 and b.sample.counters['set_up_writes'] == 1
    assert b.sample.identity['supervision_before'] == '0 0'
    assert 'kept in its EEPROM' in b.sample.identity['dead_man']
    b.do('reset_board').run(20.0)
    assert b.point.board.memory.writes == 2 and b.sample.counters['set_up_writes'] == 1


@pytest.mark.parametrize(('put', 'by'), [('press_button', 'its button'),
                                         ('reach_limit', 'a limit of its own')])
def test_put_to_sleep_by_itself_it_says_so_and_is_woken_a_few_times(put, by):
    b = charging()
    for delay in (30.0, 120.0, 600.0):
        since = b.clock.now
        getattr(b.point.board, put)(since)
        b.run(delay - 5.0)
        assert b.offered == 0.0 and asked(b, since, 'FE') == []
        assert by in b.sample.error and f'after {delay:.0f} s' in b.sample.error
        b.run(10.0)
        assert asked(b, since, 'FE') == ['FE'] and b.offered == TOLD and b.sample.error == ''
    since = b.clock.now
    getattr(b.point.board, put)(since)
    b.run(1200.0)
    assert asked(b, since, 'FE') == [] and 'press its button' in b.sample.error
    b.amperage = None
    b.run(5.0)
    b.amperage = TOLD
    b.run(5.0)
    assert b.offered == TOLD and b.sample.counters['woken'] == 3


def test_state_d_is_no_offer():
    b = charging()
    b.do('set_vehicle', vehicle={'ventilation': True}).run(3.0)
    value = b.sample.value
    assert (value.letter, value.signaled_amperage, b.offered) == ('D', 0.0, 0.0)
    assert value.error_cause == 'VentilationNotAvailable'


def test_its_word_on_the_contactor_is_the_command_and_a_welded_one_is_left_to_the_meter():
    b = charging()
    b.do('weld')
    b.amperage = None
    b.run(8.0)
    assert b.point.plant.contactor.closed and not b.point.board.relay
    assert b.sample.value.contactor_closed is None


def test_with_older_firmware_there_is_no_offer_and_a_reason():
    b = BoardOnClock('openevse', board={'old_rapi': True}).start().run(4.0)
    b.do('plug_in', vehicle='ideal', cable=32)
    b.amperage = TOLD
    b.run(60.0)
    assert asked(b, 0.0, 'FE') == [] and b.point.board.evse == State.SLEEPING
    assert 'RAPI 5' in b.sample.error


def test_the_service_that_resets_a_fault_reaches_the_one_that_the_driver_keeps():
    b = charging()
    drive = CurrentDrive(b.pilot, {
        'phases': 3, 'present_hold': 0.0, 'stop_time': 6.0, 'socket': False, 'meter_timeout': 3.0,
        'pace': 0.0, 'wake_up.attempts': 2, 'wake_up.after': 30.0, 'wake_up.time': 4.0,
        'wake_up.long_time': 30.0, 'clear_time': 30.0, 'over_current_time': 7.0, 'meter_lag': 1.0,
        'ventilation': False}, '')
    assert drive.reset_fault() is False
    leaks(b.point.board)
    b.run(1.0)
    assert drive.reset_fault() is True


@pytest.mark.parametrize(('told', 'jumps'), [
    (20.0, {66.0: 16.0, 69.0: 8.0, 60.0: 20.0}),    # half, a quarter, cool again
    (20.0, {69.0: 8.0, 66.0: 8.0, 62.0: 20.0}),
    (12.0, {66.0: 12.0, 60.0: 12.0}),               # half is more than told: told again
])
def test_a_jump_of_temperature_lifts_the_offer_for_no_more_than_a_poll(told, jumps):
    """Its EEPROM has 32 A: hot it takes 16 or 8 of them, cool again all, whatever it was told."""
    b = charging()
    b.amperage = told
    b.run(10.0)
    since = b.clock.now
    for temperature, offers in jumps.items():
        b.point.board.temperature = temperature
        b.run(10.0)
        assert b.offered == offers and b.point.board.relay and b.faults[-1] == ''
        assert b.sample.value.signaled_amperage == offers
    assert above(b, told, since) <= 0.25 * len(jumps)


def test_a_jump_to_panic_opens_and_stays_so_when_it_is_cool_again():
    b = charging()
    since = b.clock.now
    is_hot(b.point.board)
    b.run(0.1)
    assert b.offered == 0.0
    b.run(10.0)
    assert not b.point.plant.contactor.closed and b.faults[-1] == 'BoardFault'
    sound(b.point.board)
    b.run(120.0)
    assert closings(b, since) == 0 and b.highest(since) == 0.0
    assert b.faults[-1] == 'BoardFault' and b.sample.counters['board_faults'] == 1


def test_a_fault_that_an_earlier_process_kept_is_kept():
    """Put to sleep by whoever ended it, the board says nothing of it any more."""
    b = BoardOnClock('openevse').start().run(4.0)
    b.do('plug_in', vehicle='ideal', cable=32)
    b.pilot.keep_fault(KeptFault('residual current (GFCI)', 'BoardFault'))
    b.amperage = TOLD
    since = b.clock.now
    b.run(60.0)
    assert asked(b, since, 'FE') == [] and b.faults[-1] == 'BoardFault'
    assert b.pilot.kept_fault().words == 'residual current (GFCI)'
    b.do('unplug').run(3.0)
    assert b.pilot.kept_fault() is None
    b.do('plug_in', vehicle='ideal', cable=32).run(10.0)
    assert b.offered == TOLD
