"""The simulated pilot board: EVracing EVSE-DIN, firmware 18 (domain.md 5.2).

It owns duty cycle, diode check and contactor. What the sources leave open is decided for the worse:
after a write of the configuration the new bits can be read at once but act a second later; register
1000 keeps its raw value when the unit changes under it (1600 becomes 1600 A), and what is above the
maximum asks for the maximum; it never withdraws an offer because nobody speaks to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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
from charger_control.sim.pilot_line import (
    MAX_OFFER,
    MIN_OFFER,
    NO_OFFER_DUTY,
    duty_of_amperage,
    letter_of_level,
)
from charger_control.sim.plant import NO_CABLE, Plant

FACTORY = {2000: 32, 2001: 1, 2002: 6, 2005: 0, 2007: 0,
           2010: 6, 2011: 10, 2012: 16, 2013: 25, 2014: 32, 2015: 48, 2016: 63, 2017: 80}
"""Registers 2000..2017 as delivered."""
_LIVE, _SET_UP = range(1000, 1010), range(2000, 2018)
_VEHICLE_STATES = {'A': 1, 'B': 2, 'C': 3, 'D': 4}
_FAILURE, _OFF_NOW = 5, 1
_STEADY, _PWM, _OFF = 1, 2, 3
_DIODE_LEVEL = -10.0


@dataclass(frozen=True, slots=True)
class BoardParameters:
    """The board's own behaviour; times in s.

    Attributes:
        firmware: register 1005; from 17 on it can count in 0.01 A.
        boot_time: from a reset until it runs.
        configuration_time: from a write of the configuration until it acts.
        close_delay: from C with an offer to the command to close.
        stop_time: from the end of the offer to opening under load (domain.md 1.6: 6 s or more).
        failure_time: how long a failed check holds while the vehicle stays.
        no_cable_amperage: A, register 1003 without a cable (5 in the recorded frame).
    """

    firmware: int = 18
    boot_time: float = 0.8
    configuration_time: float = 1.0
    close_delay: float = 0.1
    stop_time: float = 6.0
    failure_time: float = 60.0
    no_cable_amperage: int = 5


class EvseDin(Registers):
    """The board.

    Attributes:
        parameters: its behaviour.
        eeprom: registers 2000..2017.
        offered: A that the pilot offers now, 0 for none.
        relay: whether it commands the contactor closed.
        letter: what it sees on the pilot; '' before its first look.
        failure: '' or what it found wrong.
    """

    def __init__(self, plant: Plant, table: Mapping[str, Any], log: BoardLog, eeprom: Eeprom, *,
                 now: float = 0.0, parameters: BoardParameters | None = None) -> None:
        self.parameters = parameters or BoardParameters()
        self.eeprom = eeprom
        self._plant = plant
        self._log = log
        self._registers: Mapping[str, int] = table['registers']
        self._names = {address: name for name, address in self._registers.items()}
        self._status_bits: Mapping[str, int] = table['status_bits']
        bits: Mapping[str, int] = table['configuration_bits']
        self._fine_bit = 1 << bits['fine_steps']
        self._ventilation_bit = 1 << bits['allow_ventilation']
        self._disable_bit = 1 << bits['disable_evse']
        self._set = 0
        self._fine = False
        self.offered = 0.0
        self.relay = False
        self.letter = ''
        self.failure = ''
        self.reset(now, 'power on')
        self._up_at = now       # it had its power before anybody looked
        self.step(now)

    def unit(self) -> int:
        """The unit id it listens to."""
        return self.eeprom[self._registers['modbus_address']]

    def is_up(self) -> bool:
        """Whether it has booted."""
        return self._up

    def reset(self, now: float, reason: str) -> None:
        """Cuts its power for a moment: the offer ends, the contactor falls open, it boots."""
        self._log.write(now, 'boot', reason=reason)
        self._up = False
        self._up_at = now + self.parameters.boot_time
        self._units_at = math.inf
        self._command = 0
        self._failed_until = -math.inf
        self._charging_since: float | None = None
        self._off_since: float | None = None
        self._evse_state = _STEADY
        self.failure = ''
        self._offer(now, 0.0)
        self._switch(now, False, 'no power')

    def due(self) -> float:
        """s, when it does something by itself next, at the latest."""
        return self._units_at if self._up else self._up_at

    def step(self, now: float) -> None:
        """Looks at the pilot and acts; called at least every 50 ms and after each write."""
        if not self._up:
            if now < self._up_at:
                return
            self._up = True
            self._fine = bool(self.eeprom[self._registers['configuration']] & self._fine_bit)
            self._set = self.eeprom[self._registers['power_on_current']] * self._per_ampere()
            self._log.write(now, 'up', set_amperage=self.set_amperage, fine_steps=self._fine)
        if now >= self._units_at:
            self._units_at = math.inf
            self._take_units(now)
        high, _ = self._plant.pilot_levels
        self.letter = letter_of_level(high)
        self._check(now)
        self._set_pilot(now)
        self._check(now)      # the diode shows only while the PWM runs
        self._set_contactor(now)

    def _check(self, now: float) -> None:
        allowed = self.eeprom[self._registers['configuration']] & self._ventilation_bit
        if self.letter in ('E', 'F'):
            self._fail(now, 'pilot', hold=0.0)
        elif self.letter == 'D' and not allowed:
            self._fail(now, 'ventilation', hold=0.0)
        elif self._evse_state == _PWM and self._plant.pilot_levels[1] > _DIODE_LEVEL:
            self._fail(now, 'diode', hold=self.parameters.failure_time)
        elif self.failure and (now >= self._failed_until or self.letter == 'A'):
            self.failure = ''
            self._log.write(now, 'failure', reason='')
        if self.failure and self._evse_state == _PWM:
            self._evse_state = _STEADY
            self._offer(now, 0.0)

    def _fail(self, now: float, reason: str, *, hold: float) -> None:
        self._failed_until = now + hold
        if self.failure != reason:
            self.failure = reason
            self._log.write(now, 'failure', reason=reason)

    def _set_pilot(self, now: float) -> None:
        disabled = (self._command & _OFF_NOW
                    or self.eeprom[self._registers['configuration']] & self._disable_bit)
        amperage = 0.0
        if self.letter in ('B', 'C', 'D') and not self.failure and not disabled:
            amperage = self._allowed()
        self._evse_state = _OFF if disabled else _PWM if amperage else _STEADY
        self._offer(now, amperage)

    def _allowed(self) -> float:
        most = min(MAX_OFFER, float(self.eeprom[self._registers['installed_maximum']] or MAX_OFFER))
        amperage = min(self.set_amperage, most, self._cable())
        least = max(MIN_OFFER, float(self.eeprom[self._registers['minimum_current']]))
        return amperage if amperage >= least else 0.0

    def _cable(self) -> float:
        cable = self._plant.cable_amperage
        return cable if cable != NO_CABLE else float(self.parameters.no_cable_amperage)

    def _set_contactor(self, now: float) -> None:
        if self.letter not in ('C', 'D') or self.failure:
            self._charging_since = self._off_since = None
            self._switch(now, False, f'failure: {self.failure}' if self.failure else 'not C or D')
        elif self._evse_state == _PWM:
            self._off_since = None
            if self._charging_since is None:
                self._charging_since = now
            if now - self._charging_since >= self.parameters.close_delay:
                self._switch(now, True, 'C with an offer')
        else:
            self._charging_since = None
            if self._off_since is None:
                self._off_since = now
            if self._command & _OFF_NOW:
                self._switch(now, False, 'turned off')
            elif now - self._off_since >= self.parameters.stop_time:
                self._switch(now, False, 'vehicle does not stop')

    def _offer(self, now: float, amperage: float) -> None:
        self._plant.duty = duty_of_amperage(amperage) if amperage else NO_OFFER_DUTY
        if amperage != self.offered:
            self.offered = amperage
            self._log.write(now, 'offer', amperage=round(amperage, 3), evse_state=self._evse_state)

    def _switch(self, now: float, closed: bool, reason: str) -> None:
        self._plant.contactor.command(closed, now)
        if closed != self.relay:
            self.relay = closed
            self._log.write(now, 'relay', closed=closed, reason=reason)

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
                round(self._cable()), self._command, self.parameters.firmware, self._evse_state,
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
