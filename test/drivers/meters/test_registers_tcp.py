"""Meters over Modbus TCP, against pymodbus's own server: values, sharing, reconnecting."""

from __future__ import annotations

import asyncio
import threading

import pytest
from meter_peers import Golden, until
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from charger_control.drivers import registry
from charger_control.drivers.codecs.register_table import load
from charger_control.drivers.meters.registers import highest_rate

DRIVERS = ['em24', 'em340', 'sdm630', 'b23', 'bsm_ws36a']


def blocks(golden):
    """What the golden answers carry: (address, registers)."""
    found = {}
    for request, answer in golden.exchanges:
        data = answer[3:-2]
        found[int.from_bytes(request[2:4], 'big')] = [
            int.from_bytes(data[i:i + 2], 'big') for i in range(0, len(data), 2)]
    return found


class Server:
    """A pymodbus server in a thread; its registers are the same for all functions."""

    def __init__(self, units, port=0):
        self._devices = [
            SimDevice(unit, simdata=[SimData(address, values=values, datatype=DataType.REGISTERS)
                                     for address, values in sorted(contents.items())])
            for unit, contents in units.items()]
        self.port = port
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self):
        def connected(is_up):
            self.connections += is_up

        self._server = ModbusTcpServer(self._devices, address=('127.0.0.1', self.port),
                                       trace_connect=connected)
        serving = asyncio.ensure_future(self._server.serve_forever(background=False))
        while self._server.transport is None:
            await asyncio.sleep(0.005)
        self.port = self._server.transport.sockets[0].getsockname()[1]
        self._ready.set()
        await serving

    def close(self):
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(5)
        self._thread.join(5)


@pytest.fixture
def servers():
    opened = []

    def serve(units, port=0):
        opened.append(Server(units, port))
        return opened[-1]

    yield serve
    for server in opened:
        if server._thread.is_alive():
            server.close()


def opened(driver, server, buses=None, **options):
    meter = registry.open_meter({'driver': driver, 'host': '127.0.0.1', 'port': server.port,
                                 'rate': 20.0, **options},
                                buses or registry.Buses(reconnect_delay=(0.02, 0.05)))
    meter.quiet = 0.0
    meter.start()
    return meter


def is_good(sample):
    return sample.value is not None and not sample.error


@pytest.mark.parametrize('driver', DRIVERS)
def test_reads_what_the_golden_file_says(driver, servers):
    golden = Golden(driver)
    meter = opened(driver, servers({golden.unit: blocks(golden)}), unit=golden.unit)
    try:
        sample = until(meter, is_good)
        assert sample, meter.latest()
        for name, wanted in golden.reading.items():
            assert getattr(sample.value, name) == pytest.approx(wanted, rel=1e-12, nan_ok=True)
        assert sample.value.serial_number == golden.serial_number
    finally:
        meter.close()


def test_two_meters_behind_one_gateway_share_its_connection(servers):
    golden = Golden('em24')
    server = servers({1: blocks(golden), 2: blocks(golden)})
    buses = registry.Buses()
    meters = [opened('em24', server, buses, unit=unit) for unit in (1, 2)]
    try:
        for meter in meters:
            assert until(meter, is_good), meter.latest()
        assert server.connections == 1
    finally:
        for meter in meters:
            meter.close()


def test_a_server_that_comes_back_is_read_again(servers):
    golden = Golden('em340')
    server = servers({1: blocks(golden)})
    meter = opened('em340', server)
    try:
        before = until(meter, is_good)
        server.close()
        gone = until(meter, lambda s: bool(s.error))
        assert gone.value == before.value and f'127.0.0.1:{server.port}' in gone.error
        servers({1: blocks(golden)}, server.port)
        back = until(meter, lambda s: is_good(s) and s.at > gone.at)
        assert back.value.energy_imported == before.value.energy_imported
        assert back.counters['reconnects'] >= 1
    finally:
        meter.close()


def test_a_unit_that_is_not_there_is_named(servers):
    server = servers({1: blocks(Golden('em340'))})
    meter = opened('em340', server, unit=9)
    try:
        failed = until(meter, lambda s: 'unit 9' in s.error)
        assert failed and failed.value is None
    finally:
        meter.close()


def test_options_of_tcp_and_of_a_serial_line_do_not_mix():
    for config, words in (
            ({'host': 'x', 'baudrate': 9600}, r'baudrate = 9600: no such option \(allowed: host,'),
            ({'host': 'x', 'port': '/dev/ttyS0'}, r"port: '/dev/ttyS0' \(allowed: int 1\.\."),
            ({'host': ''}, r"host: '' \(allowed: a text\)")):
        with pytest.raises(registry.OptionError, match=words):
            registry.check_meter({'driver': 'em24', **config})
    with pytest.raises(registry.OptionError, match="host = 'x': no such option"):
        registry.check_meter({'driver': 'sml', 'host': 'x', 'port': 'y'})


def test_the_rate_over_tcp_is_that_of_the_silences():
    table = load('em24')
    asked = sum(1 / block.every for block in table.blocks if block.every)
    assert highest_rate(table, None) == pytest.approx(1 / (asked * table.quiet))
