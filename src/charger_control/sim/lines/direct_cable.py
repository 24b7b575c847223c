"""The serial cable where driver and devices are one process: no pty, no baud rate, no delay."""

from __future__ import annotations


class DirectCable:
    """Has what simulator.py needs of a PtyPort; what the devices sent waits to be read."""

    name = 'in this process'

    def __init__(self) -> None:
        self._sent = b''
        self.connected = False

    def plug_in(self) -> None:
        """Plugs the cable in."""
        self.connected = True

    def pull(self) -> None:
        """Takes the cable away, and what is on its way with it."""
        self.connected = False
        self._sent = b''

    def read(self) -> bytes:
        """What the devices have sent since the last call."""
        sent, self._sent = self._sent, b''
        return sent

    def write(self, data: bytes) -> None:
        """Sends to the driver."""
        self._sent += data

    def is_baudrate(self, baudrate: int) -> bool:
        """Always: there is none."""
        return True
