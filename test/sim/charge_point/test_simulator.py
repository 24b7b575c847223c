"""The simulator on a real pty: pyserial and pymodbus as drivers use them."""

import errno
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import serial
from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ModbusIOException

from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario, Step
from charger_control.sim.charge_point.simulator import (
    Simulator,
    SimulatorOptions,
    boottime,
    running,
)
from charger_control.sim.lines.modbus_rtu import frame, is_sound

STATUS = bytes.fromhex('03 03e8 000a')
FAST = bytes.fromhex('04 0000 0012')


@pytest.fixture
def client(simulator: Simulator) -> Iterator[ModbusSerialClient]:
    client = ModbusSerialClient(port=str(simulator.port.link), framer=FramerType.RTU,
                                baudrate=9600, timeout=0.15, retries=0)
    assert client.connect()
    yield client
    client.close()


def test_pymodbus_reads_both_devices(client: ModbusSerialClient) -> None:
    status = client.read_holding_registers(1000, count=10, device_id=1)
    assert status.registers == [32, 0, 1, 5, 0, 18, 1, 0, 0, 0]
    voltage = client.convert_from_registers(
        client.read_input_registers(0, count=6, device_id=2).registers, client.DATATYPE.FLOAT32)
    assert voltage[:3] == pytest.approx([230.0] * 3, abs=4.0)      # type: ignore[index]


def test_pymodbus_writes(client: ModbusSerialClient, simulator: Simulator) -> None:
    before = boottime()
    assert not client.write_registers(1000, [10], device_id=1).isError()
    after = boottime()
    write, = simulator.log.events('write')
    assert (write['value'], write['amperage']) == (10, 10)
    assert before <= write['t'] <= after            # stamped when it happened, on CLOCK_BOOTTIME


@pytest.mark.parametrize('kind', [
    'silence', 'no_answer', 'garbage', 'bad_crc', 'wrong_id', 'half_frame', 'late'])
def test_what_pymodbus_takes_for_no_answer(client: ModbusSerialClient, simulator: Simulator,
                                           kind: str) -> None:
    simulator.do(kind, device='pilot', **({'delay': 0.3} if kind == 'late' else {}))
    with pytest.raises(ModbusIOException):
        client.read_holding_registers(1000, count=10, device_id=1)
    meter = client.read_input_registers(0x34, count=2, device_id=2)
    assert len(meter.registers) == 2


@pytest.mark.parametrize(('kind', 'check'), [
    ('exception', lambda answer: answer.isError() and answer.exception_code == 4),
    ('short_answer', lambda answer: len(answer.registers) == 9),
    ('wrong_function', lambda answer: answer.function_code == 4)])
def test_what_pymodbus_lets_through(client: ModbusSerialClient, simulator: Simulator, kind: str,
                                    check: Any) -> None:
    simulator.do(kind, device='pilot')
    assert check(client.read_holding_registers(1000, count=10, device_id=1))


def test_noise_before_a_good_answer(wire: Any, simulator: Simulator) -> None:
    simulator.do('noise', device='pilot')
    data = wire.ask(1, STATUS, 64, timeout=0.1)
    assert 26 <= len(data) <= 33
    assert is_sound(data[-25:])


def test_burst(wire: Any, simulator: Simulator) -> None:
    simulator.do('burst', bytes=12)
    assert len(wire.port.read(12)) == 12


def test_foreign_unit_is_swallowed(wire: Any) -> None:
    assert wire.ask(77, STATUS, 1, timeout=0.05) == b''
    assert is_sound(wire.ask(1, STATUS, 25))


def test_silences_are_enforced_on_the_wire(wire: Any, simulator: Simulator) -> None:
    assert len(wire.ask(2, FAST, 41)) == 41
    assert wire.ask(2, FAST, 41, timeout=0.05) == b''
    violation = simulator.log.wait_for('violation', 1.0)
    assert violation['device'] == 'meter'
    assert violation['found'] < violation['needed'] == 0.1


def test_what_nobody_reads_is_lost_and_does_not_stop_the_line(
        wire: Any, simulator: Simulator) -> None:
    for _ in range(20):
        simulator.do('burst', bytes=1000)
    wire.port.reset_input_buffer()
    assert is_sound(wire.ask(1, STATUS, 25))


def test_cable_out_and_in(simulator: Simulator, wire: Any, make_wire: Any) -> None:
    link = simulator.port.link
    simulator.do('cable_out')
    assert not link.exists()
    with pytest.raises(serial.SerialException):
        wire.ask(1, STATUS, 25)
    with pytest.raises(serial.SerialException) as refused:
        make_wire(link)
    assert refused.value.errno == errno.ENOENT
    simulator.do('cable_in')
    again = make_wire(link)
    assert is_sound(again.ask(1, STATUS, 25))
    again.close()
    assert [event['connected'] for event in simulator.log.events('line')] == [False, True]


def test_answer_under_way_is_lost_with_the_cable(simulator: Simulator, wire: Any,
                                                  make_wire: Any) -> None:
    simulator.do('late', device='pilot', delay=0.2, count=1)
    wire.port.write(frame(1, STATUS))
    simulator.log.wait_for('fault', 1.0, kind='late', on=False)     # it struck: it was heard
    simulator.do('cable_out')
    simulator.do('cable_in')
    again = make_wire(simulator.port.link)
    assert is_sound(again.ask(1, STATUS, 25, timeout=0.5))          # not busy any more
    assert again.port.read(1) == b''
    again.close()


def test_cable_comes_back_by_itself(simulator: Simulator, make_wire: Any) -> None:
    before = boottime()
    simulator.do('cable_out', **{'for': 0.1})
    back = simulator.log.wait_for('line', 2.0, connected=True)
    assert 0.1 <= back['t'] - before < 0.5
    wire = make_wire(simulator.port.link)
    assert is_sound(wire.ask(1, STATUS, 25))
    wire.close()


def test_board_goes_on_offering_while_its_cable_is_out(simulator: Simulator) -> None:
    simulator.do('plug_in')
    simulator.do('cable_out')
    assert simulator.log.wait_for('relay', 5.0, closed=True)
    assert simulator.truth()['board']['offered'] == 32


def test_contactor_opens_within_100_ms_in_real_time(simulator: Simulator) -> None:
    simulator.do('plug_in', vehicle='ideal')
    simulator.log.wait_for('contactor', 5.0, closed=True)
    simulator.do('unplug')
    left = simulator.log.wait_for('letter', 1.0, letter='A')
    opened = simulator.log.wait_for('contactor', 1.0, closed=False, since=left['t'])
    assert opened['t'] - left['t'] <= 0.1


def test_scenario_is_played_in_time(options: SimulatorOptions) -> None:
    steps = (Step(0.1, 'plug_in'), Step(0.2, 'unplug'), Step(0.2, 'unplug'), Step(0.3, 'end'))
    charge_point = ChargePointParameters(scenario=Scenario(steps), baudrate=0)
    simulator = Simulator(SimulatorOptions(link=options.link, charge_point=charge_point))
    simulator.run()                                 # until `end`
    start, = simulator.log.events('start')
    done = simulator.log.events('do', source='scenario')
    assert [event['action'] for event in done] == ['plug_in', 'unplug', 'unplug', 'end']
    for step, event in zip(steps, done, strict=True):
        assert 0.0 <= event['t'] - start['t'] - step.at < 0.2
    refused, = simulator.log.events('refused')
    assert refused['reason'] == 'unplug: no vehicle is plugged in'
    assert not options.link.is_symlink()


def test_wrong_baudrate_is_told_and_heard_as_nothing(options: SimulatorOptions,
                                                     make_wire: Any) -> None:
    slow = SimulatorOptions(link=options.link, charge_point=ChargePointParameters(
        scenario=Scenario(steps=()), baudrate=9600))
    with running(slow) as simulator:
        wrong = make_wire(options.link, 19200)
        assert wrong.ask(1, STATUS, 25, timeout=0.2) == b''
        assert simulator.log.events('violation', kind='baudrate')[0]['needed'] == 9600
        wrong.close()
        right = make_wire(options.link, 9600)
        sent = boottime()
        assert is_sound(right.ask(1, STATUS, 25))
        assert boottime() - sent >= 0.02 + 33 * 10 / 9600       # paced
        right.close()


def test_link_that_is_not_a_symlink_is_left_alone(options: SimulatorOptions) -> None:
    options.link.write_text('precious')
    with pytest.raises(FileExistsError, match='is there and not a symlink'):
        Simulator(options)
    assert options.link.read_text() == 'precious'


def test_symlink_of_a_killed_process_is_replaced(options: SimulatorOptions,
                                                 make_wire: Any) -> None:
    options.link.symlink_to('/dev/pts/99999')
    with running(options):
        wire = make_wire(options.link)
        assert is_sound(wire.ask(1, STATUS, 25))
        wire.close()
    assert not options.link.is_symlink()


def test_long_gap_is_lived_through(options: SimulatorOptions) -> None:
    """The computer slept for 8 hours: the vehicle did not, and nothing takes long afterwards."""
    now = [1000.0]
    simulator = Simulator(SimulatorOptions(link=options.link, charge_point=options.charge_point),
                          clock=lambda: now[0])
    simulator.do('plug_in', vehicle={'preset': 'ideal', 'capacity': 1000.0})
    for _ in range(200):
        now[0] += 0.05
        simulator.truth()
    before = simulator.truth()['plant']['energy']
    now[0] += 8 * 3600.0
    started = boottime()
    energy = simulator.truth()['plant']['energy'] - before
    assert boottime() - started < 1.0
    assert energy == pytest.approx(8 * 3 * 230 * 32 / 1000, rel=0.02)
    simulator.stop('done')
    simulator.run()


class _Api(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.server.seen = (self.path, json.loads(body))        # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_put_limits_reaches_the_charger(options: SimulatorOptions) -> None:
    server = HTTPServer(('127.0.0.1', 0), _Api)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    steps = (Step(0.0, 'put_limits', {'body': {'amperageLimit': 10}}),)
    with running(SimulatorOptions(
            link=options.link, api=f'http://127.0.0.1:{server.server_port}',
            charge_point=ChargePointParameters(scenario=Scenario(steps)))) as simulator:
        assert simulator.log.wait_for('put_limits', 5.0)['status'] == 204
    thread.join()
    server.server_close()
    assert server.seen == ('/api/v1/limits', {'amperageLimit': 10})     # type: ignore[attr-defined]


def test_put_limits_without_a_charger(options: SimulatorOptions) -> None:
    steps = (Step(0.0, 'put_limits', {'body': {}}, line=7),)
    charge_point = ChargePointParameters(scenario=Scenario(steps))
    with pytest.raises(ValueError, match='scenario line 7: put_limits needs --api URL'):
        Simulator(SimulatorOptions(link=options.link, charge_point=charge_point))
    with running(SimulatorOptions(link=options.link, api='http://127.0.0.1:9',
                                  charge_point=charge_point)) as simulator:
        assert 'refused' in simulator.log.wait_for('put_limits', 5.0)['error']


def test_log_file_holds_what_the_log_holds(simulator: Simulator, options: SimulatorOptions,
                                           wire: Any) -> None:
    simulator.do('plug_in')
    wire.port.write(frame(1, bytes.fromhex('06 03e8 000a')))
    simulator.log.wait_for('write', 1.0)
    assert options.log is not None
    lines = [json.loads(line) for line in Path(options.log).read_text().splitlines()]
    assert lines == simulator.log.events()[:len(lines)]
    assert {'start', 'letter', 'offer', 'write'} <= {line['event'] for line in lines}
