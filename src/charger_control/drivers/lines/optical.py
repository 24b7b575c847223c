"""The serial port of an optical head: bytes in, bytes out, a speed that can be changed."""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path

import serial

from charger_control.drivers.interfaces import PortLostError
from charger_control.drivers.lines.port import SerialSettings, open_port


class HeadLine:
    """A line of one meter. Not thread-safe: one owner (bus.py)."""

    def __init__(self, port: str, settings: SerialSettings) -> None:
        """``port``: device path; nothing is opened yet."""
        self.name = port
        self.settings = settings
        self._port: serial.Serial | None = None

    def open(self) -> None:
        """Opens the port exclusively. Raises DeviceError."""
        self._port = open_port(self.name, self.settings)

    def close(self) -> None:
        """Closes the port, also one that is gone. Idempotent."""
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()

    def presence(self) -> tuple[int, int] | None:
        """What the path leads to now; None: nothing."""
        try:
            there = Path(self.name).stat()
        except OSError:
            return None
        return there.st_rdev, there.st_ino

    def set_baudrate(self, baudrate: int) -> None:
        """Changes the speed, bit/s. Raises PortLostError."""
        try:
            self._opened().baudrate = baudrate
        except (OSError, ValueError) as error:
            raise PortLostError(f'{self.name} cannot be set to {baudrate} bit/s ({error})'
                                ) from error

    def write(self, data: bytes) -> None:
        """Sends all of it and waits until it is out. Raises PortLostError."""
        try:
            self._opened().write(data)
            self._opened().flush()
        except OSError as error:
            raise PortLostError(f'{self.name} takes no data ({error})') from error

    def read_within(self, timeout: float) -> bytes:
        """What has come, as soon as something has; b'' if nothing comes for ``timeout`` s.

        Raises:
            PortLostError: the port is gone, or its name leads elsewhere now.
        """
        descriptor = self._opened().fileno()
        if not select.select([descriptor], [], [], max(0.0, timeout))[0]:
            ours = os.fstat(descriptor)
            if self.presence() != (ours.st_rdev, ours.st_ino):
                raise PortLostError(f'{self.name} was unplugged or leads elsewhere now')
            return b''
        try:
            data = os.read(descriptor, 4096)
        except OSError as error:
            raise PortLostError(f'{self.name} is lost ({error})') from error
        if not data:
            raise PortLostError(f'{self.name} was unplugged')
        return data

    def _opened(self) -> serial.Serial:
        if self._port is None:
            raise PortLostError(f'{self.name} is not open')
        return self._port
