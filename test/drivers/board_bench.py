"""A simulated board behind a real pty or TCP port, its driver, and a node that feeds it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time

from charger_control.drivers import registry
from charger_control.sim.boards.pilot_board import BoardParameters
from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import SimulatorOptions, running
from charger_control.sim.plant.contactor import ContactorParameters
from charger_control.sim.plant.plant import PlantParameters

BOARDS = ('evse_din', 'openevse', 'phoenix_ev_ser', 'phoenix_em_eth')
ANSWER_TIME = 0.15
"""s; the devices' own is 0.5 and more. Less, and a busy machine makes the simulator late."""


class Bench:
    def __init__(self, simulator, config):
        self.simulator, self.config = simulator, config
        self.buses = registry.Buses(reconnect_delay=(0.05, 0.1))
        self.pilot = registry.open_pilot(config, self.buses)
        self.pilot.answer_time = ANSWER_TIME
        self.pilot.quiet = 0.005
        for device in self.point.line.devices:      # its silences have tests of their own
            device.quiet = 0.0
        self.amperage = None
        self.feeding = True
        self._end = threading.Event()
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()
        self.pilot.start()

    def _feed(self):
        while not self._end.wait(0.03):
            if self.feeding:
                self.pilot.offer(self.amperage)

    @property
    def sample(self):
        return self.pilot.latest()

    @property
    def point(self):
        return self.simulator.charge_point

    @property
    def offered(self):
        return self.point.board.offered

    def until(self, condition, timeout=5.0):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, (f'not within {timeout} s', self.sample,
                                            self.point.board.truth())
            time.sleep(0.003)

    def ready(self):
        self.until(lambda: self.sample.value is not None and not self.sample.error)

    def offer(self, amperage):
        self.amperage = amperage
        self.until(lambda: self.offered == int(amperage))
        self.until(lambda: self.sample.value.signaled_amperage == int(amperage))

    def charge(self, amperage=10.0):
        """A vehicle is there and charges."""
        self.ready()
        self.simulator.do('plug_in', vehicle='ideal', cable=32)
        self.amperage = amperage
        self.until(lambda: self.point.plant.contactor.closed
                   and self.sample.value.letter == 'C'
                   and self.sample.value.signaled_amperage == amperage)

    def count(self, name):
        return self.sample.counters.get(name, 0)

    def stop(self):
        self._end.set()
        self._feeder.join()

    def close(self):
        self.stop()
        self.pilot.close()


@contextlib.contextmanager
def board(driver, link, **options):
    """``options`` of the driver."""
    point = ChargePointParameters(
        scenario=dataclasses.replace(Scenario(), steps=()), baudrate=0, answer_delay=0.0,
        board_model=driver, board=BoardParameters(boot_time=0.1, close_delay=0.02),
        plant=PlantParameters(contactor=ContactorParameters()))
    network = driver == 'phoenix_em_eth'
    where = SimulatorOptions(link=None if network else link, charge_point=point,
                             tcp=('127.0.0.1', 0) if network else None)
    with running(where) as simulator:
        port = simulator.port
        place = ({'host': port.address[0], 'port': port.address[1]} if network
                 else {'port': str(link)})
        bench = Bench(simulator, {'driver': driver, 'rate': 10.0, **place, **options})
        try:
            yield bench
        finally:
            bench.close()
