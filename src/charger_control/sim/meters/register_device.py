"""A simulated meter, laid out from the register table of its driver, read the other way round.

Its encoding is its own: nothing of the driver's decoding is used.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from charger_control.sim.lines.modbus_rtu import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    ModbusException,
    Registers,
)
from charger_control.sim.plant.ev_parameters import Phases

_STRUCT = {'int16': 'h', 'uint16': 'H', 'int32': 'i', 'uint32': 'I', 'int64': 'q', 'uint64': 'Q',
           'float32': 'f', 'float64': 'd'}
_MANTISSA_BITS = {'t5': 24, 't6': 23}
_FACTORS = {'amperage': -2, 'voltage': -1, 'phase_power': 0, 'active_power': 0, 'frequency': -2,
            'energy_imported': 0}
"""The power of ten that the simulated meter puts into a scale register."""


class Measured(Protocol):
    """What a meter measures; attributes as of ``plant.Plant``."""

    voltage: Phases
    amperage: Phases
    frequency: float
    power: float
    energy_imported: float


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


class RegisterMeter(Registers):
    """The meter: takes a sample of the plant at its own rate and serves that.

    Attributes:
        parameters: its behaviour; replace them to change it.
        sample: the values that its registers hold, by the table's names.
        sampled_at: s, when they were taken.
    """

    def __init__(self, plant: Measured, table: Mapping[str, Any], *, now: float = 0.0,
                 seed: int = 0, parameters: MeterParameters | None = None) -> None:
        self.parameters = parameters or MeterParameters()
        self.sampled_at = now
        self.sample: dict[str, list[float]] = {}
        self._plant = plant
        self._values: Mapping[str, Any] = table['values']
        self._little = table['word_order'] == 'little'
        self._most = int(table['max_registers'])
        self._map = {(block['function'], block['address'] + i)
                     for block in table['blocks'] for i in range(block['count'])}
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
        # a one-phase meter measures what its table gives it an address for
        phases = self._phases
        self.sample = {
            'voltage': list(plant.voltage)[:phases],
            'amperage': amperage[:phases],
            'phase_power': power[:phases],
            'active_power': [sum(power[:phases])],
            'frequency': [plant.frequency],
            'energy_imported': [int(steps) * parameters.resolution],
            'serial_number': [parameters.serial_number],
        }
        self._registers = {}
        for name, values in self.sample.items():
            for address, value in zip(self._addresses(name), values, strict=True):
                self._put(name, address, value)

    @property
    def _phases(self) -> int:
        return len(self._addresses('amperage'))

    def _addresses(self, name: str) -> list[int]:
        given = self._values[name]['address']
        return given if isinstance(given, list) else [given]

    def _put(self, name: str, address: int, value: float) -> None:
        entry = self._values[name]
        kind, function = entry['type'], entry['function']
        number = value / entry.get('scale', 1.0)
        if 'scale_register' in entry:
            exponent = _FACTORS[name]
            number /= 10.0**exponent
            self._registers[function, entry['scale_register']] = exponent & 0xFFFF
        if kind == 'text':
            raw = str(int(number)).encode('ascii').ljust(2 * entry['count'], b'\0')
        elif kind in _MANTISSA_BITS:
            raw = _decade(number, _MANTISSA_BITS[kind])
        elif kind.startswith('float'):
            raw = struct.pack(f'>{_STRUCT[kind]}', number)
        else:
            raw = struct.pack(f'>{_STRUCT[kind]}', round(number))
        for offset, word in enumerate(_words(raw, self._little and kind != 'text')):
            self._registers[function, address + offset] = word

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        """What its registers hold; those without a meaning here are 0, as in the device."""
        if count > self._most:
            raise ModbusException(ILLEGAL_VALUE)
        wanted = [(function, address + i) for i in range(count)]
        if not self.in_map(function, address, count) and not all(
                key in self._registers for key in wanted):
            raise ModbusException(ILLEGAL_ADDRESS)
        return [self._registers.get(key, 0) for key in wanted]

    def in_map(self, function: int, address: int, count: int) -> bool:
        """Whether the device has these registers: here, those that its table reads together."""
        return all((function, address + i) in self._map for i in range(count))

    def write(self, address: int, values: list[int], now: float) -> None:
        """It is not set up over the line here."""
        raise ModbusException(ILLEGAL_FUNCTION)


def _words(raw: bytes, little: bool) -> Iterator[int]:
    pairs = [raw[i:i + 2] for i in range(0, len(raw), 2)]
    for pair in reversed(pairs) if little else pairs:
        yield int.from_bytes(pair, 'big')


def _decade(number: float, bits: int) -> bytes:
    """A power of ten and 24 bits, with as many digits as fit, four after the point at most."""
    exponent = -4
    while abs(number) / 10.0**exponent >= 2**bits:
        exponent += 1
    mantissa = round(number / 10.0**exponent)
    return bytes([exponent & 0xFF]) + (mantissa & 0xFFFFFF).to_bytes(3, 'big')
