"""Options of lines: serial ports, Modbus RTU and TCP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.options import Option


def serial_options(defaults: Mapping[str, Any]) -> tuple[Option, ...]:
    """The options of every serial line; ``defaults``: baudrate, parity and stopbits."""
    return (
        Option('port', str, 'serial port, best a name under /dev/serial/by-id'),
        Option('baudrate', int, 'speed of the line', defaults['baudrate'], 'bit/s', 300, 4_000_000),
        Option('parity', str, 'none, even or odd', defaults['parity'], choices=('N', 'E', 'O')),
        Option('stopbits', int, 'stop bits', defaults['stopbits'], '', 1, 2),
    )


def modbus_serial_options(defaults: Mapping[str, Any]) -> tuple[Option, ...]:
    """The options of every Modbus RTU device.

    Args:
        defaults: baudrate, parity, stopbits and unit as the device is delivered.
    """
    return (
        *serial_options(defaults),
        Option('unit', int, 'Modbus address of the device', defaults['unit'], '', 1, 247),
    )


def serial_settings(values: Mapping[str, Any]) -> SerialSettings:
    """The line settings among checked values."""
    return SerialSettings(values['baudrate'], values['parity'], values['stopbits'])


def modbus_tcp_options(defaults: Mapping[str, Any]) -> tuple[Option, ...]:
    """The options of every Modbus device behind TCP; ``defaults``: unit."""
    return (
        Option('host', str, 'name or address of the device, or of its Modbus TCP gateway'),
        Option('port', int, 'TCP port', 502, '', 1, 65535),
        Option('unit', int, 'Modbus address of the device', defaults['unit'], '', 1, 247),
    )
