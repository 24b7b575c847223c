"""Options of the Modbus meters, and how one is opened on its line: serial or TCP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from charger_control.drivers.codecs.register_table import RegisterTable, load
from charger_control.drivers.lines.bus import Bus, Buses
from charger_control.drivers.lines.modbus_rtu import ModbusLine
from charger_control.drivers.lines.options import (
    modbus_serial_options,
    modbus_tcp_options,
    serial_settings,
)
from charger_control.drivers.meters.registers import RATE, TIMEOUT, ModbusMeter, highest_rate
from charger_control.drivers.meters.signing_procedures import PROCEDURES
from charger_control.drivers.options import Option


def options(table_name: str) -> tuple[Option, ...]:
    """The options of the meter with this table on a serial line."""
    table = load(table_name)
    return (*modbus_serial_options(table.defaults), *_meter_options(table_name, table))


def tcp_options(table_name: str) -> tuple[Option, ...]:
    """The options of the meter with this table on Modbus TCP."""
    table = load(table_name)
    return (*modbus_tcp_options(table.defaults), *_meter_options(table_name, table))


def _meter_options(name: str, table: RegisterTable) -> tuple[Option, ...]:
    rate = min(RATE, 1.0 / table.refresh) if table.refresh else RATE
    signs = (Option('signed_values', bool, 'the meter signs start and end of each session (OCMF); '
                    'its clock is set for that', False),) if name in PROCEDURES else ()
    return (
        Option('timeout', float, 'without an answer, until the reading is no longer published',
               max(TIMEOUT, 2.5 / rate), 's', 0.2, 60.0),
        Option('rate', float, 'readings wanted; the line may give fewer', rate, 'Hz', 0.05, 20.0),
        *signs,
    )


def open_meter(table_name: str, values: Mapping[str, Any], buses: Buses) -> ModbusMeter:
    """The meter with this table; ``values`` checked against its options. Raises OptionError."""
    table = load(table_name)
    if 'host' in values:
        settings = None
        # the same interface; what a meter asks both lines have
        bus = cast('Bus[ModbusLine]', buses.modbus_tcp(values['host'], values['port']))
    else:
        settings = serial_settings(values)
        bus = buses.modbus(values['port'], settings)
    meter = ModbusMeter(bus, table, values['unit'], values['timeout'], values['rate'],
                        PROCEDURES[table_name] if values.get('signed_values') else None)
    rate = highest_rate(table, settings)
    if table.refresh:
        rate = min(rate, 1.0 / table.refresh)
    meter.say('highest_rate', f'{rate:.1f}/s')
    return meter
