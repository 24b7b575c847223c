"""Finds a meter behind an optical head: by listening, then by asking once at 300 bit/s."""

from __future__ import annotations

import time
from collections.abc import Callable

from charger_control.drivers.codecs.iec62056_21 import (
    REQUEST,
    D0Error,
    D0Reader,
    identification_of,
    with_parity,
)
from charger_control.drivers.codecs.iec62056_21 import Telegram as Readout
from charger_control.drivers.codecs.obis import SERIAL
from charger_control.drivers.codecs.sml import SmlReader
from charger_control.drivers.lines.optical import HeadLine
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.meters.sml import serial_number_of

PUSH, PULL = SerialSettings(9600), SerialSettings(300)
LISTEN_TIME = 4.5
"""s: meters push every 1 to 4 s."""
ASK_TIME = 2.0
"""s for an identification to come: 20 characters of 33 ms, after at most 1.5 s."""

Head = tuple[SerialSettings, str, dict[str, str], str]
"""Line settings, driver, its options, serial number."""


def listened(port: str, is_over: Callable[[], bool]) -> Head | None:
    """What pushes at 9600 8N1 (or 7E1, which has the same bits). Raises DeviceError."""
    line = HeadLine(port, PUSH)
    line.open()
    sml, d0 = SmlReader(), {parity: D0Reader(parity) for parity in 'EN'}
    heard: dict[str, Readout] = {}
    try:
        end = time.monotonic() + LISTEN_TIME
        while time.monotonic() < end and not is_over():
            data = line.read_within(0.1)
            for telegram in sml.feed(data):
                return PUSH, 'sml', {}, serial_number_of(telegram)
            for parity, reader in d0.items():
                for readout in reader.feed(data):
                    heard[parity] = readout
            if heard:
                parity, readout = next(iter(heard.items()))
                number = next((readout.names[c] for c in SERIAL if c in readout.names), '')
                return PUSH, 'd0', {'mode': 'push', 'parity': parity}, number
    finally:
        line.close()
    return None


def asked(port: str) -> Head | None:
    """A meter that answers ``/?!`` at 300 7E1. Raises DeviceError."""
    line = HeadLine(port, PULL)
    line.open()
    received = b''
    try:
        line.write(with_parity(REQUEST))
        end = time.monotonic() + ASK_TIME
        while time.monotonic() < end:
            received += bytes(byte & 0x7F for byte in line.read_within(0.1))
            for text in received.replace(REQUEST, b'').split(b'\r\n')[:-1]:
                try:
                    identification_of(text.decode('ascii', 'replace'))
                except D0Error:
                    continue
                return PULL, 'd0', {'mode': 'pull'}, ''
    finally:
        line.close()
    return None
