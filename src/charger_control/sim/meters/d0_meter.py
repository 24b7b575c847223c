"""A simulated meter with a D0 interface (IEC 62056-21): asked in mode C, or pushing (mode D).

Pure, explicit time. Its encoding is its own: nothing of the driver's decoding is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from charger_control.sim.meters.register_device import Measured

_REQUEST = b'/?!\r\n'
_REACTION = 0.2
"""s between what it hears and what it says (6.4: 20 or 200 ms to 1.5 s)."""
_CHARACTER = 10 / 300
"""s of a character at 300 bit/s: a pty has it at once, a line has not."""
_WAIT = 1.5
"""s that it waits for the answer to its identification; then it reads out at the old speed."""


def seven_bits(data: bytes) -> bytes:
    """Characters with an even parity bit on top, as a 7E1 line carries them."""
    return bytes(byte | (bin(byte).count('1') % 2) << 7 for byte in data)


class D0PushMeter:
    """Sends a readout without a block check every ``interval`` s (mode D)."""

    identification = '/SIM0D0-PUSH'

    def __init__(self, plant: Measured, *, now: float = 0.0, interval: float = 1.0,
                 serial_number: str = '20231107', with_bcc: bool = False) -> None:
        self.interval = interval
        self._plant = plant
        self._serial_number = serial_number
        self._with_bcc = with_bcc
        self._next = now

    def due(self) -> float:
        """s, when it sends next."""
        return self._next

    def feed(self, now: float, data: bytes) -> None:
        """It hears nothing."""

    def step(self, now: float) -> bytes:
        """What it sends at ``now`` s."""
        if now < self._next:
            return b''
        self._next += self.interval * max(1, math.ceil((now - self._next) / self.interval))
        return seven_bits(f'{self.identification}\r\n'.encode('ascii') + self.data())

    def data(self) -> bytes:
        """Everything after the identification."""
        plant = self._plant
        lines = [f'1-0:0.0.0*255({self._serial_number})',
                 f'1-0:1.8.0*255({plant.energy_imported:013.4f}*kWh)']
        lines += [f'1-0:{36 + 20 * i}.7.0*255({v * a:.2f}*W)' for i, (v, a) in enumerate(
            zip(plant.voltage, plant.amperage, strict=True))]
        lines += [f'1-0:{32 + 20 * i}.7.0*255({v:.1f}*V)' for i, v in enumerate(plant.voltage)]
        lines += [f'1-0:{31 + 20 * i}.7.0*255({a:.2f}*A)' for i, a in enumerate(plant.amperage)]
        lines += [f'1-0:16.7.0*255({plant.power:.2f}*W)',
                  f'1-0:14.7.0*255({plant.frequency:.2f}*Hz)', '1-0:96.5.5*255(82)']
        text = '\r\n'.join([*lines, '!']).encode('ascii') + b'\r\n'
        if not self._with_bcc:
            return b'\r\n' + text
        check = 0
        for byte in text + b'\x03':
            check ^= byte
        return b'\x02' + text + b'\x03' + bytes((check,))


class D0PullMeter(D0PushMeter):
    """Answers ``/?!`` at 300 bit/s and offers ``baudrate`` (mode C).

    Args:
        is_baudrate: whether the line is run at this speed now, as the head would hear it.
    """

    def __init__(self, plant: Measured, is_baudrate: Callable[[int], bool], *,
                 character: str = '5', baudrate: int = 9600, serial_number: str = '20231107'
                 ) -> None:
        super().__init__(plant, serial_number=serial_number, with_bcc=True)
        self._is_baudrate = is_baudrate
        self._character, self._baudrate = character, baudrate
        self._heard = b''
        self._say: Callable[[float], bytes] | None = None
        self._next = math.inf
        self._offered = False

    def feed(self, now: float, data: bytes) -> None:
        """Takes what the head sends; at another speed than the meter's it is noise."""
        if not self._is_baudrate(300):
            self._heard = b''
            return
        self._heard = (self._heard + bytes(byte & 0x7F for byte in data))[-32:]
        accepted = b'\x060' + self._character.encode('ascii') + b'0\r\n'
        if self._heard.endswith(_REQUEST):
            self._offered = True
            self._at(now + len(_REQUEST) * _CHARACTER + _REACTION, self._identify)
        elif self._offered and self._heard.endswith(accepted):
            self._at(now + len(accepted) * _CHARACTER + _REACTION, self._read_out)

    def step(self, now: float) -> bytes:
        """What it sends at ``now`` s."""
        if now < self._next or self._say is None:
            return b''
        say, self._say, self._next = self._say, None, math.inf
        return seven_bits(say(now))

    def _identify(self, now: float) -> bytes:
        self._at(now + _WAIT, self._give_up)
        return f'/SIM{self._character}D0-PULL\r\n'.encode('ascii')

    def _give_up(self, now: float) -> bytes:
        self._offered = False
        return self.data() if self._is_baudrate(300) else b''

    def _read_out(self, now: float) -> bytes:
        self._offered = False
        # a head at another speed sees no characters in it
        return self.data() if self._is_baudrate(self._baudrate) else b'\xff\x81\x00' * 20

    def _at(self, when: float, say: Callable[[float], bytes]) -> None:
        self._next, self._say, self._heard = when, say, b''
