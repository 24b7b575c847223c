"""The simulated pilot board: EVracing EVSE-DIN, firmware 18 (domain.md 5.2).

It owns duty cycle, diode check and contactor. What the sources leave open is decided for the worse:
after a write of the configuration the new bits can be read at once but act a second later; register
1000 keeps its raw value when the unit changes under it (1600 becomes 1600 A), and what is above the
maximum asks for the maximum; it never withdraws an offer because nobody speaks to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from charger_control.sim.board_log import BoardLog
from charger_control.sim.eeprom import Eeprom
from charger_control.sim.modbus_rtu import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    READ_HOLDING,
    ModbusException,
    Registers,
)
from charger_control.sim.pilot_board import BoardParameters, PilotBoard
from charger_control.sim.pilot_line import MAX_OFFER
from charger_control.sim.plant import Plant

__all__ = ['FACTORY', 'BoardParameters', 'EvseDin']

FACTORY = {2000: 32, 2001: 1, 2002: 6, 2005: 0, 2007: 0,
           2010: 6, 2011: 10, 2012: 16, 2013: 25, 2014: 32, 2015: 48, 2016: 63, 2017: 80}
"""Registers 2000..2017 as delivered."""
_LIVE, _SET_UP = range(1000, 1010), range(2000, 2018)
_VEHICLE_STATES = {'A': 1, 'B': 2, 'C': 3, 'D': 4}
_FAILURE, _OFF_NOW = 5, 1


class EvseDin(PilotBoard, Registers):
    """The board.

    Attributes:
        eeprom: registers 2000..2017.
    """

    def __init__(self, plant: Plant, table: Mapping[str, Any], log: BoardLog, eeprom: Eeprom, *,
                 now: float = 0.0, parameters: BoardParameters | None = None) -> None:
        self.eeprom = eeprom
        self._registers: Mapping[str, int] = table['registers']
        self._names = {address: name for name, address in self._registers.items()}
        self._status_bits: Mapping[str, int] = table['status_bits']
        bits: Mapping[str, int] = table['configuration_bits']
        self._fine_bit = 1 << bits['fine_steps']
        self._ventilation_bit = 1 << bits['allow_ventilation']
        self._disable_bit = 1 << bits['disable_evse']
        self._set = 0
        self._fine = False
        super().__init__(plant, log, now=now, parameters=parameters)

    def unit(self) -> int:
        """The unit id it listens to."""
        return self.eeprom[self._registers['modbus_address']]

    def due(self) -> float:
        """See PilotBoard."""
        return self._units_at if self.is_up() else super().due()

    def _lose(self) -> None:
        self._units_at = math.inf
        self._command = 0

    def _boot(self, now: float) -> None:
        self._fine = bool(self.eeprom[self._registers['configuration']] & self._fine_bit)
        self._set = self.eeprom[self._registers['power_on_current']] * self._per_ampere()
        self._log.write(now, 'up', set_amperage=self.set_amperage, fine_steps=self._fine)

    def _tick(self, now: float) -> None:
        if now >= self._units_at:
            self._units_at = math.inf
            self._take_units(now)

    def _wanted(self) -> float:
        return self.set_amperage

    def _is_off(self) -> bool:
        return self._opens_at_once() or bool(
            self.eeprom[self._registers['configuration']] & self._disable_bit)

    def _opens_at_once(self) -> bool:
        return bool(self._command & _OFF_NOW)

    def _allows_ventilation(self) -> bool:
        return bool(self.eeprom[self._registers['configuration']] & self._ventilation_bit)

    def _least(self) -> float:
        return float(self.eeprom[self._registers['minimum_current']])

    def _most(self) -> float:
        return min(MAX_OFFER, float(self.eeprom[self._registers['installed_maximum']] or MAX_OFFER))

    def _take_units(self, now: float) -> None:
        fine = bool(self.eeprom[self._registers['configuration']] & self._fine_bit)
        if fine != self._fine:
            self._fine = fine
            self._log.write(now, 'units', fine_steps=fine)

    @property
    def fine_steps(self) -> bool:
        """Whether registers 1000 and 1001 count in 0.01 A now."""
        return self._fine

    @property
    def set_amperage(self) -> float:
        """A, what register 1000 means to it now."""
        return self._set / self._per_ampere()

    def _per_ampere(self) -> int:
        return 100 if self._fine else 1

    def lose_fine_steps(self, now: float) -> None:
        """Loses configuration bit 7 at once: registers 1000 and 1001 count in A."""
        register = self._registers['configuration']
        self.eeprom.write(register, self.eeprom[register] & ~self._fine_bit)
        self._take_units(now)

    def _live(self) -> list[int]:
        status = (self.relay << self._status_bits['relay_on']
                  | (self.failure == 'diode') << self._status_bits['diode_failed']
                  | (self.failure == 'ventilation') << self._status_bits['ventilation_failed'])
        countdown = 0
        if self.failure and math.isfinite(self._failed_until):
            countdown = max(0, math.ceil(self._failed_until - self._plant.at))
        vehicle = _FAILURE if self.failure else _VEHICLE_STATES.get(self.letter, _FAILURE)
        return [self._set, round(self.offered * self._per_ampere()), vehicle,
                round(self._cable()), self._command, self.parameters.firmware, self._pilot,
                status, countdown, 0]

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        """Registers 1000..1009 and 2000..2017, function 3."""
        if function != READ_HOLDING:
            raise ModbusException(ILLEGAL_FUNCTION)
        last = address + count - 1
        if address in _LIVE and last in _LIVE:
            return self._live()[address - _LIVE.start:last - _LIVE.start + 1]
        if address in _SET_UP and last in _SET_UP:
            return [self.eeprom[register] for register in range(address, last + 1)]
        raise ModbusException(ILLEGAL_ADDRESS)

    def write(self, address: int, values: list[int], now: float) -> None:
        """Registers 1000, 1004 and 2000..2017; acts at once."""
        writable = {self._registers['set_current'], self._registers['command'], *_SET_UP}
        if any(address + i not in writable for i in range(len(values))):
            raise ModbusException(ILLEGAL_ADDRESS)
        for register, value in enumerate(values, address):
            self._write_one(register, value, now)
        self.step(now)

    def _write_one(self, register: int, value: int, now: float) -> None:
        name = self._names.get(register, '')
        fields: dict[str, object] = {'register': register, 'name': name, 'value': value}
        if register == self._registers['set_current']:
            self._set = value
            fields['amperage'] = self.set_amperage
        elif register == self._registers['command']:
            self._command = value & _OFF_NOW
        else:
            self.eeprom.write(register, value)
            if name == 'configuration':
                self._units_at = now + self.parameters.configuration_time
        self._log.write(now, 'write', **fields)

    def truth(self) -> dict[str, Any]:
        """See PilotBoard."""
        return {**super().truth(), 'fine_steps': self.fine_steps,
                'eeprom_writes': self.eeprom.writes,
                'registers': {name: self.eeprom[address] for name, address
                              in self._registers.items() if address in _SET_UP}}
