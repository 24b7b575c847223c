"""The simulated OpenEVSE and Phoenix Contact boards, through their protocols, on a fake clock."""

from __future__ import annotations

import pytest
from board_world import World

from charger_control.sim.boards.openevse import OpenEvse, sealed
from charger_control.sim.boards.phoenix import PhoenixEthernet, PhoenixSerial
from charger_control.sim.lines.faults import Fault


@pytest.fixture
def openevse() -> World:
    return World(OpenEvse)


def test_openevse_checks_the_checksum_and_repeats_the_sequence_number(openevse: World) -> None:
    assert openevse.say('$GV^35\r') == ['$OK 8.2.3 5.2.1^2F']
    (line,) = openevse.say(sealed('$GV :1F').decode())
    assert line.partition('^')[0] == '$OK 8.2.3 5.2.1 :1F'
    assert openevse.say('$GV^36\r') == [sealed('$NK').decode().strip()]
    assert openevse.say('$SC 16^13\r')[0].startswith('$OK 16')


def test_openevse_offers_by_itself_after_a_start_and_says_so(openevse: World) -> None:
    openevse.live(0.2)
    assert openevse.board.offered == 0.0        # DELAY_STATE_TRANSITION is 0.25 s
    openevse.live(0.2)
    assert openevse.board.offered == 32.0
    assert openevse.say('$FS^31\r') == ['$OK^20']
    openevse.live(0.1)
    assert openevse.board.offered == 0.0
    openevse.board.reset(openevse.now, 'power')
    openevse.board.forget()
    openevse.live(1.5)
    said = openevse.board.step_line(openevse.now).decode()
    assert '$AB' in said and '$AT' in said and openevse.board.offered == 32.0


def test_openevse_falls_back_and_acknowledged_takes_its_eeproms_current(
        openevse: World) -> None:
    assert openevse.say(sealed('$SY 5 6').decode())[0].startswith('$OK 5 6 0')
    openevse.say(sealed('$SC 16 V').decode())
    openevse.live(4.0)
    assert openevse.board.offered == 16.0
    openevse.live(1.5)
    assert openevse.board.offered == 6.0
    assert openevse.say('$SY^2E\r')[0].startswith('$NK')
    openevse.live(0.1)
    assert openevse.board.offered == 6.0
    openevse.say('$SY 165^3C\r')            # HsAckMissedPulse, HsRestoreAmpacity
    assert openevse.board.offered == 32.0


def test_openevse_clamps_and_says_what_it_took(openevse: World) -> None:
    assert openevse.say(sealed('$SC 4 V').decode())[0].startswith('$NK 6')
    assert openevse.board.set_amperage == 6.0


def test_openevse_faults_spoil_its_answers(openevse: World) -> None:
    good = openevse.say('$GC^20\r')
    for kind in ('silence', 'no_answer'):
        openevse.faults.set(Fault(kind, count=1), openevse.now)
        assert openevse.say('$GC^20\r') == []
    for kind in ('bad_crc', 'half_frame', 'garbage', 'exception', 'wrong_id', 'wrong_function'):
        openevse.faults.set(Fault(kind, count=1), openevse.now)
        assert openevse.board.faults.active() == [kind]
        openevse.board.feed(openevse.now, b'$GC^20\r')
        assert (good[0] + '\r').encode() not in openevse.board.step_line(openevse.now), kind


def test_phoenix_serial_enables_by_its_coil_only_in_mode_3() -> None:
    world = World(PhoenixSerial)
    world.live(0.1)
    assert world.board.offered == 32.0, 'input EN is on, the cable carries 32 A'
    assert world.ask('06 0fa0 0003') == '06 0f a0 00 03'
    world.live(0.1)
    assert world.board.offered == 0.0
    assert world.ask('06 55f0 0010') == '06 55 f0 00 10'
    assert world.ask('05 4e20 ff00') == '05 4e 20 ff 00'
    world.live(3.0)
    assert world.board.offered == 16.0 and world.board.relay
    assert world.ask('03 5dc0 0004') == '03 08 43 32 00 20 00 1b 00 10'      # C2, 32 A, 27 %, 16 A
    assert world.ask('06 55f0 0040') == '86 03', '64 A is too much'
    world.board.reset(world.now, 'power')
    world.live(2.0)
    assert world.board.offered == 0.0, 'the coil is volatile, the mode is kept'


def test_phoenix_ethernet_needs_dip_10_and_keeps_its_coils() -> None:
    world = World(PhoenixEthernet)
    world.live(0.1)
    assert world.board.offered == 0.0
    world.ask('06 012c 000d')
    world.ask('05 0190 ff00')
    world.live(3.0)
    assert world.board.offered == 13.0
    assert world.ask('04 0064 0002') == '04 04 00 43 00 20'
    assert world.ask('02 00cc 0001') == '02 01 01', 'the contactor is closed'
    world.ask('05 0192 0000')
    world.live(0.2)
    assert not world.board.relay and world.ask('04 0064 0001') == '04 02 00 46'
    world.ask('05 0192 ff00')
    world.board.eeprom.write(104, 0)
    world.ask('05 0190 0000')
    world.live(0.2)
    assert world.board.offered == 13.0, 'without DIP 10 it does not ask'
