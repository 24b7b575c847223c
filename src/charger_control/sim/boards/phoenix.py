"""The simulated Phoenix Contact boards: EV-CC-AC1-M3 (serial) and EM-CP-PP-ETH.

Serial: user manual 106377_en_04, table 9-2 (pages 53-63): 4000, 4001, 20000, 20001, 21000, 22000,
24000 ff., volatile and retentive as it says; evcc issue 75 and pull request 490 use it so.
Ethernet: evcc charger/phoenix-em-eth.go and the traces in evcc issue 10248 (100, 102, 300, 400, one
register at a time), gonium/go-EM-CP-PP-ETH (100 to 141 in one read, 200 to 207, error bits of 107;
its alone are 101, 104, 105, 107, 204, 401, 402). Without an energy meter its registers are 0xFFFF
(evcc issue 776).

What the sources leave open is decided for the worse: after a restart the set current is the most,
the coil of the Ethernet board keeps its value over a restart, and a board whose settings do not let
us enable it charges by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.boards.eeprom import Eeprom
from charger_control.sim.boards.pilot_board import PWM, BoardParameters, PilotBoard
from charger_control.sim.lines.modbus_rtu import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    READ_COILS,
    READ_DISCRETE,
    READ_HOLDING,
    READ_INPUT,
    ModbusException,
    Registers,
)
from charger_control.sim.plant.plant import NO_CABLE, Plant

SERIAL_FACTORY = {4000: 1, 4001: 0}
"""What the serial board keeps, as delivered: charging is enabled by input EN, which is wired on."""
ETHERNET_FACTORY = {104: 1 << 9, 400: 0, 401: 0, 402: 1}
"""What the Ethernet board keeps: DIP switch 10 on, and its coils."""
_LEAST, _MOST = 6, 63
_BY_COIL, _BY_COIL_F = 3, 2


class _Phoenix(PilotBoard, Registers):
    """What both have."""

    def __init__(self, plant: Plant, table: Mapping[str, Any], log: BoardLog, eeprom: Eeprom, *,
                 now: float = 0.0, parameters: BoardParameters | None = None) -> None:
        self.eeprom = eeprom
        self._defaults: Mapping[str, Any] = table['defaults']
        self._set = _MOST
        super().__init__(plant, log, now=now, parameters=parameters)

    def unit(self) -> int:
        """The unit id it listens to."""
        return int(self._defaults['unit'])

    def _boot(self, now: float) -> None:
        self._set = _MOST
        self._log.write(now, 'up', set_amperage=self.set_amperage)

    def _wanted(self) -> float:
        return float(self._set)

    def _set_current(self, value: int, now: float) -> None:
        if not _LEAST <= value <= _MOST:
            raise ModbusException(ILLEGAL_VALUE)
        self._set = value
        self._log.write(now, 'write', name='set_current', amperage=value)

    def _rating(self) -> int:
        cable = self._plant.cable_amperage
        return 0 if cable == NO_CABLE else round(cable)

    def truth(self) -> dict[str, Any]:
        """See PilotBoard."""
        return {**super().truth(), 'eeprom_writes': self.eeprom.writes}


class PhoenixSerial(_Phoenix):
    """EV-CC-AC1-M3 with a serial interface; coils and set current are lost with its power."""

    def _lose(self) -> None:
        self._enabled = self._released = False

    def _is_off(self) -> bool:
        return self.eeprom[4000] == _BY_COIL and not self._enabled

    def _opens_at_once(self) -> bool:
        return False

    def _is_unavailable(self) -> bool:
        return self.eeprom[4001] == _BY_COIL_F and not self._released

    def _status(self) -> int:
        letter = 'F' if self._is_unavailable() else 'E' if self.failure else self.letter
        digit = '0' if letter in 'EF' else '2' if self._pilot == PWM else '1'
        return int.from_bytes(f'{letter}{digit}'.encode(), 'big')

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        """Registers 4000..4001, 22000, 24000..24005; inputs 1000..1033."""
        texts = b'EV-CC-AC1-M3-CBC-SER-HS'.ljust(32, b'\0') + b'1622460'.ljust(10, b'\0')
        texts += b'SN0012345678' + bytes.fromhex('2023 1107 4100 0001 5601 0002 0003')
        known = {1000 + i: int.from_bytes(texts[2 * i:2 * i + 2], 'big')
                 for i in range(len(texts) // 2)}
        if function == READ_HOLDING:
            live = [self._status(), self._rating(), round(self._plant.duty * 100),
                    round(self.offered) or self._set, 1, self.relay << 2]
            known = {4000: self.eeprom[4000], 4001: self.eeprom[4001], 22000: self._set,
                     **{24000 + i: value for i, value in enumerate(live)}}
        elif function != READ_INPUT:
            raise ModbusException(ILLEGAL_FUNCTION)
        return _some(known, address, count)

    def write(self, address: int, values: list[int], now: float) -> None:
        """Registers 4000, 4001 and 22000, one at a time."""
        if len(values) != 1 or address not in (4000, 4001, 22000):
            raise ModbusException(ILLEGAL_ADDRESS)
        if address == 22000:
            self._set_current(values[0], now)
        else:
            if values[0] > (_BY_COIL if address == 4000 else _BY_COIL_F):
                raise ModbusException(ILLEGAL_VALUE)
            self.eeprom.write(address, values[0])
            self._log.write(now, 'write', register=address, value=values[0])
        self.step(now)

    def read_bits(self, function: int, address: int, count: int, now: float) -> list[bool]:
        """Coils 20000..20003."""
        if function != READ_COILS:
            raise ModbusException(ILLEGAL_FUNCTION)
        coils = {20000: self._enabled, 20001: self._released, 20002: False, 20003: False}
        return [bool(bit) for bit in _some(coils, address, count)]

    def write_bit(self, address: int, value: bool, now: float) -> None:
        """Coils 20000 (enable), 20001 (available), 21000 (restart)."""
        if address == 20000:
            self._enabled = value
        elif address == 20001:
            self._released = value
        elif address == 21000:
            if value:
                self.reset(now, 'told to restart')
        else:
            raise ModbusException(ILLEGAL_ADDRESS)
        self._log.write(now, 'write', register=address, value=value)
        self.step(now)


class PhoenixEthernet(_Phoenix):
    """EM-CP-PP-ETH; its coils outlive a power cut."""

    def _lose(self) -> None:
        return

    def _is_off(self) -> bool:
        return bool(self.eeprom[104] & 1 << 9) and not self.eeprom[400]

    def _opens_at_once(self) -> bool:
        return False

    def _is_unavailable(self) -> bool:
        return not self.eeprom[402]

    def _error(self) -> int:
        bits = {'diode': 1 << 12, 'ventilation': 1 << 10, 'pilot': 1 << 3}
        return bits.get(self.failure, 0) | self._is_unavailable() << 4

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        """Inputs 100..107, register 300."""
        letter = 'F' if self._is_unavailable() else self.letter
        if function == READ_INPUT:
            live = [ord(letter), self._rating(), 0, 0, self.eeprom[104], 0, 113, self._error()]
            known = {100 + i: value for i, value in enumerate(live)
                     if i in (0, 2, 3) or not self.parameters.sparse}
        elif function == READ_HOLDING:
            known = {300: self._set}
        else:
            raise ModbusException(ILLEGAL_FUNCTION)
        return _some(known, address, count)

    def write(self, address: int, values: list[int], now: float) -> None:
        """Register 300."""
        if address != 300 or len(values) != 1:
            raise ModbusException(ILLEGAL_ADDRESS)
        self._set_current(values[0], now)
        self.step(now)

    def read_bits(self, function: int, address: int, count: int, now: float) -> list[bool]:
        """Coils 400..402, discrete inputs 200..207."""
        if self.parameters.sparse:
            known: dict[int, int] = {} if function == READ_DISCRETE else {400: self.eeprom[400]}
        elif function == READ_DISCRETE:
            inputs = [True, True, False, False, self.relay, False, False, bool(self.failure)]
            known = {200 + i: value for i, value in enumerate(inputs)}
        else:
            known = {coil: self.eeprom[coil] for coil in (400, 401, 402)}
        return [bool(bit) for bit in _some(known, address, count)]

    def write_bit(self, address: int, value: bool, now: float) -> None:
        """Coils 400 (enable), 401 (digital communication), 402 (available)."""
        if address not in ((400,) if self.parameters.sparse else (400, 401, 402)):
            raise ModbusException(ILLEGAL_ADDRESS)
        self.eeprom.write(address, int(value))
        self._log.write(now, 'write', register=address, value=value)
        self.step(now)


def _some(known: Mapping[int, int], address: int, count: int) -> list[int]:
    wanted = range(address, address + count)
    if not all(each in known for each in wanted):
        raise ModbusException(ILLEGAL_ADDRESS)
    return [known[each] for each in wanted]
