"""The simulated pilot board: EVracing EVSE-DIN and EVSE-WB of any firmware.

Written from what the maker publishes and from clients that are run on real boards, not from our
driver:

[M] the maker's scripts (kortas87/evse-scripts: read_evse.py, write_evse.py) and register comments
    ("rev17 and later") as quoted by clients of the EVSE-WB;
[E] syssi/esphome-evse-wallbox: frames of a board of firmware 18 and one of firmware 10, its issue
    12 (firmware 10 refuses 1000 x 10), its example for firmware 15 (7 registers);
[W] openWB: hhoefling/openWB_lite docs/infos.md (firmware 12), snaptec/openWB issue 9 (firmware 8:
    registers 1000..1006 and 2000..2007), core modules/common/evse.py;
[S] CurtRod/SimpleEVSE-WiFi: reads 7 registers, 0.01 A from firmware 18 on, Modbus off as delivered,
    2005 bit 13;
[V] evcc charger/evsedin.go (function 16, 0 for off) and issue 2054 (the maker: 0.01 A by 2005 bit
    7, firmware 17 and later).

What they leave open is decided for the worse: after a write of the configuration the new bits can
be read at once but act a second later; a firmware that does not know a bit keeps it all the same;
register 1000 keeps its raw value when the unit changes under it (1600 becomes 1600 A), and what is
above the maximum asks for the maximum; it never withdraws an offer because nobody speaks to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.boards.eeprom import Eeprom
from charger_control.sim.boards.pilot_board import OFF, BoardParameters, PilotBoard
from charger_control.sim.lines.modbus_rtu import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    READ_HOLDING,
    ModbusException,
    NoAnswerError,
    Registers,
)
from charger_control.sim.plant.pilot_line import MAX_OFFER, MIN_OFFER
from charger_control.sim.plant.plant import Plant

__all__ = ['FACTORY', 'BoardParameters', 'EvseDin']

FACTORY = {2000: 32, 2001: 1, 2002: 5, 2003: 1, 2004: 0, 2005: 0x0209, 2008: 0xFFFF, 2009: 3,
           2010: 6, 2011: 10, 2012: 16, 2013: 25, 2014: 32, 2015: 48, 2016: 63, 2017: 80}
"""Registers 2000..2017 of the dump in [E]. Delivered, 2001 is 0: Modbus is off [S]."""
OLD_FIRMWARE = 15
"""The last firmware without 1007..1009 and 2008..2017 [E], [W]."""
_LIVE, _OLD_LIVE = range(1000, 1010), range(1000, 1007)
_SET_UP, _OLD_SET_UP = range(2000, 2018), range(2000, 2008)
_VEHICLE_STATES = {'A': 1, 'B': 2, 'C': 3, 'D': 4}
_FAILURE, _OFF_NOW = 5, 1
_OFF_OUTPUT = 5
"""Register 1001 of an old board whose pilot is off (1006 is 3): the frame of firmware 10 in [E]."""
_AFTER_CHARGE = 1 << 13


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
        self._address = 0
        self._has_charged = self._spent = False
        super().__init__(plant, log, now=now, parameters=parameters)

    def unit(self) -> int:
        """The unit id it listens to, 0 while Modbus is off."""
        return self._address

    def pull_an(self, now: float) -> None:
        """AN to GND five times within 3 s of its start: Modbus on, kept by the next write to 2000
        or above, whichever it is, and lost with the power before that [S]."""
        self._address = 1
        self._log.write(now, 'modbus', address=self._address)

    def due(self) -> float:
        """See PilotBoard."""
        return self._units_at if self.is_up() else super().due()

    def _lose(self) -> None:
        self._units_at = math.inf
        self._command = 0
        self._has_charged = self._spent = False

    def _boot(self, now: float) -> None:
        self._address = self.eeprom[self._registers['modbus_address']]
        self._fine = self._asks_for_fine()
        self._set = self.eeprom[self._registers['power_on_current']] * self._per_ampere()
        self._log.write(now, 'up', set_amperage=self.set_amperage, fine_steps=self._fine)

    def _tick(self, now: float) -> None:
        if now >= self._units_at:
            self._units_at = math.inf
            self._take_units(now)
        if self.relay:
            self._has_charged = True
        elif self._has_charged and self.letter not in ('C', 'D'):
            self._has_charged = False
            if self.eeprom[self._registers['configuration']] & _AFTER_CHARGE:
                self._spent = True      # off until 2005 is written again [S]
                self._log.write(now, 'spent')

    def _wanted(self) -> float:
        return self.set_amperage

    def _is_off(self) -> bool:
        # PWM only from 6 A on [W]; 1006 of a board set to 3 A is 3 [E]
        return (self._opens_at_once() or self._spent or self.set_amperage < MIN_OFFER or bool(
            self.eeprom[self._registers['configuration']] & self._disable_bit))

    def _opens_at_once(self) -> bool:
        return bool(self._command & _OFF_NOW)

    def _allows_ventilation(self) -> bool:
        return bool(self.eeprom[self._registers['configuration']] & self._ventilation_bit)

    def _least(self) -> float:
        return float(self.eeprom[self._registers['minimum_current']])

    def _most(self) -> float:
        return min(MAX_OFFER, float(self.eeprom[self._registers['installed_maximum']] or MAX_OFFER))

    def _asks_for_fine(self) -> bool:
        return (self.parameters.firmware >= self.parameters.fine_firmware
                and bool(self.eeprom[self._registers['configuration']] & self._fine_bit))

    def _take_units(self, now: float) -> None:
        fine = self._asks_for_fine()
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
        output = round(self.offered * self._per_ampere())
        if self._is_old() and self._pilot == OFF:
            output = _OFF_OUTPUT
        return [self._set, output, vehicle,
                round(self._cable()), self._command, self.parameters.firmware, self._pilot,
                status, countdown, 0]

    def _is_old(self) -> bool:
        return self.parameters.firmware <= OLD_FIRMWARE

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        """Registers 1000..1009 and 2000..2017, function 3; old firmware: 1000..1006, 2000..2007.

        Raises:
            ModbusException: there is no such register.
            NoAnswerError: nor is there an answer.
        """
        if function != READ_HOLDING:
            raise ModbusException(ILLEGAL_FUNCTION)
        last = address + count - 1
        live, set_up = (_OLD_LIVE, _OLD_SET_UP) if self._is_old() else (_LIVE, _SET_UP)
        if address in live and last in live:
            return self._live()[address - live.start:last - live.start + 1]
        if address in set_up and last in set_up:
            return [self.eeprom[register] for register in range(address, last + 1)]
        if self.parameters.silent_refusals:
            raise NoAnswerError
        raise ModbusException(ILLEGAL_ADDRESS)

    def write(self, address: int, values: list[int], now: float) -> None:
        """Registers 1000, 1004 and 2000..2017; acts at once."""
        set_up = _OLD_SET_UP if self._is_old() else _SET_UP
        writable = {self._registers['set_current'], self._registers['command'], *set_up}
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
            self._keep_address(register, value)
            self.eeprom.write(register, value)
            if name == 'configuration':
                self._spent = False
                self._units_at = now + self.parameters.configuration_time
        self._log.write(now, 'write', **fields)

    def _keep_address(self, register: int, value: int) -> None:
        address = self._registers['modbus_address']
        if register == address:
            self._address = value
        elif self.eeprom[address] != self._address:
            self.eeprom.write(address, self._address)

    def truth(self) -> dict[str, Any]:
        """See PilotBoard."""
        return {**super().truth(), 'fine_steps': self.fine_steps,
                'eeprom_writes': self.eeprom.writes,
                'registers': {name: self.eeprom[address] for name, address
                              in self._registers.items() if address in _SET_UP}}
