"""An OpenEVSE, simulated from its firmware's source, as its own log tells it."""

from itertools import pairwise

import pytest
from board_cases import CASES, TOLD, facts
from board_on_clock import BoardOnClock

from charger_control.nodes.pilot_drive import CurrentDrive
from charger_control.sim.openevse_rules import Flag, State
from charger_control.sim.pilot_board import OFF

EXPECTED = {
    'plugged in while asleep': {'seen': 'B', 'offered asleep': 0.0, 'then': TOLD, 'charges': True},
    'unplugged while asleep': {'seen': 'A', 'next': 'B', 'offered': 0.0},
    # a pilot shorted under a duty cycle is a failed diode check, and that a hard fault
    'fault while charging': {'fault': 'CpDiodeShortCircuit', 'opened': True,
                             'closings into it': 0, 'then': 0.0},
    'reset': {'s above told': 0.0, 'highest': TOLD, 'then': TOLD},
    'silent': {'offered meanwhile': 6.0, 'ours': None, 's above told': 0.0, 'then': TOLD},
}


@pytest.mark.parametrize('case', CASES)
def test_what_the_boards_log_says(case):
    found = facts(case, BoardOnClock('openevse'))
    assert found.pop('withdrawn after', 0.0) <= 0.6
    assert found == EXPECTED[case]


def charging(**options):
    b = BoardOnClock('openevse', **options).start().run(4.0)
    b.do('plug_in', vehicle='ideal', cable=32)
    b.amperage = TOLD
    b.run(10.0)
    assert b.offered == TOLD and b.point.board.relay, (b.sample, b.point.board.truth())
    return b


def waiting(vehicle, **options):
    """A vehicle that sleeps has just been offered TOLD."""
    b = BoardOnClock('openevse', **options).start().run(4.0)
    b.do('plug_in', vehicle=vehicle, cable=32)
    b.amperage = TOLD
    return b.run(2.0)


def pulses(b, since=0.0):
    """s of each time that the board showed state F, in its own log, and was offering again."""
    return [round(after['t'] - at['t'], 1) for at, after in pairwise(b.events('offer'))
            if at['t'] >= since and at['evse_state'] == OFF]


def asked(b, since, *commands):
    return [command for at, command in b.line.asked if at >= since and command in commands]


def closings(b, since):
    return sum(event['closed'] for event in b.events('relay') if event['t'] > since)


def leaks(board):
    board.leaks = True


def no_ground(board):
    board.grounded = False


def is_hot(board):
    board.temperature = 72.0


def sound(board):
    board.leaks, board.grounded, board.temperature = False, True, 25.0


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


@pytest.mark.parametrize(('vehicle', 'shown'), [('sleeping', [4.0]), ('hard_to_wake', [4.0, 30.0])])
def test_a_vehicle_that_sleeps_is_woken_by_state_f(vehicle, shown):
    """48 min in B with the offer standing, and no state F, before."""
    b = waiting(vehicle)
    b.run(120.0)
    assert [round(time) for time in pulses(b)] == shown
    assert b.offered == TOLD and b.point.board.relay and b.letters[-3:] == ['A', 'B', 'C']
    assert not [entry for entry in b.events('contactor') if not entry['closed']], 'none under load'
    assert b.sample.counters['vehicle_woken'] == len(shown)
    assert b.sample.counters['contactor_opened'] == 0 and b.faults == ['']


def test_a_full_vehicle_is_woken_twice_and_then_it_is_said_that_it_does_not_react():
    b = waiting('full')
    b.run(200.0)
    assert len(pulses(b)) == 2 and 'not woken by state F' in b.block.note


def test_one_that_leaves_while_it_is_woken_is_seen_to_leave():
    b = waiting('hard_to_wake').run(75.0)
    assert b.point.board.evse == State.DISABLED and b.letters[-1] == 'B'
    b.do('unplug').run(32.0)
    assert b.letters[-1] == 'A' and b.offered == 0.0


def test_waking_opens_no_contactor_under_load():
    """Asked for just as the vehicle closes S2, and while it charges."""
    b = waiting('sleeping').run(20.0)
    b.do('set_vehicle', vehicle={'asleep': False})
    while b.point.board.letter == 'B':
        b.run(0.05)
    b.pilot.wake(4.0)
    b.run(20.0)
    assert b.offered == TOLD and b.point.board.relay
    since = b.clock.now
    b.pilot.wake(4.0)
    b.run(10.0)
    assert asked(b, since, 'FD') == [] and b.point.board.relay
    assert all(event['closed'] or event['amperage'] < 1.0 for event in b.events('contactor'))


@pytest.mark.parametrize('when', ['before', 'during'])
def test_waking_ends_with_the_offer(when):
    b = waiting('sleeping').run(27.0 if when == 'before' else 30.0)
    dark = b.point.board.evse == State.DISABLED
    b.amperage = None
    since = b.clock.now
    if when == 'before':
        b.pilot.wake(4.0)
    b.run(60.0)
    assert dark == (when == 'during') and asked(b, since, 'FD', 'FE') == []
    assert b.point.board.evse == State.SLEEPING and b.letters[-1] == 'B'


def test_waking_ends_with_the_block():
    """Nobody asks any more while the board shows state F."""
    b = waiting('sleeping').run(30.0)
    assert b.point.board.evse == State.DISABLED
    b.bus.run(1.2)
    assert b.point.board.evse == State.SLEEPING and b.sample.counters['dead_man'] == 1


def test_a_fault_is_not_cleared_by_waking():
    b = charging()
    leaks(b.point.board)
    b.run(2.0)
    since = b.clock.now
    b.pilot.wake(4.0)
    b.run(10.0)
    assert asked(b, since, 'FD', 'FE', 'FS') == [] and b.point.board.evse == State.GFCI_FAULT
    sound(b.point.board)
    assert b.pilot.reset_fault() is True
    b.run(320.0)
    assert pulses(b, since) == [], 'what was asked for then is forgotten'


@pytest.mark.parametrize('lost', [1, 2, 3])
def test_a_lost_order_leaves_no_board_in_state_f(lost):
    b = waiting('sleeping').run(28.0)
    original = b.line.ask

    def ask(command, answer_time):
        if command in ('FD', 'FE') and lost_ones:
            b.line.lost = lost_ones.pop()
        return original(command, answer_time)

    lost_ones = [1] * lost
    b.line.ask = ask
    b.run(60.0)
    assert lost_ones == [] and b.offered == TOLD and b.point.board.evse != State.DISABLED
