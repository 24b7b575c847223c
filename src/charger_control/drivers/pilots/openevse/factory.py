"""Opens an OpenEVSE from a configuration, or withdraws its offer from outside."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.lines.rapi import RapiLine
from charger_control.drivers.options import Option
from charger_control.drivers.pilots.openevse.driver import SLEEP, OpenEvse
from charger_control.drivers.pilots.openevse.meeting import integer
from charger_control.drivers.pilots.openevse.state import FAULTS, OFF

ANSWER_TIME = 0.25
"""s, an answer awaited for a withdrawal: less than in the driver, to have several tries in 1 s."""


def options() -> tuple[Option, ...]:
    """The options of the board."""
    return (
        Option('port', str, 'serial port, best a name under /dev/serial/by-id'),
        Option('timeout', float, 'without an answer, until the reading is no longer published',
               1.5, 's', 0.3, 10.0),
        Option('rate', float, 'polls', 5.0, 'Hz', 1.0, 10.0),
    )


def open_pilot(values: Mapping[str, Any], buses: Buses) -> OpenEvse:
    """The board, on a line of its own; ``values`` checked against ``options``."""
    return OpenEvse(buses.alone(RapiLine(values['port'])), values['timeout'], values['rate'])


def withdraw(values: Mapping[str, Any], within: float) -> str:
    """Puts the board to sleep on a port that nobody has any more; see registry.withdraw."""
    end = time.monotonic() + within
    line = RapiLine(values['port'])
    while True:
        try:
            line.open()
            word = line.ask(SLEEP, ANSWER_TIME).word
            state = integer(line.ask('GS', ANSWER_TIME).tokens[:1], 16)
            if word == 'OK' and state in (*OFF, *FAULTS):
                return ''
            words = f'the board answers {word} to {SLEEP} and is in state {state}'
        except DeviceError as error:
            words = str(error)
        finally:
            line.close()
        if time.monotonic() + 0.02 >= end:
            return f'not acknowledged within {within:g} s: {words}'
        time.sleep(0.02)
