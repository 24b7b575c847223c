"""What every board must do, the same for all, over a real pty or TCP port."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from board_bench import BOARDS, board

from charger_control.drivers import registry
from charger_control.drivers.lines.port import SerialSettings, open_port

UNSAFE = {'evse_din': {'set_power_on_current': False},
          'phoenix_ev_ser': {'set_enable_mode': False}, 'phoenix_em_eth': {}}
"""Options under which the board as delivered must be refused."""
FAULTS = {'garbage': ('garbage', 'crc_errors', 'wrong_ids', 'wrong_answers', 'timeouts'),
          'bad_crc': ('crc_errors', 'garbage'), 'half_frame': ('garbage', 'timeouts'),
          'wrong_function': ('wrong_answers', 'late_answers'),
          'wrong_id': ('wrong_ids', 'late_answers'), 'exception': ('exceptions',),
          'short_answer': ('wrong_answers', 'garbage', 'objections'),
          'no_answer': ('timeouts',)}
"""The counters of which one must rise, by the fault."""


def on_every_board(test):
    """Runs the test on all boards at once: it mostly waits."""
    def run(driver, folder):
        with board(driver, folder / driver) as b:
            test(b)

    def test_on_every_board(tmp_path):
        failed = {}
        with ThreadPoolExecutor() as pool:
            runs = {driver: pool.submit(run, driver, tmp_path) for driver in BOARDS}
        for driver, one in runs.items():
            if error := one.exception():
                failed[driver] = error
        if failed:
            raise AssertionError(f'on {", ".join(failed)}') from next(iter(failed.values()))
    return test_on_every_board


@on_every_board
def test_letters_values_and_whole_amperes(b):
    b.ready()
    assert b.sample.value.letter == 'A' and b.sample.value.signaled_amperage == 0.0
    b.simulator.do('plug_in', vehicle='ideal', cable=32)
    b.until(lambda: b.sample.value.letter == 'B')
    b.amperage = 10.9
    b.until(lambda: b.sample.value.letter == 'C' and b.sample.value.signaled_amperage == 10.0)
    assert b.offered == 10.0 and b.pilot.step == 1.0
    b.until(lambda: b.sample.value.switched_on in (True, None) and b.point.board.relay)
    assert b.sample.value.cable_amperage == 32.0 or math.isnan(b.sample.value.cable_amperage)
    b.offer(16.0)
    b.offer(6.0)
    b.amperage = 5.99
    b.until(lambda: b.offered == 0.0 and b.sample.value.signaled_amperage == 0.0)
    b.amperage = math.nan
    b.until(lambda: b.sample.value.letter == 'B')
    assert b.offered == 0.0
    b.simulator.do('unplug')
    b.until(lambda: b.sample.value.letter == 'A')
    assert b.sample.error == '' and not b.sample.value.unsafe
    bad = {name for name, count in b.sample.counters.items() if count} - {
        'answers', 'set_up_writes', 'restarts', 'timeouts', 'late_answers'}    # a busy machine
    assert not bad, b.sample.counters


@on_every_board
def test_identity_says_model_firmware_and_what_happens_when_nobody_speaks(b):
    b.ready()
    identity = b.sample.identity
    assert identity['model'] and identity['firmware']
    assert 'none' in identity['dead_man'] or '6 A after 5 s' in identity['dead_man']


@on_every_board
def test_bad_answers_are_counted_and_never_believed(b):
    b.charge(10.0)
    for fault, counters in FAULTS.items():
        before = dict(b.sample.counters)
        b.simulator.do(fault, device='pilot')
        b.until(lambda before=before, counters=counters: any(
            b.count(name) > before.get(name, 0) for name in counters))
        b.simulator.do('clear_faults')
        assert b.offered in (0.0, 10.0), fault
        assert b.sample.value.signaled_amperage in (0.0, 10.0), fault
        assert b.sample.value.letter in 'ABC', fault
    b.simulator.do('noise', device='pilot', count=1)
    b.until(lambda: not b.point._faults['pilot'].active())
    b.until(lambda: b.offered == 10.0 and not b.sample.error, 15.0)


@on_every_board
def test_late_answers_are_not_taken_for_others(b):
    b.charge(10.0)
    b.simulator.do('late', device='pilot', count=3, delay=0.2)
    seen = set()
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        seen.add((b.sample.value.letter, b.sample.value.signaled_amperage))
        time.sleep(0.01)
    b.until(lambda: b.offered == 10.0 and not b.sample.error)
    assert {letter for letter, _ in seen} <= {'B', 'C'} and {a for _, a in seen} <= {0.0, 10.0}


@on_every_board
def test_silence_is_an_error_and_ends_without_a_restart(b):
    b.charge(10.0)
    b.simulator.do('silence', device='pilot')
    b.until(lambda: b.sample.error)
    at, value = b.sample.at, b.sample.value
    time.sleep(0.5)
    assert (b.sample.at, b.sample.value) == (at, value), 'nothing new from a silent board'
    b.simulator.do('clear_faults')
    b.until(lambda: b.sample.at > at and not b.sample.error and b.offered == 10.0)


@on_every_board
def test_unplugged_for_a_tenth_of_a_second_and_back(b):
    b.charge(10.0)
    b.simulator.do('cable_out', **{'for': 0.1})
    b.until(lambda: b.sample.error)
    b.until(lambda: b.sample.counters['reconnects'] == 1 and b.offered == 10.0
            and not b.sample.error and b.sample.value.signaled_amperage == 10.0)


@on_every_board
def test_a_board_that_restarts_is_met_anew_and_offers_no_more_than_told(b):
    b.charge(10.0)
    b.simulator.do('reset_board')
    b.until(lambda: b.offered == 0.0)
    offers = []
    b.simulator.log.listen(lambda event: event['event'] == 'offer' and offers.append(event))
    b.until(lambda: b.offered == 10.0 and not b.sample.error
            and b.sample.value.signaled_amperage == 10.0, 10.0)
    # what it offers by itself after a start ends once it is heard of
    above = sum(after['t'] - event['t'] for event, after in pairwise(offers)
                if event['amperage'] > 10.0)
    assert above < 1.0 and not b.sample.value.unsafe


@on_every_board
def test_the_dead_man_takes_the_offer_back(b):
    b.charge(10.0)
    b.feeding = False
    start = time.monotonic()
    b.until(lambda: b.offered == 0.0)
    assert 0.8 < time.monotonic() - start < 1.6
    b.until(lambda: b.count('dead_man') >= 1)


@on_every_board
def test_the_contactor_opens_under_load(b):
    b.charge(10.0)
    b.simulator.do('set_vehicle', vehicle={'ignores_pwm_off': True})
    b.until(lambda: max(b.point.plant.amperage) > 2.0)     # some open at once when nothing flows
    b.amperage = None
    b.until(lambda: b.offered == 0.0)
    time.sleep(0.5)
    assert b.point.plant.contactor.closed, 'the vehicle does not stop'
    end = time.monotonic() + 3.0
    while b.point.plant.contactor.closed:
        assert time.monotonic() < end
        b.pilot.open_contactor()
        time.sleep(0.05)
    b.until(lambda: b.count('contactor_opened') >= 1)


@on_every_board
def test_close_withdraws_and_frees_the_port(b):
    b.charge(10.0)
    start = time.monotonic()
    b.close()
    assert time.monotonic() - start < 2.0 and b.offered == 0.0
    if 'host' not in b.config:
        open_port(b.config['port'], SerialSettings()).close()


@on_every_board
def test_withdrawal_from_outside(b):
    b.charge(10.0)
    b.stop()
    b.pilot._is_up = False
    b.pilot._bus.remove(b.pilot)      # as if the process had died: nothing is said to the board
    assert b.offered == 10.0
    assert registry.withdraw(b.config) == ''
    assert b.offered == 0.0
    b.simulator.do('silence', device='pilot')
    assert 'not acknowledged within 0.3 s' in registry.withdraw(b.config, within=0.3)


@pytest.mark.parametrize('driver', UNSAFE)
def test_a_board_that_would_charge_by_itself_is_refused(driver, link):
    with board(driver, link, **UNSAFE[driver]) as b:
        if driver == 'phoenix_em_eth':
            b.point.board.eeprom.write(104, 0)      # DIP switch 10 off
        b.simulator.do('plug_in', vehicle='ideal', cable=32)
        b.amperage = 10.0
        b.until(lambda: b.sample.value is not None and b.sample.value.unsafe)
        assert b.sample.error and b.sample.value.error.startswith(b.sample.error)
