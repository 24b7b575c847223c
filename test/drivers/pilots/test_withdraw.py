"""Withdrawing the offer of a board whose process was killed."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from fake_devices import FINE_BIT, Evse, Sdm630
from fake_rtu import Line, exception, late, silence, wrong_crc

from charger_control.drivers import registry

CONTROL = '''
import sys, time
from charger_control.drivers import registry
buses = registry.Buses()
meter = registry.open_meter({'driver': 'sdm630', 'port': sys.argv[1], 'unit': 2}, buses)
pilot = registry.open_pilot({'driver': 'evse_din', 'port': sys.argv[1]}, buses)
meter.start(); pilot.start()
while True:
    pilot.offer(16.0)
    time.sleep(0.05)
'''


@pytest.fixture
def board():
    board = Evse(1)
    board[1000] = 16
    assert board.offered == 16.0
    return board


@pytest.fixture
def fake(link, board):
    with Line(link, {1: board, 2: Sdm630(2)}) as fake:
        yield fake


@pytest.fixture
def config(link):
    return {'driver': 'evse_din', 'port': str(link)}


def test_it_writes_0_and_reads_back(fake, board, config):
    assert registry.withdraw(config) == ''
    assert board.offered == 0.0
    assert [(r.function, r.address, r.values) for r in fake.log] == [
        (16, 1000, (0,)), (3, 1000, ())]


def test_it_works_in_either_unit(fake, board, config):
    board[2005], board[1000] = FINE_BIT, 1600
    assert registry.withdraw(config | {'fine_steps': True}) == ''
    assert board.offered == 0.0


@pytest.mark.parametrize('faults', [[silence], [wrong_crc], [exception(6)], [late(0.3)],
                                    [late(0.0), silence]])
def test_a_lost_answer_is_tried_again(fake, board, config, faults):
    fake.fault(1, *faults)
    assert registry.withdraw(config, within=2.0) == ''
    assert board.offered == 0.0


def test_a_board_that_goes_on_offering_is_reported(fake, board, config):
    board.deaf_to.add(1000)
    words = registry.withdraw(config, within=0.3)
    assert words.startswith('"no offer" was acknowledged, but not seen within 0.3 s: unit 1')
    assert 'still offers 16 A' in words
    assert len([r for r in fake.log if r.function == 16]) > 1


@pytest.mark.parametrize('refusal', ['refused', 'not answered'])
def test_a_board_of_older_firmware_is_read_back_by_the_registers_that_it_has(
        fake, board, config, refusal):
    for register in (1007, 1008, 1009):
        del board.registers[3, register]
    if refusal == 'not answered':
        fake.fault(1, late(0.0), silence)   # the write, the read of ten registers
    assert registry.withdraw(config, within=2.0) == ''
    assert board.offered == 0.0
    assert [r.count for r in fake.log if r.function == 3][-1] == 7


def test_an_acknowledged_withdrawal_that_cannot_be_read_back_is_said_so(fake, board, config):
    for register in range(1000, 1010):
        board.registers.pop((3, register))
    board.put(3, 1000, 16)                  # it takes the write and answers no read
    words = registry.withdraw(config, within=0.5)
    assert words.startswith('"no offer" was acknowledged, but not seen within 0.5 s: unit 1')
    assert board.registers[3, 1000] == 0


def test_a_dead_board_is_reported_in_time(fake, config):
    fake.always[1] = silence
    start = time.monotonic()
    assert 'does not answer' in registry.withdraw(config, within=0.5)
    assert time.monotonic() - start < 1.0


def test_a_port_that_is_not_there_is_reported(tmp_path):
    words = registry.withdraw({'driver': 'evse_din', 'port': str(tmp_path / 'x')}, within=0.05)
    assert 'is not there' in words


def test_it_takes_the_port_as_soon_as_the_killed_process_lets_go(fake, board, config):
    control = subprocess.Popen([sys.executable, '-c', CONTROL, config['port']])
    try:
        board[1000] = 0
        fake.wait_for(lambda r: r.values == (16,), timeout=20.0)
        count = len(fake.log)
        fake.wait_for(lambda r: r.unit == 2, since=count)   # in the middle of a transaction
        assert board.offered == 16.0
        killer = threading.Timer(0.1, os.kill, (control.pid, signal.SIGKILL))
        killer.start()
        start = time.monotonic() + 0.1
        assert registry.withdraw(config) == ''              # begins while the port is still taken
        assert board.offered == 0.0
        assert time.monotonic() - start < 1.0
        killer.join()
    finally:
        control.kill()
        control.wait()
