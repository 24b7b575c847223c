"""Meters that push SML: they send a telegram every second or few, and are asked nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from charger_control.drivers.codecs.obis import SERIAL, reading_of
from charger_control.drivers.codecs.sml import SmlReader, Telegram, printed
from charger_control.drivers.lines.bus import Bus, Buses
from charger_control.drivers.lines.optical import HeadLine
from charger_control.drivers.lines.options import serial_options, serial_settings
from charger_control.drivers.meters.optical import LISTEN, TIMEOUT, HeadMeter
from charger_control.drivers.options import Option

DEFAULTS = {'baudrate': 9600, 'parity': 'N', 'stopbits': 1}


class SmlMeter(HeadMeter):
    """Implements interfaces.Meter."""

    def __init__(self, bus: Bus[HeadLine], timeout: float = TIMEOUT) -> None:
        """As HeadMeter."""
        super().__init__(bus, timeout)
        self._reader = SmlReader()
        self._identity['model'] = 'SML'

    def transact(self, line: HeadLine) -> None:
        """Listens for a moment."""
        telegrams = self._reader.feed(line.read_within(LISTEN))
        for telegram in telegrams:
            serial_number = serial_number_of(telegram)
            self._identity['serial_number'] = serial_number
            self._took(reading_of(telegram.numbers, serial_number))
        if not telegrams:
            self._waited('is the head on the meter, and its info interface switched on?')

    def line_down(self, error: str) -> None:
        """Forgets what was half received."""
        self._reader.forget()
        super().line_down(error)

    def _rejected(self) -> Counter[str]:
        return self._reader.counters


def serial_number_of(telegram: Telegram) -> str:
    """The meter's number as printed on it: its own value of it, else the server id."""
    number = next((telegram.names[code] for code in SERIAL if code in telegram.names), b'')
    return printed(number or bytes.fromhex(telegram.server_id))


def options() -> tuple[Option, ...]:
    """What can be set."""
    return (*serial_options(DEFAULTS), Option(
        'timeout', float, 'without a telegram, until the reading is no longer published', TIMEOUT,
        's', 1.0, 300.0))


def open_meter(values: Mapping[str, Any], buses: Buses) -> SmlMeter:
    """The meter; ``values`` checked against ``options``. A head has a line of its own."""
    return SmlMeter(buses.own(HeadLine(values['port'], serial_settings(values))),
                    values['timeout'])
