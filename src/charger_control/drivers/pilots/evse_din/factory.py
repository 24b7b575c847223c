"""Opens an EVSE-DIN/EVSE-WB from a configuration, or withdraws its offer from outside."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from charger_control.drivers.interfaces import AnswerError, DeviceError
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.lines.modbus_rtu import READ_HOLDING, ModbusLine
from charger_control.drivers.lines.options import modbus_serial_options, serial_settings
from charger_control.drivers.options import Option
from charger_control.drivers.pilots.evse_din.driver import EvseDin, EvseDinConfig
from charger_control.drivers.pilots.evse_din.registers import Live, amperes, register_map
from charger_control.drivers.pilots.evse_din.unit import BlockRead

ANSWER_TIME = 0.25
"""s, an answer awaited for a withdrawal: less than in the driver, to have several tries in 1 s."""
RETRY_DELAY = 0.02
"""s between two tries: a killed owner frees the port within a few ms."""


def options() -> tuple[Option, ...]:
    """The options of the board."""
    default = EvseDinConfig()
    return (
        *modbus_serial_options(register_map().defaults),
        Option('timeout', float, 'without an answer, until the reading is no longer published',
               default.timeout, 's', 0.3, 10.0),
        Option('fine_steps', bool, 'offer in 0.01 A; needs firmware 17 or later, sets 2005 bit 7',
               default.fine_steps),
        Option('set_power_on_current', bool, 'write 0 to 2000, the current that the board offers '
               'by itself after a restart, and clear 2005 bit 13 (disable after charge); if '
               'false, a board with either is refused',
               default.set_power_on_current),
        Option('tethered', bool, 'the cable is fixed: report no cable rating', default.tethered),
        Option('rate', float, 'polls', default.rate, 'Hz', 1.0, 20.0),
    )


def open_pilot(values: Mapping[str, Any], buses: Buses) -> EvseDin:
    """The board; ``values`` checked against ``options``. Raises OptionError."""
    config = EvseDinConfig(**{name: values[name] for name in (
        'timeout', 'fine_steps', 'set_power_on_current', 'tethered', 'rate')})
    return EvseDin(buses.modbus(values['port'], serial_settings(values)), values['unit'], config)


def withdraw(values: Mapping[str, Any], within: float) -> str:
    """Writes "no offer" on a port that nobody has any more; see registry.withdraw."""
    end = time.monotonic() + within
    line = ModbusLine(values['port'], serial_settings(values))
    live = BlockRead(*register_map().live)
    acknowledged = False
    while True:
        try:
            line.open()
            _write_no_offer(line, values['unit'])
            acknowledged = True
            words = _still_offered(line, values['unit'], live)
        except DeviceError as error:
            words = str(error)
        finally:
            line.close()
        if not words:
            return ''
        if time.monotonic() + RETRY_DELAY >= end:
            doubt = ('"no offer" was acknowledged, but not seen' if acknowledged
                     else 'not acknowledged')
            return f'{doubt} within {within:g} s: {words}'
        time.sleep(RETRY_DELAY)


def _write_no_offer(line: ModbusLine, unit: int) -> None:
    board = register_map()
    line.write(unit, board.address['set_current'], [0], ANSWER_TIME)
    time.sleep(board.quiet)


def _still_offered(line: ModbusLine, unit: int, live: BlockRead) -> str:
    """Reads back; what the board still offers, in words, '' for nothing."""
    while True:
        try:
            seen = Live.of(line.read(unit, READ_HOLDING, *live.request, ANSWER_TIME))
        except AnswerError as error:
            if not live.failed():
                raise
            if error.kind == 'exceptions':
                time.sleep(register_map().quiet)
                continue    # older firmware has fewer registers
            raise
        break
    live.answered(may_have_more=False)
    if seen.set_current or seen.offered:
        return (f'unit {unit} on {line.name} still offers '
                f'{max(amperes(seen.set_current), amperes(seen.offered)):g} A')
    return ''
