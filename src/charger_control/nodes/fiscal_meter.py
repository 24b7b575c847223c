"""The fiscal_meter node: a meter read by its driver, published while it can be believed.

``grid_meter`` is the same node for a second meter at the point of supply.
"""

from __future__ import annotations

from typing import Any

from charger_control.core.fiscal_meter import FiscalMeter as Believer
from charger_control.core.fiscal_meter import FiscalMeterConfig
from charger_control.core.heard import Heard
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.drivers.interfaces import SigningMeter
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.registry import check_meter, open_meter
from charger_control.nodes.fiscal_meter_signing import SigningRecords
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import GRID_METER, METER, TRANSACTION, Topic
from charger_control.ros.node import BlockNode
from charger_control.ros.parameters import Group, Param
from charger_control.ros.runner import run
from charger_control.store import Store, store_file

PARAMS = (
    Group('device', 'the meter: driver, port and what else the driver asks (docs/hardware.md)',
          check_meter),
    Param('rate', 20.0, 'how often the driver is looked at; a reading goes out when it is new',
          'Hz', low=1.0, high=50.0),
    Param('phase_currents', True, 'the meter must measure phase currents: without them a sample '
          'is refused'),
    Param('phase_power', False, 'the meter must measure the power of each phase, for a grid meter '
          'without phase currents: without them a sample is refused'),
    Param('max_amperage', 200.0, 'a sample above this is refused', 'A', low=10.0, high=10_000.0),
    Param('max_power', 80_000.0, 'the most that can flow here; a register that rises faster is '
          'refused', 'W', low=1000.0, high=1e8),
    Param('state_dir', '', "folder of the store, for signed values; '': "
          '~/.local/state/charger_control/<namespace>'),
)


class FiscalMeter(BlockNode):
    """Publishes each new sample, then the age's end with an error, then nothing."""

    def __init__(self, name: str = 'fiscal_meter', topic: Topic = METER,
                 buses: Buses | None = None, **kwargs: Any) -> None:
        super().__init__(name, PARAMS, **kwargs)
        device = self.values['device']
        self._where = str(device.get('host') or device['port'])
        self._driver = self.checked(
            lambda values: open_meter(values['device'], buses or Buses(), name), 'device')
        self._meter = Believer(FiscalMeterConfig(
            phase_currents=self.values['phase_currents'],
            phase_power=self.values['phase_power'], timeout=self._driver.timeout,
            max_amperage=self.values['max_amperage'], max_power=self.values['max_power']))
        self._publish = self.publisher(topic)
        self._published: Heard[MeterReading] | None = None
        self._signing: SigningRecords | None = None
        if isinstance(self._driver, SigningMeter) and self._driver.signs:
            self._signing = SigningRecords(self._driver, Store(
                store_file(self.values['state_dir'], self.get_namespace())))
        if topic is METER:
            self.hear(TRANSACTION, self._on_transaction)
        self._driver.start()
        self.every(self.values['rate'], self._step)

    def _on_transaction(self, heard: Heard[Any]) -> None:
        if self._signing is not None:
            self._signing.hear(heard.value)

    def _step(self) -> None:
        sample = self._driver.latest()
        value = None if sample.value is None else Heard(sample.value, sample.at)
        reading = self._meter.step(self.now(), value, sample.error)
        if reading is None:
            return
        # a sample goes out once; what a late subscriber missed comes with the next
        now = Heard(reading, sample.at)
        if reading.error or self._published is None or self._published.at != sample.at:
            self._publish(reading)
        self._published = now

    def health(self) -> list[Health]:
        """The device, its counters, and what was refused."""
        sample = self._driver.latest()
        error = sample.error or ('no answer yet' if sample.value is None else '')
        level = Level.ERROR if error else Level.OK
        message = error or 'reading'
        refusal = self._meter.recent_refusal(self.now())
        if not error and refusal:
            level, message = Level.WARN, f'refused: {refusal}'
        register = self._meter.register_problem(self.now())
        if register:
            level, message = Level.ERROR, register
        signing = [self._signing.health()] if self._signing is not None else []
        return [Health('device', level, message,
                       {**sample.identity, **sample.counters, 'refused': self._meter.refused},
                       sample.identity.get('serial_number') or self._where), *signing]

    def close(self) -> None:
        """Frees the port."""
        self._driver.close()
        if self._signing is not None:
            self._signing.close()


class GridMeter(FiscalMeter):
    """A second fiscal_meter, at the point of supply."""

    def __init__(self, buses: Buses | None = None, **kwargs: Any) -> None:
        super().__init__('grid_meter', GRID_METER, buses, **kwargs)


def main() -> int:
    """Runs the node in its own process."""
    return run([FiscalMeter])
