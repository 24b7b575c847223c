"""The simulated board against its sources (sim/boards/evse_din.py), by its registers, on a fake
clock."""

import json
from pathlib import Path
from typing import Any

import pytest

from charger_control.sim.boards.pilot_board import BoardParameters

FINE = 1 << 7
VENTILATION = 1 << 3
DISABLE = 1 << 14


def charge(bench: Any, vehicle: str = 'ideal', amperage: int = 16) -> None:
    """Plugs in and charges with whole amperes."""
    bench.write(1000, amperage)
    bench.do('plug_in', vehicle=vehicle)
    bench.until(lambda: bench.point.plant.contactor.closed)


def test_registers_as_delivered(bench: Any) -> None:
    frame = bench.ask(1, bytes.fromhex('03 07d0 0012'))
    assert frame == bytes.fromhex(      # the dump of a board, syssi/esphome-evse-wallbox
        '0324 0020 0001 0005 0001 0000 0209 0000 0000 ffff 0003 0006 000a 0010 0019 0020 0030 003f'
        '0050')
    frame = bench.ask(1, bytes.fromhex('03 03e8 000a'))
    assert frame == bytes.fromhex('0314 0020 0000 0001 0005 0000 0012 0001 0000 0000 0000')


@pytest.mark.parametrize(('function', 'address', 'count', 'code'), [
    (4, 1000, 10, 1), (3, 999, 2, 2), (3, 1009, 2, 2), (3, 1010, 1, 2), (3, 2017, 2, 2),
    (3, 1000, 126, 3)])
def test_reads_that_are_refused(
        bench: Any, function: int, address: int, count: int, code: int) -> None:
    request = bytes([function]) + address.to_bytes(2) + count.to_bytes(2)
    assert bench.ask(1, request) == bytes([function | 0x80, code])


@pytest.mark.parametrize('register', [1001, 1002, 1003, 1005, 1006, 1007, 1999, 2018])
def test_read_only_registers_cannot_be_written(bench: Any, register: int) -> None:
    assert bench.ask(1, b'\x06' + register.to_bytes(2) + b'\0\1') == bytes([0x86, 2])
    assert bench.log.events('write') == []


def test_offer_contactor_and_states_of_a_charge(bench: Any) -> None:
    bench.write(1000, 16)
    assert bench.read(1000, 8) == [16, 0, 1, 5, 0, 18, 1, 0]        # A: nothing to offer it to
    bench.do('plug_in', vehicle='standard', cable=32)
    bench.live(0.1)
    assert bench.read(1000, 8) == [16, 16, 2, 32, 0, 18, 2, 0]      # B2
    bench.live(5.0)
    assert bench.read(1000, 8) == [16, 16, 3, 32, 0, 18, 2, 1]      # C2, relay on
    bench.live(10.0)
    assert bench.point.plant.amperage == pytest.approx((15.2, 15.2, 15.2))
    bench.write(1000, 10)
    assert bench.read(1001) == [10]
    assert bench.point.plant.duty * 60 == pytest.approx(10.0)
    bench.write(1000, 0)
    bench.live(4.0)
    assert bench.read(1000, 8) == [0, 0, 2, 32, 0, 18, 3, 0]        # B1
    offers = [event['amperage'] for event in bench.log.events('offer')]
    assert offers == [16, 10, 0]


def test_below_the_minimum_nothing_is_offered(bench: Any) -> None:
    charge(bench)
    bench.write(1000, 5)
    assert bench.read(1001) == [0]
    assert bench.read(1006) == [3]


def test_offer_is_bounded_by_cable_and_installed_maximum(bench: Any) -> None:
    bench.write(1000, 32)
    bench.do('plug_in', cable=20)
    bench.live(0.1)
    assert bench.read(1001) == [20]
    bench.write(2007, 13)
    assert bench.read(1001) == [13]


def test_opens_within_100_ms_of_c_to_b(bench: Any) -> None:
    charge(bench)
    bench.live(20.0)
    bench.write(1000, 0)                            # the vehicle opens S2 by itself
    bench.live(5.0)
    letter, = bench.log.events('letter', was='C')
    opened, = bench.log.events('contactor', closed=False)
    assert 0.0 < opened['t'] - letter['t'] <= 0.1
    assert opened['amperage'] < 0.1                 # without load: it had stopped before


def test_opens_within_100_ms_of_pulling_the_plug(bench: Any) -> None:
    charge(bench)
    bench.live(20.0)
    bench.do('unplug')
    start = bench.now
    assert bench.until(lambda: not bench.point.plant.contactor.closed) <= 0.1
    assert bench.log.events('letter', letter='A')[0]['t'] == pytest.approx(start)
    assert bench.log.events('offer')[-1] == {
        't': pytest.approx(start), 'event': 'offer', 'amperage': 0, 'evse_state': 1}


@pytest.mark.parametrize(('vehicle', 'opened_after', 'under_load'), [
    ('ideal', 3.0, False), ('ignores_off', 6.1, True), ('stays_in_c', 6.1, False)])
def test_opens_under_load_after_6_s_when_the_vehicle_does_not_stop(
        bench: Any, vehicle: str, opened_after: float, under_load: bool) -> None:
    charge(bench, vehicle)
    bench.live(20.0)
    bench.write(1000, 0)
    took = bench.until(lambda: not bench.point.plant.contactor.closed)
    assert took <= opened_after
    if opened_after > 6.0:
        assert took >= 6.0
        assert bench.read(1002) == [3]              # still C, and stays open
    opened, = bench.log.events('contactor', closed=False)
    assert (opened['amperage'] > 5.0) is under_load


def test_closes_again_when_the_offer_returns(bench: Any) -> None:
    charge(bench, 'stays_in_c')
    bench.write(1000, 0)
    bench.live(8.0)
    bench.write(1000, 16)
    bench.live(0.5)
    assert bench.point.plant.contactor.closed


def test_diode_check_failed_never_closes(bench: Any) -> None:
    bench.do('plug_in', vehicle='diode_fault')
    bench.live(100.0)
    assert bench.log.events('relay') == []
    assert bench.read(1002) == [5]
    assert bench.read(1007) == [0b10]
    assert bench.read(1001) == [0]
    assert bench.read(1008)[0] > 0                  # counts down to the next try
    bench.do('unplug')
    bench.live(0.1)
    assert bench.read(1002) == [1]
    assert bench.read(1007) == [0]


def test_ventilation_needs_leave(bench: Any) -> None:
    bench.write(2005, 0)
    bench.do('plug_in', vehicle='ventilation')
    bench.live(20.0)
    assert bench.log.events('relay') == []
    assert bench.read(1007) == [0b100]
    bench.write(2005, VENTILATION)
    bench.live(30.0)
    assert bench.read(1002) == [4]
    assert bench.read(1007) == [1]


def test_shorted_pilot_opens_at_once_and_heals(bench: Any) -> None:
    charge(bench)
    bench.live(10.0)
    bench.do('short_pilot')
    assert bench.until(lambda: not bench.point.plant.contactor.closed) <= 0.1
    assert bench.read(1002) == [5]
    assert bench.read(1001) == [0]
    bench.do('short_pilot', active=False)
    bench.until(lambda: bench.point.plant.contactor.closed)


def test_fine_steps_act_a_second_after_the_write(bench: Any) -> None:
    bench.do('plug_in')
    bench.write(1000, 0)
    bench.write(2005, FINE)
    written = bench.now
    assert bench.read(2005) == [FINE]               # can be read at once
    bench.write(1000, 1600)                         # too soon: 1600 whole amperes
    assert bench.read(1001) == [32]                 # its maximum with this cable
    bench.live(1.0)
    assert bench.log.events('units') == [
        {'t': pytest.approx(written + 1.0, abs=0.051), 'event': 'units', 'fine_steps': True}]
    assert bench.read(1000, 2) == [1600, 1600]
    bench.write(1000, 725)
    assert bench.read(1001) == [725]
    assert bench.point.plant.duty * 60 == pytest.approx(7.25)


def test_lost_fine_steps_make_amperes_of_hundredths(bench: Any) -> None:
    bench.fine()
    bench.do('plug_in')
    bench.write(1000, 1600)
    assert bench.log.events('offer')[-1]['amperage'] == 16
    bench.do('lose_fine_steps')
    assert bench.log.events('offer')[-1] == {
        't': pytest.approx(bench.now), 'event': 'offer', 'amperage': 32, 'evse_state': 2}
    assert bench.read(2005) == [0]
    assert bench.read(1000, 2) == [1600, 32]


def test_reset_offers_the_power_on_current_and_keeps_its_memory(bench: Any) -> None:
    bench.fine()
    charge(bench, amperage=1000)
    bench.live(10.0)
    bench.do('reset_board')
    reset = bench.now
    assert bench.log.events('offer')[-1]['amperage'] == 0
    assert bench.until(lambda: not bench.point.plant.contactor.closed) <= 0.1
    assert bench.ask(1, bytes.fromhex('03 03e8 000a')) == b''       # it boots
    bench.live(1.0)
    up = bench.log.events('up')[-1]
    assert up == {'t': pytest.approx(reset + 0.8, abs=0.051), 'event': 'up', 'set_amperage': 32,
                  'fine_steps': True}
    assert bench.log.events('offer')[-1]['amperage'] == 32          # 32 A after boot
    assert bench.read(2005) == [FINE]


def test_power_on_current_0_offers_nothing_after_a_reset(bench: Any) -> None:
    bench.write(2000, 0)
    charge(bench)
    bench.do('reset_board')
    bench.live(5.0)
    assert bench.log.events('offer')[-1]['amperage'] == 0
    assert bench.read(1000, 2) == [0, 0]


def test_another_board_is_as_delivered(bench: Any) -> None:
    bench.write(2000, 0)
    bench.fine()
    bench.do('factory_board')
    bench.live(1.0)
    assert bench.read(2000, 6) == [32, 1, 5, 1, 0, 0x0209]
    bench.do('set_register', register='power_on_current', value=16)
    assert bench.read(2000) == [16]


def test_turned_off_now_and_disabled(bench: Any) -> None:
    charge(bench)
    bench.write(1004, 1)
    assert bench.until(lambda: not bench.point.plant.contactor.closed) <= 0.1
    assert bench.read(1006) == [3]
    bench.write(1004, 0)
    bench.until(lambda: bench.point.plant.contactor.closed)
    bench.write(2005, DISABLE)
    assert bench.read(1006) == [3]
    assert bench.read(1001) == [0]


def test_unit_id_can_be_changed(bench: Any) -> None:
    bench.write(2001, 9)
    assert bench.ask(1, bytes.fromhex('03 03e8 0001')) == b''
    assert bench.read(1005, unit=9) == [18]


def test_welded_contactor_goes_on_conducting(bench: Any) -> None:
    charge(bench, 'ignores_off')
    bench.live(10.0)
    bench.do('weld')
    bench.write(1000, 0)
    bench.live(10.0)
    assert bench.read(1007) == [0]                  # the board believes it is open
    assert bench.point.plant.power > 5000
    bench.do('weld', active=False)
    bench.live(0.2)
    assert bench.point.plant.power == 0


def test_every_write_is_in_the_log_with_its_meaning(bench: Any) -> None:
    bench.fine()
    bench.write(1000, 1234)
    assert bench.log.events('write')[-1] == {
        't': pytest.approx(bench.now), 'event': 'write', 'register': 1000, 'name': 'set_current',
        'value': 1234, 'amperage': 12.34}
    assert bench.point.board.eeprom.writes == 1     # the configuration; 1000 is not kept


def test_memory_in_a_file_outlives_the_process(make_bench: Any, tmp_path: Path) -> None:
    path = tmp_path / 'eeprom.json'
    bench = make_bench(eeprom=path)
    bench.write(2000, 0)
    assert make_bench(eeprom=path).read(2000) == [0]
    assert json.loads(path.read_text())['2000'] == 0
    path.write_text('[]')
    with pytest.raises(ValueError, match='not the memory of a simulated board'):
        make_bench(eeprom=path)


# -- older firmware ------------------------------------------------------------------------------
def old(make_bench: Any, **board: Any) -> Any:
    return make_bench(board=BoardParameters(**{'firmware': 15, **board}))


@pytest.mark.parametrize('firmware', [8, 10, 12, 15])
def test_older_firmware_has_1000_to_1006_and_2000_to_2007_only(
        make_bench: Any, firmware: int) -> None:
    bench = old(make_bench, firmware=firmware)
    assert bench.read(1000, 7) == [32, 0, 1, 5, 0, firmware, 1]
    assert bench.read(2000, 8) == [32, 1, 5, 1, 0, 0x0209, 0, 0]
    for request in ('03 03e8 0008', '03 03e8 000a', '03 03ef 0001', '03 07d0 0009', '03 07d0 0012'):
        assert bench.ask(1, bytes.fromhex(request)) == b'\x83\x02'
    assert bench.ask(1, bytes.fromhex('06 07da 0001')) == b'\x86\x02'


def test_older_firmware_may_not_answer_what_it_refuses(make_bench: Any) -> None:
    bench = old(make_bench, silent_refusals=True)
    assert bench.ask(1, bytes.fromhex('03 03e8 000a')) == b''
    assert bench.read(1000, 7)[0] == 32


def test_an_older_board_that_is_off_shows_a_current_all_the_same(make_bench: Any) -> None:
    bench = old(make_bench, firmware=10)
    bench.do('plug_in', cable=32)
    bench.write(1000, 3)
    assert bench.ask(1, bytes.fromhex('03 03e8 0007')) == bytes.fromhex(
        '030e 0003 0005 0002 0020 0000 000a 0003')      # the frame of firmware 10, ESPHome


@pytest.mark.parametrize(('firmware', 'first', 'offered'), [
    (15, 17, 32.0), (17, 17, 16.0), (17, 18, 32.0), (18, 18, 16.0)])
def test_a_firmware_without_fine_steps_keeps_the_bit_and_counts_in_amperes(
        make_bench: Any, firmware: int, first: int, offered: float) -> None:
    bench = old(make_bench, firmware=firmware, fine_firmware=first)
    bench.fine()
    assert bench.read(2005) == [FINE]
    bench.do('plug_in', cable=32)
    bench.write(1000, 1600)
    assert bench.point.board.offered == offered


# -- Modbus off, disable after charge ------------------------------------------------------------
def test_modbus_is_off_as_delivered_and_kept_on_by_the_first_write_of_its_memory(
        make_bench: Any) -> None:
    bench = make_bench()
    bench.do('set_register', register='modbus_address', value=0)

    def restart() -> None:
        bench.do('reset_board')
        bench.live(1.0)
    restart()
    assert bench.ask(1, bytes.fromhex('03 03e8 0001')) == b''
    bench.point.board.pull_an(bench.now)
    assert bench.read(1000) == [32]
    restart()
    assert bench.ask(1, bytes.fromhex('03 03e8 0001')) == b'', 'it was not saved'
    bench.point.board.pull_an(bench.now)
    bench.write(2000, 0)
    restart()
    assert bench.read(1000) == [0]


def test_disable_after_charge_ends_the_offer_until_the_configuration_is_written(
        bench: Any) -> None:
    bench.write(2005, 1 << 13)
    charge(bench)
    bench.write(1000, 0)
    bench.until(lambda: bench.point.board.letter == 'B')
    bench.write(1000, 16)
    bench.live(5.0)
    assert (bench.read(1000), bench.read(1006), bench.point.board.offered) == ([16], [3], 0.0)
    bench.write(2005, 0)
    assert (bench.read(1006), bench.point.board.offered) == ([2], 16.0)
