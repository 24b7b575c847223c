"""Opens a Phoenix Contact board from a configuration, or withdraws its offer from outside."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.lines.modbus_rtu import ModbusLine
from charger_control.drivers.lines.modbus_tcp import ModbusTcpLine
from charger_control.drivers.lines.options import modbus_serial_options, serial_settings
from charger_control.drivers.options import Option
from charger_control.drivers.pilots.phoenix.boards import (
    Board,
    EthernetBoard,
    PhoenixConfig,
    SerialBoard,
)
from charger_control.drivers.pilots.phoenix.driver import Line, Phoenix

ANSWER_TIME = 0.25
"""s, an answer awaited for a withdrawal: less than in the driver, to have several tries in 1 s."""
RETRY_DELAY = 0.02
"""s between two tries: a killed owner frees the port within a few ms."""


def _common() -> tuple[Option, ...]:
    default = PhoenixConfig()
    return (
        Option('timeout', float, 'without an answer, until the reading is no longer published',
               default.timeout, 's', 0.3, 10.0),
        Option('tethered', bool, 'the cable is fixed: report no cable rating', default.tethered),
        Option('rate', float, 'polls', default.rate, 'Hz', 1.0, 10.0),
    )


def serial_options() -> tuple[Option, ...]:
    """The options of the EV-CC-AC1-M3."""
    return (
        *modbus_serial_options(SerialBoard().table['defaults']),
        *_common(),
        Option('set_enable_mode', bool, 'write 3 to 4000, so that only we enable charging; if '
               'false, a board with something else is refused', True),
        Option('status_function', int, 'function that reads 24000: 3 by the manual, 4 by evcc', 3,
               '', 3, 4),
    )


def ethernet_options() -> tuple[Option, ...]:
    """The options of the EM-CP-PP-ETH."""
    defaults = EthernetBoard().table['defaults']
    return (
        Option('host', str, 'name or address in the network'),
        Option('port', int, 'TCP port', defaults['port'], '', 1, 65535),
        Option('unit', int, 'Modbus unit', defaults['unit'], '', 0, 255),
        *_common(),
        Option('dip_check', bool, 'refuse a board whose DIP switch 10 reads off (104): it charges '
               'without asking us', True),
    )


def _config(values: Mapping[str, Any], may_set_up: bool) -> PhoenixConfig:
    return PhoenixConfig(timeout=values['timeout'], tethered=values['tethered'],
                         rate=values['rate'], may_set_up=may_set_up)


def open_serial(values: Mapping[str, Any], buses: Buses) -> Phoenix:
    """The EV-CC-AC1-M3; ``values`` checked against ``serial_options``. Raises OptionError."""
    return Phoenix(buses.modbus(values['port'], serial_settings(values)), values['unit'],
                   SerialBoard(values['status_function']),
                   _config(values, values['set_enable_mode']))


def open_ethernet(values: Mapping[str, Any], buses: Buses) -> Phoenix:
    """The EM-CP-PP-ETH; ``values`` checked against ``ethernet_options``."""
    return Phoenix(buses.modbus_tcp(values['host'], values['port']), values['unit'],
                   EthernetBoard(), _config(values, values['dip_check']))


def withdraw_serial(values: Mapping[str, Any], within: float) -> str:
    """Clears the enabling coil on a port that nobody has any more; see registry.withdraw."""
    board = SerialBoard(values['status_function'])
    return _withdraw(ModbusLine(values['port'], serial_settings(values)), values['unit'], board,
                     within)


def withdraw_ethernet(values: Mapping[str, Any], within: float) -> str:
    """Clears the enabling coil; see registry.withdraw."""
    return _withdraw(ModbusTcpLine(values['host'], values['port']), values['unit'],
                     EthernetBoard(), within)


def _withdraw(line: Line, unit: int, board: Board, within: float) -> str:
    end = time.monotonic() + within
    while True:
        try:
            line.open()
            words = _try(line, unit, board)
        except DeviceError as error:
            words = str(error)
        finally:
            line.close()
        if not words:
            return ''
        if time.monotonic() + RETRY_DELAY >= end:
            return f'not acknowledged within {within:g} s: {words}'
        time.sleep(RETRY_DELAY)


def _try(line: Line, unit: int, board: Board) -> str:
    """Clears the coil and reads it back; what stands in the way, '' for nothing."""
    line.write_bit(unit, board.coil['enable'], False, ANSWER_TIME)
    time.sleep(board.table['quiet'])
    request = board.coils
    answer = line.read_bits(unit, request.function, request.address, request.count, ANSWER_TIME)
    if answer[0]:
        return f'unit {unit} on {line.name} is still enabled'
    return ''
