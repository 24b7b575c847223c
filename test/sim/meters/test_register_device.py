"""Simulated meters of all tables, read by the drivers: two independent codings of one table."""

import dataclasses

import pytest

from charger_control.drivers import registry
from charger_control.drivers.codecs import register_table
from charger_control.drivers.meters.registers import ModbusMeter
from charger_control.sim.charge_point.charge_point import METERS
from charger_control.sim.lines.modbus_rtu import ModbusException


class Reads:
    """A bus and line in one, straight to the simulated meter, for the driver's own reads."""

    name = 'memory'

    def __init__(self, bench):
        self.bench, self.line, self.clock = bench, self, lambda: bench.now

    def add(self, device):
        self.device = device
        device.line_up()

    def counters(self, unit):
        return {}

    def read(self, unit, function, address, count, answer_time):
        return self.bench.point.meter.read(function, address, count, self.bench.now)


def read(bench, name):
    meter = ModbusMeter(Reads(bench), register_table.load(name), 2)
    meter.start()
    for _ in range(12):
        meter.transact(meter._bus)
        if meter.latest().value is not None:
            return meter.latest().value
    raise AssertionError('no reading')


def test_every_table_of_a_meter_can_be_simulated():
    assert set(METERS) == set(registry.METERS) - {'sml', 'd0'}  # those are in optical_head.py


@pytest.mark.parametrize('name', METERS)
def test_the_driver_reads_what_the_plant_has(make_bench, name):
    bench = make_bench(meter_model=name)
    bench.do('set_meter', amperage_noise=0.0)
    bench.do('plug_in', vehicle='imbalanced')
    bench.live(30.0)
    plant, reading = bench.point.plant, read(bench, name)
    phases = len(register_table.load(name).values['amperage'].addresses)
    assert plant.amperage[0] > 10.0
    held = bench.point.meter.sample
    assert reading.amperage[:phases] == pytest.approx(held['amperage'], abs=0.006)
    assert reading.voltage[:phases] == pytest.approx(held['voltage'], abs=0.06)
    assert reading.active_power == pytest.approx(held['active_power'][0], abs=2.0)
    assert reading.frequency == pytest.approx(plant.frequency, abs=0.1)
    assert reading.energy_imported == pytest.approx(plant.energy_imported, abs=0.11)
    assert reading.serial_number == '20231107'


@pytest.mark.parametrize('name', METERS)
def test_export_and_nothing_are_told_apart(make_bench, name):
    bench = make_bench(meter_model=name)
    reading = read(bench, name)
    phases = len(register_table.load(name).values['amperage'].addresses)
    assert reading.amperage[:phases] == (0.0,) * phases and reading.active_power == 0.0


def test_a_negative_number_is_laid_out_signed(make_bench):
    for name in ('em340', 'wm3m4', 'bsm_ws36a', 'b23', 'sdm72'):
        bench = make_bench(meter_model=name)
        meter = bench.point.meter
        for address in meter._addresses('phase_power'):
            meter._put('phase_power', address, -150.0)
        meter._put('active_power', meter._addresses('active_power')[0], -450.0)
        assert read(bench, name).active_power == pytest.approx(-450.0, abs=0.1), name


def test_more_than_it_answers_and_what_it_has_not_is_refused(make_bench):
    bench = make_bench(meter_model='sdm72')
    for arguments, code in (((4, 0, 11), 3), ((4, 0x60, 2), 2), ((3, 0, 2), 2)):
        with pytest.raises(ModbusException) as refusal:
            bench.point.meter.read(*arguments, bench.now)
        assert refusal.value.code == code


def test_faults_hit_it_as_any_device(make_bench):
    bench = make_bench(meter_model='em24')
    bench.do('exception', device='meter', code=6)
    assert bench.ask(2, bytes((4, 0, 0, 0, 6))) == bytes((0x84, 6))
    bench.do('clear_faults', device='meter')
    assert len(bench.ask(2, bytes((4, 0, 0, 0, 6)))) == 14
    assert dataclasses.asdict(bench.point.meter.parameters)['refresh'] == 0.2
