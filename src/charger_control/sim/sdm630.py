"""The simulated meter: Eastron SDM630 v2 (domain.md 4), laid out from its register table."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charger_control.sim.modbus_rtu import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    READ_HOLDING,
    READ_INPUT,
    ModbusException,
    Registers,
)
from charger_control.sim.plant import Plant

_MAP_END = {READ_INPUT: 0x0400, READ_HOLDING: 0x0100}


@dataclass(frozen=True, slots=True)
class MeterParameters:
    """The meter's own behaviour.

    Attributes:
        refresh: s between new values in its registers.
        amperage_noise: A, standard deviation of each measured current while one flows.
        resolution: kWh, least step of the energy register.
        serial_number: 0 to 4294967295.
    """

    refresh: float = 0.2
    amperage_noise: float = 0.01
    resolution: float = 0.001
    serial_number: int = 20231107


class Sdm630(Registers):
    """The meter: takes a sample of the plant at its own rate and serves that.

    Attributes:
        parameters: its behaviour; replace them to change it.
        sample: the values that its registers hold, by the table's names.
        sampled_at: s, when they were taken.
    """

    def __init__(self, plant: Plant, table: Mapping[str, Any], *, now: float = 0.0, seed: int = 0,
                 parameters: MeterParameters | None = None) -> None:
        self.parameters = parameters or MeterParameters()
        self.sampled_at = now
        self.sample: dict[str, list[float]] = {}
        self._plant = plant
        self._values: Mapping[str, Any] = table['values']
        self._most = int(table['max_registers'])
        self._random = random.Random(seed)
        self._registers: dict[tuple[int, int], int] = {}
        self._take()

    def step(self, now: float) -> None:
        """Takes a new sample when its refresh time has come."""
        refresh = self.parameters.refresh
        if now - self.sampled_at >= refresh - 1e-9:
            # on its own grid, however late it is called
            self.sampled_at += refresh * max(1, int((now - self.sampled_at) / refresh + 1e-9))
            self._take()

    def due(self) -> float:
        """s, when it takes its next sample."""
        return self.sampled_at + self.parameters.refresh

    def _take(self) -> None:
        plant, parameters = self._plant, self.parameters
        amperage = [max(0.0, a + self._random.gauss(0.0, parameters.amperage_noise)) if a else 0.0
                    for a in plant.amperage]
        apparent = sum(v * a for v, a in zip(plant.voltage, plant.amperage, strict=True))
        factor = plant.power / apparent if apparent else 0.0
        power = [v * a * factor for v, a in zip(plant.voltage, amperage, strict=True)]
        steps = round(plant.energy_imported / parameters.resolution, 6)
        self.sample = {
            'voltage': list(plant.voltage),
            'amperage': amperage,
            'phase_power': power,
            'active_power': [sum(power)],
            'frequency': [plant.frequency],
            'energy_imported': [int(steps) * parameters.resolution],
            'serial_number': [parameters.serial_number],
        }
        self._registers = {}
        for name, values in self.sample.items():
            entry = self._values[name]
            addresses = entry['address']
            for address, value in zip(addresses if isinstance(addresses, list) else [addresses],
                                      values, strict=True):
                high, low = struct.unpack('>HH', _bytes_of(entry['type'], value))
                self._registers[entry['function'], address] = high
                self._registers[entry['function'], address + 1] = low

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        """What its registers hold; those without a meaning here are 0, as in the device."""
        if count > self._most:
            raise ModbusException(ILLEGAL_VALUE)
        in_map = address + count <= _MAP_END[function]
        wanted = [(function, address + i) for i in range(count)]
        if not in_map and not all(key in self._registers for key in wanted):
            raise ModbusException(ILLEGAL_ADDRESS)
        return [self._registers.get(key, 0) for key in wanted]

    def write(self, address: int, values: list[int], now: float) -> None:
        """It is not set up over the line here."""
        raise ModbusException(ILLEGAL_FUNCTION)


def _bytes_of(kind: str, value: float) -> bytes:
    return struct.pack('>f', value) if kind == 'float32' else struct.pack('>I', int(value))
