"""The adapter is pulled for 0.1 s, 5 s and 60 s while a vehicle charges: what goes out of the node.

0.1 s and 5 s on a pty, a minute in simulated time.
"""

from __future__ import annotations

import math
import time

import pytest
from fake_rtu import Line
from meter_peers import Golden

from charger_control.bringup.stepped_line import SteppedBuses
from charger_control.core.fiscal_meter import FiscalMeter, FiscalMeterConfig
from charger_control.core.heard import Heard
from charger_control.drivers import registry
from charger_control.drivers.lines.bus import boottime
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import Simulator, SimulatorOptions
from charger_control.sim.lines.optical_head import running_head
from charger_control.sim.meters.d0_meter import D0PushMeter
from charger_control.sim.meters.sml_meter import SmlPushMeter

POWER = 2000.0
"""kWh of the meter's register per hour of the test: enough to see it move between two readings."""


class Charging:
    """What the meter measures: the register runs, also while nobody reads it."""

    def __init__(self):
        self.began = time.monotonic()
        self.voltage, self.amperage, self.frequency = (230.0,) * 3, (16.0, 16.0, 16.0), 50.0
        self.power = 11040.0

    @property
    def energy_imported(self):
        return 100.0 + POWER * (time.monotonic() - self.began) / 3600.0


class Register(Line):
    """An EM340 whose register runs: low word first, 0.1 kWh."""

    def __init__(self, link, plant):
        golden = Golden('em340')
        unit = golden.device()
        read = unit.read

        def running(function, address, count):
            tenths = int(plant.energy_imported * 10)
            unit.put(4, 0x34, tenths & 0xFFFF, tenths >> 16)
            return read(function, address, count)

        unit.read = running
        super().__init__(link, {1: unit})


def head(link, plant, kind):
    now = time.monotonic()
    return running_head(link, lambda _: kind(plant, now=now, interval=0.2))


PEERS = {
    'em340': Register, 'sml': lambda link, plant: head(link, plant, SmlPushMeter),
    'd0': lambda link, plant: head(link, plant, D0PushMeter)}
OPTIONS = {'em340': {'rate': 10.0}, 'sml': {'timeout': 1.0}, 'd0': {'mode': 'push', 'timeout': 1.0}}


class Watch:
    """The node's part: looks at the driver and keeps what it would publish."""

    def __init__(self, meter):
        self.meter = meter
        self.believer = FiscalMeter(FiscalMeterConfig(timeout=meter.timeout, max_power=2e7))
        self.readings, self.errors = [], []

    def watch(self, duration):
        end = boottime() + duration
        while boottime() < end:
            self.step()
            time.sleep(0.02)

    def until(self, condition, timeout=8.0):
        end = boottime() + timeout
        while not condition():
            assert boottime() < end, (self.meter.latest(), self.errors[-1:])
            self.step()
            time.sleep(0.02)

    def step(self):
        sample, now = self.meter.latest(), boottime()
        heard = None if sample.value is None else Heard(sample.value, sample.at)
        reading = self.believer.step(now, heard, sample.error)
        if reading is None:
            return
        if reading.error:
            self.errors.append((now, reading))
        else:
            self.readings.append((now, reading, sample.at))


@pytest.mark.parametrize(('driver', 'outage'), [
    ('em340', 0.1), ('sml', 0.1), ('d0', 0.1), ('em340', 5.0)])
def test_nothing_stale_goes_out_and_the_register_goes_on(link, driver, outage):
    plant = Charging()
    with PEERS[driver](link, plant) as peer:
        meter = registry.open_meter({'driver': driver, 'port': str(link), **OPTIONS[driver]},
                                    registry.Buses(reconnect_delay=(0.1, 0.5)))
        meter.start()
        watch = Watch(meter)
        watch.until(lambda: watch.readings)
        watch.watch(0.5)
        pulled = boottime()
        peer.unplug()
        watch.watch(outage)
        peer.plug()
        back = boottime()
        watch.until(lambda: watch.readings and watch.readings[-1][2] > back)
        recovered = boottime() - back
        watch.watch(0.5)
        meter.close()
    # nothing older than the time-out was published as a reading
    assert all(reading.age <= meter.timeout for _, reading, _ in watch.readings)
    silent = [now for now, _, _ in watch.readings if pulled + meter.timeout + 0.1 < now < back]
    assert silent == []
    assert len(watch.errors) <= 2 + (outage > meter.timeout)
    if outage > meter.timeout:  # once, and with the reason
        during = [reading for now, reading in watch.errors if pulled < now < back]
        assert len(during) == 1 and during[0].error
    # back without a restart, and the register is the meter's, never lower than before
    assert recovered < 3.0
    energies = [reading.energy_imported for _, reading, _ in watch.readings
                if not math.isnan(reading.energy_imported)]
    assert energies == sorted(energies)
    assert energies[-1] - energies[0] == pytest.approx(
        POWER * (watch.readings[-1][0] - watch.readings[0][0]) / 3600.0, abs=1.5)
    assert watch.believer.refused == 0


def test_a_meter_that_is_gone_for_a_minute():
    ticks, step = 0, 0.05

    def now():
        return 1.8e9 + ticks * step

    simulator = Simulator(SimulatorOptions(charge_point=ChargePointParameters(
        scenario=Scenario(vehicle='ideal', steps=()), baudrate=0, answer_delay=0.0)), now)
    buses = SteppedBuses(simulator, now)
    board = registry.open_pilot({'driver': 'evse_din', 'port': 'line'}, buses)
    meter = registry.open_meter({'driver': 'sdm630', 'port': 'line', 'unit': 2}, buses)
    board.start()
    meter.start()
    believer = FiscalMeter(FiscalMeterConfig(timeout=meter.timeout))
    published = []

    def run(duration):
        nonlocal ticks
        for _ in range(round(duration / step)):
            ticks += 1
            simulator.poll()
            buses.step()
            board.offer(16.0)
            sample = meter.latest()
            heard = None if sample.value is None else Heard(sample.value, sample.at)
            if (reading := believer.step(now(), heard, sample.error)) is not None:
                published.append((now(), reading))

    simulator.do('plug_in')
    run(60.0)
    assert published[-1][1].amperage[0] > 15.0
    before, pulled = published[-1][1].energy_imported, now()
    simulator.do('cable_out')
    run(60.0)
    during = [(at - pulled, reading) for at, reading in published if at > pulled]
    assert all(reading.age <= meter.timeout for _, reading in during if not reading.error)
    assert max(at for at, _ in during) <= meter.timeout + 2 * step
    assert [bool(reading.error) for _, reading in during].count(True) == 1
    simulator.do('cable_in')
    back = now()
    run(30.0)
    after = next(at for at, reading in published if at > back and not reading.error)
    assert after - back < 11.0  # the longest delay between two tries to open the line
    energies = [r.energy_imported for _, r in published if not math.isnan(r.energy_imported)]
    assert energies == sorted(energies) and energies[-1] > before
    assert believer.refused == 0
